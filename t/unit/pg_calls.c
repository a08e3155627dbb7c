/*
 * Calls of Postgres and their deadlines. Run by pg.py, which gives the conninfo of a real server,
 * as a superuser, in PG_CONNINFO.
 */
#include "common/clock.h"
#include "common/log.h"
#include "common/pg.h"
#include "unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define LIMIT_MS 1000

static const char *conninfo;

static const struct pg_statement echo = {.name = "echo", .sql = "select $1::text", .params = 1};
static const struct pg_statement pid_of = {
    .name = "pid_of", .sql = "select pg_backend_pid()", .params = 0};
static const struct pg_statement sleeps = {
    .name = "sleeps", .sql = "select pg_sleep($1::float8)", .params = 1};
static const struct pg_statement ends = {
    .name = "ends", .sql = "select pg_terminate_backend($1::int)", .params = 1};
static const struct pg_statement raises = {
    .name = "raises", .sql = "select uplift_raise($1, $2, $3, $4)", .params = 4};
static const struct pg_statement joins = {
    .name = "joins",
    .sql = "select concat_ws('|', $1::text, cardinality($2::text[]), array_to_string($2, ',', "
           "'null'))",
    .params = 2};
static const struct pg_statement setting = {
    .name = "setting", .sql = "select current_setting($1)", .params = 1};

static struct pg *connect_to(const char *where, int64_t limit_ms)
{
    struct pg *pg = pg_new(where, "test", limit_ms, 300);
    assert_non_null(pg);
    return pg;
}

/* The first value of a call that must succeed; good until the next. */
static const char *value_of(struct pg *pg, const struct pg_statement *statement, const char *arg)
{
    static char text[256];
    PGresult *result;
    const char *values[] = {arg};
    enum pg_outcome outcome = pg_call(pg, statement, values, &result);
    if (outcome != PG_DONE)
        fail_msg("%s: outcome %d: %s %s", statement->name, outcome, pg_sqlstate(pg),
                 pg_message(pg));
    snprintf(text, sizeof text, "%s", PQgetvalue(result, 0, 0));
    PQclear(result);
    return text;
}

static enum pg_outcome outcome_of(struct pg *pg, const struct pg_statement *statement,
                                  const char *const *values)
{
    PGresult *result;
    enum pg_outcome outcome = pg_call(pg, statement, values, &result);
    if (outcome == PG_DONE)
        PQclear(result);
    else
        assert_null(result);
    return outcome;
}

static enum pg_outcome run_sql(const char *sql)
{
    struct pg *pg = connect_to(conninfo, 5000);
    struct pg_statement statement = {.name = "", .sql = sql, .params = 0};
    enum pg_outcome outcome = outcome_of(pg, &statement, NULL);
    pg_free(pg);
    return outcome;
}

/* A socket that takes connections and never says a word; its port is put into *port. */
static int silent_server(int *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 8), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    *port = ntohs(address.sin_port);
    return fd;
}

static void assert_took(int64_t start, int64_t least, int64_t most)
{
    int64_t took = clock_ms() - start;
    if (took < least || took > most)
        fail_msg("took %lld ms, wanted %lld to %lld", (long long)took, (long long)least,
                 (long long)most);
}

static int set_up(void **state)
{
    (void)state;
    log_open("test", -1, LOG_ERROR + 1);
    conninfo = getenv("PG_CONNINFO");
    if (conninfo == NULL) {
        print_error("PG_CONNINFO is not set: run pg.py\n");
        return -1;
    }
    return run_sql("create or replace function uplift_raise(text, text, text, text) returns int "
                   "language plpgsql as $$ begin raise exception '%', $2 using errcode = $1, "
                   "detail = $3, hint = $4; end $$") == PG_DONE
               ? 0
               : -1;
}

/* --- with a server --- */

