/* Rate limits as a worker holds them without Postgres, what it gathers for it, and the headers. */
#include "chat/snapshot/limits.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Slow enough that no test fills a bucket by a whole one. */
static const char rules[] =
    "[{\"scope\":\"user\",\"key\":\"\",\"rpm\":2,\"tpm\":0},"
    "{\"scope\":\"user\",\"key\":\"large\",\"rpm\":4,\"burst\":3,\"tpm\":0},"
    "{\"scope\":\"address\",\"key\":\"\",\"rpm\":0,\"tpm\":100},"
    "{\"scope\":1},{},7]";

static struct limits *known(const char *json)
{
    struct limits *l = limits_new();
    cJSON *list = cJSON_Parse(json);
    assert_non_null(l);
    limits_take(l, list);
    cJSON_Delete(list);
    return l;
}

static bool ask(struct limits *l, const char *user, const char *address, int64_t tokens,
                struct limit_left *left, struct api_error *error)
{
    return limits_allow(l, &(struct limit_who){.user = user, .address = address}, tokens, left,
                        error);
}

static void each_has_its_own_bucket(void **state)
{
    (void)state;
    struct limits *l = known(rules);
    struct limit_left left;
    struct api_error error;
    assert_true(ask(l, "a", NULL, 0, &left, &error));
    assert_int_equal(left.limit_requests, 2);
    assert_int_equal(left.remaining_requests, 1);
    assert_true(left.reset_requests_ms > 0 && left.reset_requests_ms <= 30000);
    assert_true(ask(l, "a", NULL, 0, &left, &error));
    assert_false(ask(l, "a", NULL, 0, &left, &error));
    assert_int_equal(error.status, 429);
    assert_string_equal(error.code, "rate_limit_exceeded");
    assert_string_equal(error.type, "requests");
    assert_true(error.retry_after_ms > 0 && error.retry_after_ms <= 30000);
    assert_true(ask(l, "b", NULL, 0, &left, &error));
    limits_free(l);
}

static void an_own_limit_comes_before_that_of_each(void **state)
{
    (void)state;
    struct limits *l = known(rules);
    struct limit_left left;
    struct api_error error;
    for (int i = 0; i < 3; i++) /* its burst */
        assert_true(ask(l, "large", NULL, 0, &left, &error));
    assert_int_equal(left.limit_requests, 4);
    assert_false(ask(l, "large", NULL, 0, &left, &error));
    limits_free(l);
}

static void tokens_may_go_below_nothing_once(void **state)
{
    (void)state;
    struct limits *l = known(rules);
    struct limit_left left;
    struct api_error error;
    assert_true(ask(l, NULL, "192.0.2.1", 1000, &left, &error));
    assert_int_equal(left.remaining_tokens, 0);
    assert_false(ask(l, NULL, "192.0.2.1", 1, &left, &error));
    assert_string_equal(error.type, "tokens");
    assert_true(error.retry_after_ms > 500000 &&
                error.retry_after_ms < 550000); /* 901 at 100 a minute */
    limits_free(l);
}

static void what_was_charged_here_is_taken_once(void **state)
{
    (void)state;
    struct limits *l = known("[{\"scope\":\"user\",\"key\":\"\",\"rpm\":100,\"tpm\":1000}]");
    const struct limit_who who = {.user = "a"};
    struct limit_left left, after;
    struct api_error error;
    struct buf out;
    buf_init(&out, 1000);
    assert_true(ask(l, "a", NULL, 400, &left, &error));
    assert_int_equal(left.remaining_tokens, 600);
    limits_spend(l, &who, 450, &left);
    assert_true(ask(l, "a", NULL, 0, &after, &error));
    assert_in_range(after.remaining_tokens, 550, 599); /* filled a little since */
    limits_spend(l, &who, 0, &after);
    limits_put_spent(l, &out);
    assert_string_equal(out.data, ",\"tokens\":{\"user:a\":450}"); /* Postgres charged nothing */
    buf_release(&out);
    limits_free(l);
}

static void who_is_refused_takes_nothing(void **state)
{
    (void)state;
    struct limits *l = known(rules);
    struct limit_left left;
    struct api_error error;
    assert_true(ask(l, "a", "192.0.2.1", 1000, &left, &error));
    for (int i = 0; i < 5; i++)
        assert_false(ask(l, "a", "192.0.2.1", 1, &left, &error));
    assert_true(ask(l, "a", "192.0.2.2", 1, &left, &error)); /* the user has one left */
    limits_free(l);
}

static void without_limits_nothing_is_held(void **state)
{
    (void)state;
    struct limits *l = known("[]");
    struct limit_left left;
    struct api_error error;
    struct buf headers;
    buf_init(&headers, 1000);
    for (int i = 0; i < 1000; i++)
        assert_true(ask(l, "a", "192.0.2.1", 1000000, &left, &error));
    limit_left_headers(&left, &headers);
    assert_int_equal(headers.len, 0);
    limits_take(l, NULL);
    assert_true(ask(l, "a", "", 1, &left, &error));
    limits_free(l);
}

