/* A chat as the JSON in which it is recorded. */
#include "chat/chat.h"
#include "common/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct chat *make_chat(void)
{
    struct chat *c = chat_new(NULL);
    assert_non_null(c);
    struct uuid id;
    uuid_v7(&id);
    c->id = id;
    uuid_format(&id, c->id_text);
    memcpy(c->user_text, "00000000-0000-7000-8000-000000000001", 37);
    memcpy(c->conversation_text, "00000000-0000-7000-8000-0000000000c1", 37);
    c->user_message = strdup("hello");
    c->created_us = 1700000000123456;
    return c;
}

/* Writes, checks that it is one line and strict JSON, and parses. */
static cJSON *written(const struct chat *c)
{
    struct buf b;
    struct json_error error;
    buf_init(&b, 1 << 20);
    assert_true(chat_to_json(c, &b));
    assert_null(memchr(b.data, '\n', b.len));
    cJSON *o = json_parse(b.data, b.len, &error);
    if (o == NULL)
        print_error("%s\n%s\n", error.message, b.data);
    assert_non_null(o);
    buf_release(&b);
    return o;
}

static void assert_no_member(const cJSON *o, const char *key)
{
    assert_null(cJSON_GetObjectItemCaseSensitive(o, key));
}

static void test_new_is_a_failure_without_a_first_token(void **state)
{
    (void)state;
    struct chat *c = make_chat();
    cJSON *o = written(c);
    assert_string_equal(json_string(o, "outcome"), "failed");
    assert_string_equal(json_string(o, "ai_response"), "");
    assert_no_member(o, "time_to_first_token_ms");
    assert_no_member(o, "error_code");
    assert_no_member(o, "coach_id");
    assert_no_member(o, "severity");
    assert_no_member(o, "trace");
    assert_no_member(o, "regenerate_of");
    assert_no_member(o, "request_id");
    assert_no_member(o, "model_used");
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(o, "attempts")), 0);
    cJSON_Delete(o);
    chat_free(c);
}

static void test_every_column(void **state)
{
    (void)state;
    struct chat *c = make_chat();
    c->coach_id = strdup("coach_decibel_avatar");
    c->severity = strdup("3.5");
    c->mode = strdup("default");
    assert_true(chat_set_prompt(c, "You are\nDecibel \"loud\"", " and know her"));
    c->request_messages = strdup("[{\"role\":\"user\",\n\"content\":\"a\\nb\"}]");
    c->response_message = strdup("{\"tool_calls\":[]}");
    c->model = strdup("asked");
    c->model_used = strdup("answered");
    c->trace = strdup("{\"memory_ids\":[]}");
    c->outcome = CHAT_PARTIAL;
    c->protocol = CHAT_OPENAI;
    c->stream = c->degraded = c->has_usage = true;
    c->prompt_tokens = 10;
    c->completion_tokens = 5;
    c->cached_tokens = 2;
    c->time_to_first_token_ms = 0;
    c->response_time_ms = 77;
    c->error.status = 502;
    snprintf(c->error.code, sizeof c->error.code, "%s", "upstream_cut");
    snprintf(c->finish_reason, sizeof c->finish_reason, "%s", "length");
    snprintf(c->provider, sizeof c->provider, "%s", "api.openai.com");
    c->attempt_count = 2;
    c->attempts[0] =
        (struct chat_attempt){.http_status = 503, .reason = "status_503", .duration_ms = 4};
    c->attempts[1] = (struct chat_attempt){.http_status = 200, .duration_ms = 70};
    assert_true(buf_puts(&c->text, "a\"b\\c\n\t\x01 \xc3\xa9"));

    cJSON *o = written(c);
    assert_string_equal(json_string(o, "id"), c->id_text);
    assert_string_equal(json_string(o, "user_id"), c->user_text);
    assert_string_equal(json_string(o, "conversation_id"), c->conversation_text);
    assert_string_equal(json_string(o, "created_at"), "2023-11-14T22:13:20.123456Z");
    assert_string_equal(json_string(o, "coach_id"), "coach_decibel_avatar");
    assert_true(json_number(o, "severity", 0) == 3.5);
    assert_string_equal(c->system_prompt, "You are\nDecibel \"loud\" and know her");
    assert_string_equal(json_string(o, "shared_prompt"), "You are\nDecibel \"loud\"");
    assert_string_equal(json_string(o, "personal_prompt"), " and know her");
    assert_string_equal(json_string(o, "user_message"), "hello");
    assert_string_equal(json_string(o, "ai_response"), "a\"b\\c\n\t\x01 \xc3\xa9");
    assert_string_equal(json_string(o, "outcome"), "partial");
    assert_string_equal(json_string(o, "error_code"), "upstream_cut");
    assert_string_equal(json_string(o, "protocol"), "completions");
    assert_string_equal(json_string(o, "model_used"), "answered");
    assert_string_equal(json_string(o, "provider"), "api.openai.com");
    assert_true(json_bool(o, "streamed", false));
    assert_true(json_bool(o, "degraded", false));
    assert_false(json_bool(o, "usage_estimated", true));
    assert_int_equal((int)json_number(o, "tokens_used", 0), 15);
    assert_int_equal((int)json_number(o, "time_to_first_token_ms", -1), 0);
    const cJSON *messages = cJSON_GetObjectItem(o, "request_messages");
    assert_string_equal(json_string(cJSON_GetArrayItem(messages, 0), "content"), "a\nb");
    const cJSON *attempts = cJSON_GetObjectItem(o, "attempts");
    assert_int_equal(cJSON_GetArraySize(attempts), 2);
    assert_string_equal(json_string(cJSON_GetArrayItem(attempts, 0), "reason"), "status_503");
    assert_no_member(cJSON_GetArrayItem(attempts, 1), "reason");
    cJSON_Delete(o);
    chat_free(c);
}

