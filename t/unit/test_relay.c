/* The relay against a provider that plays scripts: what clients get of answers, however they are
 * sent, and what is recorded. */
#include "relay_test.h"

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
               "id: 3-dd46b7fb\ndata: {\"delta\":\"Hel\"}\n\n"
               "id: 5-f7d18982\ndata: {\"delta\":\"lo\"}\n\ndata: {\"done\":true,");
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
    assert_has_not(ends_as(CHAT_COMPLETE)->line, "response_message");
}

/* --- how the provider sends --- */

static void byte_by_byte(void **state)
{
    (void)state;
    for (int stream_of = CHAT_NATIVE; stream_of <= CHAT_OPENAI; stream_of++) {
        guest_start(&guest, &rig, (enum chat_protocol)stream_of, true, PLAY_BYTES EVENTS ANSWER);
        assert_true(guest_reads_all(&guest));
        assert_has(guest_body(&guest), stream_of == CHAT_NATIVE ? "\"done\":true" : "[DONE]");
        assert_has(ends_as(CHAT_COMPLETE)->line, "\"ai_response\":\"Hello\"");
        guest_leave(&guest);
    }
    guest_start(&guest, &rig, CHAT_OPENAI, false, PLAY_BYTES WHOLE(COMPLETION));
    assert_true(guest_reads_all(&guest));
    assert_has(guest_body(&guest), "\"content\":\"Hello\"");
}

static void other_line_ends(void **state)
{
    (void)state;
    guest_start(&guest, &rig, CHAT_OPENAI, true,
                EVENTS ": hello\r\n\r\ndata: {\r\ndata: \"choices\" : [ { \"delta\":\r\n"
                       "data:{\"content\":\"one\"} }]}\r\n\r\nevent: x\nid: 1\nretry: 9\n"
                       "data:{\"choices\":[{\"delta\":{\"content\":\" two\"},"
                       "\"finish_reason\":\"stop\"}]}\n\ndata:[DONE]\n\n");
    assert_true(guest_reads_all(&guest));
    assert_has(ends_as(CHAT_COMPLETE)->line, "\"ai_response\":\"one two\"");
    assert_has(guest_body(&guest), "\"choices\":[{\"index\":0,\"delta\":{\"content\":\"one\"},"
                                   "\"finish_reason\":null}]");
    assert_has(guest_body(&guest), "\"object\":\"chat.completion.chunk\"");
    assert_has_not(guest_body(&guest), "retry");
    assert_has_not(guest_body(&guest), "\r");
}

static void without_done(void **state)
{
    (void)state;
    guest_start(&guest, &rig, CHAT_OPENAI, true, EVENTS ROLE TEXT("Hi") STOP);
    assert_true(guest_reads_all(&guest));
    ends_as(CHAT_COMPLETE);
    assert_has(guest_body(&guest), "\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n");
}

static void without_finish_reason(void **state)
{
    (void)state;
    guest_start(&guest, &rig, CHAT_OPENAI, true, EVENTS ROLE TEXT("Hi") DONE);
    assert_true(guest_reads_all(&guest));
    assert_has(ends_as(CHAT_COMPLETE)->line, "\"finish_reason\":\"stop\"");
    assert_has(
        guest_body(&guest),
        "\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]");
}

static void done_and_then_silence(void **state)
{
    (void)state;
    guest_start(&guest, &rig, CHAT_NATIVE, true, EVENTS ANSWER PLAY_WAIT);
    assert_true(guest_reads_all(&guest));
    ends_as(CHAT_COMPLETE);
}

static void malformed_chunk(void **state)
{
    (void)state;
    guest_start(&guest, &rig, CHAT_OPENAI, true,
                EVENTS ROLE TEXT("a") "data: {\"choices\":[{\"del\n\n" TEXT("b") STOP DONE);
    assert_true(guest_reads_all(&guest));
    assert_has(ends_as(CHAT_COMPLETE)->line, "\"ai_response\":\"ab\"");
    assert_has_not(guest_body(&guest), "\"del\n");
}

