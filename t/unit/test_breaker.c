/* Circuit breakers: when they open, who probes, how they close, and places by name. */
#include "chat/provider/breaker.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX 4
#define OPEN_MS 1000

enum { NOBODY, ANNA, BEN, CLEO };

/* So many failures in a row. */
static bool fails(struct breaker *b, uint64_t who, int times)
{
    bool opened = false;
    for (int i = 0; i < times; i++)
        opened |= breaker_failed(b, who, 100, MAX, OPEN_MS);
    return opened;
}

static enum breaker_state ask(struct breaker *b, uint64_t who, int64_t now)
{
    int64_t wait;
    enum breaker_state seen = breaker_peek(b, who, now), said = breaker_ask(b, who, now, &wait);
    assert_int_equal(wait > 0, said == BREAKER_OPEN);
    if (said == BREAKER_OPEN || seen == BREAKER_OPEN)
        assert_int_equal(seen, said);
    return said;
}

static void opens_after_so_many_failures_in_a_row(void **state)
{
    (void)state;
    struct breaker b = {0};
    int64_t wait;
    for (int i = 0; i < 10; i++) {
        assert_false(fails(&b, NOBODY, MAX - 1));
        assert_false(breaker_succeeded(&b)); /* begins the count anew */
    }
    assert_int_equal(ask(&b, ANNA, 100), BREAKER_CLOSED);
    assert_false(fails(&b, NOBODY, MAX - 1));
    assert_true(fails(&b, NOBODY, 1));
    assert_int_equal(breaker_ask(&b, ANNA, 101, &wait), BREAKER_OPEN);
    assert_int_equal(wait, OPEN_MS - 1);
    /* A call from before it opened tells nothing new. */
    assert_false(breaker_failed(&b, NOBODY, 500, MAX, OPEN_MS));
    assert_int_equal(breaker_ask(&b, ANNA, 500, &wait), BREAKER_OPEN);
    assert_int_equal(wait, 600);
}

static void one_user_shuts_nobody_else_out(void **state)
{
    (void)state;
    struct breaker b = {0};
    assert_false(fails(&b, ANNA, MAX - 1));
    assert_int_equal(ask(&b, ANNA, 101), BREAKER_CLOSED);
    assert_false(fails(&b, ANNA, 100));
    assert_int_equal(breaker_state(&b, 101), BREAKER_CLOSED);
    assert_int_equal(ask(&b, BEN, 101), BREAKER_CLOSED);
    assert_int_equal(ask(&b, ANNA, 101), BREAKER_OPEN);
    assert_false(breaker_succeeded(&b)); /* Ben's */
    assert_int_equal(ask(&b, ANNA, 101), BREAKER_CLOSED);
}

static void a_user_probes_alone(void **state)
{
    (void)state;
    struct breaker b = {0};
    fails(&b, ANNA, MAX);
    assert_int_equal(ask(&b, ANNA, 100 + OPEN_MS - 1), BREAKER_OPEN);
    assert_int_equal(ask(&b, ANNA, 100 + OPEN_MS), BREAKER_PROBING);
    assert_int_equal(ask(&b, ANNA, 100 + OPEN_MS), BREAKER_OPEN);
    breaker_undecided(&b, ANNA, 100 + OPEN_MS);
    assert_int_equal(ask(&b, ANNA, 100 + OPEN_MS), BREAKER_PROBING);
    breaker_failed(&b, ANNA, 100 + OPEN_MS, MAX, OPEN_MS);
    assert_int_equal(ask(&b, ANNA, 100 + 3 * OPEN_MS - 1), BREAKER_OPEN);
    assert_int_equal(ask(&b, ANNA, 100 + 3 * OPEN_MS), BREAKER_PROBING);
}

static void it_takes_more_than_one_user(void **state)
{
    (void)state;
    struct breaker b = {0}, c = {0}, d = {0}, e = {0};
    /* Half of it at most is one user's. */
    assert_false(fails(&b, ANNA, 50));
    assert_false(fails(&b, BEN, 1));
    assert_true(fails(&b, BEN, 1));
    assert_int_equal(ask(&b, CLEO, 101), BREAKER_OPEN);
    /* In whatever order. */
    assert_false(fails(&c, BEN, 1));
    assert_false(fails(&c, ANNA, 50));
    assert_true(fails(&c, CLEO, 1));
    /* Of users beyond those that have a place, each counts. */
    for (uint64_t who = 1; who <= BREAKER_USERS; who++)
        assert_false(fails(&d, who, who < BREAKER_USERS ? 0 : MAX));
    assert_true(fails(&d, 100, 1) || fails(&d, 101, 1));
    /* With one failure to open it, two users must have failed. */
    assert_false(breaker_failed(&e, ANNA, 100, 1, OPEN_MS));
    assert_int_equal(ask(&e, BEN, 101), BREAKER_CLOSED);
    assert_true(breaker_failed(&e, BEN, 100, 1, OPEN_MS));
}

