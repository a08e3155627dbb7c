/* What the two ways to give feedback over HTTP share: our own route and PostgREST's. */
#ifndef UPLIFT_ROUTE_FEEDBACK_H
#define UPLIFT_ROUTE_FEEDBACK_H

#include "common/clock.h"
#include "common/must_check.h"
#include "route.h"

/*
 * Feedback from the moment it is accepted, which is before anything is waited for. Whichever way it
 * then takes, and however late it gets there, this time decides which of two words is the last, and
 * this event id lets it count once.
 */
struct feedback {
    char answer_id[UUID_TEXT + 1];
    char event_id[UUID_TEXT + 1];
    int64_t given_us; /* wall-clock microseconds, and as Postgres reads them: */
    char given_at[CLOCK_TEXT];
    bool issued;         /* the answer's id was made for the user who asks */
    const char *changes; /* borrowed: a JSON object */
};

/* Whether changes has only the members that feedback may have, each of its type and range. */
MUST_CHECK bool feedback_check(const cJSON *changes, struct api_error *error);
/* Accepts feedback, now. Borrows changes. */
void feedback_accept(const struct route_context *c, const struct uuid *answer, const char *changes,
                     struct feedback *f);
/* The parameters that uplift_chat.take_feedback and uplift_chat.rest_update_feedback have in
 * common: the user, the answer, the changes, whether it was issued, when and as which event it was
 * given, and who asks: address and API key. Borrowed from f and the request. */
#define FEEDBACK_PARAMS 8
void feedback_values(const struct route_context *c, const struct feedback *f,
                     const char *values[FEEDBACK_PARAMS]);
/*
 * What remains to be done when Postgres gave *error instead of taking the feedback: where it is
 * away or busy the feedback goes to the spool, within the rate limits as they were last known.
 * False with *error when it was refused, there or here.
 */
MUST_CHECK bool feedback_spool(struct route_context *c, const struct feedback *f,
                               struct api_error *error);
/* What was refused in Postgres, by rate limits or otherwise, as uplift_chat.take_feedback() tells
 * it: fills in *error and returns false. */
bool feedback_refused(const struct route_context *c, const char *refusal_json,
                      struct api_error *error);
/* Counts feedback that was taken. */
void feedback_count(const struct route_context *c, const struct feedback *f);

#endif
