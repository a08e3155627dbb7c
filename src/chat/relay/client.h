/*
 * A chat's client as the relay sees it: a FastCGI request that is written to without ever blocking.
 *
 * libfcgi reads requests well, but it can only write to a socket that blocks. The relay therefore
 * frames its output as FastCGI records itself (FastCGI 1.0, 3.3: a header of 8 bytes before each
 * piece) and sends it with MSG_DONTWAIT; what the socket does not take waits in a buffer with a
 * limit. libfcgi's stream buffers, 17 KB a request, are given back as soon as the relay has it.
 */
#ifndef UPLIFT_CLIENT_H
#define UPLIFT_CLIENT_H

#include "common/buf.h"
#include "common/request.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct client {
    uv_loop_t *loop;
    uv_poll_t poll;          /* only while watched */
    struct request *request; /* owned until on_end */
    struct buf waiting;      /* framed bytes that the socket did not take yet ... */
    size_t sent;             /* ... of which so many went out since */
    size_t limit;            /* bytes that may wait before the client is given up */
    int64_t progress_ms;     /* when the socket last took a byte */
    bool has_poll;
    int events;   /* uv_poll_event bits watched; 0: a hang-up is noticed at the next write only */
    bool is_gone; /* hung up; nothing can be sent any more */
    bool is_stalled; /* the limit was passed; nothing more is kept */
    bool is_ending;
    bool is_answered; /* its end was sent, or waits */
    bool can_keep; /* the connection, for another request, when this one has been answered whole */
    void (*on_gone)(void *arg); /* the client hung up; at most once, never from inside a call */
    void (*on_end)(void *arg);  /* the request has been ended and is gone; perhaps from inside
                                   client_end, client_drop or client_flush */
    void *arg;
};

/* Takes the request. Callbacks may be set after. */
void client_init(struct client *c, uv_loop_t *loop, struct request *request, size_t limit);
/* Sends or keeps data. False when the client is gone or stalled. */
bool client_send(struct client *c, const void *data, size_t len);
/* Sends data (of any length; the limit does not count) and the end of the answer, and ends the
 * request once all has gone out or the client hung up. */
void client_end(struct client *c, const void *data, size_t len);
/* Ends the request as it is; nginx tells its client of an answer cut short. */
void client_drop(struct client *c);
/* Starts to notice hang-ups at once. Costs a system call or two, which a short chat is spared. */
void client_watch(struct client *c);
/* Bytes that wait. */
size_t client_waiting(const struct client *c);

#endif
