/* What a provider's failures mean to clients, and for the next try. */
#include "chat/provider/failure.h"
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
    enum failure_blame blame;
};

#define ERROR(members) "{\"error\":{" members "}}"
#define WORDS(text)                                                                                \
    ERROR("\"message\":\"" text "\",\"type\":\"invalid_request_error\",\"code\":null")
#define TOO_LONG(status, body)                                                                     \
    {                                                                                              \
        status, body, -1, 400, "context_length_exceeded", FAILURE_TOO_LONG, BLAME_NOBODY           \
    }
#define NO_MODEL(status, body, code)                                                               \
    {                                                                                              \
        status, body, -1, 404, code, FAILURE_NO_MODEL, BLAME_NOBODY                                \
    }
#define NO_CREDIT(status, body, blame)                                                             \
    {                                                                                              \
        status, body, -1, 429, "insufficient_quota", FAILURE_DENIED, blame                         \
    }
#define BAD_KEY(status, body, blame)                                                               \
    {                                                                                              \
        status, body, -1, 502, "provider_auth", FAILURE_DENIED, blame                              \
    }
#define REFUSED(status, body, told, code)                                                          \
    {                                                                                              \
        status, body, -1, told, code, FAILURE_REFUSED, BLAME_NOBODY                                \
    }
#define BUSY(status, body, retry)                                                                  \
    {                                                                                              \
        status, body, retry, 429, "rate_limit_exceeded", FAILURE_BUSY, BLAME_NOBODY                \
    }
#define FAILED(status, told, code)                                                                 \
    {                                                                                              \
        status, "", -1, told, code, FAILURE_TRANSIENT, BLAME_ROUTE                                 \
    }

