/* The relay against a provider that plays scripts: what clients get and what is recorded. */
#include "relay_rig.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
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

/* --- how it fails --- */

static void cut_within_the_answer(void **state)
{
    (void)state;
    guest_start(&guest, &rig, CHAT_OPENAI, true, EVENTS ROLE TEXT("Hal") PLAY_CLOSE);
    assert_true(guest_reads_all(&guest));
    assert_true(guest.has_ended);
    assert_has(guest_body(&guest), "Hal");
    assert_has(guest_body(&guest), "data: {\"error\":{\"message\":");
    assert_has(guest_body(&guest), "\"code\":\"provider_cut\"}}\n\n");
    assert_has_not(guest_body(&guest), "[DONE]");
    const struct kept *k = ends_as(CHAT_PARTIAL);
    assert_has(k->line, "\"ai_response\":\"Hal\"");
    assert_has(k->line, "\"error_code\":\"provider_cut\"");
}

static void cut_within_a_chunk(void **state)
{
    (void)state;
    guest_start(&guest, &rig, CHAT_NATIVE, true,
                "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked"
                "\r\n\r\nfff\r\n" TEXT("Hal") PLAY_CLOSE);
    assert_true(guest_reads_all(&guest));
    assert_has(guest_body(&guest), "\"code\":\"provider_cut\"},\"feedbackId\":\"");
    ends_as(CHAT_PARTIAL);
}

static void cut_before_the_first_text(void **state)
{
    (void)state;
    guest_start(&guest, &rig, CHAT_OPENAI, true, EVENTS ROLE PLAY_CLOSE);
    assert_true(guest_reads_all(&guest));
    assert_has(guest.output.data, "Status: 502 Bad Gateway\r\n");
    assert_has(guest.output.data, "Content-Type: application/json\r\n");
    ends_as(CHAT_FAILED);
}

static void reset_is_tried_again(void **state)
{
    (void)state;
    guest_start(&guest, &rig, CHAT_NATIVE, true, PLAY_RESET PLAY_AGAIN EVENTS ANSWER);
    assert_true(guest_reads_all(&guest));
    assert_has(guest_body(&guest), "\"done\":true");
    const struct kept *k = ends_as(CHAT_COMPLETE);
    assert_has(k->line, "\"reason\":\"reset\"},{\"http_status\":200");
    assert_int_equal(rig_requests(), 2);
}

#define STATUS(status, headers, body)                                                              \
    "HTTP/1.1 " status "\r\nConnection: close\r\n" headers "\r\n" body

static void status_500_is_tried_again(void **state)
{
    (void)state;
    guest_start(&guest, &rig, CHAT_OPENAI, true,
                STATUS("500 Oops", "", "<html>oops") PLAY_AGAIN EVENTS ANSWER);
    assert_true(guest_reads_all(&guest));
    assert_has(ends_as(CHAT_COMPLETE)->line, "\"reason\":\"status_500\"");
}

static void status_500_for_good(void **state)
{
    (void)state;
    guest_start(&guest, &rig, CHAT_OPENAI, true, STATUS("500 Oops", "", "<html>oops"));
    assert_true(guest_reads_all(&guest));
    assert_has(guest.output.data, "Status: 502 Bad Gateway\r\n");
    assert_has(guest_body(&guest), "\"code\":\"provider_error\"");
    assert_has_not(guest_body(&guest), "html");
    assert_int_equal(rig_requests(), 2);
    ends_as(CHAT_FAILED);
}

static void rate_limit_is_passed_on(void **state)
{
    (void)state;
    guest_start(&guest, &rig, CHAT_OPENAI, true,
                STATUS("429 Slow", "Retry-After: 30\r\n",
                       "{\"error\":{\"message\":\"slow down\",\"type\":\"requests\",\"param\":null,"
                       "\"code\":\"rate_limit_exceeded\"}}"));
    assert_true(guest_reads_all(&guest));
    assert_has(guest.output.data, "Status: 429 Too Many Requests\r\n");
    assert_has(guest.output.data, "Retry-After: 30\r\n");
    assert_string_equal(guest_body(&guest),
                        "{\"error\":{\"message\":\"slow down\",\"type\":\"requests\","
                        "\"param\":null,\"code\":\"rate_limit_exceeded\"}}");
    assert_int_equal(rig_requests(), 1);
}