static void what_was_spent_is_told_until_it_is_heard(void **state)
{
    (void)state;
    struct limits *l = known("[]");
    const struct limit_who who = {.user = "a", .address = "192.0.2.1", .api_key = "k"};
    struct buf out;
    buf_init(&out, 1000);
    limits_put_spent(l, &out);
    assert_int_equal(out.len, 0);
    const struct limit_left charged = {.charged_tokens = 10};
    limits_spend(l, &who, 10, &charged);
    limits_put_spent(l, &out);
    assert_int_equal(out.len, 0);
    limits_spend(l, &who, 17, &charged);
    limits_spend(l, &who, 7, &charged);
    limits_put_spent(l, &out);
    assert_non_null(strstr(out.data, ",\"tokens\":{"));
    assert_non_null(strstr(out.data, "\"user:a\":4"));
    assert_non_null(strstr(out.data, "\"api_key:k\":4"));
    assert_non_null(strstr(out.data, "\"address:192.0.2.1\":4"));
    limits_acknowledge(l, false);
    limits_spend(l, &who, 11, &charged);
    buf_clear(&out);
    limits_put_spent(l, &out);
    assert_non_null(strstr(out.data, "\"user:a\":5"));
    limits_acknowledge(l, true);
    buf_clear(&out);
    limits_put_spent(l, &out);
    assert_int_equal(out.len, 0);
    buf_release(&out);
    limits_free(l);
}

static bool give(struct limits *l, const char *user, struct api_error *error)
{
    return limits_allow_feedback(l, &(struct limit_who){.user = user, .address = "192.0.2.1"},
                                 error);
}

static void feedback_has_a_limit_of_its_own(void **state)
{
    (void)state;
    struct limits *l = known("[{\"scope\":\"user\",\"key\":\"\",\"rpm\":1,\"feedback\":2},"
                             "{\"scope\":\"user\",\"key\":\"large\",\"rpm\":1,\"feedback\":3},"
                             "{\"scope\":\"user\",\"key\":\"chatty\",\"rpm\":9},"
                             "{\"scope\":\"user\",\"key\":\"shy\",\"feedback\":1}]");
    struct limit_left left;
    struct api_error error;
    assert_true(ask(l, "a", NULL, 0, &left, &error));
    assert_true(give(l, "a", &error));
    assert_true(give(l, "a", &error));
    assert_false(give(l, "a", &error));
    assert_int_equal(error.status, 429);
    assert_string_equal(error.code, "rate_limit_exceeded");
    assert_string_equal(error.type, "requests");
    assert_non_null(strstr(error.message, "2 feedback calls a minute for this user"));
    assert_true(error.retry_after_ms > 0 && error.retry_after_ms <= 30000);
    for (int i = 0; i < 3; i++)
        assert_true(give(l, "large", &error));
    assert_false(give(l, "large", &error));
    /* An own limit of the one leaves that of the other as it is for each. */
    assert_true(give(l, "chatty", &error) && give(l, "chatty", &error));
    assert_false(give(l, "chatty", &error));
    assert_true(ask(l, "shy", NULL, 0, &left, &error));
    assert_false(ask(l, "shy", NULL, 0, &left, &error));
    limits_free(l);
}

static void a_changed_limit_begins_anew(void **state)
{
    (void)state;
    struct limits *l = known("[{\"scope\":\"user\",\"key\":\"\",\"rpm\":1}]");
    cJSON *more = cJSON_Parse("[{\"scope\":\"user\",\"key\":\"\",\"rpm\":5}]");
    struct limit_left left;
    struct api_error error;
    assert_true(ask(l, "a", NULL, 0, &left, &error));
    assert_false(ask(l, "a", NULL, 0, &left, &error));
    limits_take(l, more);
    assert_true(ask(l, "a", NULL, 0, &left, &error));
    assert_int_equal(left.remaining_requests, 4);
    cJSON_Delete(more);
    limits_free(l);
}

/* Adds what is told to sums, by the number in the user's name; returns of how many users. */
static int add_told(const char *told, int64_t *sums)
{
    if (*told == '\0')
        return 0;
    cJSON *o = cJSON_Parse(told + strlen(",\"tokens\":"));
    const cJSON *item;
    int count = cJSON_GetArraySize(o);
    assert_non_null(o);
    cJSON_ArrayForEach (item, o)
        sums[strtol(item->string + strlen("user:"), NULL, 10)] += (int64_t)item->valuedouble;
    cJSON_Delete(o);
    return count;
}

