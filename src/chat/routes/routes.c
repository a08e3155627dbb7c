/* The table of routes, and its dispatch. */
#include "routes.h"

#include "common/route_table.h"
#include "elsewhere.h"
#include "route_rest.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

typedef void (*route_fn)(struct route_context *);

enum access {
    OPEN,      /* no token */
    AS_USER,   /* a token that names a user, or the guest */
    SIGNED_IN, /* not the guest, who is many people */
};

/* How large a body may be. */
enum body {
    SMALL,   /* 16 KiB: nothing that a user chooses or says of an answer is longer */
    MESSAGE, /* a message of the configured length, in any spelling, and what goes with it */
    WHOLE,   /* UPLIFT_MAX_BODY_BYTES: conversations, with pictures */
    PHOTO,   /* UPLIFT_MAX_PHOTO_BYTES */
};
#define SMALL_BODY_BYTES 16384
#define ESCAPED_BYTES 6 /* of JSON for a byte of text, at most */

static const struct endpoint {
    struct route_key key;
    enum access access;
    unsigned scopes; /* any of these will do; of OPEN ones none. What was said is for SCOPE_READ. */
    enum body body;
    route_fn run;
} routes[] = {
    {{"POST", "/v1/chat"}, AS_USER, SCOPE_CHAT, MESSAGE, route_native_chat},
    {{"GET", "/v1/chat"}, SIGNED_IN, SCOPE_READ | SCOPE_CHAT, SMALL, route_open_answers},
    {{"GET", "/v1/chat/{id}/events"}, AS_USER, SCOPE_READ, SMALL, route_follow},
    {{"POST", "/v1/chat/{id}/stop"}, AS_USER, SCOPE_CHAT, SMALL, route_stop},
    {{"POST", "/v1/chat/completions"}, AS_USER, SCOPE_CHAT, WHOLE, route_completions},
    {{"POST", "/v1/feedback/{id}"}, AS_USER, SCOPE_FEEDBACK, SMALL, route_feedback_put},
    {{"PATCH", "/v1/feedback/{id}"}, AS_USER, SCOPE_FEEDBACK, SMALL, route_feedback_put},
    {{"GET", "/v1/feedback/{id}"}, AS_USER, SCOPE_READ, SMALL, route_feedback_get},
    {{"GET", "/v1/conversations"}, AS_USER, SCOPE_READ, SMALL, route_conversations_list},
    {{"GET", "/v1/conversations/{id}"}, AS_USER, SCOPE_READ, SMALL, route_conversation_get},
    {{"PATCH", "/v1/conversations/{id}"}, AS_USER, SCOPE_CHAT, SMALL, route_conversation_rename},
    {{"DELETE", "/v1/conversations/{id}"}, AS_USER, SCOPE_CHAT, SMALL, route_conversation_delete},
    {{"GET", "/v1/coaches"}, AS_USER, SCOPE_READ | SCOPE_CHAT, SMALL, route_coaches},
    {{"GET", "/v1/preferences"}, AS_USER, SCOPE_READ, SMALL, route_preferences_get},
    {{"PUT", "/v1/preferences"}, SIGNED_IN, SCOPE_CHAT, SMALL, route_preferences_put},
    {{"GET", "/v1/me/export"}, SIGNED_IN, SCOPE_READ, SMALL, route_me_export},
    {{"GET", "/v1/me/access-log"}, SIGNED_IN, SCOPE_READ, SMALL, route_me_access_log},
    {{"DELETE", "/v1/me"}, SIGNED_IN, SCOPE_CHAT, SMALL, route_me_erase},
    {{"GET", "/v1/me/photos.zip"}, SIGNED_IN, SCOPE_READ, SMALL, route_me_photos},
    {{"POST", "/v1/food-photos"}, SIGNED_IN, SCOPE_CHAT, PHOTO, route_photos_add},
    {{"GET", "/v1/food-photos"}, SIGNED_IN, SCOPE_READ, SMALL, route_photos_list},
    {{"GET", "/v1/food-photos/{id}"}, SIGNED_IN, SCOPE_READ, SMALL, route_photo_get},
    {{"GET", "/v1/food-photos/{id}/image"}, SIGNED_IN, SCOPE_READ, SMALL, route_photo_image},
    {{"PATCH", "/v1/food-photos/{id}"}, SIGNED_IN, SCOPE_CHAT, SMALL, route_photo_correct},
    {{"DELETE", "/v1/food-photos/{id}"}, SIGNED_IN, SCOPE_CHAT, SMALL, route_photo_delete},
    {{"GET", "/v1/memories"}, SIGNED_IN, SCOPE_READ, SMALL, route_memories_list},
    {{"POST", "/v1/memories"}, SIGNED_IN, SCOPE_CHAT, SMALL, route_memories_add},
    {{"DELETE", "/v1/memories"}, SIGNED_IN, SCOPE_CHAT, SMALL, route_memories_forget},
    {{"PATCH", "/v1/memories/{id}"}, SIGNED_IN, SCOPE_CHAT, SMALL, route_memory_change},
    {{"DELETE", "/v1/memories/{id}"}, SIGNED_IN, SCOPE_CHAT, SMALL, route_memories_forget},
    {{"GET", "/v1/answers/{id}/context"}, SIGNED_IN, SCOPE_READ, SMALL, route_answer_context},
    {{"GET", "/v1/predictions"}, SIGNED_IN, SCOPE_READ, SMALL, route_predictions_list},
    {{"POST", "/v1/predictions"}, SIGNED_IN, SCOPE_FEEDBACK, SMALL, route_predictions_add},
    {{"GET", "/v1/predictions/{id}"}, SIGNED_IN, SCOPE_READ, SMALL, route_prediction_get},
    {{"PATCH", "/v1/predictions/{id}"}, SIGNED_IN, SCOPE_FEEDBACK, SMALL, route_prediction_outcome},
    {{"GET", "/v1/models"}, AS_USER, SCOPE_READ | SCOPE_CHAT, SMALL, route_models},
    {{"GET", "/v1/models/{+name}"}, AS_USER, SCOPE_READ | SCOPE_CHAT, SMALL, route_model},
    {{"GET", "/rest/v1/ai_episodic_memory"}, SIGNED_IN, SCOPE_READ, SMALL, route_rest_memories},
    {{"POST", "/rest/v1/ai_episodic_memory"}, SIGNED_IN, SCOPE_CHAT, SMALL, route_rest_memories},
    {{"PATCH", "/rest/v1/ai_episodic_memory"}, SIGNED_IN, SCOPE_CHAT, SMALL, route_rest_memories},
    {{"DELETE", "/rest/v1/ai_episodic_memory"}, SIGNED_IN, SCOPE_CHAT, SMALL, route_rest_memories},
    {{"GET", "/rest/v1/ai_predictions"}, SIGNED_IN, SCOPE_READ, SMALL, route_rest_predictions},
    {{"POST", "/rest/v1/ai_predictions"}, SIGNED_IN, SCOPE_FEEDBACK, SMALL, route_rest_predictions},
    {{"PATCH", "/rest/v1/ai_predictions"},
     SIGNED_IN,
     SCOPE_FEEDBACK,
     SMALL,
     route_rest_predictions},
    {{"GET", "/rest/v1/coach_response_feedback"},
     SIGNED_IN,
     SCOPE_READ,
     SMALL,
     route_rest_feedback},
    {{"PATCH", "/rest/v1/coach_response_feedback"},
     AS_USER,
     SCOPE_FEEDBACK,
     SMALL,
     route_rest_feedback},
    {{"POST", "/rest/v1/coach_response_feedback"},
     AS_USER,
     SCOPE_FEEDBACK,
     SMALL,
     route_rest_feedback},
    {{"DELETE", "/rest/v1/coach_response_feedback"},
     AS_USER,
     SCOPE_FEEDBACK,
     SMALL,
     route_rest_feedback},
    {{"GET", "/healthz"}, OPEN, 0, SMALL, route_health},
    {{"GET", "/readyz"}, OPEN, 0, SMALL, route_ready},
    {{"GET", "/metrics"}, OPEN, 0, SMALL, route_metrics},
};
#define ROUTE_COUNT (sizeof routes / sizeof routes[0])