static void short_rate_limit_is_waited_for(void **state)
{
    (void)state;
    guest_start(&guest, &rig, CHAT_NATIVE, true,
                STATUS("429 Slow", "retry-after-ms: 100\r\n", "") PLAY_AGAIN EVENTS ANSWER);
    assert_true(guest_reads_all(&guest));
    assert_has(guest_body(&guest), "\"done\":true");
}

static void clients_mistake_is_passed_on(void **state)
{
    (void)state;
    guest_start(&guest, &rig, CHAT_OPENAI, true,
                STATUS("400 Bad", "",
                       "{\"error\":{\"message\":\"too long\",\"type\":\"invalid_request_error\","
                       "\"param\":\"messages\",\"code\":\"context_length_exceeded\"}}"));
    assert_true(guest_reads_all(&guest));
    assert_has(guest.output.data, "Status: 400 Bad Request\r\n");
    assert_has(guest_body(&guest), "{\"message\":\"too long\",\"type\":\"invalid_request_error\","
                                   "\"param\":\"messages\",\"code\":\"context_length_exceeded\"}");
    assert_has(ends_as(CHAT_FAILED)->line, "\"error_code\":\"context_length_exceeded\"");
    assert_int_equal(rig_requests(), 1);
}

static void our_key_is_our_affair(void **state)
{
    (void)state;
    guest_start(&guest, &rig, CHAT_OPENAI, false,
                STATUS("401 No", "", "{\"error\":{\"message\":\"bad key sk-the-key\"}}"));
    assert_true(guest_reads_all(&guest));
    assert_has(guest.output.data, "Status: 502 Bad Gateway\r\n");
    assert_has(guest_body(&guest), "\"code\":\"provider_auth\"");
    assert_has_not(guest.output.data, "sk-the-key");
}

static void garbage(void **state)
{
    static const char *const scripts[] = {
        WHOLE("<html>"),
        WHOLE(""),
        WHOLE("{\"choices\":[]}"),
        WHOLE("[1]"),
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n<html>",
        "not HTTP at all\r\n\r\n" PLAY_CLOSE,
        EVENTS "no events at all",
        EVENTS DONE PLAY_CLOSE,
    };
    (void)state;
    for (size_t i = 0; i < sizeof scripts / sizeof scripts[0]; i++) {
        for (int stream = 0; stream < 2; stream++) {
            guest_start(&guest, &rig, CHAT_OPENAI, stream, scripts[i]);
            assert_true(guest_reads_all(&guest));
            assert_has(guest.output.data, "Status: 502 Bad Gateway\r\n");
            ends_as(CHAT_FAILED);
            guest_leave(&guest);
        }
    }
}

static void error_in_place_of_an_answer(void **state)
{
    (void)state;
    guest_start(&guest, &rig, CHAT_OPENAI, true,
                EVENTS "data: {\"error\":{\"message\":\"too long\",\"code\":"
                       "\"context_length_exceeded\"}}\n\n");
    assert_true(guest_reads_all(&guest));
    assert_has(guest.output.data, "Status: 400 Bad Request\r\n");
    ends_as(CHAT_FAILED);
}

static void error_within_the_answer(void **state)
{
    (void)state;
    guest_start(&guest, &rig, CHAT_OPENAI, true,
                EVENTS ROLE TEXT("Hal") "data: {\"error\":{\"message\":\"boom\",\"type\":"
                                        "\"server_error\",\"code\":\"oh\"}}\n\n" DONE);
    assert_true(guest_reads_all(&guest));
    assert_has(guest_body(&guest), "data: {\"error\":{\"message\":\"boom\",\"type\":"
                                   "\"server_error\",\"param\":null,\"code\":\"oh\"}}\n\n");
    assert_has_not(guest_body(&guest), "[DONE]");
    assert_has(ends_as(CHAT_PARTIAL)->line, "\"reason\":\"error_event\"");
}

