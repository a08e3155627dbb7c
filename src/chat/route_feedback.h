/* What the two ways to give feedback over HTTP share: our own route and PostgREST's. */
#ifndef UPLIFT_ROUTE_FEEDBACK_H
#define UPLIFT_ROUTE_FEEDBACK_H

#include "route.h"

enum feedback_outcome {
    FEEDBACK_GIVEN,   /* *result has the row and is the caller's to PQclear */
    FEEDBACK_SPOOLED, /* Postgres is away, or has no time for it; it is safe on disk */
    FEEDBACK_REFUSED, /* *error says why */
};

/* What stands, as feedback_give() returned it: id, helpful, rating, feedback_text and
 * feedback_given_at. The caller's to delete. */
cJSON *feedback_row(const PGresult *result);

/* Whether changes has only the members that feedback may have, each of its type and range. */
bool feedback_check(const cJSON *changes, struct api_error *error);
/* Whether the answer's id was made for the user who asks. */
bool feedback_issued(const struct route_context *c, const struct uuid *answer);
/* Gives feedback, given as a JSON object that feedback_check passed. *result is NULL unless GIVEN.
 */
enum feedback_outcome feedback_give(struct route_context *c, const char *answer_id,
                                    const char *changes, PGresult **result,
                                    struct api_error *error);

#endif
