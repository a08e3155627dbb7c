/* What a provider's failure means: what the client is told, whether it is worth another try, and
 * whether it is held against the provider. */
#ifndef UPLIFT_FAILURE_H
#define UPLIFT_FAILURE_H

#include "common/error.h"
#include "common/json_scan.h"
#include "upstream.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a failure means for the next try; see failover.h. */
enum failure_kind {
    FAILURE_TRANSIENT, /* no connection, reset, or a 5xx: may work the next moment */
    FAILURE_SILENT,    /* it was given up for its silence */
    FAILURE_SLOW,      /* it has not begun to say anything in its time */
    FAILURE_BUSY,      /* 429, or a 503 that names a time */
    FAILURE_DENIED,    /* our key or our money are not good enough */
    FAILURE_BROKEN,    /* it was cut, or is no answer */
    FAILURE_NO_MODEL,  /* it does not know the model */
    FAILURE_TOO_LONG,  /* the request has more tokens than the model takes in */
    FAILURE_REFUSED,   /* for what the client sent: bad, filtered, too large */
};

/* Whose breaker counts it. */
enum failure_blame {
    BLAME_NOBODY,   /* it is the request's own fault, or may be; or the provider is busy */
    BLAME_ROUTE,    /* the provider and model; a request of one user may have caused it, too */
    BLAME_PROVIDER, /* the provider as a whole: no request can have caused it */
};

struct failure {
    enum failure_kind kind;
    enum failure_blame blame;
    bool was_answered;      /* the provider was reached, took our key, and said something */
    bool is_of_size;        /* FAILURE_BUSY for this request's size: others may go there */
    int64_t retry_after_ms; /* -1: the provider did not say */
    struct api_error error; /* for the client */
    char reason[48];        /* a word for the attempts column: "connect", "status_503", ... */
};

/*
 * Of a call that ended otherwise than UPSTREAM_ANSWERED. What the client did wrong is passed on
 * with the provider's words; what is between uplift and the provider (our key, our account, a name
 * that does not resolve) is not blamed on the client and not told in detail.
 */
void failure_of_call(const struct upstream_result *result, struct failure *failure);
/* Of an error that came in place of an answer, or within it; at NULL: one without words. */
void failure_of_object(struct span object, struct failure *failure);
/* Of an answer that is no chat completion. */
void failure_of_nonsense(struct failure *failure);
/* Of a stream that ended before it said anything. */
void failure_of_nothing(struct failure *failure);
/* Of a provider that was given up: FAILURE_SILENT or FAILURE_SLOW. */
void failure_of_patience(enum failure_kind kind, const char *reason, const char *message,
                         struct failure *failure);

#endif
