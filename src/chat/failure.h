/* What a provider's failure means: what the client is told, and whether it is worth another try. */
#ifndef UPLIFT_FAILURE_H
#define UPLIFT_FAILURE_H

#include "../common/error.h"
#include "scan.h"
#include "upstream.h"

#include <stddef.h>
#include <stdint.h>

/* The longest Retry-After that is waited for; longer ones are the client's to wait. */
#define FAILURE_WAIT_MAX_MS 2000

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
/*
 * How long to wait before another try, -1 when it is not worth one. random is any number: tries of
 * many chats after the same failure are spread by it.
 */
int64_t failure_retry_ms(const struct upstream_result *result, const struct api_error *error,
                         unsigned random);

#endif