static void who_failed_a_probe_leaves_the_next_to_others(void **state)
{
    (void)state;
    struct breaker b = {0};
    int64_t now = 100 + OPEN_MS;
    fails(&b, ANNA, 2);
    assert_true(fails(&b, BEN, 2));
    assert_int_equal(ask(&b, ANNA, now), BREAKER_PROBING);
    breaker_failed(&b, ANNA, now, MAX, OPEN_MS);
    now += 2 * OPEN_MS;
    assert_int_equal(ask(&b, ANNA, now), BREAKER_OPEN);
    assert_int_equal(ask(&b, BEN, now), BREAKER_PROBING);
    breaker_undecided(&b, BEN, now);
    assert_int_equal(ask(&b, ANNA, now + BREAKER_YIELD_MS), BREAKER_PROBING);
    assert_true(breaker_succeeded(&b));
    assert_int_equal(ask(&b, ANNA, now), BREAKER_CLOSED);
}

static void one_probes_and_closes_it(void **state)
{
    (void)state;
    struct breaker b = {0};
    breaker_failed(&b, NOBODY, 0, 1, OPEN_MS);
    assert_int_equal(breaker_state(&b, OPEN_MS - 1), BREAKER_OPEN);
    assert_int_equal(breaker_state(&b, OPEN_MS), BREAKER_PROBING);
    assert_int_equal(ask(&b, ANNA, OPEN_MS), BREAKER_PROBING);
    assert_int_equal(ask(&b, BEN, OPEN_MS), BREAKER_OPEN);
    assert_true(breaker_succeeded(&b));
    assert_int_equal(ask(&b, BEN, OPEN_MS), BREAKER_CLOSED);
    assert_false(breaker_succeeded(&b));
}

static void a_probe_that_is_lost_is_made_again(void **state)
{
    (void)state;
    struct breaker b = {0};
    breaker_failed(&b, NOBODY, 0, 1, OPEN_MS);
    assert_int_equal(ask(&b, ANNA, OPEN_MS), BREAKER_PROBING);
    assert_int_equal(ask(&b, BEN, OPEN_MS + BREAKER_PROBE_MS - 1), BREAKER_OPEN);
    assert_int_equal(ask(&b, BEN, OPEN_MS + BREAKER_PROBE_MS), BREAKER_PROBING);
    breaker_undecided(&b, BEN, OPEN_MS + BREAKER_PROBE_MS); /* it told nothing */
    assert_int_equal(ask(&b, ANNA, OPEN_MS + BREAKER_PROBE_MS), BREAKER_PROBING);
}

static void failed_probes_keep_it_open_longer(void **state)
{
    (void)state;
    struct breaker b = {0};
    int64_t wait, now = 0;
    breaker_failed(&b, NOBODY, now, 1, OPEN_MS);
    for (int i = 0; i < BREAKER_DOUBLINGS + 3; i++) {
        int64_t open = (int64_t)OPEN_MS << (i < BREAKER_DOUBLINGS ? i : BREAKER_DOUBLINGS);
        assert_int_equal(breaker_ask(&b, ANNA, now, &wait), BREAKER_OPEN);
        assert_int_equal(wait, open);
        now += open;
        assert_int_equal(ask(&b, ANNA, now), BREAKER_PROBING);
        assert_false(breaker_failed(&b, NOBODY, now, 1, OPEN_MS)); /* it was open already */
    }
    now += (int64_t)OPEN_MS << BREAKER_DOUBLINGS;
    assert_int_equal(ask(&b, ANNA, now), BREAKER_PROBING);
    assert_true(breaker_succeeded(&b));
    assert_true(breaker_failed(&b, NOBODY, now, 1, OPEN_MS)); /* and begins anew */
    breaker_ask(&b, ANNA, now, &wait);
    assert_int_equal(wait, OPEN_MS);
}

static void cooling_is_apart(void **state)
{
    (void)state;
    struct breaker b = {0};
    breaker_cool(&b, 100, 50);
    assert_int_equal(breaker_cooling(&b, 110), 40);
    breaker_cool(&b, 110, 10); /* the longer one holds */
    assert_int_equal(breaker_cooling(&b, 110), 40);
    assert_int_equal(breaker_cooling(&b, 150), 0);
    assert_int_equal(ask(&b, ANNA, 110), BREAKER_CLOSED);
}

