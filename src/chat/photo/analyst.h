/*
 * The analysts: a few threads of a worker that have photos of meals analysed, and one that deletes
 * the files of photos that are gone, however long those take. Nobody waits for them: however slow a
 * provider is, chats and uploads go on.
 *
 * What is to be done is in Postgres (uplift.food_photos, uplift.photo_removals), so that any worker
 * of any host may do it and nothing is lost with one. A photo that was begun belongs to the thread
 * until it is told, or until its time is over.
 */
#ifndef UPLIFT_ANALYST_H
#define UPLIFT_ANALYST_H

#include "chat/shared/metrics.h"
#include "common/config.h"
#include "common/must_check.h"
#include "common/pg_pool.h"

#define ANALYST_THREADS 4 /* calls of the provider at once */

struct analyst;

/* Borrows all. Without UPLIFT_PHOTO_DIR there is no thread, and nothing is done. NULL with a logged
 * reason. */
MUST_CHECK struct analyst *analyst_start(const struct config *config, struct pg_pool *pool,
                                         struct pg_breaker *breaker, struct metrics *metrics);
/* There is something to do: a photo is new, or one is gone. Never blocks. By any thread. */
void analyst_wake(struct analyst *a);
/* Breaks off what is under way, which others go on with. NULL is allowed. */
void analyst_stop(struct analyst *a);

#endif
