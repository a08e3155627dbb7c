/* A route: a function that answers one kind of request. What routes are given, what they share, and
 * all of them by name; routes.c says which paths lead to them. */
#ifndef UPLIFT_ROUTE_H
#define UPLIFT_ROUTE_H

#include "common/json.h"
#include "common/must_check.h"
#include "common/pg.h"
#include "common/query.h"
#include "common/request.h"
#include "services.h"

#include <stdbool.h>

/* What a route works with: the worker, and the request it must end or hand on. */
struct route_context {
    struct services *services;
    struct request *request;
    char id[UUID_TEXT + 1]; /* the {id} of the path, lower case; "" where the path has none */
    const char *name;       /* the raw end of the path where that may be any text, else NULL */
};

/*
 * Calls Postgres through the breaker. False when Postgres is away or refused, with *error filled in
 * (503 database_unavailable, or what pg_api_error says); *away tells which, and may be NULL.
 */
MUST_CHECK bool route_query(struct route_context *c, const struct pg_statement *statement,
                            const char *const *values, PGresult **result, struct api_error *error,
                            bool *away);
/* Why Postgres refuses what it was asked for, said as data and not as an error: see
 * uplift_chat.prepare_chats(). Fills in *error and returns false. */
bool route_refused(const char *refusal_json, struct api_error *error);
/* Runs a statement whose single value is a JSON text and answers with it, or with the error. Ends
 * the request. */
void route_reply_json_query(struct route_context *c, const struct pg_statement *statement,
                            const char *const *values);
/* The same for what was made: 201. */
void route_reply_created(struct route_context *c, const struct pg_statement *statement,
                         const char *const *values);
#define ROUTE_LIMIT_ROOM 16
/* The limit of a list that the query asks for, as text for Postgres, else the default. False with
 * *error (400 invalid_limit) when it is no number from 1 to max. */
MUST_CHECK bool route_read_limit(const struct query *q, long fallback, long max,
                                 char limit[ROUTE_LIMIT_ROOM], struct api_error *error);
/* A page of a list, as its query asks for it. */
struct list_page {
    struct query query;
    char limit[ROUTE_LIMIT_ROOM];
    const char *before; /* a UUID, borrowed from the query; NULL for none */
};
/* What lists are of ("a memory"), and how long their pages are. */
struct list_kind {
    const char *of;
    long fallback, max;
};
/* The caller's to query_release. False, with the request ended (400 invalid_query, invalid_limit,
 * invalid_before). */
MUST_CHECK bool route_read_page(struct route_context *c, const struct list_kind *kind,
                                struct list_page *page);
/*
 * The coaches, {"object":"list","data":[...]}; while Postgres is away (*degraded) as far as they
 * are known. NULL with *error filled in. The caller's to free. In route_user.c.
 */
char *route_list_coaches(struct route_context *c, bool *degraded, struct api_error *error);
/* --- the routes, each in the file named --- */

void route_native_chat(struct route_context *c); /* route_chat.c: POST /v1/chat */
void route_completions(
    struct route_context *c); /* route_completions.c: POST /v1/chat/completions */
void route_open_answers(struct route_context *c); /* route_follow.c: answers under way */
void route_follow(struct route_context *c);
void route_stop(struct route_context *c);
void route_feedback_get(struct route_context *c); /* route_feedback.c */
void route_feedback_put(struct route_context *c);
void route_rest_feedback(
    struct route_context *c); /* route_rest.c: /rest/v1/coach_response_feedback */
void route_rest_memories(struct route_context *c);
void route_rest_predictions(struct route_context *c);
void route_conversations_list(
    struct route_context *c); /* route_user.c: what a user sees of their own */
void route_conversation_get(struct route_context *c);
void route_conversation_rename(struct route_context *c);
void route_conversation_delete(struct route_context *c);
void route_coaches(struct route_context *c);
void route_memories_list(struct route_context *c); /* route_memories.c */
void route_memories_add(struct route_context *c);
void route_memory_change(struct route_context *c);
void route_memories_forget(struct route_context *c);
void route_answer_context(struct route_context *c);
void route_predictions_list(struct route_context *c); /* route_predictions.c */
void route_predictions_add(struct route_context *c);
void route_prediction_get(struct route_context *c);
void route_prediction_outcome(struct route_context *c);
void route_me_export(struct route_context *c); /* route_me.c */
void route_me_photos(struct route_context *c); /* route_me_photos.c */
void route_me_erase(struct route_context *c);
void route_me_access_log(struct route_context *c);
void route_photos_add(struct route_context *c); /* route_photos.c */
void route_photos_list(struct route_context *c);
void route_photo_get(struct route_context *c);
void route_photo_image(struct route_context *c);
void route_photo_correct(struct route_context *c);
void route_photo_delete(struct route_context *c);
void route_preferences_get(struct route_context *c);
void route_preferences_put(struct route_context *c);
void route_models(struct route_context *c); /* route_models.c */
void route_model(struct route_context *c);
void route_health(struct route_context *c); /* route_health.c */
void route_ready(struct route_context *c);
void route_metrics(struct route_context *c); /* route_metrics.c */

#endif
