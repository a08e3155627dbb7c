/* Server-sent events: every line end, every cut, and the limits. */
#include "common/sse.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Writes each event as "type|data;" so that whole streams can be compared as text. */
static bool note(void *arg, const char *event, const char *data, size_t len)
{
    struct buf *seen = arg;
    assert_int_equal(data[len], '\0');
    buf_printf(seen, "%s|", event);
    buf_append(seen, data, len);
    return buf_puts(seen, ";");
}

/* Feeds the stream in pieces of each size, and in each pair of pieces; always expects the same. */
static void check(const char *stream, size_t len, const char *expected)
{
    for (size_t cut = 0; cut <= len; cut++) {
        for (size_t piece = 1; piece <= len + 1; piece += cut == 0 ? 1 : len + 1) {
            struct sse_parser p;
            struct buf seen;
            sse_init(&p, 1000);
            buf_init(&seen, 10000);
            buf_puts(&seen, "");
            if (cut) {
                assert_true(sse_feed(&p, stream, cut, note, &seen));
                assert_true(sse_feed(&p, stream + cut, len - cut, note, &seen));
            } else {
                for (size_t at = 0; at < len; at += piece)
                    assert_true(sse_feed(&p, stream + at, piece < len - at ? piece : len - at, note,
                                         &seen));
            }
            assert_true(sse_end(&p, note, &seen));
            assert_string_equal(seen.data, expected);
            buf_release(&seen);
            sse_release(&p);
        }
    }
}

#define CHECK(stream, expected) check(stream, sizeof(stream) - 1, expected)

static void all_line_ends(void **state)
{
    (void)state;
    CHECK("data: a\n\ndata: b\n\n", "message|a;message|b;");
    CHECK("data: a\r\n\r\ndata: b\r\n\r\n", "message|a;message|b;");
    CHECK("data: a\r\rdata: b\r\r", "message|a;message|b;");
    CHECK("data: a\r\ndata: b\rdata: c\n\r\n\n", "message|a\nb\nc;");
}

static void fields(void **state)
{
    (void)state;
    CHECK("event: error\ndata: {}\n\ndata:x\n\n", "error|{};message|x;");
    CHECK(": ping\n\nid: 1\nretry: 3000\n\ndata:  two spaces\n\n", "message| two spaces;");
    CHECK("data\n\ndata:\n\ndata\ndata\n\n", "message|;message|;message|\n;");
    CHECK("event: feedback\n\ndata: y\n\n", "message|y;");
    CHECK("dat: x\ndatas: x\nDATA: x\n data: x\n\n", "");
    CHECK("data: a:b: c\n\n", "message|a:b: c;");
    CHECK("error: {\"a\":1}\n\ndata: x\n\n", "error|{\"a\":1};message|x;");
    CHECK("errors: x\n\n", "");
    CHECK("event: 0123456789012345678901234567890123456789\ndata: x\n\n",
          "0123456789012345678901234567890|x;");
    CHECK("", "");
    CHECK("\n\n\n", "");
}

static void byte_order_mark_is_dropped_once(void **state)
{
    (void)state;
    CHECK("\xef\xbb\xbf"
          "data: a\n\n",
          "message|a;");
    CHECK("\xef\xbb\xbf\n"
          "data: a\n\n",
          "message|a;");
    CHECK("data: a\n\n\xef\xbb\xbf"
          "data: b\n\n",
          "message|a;");
}

static void last_event_without_blank_line(void **state)
{
    (void)state;
    CHECK("data: a\n\ndata: b\n", "message|a;message|b;");
    CHECK("data: a\n\ndata: b", "message|a;message|b;");
    CHECK("data: a\r", "message|a;");
    CHECK(": comment", "");
}

