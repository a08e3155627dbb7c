/*
 * A pool of connections to Postgres, used by many threads. Run by pg_pool.py, which gives the
 * conninfo of a real server, as a superuser, in PG_CONNINFO.
 */
#include "common/clock.h"
#include "common/log.h"
#include "common/pg_pool.h"
#include "unit.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define THREADS 24
#define LIMIT_MS 1500
#define NONE_YET ((enum pg_outcome) - 1)

static const char *conninfo;

/* Each answers with what it was given, and the transaction it ran in. */
static const struct pg_statement joins = {
    .name = "joins",
    .sql = "select value, pg_current_xact_id()::text, n from unnest($1::text[]) with ordinality as "
           "r(value, n) order by n desc",
    .params = 1,
    .for_many = true};
static const struct pg_statement alone = {
    .name = "alone", .sql = "select $1::text, pg_current_xact_id()::text", .params = 1};
static const struct pg_statement divides = {
    .name = "divides",
    .sql = "select (12 / value)::text, pg_current_xact_id()::text, n "
           "from unnest($1::text[]::int[]) with ordinality as r(value, n)",
    .params = 1,
    .for_many = true};
static const struct pg_statement sleeps = {
    .name = "sleeps", .sql = "select pg_backend_pid(), pg_sleep($1::float8)", .params = 1};
static const struct pg_statement naps = {
    .name = "naps",
    .sql = "select value, pg_sleep(value::float8)::text, n "
           "from unnest($1::text[]) with ordinality as r(value, n)",
    .params = 1,
    .for_many = true};

struct caller {
    struct pg_pool *pool;
    const struct pg_statement *statement;
    char value[16];
    bool is_null;
    enum pg_outcome outcome;
    char answer[64], transaction[32], sqlstate[8];
    int64_t took_ms;
    int number;
    pthread_t thread;
};

static void *call(void *arg)
{
    struct caller *c = arg;
    const char *values[] = {c->is_null ? NULL : c->value};
    PGresult *result;
    int64_t start = clock_ms();
    c->outcome = pg_pool_call(c->pool, c->statement, values, &result);
    c->took_ms = clock_ms() - start;
    if (c->outcome == PG_DONE) {
        snprintf(c->answer, sizeof c->answer, "%s",
                 PQgetisnull(result, 0, 0) ? "(null)" : PQgetvalue(result, 0, 0));
        snprintf(c->transaction, sizeof c->transaction, "%s", PQgetvalue(result, 0, 1));
    } else if (c->outcome == PG_REFUSED && result != NULL) {
        snprintf(c->sqlstate, sizeof c->sqlstate, "%s",
                 PQresultErrorField(result, PG_DIAG_SQLSTATE));
    } else {
        assert_null(result);
    }
    PQclear(result);
    return NULL;
}

static void begin(struct caller *c, struct pg_pool *pool, const struct pg_statement *statement,
                  const char *value)
{
    *c = (struct caller){.pool = pool, .statement = statement, .outcome = NONE_YET};
    c->is_null = value == NULL;
    snprintf(c->value, sizeof c->value, "%s", value != NULL ? value : "");
    assert_int_equal(pthread_create(&c->thread, NULL, call, c), 0);
}

static struct pg_pool *pool_of(const char *where, size_t connections)
{
    struct pg_pool *pool = pg_pool_new(where, "test", connections, LIMIT_MS, 300);
    assert_non_null(pool);
    return pool;
}

/* Keeps the pool's only connection until all the others wait. */
static void begin_blocker(struct caller *blocker, struct pg_pool *pool)
{
    begin(blocker, pool, &sleeps, "0.8");
    usleep(150000);
}

static size_t transactions(const struct caller *callers, size_t count)
{
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        size_t before = 0;
        while (strcmp(callers[before].transaction, callers[i].transaction) != 0)
            before++;
        n += before == i;
    }
    return n;
}

