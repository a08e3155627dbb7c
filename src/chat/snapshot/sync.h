/*
 * The sync thread: the one thread of a worker that asks Postgres, each second, what has changed
 * beside the chats (uplift_chat.worker_sync), and passes it on. While Postgres is away all stays as
 * it was last known.
 */
#ifndef UPLIFT_SYNC_H
#define UPLIFT_SYNC_H

#include "budgets.h"
#include "chat/provider/breaker.h"
#include "chat/provider/embedder.h"
#include "chat/provider/routing.h"
#include "common/config.h"
#include "common/must_check.h"
#include "common/pg.h"
#include "experiments.h"
#include "limits.h"
#include "model_access.h"
#include "prices.h"

#include <cjson/cJSON.h>

struct sync;

/* All of it is borrowed. */
struct sync_options {
    const struct config *config;
    struct pg_breaker *breaker;
    /* Who is told what has changed. */
    struct routings *routings;
    struct model_access *access;
    struct prices *prices;
    struct budgets *budgets;
    struct experiments *experiments;
    struct limits *limits;
    struct embedder *embedder;
    const struct breakers *breakers; /* which Postgres is told of; NULL: it is not */
    void (*each_second)(void *arg);  /* called by the thread after each look */
    void *arg;
};

/* Asks for the first time before it returns, for as long as a call of Postgres may take. NULL with
 * a logged reason. */
MUST_CHECK struct sync *sync_start(const struct sync_options *options);
/* What Postgres last told for the metrics, {"budgets": [...], "queues": {...}}; the caller's. NULL
 * when nothing is known. Thread-safe. */
cJSON *sync_gauges(struct sync *s);
/* Stops the thread and frees everything; NULL is none. */
void sync_stop(struct sync *s);

#endif
