/* /rest/v1 for supabase-js: own answers read, own feedback changed; own memories and predictions
 * read and written.
 */
#include "route_rest.h"

#include "common/json.h"
#include "rest_query.h"
#include "route_feedback.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define ONE_OBJECT "application/vnd.pgrst.object+json; charset=utf-8"
#define REST_ROOT "/rest/v1/"
#define HEADERS_ROOM 1024
#define COMMENT "feedback_text"
#define OLD_COMMENT "user_comment" /* the name that deployments have for it */

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
    case 429: /* as PostgREST has it of a function that raises this status */
        return "PT429";
    case 503:
        return "PGRST001";
    default:
        return error->status < 500 ? "PGRST102" : "XX000";
    }
}

void rest_fail(struct request *r, const struct api_error *error, const char *extra)
{
    struct buf headers, body;
    buf_init(&headers, HEADERS_ROOM);
    buf_init(&body, 4096);
    if (extra != NULL)
        buf_puts(&headers, extra);
    if (error->retry_after_ms > 0)
        buf_printf(&headers, "Retry-After: %lld\r\n",
                   (long long)((error->retry_after_ms + 999) / 1000));
    buf_printf(&body, "{\"code\":\"%s\",\"details\":", rest_code(error));
    if (error->param[0] != '\0')
        buf_json_string(&body, error->param, strlen(error->param));
    else
        buf_puts(&body, "null");
    buf_puts(&body, ",\"hint\":null,\"message\":");
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

/* Rows as they are answered. */
struct page {
    const char *rows; /* JSON, or NULL for none */
    size_t len;
    long long offset, count; /* of the rows there are */
    long long total;         /* -1: not asked for */
};

/* Content-Range: the places of the rows that are answered, and how many there are. */
static void put_range(struct buf *headers, const struct page *page)
{
    buf_puts(headers, "Content-Range: ");
    if (page->count > 0)
        buf_printf(headers, "%lld-%lld/", page->offset, page->offset + page->count - 1);
    else
        buf_puts(headers, "*/");
    if (page->total >= 0)
        buf_printf(headers, "%lld\r\n", page->total);
    else
        buf_puts(headers, "*\r\n");
}

/* Ends the request. status 0: 200, or 206 for a part of the rows. */
static void reply(struct route_context *c, const struct rest_query *q, int status,
                  const struct page *page)
{
    struct buf headers;
    buf_init(&headers, HEADERS_ROOM);
    put_range(&headers, page);
    rest_query_applied(q, &headers);
    if (status == 0)
        status = page->total > page->count ? 206 : 200;
    const char *type = page->rows == NULL ? NULL
                       : q->one           ? ONE_OBJECT
                                          : "application/json; charset=utf-8";
    request_reply(c->request, status, type, headers.data, page->rows, page->len);
    buf_release(&headers);
}

static long long number(const PGresult *result, int column)
{
    return PQgetisnull(result, 0, column) ? -1 : strtoll(PQgetvalue(result, 0, column), NULL, 10);
}

/* Answers with rows as they were selected: rows, row_count, total and the offset. */
static void reply_selected(struct route_context *c, const struct rest_query *q,
                           const PGresult *result)
{
    reply(c, q, 0,
          &(struct page){.rows = PQgetvalue(result, 0, 0),
                         .len = (size_t)PQgetlength(result, 0, 0),
                         .count = number(result, 1),
                         .total = number(result, 2),
                         .offset = number(result, 3)});
}

static void rest_get(struct route_context *c, const struct rest_query *q)
{
    static const struct pg_statement statement = {
        .name = "rest_select_feedback",
        .sql = "select rows, row_count, total, coalesce(($2::jsonb ->> 'offset')::bigint, 0) "
               "from uplift_chat.rest_select_feedback($1,$2)",
        .params = 2};
    const char *values[2] = {c->request->who.user_text, q->json.data};
    struct api_error error;
    PGresult *result;
    if (!route_query(c, &statement, values, &result, &error, NULL)) {
        rest_fail(c->request, &error, NULL);
        return;
    }
    reply_selected(c, q, result);
    PQclear(result);
}

/* --- changes --- */

/* A row of an answer of which Postgres could not tell more: what was said, and whose it is. */
static char *row_to_come(const struct route_context *c, const struct rest_query *q,
                         const struct feedback *f)
{
    cJSON *row = cJSON_Parse(f->changes), *asked = cJSON_Parse(q->json.data);
    const cJSON *select = cJSON_GetObjectItemCaseSensitive(asked, "select"), *item;
    cJSON *rows = cJSON_CreateArray(), *shown = select != NULL ? cJSON_CreateObject() : row;
    cJSON_AddStringToObject(row, "id", f->answer_id);
    cJSON_AddStringToObject(row, "user_id", c->request->who.user_text);
    cJSON_ArrayForEach (item, select) {
        const char *column = json_string(item, "column"), *as = json_string(item, "as");
        const cJSON *value = cJSON_GetObjectItemCaseSensitive(
            row, strcmp(column, OLD_COMMENT) == 0 ? COMMENT : column);
        cJSON *copy = value != NULL ? cJSON_Duplicate(value, true) : cJSON_CreateNull();
        if (!cJSON_AddItemToObject(shown, as != NULL ? as : column, copy))
            cJSON_Delete(copy);
    }
    if (shown != row)
        cJSON_Delete(row);
    cJSON_AddItemToArray(rows, shown);
    char *text = cJSON_PrintUnformatted(q->one ? shown : rows);
    cJSON_Delete(rows);
    cJSON_Delete(asked);
    return text;
}

static void reply_spooled(struct route_context *c, const struct rest_query *q,
                          const struct feedback *f)
{
    struct page page = {.count = 1, .total = q->count != REST_NO_COUNT ? 1 : -1};
    struct api_error error;
    char *text = NULL;
    if (q->representation) {
        text = row_to_come(c, q, f);
        if (text == NULL) {
            out_of_memory(&error);
            rest_fail(c->request, &error, NULL);
            return;
        }
        page.rows = text;
        page.len = strlen(text);
    }
    reply(c, q, q->representation ? 200 : 204, &page);
    free(text);
}

static void reply_changed(struct route_context *c, const struct rest_query *q,
                          const PGresult *result, const struct feedback *f)
{
    struct api_error error;
    struct page page = {.count = number(result, 1)};
    if (!PQgetisnull(result, 0, 2)) {
        feedback_refused(c, PQgetvalue(result, 0, 2), &error);
        rest_fail(c->request, &error, NULL);
        return;
    }
    if (page.count > 0)
        feedback_count(c, f);
    page.total = q->count != REST_NO_COUNT ? page.count : -1;
    if (q->representation) {
        page.rows = PQgetvalue(result, 0, 0);
        page.len = (size_t)PQgetlength(result, 0, 0);
    }
    reply(c, q, q->representation ? 200 : 204, &page);
}

/* Applies the changes: in Postgres, as they were sent, or as feedback in the spool, where it is
 * clear which answer they are for. */
static void change(struct route_context *c, const struct rest_query *q, const char *sent,
                   const cJSON *changes, const char *text)
{
    static const struct pg_statement statement = {
        .name = "rest_update_feedback",
        .sql = "select rows, row_count, refusal "
               "from uplift_chat.rest_update_feedback($1,$2,$9,$3,$4,$5,$6,$7,$8)",
        .params = FEEDBACK_PARAMS + 1};
    const char *values[FEEDBACK_PARAMS + 1];
    const char *id = rest_query_only_id(q, c->request->who.user_text);
    struct uuid answer = {{0}};
    struct api_error error;
    struct feedback f;
    PGresult *result;
    bool is_known = id != NULL && uuid_parse(id, &answer);
    feedback_accept(c, &answer, text, &f);
    f.issued = f.issued && is_known;
    feedback_values(c, &f, values);
    values[1] = id;
    values[2] = sent;
    values[FEEDBACK_PARAMS] = q->json.data;
    if (route_query(c, &statement, values, &result, &error, NULL)) {
        reply_changed(c, q, result, &f);
        PQclear(result);
    } else if (error.status == 503 && is_known && feedback_check(changes, &error) &&
               feedback_spool(c, &f, &error)) {
        reply_spooled(c, q, &f);
    } else {
        rest_fail(c->request, &error, NULL);
    }
}

/* Who may give feedback and not read it sees no row, and may not find out about rows by asking
 * which of them a filter changes. Guests must know the id of an answer: any other filter would find
 * those of all guests. */
static bool may_change(const struct route_context *c, const struct rest_query *q,
                       struct api_error *error)
{
    if (c->request->who.is_guest && rest_query_only_id(q, c->request->who.user_text) == NULL)
        return api_error(error, 403, "42501", "", "guests share one user: filter by id=eq. alone");
    if ((c->request->who.scopes & SCOPE_READ) != 0)
        return true;
    if (q->representation)
        return api_error(error, 403, "42501", "",
                         "this API key may change feedback and not read it: ask for "
                         "return=minimal");
    return rest_query_only_id(q, c->request->who.user_text) != NULL ||
           api_error(error, 403, "42501", "",
                     "this API key may change feedback and not read it: filter by id=eq. alone");
}

/* Puts what was sent under the deployments' name of feedback_text under this one, as
 * uplift.rest_changes() does. False when memory ran out. */
static bool take_old_name(cJSON *changes)
{
    cJSON *comment = cJSON_DetachItemFromObjectCaseSensitive(changes, OLD_COMMENT);
    bool has_both = cJSON_GetObjectItemCaseSensitive(changes, COMMENT) != NULL;
    if (comment == NULL || (!has_both && cJSON_AddItemToObject(changes, COMMENT, comment)))
        return true;
    cJSON_Delete(comment);
    return has_both;
}

static void rest_patch(struct route_context *c, const struct rest_query *q)
{
    struct api_error error;
    if (!may_change(c, q, &error)) {
        rest_fail(c->request, &error, NULL);
        return;
    }
    cJSON *body = request_json_body(c->request, &error);
    if (body == NULL) {
        rest_fail(c->request, &error, NULL);
        return;
    }
    char *sent = cJSON_PrintUnformatted(body);
    char *text = take_old_name(body) ? cJSON_PrintUnformatted(body) : NULL;
    if (sent != NULL && text != NULL) {
        change(c, q, sent, body, text);
    } else {
        out_of_memory(&error);
        rest_fail(c->request, &error, NULL);
    }
    free(sent);
    free(text);
    cJSON_Delete(body);
}

void route_rest_feedback(struct route_context *c)
{
    struct api_error error;
    struct rest_query query;
    const char *method = c->request->method;
    bool is_change = strcmp(method, "PATCH") == 0;
    if (!is_change && strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0) {
        api_error(&error, 403, "42501", "", "permission denied for table coach_response_feedback");
        rest_fail(c->request, &error, NULL);
        return;
    }
    if (!rest_query_read(&query, c->request, &error)) {
        rest_fail(c->request, &error, NULL);
        return;
    }
    if (is_change)
        rest_patch(c, &query);
    else
        rest_get(c, &query);
    rest_query_release(&query);
}

/* --- memories and predictions --- */

static void reply_written(struct route_context *c, const struct rest_query *q, bool is_new,
                          const PGresult *result)
{
    struct page page = {.count = number(result, 1), .total = -1};
    if (q->count != REST_NO_COUNT)
        page.total = page.count;
    if (q->representation) {
        page.rows = PQgetvalue(result, 0, 0);
        page.len = (size_t)PQgetlength(result, 0, 0);
    }
    reply(c, q, is_new ? 201 : q->representation ? 200 : 204, &page);
}

/* An object, or an array of objects. It ends with the body's NUL. */
static bool rows_body(const struct request *r, struct span *body, struct api_error *error)
{
    struct json_rules rules = {.max_values = REQUEST_VALUES_MAX};
    struct json_error reason;
    return (r->body != NULL && json_check(r->body, r->body_len, &rules, body, &reason)) ||
           api_error(error, 400, "PGRST102", "", "Empty or invalid json");
}

/* The statement is given user, method, query and body. */
static void ask_rows(struct route_context *c, const struct rest_query *q,
                     const struct pg_statement *statement)
{
    const char *method = c->request->method;
    bool is_new = strcmp(method, "POST") == 0, is_change = strcmp(method, "PATCH") == 0;
    bool is_read = !is_new && !is_change && strcmp(method, "DELETE") != 0;
    struct api_error error;
    struct span body = {"null", 4};
    PGresult *result;
    if ((is_new || is_change) && !rows_body(c->request, &body, &error)) {
        rest_fail(c->request, &error, NULL);
        return;
    }
    const char *values[4] = {c->request->who.user_text, method, q->json.data, body.at};
    if (!route_query(c, statement, values, &result, &error, NULL)) {
        rest_fail(c->request, &error, NULL);
        return;
    }
    if (is_read)
        reply_selected(c, q, result);
    else
        reply_written(c, q, is_new, result);
    PQclear(result);
}

static void rest_rows(struct route_context *c, const struct pg_statement *statement)
{
    struct api_error error;
    struct rest_query query;
    if (!rest_query_read(&query, c->request, &error)) {
        rest_fail(c->request, &error, NULL);
        return;
    }
    /* Who may write rows and not read them is not shown any, nor finds out by filters. */
    if ((c->request->who.scopes & SCOPE_READ) == 0 &&
        (query.representation || (strcmp(c->request->method, "POST") != 0 &&
                                  rest_query_only_id(&query, c->request->who.user_text) == NULL))) {
        api_error(&error, 403, "42501", "",
                  "this API key may write rows and not read them: filter by id=eq. alone, and "
                  "ask for return=minimal");
        rest_fail(c->request, &error, NULL);
    } else {
        ask_rows(c, &query, statement);
    }
    rest_query_release(&query);
}

void route_rest_memories(struct route_context *c)
{
    static const struct pg_statement statement = {
        .name = "rest_memories",
        .sql = "select rows, row_count, total, coalesce(($3::jsonb ->> 'offset')::bigint, 0) "
               "from uplift_chat.rest_memories($1,$2,$3,$4)",
        .params = 4};
    rest_rows(c, &statement);
}

void route_rest_predictions(struct route_context *c)
{
    static const struct pg_statement statement = {
        .name = "rest_predictions",
        .sql = "select rows, row_count, total, coalesce(($3::jsonb ->> 'offset')::bigint, 0) "
               "from uplift_chat.rest_predictions($1,$2,$3,$4)",
        .params = 4};
    rest_rows(c, &statement);
}