static void who_waits_goes_together(void **state)
{
    (void)state;
    struct pg_pool *pool = pool_of(conninfo, 1);
    struct caller blocker, callers[THREADS];
    begin_blocker(&blocker, pool);
    for (int i = 0; i < THREADS; i++) {
        char value[16];
        snprintf(value, sizeof value, "%d", i);
        begin(&callers[i], pool, &joins, value);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(callers[i].thread, NULL);
        assert_int_equal(callers[i].outcome, PG_DONE);
        assert_string_equal(callers[i].answer, callers[i].value);
    }
    pthread_join(blocker.thread, NULL);
    assert_int_equal(blocker.outcome, PG_DONE);
    assert_int_equal(transactions(callers, THREADS),
                     (THREADS + PG_POOL_TOGETHER - 1) / PG_POOL_TOGETHER);
    pg_pool_free(pool);
}

static void values_come_through(void **state)
{
    static const char *const values[] = {
        "a \"b\" \\", "gr\xc3\xbc\xc3\x9f", "1\n2\t3", "", "\\u0041", "null"};
    enum { COUNT = sizeof values / sizeof values[0] };
    (void)state;
    struct pg_pool *pool = pool_of(conninfo, 1);
    struct caller blocker, callers[COUNT + 1];
    begin_blocker(&blocker, pool);
    for (int i = 0; i < COUNT; i++)
        begin(&callers[i], pool, &joins, values[i]);
    begin(&callers[COUNT], pool, &joins, NULL);
    for (int i = 0; i <= COUNT; i++) {
        pthread_join(callers[i].thread, NULL);
        assert_int_equal(callers[i].outcome, PG_DONE);
        assert_string_equal(callers[i].answer, i < COUNT ? values[i] : "(null)");
    }
    pthread_join(blocker.thread, NULL);
    assert_int_equal(transactions(callers, COUNT + 1), 1);
    pg_pool_free(pool);
}

static void others_go_alone(void **state)
{
    (void)state;
    struct pg_pool *pool = pool_of(conninfo, 1);
    struct caller blocker, callers[8];
    begin_blocker(&blocker, pool);
    for (int i = 0; i < 8; i++)
        begin(&callers[i], pool, i % 2 == 0 ? &joins : &alone, i % 2 == 0 ? "join" : "alone");
    for (int i = 0; i < 8; i++) {
        pthread_join(callers[i].thread, NULL);
        assert_int_equal(callers[i].outcome, PG_DONE);
        assert_string_equal(callers[i].answer, callers[i].value);
    }
    pthread_join(blocker.thread, NULL);
    assert_int_equal(transactions(callers, 8), 5); /* the four that join in one */
    pg_pool_free(pool);
}

static void a_refusal_is_for_who_earned_it(void **state)
{
    (void)state;
    struct pg_pool *pool = pool_of(conninfo, 1);
    struct caller blocker, callers[9];
    static const char *const values[] = {"1", "2", "0", "3", "x", "4", "6", "0", "12"};
    static const char *const answers[] = {"12", "6", "22012", "4", "22P02", "3", "2", "22012", "1"};
    begin_blocker(&blocker, pool);
    for (int i = 0; i < 9; i++)
        begin(&callers[i], pool, &divides, values[i]);
    for (int i = 0; i < 9; i++) {
        pthread_join(callers[i].thread, NULL);
        bool good = strlen(answers[i]) < 5;
        assert_int_equal(callers[i].outcome, good ? PG_DONE : PG_REFUSED);
        assert_string_equal(good ? callers[i].answer : callers[i].sqlstate, answers[i]);
    }
    pthread_join(blocker.thread, NULL);
    pg_pool_free(pool);
}

