/* Whole answers of the simulator: JSON, errors in OpenAI's shape, and the heads they begin with. */
#include "reply.h"

#include "common/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define HEAD_MAX 4096

void random_id(char *out, size_t n)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    unsigned char bytes[64];
    size_t len = n - 1 < sizeof bytes ? n - 1 : sizeof bytes;
    if (getrandom(bytes, len, 0) != (ssize_t)len)
        abort(); /* never for so few bytes once the kernel is up */
    for (size_t i = 0; i < len; i++)
        out[i] = letters[bytes[i] % (sizeof letters - 1)];
    out[len] = '\0';
}

bool reply_head(struct buf *out, int status, const char *content_type, const char *extra)
{
    char id[25];
    random_id(id, sizeof id);
    buf_printf(out, "Status: %d %s\r\nContent-Type: %s\r\n", status, api_status_text(status),
               content_type);
    buf_printf(out, "X-Simulated: 1\r\nX-Request-Id: req_sim_%s\r\nCache-Control: no-store\r\n",
               id);
    return buf_printf(out, "%s\r\n", extra ? extra : "");
}

void reply_bytes(struct fastcgi_request *r, int status, const char *content_type, const char *extra,
                 const char *body, size_t len)
{
    struct buf head;
    buf_init(&head, HEAD_MAX);
    bool ok = reply_head(&head, status, content_type, extra) && buf_reserve(&head, 0) &&
              fastcgi_send(r, head.data, head.len) && fastcgi_send(r, body, len);
    buf_release(&head);
    if (ok)
        fastcgi_end(r);
}

void reply_json(struct fastcgi_request *r, int status, cJSON *body)
{
    char *text = cJSON_PrintUnformatted(body);
    cJSON_Delete(body);
    if (text == NULL) {
        reply_fail(r, 500, NULL, NULL, "the simulator is out of memory");
        return;
    }
    reply_bytes(r, status, "application/json", NULL, text, strlen(text));
    cJSON_free(text);
}

void reply_error(struct fastcgi_request *r, const struct api_error *error)
{
    struct buf body;
    char retry[96] = "";
    buf_init(&body, 8192);
    if (error->retry_after_ms % 1000)
        snprintf(retry, sizeof retry, "Retry-After-Ms: %lld\r\n", (long long)error->retry_after_ms);
    else if (error->retry_after_ms)
        snprintf(retry, sizeof retry, "Retry-After: %lld\r\n",
                 (long long)error->retry_after_ms / 1000);
    api_error_json(&body, error);
    reply_bytes(r, error->status, "application/json", retry, body.data, body.len);
    buf_release(&body);
}

void reply_fail(struct fastcgi_request *r, int status, const char *code, const char *param,
                const char *format, ...)
{
    struct api_error error;
    char message[sizeof error.message];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    api_error(&error, status, code, param, "%s", message);
    reply_error(r, &error);
}

void reply_reset(struct fastcgi_request *r)
{
    /* nginx makes a 502 of a FastCGI connection that breaks. Where its configuration names a
     * location that closes the client's connection instead, go there. */
    const char *location = fastcgi_param(r, "UPLIFT_SIM_RESET");
    char head[256];
    if (location && location[0] && strlen(location) < 128) {
        int n = snprintf(head, sizeof head, "X-Accel-Redirect: %s\r\n\r\n", location);
        if (fastcgi_send(r, head, (size_t)n))
            fastcgi_end(r);
    } else {
        fastcgi_cut(r);
    }
}

cJSON *reply_read_object(struct fastcgi_request *r)
{
    struct json_error error;
    cJSON *body = json_parse(r->body.data ? r->body.data : "", r->body.len, &error);
    if (body == NULL) {
        reply_fail(r, 400, NULL, error.param, "the body is not valid JSON: %s", error.message);
        return NULL;
    }
    if (!cJSON_IsObject(body)) {
        cJSON_Delete(body);
        reply_fail(r, 400, NULL, NULL, "the body must be a JSON object");
        return NULL;
    }
    return body;
}