/* Many times as many as there are buckets, so that each loses its place. */
static void what_was_spent_is_told_of_however_many_users(void **state)
{
    (void)state;
    enum { USERS = 20000 };
    struct limits *l = known(rules);
    static int64_t sums[USERS];
    const struct limit_left none = {0};
    char user[32];
    struct buf out;
    int times = 0, told;
    buf_init(&out, 1024 * 1024); /* what the sync thread has room for */
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < USERS; i++) {
            struct limit_left left;
            struct api_error error;
            snprintf(user, sizeof user, "%d", i);
            limits_spend(l, &(struct limit_who){.user = user}, 1 + i % 7, &none);
            ask(l, user, NULL, 0, &left, &error);
        }
    limits_put_spent(l, &out);
    limits_acknowledge(l, false);
    do {
        buf_clear(&out);
        limits_put_spent(l, &out);
        assert_false(out.failed);
        told = add_told(out.data, sums);
        assert_true(told <= LIMITS_SETTLED_AT_ONCE);
        limits_acknowledge(l, true);
        times++;
        /* Who goes on keeps nobody waiting. */
        limits_spend(l, &(struct limit_who){.user = "0"}, 1, &none);
    } while (told > 1);
    assert_int_equal(times, (USERS + LIMITS_SETTLED_AT_ONCE - 1) / LIMITS_SETTLED_AT_ONCE + 1);
    for (int i = 1; i < USERS; i++)
        assert_int_equal(sums[i], 2 * (1 + i % 7));
    buf_release(&out);
    limits_free(l);
}

static void more_users_than_there_is_room_for(void **state)
{
    (void)state;
    struct limits *l = known(rules);
    struct limit_left left;
    struct api_error error;
    char user[32];
    for (int i = 0; i < 20000; i++) {
        snprintf(user, sizeof user, "user %d", i);
        assert_true(ask(l, user, NULL, 0, &left, &error));
    }
    memset(user, 'x', sizeof user);
    user[sizeof user - 1] = '\0';
    char endless[200];
    memset(endless, 'y', sizeof endless);
    endless[sizeof endless - 1] = '\0';
    assert_true(ask(l, endless, NULL, 0, &left, &error)); /* no such id; it has no bucket */
    limits_free(l);
}

static void who_was_refused_is_known_for_a_while(void **state)
{
    (void)state;
    struct limits *l = known("[]");
    const struct limit_who ann = {.user = "ann", .address = "192.0.2.1"};
    const struct limit_who elsewhere = {.user = "ann", .address = "192.0.2.2"};
    const struct limit_who bob = {.user = "bob", .address = "192.0.2.1"};
    const struct limit_who nobody = {0};
    assert_false(limits_is_refused(l, &ann));
    assert_false(limits_is_refused(l, &nobody));
    limits_note_refused(l, &ann, INT64_MAX);
    assert_true(limits_is_refused(l, &ann));
    assert_false(limits_is_refused(l, &elsewhere));
    assert_false(limits_is_refused(l, &bob));
    assert_false(limits_is_refused(l, &nobody));
    limits_note_refused(l, &ann, 0);
    assert_false(limits_is_refused(l, &ann));
    limits_free(l);
}

static void the_row_and_the_headers(void **state)
{
    (void)state;
    struct limit_left left = {0};
    struct buf headers;
    buf_init(&headers, 1000);
    limit_left_read(&left, "120 119 500 200000 199000 301500 250");
    assert_int_equal(left.charged_tokens, 250);
    limit_left_headers(&left, &headers);
    assert_string_equal(
        headers.data, "x-ratelimit-limit-requests: 120\r\nx-ratelimit-remaining-requests: 119\r\n"
                      "x-ratelimit-reset-requests: 500ms\r\nx-ratelimit-limit-tokens: 200000\r\n"
                      "x-ratelimit-remaining-tokens: 199000\r\nx-ratelimit-reset-tokens: 5m1s\r\n");
    buf_clear(&headers);
    limit_left_read(&left, "0 0 0 10 9 1500 1");
    limit_left_headers(&left, &headers);
    assert_string_equal(headers.data,
                        "x-ratelimit-limit-tokens: 10\r\nx-ratelimit-remaining-tokens: 9\r\n"
                        "x-ratelimit-reset-tokens: 1.5s\r\n");
    const struct limit_left before = left;
    limit_left_read(&left, "1 2 three");
    limit_left_read(&left, "");
    assert_memory_equal(&left, &before, sizeof left);
    buf_release(&headers);
}

static const struct CMUnitTest limits_tests[] = {
    cmocka_unit_test(each_has_its_own_bucket),
    cmocka_unit_test(an_own_limit_comes_before_that_of_each),
    cmocka_unit_test(tokens_may_go_below_nothing_once),
    cmocka_unit_test(what_was_charged_here_is_taken_once),
    cmocka_unit_test(who_is_refused_takes_nothing),
    cmocka_unit_test(without_limits_nothing_is_held),
    cmocka_unit_test(what_was_spent_is_told_until_it_is_heard),
    cmocka_unit_test(feedback_has_a_limit_of_its_own),
    cmocka_unit_test(a_changed_limit_begins_anew),
    cmocka_unit_test(what_was_spent_is_told_of_however_many_users),
    cmocka_unit_test(more_users_than_there_is_room_for),
    cmocka_unit_test(who_was_refused_is_known_for_a_while),
    cmocka_unit_test(the_row_and_the_headers),
};
UNIT_MAIN(limits_tests)