/* A statement that the server forgot, or never could prepare. */
static void what_cannot_be_prepared_is_refused(void **state)
{
    static const struct pg_statement forget = {.name = "forget", .sql = "deallocate all"};
    static const struct pg_statement missing = {.name = "missing",
                                                .sql = "select no_such_function()"};
    (void)state;
    struct pg_pool *pool = pool_of(conninfo, 1);
    struct caller blocker, callers[4];
    PGresult *result;
    begin(&callers[0], pool, &joins, "known");
    pthread_join(callers[0].thread, NULL);
    assert_int_equal(pg_pool_call(pool, &forget, NULL, &result), PG_DONE);
    PQclear(result);
    begin_blocker(&blocker, pool);
    for (int i = 0; i < 4; i++)
        begin(&callers[i], pool, i == 2 ? &missing : &joins, "text");
    for (int i = 0; i < 4; i++) {
        pthread_join(callers[i].thread, NULL);
        assert_int_equal(callers[i].outcome, i == 2 ? PG_REFUSED : PG_DONE);
        assert_string_equal(i == 2 ? callers[i].sqlstate : callers[i].answer,
                            i == 2 ? "42883" : "text");
    }
    pthread_join(blocker.thread, NULL);
    pg_pool_free(pool);
}

/* One slow call keeps the others waiting for as long as they gather, when there are more
 * connections. */
static void a_slow_call_is_passed(void **state)
{
    (void)state;
    struct pg_pool *pool = pool_of(conninfo, 2);
    struct caller slow, callers[THREADS];
    begin_blocker(&slow, pool);
    for (int i = 0; i < THREADS; i++)
        begin(&callers[i], pool, &joins, "x");
    for (int i = 0; i < THREADS; i++) {
        pthread_join(callers[i].thread, NULL);
        assert_int_equal(callers[i].outcome, PG_DONE);
    }
    assert_int_equal(slow.outcome, NONE_YET); /* still on its way */
    pthread_join(slow.thread, NULL);
    assert_int_equal(slow.outcome, PG_DONE);
    pg_pool_free(pool);
}

static pid_t parent_of(pid_t pid)
{
    char path[64];
    int parent = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%*d (%*[^)]) %*c %d", &parent), 1);
    fclose(file);
    return parent;
}

static pid_t backend_of(struct pg_pool *pool)
{
    struct caller first;
    begin(&first, pool, &sleeps, "0");
    pthread_join(first.thread, NULL);
    return atoi(first.answer);
}

static void who_waits_for_a_frozen_server_waits_once(void **state)
{
    (void)state;
    struct pg_pool *pool = pool_of(conninfo, 1);
    struct caller first, callers[THREADS];
    pid_t backend = backend_of(pool), postmaster = parent_of(backend);
    assert_int_equal(kill(postmaster, SIGSTOP), 0);
    assert_int_equal(kill(backend, SIGSTOP), 0);
    for (int i = 0; i < THREADS; i++) {
        char value[16];
        snprintf(value, sizeof value, "%d", i);
        begin(&callers[i], pool, i % 3 == 0 ? &alone : &joins, value);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(callers[i].thread, NULL);
    assert_int_equal(kill(backend, SIGCONT), 0);
    assert_int_equal(kill(postmaster, SIGCONT), 0);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(callers[i].outcome, PG_AWAY);
        assert_in_range(callers[i].took_ms, 0, 2 * LIMIT_MS);
    }
    begin(&first, pool, &joins, "back");
    pthread_join(first.thread, NULL);
    assert_string_equal(first.answer, "back");
    pg_pool_free(pool);
}

/* Only who was on it has no answer. */
static void a_frozen_backend_is_not_a_frozen_server(void **state)
{
    (void)state;
    struct pg_pool *pool = pool_of(conninfo, 1);
    struct caller callers[2];
    pid_t frozen = backend_of(pool);
    assert_int_equal(kill(frozen, SIGSTOP), 0);
    begin(&callers[0], pool, &alone, "one");
    begin(&callers[1], pool, &alone, "other");
    for (int i = 0; i < 2; i++)
        pthread_join(callers[i].thread, NULL);
    assert_int_equal(kill(frozen, SIGCONT), 0);
    int stuck = callers[0].outcome == PG_DONE; /* whichever came second */
    assert_int_equal(callers[stuck].outcome, PG_REFUSED);
    assert_string_equal(callers[stuck].sqlstate, "");
    assert_int_equal(callers[!stuck].outcome, PG_DONE);
    assert_string_equal(callers[!stuck].answer, callers[!stuck].value);
    pg_pool_free(pool);
}

