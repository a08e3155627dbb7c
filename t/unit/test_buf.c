/* Buffers: growth, the maximum, failure that sticks, and JSON strings. */
#include "common/buf.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

static void grows_and_stays_terminated(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 1 << 20);
    assert_null(b.data);
    for (int i = 0; i < 10000; i++) {
        assert_true(buf_putc(&b, (char)('a' + i % 26)));
        assert_int_equal(b.data[b.len], '\0');
    }
    assert_int_equal(b.len, 10000);
    assert_int_equal(b.data[9999], 'a' + 9999 % 26);
    buf_release(&b);
    assert_null(b.data);
    assert_int_equal(b.max, 1 << 20);
}

static void holds_exactly_its_maximum(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 1000);
    char fill[1000];
    memset(fill, 'x', sizeof fill);
    assert_true(buf_append(&b, fill, 999));
    assert_true(buf_putc(&b, 'y'));
    assert_int_equal(b.len, 1000);
    assert_true(b.cap <= 1001);
    assert_false(buf_putc(&b, 'z'));
    assert_true(b.failed);
    assert_int_equal(b.len, 1000);
    assert_int_equal(b.data[999], 'y');
    buf_release(&b);
}

static void failure_sticks_until_cleared(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 4);
    assert_true(buf_puts(&b, "abc"));
    assert_false(buf_puts(&b, "de"));
    assert_false(buf_puts(&b, "d"));
    assert_false(buf_printf(&b, "%d", 1));
    assert_false(buf_json_string(&b, "", 0));
    assert_string_equal(b.data, "abc");
    buf_clear(&b);
    assert_false(b.failed);
    assert_string_equal(b.data, "");
    assert_true(buf_puts(&b, "wxyz"));
    buf_release(&b);
}

static void steal_gives_text_and_leaves_an_empty_buffer(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 100);
    char *empty = buf_steal(&b);
    assert_string_equal(empty, "");
    free(empty);
    assert_true(buf_puts(&b, "text"));
    char *text = buf_steal(&b);
    assert_string_equal(text, "text");
    free(text);
    assert_null(b.data);
    assert_int_equal(b.len, 0);
    buf_init(&b, 2);
    assert_false(buf_puts(&b, "text"));
    assert_null(buf_steal(&b));
    buf_release(&b);
}

static void consume_drops_the_beginning(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 100);
    buf_consume(&b, 0);
    assert_true(buf_puts(&b, "head tail"));
    buf_consume(&b, 5);
    assert_string_equal(b.data, "tail");
    assert_int_equal(b.len, 4);
    buf_consume(&b, 4);
    assert_string_equal(b.data, "");
    buf_release(&b);
}

static void cut_drops_the_end(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 10);
    buf_cut(&b, 0);
    assert_null(b.data);
    assert_true(buf_puts(&b, "head tail"));
    buf_cut(&b, 4);
    assert_string_equal(b.data, "head");
    assert_true(buf_puts(&b, "+more"));
    assert_string_equal(b.data, "head+more");
    assert_false(buf_puts(&b, "too long"));
    buf_cut(&b, 0);
    assert_string_equal(b.data, "");
    assert_true(b.failed);
    buf_release(&b);
}

static void printf_grows_when_needed(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 5000);
    assert_true(buf_printf(&b, "%s-%d", "n", 7));
    assert_true(buf_printf(&b, "%2000d", 1));
    assert_int_equal(b.len, 2003);
    assert_int_equal(b.data[2002], '1');
    assert_false(buf_printf(&b, "%4000d", 1));
    assert_int_equal(b.len, 2003);
    assert_int_equal(b.data[2003], '\0');
    buf_release(&b);
}

static void no_limit_is_as_good_as_the_largest(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, SIZE_MAX);
    assert_true(buf_puts(&b, "text"));
    assert_false(buf_reserve(&b, SIZE_MAX - 2));
    buf_release(&b);
}

static void check_json(const char *text, size_t len, const char *expected)
{
    struct buf b;
    buf_init(&b, 1 << 16);
    assert_true(buf_json_string(&b, text, len));
    assert_string_equal(b.data, expected);
    buf_release(&b);
}

#define CHECK_JSON(text, expected) check_json(text, sizeof(text) - 1, expected)

