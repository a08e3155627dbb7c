/* The table of routes, and its dispatch. */
#include "routes.h"

#include "route_rest.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

typedef void (*route_fn)(struct route_context *);

enum access {
    OPEN,    /* no token */
    AS_USER, /* a token that names a user */
};

/* How large a body may be. */
enum body {
    SMALL,   /* 16 KiB: nothing that a user chooses or says of an answer is longer */
    MESSAGE, /* a message of the configured length, in any spelling, and what goes with it */
    WHOLE,   /* UPLIFT_MAX_BODY_BYTES: conversations, with pictures */
};
#define SMALL_BODY_BYTES 16384
#define ESCAPED_BYTES 6 /* of JSON for a byte of text, at most */

enum tail {
    EXACT, /* the path as it stands */
    ID,    /* then one segment, a UUID */
    NAME,  /* then one or more segments of any text */
};

static const struct endpoint {
    const char *method;
    const char *path;
    enum tail tail;
    enum access access;
    unsigned scopes; /* any of these will do; of OPEN ones none */
    enum body body;
    route_fn run;
} routes[] = {
    {"POST", "/v1/chat", EXACT, AS_USER, SCOPE_CHAT, MESSAGE, route_native_chat},
    {"POST", "/v1/chat/completions", EXACT, AS_USER, SCOPE_CHAT, WHOLE, route_completions},
    {"POST", "/v1/feedback/", ID, AS_USER, SCOPE_FEEDBACK, SMALL, route_feedback_put},
    {"PATCH", "/v1/feedback/", ID, AS_USER, SCOPE_FEEDBACK, SMALL, route_feedback_put},
    {"GET", "/v1/feedback/", ID, AS_USER, SCOPE_READ | SCOPE_FEEDBACK, SMALL, route_feedback_get},
    {"GET", "/v1/conversations", EXACT, AS_USER, SCOPE_READ, SMALL, route_conversations_list},
    {"GET", "/v1/conversations/", ID, AS_USER, SCOPE_READ, SMALL, route_conversation_get},
    {"DELETE", "/v1/conversations/", ID, AS_USER, SCOPE_CHAT, SMALL, route_conversation_delete},
    {"GET", "/v1/coaches", EXACT, AS_USER, SCOPE_READ | SCOPE_CHAT, SMALL, route_coaches},
    {"GET", "/v1/preferences", EXACT, AS_USER, SCOPE_READ, SMALL, route_preferences_get},
    {"PUT", "/v1/preferences", EXACT, AS_USER, SCOPE_CHAT, SMALL, route_preferences_put},
    {"GET", "/v1/models", EXACT, AS_USER, SCOPE_READ | SCOPE_CHAT, SMALL, route_models},
    {"GET", "/v1/models/", NAME, AS_USER, SCOPE_READ | SCOPE_CHAT, SMALL, route_model},
    {"GET", "/rest/v1/coach_response_feedback", EXACT, AS_USER, SCOPE_READ | SCOPE_FEEDBACK, SMALL,
     route_rest_feedback},
    {"PATCH", "/rest/v1/coach_response_feedback", EXACT, AS_USER, SCOPE_FEEDBACK, SMALL,
     route_rest_feedback},
    {"POST", "/rest/v1/coach_response_feedback", EXACT, AS_USER, SCOPE_FEEDBACK, SMALL,
     route_rest_feedback},
    {"DELETE", "/rest/v1/coach_response_feedback", EXACT, AS_USER, SCOPE_FEEDBACK, SMALL,
     route_rest_feedback},
    {"GET", "/healthz", EXACT, OPEN, 0, SMALL, route_health},
    {"GET", "/readyz", EXACT, OPEN, 0, SMALL, route_ready},
    {"GET", "/metrics", EXACT, OPEN, 0, SMALL, route_metrics},
};
#define ROUTE_COUNT (sizeof routes / sizeof routes[0])

static bool method_matches(const struct endpoint *route, const char *method)
{
    if (strcmp(route->method, method) == 0)
        return true;
    return strcmp(method, "HEAD") == 0 && strcmp(route->method, "GET") == 0;
}