/* As some gateways do it: the error and a last choice in one chunk. */
static void error_beside_a_choice(void **state)
{
    (void)state;
    guest_start(&guest, &rig, CHAT_OPENAI, true,
                EVENTS ROLE TEXT("Hal") "data: {\"error\":{\"message\":\"boom\",\"code\":\"oh\"},"
                                        "\"choices\":[{\"index\":0,\"delta\":{\"content\":\"\"},"
                                        "\"finish_reason\":\"error\"}]}\n\n" DONE);
    assert_true(guest_reads_all(&guest));
    assert_has(guest_body(&guest), "data: {\"error\":{\"message\":\"boom\"");
    assert_has_not(guest_body(&guest), "[DONE]");
    assert_has(ends_as(CHAT_PARTIAL)->line, "\"reason\":\"error_event\"");
}

static void nowhere(struct config *config)
{
    static char url[] = "http://127.0.0.1:1/v1";
    config->upstream_url = url;
}

static int start_nowhere(void **state)
{
    (void)state;
    rig_start(&rig, nowhere);
    return 0;
}

static void provider_unreachable(void **state)
{
    (void)state;
    guest_start(&guest, &rig, CHAT_NATIVE, true, "");
    assert_true(guest_reads_all(&guest));
    assert_has(guest.output.data, "Status: 502 Bad Gateway\r\n");
    assert_has(guest_body(&guest), "\"code\":\"provider_unreachable\"");
    assert_has(ends_as(CHAT_FAILED)->line, "\"reason\":\"connect\"},{\"http_status\":0");
}

/* --- time --- */

static void silence(void **state)
{
    (void)state;
    guest_start(&guest, &rig, CHAT_NATIVE, true, EVENTS ": not yet\n\n" PLAY_WAIT);
    assert_true(guest_reads_all(&guest));
    assert_has(guest.output.data, "Status: 504 Gateway Timeout\r\n");
    assert_has(ends_as(CHAT_FAILED)->line, "\"reason\":\"timeout_first_byte\"");
}

static void stall(void **state)
{
    (void)state;
    guest_start(&guest, &rig, CHAT_NATIVE, true, EVENTS ROLE TEXT("Hal") PLAY_WAIT);
    assert_true(guest_reads_all(&guest));
    assert_has(guest_body(&guest), "data: {\"error\":{");
    assert_has(guest_body(&guest), "\"code\":\"provider_timeout\"},\"feedbackId\"");
    assert_has(ends_as(CHAT_PARTIAL)->line, "\"reason\":\"timeout_idle\"");
}

static void stall_after_the_finish(void **state)
{
    (void)state;
    guest_start(&guest, &rig, CHAT_OPENAI, true, EVENTS ROLE TEXT("Hal") STOP PLAY_WAIT);
    assert_true(guest_reads_all(&guest));
    assert_has(guest_body(&guest), "[DONE]");
    ends_as(CHAT_COMPLETE);
}

static void short_total(struct config *config)
{
    config->total_timeout_ms = 600;
    config->heartbeat_ms = 100;
}

static int start_short_total(void **state)
{
    (void)state;
    rig_start(&rig, short_total);
    return 0;
}

static void endless(void **state)
{
    (void)state;
    guest_start(&guest, &rig, CHAT_NATIVE, true,
                EVENTS PLAY_REPEAT TEXT("a") PLAY_REPEAT PLAY_WAIT);
    assert_true(guest_reads_all(&guest));
    assert_has(ends_as(CHAT_PARTIAL)->line, "\"reason\":\"timeout_");
}

static void slow_body(void **state)
{
    (void)state;
    guest_start(&guest, &rig, CHAT_NATIVE, false, PLAY_WAIT);
    assert_true(guest_reads_all(&guest));
    assert_has(guest.output.data, "Status: 504 Gateway Timeout\r\n");
    assert_has(ends_as(CHAT_FAILED)->line, "\"reason\":\"timeout_total\"");
}

