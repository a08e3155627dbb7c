/*
 * Intake: a few threads of plain blocking code. Each accepts a request, reads it whole, finds its
 * route, and either answers it or, for a chat, prepares it and hands it to the relay. Nothing here
 * waits longer than a configured limit.
 */
#ifndef UPLIFT_INTAKE_H
#define UPLIFT_INTAKE_H

#include "worker.h"

#include <stdbool.h>

struct intake;

/* Starts config->intake_threads threads on worker->listen_fd (which must be non-blocking). Borrows
 * worker. NULL with a logged reason. */
struct intake *intake_start(struct worker *worker);
/* Stops accepting, waits until every request in hand is answered or handed on, and frees
 * everything. */
void intake_stop(struct intake *in);

#endif
