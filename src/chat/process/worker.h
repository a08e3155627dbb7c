/* One worker process: its stages, and how it starts, drains and ends. */
#ifndef UPLIFT_WORKER_H
#define UPLIFT_WORKER_H

#include "chat/shared/shared.h"
#include "common/config.h"
#include "common/uuid.h"

/* How long a worker that drains waits at least for nginx to close the connections that it keeps:
 * its keepalive_time, 5 s in our configurations, and its last request's time. */
#define WORKER_KEPT_MS 6000

/*
 * Runs a worker on an already listening socket until it is told to stop: WORKER_DRAIN (also
 * sent by the master's death) drains - no more accepts, open chats go on for at most drain_ms,
 * or for WORKER_KEPT_MS where nginx has connections open - and WORKER_END_NOW ends at once. Called
 * in a freshly forked process, with both blocked, before any library was initialised. answer_key
 * and shared come from the master so that all workers share them. Returns the exit status.
 */
int worker_run(const struct config *config, int listen_fd, const struct answer_key *answer_key,
               struct shared *shared, int number);

#endif
