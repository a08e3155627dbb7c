/* The table of routes, and its dispatch. */
#include "routes.h"

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
};
#define SMALL_BODY_BYTES 16384
#define ESCAPED_BYTES 6 /* of JSON for a byte of text, at most */

static const struct endpoint {
    const char *method;
    const char
        *path; /* with {id}, a UUID, or at its end {name}, one or more segments of any text */
    enum access access;
    unsigned scopes; /* any of these will do; of OPEN ones none. What was said is for SCOPE_READ. */
    enum body body;
    route_fn run;
} routes[] = {
    {"POST", "/v1/chat", AS_USER, SCOPE_CHAT, MESSAGE, route_native_chat},
    {"GET", "/v1/chat", SIGNED_IN, SCOPE_READ | SCOPE_CHAT, SMALL, route_open_answers},
    {"GET", "/v1/chat/{id}/events", AS_USER, SCOPE_READ, SMALL, route_follow},
    {"POST", "/v1/chat/{id}/stop", AS_USER, SCOPE_CHAT, SMALL, route_stop},
    {"POST", "/v1/chat/completions", AS_USER, SCOPE_CHAT, WHOLE, route_completions},
    {"POST", "/v1/feedback/{id}", AS_USER, SCOPE_FEEDBACK, SMALL, route_feedback_put},
    {"PATCH", "/v1/feedback/{id}", AS_USER, SCOPE_FEEDBACK, SMALL, route_feedback_put},
    {"GET", "/v1/feedback/{id}", AS_USER, SCOPE_READ, SMALL, route_feedback_get},
    {"GET", "/v1/conversations", AS_USER, SCOPE_READ, SMALL, route_conversations_list},
    {"GET", "/v1/conversations/{id}", AS_USER, SCOPE_READ, SMALL, route_conversation_get},
    {"DELETE", "/v1/conversations/{id}", AS_USER, SCOPE_CHAT, SMALL, route_conversation_delete},
    {"GET", "/v1/coaches", AS_USER, SCOPE_READ | SCOPE_CHAT, SMALL, route_coaches},
    {"GET", "/v1/preferences", AS_USER, SCOPE_READ, SMALL, route_preferences_get},
    {"PUT", "/v1/preferences", SIGNED_IN, SCOPE_CHAT, SMALL, route_preferences_put},
    {"GET", "/v1/models", AS_USER, SCOPE_READ | SCOPE_CHAT, SMALL, route_models},
    {"GET", "/v1/models/{name}", AS_USER, SCOPE_READ | SCOPE_CHAT, SMALL, route_model},
    {"GET", "/rest/v1/coach_response_feedback", SIGNED_IN, SCOPE_READ, SMALL, route_rest_feedback},
    {"PATCH", "/rest/v1/coach_response_feedback", AS_USER, SCOPE_FEEDBACK, SMALL,
     route_rest_feedback},
    {"POST", "/rest/v1/coach_response_feedback", AS_USER, SCOPE_FEEDBACK, SMALL,
     route_rest_feedback},
    {"DELETE", "/rest/v1/coach_response_feedback", AS_USER, SCOPE_FEEDBACK, SMALL,
     route_rest_feedback},
    {"GET", "/healthz", OPEN, 0, SMALL, route_health},
    {"GET", "/readyz", OPEN, 0, SMALL, route_ready},
    {"GET", "/metrics", OPEN, 0, SMALL, route_metrics},
};
#define ROUTE_COUNT (sizeof routes / sizeof routes[0])

static bool method_matches(const struct endpoint *route, const char *method)
{
    if (strcmp(route->method, method) == 0)
        return true;
    return strcmp(method, "HEAD") == 0 && strcmp(route->method, "GET") == 0;
}

/* What stands for {id} or {name} in a path. */
struct variable {
    const char *at;
    size_t len; /* 0: the path has none */
};

/* Whether the path is the route's. */
static bool path_matches(const struct endpoint *route, const char *path, struct variable *found)
{
    const char *brace = strchr(route->path, '{');
    *found = (struct variable){path, 0};
    if (brace == NULL)
        return strcmp(route->path, path) == 0;
    const char *behind = strchr(brace, '}') + 1;
    size_t before = (size_t)(brace - route->path), after = strlen(behind), len = strlen(path);
    if (len <= before + after || strncmp(path, route->path, before) != 0 ||
        strcmp(path + len - after, behind) != 0)
        return false;
    *found = (struct variable){path + before, len - before - after};
    return brace[1] == 'n' || memchr(found->at, '/', found->len) == NULL;
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
        const char *advice = elsewhere_advice(r->path);
        api_error(&error, 404, "unknown_url", "", "there is no %.16s %.200s here; %s", r->method,
                  r->path, advice != NULL ? advice : "the API reference lists what there is");
        fail(r, &error, NULL);
        return;
    }
    char header[96];
    snprintf(header, sizeof header, "Allow: %s\r\n", allowed);
    api_error(&error, 405, "method_not_allowed", "", "%.200s takes %s, not %.16s", r->path, allowed,
              r->method);
    fail(r, &error, header);
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
    if (body == SMALL)
        max = SMALL_BODY_BYTES;
    else if (body == MESSAGE)
        max = config->max_message_bytes * ESCAPED_BYTES + SMALL_BODY_BYTES;
    return max < config->max_body_bytes ? max : config->max_body_bytes;
}

/* Reads the id of the path. */
static bool take_id(struct route_context *c, const struct variable *v, struct api_error *error)
{
    struct uuid id;
    char text[UUID_TEXT + 1];
    snprintf(text, sizeof text, "%.*s", (int)(v->len < sizeof text ? v->len : 0), v->at);
    if (!uuid_parse(text, &id))
        return api_error(error, 400, "invalid_id", "id", "\"%.*s\" is not a UUID",
                         (int)(v->len < 60 ? v->len : 60), v->at);
    uuid_format(&id, c->id);
    return true;
}

static void run(struct route_context *c, const struct endpoint *route, const struct variable *v)
{
    struct api_error error;
    if (route->access != OPEN && !authenticate(c, route, &error)) {
        fail(c->request, &error, error.status == 401 ? "WWW-Authenticate: Bearer\r\n" : NULL);
        return;
    }
    if (!request_read_body(c->request, max_body(c->services->config, route->body), &error)) {
        fail(c->request, &error, NULL);
        return;
    }
    bool has_name = strstr(route->path, "{name}") != NULL;
    if (v->len > 0 && !has_name && !take_id(c, v, &error)) {
        request_fail(c->request, &error, NULL);
        return;
    }
    if (has_name)
        c->name = v->at;
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
        struct variable v;
        if (!path_matches(&routes[i], r->path, &v))
            continue;
        if (method_matches(&routes[i], r->method)) {
            r->endpoint = (int)i;
            r->route = routes[i].path;
            run(c, &routes[i], &v);
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
    for (size_t i = 0; i < ROUTE_COUNT; i++) {
        snprintf(names[i], sizeof names[i], "%s %s", routes[i].method, routes[i].path);
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
    int count;
    const char *const *list = routes_names(&count);
    for (size_t i = 0; i < ROUTE_COUNT; i++) {
        fprintf(out, "%s %s ", list[i], who[routes[i].access]);
        api_key_print_scopes(out, routes[i].scopes);
        fputc('\n', out);
    }
}
