/* Strict JSON: what is taken, what is refused, and what the refusal says. */
#include "common/buf.h"
#include "common/json.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

static void taken(const char *text, size_t len)
{
    struct json_error error;
    cJSON *tree = json_parse(text, len, &error);
    if (tree == NULL)
        print_error("%s: %s\n", text, error.message);
    assert_non_null(tree);
    assert_string_equal(error.message, "");
    cJSON_Delete(tree);
}

static void refused(const char *text, size_t len, const char *reason, const char *param)
{
    struct json_error error;
    cJSON *tree = json_parse(text, len, &error);
    if (tree)
        print_error("taken: %s\n", text);
    assert_null(tree);
    if (strstr(error.message, reason) == NULL)
        print_error("%s: said \"%s\", not \"%s\"\n", text, error.message, reason);
    assert_non_null(strstr(error.message, reason));
    assert_string_equal(error.param, param);
}

#define TAKEN(text) taken(text, sizeof(text) - 1)
#define REFUSED(text, reason, param) refused(text, sizeof(text) - 1, reason, param)

static void takes_what_is_json(void **state)
{
    (void)state;
    TAKEN("{}");
    TAKEN("[]");
    TAKEN(" [ 1 , -0 , 0.5e-3, 1E5, true , false,null, \"\" ] \r\n\t");
    TAKEN("\"text\"");
    TAKEN("7");
    TAKEN("{\"a\":{\"a\":1},\"A\":{\"b\":[{\"a\":1},{\"a\":2}]}}");
    TAKEN("{\"\":1,\"\\\"\":2,\"\\\\\":3}");
    TAKEN("\"\\b\\f\\n\\r\\t\\/\\\\\\\" \\u00e9\\ud83c\\udf89 \xf0\x9f\x8e\x89\"");
    TAKEN("9007199254740992");
    TAKEN("-9007199254740992");
    TAKEN("[1.7976931348623157e308, 5e-324, 0e999999, 12345678901234567890.5]");
}

static void refuses_broken_grammar(void **state)
{
    (void)state;
    REFUSED("", "text ends where value was expected", "");
    REFUSED("   ", "text ends where value was expected at byte 3", "");
    REFUSED("{", "text ends where key", "");
    REFUSED("[1", "text ends where ',' or ']' was expected at byte 2", "0");
    REFUSED("[1,]", "value expected", "1");
    REFUSED("{\"a\":1,}", "key in double quotes expected", "a");
    REFUSED("{\"a\" 1}", "':' expected", "a");
    REFUSED("{\"a\":1]", "',' or '}' expected", "a");
    REFUSED("{a:1}", "key in double quotes expected", "");
    REFUSED("{'a':1}", "key in double quotes expected", "");
    REFUSED("{1:1}", "key in double quotes expected", "");
    REFUSED("tru", "value expected", "");
    REFUSED("NaN", "value expected", "");
    REFUSED("// x\n1", "value expected", "");
    REFUSED("1 2", "text after the value at byte 2", "");
    REFUSED("{}{}", "text after the value", "");
    REFUSED("hello", "value expected", "");
    REFUSED("\f1", "value expected", "");
}

static void refuses_broken_numbers(void **state)
{
    (void)state;
    REFUSED("{\"severity\":01}", "',' or '}' expected", "severity");
    REFUSED("[-]", "digit expected", "0");
    REFUSED("[1.]", "digit expected", "0");
    REFUSED("[1e]", "digit expected", "0");
    REFUSED("[+1]", "value expected", "0");
    REFUSED("[.5]", "value expected", "0");
    REFUSED("[1,1e400]", "number out of range", "1");
    REFUSED("[1e-400]", "number out of range", "0");
    REFUSED("{\"n\":9007199254740993}", "integer beyond 2^53", "n");
    REFUSED("{\"n\":-9007199254740994}", "integer beyond 2^53", "n");
    REFUSED("100000000000000000000000000000000000000000000000000000000000000", "more than 60", "");
}