static const struct expectation expectations[] = {
    TOO_LONG(400, ERROR("\"message\":\"m\",\"code\":\"context_length_exceeded\"")),
    REFUSED(400, ERROR("\"message\":\"m\",\"code\":null"), 400, ""),
    REFUSED(400, "<html>", 400, "provider_refused"),
    REFUSED(422, "{\"error\":\"text\"}", 422, ""),
    REFUSED(413, "", 413, "request_too_large"),
    NO_MODEL(404, ERROR("\"message\":\"m\",\"code\":\"model_not_found\""), "model_not_found"),
    {404, "<html>not here", -1, 502, "provider_error", FAILURE_NO_MODEL, BLAME_NOBODY},
    BAD_KEY(401, ERROR("\"message\":\"bad key sk-1\""), BLAME_PROVIDER),
    BAD_KEY(403, "{}", BLAME_ROUTE),
    BUSY(429, "", -1),
    BUSY(429, "", 1000),
    BUSY(429, "", 2001),
    NO_CREDIT(429, ERROR("\"message\":\"m\",\"type\":\"insufficient_quota\",\"code\":\"x\""),
              BLAME_PROVIDER),
    FAILED(500, 502, "provider_error"),
    FAILED(502, 502, "provider_error"),
    FAILED(503, 503, "provider_error"),
    {503, "", 500, 503, "provider_error", FAILURE_BUSY, BLAME_NOBODY},
    {503, "", 60000, 503, "provider_error", FAILURE_BUSY, BLAME_NOBODY},
    FAILED(504, 504, "provider_timeout"),
    FAILED(408, 504, "provider_timeout"),
    FAILED(409, 502, "provider_error"),
    {302, "", -1, 502, "provider_error", FAILURE_BROKEN, BLAME_ROUTE},
    {418, "", -1, 502, "provider_error", FAILURE_BROKEN, BLAME_ROUTE},
    FAILED(529, 502, "provider_error"),

    /* Tokens a minute (Groq), and OpenAI for one request beyond them. */
    BUSY(413,
         ERROR("\"message\":\"Request too large for model `m` on tokens per minute (TPM): Limit "
               "6000, Requested 12328, please reduce your message size and try again.\","
               "\"type\":\"tokens\",\"code\":\"rate_limit_exceeded\""),
         -1),
    BUSY(498, "", -1),

    /* Too long, as each of them says it. */
    TOO_LONG(400, "{\"object\":\"error\",\"message\":\"This model's maximum context length is 4096 "
                  "tokens. However, you requested 5000 tokens (4000 in the messages, 1000 in the "
                  "completion).\",\"type\":\"BadRequestError\",\"param\":null,\"code\":400}"),
    TOO_LONG(400,
             ERROR("\"code\":400,\"message\":\"the request exceeds the available context size, "
                   "try increasing it\",\"type\":\"exceed_context_size_error\"")),
    TOO_LONG(400, WORDS("Your input exceeds the context window of this model")),
    TOO_LONG(400,
             ERROR("\"type\":\"invalid_request_error\",\"message\":\"prompt is too long: 213462 "
                   "tokens > 200000 maximum\"")),
    TOO_LONG(400,
             WORDS("input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000")),
    TOO_LONG(400,
             "[{\"error\":{\"code\":400,\"message\":\"The input token count (1196265) exceeds the "
             "maximum number of tokens allowed (1048575).\",\"status\":\"INVALID_ARGUMENT\"}}]"),
    TOO_LONG(400,
             "{\"code\":\"Client specified an invalid argument\",\"error\":\"This model's maximum "
             "prompt length is 131072 but the request contains 537812 tokens.\"}"),
    TOO_LONG(400, WORDS("Please reduce the length of the messages or completion.")),
    TOO_LONG(400, "{\"object\":\"error\",\"message\":\"Prompt contains 40000 tokens, too large for "
                  "model with 32768 maximum context length\",\"type\":\"invalid_request_error\","
                  "\"code\":3051}"),
    TOO_LONG(422,
             "{\"error\":\"Input validation error: `inputs` tokens + `max_new_tokens` must be <= "
             "4096. Given: 3000 `inputs` tokens and 2000 `max_new_tokens`\",\"error_type\":"
             "\"validation\"}"),
    TOO_LONG(400,
             "{\"object\":\"error\",\"message\":\"The input (9000 tokens) is longer than the "
             "model's context length (8192 tokens).\",\"type\":\"BadRequestError\",\"code\":400}"),
    TOO_LONG(400, "{\"error\":\"Trying to keep the first 5000 tokens when context the overflows. "
                  "Number of tokens to keep from the initial prompt is greater than the context "
                  "length\"}"),
    TOO_LONG(400, WORDS("Invalid request: Your request exceeded model token limit: 8192")),
    TOO_LONG(400, WORDS("invalid params, context window exceeds limit (2013)")),
    TOO_LONG(400,
             "{\"message\":\"too many tokens: total number of tokens in the prompt cannot exceed "
             "4081\"}"),
    TOO_LONG(400,
             "{\"errors\":[{\"message\":\"AiError: 5021: The estimated number of input and maximum "
             "output tokens (9999) exceeded this model context window limit (8192)\",\"code\":"
             "5021}],\"success\":false,\"result\":{},\"messages\":[]}"),
    TOO_LONG(400,
             WORDS("<400> InternalError.Algo.InvalidParameter: Range of input length should be "
                   "[1, 30720]")),
    TOO_LONG(400,
             ERROR("\"message\":\"Provider returned error\",\"code\":400,\"metadata\":{\"raw\":"
                   "\"{\\\"error\\\":{\\\"message\\\":\\\"prompt too long; exceeded max context "
                   "length by 5 tokens\\\"}}\",\"provider_name\":\"X\"}")),
    TOO_LONG(500,
             "{\"error\":{\"message\":\"litellm.ContextWindowExceededError: This model's maximum "
             "context length is 8192 tokens\",\"type\":null,\"code\":\"500\"}}"),
    BUSY(429, WORDS("Too many tokens, please wait before trying again."), -1),

    /* A model that is not there. */
    NO_MODEL(404,
             "{\"object\":\"error\",\"message\":\"The model `x` does not exist.\",\"type\":"
             "\"NotFoundError\",\"code\":404}",
             "model_not_found"),
    NO_MODEL(400, WORDS("Model Not Exist"), "model_not_found"),
    NO_MODEL(400, ERROR("\"message\":\"x/y is not a valid model ID\",\"code\":400"),
             "model_not_found"),
    NO_MODEL(400,
             "{\"object\":\"error\",\"message\":\"Invalid model: x\",\"type\":\"invalid_model\","
             "\"code\":\"1500\"}",
             "1500"),
    NO_MODEL(400, ERROR("\"message\":\"gone\",\"code\":\"model_decommissioned\""),
             "model_decommissioned"),
    NO_MODEL(404, ERROR("\"code\":\"DeploymentNotFound\",\"message\":\"m\""), "DeploymentNotFound"),

    /* No credit left, and keys that are not good: never in the provider's words. */
    NO_CREDIT(402, ERROR("\"message\":\"Insufficient Balance\""), BLAME_PROVIDER),
    NO_CREDIT(402, "", BLAME_PROVIDER),
    NO_CREDIT(
        400,
        ERROR("\"type\":\"invalid_request_error\",\"message\":\"Your credit balance is too low "
              "to access the Anthropic API.\""),
        BLAME_NOBODY),
    NO_CREDIT(403,
              "{\"error\":\"Your team has either used all available credits or reached its monthly "
              "spending limit\"}",
              BLAME_ROUTE),
    NO_CREDIT(429, ERROR("\"message\":\"m\",\"type\":\"exceeded_current_quota_error\""),
              BLAME_PROVIDER),
    BAD_KEY(400,
            "[{\"error\":{\"code\":400,\"message\":\"API key not valid. Please pass a valid API "
            "key.\",\"status\":\"INVALID_ARGUMENT\"}}]",
            BLAME_NOBODY),

    /* What only this request did. */
    REFUSED(403,
            ERROR("\"code\":403,\"message\":\"Your input was flagged\",\"metadata\":{\"reasons\":"
                  "[\"violence\"]}"),
            400, ""),
    REFUSED(400, ERROR("\"code\":\"content_filter\",\"message\":\"m\",\"innererror\":{}"), 400,
            "content_filter"),
};

