/* What coaches remember of a user, which answers used it, and what the user does about it. */
#include "common/query.h"
#include "route.h"

#include <stdio.h>
#include <string.h>

#define LIST_LIMIT_DEFAULT 50
#define LIST_LIMIT_MAX 200

void route_memories_list(struct route_context *c)
{
    static const struct pg_statement statement = {
        .name = "list_memories",
        .sql = "select uplift_chat.list_memories($1,$2,$3,$4,$5)",
        .params = 5};
    static const struct list_kind kind = {
        .of = "a memory", .fallback = LIST_LIMIT_DEFAULT, .max = LIST_LIMIT_MAX};
    struct list_page page;
    if (!route_read_page(c, &kind, &page))
        return;
    const char *values[5] = {c->request->who.user_text, page.limit, page.before,
                             query_get(&page.query, "type"), query_get(&page.query, "q")};
    route_reply_json_query(c, &statement, values);
    query_release(&page.query);
}

void route_memories_add(struct route_context *c)
{
    static const struct pg_statement statement = {
        .name = "add_memory", .sql = "select uplift_chat.add_memory($1,$2)", .params = 2};
    struct api_error error;
    struct span memory;
    if (!request_json(c->request, false, &memory, &error)) {
        request_fail(c->request, &error, NULL);
        return;
    }
    /* It is what the body is, but for space around it, and ends with its NUL. */
    const char *values[2] = {c->request->who.user_text, memory.at};
    route_reply_json_query(c, &statement, values);
}

void route_memory_change(struct route_context *c)
{
    static const struct pg_statement statement = {
        .name = "change_memory", .sql = "select uplift_chat.change_memory($1,$2,$3)", .params = 3};
    struct api_error error;
    struct span changes;
    if (!request_json(c->request, false, &changes, &error)) {
        request_fail(c->request, &error, NULL);
        return;
    }
    const char *values[3] = {c->request->who.user_text, c->id, changes.at};
    route_reply_json_query(c, &statement, values);
}

void route_answer_context(struct route_context *c)
{
    static const struct pg_statement statement = {
        .name = "get_answer_context",
        .sql = "select uplift_chat.get_answer_context($1,$2)",
        .params = 2};
    const char *values[2] = {c->request->who.user_text, c->id};
    route_reply_json_query(c, &statement, values);
}

/* One, or without an id all of them. */
void route_memories_forget(struct route_context *c)
{
    static const struct pg_statement statement = {
        .name = "forget_memories", .sql = "select uplift_chat.forget_memories($1,$2)", .params = 2};
    struct api_error error;
    PGresult *result;
    const char *values[2] = {c->request->who.user_text, c->id[0] != '\0' ? c->id : NULL};
    if (!route_query(c, &statement, values, &result, &error, NULL)) {
        request_fail(c->request, &error, NULL);
        return;
    }
    PQclear(result);
    request_reply(c->request, 204, NULL, NULL, NULL, 0);
}