static const struct route_table table = {routes, ROUTE_COUNT, sizeof routes[0]};

static void answer_preflight(struct request *r)
{
    request_reply(r, 204, NULL, NULL, NULL, 0);
}

/* In the shape of errors that clients of the path expect. */
static void fail(struct request *r, const struct api_error *error, const char *headers)
{
    if (rest_path(r->path))
        rest_fail(r, error, headers);
    else
        request_fail(r, error, headers);
}

static bool authenticate(struct route_context *c, const struct endpoint *route,
                         struct api_error *error)
{
    struct request *r = c->request;
    if (!auth_check(c->services->auth, request_param(r, "HTTP_AUTHORIZATION"),
                    request_param(r, "HTTP_APIKEY"), &r->who, error))
        return false;
    if (!r->who.has_user)
        return api_error(error, 403, "user_required", "",
                         "this token names no user (no \"sub\"); send a user's token");
    if (r->who.is_guest && route->access == SIGNED_IN)
        return api_error(error, 401, "sign_in_required", "",
                         "guests share one user, who has nothing of its own: sign in");
    if ((r->who.scopes & route->scopes) == 0)
        return api_error(error, 403, "scope_missing", "",
                         "this API key has no scope that allows this");
    return auth_act_for(&r->who, request_param(r, "HTTP_X_UPLIFT_USER"), error);
}