static void limits_an_event(void **state)
{
    (void)state;
    char stream[64];
    for (size_t size = 9; size <= 12; size++) {
        for (int split = 0; split < 2; split++) {
            struct sse_parser p;
            struct buf seen;
            sse_init(&p, 10);
            buf_init(&seen, 100);
            size_t len = (size_t)snprintf(stream, sizeof stream, "data: %.*s\n\n", (int)size,
                                          "0123456789012345");
            bool ok = split ? sse_feed(&p, stream, 9, note, &seen) &&
                                  sse_feed(&p, stream + 9, len - 9, note, &seen)
                            : sse_feed(&p, stream, len, note, &seen);
            assert_int_equal(ok, size <= 10);
            buf_release(&seen);
            sse_release(&p);
        }
    }
    struct sse_parser p;
    struct buf seen;
    buf_init(&seen, 100);
    sse_init(&p, 10);
    assert_false(sse_feed(&p, "data: 01234\ndata: 56789\n\n", 25, note, &seen));
    sse_release(&p);
    /* A line that never ends does not grow without end. */
    sse_init(&p, 10);
    bool ok = true;
    for (int i = 0; ok && i < 100; i++)
        ok = sse_feed(&p, "xxxxxxxx", 8, note, &seen);
    assert_false(ok);
    assert_true(p.line.cap < 64);
    sse_release(&p);
    buf_release(&seen);
}

static bool stop_at_second(void *arg, const char *event, const char *data, size_t len)
{
    int *count = arg;
    (void)event, (void)data, (void)len;
    return ++*count < 2;
}

static void callback_stops_the_parse(void **state)
{
    (void)state;
    struct sse_parser p;
    int count = 0;
    static const char stream[] = "data: 1\n\ndata: 2\n\ndata: 3\n\n";
    sse_init(&p, 100);
    assert_false(sse_feed(&p, stream, sizeof stream - 1, stop_at_second, &count));
    assert_int_equal(count, 2);
    sse_release(&p);
}

static void whole_lines_are_not_copied(void **state)
{
    (void)state;
    struct sse_parser p;
    struct buf seen;
    static const char stream[] = ": ping\n\ndata: a\n\nevent: x\ndata: b\n\n";
    buf_init(&seen, 100);
    sse_init(&p, 1000);
    assert_true(sse_feed(&p, stream, sizeof stream - 1, note, &seen));
    assert_null(p.line.data);
    sse_release(&p);
    buf_release(&seen);
}

/* A stream of CR alone must not be searched for LF once a line. */
static void many_lines_in_one_feed_take_linear_time(void **state)
{
    (void)state;
    size_t len = 8 << 20;
    char *stream = malloc(len);
    struct sse_parser p;
    struct buf seen;
    assert_non_null(stream);
    memset(stream, '\r', len);
    buf_init(&seen, 100);
    sse_init(&p, 1000);
    assert_true(sse_feed(&p, stream, len, note, &seen));
    assert_int_equal(seen.len, 0);
    free(stream);
    sse_release(&p);
}

static bool ends_with_brace(const char *data, size_t len)
{
    return data[len - 1] == '}';
}

/* An event is had before its blank line, once. */
static void without_its_blank_line(void **state)
{
    static const struct {
        const char *bytes, *seen;
    } steps[] = {
        {"data: {", ""},
        {"1}", ""},
        {"\n", "message|{1};"},
        {"\ndata: {2}\n", "message|{2};"},
        {"data: {3}\n", "message|{3};"},
        {"data: {4\n", ""},
        {"data: 4}\n", "message|{4\n4};"},
        {"\n\n", ""},
        {"event: e\n", ""},
        {"data: {5}\n\n", "e|{5};"},
    };
    struct sse_parser p;
    struct buf seen;
    (void)state;
    sse_init(&p, 1000);
    buf_init(&seen, 1000);
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        buf_clear(&seen);
        buf_puts(&seen, "");
        assert_true(sse_feed(&p, steps[i].bytes, strlen(steps[i].bytes), note, &seen));
        assert_true(sse_take_pending(&p, ends_with_brace, note, &seen));
        assert_string_equal(seen.data, steps[i].seen);
    }
    sse_release(&p);
    buf_release(&seen);
}

static const struct CMUnitTest sse_tests[] = {
    cmocka_unit_test(all_line_ends),
    cmocka_unit_test(fields),
    cmocka_unit_test(without_its_blank_line),
    cmocka_unit_test(byte_order_mark_is_dropped_once),
    cmocka_unit_test(last_event_without_blank_line),
    cmocka_unit_test(limits_an_event),
    cmocka_unit_test(callback_stops_the_parse),
    cmocka_unit_test(whole_lines_are_not_copied),
    cmocka_unit_test(many_lines_in_one_feed_take_linear_time),
};
UNIT_MAIN(sse_tests)
