#include "pg.h"

#include "clock.h"
#include "log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_HOSTS 16
#define TEXT_OID 25           /* of pg_type; the same in every Postgres */
#define LOG_AGAIN_MS 30000    /* the same complaint is logged this often */
#define ANSWER_MARGIN_MS 1000 /* at most, between the server's time limit and ours */

struct pg {
    PQconninfoOption *info; /* the parsed conninfo, owned */
    char *name;             /* application_name */
    char *options;          /* server settings for the session */
    int64_t timeout_ms;
    PGconn *conn;                         /* NULL while not connected */
    bool ended;                           /* the server has said that it ends this connection */
    const struct pg_statement **prepared; /* on this connection */
    size_t prepared_count, prepared_room;
    size_t host_count;
    size_t host;    /* where to try first: the one that answered last */
    bool timed_out; /* the last PG_AWAY: a statement had no answer in time */
    char sqlstate[6];
    PGresult *refusal; /* the last PG_REFUSED, for message, detail and hint */
    char complaint[256];
    int64_t complaint_ms;
};

/* --- what a connection is made of --- */

static const char *info_value(const struct pg *pg, const char *keyword)
{
    for (PQconninfoOption *o = pg->info; o->keyword != NULL; o++) {
        if (strcmp(o->keyword, keyword) == 0)
            return o->val != NULL && *o->val != '\0' ? o->val : NULL;
    }
    return NULL;
}

/* The item of a comma list; a list of one goes for every index, as in libpq. NULL when empty. */
static const char *list_item(const char *list, size_t index, char *out, size_t room)
{
    if (list == NULL)
        return NULL;
    if (strchr(list, ',') != NULL) {
        for (; index > 0 && *list != '\0'; index--) {
            list += strcspn(list, ",");
            list += *list == ',';
        }
    }
    size_t len = strcspn(list, ",");
    if (len == 0 || len >= room)
        return NULL;
    memcpy(out, list, len);
    out[len] = '\0';
    return out;
}

static size_t list_length(const char *list)
{
    size_t n = 1;
    for (; list != NULL && *list != '\0'; list++)
        n += *list == ',';
    return n;
}

/*
 * Settings of the session. statement_timeout ends a statement shortly before we give it up, so that
 * a slow one is told from a server that does not answer. jit would cost more than any of these
 * short calls, and so would planning them anew for their parameters.
 */
static bool make_options(struct pg *pg, int64_t lock_timeout_ms)
{
    const char *own = info_value(pg, "options");
    char lock[64] = "";
    int64_t margin = pg->timeout_ms / 8;
    if (margin > ANSWER_MARGIN_MS)
        margin = ANSWER_MARGIN_MS;
    if (lock_timeout_ms > 0)
        snprintf(lock, sizeof lock, " -c lock_timeout=%lld", (long long)lock_timeout_ms);
    return asprintf(&pg->options,
                    "-c statement_timeout=%lld%s -c jit=off "
                    "-c plan_cache_mode=force_generic_plan -c timezone=UTC -c datestyle=ISO "
                    "-c client_min_messages=warning%s%s",
                    (long long)(pg->timeout_ms - margin), lock, own != NULL ? " " : "",
                    own != NULL ? own : "") >= 0;
}

struct pg *pg_new(const char *conninfo, const char *name, int64_t timeout_ms,
                  int64_t lock_timeout_ms)
{
    struct pg *pg = calloc(1, sizeof *pg);
    if (pg == NULL)
        return NULL;
    pg->timeout_ms = timeout_ms;
    pg->name = strdup(name);
    pg->info = PQconninfoParse(conninfo, NULL); /* its error text may hold the password */
    if (pg->info == NULL) {
        log_error(name, "DATABASE_URL is not a connection string");
        goto fail;
    }
    const char *hosts = info_value(pg, "hostaddr");
    pg->host_count = list_length(hosts != NULL ? hosts : info_value(pg, "host"));
    if (pg->host_count > MAX_HOSTS)
        pg->host_count = MAX_HOSTS;
    if (pg->name == NULL || !make_options(pg, lock_timeout_ms))
        goto fail;
    return pg;
fail:
    pg_free(pg);
    return NULL;
}