static void test_broken_text_becomes_replacement_characters(void **state)
{
    (void)state;
    struct chat *c = make_chat();
    assert_true(buf_append(&c->text, "a\xff\0b\xed\xa0\x80", 7));
    cJSON *o = written(c);
    assert_true(
        json_utf8_valid(json_string(o, "ai_response"), strlen(json_string(o, "ai_response"))));
    assert_memory_equal(json_string(o, "ai_response"),
                        "a\xef\xbf\xbd\xef\xbf\xbd"
                        "b",
                        8);
    cJSON_Delete(o);
    chat_free(c);
}

static void test_severity_that_is_no_decimal_is_left_out(void **state)
{
    (void)state;
    static const char *const bad[] = {"",   "x",          "1.", ".5",  "1e9",
                                      "-1", "1,\"id\":2", "01", "NaN", "1.5 "};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct chat *c = make_chat();
        c->severity = strdup(bad[i]);
        cJSON *o = written(c);
        assert_no_member(o, "severity");
        cJSON_Delete(o);
        chat_free(c);
    }
}

static void test_limit(void **state)
{
    (void)state;
    struct chat *c = make_chat();
    struct buf b;
    buf_init(&b, 100);
    assert_false(chat_to_json(c, &b));
    buf_release(&b);
    chat_free(c);
}

static void test_outcome_names(void **state)
{
    (void)state;
    assert_string_equal(chat_outcome_name(CHAT_COMPLETE), "complete");
    assert_string_equal(chat_outcome_name(CHAT_PARTIAL), "partial");
    assert_string_equal(chat_outcome_name(CHAT_CANCELLED), "cancelled");
    assert_string_equal(chat_outcome_name(CHAT_FAILED), "failed");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_new_is_a_failure_without_a_first_token),
        cmocka_unit_test(test_every_column),
        cmocka_unit_test(test_broken_text_becomes_replacement_characters),
        cmocka_unit_test(test_severity_that_is_no_decimal_is_left_out),
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_outcome_names),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