static void content_filter(void **state)
{
    (void)state;
    guest_start(&guest, &rig, CHAT_NATIVE, true,
                EVENTS ROLE TEXT("a") CHUNK("\"delta\":{},\"finish_reason\":\"content_filter\"")
                    DONE);
    assert_true(guest_reads_all(&guest));
    assert_has(guest_body(&guest), "\"finish_reason\":\"content_filter\"");
    ends_as(CHAT_COMPLETE);
}

static void want_usage(struct chat *chat)
{
    chat->client_wants_usage = true;
}

static void usage_for_who_asked(void **state)
{
    (void)state;
    guest_start_with(&guest, &rig, CHAT_OPENAI, true, EVENTS ANSWER, want_usage);
    assert_true(guest_reads_all(&guest));
    assert_has(guest_body(&guest), "\"finish_reason\":null}],\"usage\":null}");
    assert_has(guest_body(&guest),
               "\"prompt_tokens_details\":{\"cached_tokens\":4}}}\n\ndata: [DONE]\n\n");
}

static void usage_estimated(void **state)
{
    (void)state;
    guest_start(&guest, &rig, CHAT_NATIVE, true, EVENTS ROLE TEXT("12345") STOP DONE);
    assert_true(guest_reads_all(&guest));
    const struct kept *k = ends_as(CHAT_COMPLETE);
    assert_has(k->line, "\"completion_tokens\":2");
    assert_has(k->line, "\"usage_estimated\":true");
}

static void halves_of_a_pair(void **state)
{
    (void)state;
    guest_start(&guest, &rig, CHAT_NATIVE, true,
                EVENTS TEXT("\\ud83d") TEXT("\\ude00 ") TEXT("\\u0000\\udc00\\u00e9\\ud800")
                    STOP DONE);
    assert_true(guest_reads_all(&guest));
    assert_has(ends_as(CHAT_COMPLETE)->line,
               "\"ai_response\":\"\xf0\x9f\x98\x80 \xef\xbf\xbd\xef\xbf\xbd\xc3\xa9\xef\xbf\xbd\"");
}

#define TOOL(call)                                                                                 \
    CHUNK("\"delta\":{\"tool_calls\":[{\"index\":0," call "}]},\"finish_reason\":null")
#define NAMED_TOOL(arguments)                                                                      \
    "\"id\":\"call_1\",\"type\":\"function\",\"function\":{\"name\":\"look\",\"arguments\":"       \
    "\"" arguments "\"}"

static void tool_calls_stream(void **state)
{
    (void)state;
    guest_start(&guest, &rig, CHAT_OPENAI, true,
                EVENTS ROLE TOOL(NAMED_TOOL(""))
                    TOOL("\"function\":{\"arguments\":\"{\\\"a\\\":\"}")
                        TOOL("\"function\":{\"arguments\":\"1}\"}")
                            CHUNK("\"delta\":{\"tool_calls\":[{\"index\":1,\"id\":\"call_2\"}]}")
                                CHUNK("\"delta\":{},\"finish_reason\":\"tool_calls\"") DONE);
    assert_true(guest_reads_all(&guest));
    assert_has(ends_as(CHAT_COMPLETE)->line,
               "\"response_message\":{\"role\":\"assistant\",\"tool_calls\":[{" NAMED_TOOL(
                   "{\\\"a\\\":1}") "},{\"id\":\"call_2\"}]}");
    assert_has(guest_body(&guest), "{\"index\":0,\"function\":{\"arguments\":\"1}\"}}");
}

static void tool_calls_whole(void **state)
{
    (void)state;
    guest_start(
        &guest, &rig, CHAT_OPENAI, false,
        WHOLE("{\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":null,"
              "\"tool_calls\":[{" NAMED_TOOL("{}") "}]},\"finish_reason\":\"tool_calls\"}]}"));
    assert_true(guest_reads_all(&guest));
    assert_has(
        ends_as(CHAT_COMPLETE)->line,
        "\"response_message\":{\"role\":\"assistant\",\"tool_calls\":[{" NAMED_TOOL("{}") "}]}");
    assert_has(guest_body(&guest), "\"object\":\"chat.completion\",\"created\":");
}

