/*
 * The keeper: the one thread of a worker that asks Postgres, each second, what has changed beside
 * the chats (uplift.worker_sync), and passes it on. While Postgres is away all stays as it was last
 * known.
 */
#ifndef UPLIFT_KEEPER_H
#define UPLIFT_KEEPER_H

#include <cjson/cJSON.h>

struct keeper;
struct worker;

/* Borrows the worker, whose stages have been started. Asks for the first time before it returns,
 * for as long as a call of Postgres may take. NULL with a logged reason. */
struct keeper *keeper_start(struct worker *w);
/* What Postgres last told for the metrics, {"budgets": [...], "queues": {...}}; the caller's. NULL
 * when nothing is known. Thread-safe. */
cJSON *keeper_gauges(struct keeper *k);
/* Stops the thread and frees everything; NULL is none. */
void keeper_stop(struct keeper *k);

#endif
