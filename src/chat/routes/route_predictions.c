/* What models foretold of a user, as programs of the deployment record it, and what came. */
#include "common/query.h"
#include "route.h"

#include <stdio.h>
#include <string.h>

#define LIST_LIMIT_DEFAULT 50
#define LIST_LIMIT_MAX 200

void route_predictions_list(struct route_context *c)
{
    static const struct pg_statement statement = {
        .name = "list_predictions",
        .sql = "select uplift_chat.list_predictions($1,$2,$3,$4,$5)",
        .params = 5};
    struct api_error error;
    struct query q;
    char limit[ROUTE_LIMIT_ROOM];
    const char *before;
    if (!query_parse(&q, c->request->query)) {
        api_error(&error, 400, "invalid_query", "", "the query string cannot be read");
        request_fail(c->request, &error, NULL);
        return;
    }
    if (route_read_limit(&q, LIST_LIMIT_DEFAULT, LIST_LIMIT_MAX, limit, &error) &&
        route_read_before(&q, "a prediction", &before, &error)) {
        const char *values[5] = {c->request->who.user_text, limit, before,
                                 query_get(&q, "prediction_type"), query_get(&q, "model_name")};
        route_reply_json_query(c, &statement, values);
    } else {
        request_fail(c->request, &error, NULL);
    }
    query_release(&q);
}

void route_predictions_add(struct route_context *c)
{
    static const struct pg_statement statement = {
        .name = "add_prediction", .sql = "select uplift_chat.add_prediction($1,$2)", .params = 2};
    struct api_error error;
    struct span prediction;
    if (!request_json(c->request, false, &prediction, &error)) {
        request_fail(c->request, &error, NULL);
        return;
    }
    /* It is what the body is, but for space around it, and ends with its NUL. */
    const char *values[2] = {c->request->who.user_text, prediction.at};
    route_reply_created(c, &statement, values);
}

void route_prediction_get(struct route_context *c)
{
    static const struct pg_statement statement = {
        .name = "get_prediction", .sql = "select uplift_chat.get_prediction($1,$2)", .params = 2};
    const char *values[2] = {c->request->who.user_text, c->id};
    route_reply_json_query(c, &statement, values);
}

void route_prediction_outcome(struct route_context *c)
{
    static const struct pg_statement statement = {
        .name = "give_outcome", .sql = "select uplift_chat.give_outcome($1,$2,$3)", .params = 3};
    struct api_error error;
    struct span outcome;
    if (!request_json(c->request, false, &outcome, &error)) {
        request_fail(c->request, &error, NULL);
        return;
    }
    const char *values[3] = {c->request->who.user_text, c->id, outcome.at};
    route_reply_json_query(c, &statement, values);
}