static void disconnect(struct pg *pg)
{
    if (pg->conn != NULL)
        PQfinish(pg->conn);
    pg->conn = NULL;
    pg->ended = false;
    pg->prepared_count = 0;
}

void pg_free(struct pg *pg)
{
    if (pg == NULL)
        return;
    disconnect(pg);
    PQclear(pg->refusal);
    PQconninfoFree(pg->info);
    free(pg->prepared);
    free(pg->options);
    free(pg->name);
    free(pg);
}

/* Logs why there is no connection, but not again and again. */
static void complain(struct pg *pg, const char *what, const char *why)
{
    char text[sizeof pg->complaint];
    snprintf(text, sizeof text, "%s: %s", what, why);
    text[strcspn(text, "\n")] = '\0';
    int64_t now = clock_ms();
    if (strcmp(text, pg->complaint) == 0 && now - pg->complaint_ms < LOG_AGAIN_MS)
        return;
    memcpy(pg->complaint, text, sizeof text);
    pg->complaint_ms = now;
    log_warn(pg->name, "%s", text);
}

/* --- waiting --- */

/* Waits until the socket is ready for events or the deadline has passed. */
static bool wait_for(const struct pg *pg, short events, int64_t deadline)
{
    for (;;) {
        struct pollfd p = {.fd = PQsocket(pg->conn), .events = events};
        int64_t left = deadline - clock_ms();
        if (left <= 0 || p.fd < 0)
            return false;
        int n = poll(&p, 1, left > 1000000 ? 1000000 : (int)left);
        if (n > 0)
            return true;
        if (n < 0 && errno != EINTR)
            return false;
    }
}

/* Notices are for the log; but a server that ends an idle connection says so in one, too. */
static void take_notice(void *arg, const PGresult *result)
{
    struct pg *pg = arg;
    const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    if (severity != NULL && (strcmp(severity, "FATAL") == 0 || strcmp(severity, "PANIC") == 0))
        pg->ended = true;
    log_debug(pg->name, "notice: %s", message != NULL ? message : "");
}

/* Tries one of the hosts until the deadline. */
static bool connect_host(struct pg *pg, size_t host, int64_t deadline)
{
    const char *keywords[64], *values[64];
    char host_text[512], address[512], port[32];
    size_t n = 0;
    for (PQconninfoOption *o = pg->info; o->keyword != NULL && n < 56; o++) {
        const char *value = o->val;
        if (strcmp(o->keyword, "host") == 0)
            value = list_item(value, host, host_text, sizeof host_text);
        else if (strcmp(o->keyword, "hostaddr") == 0)
            value = list_item(value, host, address, sizeof address);
        else if (strcmp(o->keyword, "port") == 0)
            value = list_item(value, host, port, sizeof port);
        else if (strcmp(o->keyword, "options") == 0)
            value = pg->options;
        else if (strcmp(o->keyword, "application_name") == 0)
            value = pg->name;
        else if (strcmp(o->keyword, "client_encoding") == 0)
            value = "UTF8";
        else if (strcmp(o->keyword, "target_session_attrs") == 0 && value == NULL)
            value = "read-write"; /* a standby could record nothing */
        if (value == NULL || *value == '\0')
            continue;
        keywords[n] = o->keyword;
        values[n++] = value;
    }
    keywords[n] = values[n] = NULL;

    pg->conn = PQconnectStartParams(keywords, values, 0);
    if (pg->conn == NULL)
        return false;
    PQsetNoticeReceiver(pg->conn, take_notice, pg); /* a server may warn before it is connected */
    PostgresPollingStatusType state = PGRES_POLLING_WRITING;
    while (PQstatus(pg->conn) != CONNECTION_BAD) {
        if (state == PGRES_POLLING_OK) {
            if (PQsetnonblocking(pg->conn, 1) != 0)
                break;
            pg->complaint[0] = '\0';
            return true;
        }
        if (state == PGRES_POLLING_FAILED)
            break;
        if (!wait_for(pg, state == PGRES_POLLING_READING ? POLLIN : POLLOUT, deadline)) {
            complain(pg, "could not connect to Postgres", "no answer in time");
            disconnect(pg);
            return false;
        }
        state = PQconnectPoll(pg->conn);
    }
    complain(pg, "could not connect to Postgres", PQerrorMessage(pg->conn));
    disconnect(pg);
    return false;
}

