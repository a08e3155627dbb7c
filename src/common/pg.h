/* A Postgres connection that never waits longer than it was told to. */
#ifndef UPLIFT_PG_H
#define UPLIFT_PG_H

#include "buf.h"
#include "error.h"
#include "must_check.h"

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

enum pg_outcome {
    PG_DONE, /* the statement ran; the result is the caller's to PQclear */
    PG_AWAY, /* no server, connection lost, or no answer in time: nothing is known to have happened
              */
    PG_REFUSED, /* the server answered with an error: see sqlstate and message of the connection */
};

/* One connection, used by one thread at a time. Statements are prepared on first use and again
 * after a reconnect. */
struct pg;

/* Copies conninfo; does not connect yet. Several hosts share the time limit. A name in host is
 * looked up by libpq, which waits as long as the resolver does: where that may hang, give hostaddr,
 * too. connect and call timeouts in milliseconds. name appears in pg_stat_activity. lock_timeout_ms
 * 0 leaves the server's. NULL when memory ran out. */
MUST_CHECK struct pg *pg_new(const char *conninfo, const char *name, int64_t timeout_ms,
                             int64_t lock_timeout_ms);
void pg_free(struct pg *pg);

/* A statement with a fixed text; declare each once as a static const and pass its address. */
struct pg_statement {
    const char *name;
    const char *sql; /* with $1 ... $n */
    int params;      /* at most PG_PARAMS_MAX, where some are binary */
    bool for_many;   /* it makes several calls at once: see pg_pool.h */
};
#define PG_PARAMS_MAX 48

/*
 * Runs a prepared statement with text parameters (NULL is SQL null) and text results, connecting or
 * reconnecting when needed, and waits at most the connection's timeout in all, connecting included;
 * the server ends the statement itself an eighth of that (at most a second) before.
 * *result is set on PG_DONE only. A connection that timed out or broke is closed, so that a late
 * answer can never be taken for the next one's. A statement is sent again, once, when a kept
 * connection proves dead before anything was sent on it.
 */
MUST_CHECK enum pg_outcome pg_call(struct pg *pg, const struct pg_statement *statement,
                                   const char *const *values, PGresult **result);
/* The same with parameters of which some are in Postgres' binary form: those whose length, in
 * bytes, is not -1. */
MUST_CHECK enum pg_outcome pg_call_binary(struct pg *pg, const struct pg_statement *statement,
                                          const char *const *values, const int *lengths,
                                          PGresult **result);
/*
 * Parameters that are all text[], in binary form, of a statement that does several things at once.
 * An element of NULL is SQL's null; bytes that Postgres does not take as UTF-8 become U+FFFD.
 */
struct pg_arrays {
    struct buf data; /* one array after the other */
    int count;       /* of arrays */
    size_t offset[PG_PARAMS_MAX];
    const char *values[PG_PARAMS_MAX];
    int lengths[PG_PARAMS_MAX];
};

/* At most max bytes. Released by buf_release(&a->data). */
void pg_arrays_init(struct pg_arrays *a, size_t max);
/* Begins the next array, of so many elements; then each is put. */
void pg_arrays_begin(struct pg_arrays *a, size_t elements);
void pg_arrays_put(struct pg_arrays *a, const char *text, size_t len);
/* Makes values and lengths, for pg_call_binary. False when memory ran out, or there was too much.
 */
MUST_CHECK bool pg_arrays_end(struct pg_arrays *a);
/* Empties it; keeps no more than so many bytes of memory. */
void pg_arrays_clear(struct pg_arrays *a, size_t keep);
/*
 * After a PG_AWAY: whether the server lives, and it was only that one statement that had no answer
 * in time. Asks on a new connection, which is then this one's, for up to a quarter of the time
 * limit. One that is slow is mostly ended by the server itself before (statement_timeout,
 * PG_REFUSED with 57014); this is for those that it cannot interrupt.
 */
bool pg_only_slow(struct pg *pg);
/* Whether the last PG_REFUSED is one that passes: out of time, a lock, a deadlock. */
bool pg_refused_for_now(const struct pg *pg);
/* SQLSTATE (5 characters), primary message, detail and hint of the last PG_REFUSED; "" where
 * absent. Borrowed until the next call. */
const char *pg_sqlstate(const struct pg *pg);
const char *pg_message(const struct pg *pg);
/* The same for logs: "" for class 22, whose messages repeat the value, which somebody wrote. */
const char *pg_message_to_log(const struct pg *pg);
/* The error of the last PG_REFUSED, for pg_api_error; the caller's to PQclear. NULL when there is
 * none. */
PGresult *pg_take_refusal(struct pg *pg);
/* Turns such an error into one for the client: SQLSTATE UPnnn is HTTP nnn (detail: code, hint:
 * param); the rest by one table (57014 -> 503, 55P03 -> 503, 22P02/22003 -> 400, other -> 500 with
 * a message that tells nothing of the inside, and a line in the log that names what was tried). */
void pg_api_error(const PGresult *refusal, const char *what, struct api_error *e);

/*
 * Whether Postgres answers, as seen by all threads of a process: while it is away, callers do not
 * queue behind it. One thread at a time is let through to probe; all others are told at once.
 */
struct pg_breaker;
MUST_CHECK struct pg_breaker *pg_breaker_new(int64_t probe_interval_ms);
void pg_breaker_free(struct pg_breaker *b);
/* True when a call may be tried now. */
bool pg_breaker_allows(struct pg_breaker *b);
/* Tells the breaker how a call went: away (PG_AWAY) opens it at once, anything else closes it. Logs
 * each change. */
void pg_breaker_report(struct pg_breaker *b, enum pg_outcome outcome);
bool pg_breaker_open(const struct pg_breaker *b);

#endif
