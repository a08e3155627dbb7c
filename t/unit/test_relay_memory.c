/* Each allocation of the relay fails in turn: the chat ends, the relay goes on, nothing leaks. */
#include "relay_rig.h"
#include "unit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Linked with --wrap for these, so that all calls of our own code come here. */
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);

static atomic_int left = -1; /* allocations of the relay until one fails; -1: none does */

static bool in_relay(void)
{
    static __thread enum { UNKNOWN, YES, NO } known;
    char name[16];
    if (known == UNKNOWN && pthread_getname_np(pthread_self(), name, sizeof name) == 0)
        known = strcmp(name, "relay") == 0 ? YES : NO;
    return known == YES;
}

static bool fails(void)
{
    return in_relay() && atomic_load(&left) >= 0 && atomic_fetch_sub(&left, 1) == 0;
}

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *memory, size_t size)
{
    return fails() ? NULL : __real_realloc(memory, size);
}

#define CHUNK(choice)                                                                              \
    "data: {\"id\":\"x\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\","      \
    "\"choices\":[{\"index\":0," choice "}]}\n\n"
#define STREAM                                                                                     \
    EVENTS CHUNK("\"delta\":{\"content\":\"Hel[1]\"},\"finish_reason\":null") PLAY_PAUSE CHUNK(    \
        "\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"a\"}]},\"finish_reason\":null")          \
        PLAY_PAUSE CHUNK("\"delta\":{},\"finish_reason\":\"stop\"") "data: [DONE]\n\n"
/* Text in parts, messages in place of deltas, and a finish_reason that more comes after. */
#define ODD                                                                                        \
    EVENTS CHUNK("\"delta\":{\"content\":[{\"type\":\"thinking\",\"thinking\":\"a\"},"             \
                 "{\"type\":\"text\",\"text\":\"Hel\"}]},\"finish_reason\":\"stop\"")              \
        PLAY_PAUSE CHUNK("\"message\":{\"content\":\"lo\"}")                                       \
            CHUNK("\"delta\":{\"tool_calls\":[{\"id\":\"a\"},{\"id\":\"b\"}]}")                    \
                PLAY_PAUSE CHUNK("\"delta\":{},\"finish_reason\":\"eos\"") "data: [DONE]\n\n"
#define WHOLE                                                                                      \
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n"               \
    "{\"choices\":[{\"message\":{\"content\":\"Hello [1]\",\"refusal\":\"no\"}}]}"
#define REFUSED                                                                                    \
    "HTTP/1.1 400 Bad\r\nConnection: close\r\n\r\n{\"error\":{\"message\":\"too long\"}}"

static struct rig rig;

static int start(void **state)
{
    (void)state;
    rig_start(&rig, NULL);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    rig_stop(&rig);
    return 0;
}

/* With sources that the answer may cite. */
static void offer(struct chat *chat)
{
    chat->trace =
        strdup("{\"citations\":[{\"number\":1,\"title\":\"a\",\"url\":\"https://a.example\"},"
               "{\"number\":2,\"title\":\"b\",\"url\":null}]}");
}

/* Whether the chat's client was told of an end: an answer or an error. It may also find the
 * connection closed, but it must not find half of an end. */
static void run_chat(enum chat_protocol protocol, bool stream, const char *script)
{
    struct guest guest;
    guest_start_with(&guest, &rig, protocol, stream, script, offer);
    assert_true(guest_reads_all(&guest));
    if (guest.has_ended) {
        const char *body = guest_body(&guest);
        assert_non_null(strstr(guest.output.data, "Status: "));
        assert_non_null(strstr(guest.output.data, "\r\n\r\n"));
        if (!strstr(body, "\"error\":{\"message\":") && !strstr(body, "\"done\":true") &&
            !strstr(body, "data: [DONE]") && !strstr(body, "\"message\":"))
            fail_msg("neither an end nor an error:\n%s", guest.output.data);
    }
    guest_leave(&guest);
    for (int i = 0; i < 200 && relay_open(rig.relay) > 0; i++)
        usleep(5000);
    assert_int_equal(relay_open(rig.relay), 0);
}

static void fail_each(enum chat_protocol protocol, bool stream, const char *script)
{
    run_chat(protocol, stream, script);
    for (int n = 0;; n++) {
        assert_true(n < 500);
        atomic_store(&left, n);
        run_chat(protocol, stream, script);
        bool failed = atomic_load(&left) < 0;
        atomic_store(&left, -1);
        if (!failed) {
            assert_true(n > 3);
            return;
        }
    }
}

static void native_stream(void **state)
{
    (void)state;
    fail_each(CHAT_NATIVE, true, STREAM);
}

static void openai_stream(void **state)
{
    (void)state;
    fail_each(CHAT_OPENAI, true, STREAM);
}

static void native_whole(void **state)
{
    (void)state;
    fail_each(CHAT_NATIVE, false, WHOLE);
}

static void openai_whole(void **state)
{
    (void)state;
    fail_each(CHAT_OPENAI, false, WHOLE);
}

static void odd_stream(void **state)
{
    (void)state;
    fail_each(CHAT_NATIVE, true, ODD);
    fail_each(CHAT_OPENAI, true, ODD);
}

static void not_what_was_asked_for(void **state)
{
    (void)state;
    fail_each(CHAT_OPENAI, false, ODD);
    fail_each(CHAT_NATIVE, false, STREAM);
    fail_each(CHAT_OPENAI, true, WHOLE);
}

static void refused(void **state)
{
    (void)state;
    fail_each(CHAT_OPENAI, true, REFUSED);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, start, stop)

static const struct CMUnitTest tests[] = {
    TEST(native_stream), TEST(openai_stream),          TEST(native_whole), TEST(openai_whole),
    TEST(odd_stream),    TEST(not_what_was_asked_for), TEST(refused),
};

UNIT_MAIN(tests)
