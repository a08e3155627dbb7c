/* The access log: a line for each request when it ends, good ones, too. */
#ifndef UPLIFT_ACCESS_LOG_H
#define UPLIFT_ACCESS_LOG_H

#include "config.h"
#include "request.h"
#include "uuid.h"

/* UPLIFT_ACCESS_LOG. */
enum access_log {
    ACCESS_LOG_OFF,
    ACCESS_LOG_ANONYMOUS, /* without users */
    ACCESS_LOG_HASHED,    /* with user_alias() of each */
};

/*
 * Writes the line of a request that is about to end: method, route (a path of the table, with {id}
 * for what is in its place; "other" for none), status, ms since it was accepted; of an error its
 * code; of a chat the answer's id, how it ended, the ms waited for providers and the tokens. signer
 * may be NULL: then users are left out. Health checks and /metrics are only logged at level debug.
 * Thread-safe; waits no longer than log_access() does.
 */
void access_log(const struct config *config, const struct answer_signer *signer,
                const struct request *r);

#endif
