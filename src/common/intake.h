/*
 * Intake: a few threads of plain blocking code. Each accepts a request and gives it to a function
 * that reads its body where it is wanted, and answers it or hands it on.
 */
#ifndef UPLIFT_INTAKE_H
#define UPLIFT_INTAKE_H

#include "config.h"
#include "must_check.h"
#include "request.h"

#include <stdbool.h>

struct intake;

struct intake_options {
    const struct config *config;   /* borrowed: for limits of requests */
    struct request_memory *memory; /* borrowed; it outlives all requests */
    int listen_fd;                 /* listening, and non-blocking */
    size_t threads;
    /* Called in any of the threads with a request whose body is still to be read; it must end the
     * request or hand it on. */
    void (*serve)(void *arg, struct request *r);
    void *arg;
};

/* Starts the threads; copies the options. NULL with a logged reason. */
MUST_CHECK struct intake *intake_start(const struct intake_options *options);
/* Stops accepting, waits until every request in hand is answered or handed on, and frees
 * everything. Connections of a listener that refuses (listener_refuse) are all served first. */
void intake_stop(struct intake *in);

#endif