/* Until so many statements sleep in Postgres. */
static void await_sleepers(const char *count)
{
    static const struct pg_statement sleepers = {
        .name = "sleepers",
        .sql = "select count(*)::text, '' from pg_stat_activity where wait_event = 'PgSleep'"};
    struct pg_pool *pool = pool_of(conninfo, 1);
    struct caller look = {.pool = pool, .statement = &sleepers};
    do {
        call(&look);
        assert_int_equal(look.outcome, PG_DONE);
    } while (strcmp(look.answer, count) != 0);
    pg_pool_free(pool);
}

/* However many slow calls somebody makes, they are never on all connections, and they do not pile
 * up. */
static void slow_calls_of_one_leave_room_for_others(void **state)
{
    enum { SLOW = 11 };
    (void)state;
    struct pg_pool *pool = pool_of(conninfo, 2);
    struct caller slow[SLOW], other;
    size_t done = 0, told_to_come_again = 0;
    for (int i = 0; i < SLOW; i++)
        begin(&slow[i], pool, &sleeps, "1.0");
    await_sleepers("1");
    for (int i = 0; i < 5; i++) {
        begin(&other, pool, &alone, "x");
        pthread_join(other.thread, NULL);
        assert_int_equal(other.outcome, PG_DONE);
    }
    for (int i = 0; i < SLOW; i++)
        assert_int_equal(slow[i].outcome, NONE_YET); /* none of them has been waited for */
    for (int i = 0; i < SLOW; i++) {
        pthread_join(slow[i].thread, NULL);
        done += slow[i].outcome == PG_DONE;
        told_to_come_again += slow[i].outcome == PG_REFUSED && slow[i].sqlstate[0] == '\0';
    }
    assert_int_equal(done + told_to_come_again, SLOW);
    assert_in_range(told_to_come_again, SLOW - 1 - PG_POOL_PATIENCE, SLOW - 1);
    begin(&other, pool, &sleeps, "0.01");
    pthread_join(other.thread, NULL);
    assert_int_equal(other.outcome, PG_DONE);
    pg_pool_free(pool);
}

/* Calls that went together with a slow one are made again without it, and do not wait for it a
 * second time. */
static void a_slow_one_among_many_is_left_behind(void **state)
{
    static const char *const values[] = {"9", "0", "0.001", "0.002", "0.003"};
    enum { COUNT = sizeof values / sizeof values[0] };
    (void)state;
    struct pg_pool *pool = pool_of(conninfo, 2);
    struct caller blockers[2], callers[COUNT];
    begin(&blockers[0], pool, &sleeps, "0.8");
    begin(&blockers[1], pool, &sleeps, "0.81");
    await_sleepers("2");
    for (int i = 0; i < COUNT; i++)
        begin(&callers[i], pool, &naps, values[i]);
    for (int i = 1; i < COUNT; i++) {
        pthread_join(callers[i].thread, NULL);
        assert_int_equal(callers[i].outcome, PG_DONE);
        assert_string_equal(callers[i].answer, values[i]);
    }
    assert_int_equal(callers[0].outcome, NONE_YET);
    pthread_join(callers[0].thread, NULL);
    assert_int_equal(callers[0].outcome, PG_REFUSED);
    assert_string_equal(callers[0].sqlstate, "57014");
    for (int i = 0; i < 2; i++)
        pthread_join(blockers[i].thread, NULL);
    pg_pool_free(pool);
}

