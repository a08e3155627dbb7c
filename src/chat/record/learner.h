/*
 * The learner: a thread that has Postgres look for what is worth remembering in what users said,
 * once the answer is recorded (uplift_chat.learn_memories), and lets the turn be found in later
 * conversations (uplift_chat.index_answers). Nobody waits for it, and while much is said it leaves
 * most of the time to those who wait for an answer. What it does not come to, because Postgres is
 * away or too much is said at once, the job extract-memories finds.
 */
#ifndef UPLIFT_LEARNER_H
#define UPLIFT_LEARNER_H

#include "chat/chat.h"
#include "common/must_check.h"
#include "common/pg_pool.h"

#define LEARNER_WAITING_MAX 4096 /* answers */

struct learner;

/* Borrows both. NULL with a logged reason. */
MUST_CHECK struct learner *learner_start(struct pg_pool *pool, struct pg_breaker *breaker);
/* Takes note of those of a list of chats, linked by next, that were recorded and may be remembered.
 * Never blocks. By any thread. */
void learner_note(struct learner *l, const struct chat *list);
/* Stops the thread, and forgets what waits. NULL is allowed. */
void learner_stop(struct learner *l);

#endif
