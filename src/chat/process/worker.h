/* One worker process: its stages, and how it starts, drains and ends. */
#ifndef UPLIFT_WORKER_H
#define UPLIFT_WORKER_H

#include "common/auth.h"
#include "common/config.h"
#include "common/pg_pool.h"
#include "common/request.h"
#include "common/uuid.h"
#include "chat/snapshot/budgets.h"
#include "chat/snapshot/keeper.h"
#include "chat/snapshot/limits.h"
#include "chat/metrics/metrics.h"
#include "chat/snapshot/model_access.h"
#include "chat/snapshot/persona.h"
#include "chat/record/recorder.h"
#include "chat/relay/relay.h"
#include "chat/provider/routing.h"
#include "shared.h"

#include <stdatomic.h>
#include <stdbool.h>

/* What all threads of a worker share. */
struct worker {
    const struct config *config;
    int listen_fd;
    struct answer_signer *signer; /* of answer ids */
    struct auth *auth;
    struct api_keys *keys;
    struct pg_breaker *breaker;
    struct pg_pool *prepare_pool; /* for statements with a form for many: what chats wait for */
    struct pg_pool *pool;         /* for all others */
    struct personas *personas;
    struct recorder *recorder;
    struct relay *relay;
    struct shared *shared;
    int slot;                /* in shared->slots, -1: none */
    struct metrics *metrics; /* its own block */
    struct prices *prices;
    struct routings *routings;
    struct model_access *access;
    struct budgets *budgets;
    struct limits *limits;
    struct keeper *keeper;
    struct request_memory memory;
    atomic_bool draining;
};

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
