/* What the routes share. */
#include "route.h"

#define RETRY_AFTER_DATABASE_MS 1000

bool route_query(struct route_context *c, const struct pg_statement *statement,
                 const char *const *values, PGresult **result, struct api_error *error, bool *away)
{
    enum pg_outcome outcome = PG_AWAY;
    if (pg_breaker_allows(c->worker->breaker)) {
        outcome = pg_pool_call(statement->many != NULL ? c->worker->prepare_pool : c->worker->pool,
                               statement, values, result);
        pg_breaker_report(c->worker->breaker, outcome);
    }
    if (away != NULL)
        *away = outcome == PG_AWAY;
    if (outcome == PG_DONE)
        return true;
    if (outcome == PG_REFUSED) {
        pg_api_error(*result, statement->name, error);
        PQclear(*result);
        *result = NULL;
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