static void explain(const struct expectation *x, struct failure *f)
{
    struct buf body;
    buf_init(&body, 4000);
    buf_puts(&body, x->body);
    struct upstream_result r = {.end = UPSTREAM_REFUSED,
                                .http_status = x->status,
                                .retry_after_ms = x->retry_after_ms,
                                .body = &body,
                                .reason = ""};
    failure_of_call(&r, f);
    buf_release(&body);
}

static void statuses(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof expectations / sizeof expectations[0]; i++) {
        const struct expectation *x = &expectations[i];
        struct failure f;
        char reason[20];
        explain(x, &f);
        if (f.error.status != x->told || strcmp(f.error.code, x->code) != 0 || f.kind != x->kind ||
            f.blame != x->blame)
            fail_msg("%d %s: %d %s, kind %d, blame %d", x->status, x->body, f.error.status,
                     f.error.code, f.kind, f.blame);
        snprintf(reason, sizeof reason, "status_%d", x->status);
        assert_string_equal(f.reason, reason);
        assert_null(strstr(f.error.message, "sk-1"));
        assert_null(strstr(f.error.message, "<html"));
        if (f.kind == FAILURE_DENIED)
            assert_non_null(strstr(f.error.message, "operator"));
    }
}

/* A client that gets its own words quoted in a refusal does no harm to others with it. */
static void words_alone_blame_nobody(void **state)
{
    static const struct {
        int status;
        const char *body;
        enum failure_blame blame;
    } cases[] = {
        {401, "", BLAME_PROVIDER},
        {402, "", BLAME_PROVIDER},
        {429, ERROR("\"message\":\"m\",\"code\":\"insufficient_quota\""), BLAME_PROVIDER},
        {400, WORDS("Unrecognized request argument supplied: insufficient balance"), BLAME_NOBODY},
        {400, WORDS("Unrecognized request argument supplied: invalid api key"), BLAME_NOBODY},
        {403, WORDS("insufficient balance"), BLAME_ROUTE},
        {500, WORDS("m"), BLAME_ROUTE},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct expectation x = {
            .status = cases[i].status, .body = cases[i].body, .retry_after_ms = -1};
        struct failure f;
        explain(&x, &f);
        if (f.blame != cases[i].blame)
            fail_msg("%d %s", cases[i].status, cases[i].body);
    }
}