/* What a binary array of these texts is to Postgres. */
static void assert_array(struct pg *pg, const char *const *texts, size_t count, const char *seen)
{
    struct pg_arrays arrays;
    PGresult *result;
    pg_arrays_init(&arrays, 1 << 20);
    pg_arrays_begin(&arrays, count);
    for (size_t i = 0; i < count; i++)
        pg_arrays_put(&arrays, texts[i], texts[i] != NULL ? strlen(texts[i]) : 0);
    assert_true(pg_arrays_end(&arrays));
    const char *values[] = {"text", arrays.values[0]};
    const int lengths[] = {-1, arrays.lengths[0]};
    if (pg_call_binary(pg, &joins, values, lengths, &result) != PG_DONE)
        fail_msg("%s %s", pg_sqlstate(pg), pg_message(pg));
    assert_string_equal(PQgetvalue(result, 0, 0), seen);
    PQclear(result);
    buf_release(&arrays.data);
}

static void arrays_go_in_binary(void **state)
{
    (void)state;
    struct pg *pg = connect_to(conninfo, LIMIT_MS);
    static const char *const texts[] = {"a",        NULL,       "", "gr\xc3\xbc\xc3\x9f",
                                        "bad \xff", "x\ny\"{},"};
    assert_array(pg, texts, 0, "text|0|");
    assert_array(pg, texts, 1, "text|1|a");
    assert_array(pg, texts, 6, "text|6|a,null,,gr\xc3\xbc\xc3\x9f,bad \xef\xbf\xbd,x\ny\"{},");
    pg_free(pg);
}

static void a_call_returns_its_rows(void **state)
{
    (void)state;
    struct pg *pg = connect_to(conninfo, LIMIT_MS * 5);
    PGresult *result;
    const char *values[] = {"gr\xc3\xbc\xc3\x9f"};
    for (int i = 0; i < 3; i++)
        assert_string_equal(value_of(pg, &echo, values[0]), values[0]);
    values[0] = NULL;
    assert_int_equal(pg_call(pg, &echo, values, &result), PG_DONE);
    assert_true(PQgetisnull(result, 0, 0));
    PQclear(result);
    assert_string_equal(value_of(pg, &setting, "application_name"), "test");
    assert_string_equal(value_of(pg, &setting, "lock_timeout"), "300ms");
    assert_string_equal(value_of(pg, &setting, "TimeZone"), "UTC");
    pg_free(pg);
}

static void a_big_value_goes_through(void **state)
{
    (void)state;
    struct pg *pg = connect_to(conninfo, 20000);
    size_t len = 20 * 1024 * 1024;
    char *text = malloc(len + 1);
    PGresult *result;
    memset(text, 'x', len);
    text[len] = '\0';
    const char *values[] = {text};
    assert_int_equal(pg_call(pg, &echo, values, &result), PG_DONE);
    assert_int_equal(PQgetlength(result, 0, 0), len);
    PQclear(result);
    free(text);
    pg_free(pg);
}

static void options_of_the_conninfo_are_kept(void **state)
{
    char where[512];
    (void)state;
    snprintf(where, sizeof where, "%s options='-c work_mem=7MB'", conninfo);
    struct pg *pg = connect_to(where, LIMIT_MS * 5);
    assert_string_equal(value_of(pg, &setting, "work_mem"), "7MB");
    assert_string_equal(value_of(pg, &setting, "jit"), "off");
    pg_free(pg);
}

static void a_kept_connection_that_died_is_replaced(void **state)
{
    (void)state;
    struct pg *pg = connect_to(conninfo, LIMIT_MS * 5), *other = connect_to(conninfo, 5000);
    char before[32];
    snprintf(before, sizeof before, "%s", value_of(pg, &pid_of, NULL));
    assert_string_equal(value_of(other, &ends, before), "t");
    /* The news of its end takes a moment to come. */
    for (int i = 0; i < 200 && kill(atoi(before), 0) == 0; i++)
        poll(NULL, 0, 10);
    assert_string_not_equal(value_of(pg, &pid_of, NULL), before);
    pg_free(pg);
    pg_free(other);
}

