/* What the routes share. */
#include "route.h"

#include "common/json.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool route_query(struct route_context *c, const struct pg_statement *statement,
                 const char *const *values, PGresult **result, struct api_error *error, bool *away)
{
    struct services *w = c->services;
    return pg_pool_ask(statement->for_many ? w->prepare_pool : w->pool, w->breaker, statement,
                       values, result, error, away);
}

static void reply_json(struct route_context *c, const struct pg_statement *statement,
                       const char *const *values, int status)
{
    struct api_error error;
    PGresult *result;
    if (!route_query(c, statement, values, &result, &error, NULL)) {
        request_fail(c->request, &error, NULL);
        return;
    }
    request_reply(c->request, status, "application/json", NULL, PQgetvalue(result, 0, 0),
                  (size_t)PQgetlength(result, 0, 0));
    PQclear(result);
}

void route_reply_json_query(struct route_context *c, const struct pg_statement *statement,
                            const char *const *values)
{
    reply_json(c, statement, values, 200);
}

void route_reply_created(struct route_context *c, const struct pg_statement *statement,
                         const char *const *values)
{
    reply_json(c, statement, values, 201);
}

bool route_refused(const char *refusal_json, struct api_error *error)
{
    cJSON *refusal = cJSON_Parse(refusal_json);
    const char *code = json_string(refusal, "code"), *message = json_string(refusal, "message");
    const char *param = json_string(refusal, "param");
    int status = (int)json_number(refusal, "status", 429);
    api_error(error, status, code != NULL ? code : "", param != NULL ? param : "", "%s",
              message != NULL ? message : "this is refused");
    const char *type = json_string(refusal, "type");
    if (type != NULL)
        error->type = strcmp(type, "tokens") == 0 ? "tokens" : "requests";
    error->retry_after_ms = (int64_t)json_number(refusal, "retry_after_ms", 0);
    cJSON_Delete(refusal);
    return false;
}

bool route_read_limit(const struct query *q, long fallback, long max, char limit[ROUTE_LIMIT_ROOM],
                      struct api_error *error)
{
    const char *asked = query_get(q, "limit");
    char *end;
    long n = asked != NULL ? strtol(asked, &end, 10) : fallback;
    if (asked != NULL && (!isdigit((unsigned char)*asked) || *end != '\0' || n < 1 || n > max))
        return api_error(error, 400, "invalid_limit", "limit",
                         "limit must be a whole number from 1 to %ld", max);
    snprintf(limit, ROUTE_LIMIT_ROOM, "%ld", n);
    return true;
}

static bool read_before(const struct query *q, const char *of, const char **before,
                        struct api_error *error)
{
    struct uuid id;
    *before = query_get(q, "before");
    return *before == NULL || uuid_parse(*before, &id) ||
           api_error(error, 400, "invalid_before", "before", "before must be %s's id", of);
}

bool route_read_page(struct route_context *c, const struct list_kind *kind, struct list_page *page)
{
    struct api_error error;
    if (!query_parse(&page->query, c->request->query)) {
        api_error(&error, 400, "invalid_query", "", "the query string cannot be read");
    } else if (route_read_limit(&page->query, kind->fallback, kind->max, page->limit, &error) &&
               read_before(&page->query, kind->of, &page->before, &error)) {
        return true;
    } else {
        query_release(&page->query);
    }
    request_fail(c->request, &error, NULL);
    return false;
}
