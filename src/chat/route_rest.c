/* /rest/v1/coach_response_feedback for supabase-js: own rows read, own feedback changed. */
#include "route_rest.h"

#include "../common/query.h"
#include "route_feedback.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ONE_OBJECT "application/vnd.pgrst.object+json"
#define REST_ROOT "/rest/v1/"

/* A request as read, before Postgres is asked. */
struct rest_request {
    struct query query;
    const char *select; /* comma list of columns, NULL or "*" for all */
    bool one;           /* exactly one object instead of a list */
    bool representation;
};

bool rest_path(const char *path)
{
    return strncmp(path, REST_ROOT, strlen(REST_ROOT)) == 0;
}

/* PostgREST's codes are SQLSTATEs or PGRSTnnn; ours are words in small letters. */
static const char *rest_code(const struct api_error *error)
{
    if (isdigit((unsigned char)error->code[0]) || strncmp(error->code, "PGRST", 5) == 0)
        return error->code;
    switch (error->status) {
    case 401:
        return strcmp(error->code, "token_expired") == 0 ? "PGRST303" : "PGRST301";
    case 403:
        return "42501";
    case 404:
        return "PGRST205";
    case 405:
        return "PGRST117";
    case 503:
        return "PGRST001";
    default:
        return error->status < 500 ? "PGRST102" : "XX000";
    }
}

void rest_fail(struct request *r, const struct api_error *error, const char *extra)
{
    struct buf headers, body;
    buf_init(&headers, 1024);
    buf_init(&body, 4096);
    if (extra != NULL)
        buf_puts(&headers, extra);
    if (error->retry_after_ms > 0)
        buf_printf(&headers, "Retry-After: %lld\r\n",
                   (long long)((error->retry_after_ms + 999) / 1000));
    buf_printf(&body,
               "{\"code\":\"%s\",\"details\":null,\"hint\":null,\"message\":", rest_code(error));
    buf_json_string(&body, error->message, strlen(error->message));
    buf_putc(&body, '}');
    request_reply(r, error->status, "application/json", headers.data, body.data, body.len);
    buf_release(&headers);
    buf_release(&body);
}

static bool out_of_memory(struct api_error *error)
{
    return api_error(error, 503, "53200", "", "the server is out of memory; try again");
}

/* The value behind "eq.", the one operator there is. */
static bool equal_to(const char *name, const char *filter, const char **value,
                     struct api_error *error)
{
    if (strncmp(filter, "eq.", 3) != 0)
        return api_error(error, 400, "PGRST100", "",
                         "only eq. filters are taken, not \"%.60s=%.60s\"", name, filter);
    *value = filter + 3;
    return true;
}

static bool read_rest(struct rest_request *rest, struct request *r, struct api_error *error)
{
    const char *accept = request_param(r, "HTTP_ACCEPT");
    const char *prefer = request_param(r, "HTTP_PREFER");
    if (!query_parse(&rest->query, r->query))
        return api_error(error, 400, "PGRST100", "", "the query string cannot be read");
    rest->select = query_get(&rest->query, "select");
    rest->one = accept != NULL && strstr(accept, ONE_OBJECT) != NULL;
    rest->representation = prefer != NULL && strstr(prefer, "return=representation") != NULL;
    return true;
}

/* The column name of one item of select, without white space; "" when it is not a plain name. */
static void column_name(const char *item, size_t len, char out[64])
{
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        if (item[i] == ' ' || item[i] == '"')
            continue;
        if (n + 1 == 64 || !(isalnum((unsigned char)item[i]) || item[i] == '_')) {
            n = 0;
            break;
        }
        out[n++] = item[i];
    }
    out[n] = '\0';
}

/* Keeps only the selected columns of a row. A row that is still to come has nothing in the others.
 */
static bool project(const cJSON *row, const char *select, cJSON *out, struct api_error *error)
{
    for (const char *p = select; *p != '\0';) {
        size_t len = strcspn(p, ",");
        char name[64];
        column_name(p, len, name);
        if (*name == '\0')
            return api_error(error, 400, "42703", "",
                             "column coach_response_feedback.%.*s does not exist",
                             (int)(len < 100 ? len : 100), p);
        const cJSON *item = cJSON_GetObjectItemCaseSensitive(row, name);
        cJSON *copy = item != NULL ? cJSON_Duplicate(item, true) : cJSON_CreateNull();
        if (!cJSON_AddItemToObject(out, name, copy)) {
            cJSON_Delete(copy);
            return out_of_memory(error);
        }
        p += len + (p[len] == ',');
    }
    return true;
}

