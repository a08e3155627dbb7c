/* The relay against a provider that plays scripts: what clients get and what is recorded. */
#include "relay_rig.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHUNK(choice)                                                                              \
    "data: {\"id\":\"chatcmpl-theirs\",\"object\":\"chat.completion.chunk\",\"created\":1,"        \
    "\"model\":\"a-model-1\",\"choices\":[{\"index\":0," choice "}],\"usage\":null}\n\n"
#define ROLE CHUNK("\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null")
#define TEXT(text) CHUNK("\"delta\":{\"content\":\"" text "\"},\"finish_reason\":null")
#define STOP CHUNK("\"delta\":{},\"finish_reason\":\"stop\"")
#define USAGE                                                                                      \
    "data: {\"id\":\"chatcmpl-theirs\",\"object\":\"chat.completion.chunk\",\"created\":1,"        \
    "\"model\":\"a-model-1\",\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":" \
    "2,"                                                                                           \
    "\"total_tokens\":11,\"prompt_tokens_details\":{\"cached_tokens\":4}}}\n\n"
#define DONE "data: [DONE]\n\n"
#define ANSWER ROLE TEXT("Hel") TEXT("lo") STOP USAGE DONE

static struct rig rig;
static struct guest guest;

static int start(void **state)
{
    (void)state;
    rig_start(&rig, NULL);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    guest_leave(&guest);
    rig_stop(&rig);
    return 0;
}

static void assert_has(const char *text, const char *part)
{
    if (text == NULL || strstr(text, part) == NULL)
        fail_msg("\"%s\" is not in:\n%s", part, text != NULL ? text : "(nothing)");
}

static void assert_has_not(const char *text, const char *part)
{
    if (text != NULL && strstr(text, part) != NULL)
        fail_msg("\"%s\" is in:\n%s", part, text);
}

static const struct kept *ends_as(enum chat_outcome outcome)
{
    const struct kept *k = rig_kept(guest.id);
    assert_non_null(k);
    if (k->outcome != outcome)
        fail_msg("outcome %s: %s", chat_outcome_name(k->outcome), k->line);
    return k;
}

static void native_stream(void **state)
{
    (void)state;
    guest_start(&guest, &rig, CHAT_NATIVE, true, EVENTS ANSWER);
    assert_true(guest_reads_all(&guest));
    assert_true(guest.has_ended);
    assert_has(guest.output.data, "Status: 200 OK\r\n");
    assert_has(guest.output.data, "Content-Type: text/event-stream\r\n");
    assert_has(guest.output.data, "X-Accel-Buffering: no\r\n");
    assert_has(guest.output.data, "X-Coach-Id: coach_decibel_avatar\r\n");
    assert_has(guest.output.data, guest.id);
    assert_has(guest_body(&guest),
               "data: {\"delta\":\"Hel\"}\n\ndata: {\"delta\":\"lo\"}\n\ndata: {\"done\":true,");
    assert_has(guest_body(&guest), "\"finish_reason\":\"stop\"}\n\n");
    assert_has(guest_body(&guest), "\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":2,"
                                   "\"total_tokens\":11}");
    const struct kept *k = ends_as(CHAT_COMPLETE);
    assert_has(k->line, "\"ai_response\":\"Hello\"");
    assert_has(k->line, "\"cached_tokens\":4");
    assert_has(k->line, "\"usage_estimated\":false");
    assert_has(k->line, "\"model_used\":\"a-model-1\"");
    assert_has(k->line, "\"provider\":\"127.0.0.1\"");
    assert_has(k->line, "\"attempts\":[{\"http_status\":200,");
}

static void openai_stream(void **state)
{
    (void)state;
    guest_start(&guest, &rig, CHAT_OPENAI, true, EVENTS ANSWER);
    assert_true(guest_reads_all(&guest));
    assert_has_not(guest_body(&guest), "usage");
    assert_has_not(guest_body(&guest), "chatcmpl-theirs");
    assert_has(guest_body(&guest), "\"delta\":{\"content\":\"Hel\"}");
    assert_has(guest_body(&guest), "\"feedback_id\":\"");
    const char *end = strstr(guest_body(&guest), "data: [DONE]\n\n");
    assert_non_null(end);
    assert_string_equal(end, "data: [DONE]\n\n");
    ends_as(CHAT_COMPLETE);
}

#define WHOLE(body)                                                                                \
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n" body
#define COMPLETION                                                                                 \
    "{\"id\":\"chatcmpl-theirs\",\"object\":\"chat.completion\",\"created\":1,\"model\":\"a-"      \
    "model-1\","                                                                                   \
    "\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"Hello\","         \
    "\"refusal\":null},\"logprobs\":null,\"finish_reason\":\"stop\"}],\"usage\":"                  \
    "{\"prompt_tokens\":9,\"completion_tokens\":2,\"total_tokens\":11}}"

static void native_whole(void **state)
{
    (void)state;
    guest_start(&guest, &rig, CHAT_NATIVE, false, WHOLE(COMPLETION));
    assert_true(guest_reads_all(&guest));
    assert_has(guest.output.data, "Content-Type: application/json\r\n");
    assert_has_not(guest.output.data, "X-Accel-Buffering");
    assert_has(guest_body(&guest), "{\"message\":\"Hello\",\"feedbackId\":\"");
    assert_has(guest_body(&guest), "\"severity\":3.5,\"mode\":\"coach\",\"model\":\"a-model-1\"");
    assert_has(ends_as(CHAT_COMPLETE)->line, "\"ai_response\":\"Hello\"");
}

static void openai_whole(void **state)
{
    (void)state;
    guest_start(&guest, &rig, CHAT_OPENAI, false, WHOLE(COMPLETION));
    assert_true(guest_reads_all(&guest));
    assert_has(guest_body(&guest), "{\"id\":\"chatcmpl-0");
    assert_has(guest_body(&guest),
               "\"refusal\":null},\"logprobs\":null,\"finish_reason\":\"stop\"}]");
    assert_has(guest_body(&guest), "\"total_tokens\":11}}");
    assert_has(ends_as(CHAT_COMPLETE)->line, "\"response_message\":null");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, start, stop)

static const struct CMUnitTest tests[] = {
    TEST(native_stream),
    TEST(openai_stream),
    TEST(native_whole),
    TEST(openai_whole),
};

UNIT_MAIN(tests)