static void what_is_lacking_is_kept_for_a_while(void **state)
{
    (void)state;
    struct breaker b = {0};
    breaker_set_lack(&b, 1, 100, 50);
    assert_true(breaker_lacks(&b, 1, 149));
    assert_false(breaker_lacks(&b, 1, 150));
    assert_false(breaker_lacks(&b, 0, 149));
    breaker_succeeded(&b);
    assert_true(breaker_lacks(&b, 1, 149));
}

static void without_one_all_is_open_to_all(void **state)
{
    (void)state;
    struct breaker b = {0};
    assert_int_equal(ask(NULL, ANNA, 1), BREAKER_CLOSED);
    assert_int_equal(breaker_state(NULL, 1), BREAKER_CLOSED);
    assert_false(breaker_failed(NULL, ANNA, 1, MAX, OPEN_MS));
    assert_false(breaker_succeeded(NULL));
    assert_int_equal(breaker_cooling(NULL, 1), 0);
    assert_false(breaker_lacks(NULL, 0, 1));
    breaker_cool(NULL, 1, 1);
    breaker_set_lack(NULL, 0, 1, 1);
    breaker_undecided(NULL, ANNA, 1);
    for (int i = 0; i < 100; i++)
        assert_false(breaker_failed(&b, NOBODY, 1, 0, OPEN_MS)); /* 0: never */
    assert_int_equal(ask(&b, ANNA, 1), BREAKER_CLOSED);
}

static void providers_have_places(void **state)
{
    (void)state;
    struct breakers *all = calloc(1, sizeof *all);
    char name[40];
    assert_non_null(all);
    struct breaker *first = breaker_of_provider(all, "first");
    assert_non_null(first);
    assert_ptr_equal(breaker_of_provider(all, "first"), first);
    assert_ptr_not_equal(breaker_of_provider(all, "firs"), first);
    assert_string_equal(first->provider, "first");
    assert_string_equal(first->model, "");
    int found = 2;
    for (int i = 0; i < 2 * BREAKER_PROVIDERS; i++) {
        snprintf(name, sizeof name, "provider %d", i);
        found += breaker_of_provider(all, name) != NULL;
    }
    assert_int_equal(found, BREAKER_PROVIDERS);
    assert_null(breaker_of_provider(all, "one more"));
    assert_ptr_equal(breaker_of_provider(all, "first"), first);
    free(all);
}

static void models_have_places_while_they_fail(void **state)
{
    (void)state;
    struct breakers *all = calloc(1, sizeof *all);
    assert_non_null(all);
    assert_null(breaker_of_route(all, "p", "m", true, false, 1));
    struct breaker *b = breaker_of_route(all, "p", "m", true, true, 1);
    assert_non_null(b);
    assert_ptr_equal(breaker_of_route(all, "p", "m", true, false, 1), b);
    assert_null(breaker_of_route(all, "pm", "", true, false, 1));
    assert_null(breaker_of_route(all, "", "pm", true, false, 1));
    assert_null(breaker_of_route(NULL, "p", "m", true, true, 1));
    assert_string_equal(b->provider, "p");
    assert_string_equal(b->model, "m");
    free(all);
}

/* However many models fail: the memory is what it is, and those that are open stay. */
static void many_models_fail(void **state)
{
    (void)state;
    struct breakers *all = calloc(1, sizeof *all);
    char model[40];
    enum breaker_state of_one;
    int made = 0, seen = 0, at = 0;
    assert_non_null(all);
    struct breaker *open = breaker_of_route(all, "p", "open", true, true, 1);
    fails(open, NOBODY, MAX);
    struct breaker *cool = breaker_of_route(all, "p", "cool", true, true, 1);
    breaker_cool(cool, 1, 1000000);
    for (int i = 0; i < 20 * BREAKER_ROUTES; i++) {
        snprintf(model, sizeof model, "model %d", i);
        struct breaker *b = breaker_of_route(all, "p", model, true, true, i);
        if (b == NULL)
            continue;
        made++;
        assert_string_equal(b->model, model);
        breaker_failed(b, ANNA, i, MAX, OPEN_MS);
        assert_int_equal(atomic_load(&b->failures), 1); /* none of who was there before */
    }
    assert_int_equal(made, 20 * BREAKER_ROUTES);
    while (breakers_next(all, 1, &at, &of_one) != NULL)
        seen++;
    assert_int_equal(seen, BREAKER_ROUTES);
    assert_ptr_equal(breaker_of_route(all, "p", "open", true, false, 1), open);
    assert_ptr_equal(breaker_of_route(all, "p", "cool", true, false, 1), cool);
    assert_non_null(breaker_of_route(all, "p", model, true, false, 1)); /* the last one, too */
    free(all);
}

