/* One FastCGI request: reading parameters, building response heads, answering and ending it. */
#include "request.h"

#include "clock.h"
#include "log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define HEAD_MAX (16 * 1024)
#define ASKED_HEADERS_MAX 4096 /* bytes of the names that a preflight asks for */
#define SMALL_BODY_BYTES 65536 /* up to here a body is taken whatever others hold */
/* A body is held, and what is made of it: what goes to the provider, and what is recorded. */
#define BODY_COPIES 4
#define RETRY_AFTER_FULL_MS 1000

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

/* --- the body --- */

/* Room for a large body. One that finds nobody else there gets it, however large it is. */
static bool hold(struct request *r, size_t bytes)
{
    struct request_memory *m = r->memory;
    size_t before = atomic_load(&m->held);
    do {
        if (before > 0 && (before > m->max || bytes > m->max - before))
            return false;
    } while (!atomic_compare_exchange_weak(&m->held, &before, before + bytes));
    r->held = bytes;
    return true;
}

void request_hold_less(struct request *r, size_t bytes)
{
    if (bytes >= r->held)
        return;
    atomic_fetch_sub(&r->memory->held, r->held - bytes);
    r->held = bytes;
}

static bool read_announced(struct request *r, size_t len, struct api_error *error)
{
    r->body = malloc(len + 1);
    if (r->body == NULL)
        return api_error_no_memory(error);
    while (r->body_len < len) {
        int n = FCGX_GetStr(r->body + r->body_len, (int)(len - r->body_len), r->fcgi.in);
        if (n <= 0)
            return api_error(error, 400, "incomplete_body", "",
                             "the request body ended after %zu of %zu bytes", r->body_len, len);
        r->body_len += (size_t)n;
    }
    r->body[r->body_len] = '\0';
    return true;
}

/* nginx takes an answer that comes while it still sends for a failure of ours, and tells the client
 * 502: what is sent is read to its end, whether it is wanted or not. */
static void read_rest(struct request *r)
{
    char rest[8192];
    while (FCGX_GetStr(rest, sizeof rest, r->fcgi.in) > 0)
        continue;
}

bool request_read_body(struct request *r, int64_t max, struct api_error *error)
{
    const char *announced = request_param(r, "CONTENT_LENGTH");
    char *end;
    errno = 0;
    if (announced == NULL || *announced == '\0')
        announced = "0";
    long long len = strtoll(announced, &end, 10);
    if (errno != 0 || *end != '\0' || len < 0)
        return api_error(error, 400, "invalid_content_length", "",
                         "Content-Length is not a number");
    if (len > max)
        return api_error(error, 413, "request_too_large", "",
                         "the request body has %lld bytes; at most %lld are taken here", len,
                         (long long)max);
    if (len > SMALL_BODY_BYTES && !hold(r, BODY_COPIES * (size_t)len)) {
        api_error(error, 503, "overloaded", "",
                  "too many large requests are being read; try again shortly");
        error->retry_after_ms = RETRY_AFTER_FULL_MS;
        return false;
    }
    bool good = len == 0 || read_announced(r, (size_t)len, error);
    read_rest(r); /* the end of it, after which the connection is watched for its client's going */
    return good;
}

/* --- answers --- */

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
    read_rest(r);
    bool good = request_head(r, &head, status, content_type, extra);
    if (good && head.len <= INT32_MAX && len <= INT32_MAX) {
        FCGX_PutStr(head.data, (int)head.len, r->fcgi.out);
        if (len > 0 && strcmp(r->method, "HEAD") != 0)
            FCGX_PutStr(body, (int)len, r->fcgi.out);
    }
    buf_release(&head);
    request_finish(r);
}

bool request_put(struct request *r, const void *data, size_t len)
{
    return len == 0 || (len <= INT32_MAX && FCGX_PutStr(data, (int)len, r->fcgi.out) == (int)len);
}

bool request_begin(struct request *r, const char *content_type, const char *extra)
{
    struct buf head;
    buf_init(&head, HEAD_MAX);
    bool good =
        request_head(r, &head, 200, content_type, extra) && request_put(r, head.data, head.len);
    buf_release(&head);
    return good;
}

bool request_begin_stream(struct request *r, const char *extra)
{
    return request_begin(r, "text/event-stream", extra) && FCGX_FFlush(r->fcgi.out) == 0;
}

static void release(struct request *r)
{
    request_hold_less(r, 0);
    free(r->body);
    free(r);
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
    release(r);
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
    snprintf(r->facts.code, sizeof r->facts.code, "%s", error->code);
    if (error->status >= 500)
        log_traced(LOG_WARN, r->request_id, r->trace_id, "%s %s: %d %s", r->method, r->path,
                   error->status, error->code);
    api_error_json(&body, error);
    request_reply(r, error->status, "application/json", headers.data, body.data, body.len);
    buf_release(&headers);
    buf_release(&body);
}

bool request_json(const struct request *r, bool any_number, struct span *object,
                  struct api_error *error)
{
    struct json_rules rules = {.max_values = REQUEST_VALUES_MAX, .any_number = any_number};
    struct json_error reason;
    if (r->body == NULL)
        return api_error(error, 400, "empty_body", "",
                         "the request has no body; a JSON object is expected");
    if (!json_check(r->body, r->body_len, &rules, object, &reason))
        return api_error(error, 400, "invalid_json", reason.param,
                         "the request body cannot be read as JSON: %s", reason.message);
    return scan_is_object(*object) ||
           api_error(error, 400, "invalid_json", "", "the request body is not a JSON object");
}

cJSON *request_json_body(const struct request *r, struct api_error *error)
{
    struct span object;
    if (!request_json(r, false, &object, error))
        return NULL;
    cJSON *body = cJSON_ParseWithLength(object.at, object.len);
    if (body == NULL)
        api_error_no_memory(error);
    return body;
}

bool request_can_keep(const struct request *r)
{
    return r->keep != NULL && r->fcgi.keepConnection &&
           (r->fcgi.in == NULL || (FCGX_HasSeenEOF(r->fcgi.in) && FCGX_GetError(r->fcgi.in) == 0));
}

void request_finish(struct request *r)
{
    if (r->on_finish != NULL)
        r->on_finish(r->on_finish_arg, r);
    r->fcgi.keepConnection = request_can_keep(r);
    FCGX_Finish_r(&r->fcgi); /* closes the connection where it is not kept, or was broken */
    if (r->fcgi.ipcFd >= 0)
        r->keep(r->keep_arg, r->fcgi.ipcFd);
    release(r);
}

void request_abort(struct request *r)
{
    if (r->on_finish != NULL)
        r->on_finish(r->on_finish_arg, r);
    FCGX_Free(&r->fcgi, 1); /* without the record that ends a request */
    release(r);
}