static void a_frozen_server_costs_one_time_limit(void **state)
{
    (void)state;
    struct pg *pg = connect_to(conninfo, LIMIT_MS);
    pid_t frozen = atoi(value_of(pg, &pid_of, NULL));
    const char *values[] = {"x"};
    assert_int_equal(kill(frozen, SIGSTOP), 0);
    int64_t start = clock_ms();
    assert_int_equal(outcome_of(pg, &echo, values), PG_AWAY);
    assert_took(start, LIMIT_MS - 10, LIMIT_MS + 500);
    assert_int_equal(kill(frozen, SIGCONT), 0);
    /* The late answer is not taken for that of the next call. */
    assert_string_equal(value_of(pg, &echo, "y"), "y");
    assert_int_not_equal(atoi(value_of(pg, &pid_of, NULL)), frozen);
    pg_free(pg);
}

/* The server ends it itself, and goes on with the next on the same connection. */
static void a_slow_statement_is_ended_by_the_server(void **state)
{
    (void)state;
    struct pg *pg = connect_to(conninfo, LIMIT_MS);
    pid_t backend = atoi(value_of(pg, &pid_of, NULL));
    const char *values[] = {"30"};
    assert_int_equal(outcome_of(pg, &sleeps, values), PG_REFUSED);
    assert_string_equal(pg_sqlstate(pg), "57014");
    assert_true(pg_refused_for_now(pg));
    assert_false(pg_only_slow(pg));
    assert_int_equal(atoi(value_of(pg, &pid_of, NULL)), backend);
    assert_false(pg_refused_for_now(pg));
    pg_free(pg);
}

/* One backend that does not answer is no server that is away. */
static void a_silent_statement_is_told_from_a_silent_server(void **state)
{
    (void)state;
    struct pg *pg = connect_to(conninfo, LIMIT_MS);
    pid_t frozen = atoi(value_of(pg, &pid_of, NULL));
    const char *values[] = {"x"};
    assert_false(pg_only_slow(pg));
    assert_int_equal(kill(frozen, SIGSTOP), 0);
    assert_int_equal(outcome_of(pg, &echo, values), PG_AWAY);
    assert_true(pg_only_slow(pg));
    assert_int_not_equal(atoi(value_of(pg, &pid_of, NULL)), frozen);
    assert_int_equal(kill(frozen, SIGCONT), 0);
    pg_free(pg);

    char where[128];
    int port, fd = silent_server(&port);
    snprintf(where, sizeof where, "host=127.0.0.1 port=%d sslmode=disable dbname=x user=x", port);
    pg = connect_to(where, 500);
    assert_int_equal(outcome_of(pg, &echo, values), PG_AWAY);
    assert_false(pg_only_slow(pg)); /* nobody was let in, so there is nothing to find out */
    pg_free(pg);
    close(fd);
}

static void a_changed_function_is_prepared_anew(void **state)
{
    static const struct pg_statement star = {
        .name = "star", .sql = "select * from uplift_shape()", .params = 0};
    (void)state;
    struct pg *pg = connect_to(conninfo, LIMIT_MS * 5);
    assert_int_equal(run_sql("create function uplift_shape() returns table (a int) language sql "
                             "as 'select 1'"),
                     PG_DONE);
    assert_string_equal(value_of(pg, &star, NULL), "1");
    assert_int_equal(run_sql("drop function uplift_shape()"), PG_DONE);
    assert_int_equal(run_sql("create function uplift_shape() returns table (a text, b int) "
                             "language sql as $$ select 'new', 2 $$"),
                     PG_DONE);
    assert_string_equal(value_of(pg, &star, NULL), "new");
    assert_int_equal(run_sql("drop function uplift_shape()"), PG_DONE);
    pg_free(pg);
}

