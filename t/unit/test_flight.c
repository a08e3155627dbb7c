/* Identical requests under way: who asks, who waits, and whom the answer goes to. */
#include "chat/cached_answer.h"
#include "chat/relay/relay_chat.h"
#include "chat/relay/single_flight.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MANY 5
#define NEVER INT64_MAX

/* Two that share a bucket, and one of another. */
#define KEY "aaaaa00000000000000000000000000000000000000000000000000000000001"
#define NEIGHBOUR "aaaaa00000000000000000000000000000000000000000000000000000000002"
#define STRANGER "bbbbb00000000000000000000000000000000000000000000000000000000001"

static struct flights all;
static struct relay_chat chats[MANY];
static int given[MANY]; /* by how many were given an answer before, from 1; 0: none was */
static int gifts;

static void note_gift(struct relay_chat *rc)
{
    given[rc - chats] = ++gifts;
}

static struct relay_chat *seat(int n, const char *key, enum cache_mode mode, bool may_share)
{
    struct relay_chat *rc = &chats[n];
    rc->chat = chat_new(NULL);
    assert_non_null(rc->chat);
    rc->due_ms = rc->retry_ms = NEVER;
    rc->chat->cache.mode = mode;
    rc->chat->cache.may_share = may_share;
    memcpy(rc->chat->cache.key, key, strlen(key) + 1);
    memset(rc->chat->id_text, '0' + n, UUID_TEXT);
    return rc;
}

static bool join(int n, const char *key, enum cache_mode mode)
{
    return flight_join(&all, seat(n, key, mode, true));
}

static void land(int n, bool has_answer)
{
    struct chat *c = chats[n].chat;
    if (has_answer) {
        c->outcome = CHAT_COMPLETE;
        c->recorded = CHAT_COMMITTED;
        snprintf(c->finish_reason, sizeof c->finish_reason, "%s", "stop");
        assert_true(buf_puts(&c->text, "Run slowly."));
    }
    flight_finish(&all, &chats[n], note_gift);
}

static bool is_due(int n)
{
    return chats[n].due_ms == 0 && chats[n].retry_ms == 0;
}

static int begin(void **state)
{
    (void)state;
    memset(&all, 0, sizeof all);
    memset(chats, 0, sizeof chats);
    memset(given, 0, sizeof given);
    gifts = 0;
    return 0;
}

/* Whatever a test did: nobody waits, and no flight is left. */
static int finish(void **state)
{
    (void)state;
    for (int i = 0; i < MANY; i++) {
        flight_leave(&chats[i]);
        flight_finish(&all, &chats[i], note_gift);
        chat_free(chats[i].chat);
    }
    for (int i = 0; i < FLIGHT_BUCKETS; i++)
        if (all.buckets[i] != NULL)
            return -1;
    return 0;
}

static void one_asks_and_all_get_its_answer(void **state)
{
    (void)state;
    assert_false(join(0, KEY, CACHE_ON));
    assert_false(flight_is_awaited(&chats[0]));
    assert_true(join(1, KEY, CACHE_ON));
    assert_true(join(2, KEY, CACHE_READ_ONLY));
    assert_true(flight_is_awaited(&chats[0]));
    land(0, true);
    for (int i = 1; i <= 2; i++) {
        assert_int_equal(given[i], i); /* as they came */
        assert_false(is_due(i));
        assert_int_equal(chats[i].chat->cache.result, CACHE_SHARED);
        assert_string_equal(chats[i].chat->cache.answer->text, "Run slowly.");
        assert_string_equal(chats[i].chat->cache.answer->source_id, chats[0].chat->id_text);
    }
    assert_int_equal(given[0], 0);
    assert_false(join(3, KEY, CACHE_ON)); /* the next flight */
}

static void other_questions_are_no_concern_of_it(void **state)
{
    (void)state;
    assert_false(join(0, KEY, CACHE_ON));
    assert_false(join(1, NEIGHBOUR, CACHE_ON));
    assert_false(join(2, STRANGER, CACHE_ON));
    assert_true(join(3, NEIGHBOUR, CACHE_ON));
    land(0, true);
    land(2, true);
    assert_int_equal(gifts, 0);
    land(1, true);
    assert_int_equal(given[3], 1);
}

