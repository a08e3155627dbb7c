/* Calls of an HTTP API by libcurl. */
#include "http.h"

#include "json.h"
#include "outbound.h"
#include "utf8.h"

#include <curl/curl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define BODY_MAX ((size_t)8 << 20)
#define RETRY_AFTER_MAX_S 3600 /* whoever asks for more is asked again all the same */

static size_t take_body(char *data, size_t size, size_t count, void *arg)
{
    struct buf *body = arg;
    return buf_append(body, data, size * count) ? size * count : 0;
}

static int look(void *arg, curl_off_t dt, curl_off_t d, curl_off_t ut, curl_off_t u)
{
    const struct http_server *server = arg;
    bool goes_on = server->goes_on == NULL || server->goes_on(server->goes_on_arg);
    (void)dt, (void)d, (void)ut, (void)u;
    return goes_on ? 0 : 1; /* other than 0 ends the transfer */
}

/* The header that carries the key, in whichever form the server wants it. */
static struct curl_slist *add_key(struct curl_slist *list, const struct http_server *server)
{
    struct buf line;
    struct curl_slist *longer = list;
    if (server->key == NULL)
        return list;
    buf_init(&line, 16384);
    bool bearer = strcasecmp(server->key_header, "Authorization") == 0;
    if (buf_printf(&line, "%s: %s%s", server->key_header, bearer ? "Bearer " : "", server->key))
        longer = curl_slist_append(list, line.data);
    if (line.data != NULL)
        explicit_bzero(line.data, line.len);
    buf_release(&line);
    return longer;
}

static void set_limits(CURL *curl, const struct http_server *server, bool is_upload)
{
    const struct config *config = server->config;
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "uplift/" UPLIFT_VERSION);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)config->connect_timeout_ms);
    if (is_upload) {
        curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
        curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME,
                         (long)(config->trainer_timeout_ms + 999) / 1000);
    } else {
        curl_easy_setopt(
            curl, CURLOPT_TIMEOUT_MS,
            (long)(server->timeout_ms > 0 ? server->timeout_ms : config->trainer_timeout_ms));
    }
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, look);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, (void *)server);
}

static curl_mime *make_form(CURL *curl, const struct http_upload *upload)
{
    curl_mime *form = curl_mime_init(curl);
    curl_mimepart *part = form != NULL ? curl_mime_addpart(form) : NULL;
    if (part == NULL)
        return form;
    curl_mime_name(part, "purpose");
    curl_mime_data(part, upload->purpose, CURL_ZERO_TERMINATED);
    part = curl_mime_addpart(form);
    if (part == NULL)
        return form;
    curl_mime_name(part, "file");
    curl_mime_filedata(part, upload->path);
    curl_mime_filename(part, upload->name);
    curl_mime_type(part, "application/jsonl");
    return form;
}

/* method: NULL for what body and upload make of it. */
static enum http_outcome perform(const struct http_server *server, const char *method,
                                 const char *path, const char *body,
                                 const struct http_upload *upload, struct http_answer *answer)
{
    char url[2048], reason[CURL_ERROR_SIZE] = "";
    curl_off_t retry_after = 0;
    curl_mime *form = NULL;
    CURLcode code = CURLE_OUT_OF_MEMORY;
    memset(answer, 0, sizeof *answer);
    buf_init(&answer->body, BODY_MAX);
    CURL *curl = outbound_new(server->config->ca_bundle, server->config);
    struct curl_slist *headers = curl_slist_append(NULL, "Accept: application/json");
    if (curl == NULL || headers == NULL)
        goto out;
    headers = add_key(headers, server);
    snprintf(url, sizeof url, "%s%s", server->base_url, path);
    set_limits(curl, server, upload != NULL);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, reason);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answer->body);
    if (upload != NULL) {
        form = make_form(curl, upload);
        curl_easy_setopt(curl, CURLOPT_MIMEPOST, form);
    } else if (body != NULL) {
        headers = curl_slist_append(headers, "Content-Type: application/json");
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
    }
    if (method != NULL)
        curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    code = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer->status);
    curl_easy_getinfo(curl, CURLINFO_RETRY_AFTER, &retry_after);
    answer->retry_after_ms =
        (int64_t)(retry_after < RETRY_AFTER_MAX_S ? retry_after : RETRY_AFTER_MAX_S) * 1000;
    if (code == CURLE_OK && answer->body.len > 0) {
        struct json_error wrong;
        answer->json = json_parse(answer->body.data, answer->body.len, &wrong);
    }
out:
    answer->is_late = code == CURLE_OPERATION_TIMEDOUT;
    if (code != CURLE_OK)
        utf8_print(answer->reason, sizeof answer->reason, "%s",
                   answer->body.failed ? "its answer is too large"
                   : *reason != '\0'   ? reason
                                       : curl_easy_strerror(code));
    curl_mime_free(form);
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    if (code == CURLE_ABORTED_BY_CALLBACK)
        return HTTP_STOPPED;
    return code == CURLE_OK ? HTTP_ANSWERED : HTTP_FAILED;
}

enum http_outcome http_call(const struct http_server *server, const char *path, const char *body,
                            const struct http_upload *upload, struct http_answer *answer)
{
    return perform(server, NULL, path, body, upload, answer);
}

enum http_outcome http_delete(const struct http_server *server, const char *path,
                              struct http_answer *answer)
{
    return perform(server, "DELETE", path, NULL, NULL, answer);
}

void http_release(struct http_answer *answer)
{
    buf_release(&answer->body);
    cJSON_Delete(answer->json);
    answer->json = NULL;
}
