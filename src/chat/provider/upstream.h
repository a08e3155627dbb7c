/*
 * Calls of a provider's chat completions: one transfer each, on curl handles that are used again.
 *
 * The owner of a call is told of each event of a stream as it comes, and once of its end. After its
 * end, upstream_let_go or upstream_cancel the call is no longer the owner's.
 */
#ifndef UPLIFT_UPSTREAM_H
#define UPLIFT_UPSTREAM_H

#include "common/buf.h"
#include "common/config.h"
#include "common/must_check.h"
#include "common/sse.h"
#include "multi.h"
#include "routing.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum upstream_end {
    UPSTREAM_ANSWERED,     /* a whole response with a 2xx status */
    UPSTREAM_REFUSED,      /* a whole response with another status */
    UPSTREAM_UNREACHABLE,  /* no connection: name, TCP or TLS */
    UPSTREAM_CONNECT_SLOW, /* none within the connect limit */
    UPSTREAM_RESET,        /* connected, and closed without a byte of response */
    UPSTREAM_CUT,          /* closed within the response */
    UPSTREAM_TOO_LARGE,    /* the response, or one event of it, passed the limit */
};

struct upstream_result {
    enum upstream_end end;
    int http_status;        /* 0 when no response came */
    int64_t retry_after_ms; /* -1 when the provider did not say */
    bool is_stream;         /* events came, whatever was asked for */
    struct buf *body;       /* unless it was a stream; may be taken */
    const char *reason;     /* for logs */
};

struct upstream_owner {
    /* One event: its type ("message" mostly), and its data, NUL-terminated; both borrowed. */
    void (*on_event)(void *arg, const char *event, const char *data, size_t len);
    /* Bytes came, and their events have all been told. */
    void (*on_bytes)(void *arg);
    void (*on_end)(void *arg, const struct upstream_result *result);
    void *arg;
};

struct upstream;

struct upstreams {
    const struct config *config;
    struct multi multi;
    size_t response_max;   /* bytes */
    struct upstream *idle; /* calls to be used again */
    size_t idle_count;
    struct upstream *lingering; /* let go, and not over yet */
};

/* Borrows config. False with a logged reason. */
MUST_CHECK bool upstreams_open(struct upstreams *u, const struct config *config, uv_loop_t *loop);
/* Takes out calls that were let go and do not end. */
void upstreams_sweep(struct upstreams *u, int64_t now_ms);
/* Ends it; no call may be in anybody's hands. Memory goes with upstreams_free, once the loop has
 * run again. */
void upstreams_close(struct upstreams *u);
void upstreams_free(struct upstreams *u);

/* What is asked of a provider. */
struct upstream_request {
    const char *body; /* stays as it is until the call is over or upstream_has_sent says so */
    size_t len;
    const char *id;          /* goes along as X-Client-Request-Id */
    const char *traceparent; /* goes along, too; "" for none */
};

/* Posts to a provider, which must stay as it is until the call is over. NULL when memory ran out.
 */
MUST_CHECK struct upstream *upstream_start(struct upstreams *u, const struct provider *provider,
                                           const struct upstream_owner *owner,
                                           const struct upstream_request *request);
/* Whether all of the request body has been sent. */
bool upstream_has_sent(const struct upstream *call);
/* Whether the head of a response has come. */
bool upstream_has_head(const struct upstream *call);
/* All that matters has come: the connection is left to end its response and be used again. */
void upstream_let_go(struct upstream *call);
/* Nobody wants it any more: the connection is closed. */
void upstream_cancel(struct upstream *call);

/* Milliseconds of retry-after-ms, else Retry-After (seconds, perhaps with a fraction, or an HTTP
 * date, of which now_s is the time), at most an hour, else -1. Either text may be NULL. */
int64_t upstream_retry_after(const char *milliseconds, const char *seconds, int64_t now_s);

#endif
