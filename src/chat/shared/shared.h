/*
 * Memory that all workers of a host share: made by the master before it forks, so that it outlives
 * every worker, and zero at first.
 *
 * Nothing in it is guarded by a lock, for a worker may die holding one. Each field says who writes
 * it and how.
 */
#ifndef UPLIFT_SHARED_H
#define UPLIFT_SHARED_H

#include "chat/provider/breaker.h"
#include "common/must_check.h"
#include "metrics.h"
#include "open_answers.h"
#include "worker_slots.h"

struct shared {
    struct breakers breakers; /* of providers */
    struct metrics metrics[METRICS_WORKERS];
    struct worker_slots slots;
    struct open_answers open_answers;
};

/* NULL with a logged reason. Never freed: it goes with the processes. */
MUST_CHECK struct shared *shared_new(void);

#endif
