/*
 * Intake: a few threads of plain blocking code. Each takes a request, from a new connection or from
 * one that was kept, and gives it to a function that reads its body where it is wanted, and answers
 * it or hands it on.
 *
 * Where nginx keeps its connections (fastcgi_keep_conn), so do we: one that ended its request in
 * order waits here for the next, and no thread waits with it. Only nginx closes such a connection,
 * because a request may already be on its way when we would: so a process that is to end serves
 * what still comes on them (intake_drain) until nginx has closed them all.
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

/* Copies the options. Serves nobody yet, but takes connections to keep. NULL with a logged reason.
 */
MUST_CHECK struct intake *intake_new(const struct intake_options *options);
/* Starts the threads. False with a logged reason. */
MUST_CHECK bool intake_start(struct intake *in);
/* Takes a connection to wait for its next request. By any thread, until intake_free. */
void intake_keep(struct intake *in, int fd);
/* Accepts no more connections, but serves what comes on those that are kept. Waits until every
 * request in hand is answered or handed on. Connections of a listener that refuses
 * (listener_refuse) are all served first. */
void intake_drain(struct intake *in);
/* After intake_drain: whether nginx has closed all connections but those of requests that were
 * handed on. */
bool intake_is_empty(const struct intake *in);
/* Serves nothing more, and closes what it is given to keep. Waits until every request in hand is
 * answered or handed on. */
void intake_stop(struct intake *in);
/* After intake_stop, and once nobody has requests that were handed on. NULL is allowed. */
void intake_free(struct intake *in);

#endif
