/* One FastCGI request: reading parameters, building response heads, answering and ending it. */
#include "request.h"

#include "clock.h"
#include "log.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define HEAD_MAX (16 * 1024)
#define ASKED_HEADERS_MAX 4096 /* bytes of the names that a preflight asks for */

static const char cors_response_headers[] =
    "x-request-id, x-feedback-id, x-conversation-id, x-coach-id, x-uplift-degraded, "
    "x-uplift-cache, retry-after, "
    "retry-after-ms, "
    "x-should-retry, content-range, x-ratelimit-limit-requests, x-ratelimit-remaining-requests, "
    "x-ratelimit-reset-requests, x-ratelimit-limit-tokens, x-ratelimit-remaining-tokens, "
    "x-ratelimit-reset-tokens";

const char *request_param(const struct request *r, const char *name)
{
    return FCGX_GetParam(name, r->fcgi.envp);
}

static bool are_hex(const char *text, size_t len)
{
    return strspn(text, "0123456789abcdef") >= len;
}

void request_read_trace(struct request *r, const char *traceparent)
{
    /* version-trace_id-parent_id-flags; later versions may have more behind another hyphen. */
    static const char none[] = "00000000000000000000000000000000";
    const char *t = traceparent;
    if (t == NULL || strlen(t) < 55 || !are_hex(t, 2) || t[2] != '-' || !are_hex(t + 3, 32) ||
        t[35] != '-' || !are_hex(t + 36, 16) || t[52] != '-' || !are_hex(t + 53, 2))
        return;
    bool is_first = strncmp(t, "00", 2) == 0;
    if (strncmp(t, "ff", 2) == 0 || (t[55] != '\0' && (is_first || t[55] != '-')) ||
        strncmp(t + 3, none, 32) == 0 || strncmp(t + 36, none, 16) == 0)
        return;
    memcpy(r->trace_id, t + 3, TRACE_ID_TEXT);
    r->trace_id[TRACE_ID_TEXT] = '\0';
    memcpy(r->trace_flags, t + 53, 2);
    r->trace_flags[2] = '\0';
}

/* Whether origin stands in the comma list of configured origins, or the list is "*". */
static bool origin_allowed(const char *list, const char *origin)
{
    if (list == NULL || origin == NULL)
        return false;
    size_t len = strlen(origin);
    for (const char *p = list; *p != '\0';) {
        p += strspn(p, ", ");
        size_t n = strcspn(p, ", ");
        if ((n == 1 && *p == '*') || (n == len && strncasecmp(p, origin, n) == 0))
            return true;
        p += n;
    }
    return false;
}

/* What a preflight asks to be allowed to send, "" where that is no list of header names. Pages of a
 * configured origin may send any: what a header means is for the routes to say. */
