/* Query strings: decoding and limits. */
#include "common/buf.h"
#include "common/query.h"
#include "unit.h"

static void decodes_pairs(void **state)
{
    (void)state;
    struct query q;
    assert_true(
        query_parse(&q, "id=eq.1&select=id%2Ca&name=a+b%20c&x=%C3%BC&empty=&flag&=v&a=1=2"));
    assert_int_equal(q.count, 8);
    assert_string_equal(query_get(&q, "id"), "eq.1");
    assert_string_equal(query_get(&q, "select"), "id,a");
    assert_string_equal(query_get(&q, "name"), "a b c");
    assert_string_equal(query_get(&q, "x"), "\xc3\xbc");
    assert_string_equal(query_get(&q, "empty"), "");
    assert_string_equal(query_get(&q, "flag"), "");
    assert_string_equal(query_get(&q, ""), "v");
    assert_string_equal(query_get(&q, "a"), "1=2");
    assert_null(query_get(&q, "missing"));
    query_release(&q);
}

static void empty_is_no_pairs(void **state)
{
    (void)state;
    static const char *const empty[] = {NULL, "", "&", "&&&"};
    for (size_t i = 0; i < 4; i++) {
        struct query q;
        assert_true(query_parse(&q, empty[i]));
        assert_int_equal(q.count, 0);
        assert_null(query_get(&q, "a"));
        query_release(&q);
    }
}

static void the_first_of_a_name_counts(void **state)
{
    (void)state;
    struct query q;
    assert_true(query_parse(&q, "&a=1&&a=2&"));
    assert_int_equal(q.count, 2);
    assert_string_equal(query_get(&q, "a"), "1");
    query_release(&q);
}

static void refuses_what_is_broken(void **state)
{
    (void)state;
    static const char *const bad[] = {"a=%",    "a=%4",  "a=%zz", "a=%4g", "%00=1",
                                      "a=1%00", "a=%ff", "%c3=1", "a=\xff"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct query q;
        assert_false(query_parse(&q, bad[i]));
    }
}

static void limits_the_number_of_pairs(void **state)
{
    (void)state;
    struct query q;
    struct buf b;
    buf_init(&b, 4096);
    for (int i = 0; i < QUERY_MAX_PAIRS; i++)
        buf_puts(&b, "a&");
    assert_true(query_parse(&q, b.data));
    assert_int_equal(q.count, QUERY_MAX_PAIRS);
    query_release(&q);
    buf_puts(&b, "a");
    assert_false(query_parse(&q, b.data));
    buf_release(&b);
}

static const struct CMUnitTest query_tests[] = {
    cmocka_unit_test(decodes_pairs),
    cmocka_unit_test(empty_is_no_pairs),
    cmocka_unit_test(the_first_of_a_name_counts),
    cmocka_unit_test(refuses_what_is_broken),
    cmocka_unit_test(limits_the_number_of_pairs),
};
UNIT_MAIN(query_tests)