static void size_is_no_reason_to_leave_it_alone(void **state)
{
    const struct expectation busy = {.status = 429, .body = "", .retry_after_ms = -1};
    const struct expectation large = {
        .status = 429,
        .body =
            WORDS("Request too large for gpt-4o on tokens per min (TPM): Limit 30000, Requested "
                  "342389."),
        .retry_after_ms = -1};
    struct failure f;
    (void)state;
    explain(&busy, &f);
    assert_false(f.is_of_size);
    explain(&large, &f);
    assert_int_equal(f.kind, FAILURE_BUSY);
    assert_true(f.is_of_size);
}

static void words_in_any_shape(void **state)
{
    static const struct {
        const char *body, *message;
    } cases[] = {
        {ERROR("\"message\":\"m\""), "m"},
        {"{\"error\":\"m\"}", "m"},
        {"{\"message\":\"m\"}", "m"},
        {"{\"detail\":\"m\"}", "m"},
        {"{\"detail\":[{\"type\":\"extra_forbidden\",\"loc\":[\"body\",\"x\",0],\"msg\":\"Extra "
         "inputs "
         "are not permitted\",\"input\":true}]}",
         "body.x.0: Extra inputs are not permitted"},
        {"{\"object\":\"error\",\"message\":{\"detail\":[{\"loc\":[\"body\",\"n\"],\"msg\":\"m\"}]}"
         ","
         "\"type\":\"invalid_request_error\"}",
         "body.n: m"},
        {"{\"object\":\"error\",\"message\":\"{\\\"detail\\\":[{\\\"loc\\\":[\\\"body\\\","
         "\\\"n\\\"],"
         "\\\"msg\\\":\\\"m\\\"}]}\"}",
         "body.n: m"},
        {"[{\"error\":{\"message\":\"m\",\"code\":400}}]", "m"},
        {"[{\"error\":{\"code\":400}},{\"error\":{\"message\":\"m\"}}]", "m"},
        {ERROR("\"message\":\"Provider returned error\",\"metadata\":{\"raw\":\"m\"}"), "m"},
        {"{\"type\":\"error\",\"error\":{\"type\":\"x\",\"message\":\"m\"}}", "m"},
        {"{\"success\":false,\"errors\":[{\"code\":7000,\"message\":\"m\"}]}", "m"},
        {"{\"code\":1,\"msg\":\"m\"}", "m"},
        {"{\"error\":true,\"message\":\"m\"}", "m"},
        {"{\"error\":{\"message\":{\"error\":{\"message\":\"m\"}}}}", "m"},
        {"data: {\"error\":{\"message\":\"m\"}}\n\n", "m"},
        {"event: error\ndata: {\"message\":\"m\"}", "m"},
        {"{\"error\":{\"message\":\"{not json\"}}", "{not json"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct expectation x = {.status = 400, .body = cases[i].body, .retry_after_ms = -1};
        struct failure f;
        explain(&x, &f);
        assert_string_equal(f.error.message, cases[i].message);
    }
}

static void ends(void **state)
{
    static const struct {
        enum upstream_end end;
        int told;
        const char *code, *reason;
        enum failure_kind kind;
        enum failure_blame blame;
    } cases[] = {
        {UPSTREAM_UNREACHABLE, 502, "provider_unreachable", "connect", FAILURE_TRANSIENT,
         BLAME_PROVIDER},
        {UPSTREAM_CONNECT_SLOW, 504, "provider_unreachable", "timeout_connect", FAILURE_SILENT,
         BLAME_PROVIDER},
        {UPSTREAM_RESET, 502, "provider_error", "reset", FAILURE_TRANSIENT, BLAME_ROUTE},
        {UPSTREAM_CUT, 502, "provider_cut", "cut", FAILURE_BROKEN, BLAME_ROUTE},
        {UPSTREAM_TOO_LARGE, 502, "answer_too_large", "too_large", FAILURE_REFUSED, BLAME_NOBODY},
        {UPSTREAM_ANSWERED, 502, "provider_error", "not_a_completion", FAILURE_BROKEN, BLAME_ROUTE},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct failure f;
        struct upstream_result r = {.end = cases[i].end, .retry_after_ms = -1, .reason = ""};
        failure_of_call(&r, &f);
        assert_int_equal(f.error.status, cases[i].told);
        assert_string_equal(f.error.code, cases[i].code);
        assert_string_equal(f.reason, cases[i].reason);
        assert_int_equal(f.kind, cases[i].kind);
        assert_int_equal(f.blame, cases[i].blame);
    }
}

static void error_objects(void **state)
{
    static const struct {
        const char *object;
        int told;
        const char *code;
        enum failure_kind kind;
    } cases[] = {
        {"{\"message\":\"m\",\"code\":\"context_length_exceeded\"}", 400, "context_length_exceeded",
         FAILURE_TOO_LONG},
        {"{\"message\":\"m\",\"type\":\"invalid_request_error\",\"code\":null}", 400, "",
         FAILURE_REFUSED},
        {"{\"message\":\"m\",\"code\":\"rate_limit_exceeded\"}", 429, "rate_limit_exceeded",
         FAILURE_BUSY},
        {"{\"message\":\"bad sk-1\",\"code\":\"invalid_api_key\"}", 502, "provider_auth",
         FAILURE_DENIED},
        {"{\"message\":\"m\",\"type\":\"server_error\"}", 502, "provider_error", FAILURE_BROKEN},
        {"{\"message\":\"m\",\"code\":500}", 502, "provider_error", FAILURE_BROKEN},
        {"{\"message\":\"m\",\"code\":502}", 502, "provider_error", FAILURE_BROKEN},
        {"{\"message\":\"m\",\"code\":503}", 503, "provider_error", FAILURE_BROKEN},
        {"{\"message\":\"m\",\"code\":429}", 429, "rate_limit_exceeded", FAILURE_BUSY},
        {"{\"message\":\"m\",\"code\":\"429\"}", 429, "rate_limit_exceeded", FAILURE_BUSY},
        {"{\"message\":\"m\",\"code\":401}", 502, "provider_auth", FAILURE_DENIED},
        {"{\"message\":\"m\",\"code\":402}", 429, "insufficient_quota", FAILURE_DENIED},
        {"{\"message\":\"m\",\"code\":404}", 404, "model_not_found", FAILURE_NO_MODEL},
        {"{\"message\":\"m\",\"code\":400}", 400, "", FAILURE_REFUSED},
        {"{\"object\":\"error\",\"message\":\"m\",\"code\":50001}", 502, "provider_error",
         FAILURE_BROKEN},
        {"{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}"
         "}",
         502, "provider_error", FAILURE_BROKEN},
        {"{\"code\":8,\"message\":\"m\",\"status\":\"RESOURCE_EXHAUSTED\"}", 429,
         "rate_limit_exceeded", FAILURE_BUSY},
        {"\"only text\"", 502, "provider_error", FAILURE_BROKEN},
        {"{}", 502, "provider_error", FAILURE_BROKEN},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct failure f;
        failure_of_object((struct span){cases[i].object, strlen(cases[i].object)}, &f);
        if (f.error.status != cases[i].told || strcmp(f.error.code, cases[i].code) != 0 ||
            f.kind != cases[i].kind)
            fail_msg("%s: %d %s, kind %d", cases[i].object, f.error.status, f.error.code, f.kind);
        assert_null(strstr(f.error.message, "sk-1"));
        assert_string_equal(f.reason, "error_event");
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(retry_after),
    cmocka_unit_test(statuses),
    cmocka_unit_test(words_alone_blame_nobody),
    cmocka_unit_test(size_is_no_reason_to_leave_it_alone),
    cmocka_unit_test(words_in_any_shape),
    cmocka_unit_test(ends),
    cmocka_unit_test(error_objects),
};

UNIT_MAIN(tests)
