/* What the routes share. */
#include "route.h"

bool route_query(struct route_context *c, const struct pg_statement *statement,
                 const char *const *values, PGresult **result, struct api_error *error, bool *away)
{
    struct worker *w = c->worker;
    return pg_pool_ask(statement->many != NULL ? w->prepare_pool : w->pool, w->breaker, statement,
                       values, result, error, away);
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
