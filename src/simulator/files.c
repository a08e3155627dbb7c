/* /v1/files: upload, list, get, content, delete. */
#include "files.h"

#include "common/json.h"
#include "common/multipart.h"
#include "common/query.h"
#include "reply.h"
#include "store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static bool known_purpose(const char *purpose)
{
    static const char *const known[] = {"assistants", "batch",     "fine-tune",
                                        "vision",     "user_data", "evals"};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strcmp(known[i], purpose) == 0)
            return true;
    return false;
}

/* Stores bytes as a new file and returns its object (the caller's), or NULL when that fails. */
static cJSON *file_create(const char *filename, const char *purpose, const char *bytes, size_t len)
{
    char id[30] = "file-";
    random_id(id + 5, 23);
    cJSON *file = cJSON_CreateObject();
    cJSON_AddStringToObject(file, "id", id);
    cJSON_AddStringToObject(file, "object", "file");
    cJSON_AddNumberToObject(file, "bytes", (double)len);
    cJSON_AddNumberToObject(file, "created_at", (double)time(NULL));
    cJSON_AddNullToObject(file, "expires_at");
    cJSON_AddStringToObject(file, "filename", filename);
    cJSON_AddStringToObject(file, "purpose", purpose);
    cJSON_AddStringToObject(file, "status", "processed");
    cJSON_AddNullToObject(file, "status_details");
    /* The data first: an object that can be seen has its content. */
    if (!store_put_data(id, bytes, len) || !store_put("files", id, file)) {
        cJSON_Delete(file);
        return NULL;
    }
    return file;
}

/* Copies a part's content as text. False when it does not fit or is not UTF-8. */
static bool part_text(const struct part *part, char *out, size_t size)
{
    if (part->len >= size || !json_utf8_valid(part->bytes, part->len))
        return false;
    memcpy(out, part->bytes, part->len);
    out[part->len] = '\0';
    return true;
}

static bool set_expiry(cJSON *file, const struct part *seconds, struct api_error *error)
{
    char text[24];
    long s = part_text(seconds, text, sizeof text) ? strtol(text, NULL, 10) : 0;
    if (s < 3600 || s > 2592000)
        return api_error(error, 400, "invalid_value", "expires_after",
                         "'expires_after[seconds]' must be from 3600 to 2592000");
    cJSON_ReplaceItemInObjectCaseSensitive(file, "expires_at",
                                           cJSON_CreateNumber((double)(time(NULL) + s)));
    return store_put("files", json_string(file, "id"), file) ||
           api_error(error, 500, NULL, NULL, "the file could not be stored");
}

void files_post(struct fastcgi_request *r)
{
    struct part file, purpose, seconds;
    char purpose_text[32];
    struct api_error error;
    const char *type = fastcgi_param(r, "CONTENT_TYPE");
    const struct span body = {r->body.data, r->body.len};
    if (!multipart_find(type, body, "file", &file) || file.filename[0] == '\0') {
        reply_fail(r, 400, "missing_required_parameter", "file",
                   "the body must be multipart/form-data with a 'file'");
        return;
    }
    if (!multipart_find(type, body, "purpose", &purpose) ||
        !part_text(&purpose, purpose_text, sizeof purpose_text) || !known_purpose(purpose_text)) {
        reply_fail(r, 400, "invalid_value", "purpose",
                   "'purpose' must be one of assistants, batch, fine-tune, vision, user_data, "
                   "evals");
        return;
    }
    size_t name = strlen(file.filename);
    if (strcmp(purpose_text, "fine-tune") == 0 &&
        (name < 6 || strcmp(file.filename + name - 6, ".jsonl") != 0)) {
        reply_fail(r, 400, "invalid_file_format", "file",
                   "a file for fine-tune must be named *.jsonl");
        return;
    }
    if (file.len == 0) {
        reply_fail(r, 400, "invalid_file", "file", "the file is empty");
        return;
    }
    cJSON *object = file_create(file.filename, purpose_text, file.bytes, file.len);
    if (object == NULL) {
        reply_fail(r, 500, NULL, NULL, "the file could not be stored");
    } else if (multipart_find(type, body, "expires_after[seconds]", &seconds) &&
               !set_expiry(object, &seconds, &error)) {
        store_delete("files", json_string(object, "id"));
        cJSON_Delete(object);
        reply_error(r, &error);
    } else {
        reply_json(r, 200, object);
    }
}

cJSON *list_page(cJSON *all, const char *query, int default_limit)
{
    struct query q = {.count = 0};
    cJSON *page = cJSON_CreateObject(), *data = cJSON_AddArrayToObject(page, "data");
    if (!query_parse(&q, query))
        q.count = 0;
    const char *after = query_get(&q, "after"), *limit_text = query_get(&q, "limit");
    const char *purpose = query_get(&q, "purpose");
    long limit = limit_text ? strtol(limit_text, NULL, 10) : default_limit;
    bool past = after == NULL, more = false;
    while (all && all->child) {
        cJSON *item = cJSON_DetachItemFromArray(all, 0);
        const char *id = json_string(item, "id"), *its = json_string(item, "purpose");
        bool wanted = past && (purpose == NULL || (its && strcmp(its, purpose) == 0));
        if (after && id && strcmp(id, after) == 0)
            past = true;
        if (wanted && cJSON_GetArraySize(data) < limit) {
            cJSON_AddItemToArray(data, item);
        } else {
            more = more || wanted;
            cJSON_Delete(item);
        }
    }
    cJSON_Delete(all);
    int n = cJSON_GetArraySize(data);
    cJSON_AddStringToObject(page, "object", "list");
    cJSON_AddBoolToObject(page, "has_more", more);
    if (n > 0) {
        cJSON_AddStringToObject(page, "first_id", json_string(data->child, "id"));
        cJSON_AddStringToObject(page, "last_id",
                                json_string(cJSON_GetArrayItem(data, n - 1), "id"));
    }
    query_release(&q);
    return page;
}

void files_list(struct fastcgi_request *r, const char *query)
{
    reply_json(r, 200, list_page(store_list("files"), query, 10000));
}

static void not_found(struct fastcgi_request *r, const char *id)
{
    reply_fail(r, 404, NULL, "id", "no such file object: %.60s", id);
}

void files_get(struct fastcgi_request *r, const char *id)
{
    cJSON *file = store_get("files", id);
    if (file)
        reply_json(r, 200, file);
    else
        not_found(r, id);
}

void files_content(struct fastcgi_request *r, const char *id)
{
    struct buf content;
    buf_init(&content, FASTCGI_BODY_MAX);
    if (store_get_data(id, &content))
        reply_bytes(r, 200, "application/octet-stream", NULL, content.data, content.len);
    else
        not_found(r, id);
    buf_release(&content);
}

void files_delete(struct fastcgi_request *r, const char *id)
{
    if (!store_delete("files", id)) {
        not_found(r, id);
        return;
    }
    cJSON *gone = cJSON_CreateObject();
    cJSON_AddStringToObject(gone, "id", id);
    cJSON_AddStringToObject(gone, "object", "file");
    cJSON_AddTrueToObject(gone, "deleted");
    reply_json(r, 200, gone);
}
