/* Text that does not fit ends between two characters. */
#include "common/utf8.h"
#include "unit.h"

#include <string.h>

#define E_ACUTE "\xc3\xa9"
#define EURO "\xe2\x82\xac"
#define GUITAR "\xf0\x9f\x8e\xb8"

static void is_cut_between_characters(void **state)
{
    static const struct {
        const char *text;
        size_t max, len;
    } cases[] = {
        {"abc", 5, 3},       {"abc", 3, 3},    {"abc", 2, 2},         {"abc", 0, 0},
        {"", 0, 0},          {"", 4, 0},       {"a" E_ACUTE, 3, 3},   {"a" E_ACUTE, 2, 1},
        {E_ACUTE, 1, 0},     {EURO "x", 4, 4}, {EURO "x", 3, 3},      {EURO "x", 2, 0},
        {EURO EURO, 5, 3},   {GUITAR, 4, 4},   {GUITAR GUITAR, 7, 4}, {GUITAR, 3, 0},
        {"ab" GUITAR, 5, 2},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(utf8_cut(cases[i].text, cases[i].max), cases[i].len);
}

static void is_copied_as_far_as_it_fits(void **state)
{
    char out[6];
    (void)state;
    utf8_copy(out, sizeof out, "hello");
    assert_string_equal(out, "hello");
    utf8_copy(out, sizeof out, "hello!");
    assert_string_equal(out, "hello");
    utf8_copy(out, sizeof out, "hell" E_ACUTE);
    assert_string_equal(out, "hell");
    utf8_copy(out, sizeof out, NULL);
    assert_string_equal(out, "");
    utf8_copy(out, 1, EURO);
    assert_string_equal(out, "");
}

static void what_is_printed_is_valid(void **state)
{
    char out[16];
    (void)state;
    utf8_print(out, sizeof out, "%.3s, %.4s!", EURO EURO, EURO EURO);
    assert_string_equal(out, EURO ", " EURO "!");
    utf8_print(out, sizeof out, "%s%s%s%s", GUITAR, GUITAR, GUITAR, GUITAR);
    assert_string_equal(out, GUITAR GUITAR GUITAR);
    utf8_print(out, sizeof out, "a\xff%c\xc3(%s", 'b', "\xed\xa0\x80z\xf0\x9f");
    assert_string_equal(out, "ab(z");
    utf8_print(out, sizeof out, "%s", "");
    assert_string_equal(out, "");
}

static const struct CMUnitTest utf8_tests[] = {
    cmocka_unit_test(is_cut_between_characters),
    cmocka_unit_test(is_copied_as_far_as_it_fits),
    cmocka_unit_test(what_is_printed_is_valid),
};
UNIT_MAIN(utf8_tests)
