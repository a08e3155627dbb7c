/* What the routes work with: the stages and the knowledge that all threads of a worker share. */
#ifndef UPLIFT_SERVICES_H
#define UPLIFT_SERVICES_H

#include "chat/photo/analyst.h"
#include "chat/provider/embedder.h"
#include "chat/provider/routing.h"
#include "chat/record/learner.h"
#include "chat/record/recorder.h"
#include "chat/relay/relay.h"
#include "chat/shared/metrics.h"
#include "chat/shared/shared.h"
#include "chat/snapshot/budgets.h"
#include "chat/snapshot/experiments.h"
#include "chat/snapshot/limits.h"
#include "chat/snapshot/model_access.h"
#include "chat/snapshot/persona.h"
#include "chat/snapshot/sync.h"
#include "common/auth.h"
#include "common/config.h"
#include "common/pg_pool.h"
#include "common/request.h"
#include "common/uuid.h"
#include "search/search.h"

#include <stdatomic.h>
#include <stdbool.h>

/* Made and taken down by the worker (worker.c); each part is thread-safe. */
struct services {
    const struct config *config;
    struct answer_signer *signer; /* of answer ids */
    struct auth *auth;
    struct api_keys *keys;
    struct pg_breaker *breaker;
    struct pg_pool *prepare_pool; /* for statements with a form for many: what chats wait for */
    struct pg_pool *pool;         /* for all others, but */
    struct pg_pool *slow_pool;    /* for what may take minutes */
    struct personas *personas;
    struct experiments *experiments;
    struct recorder *recorder;
    struct learner *learner;
    struct analyst *analyst;
    struct intake *intake;
    struct relay *relay;
    struct shared *shared;
    int slot;                /* in shared->slots, -1: none */
    struct metrics *metrics; /* its own block */
    struct prices *prices;
    struct routings *routings;
    struct model_access *access;
    struct budgets *budgets;
    struct limits *limits;
    struct sync *sync;
    struct search *search;
    struct embedder *embedder;
    struct request_memory memory;
    atomic_bool draining;
};

#endif
