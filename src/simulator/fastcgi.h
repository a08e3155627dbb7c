/*
 * A small FastCGI responder on libuv: thousands of requests open at once in one thread, none of
 * which can block another. Protocol: FastCGI specification 1.0; no multiplexing, as libfcgi.
 *
 * It is not libfcgi, because what is simulated needs the bytes: libfcgi's output blocks the thread,
 * so that each of thousands of answers that come word by word would take one, and it ends every
 * request as it should be ended, where a fault here is an answer that breaks off (fastcgi_cut).
 */
#ifndef UPLIFT_SIMULATOR_FASTCGI_H
#define UPLIFT_SIMULATOR_FASTCGI_H

#include "common/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#define FASTCGI_BODY_MAX ((size_t)64 << 20) /* bytes; longer bodies are answered with 413 */

/* One request. It lives until fastcgi_end or fastcgi_cut, or until the peer hangs up. */
struct fastcgi_request {
    struct buf params; /* name NUL value NUL ...; read with fastcgi_param */
    struct buf body;
    bool body_too_long;
    void *state; /* the handler's */
    /* Called once when the request is over, for whatever reason; releases state. May be NULL. */
    void (*over)(struct fastcgi_request *r);
    void (*timer_fn)(struct fastcgi_request *r);
};

/* Called in the loop's thread when a request was read whole. */
typedef void (*fastcgi_handler)(struct fastcgi_request *r, void *arg);

/* One loop's share of a listening socket; several loops may share one socket. */
struct fastcgi_server;

/* Serves the listening socket fd (a Unix or TCP socket, kept by the caller) in loop. NULL when that
 * fails. */
struct fastcgi_server *fastcgi_serve(uv_loop_t *loop, int fd, fastcgi_handler handler, void *arg);
/* Ends all requests and stops listening; run the loop until it is empty, then free. */
void fastcgi_stop(struct fastcgi_server *s);
void fastcgi_free(struct fastcgi_server *s);

/* The value of a FastCGI parameter, or NULL. Borrowed. */
const char *fastcgi_param(const struct fastcgi_request *r, const char *name);
/* Sends output (copied). The request may be over when this returns false: touch it no more. */
bool fastcgi_send(struct fastcgi_request *r, const void *data, size_t len);
/* Bytes that the peer has not taken yet. */
size_t fastcgi_queued(const struct fastcgi_request *r);
/* Calls fn once after ms milliseconds, instead of what was set before. */
void fastcgi_after(struct fastcgi_request *r, uint64_t ms, void (*fn)(struct fastcgi_request *r));
/* Ends the request properly once all was taken. */
void fastcgi_end(struct fastcgi_request *r);
/* Breaks off in the middle of the answer, once all that was sent was taken, in a way that makes the
 * web server cut its client's connection. */
void fastcgi_cut(struct fastcgi_request *r);

#endif