static void a_forgotten_statement_is_prepared_anew(void **state)
{
    static const struct pg_statement forget = {
        .name = "forget", .sql = "deallocate all", .params = 0};
    (void)state;
    struct pg *pg = connect_to(conninfo, LIMIT_MS * 5);
    assert_string_equal(value_of(pg, &echo, "a"), "a");
    assert_int_equal(outcome_of(pg, &forget, NULL), PG_DONE);
    assert_string_equal(value_of(pg, &echo, "b"), "b");
    pg_free(pg);
}

static void refusals_become_errors_of_the_api(void **state)
{
    static const struct {
        const char *sqlstate;
        int status;
        const char *code, *param, *message;
    } cases[] = {
        {"UP404", 404, "c", "p", "m"},
        {"UP403", 403, "c", "p", "m"},
        {"PT400", 400, "c", "p", "m"},
        {"UP999", 500, "internal_error", "", NULL},
        {"UPXYZ", 500, "internal_error", "", NULL},
        {"57014", 503, "database_busy", "", NULL},
        {"55P03", 503, "database_busy", "", NULL},
        {"40001", 503, "database_busy", "", NULL},
        {"22P02", 400, "invalid_value", "", NULL},
        {"22003", 400, "invalid_value", "", NULL},
        {"42501", 403, "permission_denied", "", NULL},
        {"23505", 500, "internal_error", "", NULL},
    };
    (void)state;
    struct pg *pg = connect_to(conninfo, LIMIT_MS * 5);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct api_error e = {.status = 0};
        const char *values[] = {cases[i].sqlstate, "m", "c", "p"};
        assert_int_equal(outcome_of(pg, &raises, values), PG_REFUSED);
        assert_string_equal(pg_sqlstate(pg), cases[i].sqlstate);
        assert_string_equal(pg_message(pg), "m");
        bool repeats_the_value = strncmp(cases[i].sqlstate, "22", 2) == 0;
        assert_string_equal(pg_message_to_log(pg), repeats_the_value ? "" : "m");
        PGresult *refusal = pg_take_refusal(pg);
        pg_api_error(refusal, "test", &e);
        PQclear(refusal);
        assert_int_equal(e.status, cases[i].status);
        assert_string_equal(e.code, cases[i].code);
        assert_string_equal(e.param, cases[i].param);
        if (cases[i].message != NULL)
            assert_string_equal(e.message, cases[i].message);
        else
            assert_string_not_equal(e.message, "m"); /* tells nothing of the inside */
        assert_int_equal(e.retry_after_ms > 0, e.status == 503);
    }
    /* The connection is as good as before. */
    assert_string_equal(value_of(pg, &echo, "y"), "y");
    assert_string_equal(pg_sqlstate(pg), "");
    assert_string_equal(pg_message(pg), "");
    pg_free(pg);
}

/* A server that goes, has no room left or takes no writes is away: the caller must keep its work.
 */
static void a_server_that_cannot_is_away(void **state)
{
    static const char *const sqlstates[] = {"57P01", "57P03", "25006", "53100", "53300", "58030"};
    (void)state;
    struct pg *pg = connect_to(conninfo, LIMIT_MS * 5);
    for (size_t i = 0; i < sizeof sqlstates / sizeof sqlstates[0]; i++) {
        const char *values[] = {sqlstates[i], "m", "", ""};
        assert_int_equal(outcome_of(pg, &raises, values), PG_AWAY);
        assert_string_equal(pg_sqlstate(pg), "");
    }
    assert_string_equal(value_of(pg, &echo, "y"), "y");
    pg_free(pg);
}

static void a_statement_that_cannot_be_prepared_is_refused(void **state)
{
    static const struct pg_statement missing = {
        .name = "missing", .sql = "select no_such_function()", .params = 0};
    (void)state;
    struct pg *pg = connect_to(conninfo, LIMIT_MS * 5);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(outcome_of(pg, &missing, NULL), PG_REFUSED);
        assert_string_equal(pg_sqlstate(pg), "42883");
    }
    pg_free(pg);
}

