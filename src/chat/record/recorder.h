/*
 * The recorder: the one thread that makes answers durable. It takes finished answers in groups,
 * writes each group in one transaction, and hands the group back to the relay, which only then
 * sends the end of each answer. Most of what a commit costs is the same for one answer as for many:
 * under load, which is when several came together the last time, a group waits up to two
 * milliseconds for twice as many; so does one of answers from the cache, which come so soon that it
 * would be small, for as many. While Postgres is away groups go to the spool (spool.h), which it
 * loads, once, when Postgres is back.
 */
#ifndef UPLIFT_RECORDER_H
#define UPLIFT_RECORDER_H

#include "chat/chat.h"
#include "chat/shared/metrics.h"
#include "common/config.h"
#include "common/must_check.h"
#include "common/pg.h"

#include <stdbool.h>
#include <stdint.h>

struct recorder;
struct personas;

/* Takes back chats, linked by next, whose fate is decided (chat->recorded). Must not block. */
typedef void recorder_done(void *arg, struct chat *list);

/* Borrows all. personas are refreshed by it while Postgres answers; metrics may be NULL. NULL with
 * a logged reason. */
MUST_CHECK struct recorder *recorder_start(const struct config *config, struct pg_breaker *breaker,
                                           struct personas *personas, struct metrics *metrics);
/* To whom finished groups go back; once, before the first submit. */
void recorder_attach(struct recorder *r, recorder_done *done, void *arg);
/* Takes the chat; it comes back by recorder_done in every case. Thread-safe. False (still the
 * caller's) when record_queue_max chats wait. */
MUST_CHECK bool recorder_submit(struct recorder *r, struct chat *c);
/*
 * Makes a thumb durable while Postgres is away: one JSON line, as spool_feedback_line makes it, in
 * the spool. Waits for the fsync (shared with the group under way). False when the disk refused it.
 * Thread-safe.
 */
bool recorder_spool_feedback(struct recorder *r, const char *json_line);
/* Answers that wait to be written. Thread-safe. */
int64_t recorder_waiting(struct recorder *r);
/* Whether anything waits in spool files of this host: looks there. Thread-safe. */
bool recorder_has_spooled(struct recorder *r);
/* Bytes waiting in spool files of this host. Thread-safe. */
int64_t recorder_spool_bytes(const struct recorder *r);
/* Writes what is queued, then stops the thread and frees everything. After relay_stop. */
void recorder_stop(struct recorder *r);

#endif