static int64_t max_body(const struct config *config, enum body body)
{
    int64_t max = config->max_body_bytes;
    if (body == PHOTO)
        return config->max_photo_bytes;
    if (body == SMALL)
        max = SMALL_BODY_BYTES;
    else if (body == MESSAGE)
        max = config->max_message_bytes * ESCAPED_BYTES + SMALL_BODY_BYTES;
    return max < config->max_body_bytes ? max : config->max_body_bytes;
}

static void run(struct route_context *c, const struct endpoint *route,
                const struct route_match *match)
{
    struct api_error error;
    if (route->access != OPEN && !authenticate(c, route, &error)) {
        fail(c->request, &error, error.status == 401 ? "WWW-Authenticate: Bearer\r\n" : NULL);
        return;
    }
    if (!request_read_body(c->request, max_body(c->services->config, route->body), &error) ||
        (match->is_bad_id && !route_bad_id(match, &error))) {
        fail(c->request, &error, NULL);
        return;
    }
    snprintf(c->id, sizeof c->id, "%s", match->id);
    if (match->id[0] == '\0')
        c->name = match->variable;
    route->run(c);
}

void routes_dispatch(struct route_context *c)
{
    struct request *r = c->request;
    struct route_match match;
    struct api_error error;
    char room[ROUTE_ALLOWED + 16];
    r->endpoint = (int)ROUTE_COUNT;
    if (strcmp(r->method, "OPTIONS") == 0) {
        answer_preflight(r);
        return;
    }
    route_find(&table, r, &match);
    if (match.index == ROUTE_COUNT) {
        const char *header = route_unknown(r, &match, elsewhere_advice(r->path), &error, room);
        fail(r, &error, header);
        return;
    }
    r->endpoint = (int)match.index;
    r->route = routes[match.index].key.path;
    run(c, &routes[match.index], &match);
}

static char names[ROUTE_COUNT][64];
static const char *name_list[ROUTE_COUNT + 1];

static void make_names(void)
{
    for (size_t i = 0; i < ROUTE_COUNT; i++) {
        snprintf(names[i], sizeof names[i], "%s %s", routes[i].key.method, routes[i].key.path);
        name_list[i] = names[i];
    }
    name_list[ROUTE_COUNT] = "other";
}

const char *const *routes_names(int *count)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_names);
    *count = (int)ROUTE_COUNT + 1;
    return name_list;
}

void routes_print(FILE *out)
{
    static const char *const who[] = {
        [OPEN] = "open", [AS_USER] = "user", [SIGNED_IN] = "signed-in"};
    for (size_t i = 0; i < ROUTE_COUNT; i++)
        route_print(out, &routes[i].key, who[routes[i].access], routes[i].scopes);
}
