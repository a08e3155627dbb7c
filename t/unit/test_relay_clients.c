/* The relay and clients that leave or do not read, a recorder that does not record, and the end of
 * it all. */
#include "relay_test.h"

#include <sys/socket.h>
#include <unistd.h>

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

static const struct CMUnitTest tests[] = {
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