/* Tries the hosts in turn, each for its share of the time that is left, so that one that is silent
 * cannot use it all up. */
static bool connect_any(struct pg *pg, int64_t deadline)
{
    for (size_t i = 0; i < pg->host_count; i++) {
        size_t host = (pg->host + i) % pg->host_count;
        int64_t now = clock_ms();
        int64_t share = (deadline - now) / (int64_t)(pg->host_count - i);
        if (share <= 0)
            break;
        if (connect_host(pg, host, now + share)) {
            pg->host = host;
            return true;
        }
    }
    return false;
}

/* --- calls --- */

enum step {
    STEP_DONE,
    STEP_AWAY,
    STEP_REFUSED,
    STEP_AGAIN, /* the server forgot or changed the statement and did nothing: a fresh one will do
                 */
};

static bool flush(struct pg *pg, int64_t deadline)
{
    int more;
    while ((more = PQflush(pg->conn)) > 0) {
        if (!wait_for(pg, POLLIN | POLLOUT, deadline) || !PQconsumeInput(pg->conn))
            return false;
    }
    return more == 0;
}

/* The one result of the statement on its way; NULL when it did not come whole in time. */
static PGresult *receive(struct pg *pg, int64_t deadline)
{
    PGresult *result = NULL;
    for (;;) {
        while (PQisBusy(pg->conn)) {
            if (!wait_for(pg, POLLIN, deadline)) {
                complain(pg, "lost Postgres", "no answer in time");
                pg->timed_out = true;
                goto fail;
            }
            if (!PQconsumeInput(pg->conn)) {
                complain(pg, "lost Postgres", PQerrorMessage(pg->conn));
                goto fail;
            }
        }
        PGresult *next = PQgetResult(pg->conn);
        if (next == NULL)
            return result;
        PQclear(result);
        result = next;
        ExecStatusType status = PQresultStatus(result);
        if (status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH)
            goto fail; /* not a statement for pg_call: closing is the only way out */
    }
fail:
    PQclear(result);
    return NULL;
}

static bool is_any(const char *sqlstate, const char *const *list)
{
    for (; *list != NULL; list++) {
        if (strncmp(sqlstate, *list, strlen(*list)) == 0)
            return true;
    }
    return false;
}

/* Takes result. Says what an answer means, and closes the connection where it is of no more use. */
static enum step judge(struct pg *pg, PGresult *result, PGresult **out)
{
    /* The server goes, came up as a standby, or has broken the protocol. */
    static const char *const gone[] = {"57P01", "57P02", "57P03", "57P05", "25006", "08", NULL};
    /* It has no memory, disk or connections left: as good as away, but it may recover. */
    static const char *const exhausted[] = {"53", "58", NULL};
    if (result == NULL) {
        disconnect(pg);
        return STEP_AWAY;
    }
    ExecStatusType status = PQresultStatus(result);
    if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK) {
        *out = result;
        return STEP_DONE;
    }
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    enum step step = STEP_REFUSED;
    if (sqlstate == NULL || PQstatus(pg->conn) == CONNECTION_BAD || is_any(sqlstate, gone)) {
        complain(pg, "lost Postgres", message != NULL ? message : PQresultErrorMessage(result));
        disconnect(pg);
        step = STEP_AWAY;
    } else if (is_any(sqlstate, exhausted)) {
        complain(pg, "Postgres cannot go on", message != NULL ? message : sqlstate);
        step = STEP_AWAY;
    } else if (strcmp(sqlstate, "26000") == 0 ||
               (strcmp(sqlstate, "0A000") == 0 && message != NULL &&
                strstr(message, "cached plan") != NULL)) {
        disconnect(pg);
        step = STEP_AGAIN;
    }
    if (step == STEP_AWAY || step == STEP_AGAIN) {
        PQclear(result);
        return step;
    }
    snprintf(pg->sqlstate, sizeof pg->sqlstate, "%s", sqlstate);
    PQclear(pg->refusal);
    pg->refusal = result;
    return STEP_REFUSED;
}

