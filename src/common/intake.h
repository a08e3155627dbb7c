/*
 * Intake: a few threads of plain blocking code. Each accepts a request, reads it whole and gives it
 * to a function that answers it or hands it on.
 */
#ifndef UPLIFT_INTAKE_H
#define UPLIFT_INTAKE_H

#include "config.h"
#include "request.h"

#include <stdbool.h>

struct intake;

struct intake_options {
    const struct config *config; /* borrowed: for limits of requests */
    int listen_fd;               /* listening, and non-blocking */
    size_t threads;
    /* Called in any of the threads with a request that was read whole, which it must end or hand
     * on. */
    void (*serve)(void *arg, struct request *r);
    void *arg;
};

/* Starts the threads; copies the options. NULL with a logged reason. */
struct intake *intake_start(const struct intake_options *options);
/* Stops accepting, waits until every request in hand is answered or handed on, and frees
 * everything. Connections of a listener that refuses (listener_refuse) are all served first. */
void intake_stop(struct intake *in);

#endif