static void who_may_not_share_or_write_flies_alone(void **state)
{
    (void)state;
    assert_false(join(0, "", CACHE_ON));
    assert_false(join(1, "", CACHE_ON));
    assert_false(join(2, KEY, CACHE_READ_ONLY)); /* no leader */
    assert_false(join(3, KEY, CACHE_ON));
    assert_false(flight_join(&all, seat(4, KEY, CACHE_WRITE_ONLY, false))); /* asks anew */
    assert_false(flight_is_awaited(&chats[3]));
    land(4, true);
    land(3, true);
    assert_int_equal(gifts, 0);
}

static void the_first_who_can_leads_after_a_failure(void **state)
{
    (void)state;
    assert_false(join(0, KEY, CACHE_ON));
    assert_true(join(1, KEY, CACHE_READ_ONLY));
    assert_true(join(2, KEY, CACHE_ON));
    assert_true(join(3, KEY, CACHE_ON));
    land(0, false);
    assert_true(is_due(2) && !is_due(1) && !is_due(3));
    assert_true(flight_is_awaited(&chats[2]));
    assert_true(join(4, KEY, CACHE_ON)); /* still the same flight */
    land(2, true);
    assert_int_equal(given[1], 1);
    assert_int_equal(given[3], 2);
    assert_int_equal(given[4], 3);
}

static void after_two_failures_each_asks(void **state)
{
    (void)state;
    assert_false(join(0, KEY, CACHE_ON));
    for (int i = 1; i < 4; i++)
        assert_true(join(i, KEY, CACHE_ON));
    land(0, false);
    land(1, false);
    assert_true(is_due(2) && is_due(3));
    assert_int_equal(gifts, 0);
    assert_false(join(4, KEY, CACHE_ON));
}

static void readers_alone_ask_after_one_failure(void **state)
{
    (void)state;
    assert_false(join(0, KEY, CACHE_ON));
    assert_true(join(1, KEY, CACHE_READ_ONLY));
    land(0, false);
    assert_true(is_due(1));
}

static void an_answer_that_is_cut_goes_to_nobody(void **state)
{
    (void)state;
    assert_false(join(0, KEY, CACHE_ON));
    assert_true(join(1, KEY, CACHE_ON));
    snprintf(chats[0].chat->finish_reason, sizeof chats[0].chat->finish_reason, "%s", "length");
    chats[0].chat->outcome = CHAT_COMPLETE;
    assert_true(buf_puts(&chats[0].chat->text, "Run"));
    land(0, false);
    assert_int_equal(gifts, 0);
    assert_true(is_due(1));
}

static void who_leaves_is_forgotten(void **state)
{
    (void)state;
    assert_false(join(0, KEY, CACHE_ON));
    for (int i = 1; i < 4; i++)
        assert_true(join(i, KEY, CACHE_ON));
    flight_leave(&chats[2]); /* from the middle */
    flight_leave(&chats[3]); /* from the end */
    flight_leave(&chats[2]); /* again: nothing */
    flight_leave(&chats[0]); /* a leader does not leave so */
    assert_true(join(4, KEY, CACHE_ON));
    land(0, true);
    assert_int_equal(given[1], 1);
    assert_int_equal(given[4], 2);
    assert_int_equal(gifts, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_asks_and_all_get_its_answer, begin, finish),
        cmocka_unit_test_setup_teardown(other_questions_are_no_concern_of_it, begin, finish),
        cmocka_unit_test_setup_teardown(who_may_not_share_or_write_flies_alone, begin, finish),
        cmocka_unit_test_setup_teardown(the_first_who_can_leads_after_a_failure, begin, finish),
        cmocka_unit_test_setup_teardown(after_two_failures_each_asks, begin, finish),
        cmocka_unit_test_setup_teardown(readers_alone_ask_after_one_failure, begin, finish),
        cmocka_unit_test_setup_teardown(an_answer_that_is_cut_goes_to_nobody, begin, finish),
        cmocka_unit_test_setup_teardown(who_leaves_is_forgotten, begin, finish),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