static void refuses_broken_strings(void **state)
{
    (void)state;
    REFUSED("\"abc", "text ends inside a string", "");
    REFUSED("\"a\nb\"", "control character in a string", "");
    REFUSED("\"\\x\"", "unknown escape", "");
    REFUSED("\"\\u12g4\"", "hex digit", "");
    REFUSED("\"\\u12", "four hex digits", "");
    REFUSED("{\"message\":\"\\u0000\"}", "NUL character in a string", "message");
    REFUSED("{\"message\":\"a\0b\"}", "NUL byte", "message");
    REFUSED("{}\0", "NUL byte", "");
    REFUSED("\0", "NUL byte", "");
    REFUSED("\"\\ud800\"", "lone surrogate", "");
    REFUSED("\"\\ud800\\u0041\"", "lone surrogate", "");
    REFUSED("\"\\ud800\\ud800\"", "lone surrogate", "");
    REFUSED("\"\\udc00\"", "lone surrogate", "");
}

static void refuses_invalid_utf8(void **state)
{
    (void)state;
    REFUSED("\xef\xbb\xbf{}", "byte order mark", "");
    REFUSED("{\"message\":\"\xff\"}", "invalid UTF-8", "message");
    REFUSED("\"\xc0\xaf\"", "invalid UTF-8", "");
    REFUSED("\"\xed\xa0\x80\"", "invalid UTF-8", "");
    REFUSED("\"\xf4\x90\x80\x80\"", "invalid UTF-8", "");
    REFUSED("\"\xe2\x82\"", "invalid UTF-8", "");
    REFUSED("\"\xe2\x82", "invalid UTF-8", "");
    REFUSED("{\"\x80\":1}", "invalid UTF-8", "");
}

static void refuses_duplicate_keys(void **state)
{
    (void)state;
    REFUSED("{\"a\":1,\"a\":2}", "duplicate key", "a");
    REFUSED("{\"x\":[0,{\"b\":1,\"a\":{},\"b\":1}]}", "duplicate key", "x.1.b");
    REFUSED("{\"caf\xc3\xa9\":1,\"caf\\u00e9\":2}", "duplicate key", "caf\xc3\xa9");
    REFUSED("{\"\\u0061\":1,\"b\":{\"c\":1},\"\\u0061\":2}", "duplicate key", "a");
    REFUSED("{\"\":1,\"\":2}", "duplicate key", "");
    REFUSED("{\"k1\":0,\"k2\":0,\"k3\":0,\"k4\":0,\"k5\":0,\"k6\":0,\"k7\":0,\"k8\":0,\"k9\":0,"
            "\"k4\":0}",
            "duplicate key", "k4");
}

/* Half a million keys in one object: quadratic work would take minutes here. */
static void checks_big_objects_in_time(void **state)
{
    (void)state;
    struct buf b;
    struct json_error error;
    buf_init(&b, 64 << 20);
    buf_putc(&b, '{');
    for (int i = 0; i < 500000; i++)
        buf_printf(&b, "\"key-%d\":0,", i);
    size_t len = b.len;
    assert_true(buf_puts(&b, "\"last\":0}"));
    cJSON *tree = json_parse(b.data, b.len, &error);
    assert_non_null(tree);
    cJSON_Delete(tree);
    b.len = len;
    assert_true(buf_puts(&b, "\"key-77\":0}"));
    assert_null(json_parse(b.data, b.len, &error));
    assert_string_equal(error.param, "key-77");
    buf_release(&b);
}

static void limits_depth(void **state)
{
    (void)state;
    char text[2 * (JSON_MAX_DEPTH + 1)];
    memset(text, '[', JSON_MAX_DEPTH);
    memset(text + JSON_MAX_DEPTH, ']', JSON_MAX_DEPTH);
    taken(text, 2 * JSON_MAX_DEPTH);
    struct json_error error;
    memset(text, '[', JSON_MAX_DEPTH + 1);
    assert_null(json_parse(text, JSON_MAX_DEPTH + 1, &error));
    assert_non_null(strstr(error.message, "more than 64 levels"));
    /* A path longer than its field ends at a whole part. */
    assert_true(strlen(error.param) < sizeof error.param);
    assert_true(strlen(error.param) > 50);
    size_t big = 1 << 20;
    char *deep = malloc(big);
    assert_non_null(deep);
    memset(deep, '[', big);
    assert_null(json_parse(deep, big, &error));
    free(deep);
}