static enum step send_failed(struct pg *pg)
{
    complain(pg, "lost Postgres", PQerrorMessage(pg->conn));
    disconnect(pg);
    return STEP_AWAY;
}

static bool is_prepared(const struct pg *pg, const struct pg_statement *statement)
{
    for (size_t i = 0; i < pg->prepared_count; i++) {
        if (pg->prepared[i] == statement)
            return true;
    }
    return false;
}

static enum step prepare(struct pg *pg, const struct pg_statement *statement, int64_t deadline)
{
    if (pg->prepared_count == pg->prepared_room) {
        size_t room = pg->prepared_room == 0 ? 16 : pg->prepared_room * 2;
        void *grown = realloc(pg->prepared, room * sizeof(void *));
        if (grown == NULL)
            return STEP_AWAY;
        pg->prepared = grown;
        pg->prepared_room = room;
    }
    if (!PQsendPrepare(pg->conn, statement->name, statement->sql, statement->params, NULL) ||
        !flush(pg, deadline))
        return send_failed(pg);
    PGresult *result = NULL;
    enum step step = judge(pg, receive(pg, deadline), &result);
    PQclear(result);
    if (step == STEP_DONE)
        pg->prepared[pg->prepared_count++] = statement;
    return step;
}

static enum step run(struct pg *pg, const struct pg_statement *statement, const char *const *values,
                     const int *lengths, int64_t deadline, PGresult **result)
{
    int formats[PG_PARAMS_MAX] = {0};
    if (!is_prepared(pg, statement)) {
        enum step step = prepare(pg, statement, deadline);
        if (step != STEP_DONE)
            return step;
    }
    for (int i = 0; lengths != NULL && i < statement->params; i++)
        formats[i] = lengths[i] >= 0;
    if (!PQsendQueryPrepared(pg->conn, statement->name, statement->params, values, lengths,
                             lengths != NULL ? formats : NULL, 0) ||
        !flush(pg, deadline))
        return send_failed(pg);
    return judge(pg, receive(pg, deadline), result);
}

/* Drops a kept connection that the server has closed meanwhile: nothing was sent on it yet, so a
 * fresh one may take its place. */
static void drop_if_dead(struct pg *pg)
{
    struct pollfd p = {.fd = PQsocket(pg->conn), .events = POLLIN};
    while (poll(&p, 1, 0) > 0) {
        bool good = PQconsumeInput(pg->conn) != 0;
        (void)PQisBusy(pg->conn); /* reads what came, and calls take_notice */
        if (!good || pg->ended || PQstatus(pg->conn) == CONNECTION_BAD) {
            disconnect(pg);
            return;
        }
    }
}

enum pg_outcome pg_call(struct pg *pg, const struct pg_statement *statement,
                        const char *const *values, PGresult **result)
{
    return pg_call_binary(pg, statement, values, NULL, result);
}

