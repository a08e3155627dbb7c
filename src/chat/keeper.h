/*
 * The keeper: the one thread of a worker that asks Postgres, each second, what has changed beside
 * the chats (uplift.worker_sync), and passes it on. While Postgres is away all stays as it was last
 * known.
 */
#ifndef UPLIFT_KEEPER_H
#define UPLIFT_KEEPER_H

#include "../common/config.h"
#include "../common/pg.h"
#include "budgets.h"
#include "limits.h"
#include "routing.h"

struct keeper;

/* Borrows all. NULL with a logged reason. */
struct keeper *keeper_start(const struct config *config, struct pg_breaker *breaker,
                            struct routings *routings, struct budgets *budgets,
                            struct limits *limits);
/* Stops the thread and frees everything; NULL is none. */
void keeper_stop(struct keeper *k);

#endif