static void hosts_are_tried_in_turn(void **state)
{
    char where[512], directory[256];
    int port, silent = silent_server(&port);
    (void)state;
    assert_int_equal(sscanf(conninfo, "host=%255s", directory), 1);
    const char *rest = conninfo + strlen("host=") + strlen(directory);
    snprintf(where, sizeof where, "host=127.0.0.1,127.0.0.1,%s port=1,%d,5432%s", directory, port,
             rest);
    struct pg *pg = connect_to(where, 3000);
    int64_t start = clock_ms();
    assert_string_equal(value_of(pg, &echo, "y"), "y"); /* after a refusal and a silence */
    assert_took(start, 1000, 2500);
    /* From then on the one that answered comes first. */
    pid_t backend = atoi(value_of(pg, &pid_of, NULL));
    struct pg *other = connect_to(conninfo, 5000);
    char text[32];
    snprintf(text, sizeof text, "%d", (int)backend);
    value_of(other, &ends, text);
    for (int i = 0; i < 200 && kill(backend, 0) == 0; i++)
        poll(NULL, 0, 10);
    start = clock_ms();
    assert_string_equal(value_of(pg, &echo, "y"), "y");
    assert_took(start, 0, 900);
    pg_free(other);
    pg_free(pg);
    close(silent);
}

static void a_server_that_takes_no_writes_is_passed_over(void **state)
{
    char where[512];
    (void)state;
    const char *values[] = {"x"};
    snprintf(where, sizeof where, "%s options='-c default_transaction_read_only=on'", conninfo);
    struct pg *pg = connect_to(where, LIMIT_MS);
    assert_int_equal(outcome_of(pg, &echo, values), PG_AWAY);
    pg_free(pg);
    snprintf(where, sizeof where,
             "%s options='-c default_transaction_read_only=on' target_session_attrs=any", conninfo);
    pg = connect_to(where, LIMIT_MS * 5);
    assert_string_equal(value_of(pg, &echo, "y"), "y");
    pg_free(pg);
}

/* --- without one --- */

static void a_silent_server_costs_one_time_limit(void **state)
{
    char where[128];
    int port, fd = silent_server(&port);
    const char *values[] = {"x"};
    (void)state;
    snprintf(where, sizeof where, "host=127.0.0.1 port=%d sslmode=disable dbname=x user=x", port);
    struct pg *pg = connect_to(where, 500);
    for (int i = 0; i < 2; i++) {
        int64_t start = clock_ms();
        assert_int_equal(outcome_of(pg, &echo, values), PG_AWAY);
        assert_took(start, 490, 900);
    }
    pg_free(pg);
    close(fd);
}

/* As a server does that goes down while it lets somebody in. What libpq would print by itself would
 * be lines in the log that are no JSON. */
static void a_warning_while_connecting_is_not_printed(void **state)
{
    static const char answer[] = "R\0\0\0\x08\0\0\0\0"
                                 "N\0\0\0\x21SWARNING\0C57P02\0Mgoing down\0";
    char where[128], printed[256] = "";
    int port, fd = silent_server(&port);
    const char *values[] = {"x"};
    FILE *file = tmpfile();
    (void)state;
    snprintf(where, sizeof where, "host=127.0.0.1 port=%d sslmode=disable dbname=x user=x", port);
    pid_t child = fork();
    if (child == 0) {
        char startup[512];
        int client = accept(fd, NULL, NULL);
        bool told = read(client, startup, sizeof startup) > 0 &&
                    write(client, answer, sizeof answer) == (ssize_t)sizeof answer;
        _exit(told ? 0 : 1);
    }
    close(fd);
    fflush(stderr);
    int kept = dup(STDERR_FILENO);
    assert_int_equal(dup2(fileno(file), STDERR_FILENO), STDERR_FILENO);
    struct pg *pg = connect_to(where, 5000);
    enum pg_outcome outcome = outcome_of(pg, &echo, values);
    pg_free(pg);
    fflush(stderr);
    assert_int_equal(dup2(kept, STDERR_FILENO), STDERR_FILENO);
    close(kept);
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(outcome, PG_AWAY);
    rewind(file);
    assert_int_equal(fread(printed, 1, sizeof printed - 1, file), 0);
    fclose(file);
}

