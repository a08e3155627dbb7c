/*
 * The loader: the recorder's helper thread, with its own connection, so that nothing it does delays
 * a chat. Each second it looks whether Postgres is back, keeps the personas fresh, and loads spool
 * files that belong to nobody: those of this process, of processes that died, and of earlier boots.
 */
#ifndef UPLIFT_LOADER_H
#define UPLIFT_LOADER_H

#include "chat/shared/metrics.h"
#include "chat/snapshot/persona.h"
#include "common/config.h"
#include "common/must_check.h"
#include "common/pg.h"
#include "spool.h"

struct loader;

/* Borrows all; personas and metrics may be NULL. NULL with a logged reason. */
MUST_CHECK struct loader *loader_start(const struct config *config, struct pg_breaker *breaker,
                                       struct personas *personas, struct metrics *metrics,
                                       struct spool *spool);
/* Stops after the call under way and frees. What is not loaded stays for the next process. */
void loader_stop(struct loader *l);

#endif
