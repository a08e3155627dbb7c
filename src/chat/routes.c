/* The table of routes, its dispatch, and what the routes share. */
#include "routes.h"

#include "../common/log.h"
#include "route_rest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RETRY_AFTER_DATABASE_MS 1000

typedef void (*route_fn)(struct route_context *);

enum access {
    OPEN,    /* no token */
    AS_USER, /* a token that names a user */
};

enum tail {
    EXACT, /* the path as it stands */
    ID,    /* then one segment, a UUID; anything else there is the 404 of an unknown id */
    NAME,  /* then one or more segments of any text */
};

static void route_health(struct route_context *c);
static void route_ready(struct route_context *c);

static const struct route {
    const char *method;
    const char *path;
    enum tail tail;
    enum access access;
    route_fn run;
} routes[] = {
    {"POST", "/v1/chat", EXACT, AS_USER, route_native_chat},
    {"POST", "/v1/chat/completions", EXACT, AS_USER, route_completions},
    {"POST", "/v1/feedback/", ID, AS_USER, route_feedback_put},
    {"PATCH", "/v1/feedback/", ID, AS_USER, route_feedback_put},
    {"GET", "/v1/feedback/", ID, AS_USER, route_feedback_get},
    {"GET", "/v1/conversations", EXACT, AS_USER, route_conversations_list},
    {"GET", "/v1/conversations/", ID, AS_USER, route_conversation_get},
    {"DELETE", "/v1/conversations/", ID, AS_USER, route_conversation_delete},
    {"GET", "/v1/coaches", EXACT, AS_USER, route_coaches},
    {"GET", "/v1/preferences", EXACT, AS_USER, route_preferences_get},
    {"PUT", "/v1/preferences", EXACT, AS_USER, route_preferences_put},
    {"GET", "/v1/models", EXACT, AS_USER, route_models},
    {"GET", "/v1/models/", NAME, AS_USER, route_model},
    {"GET", "/rest/v1/coach_response_feedback", EXACT, AS_USER, route_rest_feedback},
    {"PATCH", "/rest/v1/coach_response_feedback", EXACT, AS_USER, route_rest_feedback},
    {"POST", "/rest/v1/coach_response_feedback", EXACT, AS_USER, route_rest_feedback},
    {"DELETE", "/rest/v1/coach_response_feedback", EXACT, AS_USER, route_rest_feedback},
    {"GET", "/healthz", EXACT, OPEN, route_health},
    {"GET", "/readyz", EXACT, OPEN, route_ready},
};
#define ROUTE_COUNT (sizeof routes / sizeof routes[0])

static bool method_matches(const struct route *route, const char *method)
{
    if (strcmp(route->method, method) == 0)
        return true;
    return strcmp(method, "HEAD") == 0 && strcmp(route->method, "GET") == 0;
}

/* Whether the path is the route's. A trailing segment goes to *tail. */
static bool path_matches(const struct route *route, const char *path, const char **tail)
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

static void fail_unrouted(struct request *r, const char *allowed)
{
    struct api_error error;
    if (*allowed == '\0') {
        api_error(&error, 404, "unknown_url", "",
                  "there is no %.16s %.200s here; the API reference lists what there is", r->method,
                  r->path);
        if (rest_path(r->path))
            rest_fail(r, &error);
        else
            request_fail(r, &error, NULL);
        return;
    }
    char header[96];
    snprintf(header, sizeof header, "Allow: %s\r\n", allowed);
    api_error(&error, 405, "method_not_allowed", "", "%.200s takes %s, not %.16s", r->path, allowed,
              r->method);
    request_fail(r, &error, header);
}

static bool authenticate(struct route_context *c, struct api_error *error)
{
    struct request *r = c->request;
    if (!auth_check(c->worker->auth, request_param(r, "HTTP_AUTHORIZATION"),
                    request_param(r, "HTTP_APIKEY"), &r->who, error))
        return false;
    if (!r->who.has_user)
        return api_error(error, 403, "user_required", "",
                         "this token names no user (no \"sub\"); send a user's token");
    return true;
}