static void a_connection_that_dies_is_replaced(void **state)
{
    (void)state;
    struct pg_pool *pool = pool_of(conninfo, 1);
    struct caller blocker, callers[THREADS];
    begin(&blocker, pool, &sleeps, "0");
    pthread_join(blocker.thread, NULL);
    pid_t backend = atoi(blocker.answer);
    begin_blocker(&blocker, pool);
    for (int i = 0; i < THREADS; i++)
        begin(&callers[i], pool, &joins, "x");
    assert_int_equal(kill(backend, SIGTERM), 0);
    pthread_join(blocker.thread, NULL);
    assert_int_equal(blocker.outcome, PG_AWAY);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(callers[i].thread, NULL); /* nobody is forgotten */
        assert_true(callers[i].outcome == PG_AWAY || strcmp(callers[i].answer, "x") == 0);
    }
    begin(&blocker, pool, &joins, "again");
    pthread_join(blocker.thread, NULL);
    assert_string_equal(blocker.answer, "again");
    pg_pool_free(pool);
}

static void *call_often(void *arg)
{
    struct caller *c = arg;
    for (int i = 0; i < 200; i++) {
        c->statement = i % 5 == 0 ? &alone : i % 7 == 0 ? &divides : &joins;
        if (c->statement == &alone) /* nobody else's, whom it would wait for */
            snprintf(c->value, sizeof c->value, "%d", c->number * 1000 + i);
        else
            snprintf(c->value, sizeof c->value, "%d", i % 4);
        call(c);
        bool refused = c->statement == &divides && i % 4 == 0;
        if (c->outcome != (refused ? PG_REFUSED : PG_DONE))
            return "a wrong outcome";
        if (c->statement != &divides && strcmp(c->answer, c->value) != 0)
            return "another's answer";
    }
    return NULL;
}

static void everybody_gets_their_own(void **state)
{
    (void)state;
    for (size_t connections = 1; connections <= 3; connections++) {
        struct pg_pool *pool = pool_of(conninfo, connections);
        struct caller callers[THREADS];
        for (int i = 0; i < THREADS; i++) {
            callers[i] = (struct caller){.pool = pool, .number = i};
            assert_int_equal(pthread_create(&callers[i].thread, NULL, call_often, &callers[i]), 0);
        }
        for (int i = 0; i < THREADS; i++) {
            void *complaint;
            pthread_join(callers[i].thread, &complaint);
            if (complaint != NULL)
                fail_msg("%s", (const char *)complaint);
        }
        pg_pool_free(pool);
    }
}

static void no_server_and_no_conninfo(void **state)
{
    (void)state;
    struct pg_pool *pool = pool_of("host=/nonexistent dbname=x", 2);
    struct caller c;
    begin(&c, pool, &joins, "x");
    pthread_join(c.thread, NULL);
    assert_int_equal(c.outcome, PG_AWAY);
    pg_pool_free(pool);
    assert_null(pg_pool_new("no conninfo", "test", 2, 100, 0));
    pg_pool_free(NULL);
}

static int set_up(void **state)
{
    (void)state;
    log_open("test", -1, LOG_ERROR + 1);
    conninfo = getenv("PG_CONNINFO");
    if (conninfo == NULL)
        print_error("PG_CONNINFO is not set: run pg_pool.py\n");
    return conninfo != NULL ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_waits_goes_together),
        cmocka_unit_test(values_come_through),
        cmocka_unit_test(others_go_alone),
        cmocka_unit_test(a_refusal_is_for_who_earned_it),
        cmocka_unit_test(what_cannot_be_prepared_is_refused),
        cmocka_unit_test(a_slow_call_is_passed),
        cmocka_unit_test(who_waits_for_a_frozen_server_waits_once),
        cmocka_unit_test(a_frozen_backend_is_not_a_frozen_server),
        cmocka_unit_test(slow_calls_of_one_leave_room_for_others),
        cmocka_unit_test(a_slow_one_among_many_is_left_behind),
        cmocka_unit_test(a_connection_that_dies_is_replaced),
        cmocka_unit_test(everybody_gets_their_own),
        cmocka_unit_test(no_server_and_no_conninfo),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, set_up, NULL);
}