static void heartbeats(void **state)
{
    (void)state;
    guest_start(&guest, &rig, CHAT_NATIVE, true, PLAY_WAIT);
    assert_true(guest_reads_all(&guest));
    assert_has(guest.output.data, "Status: 200 OK\r\n");
    assert_has(guest_body(&guest), ": keep-alive\n\n: keep-alive\n\n");
    assert_has(guest_body(&guest), "\"code\":\"provider_timeout\"");
    ends_as(CHAT_FAILED);
}

/* --- clients --- */

static void hang_up_before_the_answer(void **state)
{
    (void)state;
    guest_start(&guest, &rig, CHAT_OPENAI, true, PLAY_WAIT);
    usleep(100000);
    close(guest.fd);
    guest.fd = -1;
    const struct kept *k = ends_as(CHAT_CANCELLED);
    assert_has(k->line, "\"error_code\":\"client_closed\"");
}

static void hang_up_within_the_answer(void **state)
{
    (void)state;
    guest_start(&guest, &rig, CHAT_OPENAI, true, EVENTS ROLE TEXT("Hal") PLAY_WAIT);
    assert_true(guest_reads(&guest, "Hal"));
    close(guest.fd);
    guest.fd = -1;
    assert_has(ends_as(CHAT_CANCELLED)->line, "\"ai_response\":\"Hal\"");
}

static void hang_up_of_a_whole_answer(void **state)
{
    (void)state;
    guest_start(&guest, &rig, CHAT_OPENAI, false, PLAY_WAIT);
    close(guest.fd);
    guest.fd = -1;
    ends_as(CHAT_CANCELLED);
}

static void finish_unheard(struct config *config)
{
    config->finish_on_hangup = true;
}

static int start_finish_unheard(void **state)
{
    (void)state;
    rig_start(&rig, finish_unheard);
    return 0;
}

static void hang_up_and_finish(void **state)
{
    (void)state;
    guest_start(&guest, &rig, CHAT_OPENAI, true,
                EVENTS ROLE TEXT("Hal")
                    PLAY_PAUSE PLAY_PAUSE PLAY_PAUSE PLAY_PAUSE PLAY_PAUSE TEXT("lo") STOP DONE);
    assert_true(guest_reads(&guest, "Hal"));
    close(guest.fd);
    guest.fd = -1;
    assert_has(ends_as(CHAT_COMPLETE)->line, "\"ai_response\":\"Hallo\"");
}

static void finish_unheard_with_backup(struct config *config)
{
    static char routing[512];
    snprintf(routing, sizeof routing,
             "{\"providers\":[{\"name\":\"backup\",\"base_url\":\"%s\"}],"
             "\"models\":[{\"name\":\"a-model\",\"routes\":[{\"provider\":\"default\"},"
             "{\"provider\":\"backup\",\"model\":\"other\",\"position\":2}]}]}",
             config->upstream_url);
    config->routing = routing;
    config->finish_on_hangup = true;
}

static int start_finish_unheard_with_backup(void **state)
{
    (void)state;
    rig_start(&rig, finish_unheard_with_backup);
    return 0;
}

static void begin_with_model(struct chat *chat)
{
    chat->upstream_model_len = 1;
}

/* The request is not kept for a route that cannot go on with what was heard: when the client has
 * left and the answer breaks, no other route is asked, and what was said is not lost. */
static void hang_up_and_break(void **state)
{
    (void)state;
    guest_start_with(&guest, &rig, CHAT_OPENAI, true,
                     EVENTS ROLE TEXT("Hal") TEXT("l")
                         PLAY_PAUSE PLAY_PAUSE PLAY_PAUSE PLAY_PAUSE TEXT("o")
                             PLAY_PAUSE PLAY_PAUSE PLAY_PAUSE PLAY_PAUSE PLAY_CLOSE,
                     begin_with_model);
    assert_true(guest_reads(&guest, "{\"content\":\"l\"}"));
    close(guest.fd);
    guest.fd = -1;
    assert_has(ends_as(CHAT_PARTIAL)->line, "\"ai_response\":\"Hallo\"");
    assert_int_equal(rig_requests(), 1);
}

