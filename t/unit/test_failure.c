/* What a provider's failures mean to clients, and for the next try. */
#include "chat/failure.h"
#include "unit.h"

#include <stdio.h>
#include <string.h>

static void retry_after(void **state)
{
    (void)state;
    assert_int_equal(upstream_retry_after(NULL, NULL, 0), -1);
    assert_int_equal(upstream_retry_after(NULL, "", 0), -1);
    assert_int_equal(upstream_retry_after(NULL, "7", 0), 7000);
    assert_int_equal(upstream_retry_after(NULL, "0", 0), 0);
    assert_int_equal(upstream_retry_after(NULL, "1.5", 0), 1500);
    assert_int_equal(upstream_retry_after(NULL, " 2 ", 0), 2000);
    assert_int_equal(upstream_retry_after("250", "7", 0), 250);
    assert_int_equal(upstream_retry_after("0.2", NULL, 0), 1);
    assert_int_equal(upstream_retry_after(NULL, "86400", 0), 3600000);
    assert_int_equal(upstream_retry_after(NULL, "-1", 0), -1);
    assert_int_equal(upstream_retry_after(NULL, "soon", 0), -1);
    assert_int_equal(upstream_retry_after(NULL, "nan", 0), -1);
    assert_int_equal(upstream_retry_after(NULL, "inf", 0), -1);
    assert_int_equal(upstream_retry_after(NULL, "1e300", 0), -1);
    assert_int_equal(upstream_retry_after(NULL, "Sun, 06 Nov 1994 08:49:37 GMT", 784111770), 7000);
    assert_int_equal(upstream_retry_after(NULL, "Sun, 06 Nov 1994 08:49:37 GMT", 784111790), 0);
}

struct expectation {
    int status;
    const char *body;
    int64_t retry_after_ms;
    int told;
    const char *code;
    enum failure_kind kind;
};

static const struct expectation expectations[] = {
    {400, "{\"error\":{\"message\":\"m\",\"code\":\"context_length_exceeded\"}}", -1, 400,
     "context_length_exceeded", FAILURE_TOO_LONG},
    {400, "{\"error\":{\"message\":\"m\",\"code\":null}}", -1, 400, "", FAILURE_REFUSED},
    {400, "<html>", -1, 400, "provider_refused", FAILURE_REFUSED},
    {422, "{\"error\":\"text\"}", -1, 422, "", FAILURE_REFUSED},
    {413, "", -1, 413, "request_too_large", FAILURE_REFUSED},
    {404, "{\"error\":{\"message\":\"m\",\"code\":\"model_not_found\"}}", -1, 404,
     "model_not_found", FAILURE_NO_MODEL},
    {404, "<html>not here", -1, 502, "provider_error", FAILURE_NO_MODEL},
    {401, "{\"error\":{\"message\":\"bad key sk-1\"}}", -1, 502, "provider_auth", FAILURE_DENIED},
    {403, "{}", -1, 502, "provider_auth", FAILURE_DENIED},
    {429, "", -1, 429, "rate_limit_exceeded", FAILURE_BUSY},
    {429, "", 1000, 429, "rate_limit_exceeded", FAILURE_BUSY},
    {429, "", 2001, 429, "rate_limit_exceeded", FAILURE_BUSY},
    {429, "{\"error\":{\"message\":\"m\",\"type\":\"insufficient_quota\",\"code\":\"x\"}}", 10, 429,
     "x", FAILURE_DENIED},
    {500, "", -1, 502, "provider_error", FAILURE_TRANSIENT},
    {502, "", -1, 502, "provider_error", FAILURE_TRANSIENT},
    {503, "", -1, 503, "provider_error", FAILURE_TRANSIENT},
    {503, "", 500, 503, "provider_error", FAILURE_BUSY},
    {503, "", 60000, 503, "provider_error", FAILURE_BUSY},
    {504, "", -1, 504, "provider_timeout", FAILURE_TRANSIENT},
    {408, "", -1, 504, "provider_timeout", FAILURE_TRANSIENT},
    {302, "", -1, 502, "provider_error", FAILURE_BROKEN},
    {418, "", -1, 502, "provider_error", FAILURE_BROKEN},
    {529, "", -1, 502, "provider_error", FAILURE_TRANSIENT},
};