static bool project_all(cJSON **rows, const char *select, struct api_error *error)
{
    if (select == NULL || *select == '\0' || strcmp(select, "*") == 0)
        return true;
    cJSON *out = cJSON_CreateArray();
    const cJSON *row;
    bool good = out != NULL;
    cJSON_ArrayForEach (row, *rows) {
        cJSON *kept = cJSON_CreateObject();
        good = good && kept != NULL && project(row, select, kept, error) &&
               cJSON_AddItemToArray(out, kept);
        if (!good) {
            cJSON_Delete(kept);
            break;
        }
    }
    if (!good) {
        cJSON_Delete(out);
        return false;
    }
    cJSON_Delete(*rows);
    *rows = out;
    return true;
}

/* Answers with rows, projected, as a list or as the one object asked for. Ends the request. */
static void reply_rows(struct route_context *c, const struct rest_request *rest, cJSON *rows)
{
    struct api_error error;
    char range[64];
    char *text = NULL;
    int count = cJSON_GetArraySize(rows);
    if (rest->one && count != 1) {
        api_error(&error, 406, "PGRST116", "", "Cannot coerce the result to a single JSON object");
        struct buf body;
        buf_init(&body, 1024);
        buf_printf(
            &body,
            "{\"code\":\"PGRST116\",\"details\":\"The result contains %d rows\",\"hint\":null,"
            "\"message\":\"%s\"}",
            count, error.message);
        request_reply(c->request, 406, "application/json", NULL, body.data, body.len);
        buf_release(&body);
        cJSON_Delete(rows);
        return;
    }
    if (!project_all(&rows, rest->select, &error)) {
        rest_fail(c->request, &error, NULL);
        cJSON_Delete(rows);
        return;
    }
    text = cJSON_PrintUnformatted(rest->one ? rows->child : rows);
    cJSON_Delete(rows);
    if (text == NULL) {
        out_of_memory(&error);
        rest_fail(c->request, &error, NULL);
        return;
    }
    if (count > 0)
        snprintf(range, sizeof range, "Content-Range: 0-%d/*\r\n", count - 1);
    else
        snprintf(range, sizeof range, "Content-Range: */*\r\n");
    request_reply(c->request, 200, rest->one ? ONE_OBJECT "; charset=utf-8" : "application/json",
                  range, text, strlen(text));
    free(text);
}

/* Runs a statement that returns a JSON array of rows; NULL with *error. */
static cJSON *query_rows(struct route_context *c, const struct pg_statement *statement,
                         const char *const *values, struct api_error *error, bool *away)
{
    PGresult *result;
    if (!route_query(c, statement, values, &result, error, away))
        return NULL;
    cJSON *rows =
        cJSON_ParseWithLength(PQgetvalue(result, 0, 0), (size_t)PQgetlength(result, 0, 0));
    PQclear(result);
    if (rows == NULL)
        out_of_memory(error);
    return rows;
}

static const struct pg_statement select_statement = {
    .name = "rest_select_feedback",
    .sql = "select uplift.rest_select_feedback($1,$2)",
    .params = 2};

static void rest_get(struct route_context *c, const struct rest_request *rest)
{
    struct api_error error;
    cJSON *wanted = cJSON_CreateObject(), *rows = NULL;
    bool good = true;
    for (size_t i = 0; good && i < rest->query.count; i++) {
        const char *name = rest->query.pairs[i].name, *value = rest->query.pairs[i].value;
        if (strcmp(name, "select") != 0 && strcmp(name, "limit") != 0 &&
            strcmp(name, "offset") != 0 && strcmp(name, "order") != 0)
            good = equal_to(name, value, &value, &error);
        if (good)
            cJSON_AddStringToObject(wanted, name, value);
    }
    char *text = good ? cJSON_PrintUnformatted(wanted) : NULL;
    if (good && text == NULL)
        out_of_memory(&error);
    if (text != NULL) {
        const char *values[2] = {c->request->who.user_text, text};
        rows = query_rows(c, &select_statement, values, &error, NULL);
    }
    if (rows != NULL)
        reply_rows(c, rest, rows);
    else
        rest_fail(c->request, &error, NULL);
    free(text);
    cJSON_Delete(wanted);
}

/* The one answer that a PATCH names. */
static bool patched_id(const struct route_context *c, const struct rest_request *rest,
                       struct uuid *id, struct api_error *error)
{
    bool found = false;
    for (size_t i = 0; i < rest->query.count; i++) {
        const char *name = rest->query.pairs[i].name, *value = "";
        if (strcmp(name, "select") == 0 || strcmp(name, "columns") == 0)
            continue;
        if (!equal_to(name, rest->query.pairs[i].value, &value, error))
            return false;
        if (strcmp(name, "id") == 0) {
            if (!uuid_parse(value, id))
                return api_error(error, 400, "22P02", "",
                                 "invalid input syntax for type uuid: \"%.60s\"", value);
            found = true;
        } else if (strcmp(name, "user_id") != 0 || strcmp(value, c->request->who.user_text) != 0) {
            return api_error(error, 400, "PGRST100", "",
                             "an update is filtered by id, and by nothing but your own user_id");
        }
    }
    return found ||
           api_error(error, 400, "21000", "", "UPDATE requires a WHERE clause: add id=eq.<id>");
}

