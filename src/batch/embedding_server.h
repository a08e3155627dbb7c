/* Asking UPLIFT_EMBEDDINGS_URL for the embeddings of texts, with patience, from jobs and the
 * command line. */
#ifndef UPLIFT_BATCH_EMBEDDING_SERVER_H
#define UPLIFT_BATCH_EMBEDDING_SERVER_H

#include "common/config.h"
#include "common/embedding.h"
#include "common/must_check.h"
#include "job.h"

#include <stddef.h>
#include <stdint.h>

enum embedding_outcome {
    EMBEDDING_MADE,
    EMBEDDING_REFUSED, /* it does not take this request, by its texts or their number */
    EMBEDDING_DENIED,  /* it will not answer, whatever is asked (401, 404, no credit) */
    EMBEDDING_AWAY,    /* it is busy or away, or answered something else: later it may do */
    EMBEDDING_STOPPED, /* the job is to stop */
};

/* What came of a call beside the embeddings. */
struct embedding_call {
    int requests;     /* that were answered with embeddings, or what should have been some */
    double tokens;    /* of these, as far as the server told */
    const char *code; /* of an error of a job, unless they were made; static */
    char reason[256];
    int64_t retry_after_ms; /* how long the server wants to be left alone; 0: it did not say */
    bool may_be_texts;      /* EMBEDDING_AWAY: with status 500, or an answer that is none. Some
                               servers fail so at single texts: is it those, or anything? */
};

/*
 * Asks for the embeddings of count texts, at most EMBEDDING_TEXTS_MAX. Where the server is busy or
 * away, or answers what is no embedding for each text, it is asked four times in all, with pauses
 * as long as it says (five minutes at most) or from a second on. A call may take two minutes. job:
 * on whose behalf; NULL: nobody's, and nothing stops it. *out is the caller's to release on
 * EMBEDDING_MADE.
 */
MUST_CHECK enum embedding_outcome embedding_ask(const struct config *config, struct job *job,
                                                const char *const *texts, size_t count,
                                                struct embeddings *out,
                                                struct embedding_call *call);

#endif
