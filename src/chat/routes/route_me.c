/* A user's own data, all of it: GET /v1/me/export, DELETE /v1/me; and who looked at it.
 *
 * An export is written page by page as it is read, so that its size does not matter: memory is that
 * of a page. nginx takes it into its buffers, so a slow reader holds no thread. */
#include "route.h"

#include "common/log.h"
#include "common/query.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define AT_ONCE 2 /* exports, and erasures, of a process: each has a thread */
#define HEAD_MAX 16384
#define LOG_LIMIT_DEFAULT 50
#define LOG_LIMIT_MAX 200

static atomic_int exports, erasures;

static const struct pg_statement list_sections = {
    .name = "export_sections",
    .sql = "select name from uplift_chat.export_sections($1)",
    .params = 1};
static const struct pg_statement read_rows = {
    .name = "export_rows",
    .sql = "select rows, count, after from uplift_chat.export_rows($1,$2,$3)",
    .params = 3};

/* Takes one of the places, or ends the request. */
static bool enter(struct route_context *c, atomic_int *places, const char *what)
{
    struct api_error error;
    if (atomic_fetch_add(places, 1) < AT_ONCE)
        return true;
    atomic_fetch_sub(places, 1);
    api_error(&error, 503, "too_many_at_once", "",
              "too many %s are under way; try again in a moment", what);
    error.retry_after_ms = 5000;
    request_fail(c->request, &error, NULL);
    return false;
}

static bool put(struct route_context *c, const char *text, size_t len)
{
    return len == 0 || FCGX_PutStr(text, (int)len, c->request->fcgi.out) == (int)len;
}

static bool begin(struct route_context *c)
{
    struct buf head;
    char day[16], at[32], line[256];
    time_t now = time(NULL);
    struct tm utc;
    gmtime_r(&now, &utc);
    strftime(day, sizeof day, "%Y-%m-%d", &utc);
    strftime(at, sizeof at, "%Y-%m-%dT%H:%M:%SZ", &utc);
    snprintf(line, sizeof line,
             "Content-Disposition: attachment; filename=\"uplift-export-%s.json\"\r\n", day);
    buf_init(&head, HEAD_MAX);
    bool is_head = strcmp(c->request->method, "HEAD") == 0;
    bool good =
        request_head(c->request, &head, 200, "application/json", line) &&
        (is_head || buf_printf(&head,
                               "{\"object\":\"user_export\",\"version\":1,\"user_id\":\"%s\","
                               "\"exported_at\":\"%s\",\"sections\":{",
                               c->request->who.user_text, at)) &&
        put(c, head.data, head.len);
    buf_release(&head);
    return good;
}

/* Why an export cannot go on, in *error, whose status is 0 where it is the reader who left. */
static bool write_section(struct route_context *c, const char *name, bool is_first,
                          struct api_error *error)
{
    PGresult *result = NULL;
    char *after = NULL, title[128];
    bool good, has_rows = false;
    snprintf(title, sizeof title, "%s\n\"%s\":[", is_first ? "" : ",", name);
    good = put(c, title, strlen(title));
    error->status = 0;
    while (good) {
        const char *values[3] = {c->request->who.user_text, name, after};
        if (atomic_load(&c->services->draining)) /* the worker must end */
            good = false;
        else
            good = route_query(c, &read_rows, values, &result, error, NULL);
        if (!good || strcmp(PQgetvalue(result, 0, 1), "0") == 0)
            break;
        good = put(c, has_rows ? ",\n" : "\n", has_rows ? 2 : 1) &&
               put(c, PQgetvalue(result, 0, 0), (size_t)PQgetlength(result, 0, 0));
        has_rows = true;
        free(after);
        after = strdup(PQgetvalue(result, 0, 2));
        good = good && after != NULL;
        PQclear(result);
        result = NULL;
    }
    PQclear(result);
    free(after);
    return good && put(c, "]", 1);
}

static void write_export(struct route_context *c, const PGresult *sections)
{
    static const char end[] = "\n},\"complete\":true}\n";
    struct api_error error = {.status = 0};
    int count = PQntuples(sections);
    bool good = begin(c);
    if (good && strcmp(c->request->method, "HEAD") == 0) {
        request_finish(c->request);
        return;
    }
    for (int i = 0; good && i < count; i++)
        good = write_section(c, PQgetvalue(sections, i, 0), i == 0, &error);
    if (good && put(c, end, sizeof end - 1)) {
        request_finish(c->request);
        return;
    }
    if (error.status != 0)
        log_traced(LOG_WARN, c->request->request_id, c->request->trace_id,
                   "export of a user's data broken off: %s", error.message);
    request_abort(c->request);
}

void route_me_export(struct route_context *c)
{
    struct api_error error;
    PGresult *sections;
    const char *values[1] = {c->request->who.user_text};
    if (!enter(c, &exports, "exports"))
        return;
    if (route_query(c, &list_sections, values, &sections, &error, NULL)) {
        write_export(c, sections);
        PQclear(sections);
    } else {
        request_fail(c->request, &error, NULL);
    }
    atomic_fetch_sub(&exports, 1);
}

static void erase(struct route_context *c)
{
    static const struct pg_statement statement = {
        .name = "erase_me", .sql = "select uplift_chat.erase_me($1)", .params = 1};
    struct api_error error;
    PGresult *result;
    const char *values[1] = {c->request->who.user_text};
    if (!pg_pool_ask(c->services->slow_pool, c->services->breaker, &statement, values, &result,
                     &error, NULL)) {
        request_fail(c->request, &error, NULL);
        return;
    }
    request_reply(c->request, 200, "application/json", NULL, PQgetvalue(result, 0, 0),
                  (size_t)PQgetlength(result, 0, 0));
    PQclear(result);
}

void route_me_erase(struct route_context *c)
{
    struct api_error error;
    if (c->request->who.key_id[0] != '\0') {
        api_error(&error, 403, "own_token_required", "",
                  "only users themselves may erase what is kept of them: send a user's token, not "
                  "an API key");
        request_fail(c->request, &error, NULL);
        return;
    }
    if (!enter(c, &erasures, "erasures"))
        return;
    erase(c);
    atomic_fetch_sub(&erasures, 1);
}

void route_me_access_log(struct route_context *c)
{
    static const struct pg_statement statement = {
        .name = "my_access_log", .sql = "select uplift_chat.my_access_log($1,$2,$3)", .params = 3};
    struct api_error error;
    struct query q;
    char limit[ROUTE_LIMIT_ROOM];
    const char *before;
    if (!query_parse(&q, c->request->query)) {
        api_error(&error, 400, "invalid_query", "", "the query string cannot be read");
        request_fail(c->request, &error, NULL);
        return;
    }
    if (route_read_limit(&q, LOG_LIMIT_DEFAULT, LOG_LIMIT_MAX, limit, &error) &&
        route_read_before(&q, "a line of the log", &before, &error)) {
        const char *values[3] = {c->request->who.user_text, limit, before};
        route_reply_json_query(c, &statement, values);
    } else {
        request_fail(c->request, &error, NULL);
    }
    query_release(&q);
}
