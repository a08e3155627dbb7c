/* Circuit breakers: when they open, who probes, how they close, and places by name. */
#include "chat/breaker.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX 3
#define OPEN_MS 1000

static void opens_after_so_many_failures_in_a_row(void **state)
{
    (void)state;
    struct breaker b = {0};
    int64_t wait;
    for (int i = 0; i < 10; i++) {
        assert_false(breaker_failed(&b, 100, MAX, OPEN_MS));
        assert_false(breaker_failed(&b, 100, MAX, OPEN_MS));
        assert_false(breaker_succeeded(&b)); /* begins the count anew */
    }
    assert_int_equal(breaker_ask(&b, 100, &wait), BREAKER_CLOSED);
    assert_false(breaker_failed(&b, 100, MAX, OPEN_MS));
    assert_false(breaker_failed(&b, 100, MAX, OPEN_MS));
    assert_true(breaker_failed(&b, 100, MAX, OPEN_MS));
    assert_int_equal(breaker_ask(&b, 101, &wait), BREAKER_OPEN);
    assert_int_equal(wait, OPEN_MS - 1);
    /* A call from before it opened tells nothing new. */
    assert_false(breaker_failed(&b, 500, MAX, OPEN_MS));
    assert_int_equal(breaker_ask(&b, 500, &wait), BREAKER_OPEN);
    assert_int_equal(wait, 600);
}

static void one_probes_and_closes_it(void **state)
{
    (void)state;
    struct breaker b = {0};
    int64_t wait;
    breaker_failed(&b, 0, 1, OPEN_MS);
    assert_int_equal(breaker_state(&b, OPEN_MS - 1), BREAKER_OPEN);
    assert_int_equal(breaker_state(&b, OPEN_MS), BREAKER_PROBING);
    assert_int_equal(breaker_ask(&b, OPEN_MS, &wait), BREAKER_PROBING);
    assert_int_equal(breaker_ask(&b, OPEN_MS, &wait), BREAKER_OPEN);
    assert_true(wait > 0);
    assert_true(breaker_succeeded(&b));
    assert_int_equal(breaker_ask(&b, OPEN_MS, &wait), BREAKER_CLOSED);
    assert_false(breaker_succeeded(&b));
}

static void a_probe_that_is_lost_is_made_again(void **state)
{
    (void)state;
    struct breaker b = {0};
    int64_t wait;
    breaker_failed(&b, 0, 1, OPEN_MS);
    assert_int_equal(breaker_ask(&b, OPEN_MS, &wait), BREAKER_PROBING);
    assert_int_equal(breaker_ask(&b, OPEN_MS + BREAKER_PROBE_MS - 1, &wait), BREAKER_OPEN);
    assert_int_equal(breaker_ask(&b, OPEN_MS + BREAKER_PROBE_MS, &wait), BREAKER_PROBING);
}

static void failed_probes_keep_it_open_longer(void **state)
{
    (void)state;
    struct breaker b = {0};
    int64_t wait, now = 0;
    breaker_failed(&b, now, 1, OPEN_MS);
    for (int i = 0; i < BREAKER_DOUBLINGS + 3; i++) {
        int64_t open = (int64_t)OPEN_MS << (i < BREAKER_DOUBLINGS ? i : BREAKER_DOUBLINGS);
        assert_int_equal(breaker_ask(&b, now, &wait), BREAKER_OPEN);
        assert_int_equal(wait, open);
        now += open;
        assert_int_equal(breaker_ask(&b, now, &wait), BREAKER_PROBING);
        assert_false(breaker_failed(&b, now, 1, OPEN_MS)); /* it was open already */
    }
    now += (int64_t)OPEN_MS << BREAKER_DOUBLINGS;
    assert_int_equal(breaker_ask(&b, now, &wait), BREAKER_PROBING);
    assert_true(breaker_succeeded(&b));
    assert_true(breaker_failed(&b, now, 1, OPEN_MS)); /* and begins anew */
    breaker_ask(&b, now, &wait);
    assert_int_equal(wait, OPEN_MS);
}

static void cooling_is_apart(void **state)
{
    (void)state;
    struct breaker b = {0};
    int64_t wait;
    breaker_cool(&b, 100, 50);
    assert_int_equal(breaker_cooling(&b, 110), 40);
    breaker_cool(&b, 110, 10); /* the longer one holds */
    assert_int_equal(breaker_cooling(&b, 110), 40);
    assert_int_equal(breaker_cooling(&b, 150), 0);
    assert_int_equal(breaker_ask(&b, 110, &wait), BREAKER_CLOSED);
}

static void without_one_all_is_open_to_all(void **state)
{
    (void)state;
    struct breaker b = {0};
    int64_t wait;
    assert_int_equal(breaker_ask(NULL, 1, &wait), BREAKER_CLOSED);
    assert_int_equal(breaker_state(NULL, 1), BREAKER_CLOSED);
    assert_false(breaker_failed(NULL, 1, MAX, OPEN_MS));
    assert_false(breaker_succeeded(NULL));
    assert_int_equal(breaker_cooling(NULL, 1), 0);
    breaker_cool(NULL, 1, 1);
    for (int i = 0; i < 100; i++)
        assert_false(breaker_failed(&b, 1, 0, OPEN_MS)); /* 0: never */
    assert_int_equal(breaker_ask(&b, 1, &wait), BREAKER_CLOSED);
}

static void places_have_names(void **state)
{
    (void)state;
    struct breakers *all = calloc(1, sizeof *all);
    char name[BREAKER_NAME_MAX + 20];
    assert_non_null(all);
    struct breaker *first = breaker_find(all, "first");
    assert_non_null(first);
    assert_ptr_equal(breaker_find(all, "first"), first);
    assert_ptr_not_equal(breaker_find(all, "firs"), first);
    memset(name, 'n', sizeof name);
    name[sizeof name - 1] = '\0';
    struct breaker *longest = breaker_find(all, name);
    name[sizeof name - 2] = 'o'; /* beyond what is kept */
    assert_ptr_equal(breaker_find(all, name), longest);
    assert_int_equal(strlen(longest->name), BREAKER_NAME_MAX);
    int found = 3;
    for (int i = 0; i < 2 * BREAKERS_MAX; i++) {
        snprintf(name, sizeof name, "provider %d", i);
        found += breaker_find(all, name) != NULL;
    }
    assert_int_equal(found, BREAKERS_MAX);
    assert_null(breaker_find(all, "one more"));
    assert_ptr_equal(breaker_find(all, "first"), first);
    free(all);
}

static const struct CMUnitTest breaker_tests[] = {
    cmocka_unit_test(opens_after_so_many_failures_in_a_row),
    cmocka_unit_test(one_probes_and_closes_it),
    cmocka_unit_test(a_probe_that_is_lost_is_made_again),
    cmocka_unit_test(failed_probes_keep_it_open_longer),
    cmocka_unit_test(cooling_is_apart),
    cmocka_unit_test(without_one_all_is_open_to_all),
    cmocka_unit_test(places_have_names),
};
UNIT_MAIN(breaker_tests)