static const char *asked_headers(const struct request *r)
{
    static const char list[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                               "!#$%&'*+-.^_`|~, \t";
    const char *asked = request_param(r, "HTTP_ACCESS_CONTROL_REQUEST_HEADERS");
    return asked != NULL && strlen(asked) <= ASKED_HEADERS_MAX &&
                   strspn(asked, list) == strlen(asked)
               ? asked
               : "";
}

static bool cors_head(const struct request *r, struct buf *out)
{
    bool is_preflight = strcmp(r->method, "OPTIONS") == 0;
    if (r->config->cors_origins == NULL)
        return true;
    buf_puts(out, is_preflight ? "Vary: Origin, Access-Control-Request-Method, "
                                 "Access-Control-Request-Headers\r\n"
                               : "Vary: Origin\r\n");
    if (!origin_allowed(r->config->cors_origins, r->origin))
        return !out->failed;
    buf_printf(out, "Access-Control-Allow-Origin: %s\r\n", r->origin);
    if (is_preflight) {
        buf_puts(out,
                 "Access-Control-Allow-Methods: GET, POST, PUT, PATCH, DELETE, HEAD, OPTIONS\r\n"
                 "Access-Control-Max-Age: 86400\r\n");
        if (*asked_headers(r) != '\0')
            buf_printf(out, "Access-Control-Allow-Headers: %s\r\n", asked_headers(r));
    }
    return buf_printf(out, "Access-Control-Expose-Headers: %s\r\n", cors_response_headers);
}

bool request_head(struct request *r, struct buf *out, int status, const char *content_type,
                  const char *extra)
{
    r->status = status;
    buf_printf(out, "Status: %d %s\r\nX-Request-Id: %s\r\nCache-Control: no-store\r\n", status,
               api_status_text(status), r->request_id);
    if (content_type != NULL)
        buf_printf(out, "Content-Type: %s\r\n", content_type);
    cors_head(r, out);
    if (extra != NULL)
        buf_puts(out, extra);
    return buf_puts(out, "\r\n");
}

void request_reply(struct request *r, int status, const char *content_type, const char *extra,
                   const char *body, size_t len)
{
    struct buf head;
    buf_init(&head, HEAD_MAX);
    bool good = request_head(r, &head, status, content_type, extra);
    if (good && head.len <= INT32_MAX && len <= INT32_MAX) {
        FCGX_PutStr(head.data, (int)head.len, r->fcgi.out);
        if (len > 0 && strcmp(r->method, "HEAD") != 0)
            FCGX_PutStr(body, (int)len, r->fcgi.out);
    }
    buf_release(&head);
    request_finish(r);
}

bool request_begin_stream(struct request *r, const char *extra)
{
    struct buf head;
    buf_init(&head, HEAD_MAX);
    bool good = request_head(r, &head, 200, "text/event-stream", extra) && head.len <= INT32_MAX &&
                FCGX_PutStr(head.data, (int)head.len, r->fcgi.out) == (int)head.len &&
                FCGX_FFlush(r->fcgi.out) == 0;
    buf_release(&head);
    return good;
}

void request_forget(struct request *r)
{
    if (r->on_finish != NULL)
        r->on_finish(r->on_finish_arg, r);
    FCGX_FreeStream(&r->fcgi.in);
    FCGX_FreeStream(&r->fcgi.out);
    FCGX_FreeStream(&r->fcgi.err);
    r->fcgi.ipcFd = -1;
    FCGX_Free(&r->fcgi, 0);
    free(r->body);
    free(r);
}

void request_fail(struct request *r, const struct api_error *error, const char *extra)
{
    struct buf headers, body;
    buf_init(&headers, HEAD_MAX);
    buf_init(&body, HEAD_MAX);
    if (extra != NULL)
        buf_puts(&headers, extra);
    if (error->retry_after_ms > 0)
        buf_printf(&headers, "Retry-After: %lld\r\nretry-after-ms: %lld\r\n",
                   (long long)((error->retry_after_ms + 999) / 1000),
                   (long long)error->retry_after_ms);
    if (error->status >= 500)
        log_traced(LOG_WARN, r->request_id, r->trace_id, "%s %s: %d %s", r->method, r->path,
                   error->status, error->code);
    api_error_json(&body, error);
    request_reply(r, error->status, "application/json", headers.data, body.data, body.len);
    buf_release(&headers);
    buf_release(&body);
}

cJSON *request_json_body(const struct request *r, struct api_error *error)
{
    struct json_error reason;
    if (r->body == NULL) {
        api_error(error, 400, "empty_body", "",
                  "the request has no body; a JSON object is expected");
        return NULL;
    }
    cJSON *body = json_parse(r->body, r->body_len, &reason);
    if (body == NULL) {
        api_error(error, 400, "invalid_json", reason.param,
                  "the request body cannot be read as JSON: %s", reason.message);
        return NULL;
    }
    if (!cJSON_IsObject(body)) {
        api_error(error, 400, "invalid_json", "", "the request body is not a JSON object");
        cJSON_Delete(body);
        return NULL;
    }
    return body;
}

void request_finish(struct request *r)
{
    if (r->on_finish != NULL)
        r->on_finish(r->on_finish_arg, r);
    FCGX_Finish_r(&r->fcgi);
    free(r->body);
    free(r);
}

void request_abort(struct request *r)
{
    if (r->on_finish != NULL)
        r->on_finish(r->on_finish_arg, r);
    FCGX_Free(&r->fcgi, 1); /* without the record that ends a request */
    free(r->body);
    free(r);
}
