/* POST /admin/knowledge: a document, as text, Markdown or HTML. */
#include "knowledge/document.h"
#include "routes.h"

#include "common/json.h"

#include <string.h>

#define CONTENT_MAX ((size_t)7 << 20) /* bytes of a document as it is sent */

static bool read_document(struct document *d, const char *text, const char *format,
                          struct api_error *error)
{
    enum document_format f = document_format_of_word(format);
    if (f == DOCUMENT_UNKNOWN || f == DOCUMENT_PDF)
        return api_error(error, 400, "invalid_format", "format",
                         "format must be text, markdown or html");
    bool good = f == DOCUMENT_HTML ? document_read_html(d, text, strlen(text))
                                   : document_read_text(d, text, strlen(text), f);
    return good || api_error(error, 400, "invalid_content", "content", "content: %s", d->reason);
}

/* What it says of itself, without its content and with its title, as JSON text; the caller's. */
static char *facts_of(const cJSON *body, const struct document *d)
{
    cJSON *facts = cJSON_Duplicate(body, true);
    cJSON_DeleteItemFromObjectCaseSensitive(facts, "content");
    if (cJSON_GetObjectItemCaseSensitive(facts, "title") == NULL && *d->title != '\0')
        cJSON_AddStringToObject(facts, "title", d->title);
    char *text = cJSON_PrintUnformatted(facts);
    cJSON_Delete(facts);
    return text;
}

void route_post_knowledge(struct admin_call *c)
{
    static const struct pg_statement create = {
        .name = "admin_create_knowledge",
        .sql = "select uplift_batch.admin_create_knowledge($1, $2)",
        .params = 2};
    struct api_error error;
    struct document document;
    char *facts = NULL;
    document_init(&document);
    cJSON *body = request_json_body(c->request, &error);
    const char *content = json_string(body, "content");
    const char *format = json_string(body, "format");
    bool good = body != NULL;
    if (good && (content == NULL || strlen(content) > CONTENT_MAX))
        good = api_error(&error, 400, "invalid_content", "content",
                         "content must be a text of at most %zu bytes", CONTENT_MAX);
    if (good && format == NULL)
        good = !cJSON_HasObjectItem(body, "format") ||
               api_error(&error, 400, "invalid_format", "format",
                         "format must be text, markdown or html");
    good = good && read_document(&document, content, format != NULL ? format : "markdown", &error);
    if (good && (facts = facts_of(body, &document)) == NULL)
        good = api_error_no_memory(&error);
    cJSON_Delete(body);
    if (good)
        admin_reply_query(c, &create, (const char *[]){facts, document.content.data}, 201);
    else
        request_fail(c->request, &error, NULL);
    cJSON_free(facts);
    document_release(&document);
}