/* Whether the path is the route's. A trailing segment goes to *tail. */
static bool path_matches(const struct endpoint *route, const char *path, const char **tail)
{
    size_t len = strlen(route->path);
    if (strncmp(path, route->path, len) != 0)
        return false;
    *tail = path + len;
    if (route->tail == EXACT)
        return **tail == '\0';
    return **tail != '\0' && (route->tail == NAME || strchr(*tail, '/') == NULL);
}

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

static void fail_unrouted(struct request *r, const char *allowed)
{
    struct api_error error;
    if (*allowed == '\0') {
        api_error(&error, 404, "unknown_url", "",
                  "there is no %.16s %.200s here; the API reference lists what there is", r->method,
                  r->path);
        fail(r, &error, NULL);
        return;
    }
    char header[96];
    snprintf(header, sizeof header, "Allow: %s\r\n", allowed);
    api_error(&error, 405, "method_not_allowed", "", "%.200s takes %s, not %.16s", r->path, allowed,
              r->method);
    fail(r, &error, header);
}

static bool authenticate(struct route_context *c, unsigned scopes, struct api_error *error)
{
    struct request *r = c->request;
    if (!auth_check(c->worker->auth, request_param(r, "HTTP_AUTHORIZATION"),
                    request_param(r, "HTTP_APIKEY"), &r->who, error))
        return false;
    if (!r->who.has_user)
        return api_error(error, 403, "user_required", "",
                         "this token names no user (no \"sub\"); send a user's token");
    if ((r->who.scopes & scopes) == 0)
        return api_error(error, 403, "scope_missing", "",
                         "this API key has no scope that allows this");
    return auth_act_for(&r->who, request_param(r, "HTTP_X_UPLIFT_USER"), error);
}

static int64_t max_body(const struct config *config, enum body body)
{
    int64_t max = config->max_body_bytes;
    if (body == SMALL)
        max = SMALL_BODY_BYTES;
    else if (body == MESSAGE)
        max = config->max_message_bytes * ESCAPED_BYTES + SMALL_BODY_BYTES;
    return max < config->max_body_bytes ? max : config->max_body_bytes;
}

static void run(struct route_context *c, const struct endpoint *route, const char *tail)
{
    struct api_error error;
    struct uuid id;
    if (route->access == AS_USER && !authenticate(c, route->scopes, &error)) {
        fail(c->request, &error, error.status == 401 ? "WWW-Authenticate: Bearer\r\n" : NULL);
        return;
    }
    if (!request_read_body(c->request, max_body(c->worker->config, route->body), &error)) {
        fail(c->request, &error, NULL);
        return;
    }
    if (route->tail == ID) {
        if (!uuid_parse(tail, &id)) {
            api_error(&error, 400, "invalid_id", "id", "\"%.60s\" is not a UUID", tail);
            request_fail(c->request, &error, NULL);
            return;
        }
        uuid_format(&id, c->id);
    } else if (route->tail == NAME) {
        c->name = tail;
    }
    route->run(c);
}

void routes_dispatch(struct route_context *c)
{
    struct request *r = c->request;
    char allowed[64] = "";
    r->endpoint = (int)ROUTE_COUNT;
    if (strcmp(r->method, "OPTIONS") == 0) {
        answer_preflight(r);
        return;
    }
    for (size_t i = 0; i < ROUTE_COUNT; i++) {
        const char *tail;
        if (!path_matches(&routes[i], r->path, &tail))
            continue;
        if (method_matches(&routes[i], r->method)) {
            r->endpoint = (int)i;
            run(c, &routes[i], tail);
            return;
        }
        size_t used = strlen(allowed);
        snprintf(allowed + used, sizeof allowed - used, "%s%s", used > 0 ? ", " : "",
                 routes[i].method);
    }
    fail_unrouted(r, allowed);
}

static char names[ROUTE_COUNT][64];
static const char *name_list[ROUTE_COUNT + 1];

static void make_names(void)
{
    static const char *const tails[] = {[EXACT] = "", [ID] = "{id}", [NAME] = "{name}"};
    for (size_t i = 0; i < ROUTE_COUNT; i++) {
        snprintf(names[i], sizeof names[i], "%s %s%s", routes[i].method, routes[i].path,
                 tails[routes[i].tail]);
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