/* Where an answer can be picked up again it is finished, whatever the setting. */
static void hang_up_of_a_native_answer(void **state)
{
    (void)state;
    for (int stream = 0; stream <= 1; stream++) {
        guest_start(&guest, &rig, CHAT_NATIVE, stream,
                    stream ? EVENTS ROLE TEXT("Hal")
                                 PLAY_PAUSE PLAY_PAUSE PLAY_PAUSE PLAY_PAUSE TEXT("lo") STOP DONE
                           : PLAY_PAUSE PLAY_PAUSE PLAY_PAUSE PLAY_PAUSE WHOLE(COMPLETION));
        assert_true(!stream || guest_reads(&guest, "Hal"));
        close(guest.fd);
        guest.fd = -1;
        ends_as(CHAT_COMPLETE);
    }
}

static void never_reads(void **state)
{
    (void)state;
    guest_start(&guest, &rig, CHAT_OPENAI, true,
                EVENTS PLAY_REPEAT TEXT("0123456789012345678901234567890123456789"
                                        "0123456789012345678901234567890123456789"
                                        "0123456789012345678901234567890123456789"
                                        "0123456789012345678901234567890123456789")
                    PLAY_REPEAT STOP DONE);
    struct guest other;
    for (int i = 0; i < 20; i++) { /* nobody else is held up */
        guest_start(&other, &rig, CHAT_NATIVE, true, EVENTS ANSWER);
        assert_true(guest_reads_all(&other));
        assert_has(guest_body(&other), "\"done\":true");
        guest_leave(&other);
    }
    assert_has(ends_as(CHAT_CANCELLED)->line, "\"error_code\":\"client_stalled\"");
}

static void slow_reader_of_a_large_body(void **state)
{
    (void)state;
    size_t len = 3 * 1024 * 1024;
    char *script = malloc(len + 1024), *at = script;
    assert_non_null(script);
    at = stpcpy(at, WHOLE("{\"choices\":[{\"message\":{\"content\":\""));
    memset(at, 'x', len);
    stpcpy(at + len, "\"}}]}");
    guest_start(&guest, &rig, CHAT_NATIVE, false, script);
    free(script);
    ends_as(CHAT_COMPLETE);
    usleep(200000);
    assert_true(guest_reads_all(&guest));
    assert_true(guest.has_ended);
    assert_true(guest.output.len > len);
}

static void small_answers(struct config *config)
{
    config->max_answer_bytes = 1000;
}

static int start_small_answers(void **state)
{
    (void)state;
    rig_start(&rig, small_answers);
    return 0;
}

static void too_large(void **state)
{
    (void)state;
    guest_start(&guest, &rig, CHAT_NATIVE, true, EVENTS PLAY_REPEAT TEXT("abcd") PLAY_REPEAT);
    assert_true(guest_reads_all(&guest));
    assert_has(guest_body(&guest), "\"code\":\"answer_too_large\"");
    ends_as(CHAT_PARTIAL);
}

/* --- the recorder --- */

static void not_recorded(void **state)
{
    (void)state;
    rig_record_as(CHAT_NOT_RECORDED);
    guest_start(&guest, &rig, CHAT_OPENAI, true, EVENTS ANSWER);
    assert_true(guest_reads_all(&guest));
    assert_has(guest_body(&guest), "\"code\":\"not_recorded\"");
    assert_has_not(guest_body(&guest), "[DONE]");
    guest_leave(&guest);
    guest_start(&guest, &rig, CHAT_OPENAI, false, WHOLE(COMPLETION));
    assert_true(guest_reads_all(&guest));
    assert_has(guest.output.data, "Status: 503 Service Unavailable\r\n");
    assert_has(guest.output.data, "Retry-After: 1\r\n");
    assert_has_not(guest_body(&guest), "Hello");
}

static void recorder_is_full(void **state)
{
    (void)state;
    rig_record_full(true);
    guest_start(&guest, &rig, CHAT_NATIVE, true, EVENTS ANSWER);
    assert_true(guest_reads_all(&guest));
    assert_has(guest_body(&guest), "\"code\":\"not_recorded\"");
    for (int i = 0; i < 100 && relay_open(rig.relay) > 0; i++)
        usleep(10000);
    assert_int_equal(relay_open(rig.relay), 0);
}