static void no_server_is_told_at_once(void **state)
{
    static const char *const where[] = {"host=127.0.0.1 port=1", "host=/nonexistent dbname=x"};
    const char *values[] = {"x"};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct pg *pg = connect_to(where[i], 5000);
        int64_t start = clock_ms();
        assert_int_equal(outcome_of(pg, &echo, values), PG_AWAY);
        assert_took(start, 0, 1000);
        pg_free(pg);
    }
    assert_null(pg_new("no conninfo", "test", 100, 0));
}

/* --- the breaker --- */

static void the_breaker_lets_one_through(void **state)
{
    (void)state;
    struct pg_breaker *b = pg_breaker_new(100);
    for (int i = 0; i < 3; i++)
        assert_true(pg_breaker_allows(b));
    pg_breaker_report(b, PG_REFUSED); /* an error is an answer */
    assert_false(pg_breaker_open(b));
    pg_breaker_report(b, PG_AWAY);
    assert_true(pg_breaker_open(b));
    assert_false(pg_breaker_allows(b));
    poll(NULL, 0, 120);
    assert_true(pg_breaker_allows(b));
    poll(NULL, 0, 120); /* however long the probe takes */
    assert_false(pg_breaker_allows(b));
    pg_breaker_report(b, PG_AWAY);
    assert_false(pg_breaker_allows(b));
    poll(NULL, 0, 120);
    assert_true(pg_breaker_allows(b));
    pg_breaker_report(b, PG_DONE);
    assert_false(pg_breaker_open(b));
    assert_true(pg_breaker_allows(b) && pg_breaker_allows(b));
    pg_breaker_free(b);
}

static atomic_int let_through;

static void *try_breaker(void *arg)
{
    atomic_fetch_add(&let_through, pg_breaker_allows(arg));
    return NULL;
}

static void one_of_many_threads_probes(void **state)
{
    pthread_t threads[16];
    (void)state;
    struct pg_breaker *b = pg_breaker_new(0);
    pg_breaker_report(b, PG_AWAY);
    for (int i = 0; i < 16; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, try_breaker, b), 0);
    for (int i = 0; i < 16; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&let_through), 1);
    pg_breaker_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arrays_go_in_binary),
        cmocka_unit_test(a_call_returns_its_rows),
        cmocka_unit_test(a_big_value_goes_through),
        cmocka_unit_test(options_of_the_conninfo_are_kept),
        cmocka_unit_test(a_kept_connection_that_died_is_replaced),
        cmocka_unit_test(a_frozen_server_costs_one_time_limit),
        cmocka_unit_test(a_slow_statement_is_ended_by_the_server),
        cmocka_unit_test(a_silent_statement_is_told_from_a_silent_server),
        cmocka_unit_test(a_changed_function_is_prepared_anew),
        cmocka_unit_test(a_forgotten_statement_is_prepared_anew),
        cmocka_unit_test(refusals_become_errors_of_the_api),
        cmocka_unit_test(a_server_that_cannot_is_away),
        cmocka_unit_test(a_statement_that_cannot_be_prepared_is_refused),
        cmocka_unit_test(hosts_are_tried_in_turn),
        cmocka_unit_test(a_server_that_takes_no_writes_is_passed_over),
        cmocka_unit_test(a_silent_server_costs_one_time_limit),
        cmocka_unit_test(a_warning_while_connecting_is_not_printed),
        cmocka_unit_test(no_server_is_told_at_once),
        cmocka_unit_test(the_breaker_lets_one_through),
        cmocka_unit_test(one_of_many_threads_probes),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, set_up, NULL);
}
