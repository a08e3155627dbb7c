/*
 * Connections to Postgres that the threads of a process share, and the calls that wait for them.
 *
 * Calls of statements that join go out together: while one connection is on its way for some, those
 * that come meanwhile gather, and the next round trip takes all of them, in one transaction. So the
 * more there is to do the less each call costs: most of what a small call takes is the round trip
 * and the transaction around it. Therefore a call that joins takes another free connection only
 * when the one on its way has not come back in PG_POOL_GATHER_MS: a slow call holds up nobody for
 * longer.
 */
#ifndef UPLIFT_PG_POOL_H
#define UPLIFT_PG_POOL_H

#include "pg.h"

#include <stddef.h>
#include <stdint.h>

#define PG_POOL_TOGETHER 16 /* calls in one round trip, at most */
#define PG_POOL_GATHER_MS 5

struct pg_pool;

/* A pool of so many connections (at least 1), each made when it is first needed. The other
 * parameters are as for pg_new. NULL when memory ran out or conninfo is none. */
struct pg_pool *pg_pool_new(const char *conninfo, const char *name, size_t connections,
                            int64_t timeout_ms, int64_t lock_timeout_ms);
/* No thread may be in pg_pool_call any more. */
void pg_pool_free(struct pg_pool *pool);

/*
 * As pg_call, by any thread, on a connection that is free or becomes so. On PG_REFUSED *result is
 * the error, for pg_api_error; it is the caller's to PQclear, too. A call that waits behind one
 * that finds Postgres away is told the same at once. A statement that joins has to return rows, and
 * when one in its transaction is refused it is run again, alone.
 */
enum pg_outcome pg_pool_call(struct pg_pool *pool, const struct pg_statement *statement,
                             const char *const *values, PGresult **result);

#endif