/* Stands for a row that is still to come, of which Postgres has only the feedback, or nothing when
 * it is away (result NULL). */
static cJSON *row_to_come(const char *id, const cJSON *changes, const PGresult *result)
{
    cJSON *rows = cJSON_CreateArray();
    cJSON *row = result != NULL ? feedback_row(result) : cJSON_Duplicate(changes, true);
    if (result == NULL)
        cJSON_AddStringToObject(row, "id", id);
    if (!cJSON_AddItemToArray(rows, row)) {
        cJSON_Delete(rows);
        cJSON_Delete(row);
        return NULL;
    }
    return rows;
}

/* Applies the changes: in Postgres, as feedback that waits for its answer, or in the spool. */
static cJSON *patch(struct route_context *c, const struct uuid *id, const cJSON *changes,
                    struct api_error *error)
{
    static const struct pg_statement statement = {
        .name = "rest_update_feedback",
        .sql = "select uplift.rest_update_feedback($1,$2,$3)",
        .params = 3};
    char id_text[UUID_TEXT + 1];
    bool away;
    uuid_format(id, id_text);
    char *text = cJSON_PrintUnformatted(changes);
    if (text == NULL) {
        out_of_memory(error);
        return NULL;
    }
    const char *values[3] = {c->request->who.user_text, id_text, text};
    cJSON *rows = query_rows(c, &statement, values, error, &away);
    bool unseen = rows != NULL && rows->child == NULL && feedback_issued(c, id);
    if ((rows == NULL && (away || error->status == 503)) || unseen) {
        PGresult *result;
        cJSON_Delete(rows);
        rows = NULL;
        if (feedback_check(changes, error)) {
            if (feedback_give(c, id_text, text, &result, error) != FEEDBACK_REFUSED) {
                rows = row_to_come(id_text, changes, result);
                if (rows == NULL)
                    out_of_memory(error);
            }
            PQclear(result);
        }
    }
    free(text);
    return rows;
}

/* Whether the columns to be shown are there, which must be known before anything is changed. With
 * Postgres away nobody can tell. */
static bool check_columns(struct route_context *c, const struct rest_request *rest,
                          struct api_error *error)
{
    bool away = false;
    if (!rest->representation || rest->select == NULL || strcmp(rest->select, "*") == 0)
        return true;
    cJSON *wanted = cJSON_CreateObject(), *rows = NULL;
    cJSON_AddStringToObject(wanted, "select", rest->select);
    cJSON_AddStringToObject(wanted, "limit", "0");
    char *text = cJSON_PrintUnformatted(wanted);
    cJSON_Delete(wanted);
    if (text == NULL)
        return out_of_memory(error);
    const char *values[2] = {c->request->who.user_text, text};
    rows = query_rows(c, &select_statement, values, error, &away);
    bool good = rows != NULL || away;
    cJSON_Delete(rows);
    free(text);
    return good;
}

static void rest_patch(struct route_context *c, const struct rest_request *rest)
{
    struct api_error error;
    struct uuid id;
    cJSON *rows = NULL, *body = NULL;
    if (patched_id(c, rest, &id, &error) && check_columns(c, rest, &error)) {
        body = request_json_body(c->request, &error);
        if (body != NULL)
            rows = patch(c, &id, body, &error);
    }
    cJSON_Delete(body);
    if (rows == NULL) {
        rest_fail(c->request, &error, NULL);
    } else if (rest->representation) {
        reply_rows(c, rest, rows);
    } else {
        cJSON_Delete(rows);
        request_reply(c->request, 204, NULL, "Content-Range: */*\r\n", NULL, 0);
    }
}

void route_rest_feedback(struct route_context *c)
{
    struct api_error error;
    struct rest_request rest = {0};
    const char *method = c->request->method;
    if (!read_rest(&rest, c->request, &error)) {
        rest_fail(c->request, &error, NULL);
        return;
    }
    if (strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0) {
        rest_get(c, &rest);
    } else if (strcmp(method, "PATCH") == 0) {
        rest_patch(c, &rest);
    } else {
        api_error(&error, 403, "42501", "", "permission denied for table coach_response_feedback");
        rest_fail(c->request, &error, NULL);
    }
    query_release(&rest.query);
}
