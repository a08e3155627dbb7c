/* One worker process: its stages, and how it starts, drains and ends. */
#ifndef UPLIFT_WORKER_H
#define UPLIFT_WORKER_H

#include "chat/shared/shared.h"
#include "common/config.h"
#include "common/uuid.h"

/*
 * Runs a worker on an already listening socket until it is told to stop: WORKER_DRAIN (also
 * sent by the master's death) drains - no more accepts, open chats go on for at most drain_ms - and
 * WORKER_END_NOW ends at once. Called in a freshly forked process, with both blocked, before any
 * library was initialised.
 * answer_key and shared come from the master so that all workers share them. Returns the exit
 * status.
 */
int worker_run(const struct config *config, int listen_fd, const struct answer_key *answer_key,
               struct shared *shared, int number);

#endif