static void long_names_are_cut_between_characters(void **state)
{
    (void)state;
    struct breakers *all = calloc(1, sizeof *all);
    char name[2 * BREAKER_MODEL_ROOM + 1] = "x";
    assert_non_null(all);
    for (size_t i = 1; i + 2 < sizeof name; i += 2)
        memcpy(name + i, "\xc3\xa9", 3);
    struct breaker *b = breaker_of_route(all, "p", name, true, true, 1);
    assert_int_equal(strlen(b->model), BREAKER_MODEL_ROOM - 1);
    assert_memory_equal(b->model, name, BREAKER_MODEL_ROOM - 1);
    struct breaker *other = breaker_of_route(all, "p", name + 1, true, true, 1);
    assert_int_equal(strlen(other->model), BREAKER_MODEL_ROOM - 2);
    assert_ptr_equal(breaker_of_route(all, "p", name, true, false, 1), b);
    free(all);
}

/* Names that are cut alike are one figure, with the worst of their states. */
static void what_is_shown_alike_comes_once(void **state)
{
    (void)state;
    struct breakers *all = calloc(1, sizeof *all);
    char names[2][BREAKER_MODEL_ROOM + 1];
    enum breaker_state seen;
    int at = 0;
    assert_non_null(all);
    for (int i = 0; i < 2; i++) {
        memset(names[i], 'x', BREAKER_MODEL_ROOM);
        names[i][BREAKER_MODEL_ROOM - 1] = (char)('a' + i);
        names[i][BREAKER_MODEL_ROOM] = '\0';
    }
    breaker_of_provider(all, "p");
    struct breaker *closed = breaker_of_route(all, "p", names[0], true, true, 1);
    struct breaker *open = breaker_of_route(all, "p", names[1], true, true, 1);
    assert_ptr_not_equal(closed, open);
    fails(open, NOBODY, MAX);
    assert_string_equal(breakers_next(all, 101, &at, &seen)->model, "");
    assert_int_equal(seen, BREAKER_CLOSED);
    assert_string_equal(breakers_next(all, 101, &at, &seen)->model, open->model);
    assert_int_equal(seen, BREAKER_OPEN);
    assert_null(breakers_next(all, 101, &at, &seen));
    free(all);
}

/* Names that clients make up are apart from each other, shown as one, and keep no known model from
 * having a place. */
static void names_that_clients_make_up(void **state)
{
    (void)state;
    struct breakers *all = calloc(1, sizeof *all);
    char model[40];
    enum breaker_state seen;
    int at = 0;
    assert_non_null(all);
    for (int i = 0; i < 20 * BREAKER_ROUTES; i++) {
        snprintf(model, sizeof model, "made up %d", i);
        fails(breaker_of_route(all, "p", model, false, true, i), NOBODY, MAX);
    }
    assert_string_equal(breakers_next(all, 101, &at, &seen)->model, BREAKER_OTHER);
    assert_int_equal(seen, BREAKER_OPEN);
    assert_null(breakers_next(all, 101, &at, &seen));
    assert_null(breaker_of_route(all, "p", "one more", false, true, 101));
    struct breaker *known = breaker_of_route(all, "p", "known", true, true, 101);
    assert_non_null(known);
    assert_string_equal(known->model, "known");
    assert_int_equal(ask(known, ANNA, 101), BREAKER_CLOSED);
    free(all);
}

static void users_have_numbers(void **state)
{
    (void)state;
    uint64_t one = breaker_who("00000000-0000-7000-8000-000000000001");
    assert_int_not_equal(one, 0);
    assert_int_not_equal(one, breaker_who("00000000-0000-7000-8000-000000000002"));
    assert_int_equal(one, breaker_who("00000000-0000-7000-8000-000000000001"));
}

static const struct CMUnitTest breaker_tests[] = {
    cmocka_unit_test(opens_after_so_many_failures_in_a_row),
    cmocka_unit_test(one_user_shuts_nobody_else_out),
    cmocka_unit_test(a_user_probes_alone),
    cmocka_unit_test(it_takes_more_than_one_user),
    cmocka_unit_test(who_failed_a_probe_leaves_the_next_to_others),
    cmocka_unit_test(one_probes_and_closes_it),
    cmocka_unit_test(a_probe_that_is_lost_is_made_again),
    cmocka_unit_test(failed_probes_keep_it_open_longer),
    cmocka_unit_test(cooling_is_apart),
    cmocka_unit_test(what_is_lacking_is_kept_for_a_while),
    cmocka_unit_test(without_one_all_is_open_to_all),
    cmocka_unit_test(providers_have_places),
    cmocka_unit_test(models_have_places_while_they_fail),
    cmocka_unit_test(many_models_fail),
    cmocka_unit_test(long_names_are_cut_between_characters),
    cmocka_unit_test(what_is_shown_alike_comes_once),
    cmocka_unit_test(names_that_clients_make_up),
    cmocka_unit_test(users_have_numbers),
};
UNIT_MAIN(breaker_tests)
