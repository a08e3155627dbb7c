/*
 * Connections to Postgres that the threads of a process share, and the calls that wait for them.
 *
 * Calls of a statement for many go out together: while a connection is on its way
 * for some, those that come meanwhile gather, and the next round trip takes all of them. So the
 * more there is to do the less each call costs, for most of what a small one takes is the round
 * trip and the transaction around it. Therefore such a call takes another free connection only when
 * the one on its way has not come back in PG_POOL_GATHER_MS: a slow call holds up nobody for
 * longer. And under load, which is when at least PG_POOL_LOAD went together the last time, a round
 * trip waits up to half a millisecond for twice as many.
 *
 * One caller's slow calls do not take what others need: the first parameter of a call says whose it
 * is, and where there are several connections, those of one are never on all of them (what goes
 * together aside). Once one of them has taken PG_POOL_SLOW_MS, no more than PG_POOL_PATIENCE others
 * of the same wait behind it; and nobody waits for a connection for longer than two calls may take.
 *
 * Each parameter of a statement for many is a text[] with an element for each call. It gives one
 * row for each call, in any order; its last column, which who calls does not see, is the call's
 * place in the arrays, from 1. All of it is one transaction.
 */
#ifndef UPLIFT_PG_POOL_H
#define UPLIFT_PG_POOL_H

#include "must_check.h"
#include "pg.h"

#include <stddef.h>
#include <stdint.h>

#define PG_POOL_TOGETHER 32 /* calls in one round trip, at most */
#define PG_POOL_GATHER_MS 5
#define PG_POOL_LOAD 4
#define PG_POOL_SLOW_MS 250
#define PG_POOL_PATIENCE 4

struct pg_pool;

/* A pool of so many connections (at least 1), each made when it is first needed. The other
 * parameters are as for pg_new. NULL when memory ran out or conninfo is none. */
MUST_CHECK struct pg_pool *pg_pool_new(const char *conninfo, const char *name, size_t connections,
                                       int64_t timeout_ms, int64_t lock_timeout_ms);
/* No thread may be in pg_pool_call any more. */
void pg_pool_free(struct pg_pool *pool);

/*
 * As pg_call, by any thread, on a connection that is free or becomes so. On PG_REFUSED *result is
 * the error, for pg_api_error; it is the caller's to PQclear, too; NULL says that there was no
 * connection for it in time, or no answer from a server that answers others. A call that waits
 * behind one that finds Postgres away is told the same at once. When one of many is refused,
 * nothing has happened, and each is run again, alone.
 */
MUST_CHECK enum pg_outcome pg_pool_call(struct pg_pool *pool, const struct pg_statement *statement,
                                        const char *const *values, PGresult **result);

/*
 * As pg_pool_call through a breaker, with the error for the client: 503 database_unavailable with
 * Retry-After while Postgres is away, database_busy where it had no time for this, what
 * pg_api_error says when it refused. *away (which may be NULL) tells the two apart. True with
 * *result, the caller's to PQclear.
 */
MUST_CHECK bool pg_pool_ask(struct pg_pool *pool, struct pg_breaker *breaker,
                            const struct pg_statement *statement, const char *const *values,
                            PGresult **result, struct api_error *error, bool *away);

#endif
