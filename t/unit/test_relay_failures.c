/* The relay and providers that fail, break off, or take their time. */
#include "relay_test.h"

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

/* Room for many, so that there are two also where the machine stands still for a second. */
static void beats(struct config *config)
{
    config->total_timeout_ms = 2500;
    config->heartbeat_ms = 100;
}

static int start_beats(void **state)
{
    (void)state;
    rig_start(&rig, beats);
    return 0;
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

static const struct CMUnitTest tests[] = {
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
    TEST_WITH(heartbeats, start_beats),
};

UNIT_MAIN(tests)