static void json_strings_are_escaped(void **state)
{
    (void)state;
    CHECK_JSON("", "\"\"");
    CHECK_JSON("plain text, long enough for whole words",
               "\"plain text, long enough for whole words\"");
    CHECK_JSON("a\"b\\c/d", "\"a\\\"b\\\\c/d\"");
    CHECK_JSON("\b\f\n\r\t\x01\x1f\x7f", "\"\\b\\f\\n\\r\\t\\u0001\\u001f\x7f\"");
    CHECK_JSON("a\0b", "\"a\xef\xbf\xbd"
                       "b\"");
    CHECK_JSON("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x8e\x89",
               "\"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x8e\x89\"");
}

static void json_strings_mend_broken_utf8(void **state)
{
    (void)state;
    CHECK_JSON("\xff", "\"\xef\xbf\xbd\"");
    CHECK_JSON("a\xc3", "\"a\xef\xbf\xbd\"");
    CHECK_JSON("\xc0\xaf", "\"\xef\xbf\xbd\xef\xbf\xbd\"");                 /* overlong */
    CHECK_JSON("\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""); /* a surrogate */
    CHECK_JSON("\xf4\x90\x80\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
    CHECK_JSON("\xe2\x82", "\"\xef\xbf\xbd\xef\xbf\xbd\"");
    CHECK_JSON("\x80"
               "clean again after it",
               "\"\xef\xbf\xbd"
               "clean again after it\"");
}

/* Every byte, at every place of a word: the fast path must see what the slow path sees. */
static void json_strings_see_every_byte_everywhere(void **state)
{
    (void)state;
    for (unsigned byte = 0; byte < 256; byte++) {
        for (size_t place = 0; place < 24; place++) {
            char text[24];
            memset(text, ' ' + (int)(byte % 2), sizeof text);
            text[place] = (char)byte;
            struct buf b;
            buf_init(&b, 256);
            assert_true(buf_json_escaped(&b, text, sizeof text));
            bool clean = byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\';
            assert_true((b.len == sizeof text) == clean);
            if (clean)
                assert_memory_equal(b.data, text, sizeof text);
            buf_release(&b);
        }
    }
}

static void utf8_is_mended(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t len;
        const char *mended;
    } cases[] = {
        {"", 0, ""},
        {"plain text, of more than a word", 31, "plain text, of more than a word"},
        {"a \"quote\"\n\ttab", 14, "a \"quote\"\n\ttab"},
        {"gr\xc3\xbc\xc3\x9f dich", 11, "gr\xc3\xbc\xc3\x9f dich"},
        {"nul\0 in it and more", 19, "nul\xef\xbf\xbd in it and more"},
        {"cut \xe2\x82", 6, "cut \xef\xbf\xbd\xef\xbf\xbd"},
        {"12345678\xff"
         "12345678",
         17,
         "12345678\xef\xbf\xbd"
         "12345678"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf b;
        buf_init(&b, 100);
        assert_true(buf_utf8(&b, cases[i].text, cases[i].len));
        assert_string_equal(b.data, cases[i].mended);
        buf_release(&b);
    }
    struct buf small;
    buf_init(&small, 4);
    assert_false(buf_utf8(&small, "12345", 5));
    assert_false(buf_utf8(&small, "1", 1)); /* it has failed */
    buf_release(&small);
}

static void json_strings_respect_the_maximum(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 6);
    assert_true(buf_json_string(&b, "\n\n", 2));
    assert_string_equal(b.data, "\"\\n\\n\"");
    buf_clear(&b);
    assert_false(buf_json_string(&b, "\n\n\n", 3));
    buf_release(&b);
}

static const struct CMUnitTest buf_tests[] = {
    cmocka_unit_test(grows_and_stays_terminated),
    cmocka_unit_test(holds_exactly_its_maximum),
    cmocka_unit_test(failure_sticks_until_cleared),
    cmocka_unit_test(steal_gives_text_and_leaves_an_empty_buffer),
    cmocka_unit_test(consume_drops_the_beginning),
    cmocka_unit_test(cut_drops_the_end),
    cmocka_unit_test(printf_grows_when_needed),
    cmocka_unit_test(no_limit_is_as_good_as_the_largest),
    cmocka_unit_test(utf8_is_mended),
    cmocka_unit_test(json_strings_are_escaped),
    cmocka_unit_test(json_strings_mend_broken_utf8),
    cmocka_unit_test(json_strings_see_every_byte_everywhere),
    cmocka_unit_test(json_strings_respect_the_maximum),
};
UNIT_MAIN(buf_tests)
