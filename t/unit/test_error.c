/* Errors in OpenAI's shape. */
#include "common/error.h"
#include "unit.h"

#include <string.h>

static void says_all_four_fields(void **state)
{
    (void)state;
    struct api_error e;
    struct buf b;
    buf_init(&b, 4096);
    assert_false(
        api_error(&e, 400, "invalid_severity", "severity", "severity is %d, not 1 to 6", 9));
    assert_true(api_error_json(&b, &e));
    assert_string_equal(b.data, "{\"error\":{\"message\":\"severity is 9, not 1 to 6\",\"type\":"
                                "\"invalid_request_error\",\"param\":\"severity\",\"code\":"
                                "\"invalid_severity\"}}");
    buf_clear(&b);
    assert_false(api_error(&e, 503, NULL, "", "a \"quoted\"\nword"));
    e.type = "overloaded";
    assert_true(api_error_json(&b, &e));
    assert_string_equal(b.data, "{\"error\":{\"message\":\"a \\\"quoted\\\"\\nword\",\"type\":"
                                "\"overloaded\",\"param\":null,\"code\":null}}");
    buf_release(&b);
}

static void forgets_the_last_error(void **state)
{
    (void)state;
    struct api_error e;
    memset(&e, 0x7f, sizeof e);
    assert_false(api_error(&e, 404, "c", NULL, "m"));
    assert_int_equal(e.status, 404);
    assert_null(e.type);
    assert_int_equal(e.retry_after_ms, 0);
    assert_string_equal(e.param, "");
}

/* A cut in the middle of a character must not make the body invalid. */
static void cuts_long_texts(void **state)
{
    (void)state;
    struct api_error e;
    char text[1200];
    for (size_t i = 0; i < sizeof text - 1; i += 2)
        memcpy(text + i, "\xc3\xa9", 2);
    text[sizeof text - 2] = '\0';
    assert_false(api_error(&e, 400, text, text, "%s", text));
    /* 512 and 64 bytes are room for 255 and 31 characters of two, and one byte more is not used. */
    assert_int_equal(strlen(e.message), 510);
    assert_int_equal(strlen(e.code), 62);
    assert_int_equal(strlen(e.param), 62);
    struct buf b;
    buf_init(&b, 4096);
    assert_true(api_error_json(&b, &e));
    assert_null(strstr(b.data, "\xef\xbf\xbd"));
    buf_release(&b);
    assert_false(api_error(&e, 404, "c", "", "there is no \"%.5s\"", text));
    assert_string_equal(e.message, "there is no \"\xc3\xa9\xc3\xa9\"");
}

static void types_and_reasons_follow_the_status(void **state)
{
    (void)state;
    assert_string_equal(api_error_type(400), "invalid_request_error");
    assert_string_equal(api_error_type(401), "authentication_error");
    assert_string_equal(api_error_type(403), "permission_error");
    assert_string_equal(api_error_type(404), "not_found_error");
    assert_string_equal(api_error_type(413), "invalid_request_error");
    assert_string_equal(api_error_type(429), "rate_limit_error");
    assert_string_equal(api_error_type(500), "server_error");
    assert_string_equal(api_error_type(503), "server_error");
    assert_string_equal(api_status_text(200), "OK");
    assert_string_equal(api_status_text(429), "Too Many Requests");
    assert_string_equal(api_status_text(599), "");
}

static const struct CMUnitTest error_tests[] = {
    cmocka_unit_test(says_all_four_fields),
    cmocka_unit_test(forgets_the_last_error),
    cmocka_unit_test(cuts_long_texts),
    cmocka_unit_test(types_and_reasons_follow_the_status),
};
UNIT_MAIN(error_tests)