static void run(struct route_context *c, const struct route *route, const char *tail)
{
    struct api_error error;
    struct uuid id;
    if (route->access == AS_USER && !authenticate(c, &error)) {
        if (rest_path(c->request->path))
            rest_fail(c->request, &error);
        else
            request_fail(c->request, &error,
                         error.status == 401 ? "WWW-Authenticate: Bearer\r\n" : NULL);
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
    if (strcmp(r->method, "OPTIONS") == 0) {
        answer_preflight(r);
        return;
    }
    for (size_t i = 0; i < ROUTE_COUNT; i++) {
        const char *tail;
        if (!path_matches(&routes[i], r->path, &tail))
            continue;
        if (method_matches(&routes[i], r->method)) {
            run(c, &routes[i], tail);
            return;
        }
        size_t used = strlen(allowed);
        snprintf(allowed + used, sizeof allowed - used, "%s%s", used > 0 ? ", " : "",
                 routes[i].method);
    }
    fail_unrouted(r, allowed);
}

bool route_query(struct route_context *c, const struct pg_statement *statement,
                 const char *const *values, PGresult **result, struct api_error *error, bool *away)
{
    enum pg_outcome outcome = PG_AWAY;
    if (pg_breaker_allows(c->worker->breaker)) {
        outcome = pg_call(c->pg, statement, values, result);
        pg_breaker_report(c->worker->breaker, outcome);
    }
    if (away != NULL)
        *away = outcome == PG_AWAY;
    if (outcome == PG_DONE)
        return true;
    if (outcome == PG_REFUSED) {
        pg_api_error(c->pg, error);
        if (error->status >= 500)
            log_error(c->request->request_id, "%s: %s %s", statement->name, pg_sqlstate(c->pg),
                      pg_message(c->pg));
        return false;
    }
    api_error(error, 503, "database_unavailable", "",
              "the database does not answer at the moment; try again shortly");
    error->retry_after_ms = RETRY_AFTER_DATABASE_MS;
    return false;
}

void route_reply_json_query(struct route_context *c, const struct pg_statement *statement,
                            const char *const *values)
{
    struct api_error error;
    PGresult *result;
    if (!route_query(c, statement, values, &result, &error, NULL)) {
        request_fail(c->request, &error, NULL);
        return;
    }
    request_reply(c->request, 200, "application/json", NULL, PQgetvalue(result, 0, 0),
                  (size_t)PQgetlength(result, 0, 0));
    PQclear(result);
}

cJSON *route_json_body(struct route_context *c, struct api_error *error)
{
    struct request *r = c->request;
    struct json_error reason;
    if (r->body == NULL) {
        api_error(error, 400, "empty_body", "",
                  "the request has no body; a JSON object is expected");
        return NULL;
    }
    cJSON *body = json_parse(r->body, r->body_len, &reason);
    if (body == NULL) {
        api_error(error, 400, "invalid_json", reason.param,
                  "the request body cannot be read as JSON: %s", reason.message);
        return NULL;
    }
    if (!cJSON_IsObject(body)) {
        api_error(error, 400, "invalid_json", "", "the request body is not a JSON object");
        cJSON_Delete(body);
        return NULL;
    }
    return body;
}

static void route_health(struct route_context *c)
{
    static const char body[] = "{\"status\":\"ok\"}\n";
    request_reply(c->request, 200, "application/json", NULL, body, sizeof body - 1);
}

/* Ready means that chats are answered; "degraded" that they are, but without Postgres. */
static void route_ready(struct route_context *c)
{
    static const struct pg_statement ready = {"ready", "select uplift.ready()", 0};
    struct api_error error;
    PGresult *result = NULL;
    bool away;
    struct buf body;
    buf_init(&body, 4096);
    int status = 200;
    if (atomic_load(&c->worker->draining)) {
        status = 503;
        buf_puts(&body, "{\"status\":\"draining\"}\n");
    } else if (route_query(c, &ready, NULL, &result, &error, &away)) {
        const char *state = PQgetvalue(result, 0, 0);
        if (strcmp(state, "ok") == 0) {
            buf_puts(&body, "{\"status\":\"ready\"");
        } else {
            status = 503;
            buf_puts(&body, "{\"status\":\"not_ready\",\"reason\":");
            buf_json_string(&body, state, strlen(state));
        }
        buf_printf(&body, ",\"open_chats\":%lld,\"spool_bytes\":%lld}\n",
                   (long long)relay_open(c->worker->relay),
                   (long long)recorder_spool_bytes(c->worker->recorder));
        PQclear(result);
    } else if (away) {
        buf_printf(&body,
                   "{\"status\":\"degraded\",\"reason\":\"database\",\"open_chats\":%lld,\"spool_"
                   "bytes\":%lld}\n",
                   (long long)relay_open(c->worker->relay),
                   (long long)recorder_spool_bytes(c->worker->recorder));
    } else {
        status = 503;
        buf_puts(&body, "{\"status\":\"not_ready\",\"reason\":");
        buf_json_string(&body, error.message, strlen(error.message));
        buf_puts(&body, "}\n");
    }
    request_reply(c->request, status, "application/json", NULL, body.data, body.len);
    buf_release(&body);
}
