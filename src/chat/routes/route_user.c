/* What users see and set of their own: conversations, preferences, and the coaches to choose from.
 */
#include "common/query.h"
#include "route.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIST_LIMIT_DEFAULT 20
#define LIST_LIMIT_MAX 100

void route_conversations_list(struct route_context *c)
{
    static const struct pg_statement statement = {
        .name = "list_conversations",
        .sql = "select uplift_chat.list_conversations($1,$2,$3,$4)",
        .params = 4};
    static const char nothing[] = "{\"object\":\"list\",\"data\":[],\"has_more\":false}";
    struct api_error error;
    struct query q;
    char limit[ROUTE_LIMIT_ROOM];
    if (c->request->who.is_guest) { /* it would be those of all guests */
        request_reply(c->request, 200, "application/json", NULL, nothing, sizeof nothing - 1);
        return;
    }
    if (!query_parse(&q, c->request->query)) {
        api_error(&error, 400, "invalid_query", "", "the query string cannot be read");
        request_fail(c->request, &error, NULL);
        return;
    }
    if (!route_read_limit(&q, LIST_LIMIT_DEFAULT, LIST_LIMIT_MAX, limit, &error)) {
        query_release(&q);
        request_fail(c->request, &error, NULL);
        return;
    }
    const char *values[4] = {c->request->who.user_text, limit, query_get(&q, "before"),
                             query_get(&q, "q")};
    route_reply_json_query(c, &statement, values);
    query_release(&q);
}

void route_conversation_get(struct route_context *c)
{
    static const struct pg_statement statement = {
        .name = "get_conversation",
        .sql = "select uplift_chat.get_conversation($1,$2,$3)",
        .params = 3};
    struct api_error error;
    struct query q;
    struct uuid version;
    if (!query_parse(&q, c->request->query)) {
        api_error(&error, 400, "invalid_query", "", "the query string cannot be read");
        request_fail(c->request, &error, NULL);
        return;
    }
    const char *values[3] = {c->request->who.user_text, c->id, query_get(&q, "version")};
    if (values[2] == NULL || uuid_parse(values[2], &version)) {
        route_reply_json_query(c, &statement, values);
    } else {
        api_error(&error, 400, "invalid_version", "version", "version must be the id of an answer");
        request_fail(c->request, &error, NULL);
    }
    query_release(&q);
}

void route_conversation_rename(struct route_context *c)
{
    static const struct pg_statement statement = {
        .name = "rename_conversation",
        .sql = "select uplift_chat.rename_conversation($1,$2,$3)",
        .params = 3};
    struct api_error error;
    struct span changes;
    if (!request_json(c->request, false, &changes, &error)) {
        request_fail(c->request, &error, NULL);
        return;
    }
    const char *values[3] = {c->request->who.user_text, c->id, changes.at};
    route_reply_json_query(c, &statement, values);
}

void route_conversation_delete(struct route_context *c)
{
    static const struct pg_statement statement = {
        .name = "delete_conversation",
        .sql = "select uplift_chat.delete_conversation($1,$2)",
        .params = 2};
    struct api_error error;
    PGresult *result;
    const char *values[2] = {c->request->who.user_text, c->id};
    if (!route_query(c, &statement, values, &result, &error, NULL)) {
        request_fail(c->request, &error, NULL);
        return;
    }
    PQclear(result);
    request_reply(c->request, 204, NULL, NULL, NULL, 0);
}

char *route_list_coaches(struct route_context *c, bool *degraded, struct api_error *error)
{
    static const struct pg_statement statement = {
        .name = "list_coaches", .sql = "select uplift_chat.list_coaches()", .params = 0};
    PGresult *result;
    char *list = NULL;
    *degraded = false;
    if (route_query(c, &statement, NULL, &result, error, degraded)) {
        list = strdup(PQgetvalue(result, 0, 0));
        if (list == NULL)
            api_error_no_memory(error);
        PQclear(result);
    } else if (*degraded) {
        list = personas_coaches_json(c->services->personas);
    }
    return list;
}

void route_coaches(struct route_context *c)
{
    struct api_error error;
    bool degraded;
    char *list = route_list_coaches(c, &degraded, &error);
    if (list != NULL)
        request_reply(c->request, 200, "application/json",
                      degraded ? "X-Uplift-Degraded: database\r\n" : NULL, list, strlen(list));
    else
        request_fail(c->request, &error, NULL);
    free(list);
}

void route_preferences_get(struct route_context *c)
{
    static const struct pg_statement statement = {
        .name = "get_preferences", .sql = "select uplift_chat.get_preferences($1)", .params = 1};
    const char *values[1] = {c->request->who.user_text};
    route_reply_json_query(c, &statement, values);
}

/* Answers with those members of a statement's JSON object that are named: for who may set and not
 * read. Ends the request. */
static void reply_with_named(struct route_context *c, const struct pg_statement *statement,
                             const char *const *values, struct span named)
{
    struct api_error error;
    PGresult *result;
    if (!route_query(c, statement, values, &result, &error, NULL)) {
        request_fail(c->request, &error, NULL);
        return;
    }
    cJSON *all = cJSON_Parse(PQgetvalue(result, 0, 0)), *told = cJSON_CreateObject();
    cJSON *members = cJSON_ParseWithLength(named.at, named.len);
    const cJSON *member;
    PQclear(result);
    cJSON_ArrayForEach (member, members)
        cJSON_AddItemToObject(told, member->string,
                              cJSON_DetachItemFromObjectCaseSensitive(all, member->string));
    cJSON_Delete(members);
    char *text = cJSON_PrintUnformatted(told);
    cJSON_Delete(all);
    cJSON_Delete(told);
    if (text != NULL) {
        request_reply(c->request, 200, "application/json", NULL, text, strlen(text));
    } else {
        api_error_no_memory(&error);
        request_fail(c->request, &error, NULL);
    }
    free(text);
}

void route_preferences_put(struct route_context *c)
{
    static const struct pg_statement statement = {
        .name = "put_preferences", .sql = "select uplift_chat.put_preferences($1,$2)", .params = 2};
    struct api_error error;
    struct span changes;
    if (!request_json(c->request, false, &changes, &error)) {
        request_fail(c->request, &error, NULL);
        return;
    }
    /* It is what the body is, but for space around it, and ends with its NUL. */
    const char *values[2] = {c->request->who.user_text, changes.at};
    if ((c->request->who.scopes & SCOPE_READ) != 0)
        route_reply_json_query(c, &statement, values);
    else
        reply_with_named(c, &statement, values, changes);
}