static void statuses(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof expectations / sizeof expectations[0]; i++) {
        const struct expectation *x = &expectations[i];
        struct api_error error;
        struct buf body;
        buf_init(&body, 1000);
        buf_puts(&body, x->body);
        struct upstream_result r = {.end = UPSTREAM_REFUSED,
                                    .http_status = x->status,
                                    .retry_after_ms = x->retry_after_ms,
                                    .body = &body,
                                    .reason = ""};
        failure_explain(&r, &error);
        enum failure_kind kind = failure_kind_of(&r, &error);
        if (error.status != x->told || strcmp(error.code, x->code) != 0 || kind != x->kind)
            fail_msg("%d %s: %d %s, kind %d", x->status, x->body, error.status, error.code, kind);
        assert_null(strstr(error.message, "sk-1"));
        assert_null(strstr(error.message, "<"));
        buf_release(&body);
    }
}

static void ends(void **state)
{
    static const struct {
        enum upstream_end end;
        int told;
        const char *code, *reason;
        enum failure_kind kind;
    } cases[] = {
        {UPSTREAM_UNREACHABLE, 502, "provider_unreachable", "connect", FAILURE_TRANSIENT},
        {UPSTREAM_CONNECT_SLOW, 504, "provider_unreachable", "timeout_connect", FAILURE_SILENT},
        {UPSTREAM_RESET, 502, "provider_error", "reset", FAILURE_TRANSIENT},
        {UPSTREAM_CUT, 502, "provider_cut", "cut", FAILURE_BROKEN},
        {UPSTREAM_TOO_LARGE, 502, "answer_too_large", "too_large", FAILURE_REFUSED},
        {UPSTREAM_NOT_EVENTS, 502, "provider_error", "not_a_completion", FAILURE_BROKEN},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct api_error error;
        struct buf body;
        char reason[48];
        buf_init(&body, 10);
        struct upstream_result r = {
            .end = cases[i].end, .retry_after_ms = -1, .body = &body, .reason = ""};
        failure_explain(&r, &error);
        failure_reason(&r, reason, sizeof reason);
        assert_int_equal(error.status, cases[i].told);
        assert_string_equal(error.code, cases[i].code);
        assert_string_equal(reason, cases[i].reason);
        assert_int_equal(failure_kind_of(&r, &error), cases[i].kind);
    }
}

static void error_objects(void **state)
{
    static const struct {
        const char *object;
        int told;
        const char *code;
    } cases[] = {
        {"{\"message\":\"m\",\"code\":\"context_length_exceeded\"}", 400,
         "context_length_exceeded"},
        {"{\"message\":\"m\",\"type\":\"invalid_request_error\",\"code\":null}", 400,
         "provider_error"},
        {"{\"message\":\"m\",\"code\":\"rate_limit_exceeded\"}", 429, "rate_limit_exceeded"},
        {"{\"message\":\"bad sk-1\",\"code\":\"invalid_api_key\"}", 502, "provider_auth"},
        {"{\"message\":\"m\",\"type\":\"server_error\"}", 502, "provider_error"},
        {"{\"message\":\"m\",\"code\":500}", 502, "provider_error"},
        {"\"only text\"", 502, "provider_error"},
        {"{}", 502, "provider_error"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct api_error error;
        failure_explain_object((struct span){cases[i].object, strlen(cases[i].object)}, &error);
        if (error.status != cases[i].told || strcmp(error.code, cases[i].code) != 0)
            fail_msg("%s: %d %s", cases[i].object, error.status, error.code);
        assert_null(strstr(error.message, "sk-1"));
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(retry_after),
    cmocka_unit_test(statuses),
    cmocka_unit_test(ends),
    cmocka_unit_test(error_objects),
};

UNIT_MAIN(tests)
