/* What a provider's failure means: what the client is told, and whether it is worth another try. */
#ifndef UPLIFT_FAILURE_H
#define UPLIFT_FAILURE_H

#include "../common/error.h"
#include "../common/json_scan.h"
#include "upstream.h"

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

/*
 * The error for a call that ended otherwise than UPSTREAM_ANSWERED. What the client did wrong is
 * passed on with the provider's words; what is between uplift and the provider (our key, a name
 * that does not resolve) is not blamed on the client and not told in detail.
 */
void failure_explain(const struct upstream_result *result, struct api_error *error);
/* The error for an error object or text that came in place of an answer, with a 2xx status. */
void failure_explain_object(struct span object, struct api_error *error);
/* A word for the attempts column: "connect", "status_503", ... */
void failure_reason(const struct upstream_result *result, char *out, size_t size);
/* What kind a failed call is of, whose error failure_explain told. */
enum failure_kind failure_kind_of(const struct upstream_result *result,
                                  const struct api_error *error);
/* The same for an error that came in place of an answer. */
enum failure_kind failure_kind_of_error(const struct api_error *error);

#endif
