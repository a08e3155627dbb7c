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
    route_fn run;
    const char *behind; /* what follows an id, NULL for nothing */
} routes[] = {
    {"POST", "/v1/chat", EXACT, AS_USER, SCOPE_CHAT, route_native_chat, NULL},
    {"GET", "/v1/chat", EXACT, AS_USER, SCOPE_READ | SCOPE_CHAT, route_open_answers, NULL},
    {"GET", "/v1/chat/", ID, AS_USER, SCOPE_READ | SCOPE_CHAT, route_follow, "/events"},
    {"POST", "/v1/chat/", ID, AS_USER, SCOPE_CHAT, route_stop, "/stop"},
    {"POST", "/v1/chat/completions", EXACT, AS_USER, SCOPE_CHAT, route_completions, NULL},
    {"POST", "/v1/feedback/", ID, AS_USER, SCOPE_FEEDBACK, route_feedback_put, NULL},
    {"PATCH", "/v1/feedback/", ID, AS_USER, SCOPE_FEEDBACK, route_feedback_put, NULL},
    {"GET", "/v1/feedback/", ID, AS_USER, SCOPE_READ | SCOPE_FEEDBACK, route_feedback_get, NULL},
    {"GET", "/v1/conversations", EXACT, AS_USER, SCOPE_READ, route_conversations_list, NULL},
    {"GET", "/v1/conversations/", ID, AS_USER, SCOPE_READ, route_conversation_get, NULL},
    {"DELETE", "/v1/conversations/", ID, AS_USER, SCOPE_CHAT, route_conversation_delete, NULL},
    {"GET", "/v1/coaches", EXACT, AS_USER, SCOPE_READ | SCOPE_CHAT, route_coaches, NULL},
    {"GET", "/v1/preferences", EXACT, AS_USER, SCOPE_READ, route_preferences_get, NULL},
    {"PUT", "/v1/preferences", EXACT, AS_USER, SCOPE_CHAT, route_preferences_put, NULL},
    {"GET", "/v1/models", EXACT, AS_USER, SCOPE_READ | SCOPE_CHAT, route_models, NULL},
    {"GET", "/v1/models/", NAME, AS_USER, SCOPE_READ | SCOPE_CHAT, route_model, NULL},
    {"GET", "/rest/v1/coach_response_feedback", EXACT, AS_USER, SCOPE_READ | SCOPE_FEEDBACK,
     route_rest_feedback, NULL},
    {"PATCH", "/rest/v1/coach_response_feedback", EXACT, AS_USER, SCOPE_FEEDBACK,
     route_rest_feedback, NULL},
    {"POST", "/rest/v1/coach_response_feedback", EXACT, AS_USER, SCOPE_FEEDBACK,
     route_rest_feedback, NULL},
    {"DELETE", "/rest/v1/coach_response_feedback", EXACT, AS_USER, SCOPE_FEEDBACK,
     route_rest_feedback, NULL},
    {"GET", "/healthz", EXACT, OPEN, 0, route_health, NULL},
    {"GET", "/readyz", EXACT, OPEN, 0, route_ready, NULL},
    {"GET", "/metrics", EXACT, OPEN, 0, route_metrics, NULL},
};
#define ROUTE_COUNT (sizeof routes / sizeof routes[0])

static bool method_matches(const struct endpoint *route, const char *method)
{
    if (strcmp(route->method, method) == 0)
        return true;
    return strcmp(method, "HEAD") == 0 && strcmp(route->method, "GET") == 0;
}

/* Whether the path is the route's. Its segment of any text goes to *tail, which has *len bytes. */
static bool path_matches(const struct endpoint *route, const char *path, const char **tail,
                         size_t *len)
{
    size_t before = strlen(route->path), behind = route->behind != NULL ? strlen(route->behind) : 0;
    if (strncmp(path, route->path, before) != 0)
        return false;
    *tail = path + before;
    *len = strlen(*tail);
    if (route->tail == EXACT)
        return *len == 0;
    if (*len <= behind || (behind > 0 && strcmp(*tail + *len - behind, route->behind) != 0))
        return false;
    *len -= behind;
    return route->tail == NAME || memchr(*tail, '/', *len) == NULL;
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

/* Reads the id of the path. */
static bool take_id(struct route_context *c, const char *tail, size_t len, struct api_error *error)
{
    struct uuid id;
    char text[UUID_TEXT + 1];
    snprintf(text, sizeof text, "%.*s", (int)(len < sizeof text ? len : 0), tail);
    if (!uuid_parse(text, &id))
        return api_error(error, 400, "invalid_id", "id", "\"%.*s\" is not a UUID",
                         (int)(len < 60 ? len : 60), tail);
    uuid_format(&id, c->id);
    return true;
}

static void run(struct route_context *c, const struct endpoint *route, const char *tail, size_t len)
{
    struct api_error error;
    if (route->access == AS_USER && !authenticate(c, route->scopes, &error)) {
        fail(c->request, &error, error.status == 401 ? "WWW-Authenticate: Bearer\r\n" : NULL);
        return;
    }
    if (route->tail == ID && !take_id(c, tail, len, &error)) {
        request_fail(c->request, &error, NULL);
        return;
    }
    if (route->tail == NAME)
        c->name = tail;
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
        size_t len;
        if (!path_matches(&routes[i], r->path, &tail, &len))
            continue;
        if (method_matches(&routes[i], r->method)) {
            r->endpoint = (int)i;
            run(c, &routes[i], tail, len);
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
        snprintf(names[i], sizeof names[i], "%s %s%s%s", routes[i].method, routes[i].path,
                 tails[routes[i].tail], routes[i].behind != NULL ? routes[i].behind : "");
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