static void refusal(void **state)
{
    (void)state;
    guest_start(&guest, &rig, CHAT_NATIVE, true,
                EVENTS CHUNK("\"delta\":{\"refusal\":\"I \"}")
                    CHUNK("\"delta\":{\"refusal\":\"won't\"}") STOP DONE);
    assert_true(guest_reads_all(&guest));
    assert_has(guest_body(&guest), "data: {\"delta\":\"I \"}\n\ndata: {\"delta\":\"won't\"}\n\n");
    assert_has(ends_as(CHAT_COMPLETE)->line,
               "\"response_message\":{\"role\":\"assistant\",\"refusal\":\"I won't\"}");
}

#define KEPT_OPEN(body, len)                                                                       \
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " len "\r\n\r\n" body

static void connections_are_used_again(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++) {
        guest_leave(&guest);
        guest_start(&guest, &rig, CHAT_NATIVE, false,
                    KEPT_OPEN("{\"choices\":[{\"message\":{\"content\":\"x\"}}]}", "41"));
        assert_true(guest_reads_all(&guest));
        assert_has(guest_body(&guest), "\"message\":\"x\"");
    }
    assert_int_equal(rig_requests(), 5);
    assert_int_equal(rig_connections(), 1);
}

#define SOURCE(number) "{\"number\":" #number ",\"title\":\"t\",\"url\":\"https://a.example\"}"

static void offer(struct chat *chat)
{
    chat->trace = strdup("{\"source_ids\":[],\"citations\":[" SOURCE(1) "," SOURCE(2) "]}");
}

static void cites_what_it_names(void **state)
{
    (void)state;
    static const char kept[] = "\"trace\":{\"source_ids\":[],\"citations\":[" SOURCE(2) "]}";
    guest_start_with(&guest, &rig, CHAT_NATIVE, true,
                     EVENTS ROLE TEXT("So [") TEXT("2].") STOP DONE, offer);
    assert_true(guest_reads_all(&guest));
    assert_has(guest_body(&guest), ",\"citations\":[" SOURCE(2) "]}\n\n");
    assert_has(ends_as(CHAT_COMPLETE)->line, kept);
    guest_leave(&guest);
    guest_start_with(&guest, &rig, CHAT_OPENAI, true,
                     EVENTS ROLE TEXT("So [") TEXT("2].") STOP USAGE DONE, offer);
    assert_true(guest_reads_all(&guest));
    assert_has(guest_body(&guest), "{\"annotations\":[{\"type\":\"url_citation\",\"url_citation\":{"
                                   "\"end_index\":6,\"start_index\":3,");
    assert_has(guest_body(&guest),
               "\"finish_reason\":null}],\"citations\":[" SOURCE(2) "]}\n\ndata: {");
    assert_has(ends_as(CHAT_COMPLETE)->line, kept);
    guest_leave(&guest);
    guest_start_with(&guest, &rig, CHAT_OPENAI, true, EVENTS ANSWER, offer);
    assert_true(guest_reads_all(&guest));
    assert_has_not(guest_body(&guest), "citations");
    assert_has_not(ends_as(CHAT_COMPLETE)->line, "citations");
}

/* What was said before it broke off. */
static void cites_what_was_said(void **state)
{
    (void)state;
    guest_start_with(&guest, &rig, CHAT_NATIVE, true, EVENTS ROLE TEXT("So [1], and") PLAY_CLOSE,
                     offer);
    assert_true(guest_reads_all(&guest));
    assert_has(guest_body(&guest), "\"error\":");
    assert_has(ends_as(CHAT_PARTIAL)->line, "\"citations\":[" SOURCE(1) "]}");
}

static const struct CMUnitTest tests[] = {
    TEST(native_stream),
    TEST(openai_stream),
    TEST(native_whole),
    TEST(openai_whole),
    TEST(byte_by_byte),
    TEST(other_line_ends),
    TEST(without_done),
    TEST(without_finish_reason),
    TEST(done_and_then_silence),
    TEST(malformed_chunk),
    TEST(content_filter),
    TEST(usage_for_who_asked),
    TEST(usage_estimated),
    TEST(halves_of_a_pair),
    TEST(tool_calls_stream),
    TEST(tool_calls_whole),
    TEST(refusal),
    TEST(connections_are_used_again),
    TEST(cites_what_it_names),
    TEST(cites_what_was_said),
};

UNIT_MAIN(tests)