/* Its client is found to be gone, and the recorder full, in one write: nothing of it is left. */
static void recorder_is_full_and_client_gone(void **state)
{
    (void)state;
    rig_record_full(true);
    for (int i = 0; i < 20; i++) {
        guest_start(&guest, &rig, CHAT_NATIVE, true, EVENTS ANSWER);
        shutdown(guest.fd, SHUT_RDWR);
        guest_leave(&guest);
    }
    for (int i = 0; i < 500 && relay_open(rig.relay) > 0; i++)
        usleep(10000);
    assert_int_equal(relay_open(rig.relay), 0);
}

/* --- the whole relay --- */

static void stop_with_open_chats(void **state)
{
    struct guest early;
    (void)state;
    guest_start(&early, &rig, CHAT_NATIVE, true, PLAY_WAIT);
    guest_start(&guest, &rig, CHAT_NATIVE, true, EVENTS ROLE TEXT("Hal") PLAY_WAIT);
    assert_true(guest_reads(&guest, "Hal"));
    relay_drain(rig.relay);
    relay_stop(rig.relay, 2000);
    rig.relay = NULL;
    assert_true(guest_reads_all(&guest));
    assert_true(guest_reads_all(&early));
    assert_has(guest_body(&guest), "\"code\":\"server_shutdown\"");
    assert_has(early.output.data, "Status: 503 Service Unavailable\r\n");
    ends_as(CHAT_PARTIAL);
    guest_leave(&early);
}

static void few_chats(struct config *config)
{
    config->max_chats = 2;
}

static int start_few_chats(void **state)
{
    (void)state;
    rig_start(&rig, few_chats);
    return 0;
}

static void too_many_chats(void **state)
{
    struct guest more[2];
    (void)state;
    assert_true(guest_start(&more[0], &rig, CHAT_NATIVE, true, PLAY_WAIT));
    assert_true(guest_start(&more[1], &rig, CHAT_NATIVE, true, PLAY_WAIT));
    assert_false(guest_start(&guest, &rig, CHAT_NATIVE, true, EVENTS ANSWER));
    guest_leave(&more[0]);
    guest_leave(&more[1]);
}

#define TEST_WITH(f, setup) cmocka_unit_test_setup_teardown(f, setup, stop)
#define TEST(f) TEST_WITH(f, start)

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
    TEST(cut_within_the_answer),
    TEST(cut_within_a_chunk),
    TEST(cut_before_the_first_text),
    TEST(reset_is_tried_again),
    TEST(status_500_is_tried_again),
    TEST(status_500_for_good),
    TEST(rate_limit_is_passed_on),
    TEST(short_rate_limit_is_waited_for),
    TEST(clients_mistake_is_passed_on),
    TEST(our_key_is_our_affair),
    TEST(garbage),
    TEST(error_in_place_of_an_answer),
    TEST(error_within_the_answer),
    TEST(error_beside_a_choice),
    TEST_WITH(provider_unreachable, start_nowhere),
    TEST(silence),
    TEST(stall),
    TEST(stall_after_the_finish),
    TEST_WITH(endless, start_short_total),
    TEST_WITH(slow_body, start_short_total),
    TEST_WITH(heartbeats, start_short_total),
    TEST(hang_up_before_the_answer),
    TEST(hang_up_within_the_answer),
    TEST(hang_up_of_a_whole_answer),
    TEST(hang_up_of_a_native_answer),
    TEST_WITH(hang_up_and_finish, start_finish_unheard),
    TEST_WITH(hang_up_and_break, start_finish_unheard_with_backup),
    TEST(never_reads),
    TEST(slow_reader_of_a_large_body),
    TEST_WITH(too_large, start_small_answers),
    TEST(not_recorded),
    TEST(recorder_is_full),
    TEST(recorder_is_full_and_client_gone),
    TEST(stop_with_open_chats),
    TEST_WITH(too_many_chats, start_few_chats),
};

UNIT_MAIN(tests)