enum pg_outcome pg_call_binary(struct pg *pg, const struct pg_statement *statement,
                               const char *const *values, const int *lengths, PGresult **result)
{
    int64_t deadline = clock_ms() + pg->timeout_ms;
    pg->timed_out = false;
    pg->sqlstate[0] = '\0';
    PQclear(pg->refusal);
    pg->refusal = NULL;
    *result = NULL;
    for (int tries = 0; tries < 2; tries++) {
        if (pg->conn != NULL)
            drop_if_dead(pg);
        if (pg->conn == NULL && !connect_any(pg, deadline))
            return PG_AWAY;
        switch (run(pg, statement, values, lengths, deadline, result)) {
        case STEP_DONE:
            return PG_DONE;
        case STEP_AWAY:
            return PG_AWAY;
        case STEP_REFUSED:
            return PG_REFUSED;
        case STEP_AGAIN:
            break;
        }
    }
    return PG_AWAY;
}

/* --- binary parameters --- */

static void put_int32(struct buf *b, int32_t value)
{
    uint32_t bytes = htonl((uint32_t)value);
    buf_append(b, &bytes, sizeof bytes);
}

void pg_arrays_init(struct pg_arrays *a, size_t max)
{
    a->count = 0;
    buf_init(&a->data, max);
}

void pg_arrays_begin(struct pg_arrays *a, size_t elements)
{
    struct buf *b = &a->data;
    a->offset[a->count++] = b->len;
    put_int32(b, elements > 0); /* dimensions */
    put_int32(b, true);         /* there may be nulls */
    put_int32(b, TEXT_OID);
    if (elements > 0) {
        put_int32(b, (int32_t)elements);
        put_int32(b, 1); /* the first subscript */
    }
}

void pg_arrays_put(struct pg_arrays *a, const char *text, size_t len)
{
    struct buf *b = &a->data;
    size_t at = b->len;
    put_int32(b, -1);
    if (text == NULL || !buf_utf8(b, text, len))
        return;
    uint32_t bytes = htonl((uint32_t)(b->len - at - sizeof bytes));
    memcpy(b->data + at, &bytes, sizeof bytes);
}

bool pg_arrays_end(struct pg_arrays *a)
{
    if (a->data.failed)
        return false;
    for (int i = 0; i < a->count; i++) {
        size_t end = i + 1 < a->count ? a->offset[i + 1] : a->data.len;
        a->values[i] = a->data.data + a->offset[i];
        a->lengths[i] = (int)(end - a->offset[i]);
    }
    return true;
}

void pg_arrays_clear(struct pg_arrays *a, size_t keep)
{
    a->count = 0;
    if (a->data.cap > keep)
        buf_release(&a->data);
    else
        buf_clear(&a->data);
}

bool pg_only_slow(struct pg *pg)
{
    if (!pg->timed_out)
        return false;
    pg->timed_out = false;
    return connect_any(pg, clock_ms() + pg->timeout_ms / 4);
}

/* --- errors --- */

bool pg_refused_for_now(const struct pg *pg)
{
    static const char *const passing[] = {"57014", "55P03", "40", NULL};
    return pg->sqlstate[0] != '\0' && is_any(pg->sqlstate, passing);
}

const char *pg_sqlstate(const struct pg *pg)
{
    return pg->sqlstate;
}

static const char *error_field(const PGresult *refusal, int field)
{
    const char *text = refusal != NULL ? PQresultErrorField(refusal, field) : NULL;
    return text != NULL ? text : "";
}

const char *pg_message(const struct pg *pg)
{
    return error_field(pg->refusal, PG_DIAG_MESSAGE_PRIMARY);
}

PGresult *pg_take_refusal(struct pg *pg)
{
    PGresult *refusal = pg->refusal;
    pg->refusal = NULL;
    return refusal;
}

const char *pg_message_to_log(const struct pg *pg)
{
    return strncmp(pg->sqlstate, "22", 2) == 0 ? "" : pg_message(pg);
}

