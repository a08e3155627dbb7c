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
    static const struct list_kind kind = {
        .of = "a prediction", .fallback = LIST_LIMIT_DEFAULT, .max = LIST_LIMIT_MAX};
    struct list_page page;
    if (!route_read_page(c, &kind, &page))
        return;
    const char *values[5] = {c->request->who.user_text, page.limit, page.before,
                             query_get(&page.query, "prediction_type"),
                             query_get(&page.query, "model_name")};
    route_reply_json_query(c, &statement, values);
    query_release(&page.query);
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
