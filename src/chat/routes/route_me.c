/* A user's own data, all of it: GET /v1/me/export, DELETE /v1/me; and who looked at it.
 *
 * nginx takes an export into a file as large as its location says, so that a slow reader holds no
 * thread until then. */
#include "route.h"

#include "common/query.h"
#include "common/user_export.h"

#include <stdatomic.h>

#define AT_ONCE 2 /* exports, and erasures, of a process: each has a thread */
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

static bool ask(void *arg, const struct pg_statement *statement, const char *const *values,
                PGresult **result, struct api_error *error)
{
    return route_query(arg, statement, values, result, error, NULL);
}

void route_me_export(struct route_context *c)
{
    struct user_export export = {.request = c->request,
                                 .user_id = c->request->who.user_text,
                                 .sections = &list_sections,
                                 .rows = &read_rows,
                                 .ask = ask,
                                 .arg = c,
                                 .draining = &c->services->draining};
    if (!enter(c, &exports, "exports"))
        return;
    user_export_run(&export);
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
    static const struct list_kind kind = {
        .of = "a line of the log", .fallback = LOG_LIMIT_DEFAULT, .max = LOG_LIMIT_MAX};
    struct list_page page;
    if (!route_read_page(c, &kind, &page))
        return;
    const char *values[3] = {c->request->who.user_text, page.limit, page.before};
    route_reply_json_query(c, &statement, values);
    query_release(&page.query);
}