/* SQLSTATEs that the schema does not raise on purpose. The first that fits counts. */
static const struct {
    const char *sqlstate; /* or its beginning */
    int status;
    const char *code, *message;
} meanings[] = {
    {"57014", 503, "database_busy", "the database took too long: try again"},
    {"55P03", 503, "database_busy", "the row is in use: try again"},
    {"40", 503, "database_busy", "the database was busy: try again"},
    {"22007", 400, "invalid_value", "a time has the wrong form: send it as 2026-01-31T12:00:00Z"},
    {"22008", 400, "invalid_value", "a time is out of range: send it as 2026-01-31T12:00:00Z"},
    {"22P02", 400, "invalid_value", "a value has the wrong form"},
    {"22003", 400, "invalid_value", "a number is out of range"},
    {"22", 400, "invalid_value", "a value cannot be stored"},
    {"42501", 403, "permission_denied", "this is not allowed"},
    {"", 500, "internal_error", "the server could not do this: its log says why"},
};

/* The HTTP status in UPnnn or PTnnn (as PostgREST has it), or 0. */
static int raised_status(const char *sqlstate)
{
    if (strlen(sqlstate) != 5 || (memcmp(sqlstate, "UP", 2) != 0 && memcmp(sqlstate, "PT", 2) != 0))
        return 0;
    int status = 0;
    for (int i = 2; i < 5; i++) {
        if (sqlstate[i] < '0' || sqlstate[i] > '9')
            return 0;
        status = status * 10 + (sqlstate[i] - '0');
    }
    return status >= 400 && status <= 599 ? status : 0;
}

void pg_api_error(const PGresult *refusal, const char *what, struct api_error *e)
{
    const char *sqlstate = error_field(refusal, PG_DIAG_SQLSTATE);
    const char *message = error_field(refusal, PG_DIAG_MESSAGE_PRIMARY);
    int status = raised_status(sqlstate);
    if (status != 0) {
        api_error(e, status, error_field(refusal, PG_DIAG_MESSAGE_DETAIL),
                  error_field(refusal, PG_DIAG_MESSAGE_HINT), "%s", message);
        return;
    }
    size_t i = 0;
    while (strncmp(sqlstate, meanings[i].sqlstate, strlen(meanings[i].sqlstate)) != 0)
        i++;
    api_error(e, meanings[i].status, meanings[i].code, "", "%s", meanings[i].message);
    if (meanings[i].status == 503)
        e->retry_after_ms = 1000;
    if (strncmp(sqlstate, "22", 2) == 0) /* such a message repeats the value */
        log_debug("postgres", "%s: refused a value: %s: %s", what, sqlstate, message);
    else
        log_error("postgres", "%s: refused: %s: %s", what, sqlstate, message);
}

/* --- breaker --- */

#define PROBE_LEASE_MS                                                                             \
    30000 /* a probe that nobody reports on keeps others out no longer than this */

struct pg_breaker {
    int64_t interval_ms;
    atomic_bool open;
    _Atomic int64_t next_probe_ms;
};

struct pg_breaker *pg_breaker_new(int64_t probe_interval_ms)
{
    struct pg_breaker *b = calloc(1, sizeof *b);
    if (b != NULL)
        b->interval_ms = probe_interval_ms;
    return b;
}

void pg_breaker_free(struct pg_breaker *b)
{
    free(b);
}

bool pg_breaker_allows(struct pg_breaker *b)
{
    if (!atomic_load_explicit(&b->open, memory_order_acquire))
        return true;
    int64_t now = clock_ms();
    int64_t next = atomic_load(&b->next_probe_ms);
    return now >= next &&
           atomic_compare_exchange_strong(&b->next_probe_ms, &next, now + PROBE_LEASE_MS);
}

void pg_breaker_report(struct pg_breaker *b, enum pg_outcome outcome)
{
    if (outcome == PG_AWAY) {
        atomic_store(&b->next_probe_ms, clock_ms() + b->interval_ms);
        if (!atomic_exchange(&b->open, true))
            log_warn("postgres", "away: calls fail at once until it answers again");
    } else if (atomic_load_explicit(&b->open, memory_order_acquire) &&
               atomic_exchange(&b->open, false)) {
        log_info("postgres", "back");
    }
}

bool pg_breaker_open(const struct pg_breaker *b)
{
    return atomic_load_explicit(&b->open, memory_order_acquire);
}