/* The text lies in memory of exactly its size, so that a byte too far is seen by a sanitizer. */
static void reads_no_byte_too_far(void **state)
{
    (void)state;
    static const char whole[] =
        "{\"a\":[1.5e3,true,null,\"\\ud83c\\udf89\xf0\x9f\x8e\x89\"],\"\\u0062\":-1}";
    for (size_t len = 0; len < sizeof whole; len++) {
        char *copy = malloc(len ? len : 1);
        struct json_error error;
        assert_non_null(copy);
        memcpy(copy, whole, len);
        cJSON *tree = json_parse(copy, len, &error);
        assert_true((tree != NULL) == (len == sizeof whole - 1));
        cJSON_Delete(tree);
        free(copy);
    }
}

static bool passes(const char *text, const struct json_rules *rules, struct json_error *error)
{
    struct span value;
    return json_check(text, strlen(text), rules, &value, error);
}

static void takes_any_number_that_is_passed_on(void **state)
{
    static const struct json_rules any = {.any_number = true};
    struct json_error error;
    char text[400];
    (void)state;
    assert_true(
        passes("[9007199254740993, -9223372036854775808, 18446744073709551615]", &any, &error));
    assert_true(
        passes("[1157920892373161954235709850086879078532699846656405640394575840079131296399"
               "35, 0.1000000000000000055511151231257827021181583404541015625000000000000]",
               &any, &error));
    assert_false(passes("1e400", &any, &error));
    assert_false(passes("1e-400", &any, &error));
    assert_false(passes("01", &any, &error));
    memset(text, '1', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    assert_false(passes(text, &any, &error));
    assert_non_null(strstr(error.message, "more than 350 characters"));
    text[309] = '\0'; /* 1.1e308 */
    assert_true(passes(text, &any, &error));
}

static void limits_values(void **state)
{
    static const struct json_rules five = {.max_values = 5};
    struct json_error error;
    (void)state;
    assert_true(passes("[1,2,3,4]", &five, &error));
    assert_true(passes("{\"a\":{\"b\":[null,\"x\"]}}", &five, &error));
    assert_false(passes("{\"a\":[1,2,3,4]}", &five, &error));
    assert_non_null(strstr(error.message, "more than 5 values"));
    assert_string_equal(error.param, "a.3");
}

static void the_value_is_without_the_space_around_it(void **state)
{
    static const struct json_rules none = {.max_values = 0};
    struct json_error error;
    struct span value;
    (void)state;
    assert_true(json_check(" {\"a\": 1 }\n", 11, &none, &value, &error));
    assert_true(scan_is(value, "{\"a\": 1 }"));
    assert_true(json_check("\t7 ", 3, &none, &value, &error));
    assert_true(scan_is(value, "7"));
}

/* Only of what is asked for there is a tree, and never a large one. */
static void picks_members(void **state)
{
    static const char *const names[] = {"small", "big", "n", "name", NULL};
    static const char text[] =
        "{\"other\":[1,2,3],\"n\\u0061me\":\"x\",\"big\":\"0123456789abcdef\","
        "\"small\":{\"a\":[true]},\"n\":"
        "1000000000000000000000000000000000000000000000000000000000000000000}";
    struct span object = {text, sizeof text - 1};
    (void)state;
    cJSON *picked = json_pick(object, names, 17);
    assert_int_equal(cJSON_GetArraySize(picked), 4);
    assert_string_equal(json_string(picked, "name"), "x");
    assert_true(cJSON_IsObject(cJSON_GetObjectItemCaseSensitive(picked, "small")));
    const cJSON *big = cJSON_GetObjectItemCaseSensitive(picked, "big");
    assert_non_null(big);
    assert_false(cJSON_IsString(big) || cJSON_IsNull(big) || cJSON_IsObject(big));
    const cJSON *n = cJSON_GetObjectItemCaseSensitive(picked, "n");
    assert_false(cJSON_IsNumber(n));
    cJSON_Delete(picked);
    picked = json_pick((struct span){"[1]", 3}, names, 17);
    assert_int_equal(cJSON_GetArraySize(picked), 0);
    cJSON_Delete(picked);
    picked = json_pick((struct span){0}, names, 17);
    assert_int_equal(cJSON_GetArraySize(picked), 0);
    cJSON_Delete(picked);
}

static void strings_are_compared_as_they_mean(void **state)
{
    (void)state;
    assert_true(scan_equals((struct span){"\"user\"", 6}, "user"));
    assert_true(scan_equals((struct span){"\"us\\u0065r\"", 11}, "user"));
    assert_true(scan_equals((struct span){"\"\\u0075\\u0073\\u0065\\u0072\"", 26}, "user"));
    assert_false(scan_equals((struct span){"\"us\\u0065rs\"", 12}, "user"));
    assert_false(scan_equals((struct span){"\"uses\"", 6}, "user"));
    assert_false(scan_equals((struct span){"\"use\"", 5}, "user"));
    assert_true(scan_equals((struct span){"\"\"", 2}, ""));
    assert_false(scan_equals((struct span){"7", 1}, "7"));
    assert_false(scan_equals((struct span){0}, ""));
    struct span object = {"{\"\\u0061\":1,\"b\":2}", 18};
    assert_true(scan_is(scan_member(object, "a"), "1"));
}

static void accessors_check_types(void **state)
{
    (void)state;
    static const char text[] = "{\"s\":\"x\",\"b\":true,\"n\":2.5,\"S\":1}";
    struct json_error error;
    cJSON *o = json_parse(text, sizeof text - 1, &error);
    assert_string_equal(json_string(o, "s"), "x");
    assert_null(json_string(o, "S"));
    assert_null(json_string(o, "missing"));
    assert_null(json_string(NULL, "s"));
    assert_true(json_bool(o, "b", false));
    assert_true(json_bool(o, "s", true));
    assert_false(json_bool(o, "missing", false));
    assert_true(json_number(o, "n", 0) == 2.5);
    assert_true(json_number(o, "s", -1) == -1);
    cJSON_Delete(o);
}

static void utf8_is_checked(void **state)
{
    (void)state;
    assert_true(json_utf8_valid("", 0));
    assert_true(json_utf8_valid("gr\xc3\xbc\xc3\x9f", 6));
    assert_false(json_utf8_valid("a\0b", 3));
    assert_false(json_utf8_valid("\xc3", 1));
    assert_false(json_utf8_valid("\xf8\x88\x80\x80\x80", 5));
}

static const struct CMUnitTest json_tests[] = {
    cmocka_unit_test(takes_what_is_json),
    cmocka_unit_test(refuses_broken_grammar),
    cmocka_unit_test(refuses_broken_numbers),
    cmocka_unit_test(refuses_broken_strings),
    cmocka_unit_test(refuses_invalid_utf8),
    cmocka_unit_test(refuses_duplicate_keys),
    cmocka_unit_test(checks_big_objects_in_time),
    cmocka_unit_test(limits_depth),
    cmocka_unit_test(reads_no_byte_too_far),
    cmocka_unit_test(takes_any_number_that_is_passed_on),
    cmocka_unit_test(limits_values),
    cmocka_unit_test(the_value_is_without_the_space_around_it),
    cmocka_unit_test(picks_members),
    cmocka_unit_test(strings_are_compared_as_they_mean),
    cmocka_unit_test(accessors_check_types),
    cmocka_unit_test(utf8_is_checked),
};
UNIT_MAIN(json_tests)
