/* Calls of a provider's chat completions; see upstream.h. */
#include "upstream.h"

#include "common/clock.h"
#include "common/json_scan.h"
#include "common/log.h"
#include "common/outbound.h"
#include "common/uuid.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define RETRY_AFTER_MAX_MS 3600000.0 /* what a client may be told to wait at most */
#define RECEIVE_BYTES 4096L          /* curl's buffer: one an open chat */
#define IDLE_MAX 1024                /* calls kept to be used again */
#define LINGER_MS 1000
#define ERROR_BODY_MAX (64 * 1024)
#define PENDING_MAX (64 * 1024) /* of an event that is looked at before its end */
#define ID_HEADER "X-Client-Request-Id: "
#define TRACE_HEADER "traceparent: "
#define TRACEPARENT_TEXT 55

enum body_kind { BODY_UNKNOWN, BODY_EVENTS, BODY_WHOLE };

struct upstream {
    struct upstreams *all;
    CURL *easy;
    struct upstream_owner owner; /* on_end NULL: nobody's */
    int64_t provider;            /* serial of the one the handle is set up for; 0: none yet */
    struct curl_slist id_header; /* in front of the provider's headers */
    char id_text[sizeof ID_HEADER + UUID_TEXT];
    struct curl_slist trace_header; /* between the two, where there is a trace */
    char trace_text[sizeof TRACE_HEADER + TRACEPARENT_TEXT];
    size_t request_len;
    bool in_callback; /* curl is on the stack: the transfer cannot be taken out now */
    bool is_cancelled;
    enum body_kind kind;
    enum upstream_end failure; /* why a callback stopped the transfer */
    long status;
    struct sse_parser events;
    struct buf body;
    int64_t let_go_ms;
    struct upstream *next, **link; /* in idle or lingering */
};

/* --- lists --- */

static void list_push(struct upstream **list, struct upstream *call)
{
    call->next = *list;
    call->link = list;
    if (call->next != NULL)
        call->next->link = &call->next;
    *list = call;
}

static void list_remove(struct upstream *call)
{
    if (call->link == NULL)
        return;
    *call->link = call->next;
    if (call->next != NULL)
        call->next->link = call->link;
    call->link = NULL;
    call->next = NULL;
}

static void destroy(struct upstream *call)
{
    curl_easy_cleanup(call->easy);
    sse_release(&call->events);
    buf_release(&call->body);
    free(call);
}

static void recycle(struct upstream *call)
{
    struct upstreams *u = call->all;
    list_remove(call);
    call->owner = (struct upstream_owner){0};
    sse_release(&call->events);
    buf_release(&call->body);
    if (u->idle_count >= IDLE_MAX) {
        destroy(call);
        return;
    }
    list_push(&u->idle, call);
    u->idle_count++;
}

/* --- what comes --- */

static bool on_event(void *arg, const char *event, const char *data, size_t len)
{
    struct upstream *call = arg;
    if (call->owner.on_event != NULL)
        call->owner.on_event(call->owner.arg, event, data, len);
    return !call->is_cancelled;
}

/*
 * What comes is told by how it begins: there are servers that answer a request for a stream with
 * one JSON object, or any request with events, and not all of them name the type that it then is.
 * Blank lines before it say nothing yet, for DeepSeek sends them while it is busy.
 */
static enum body_kind what_comes(const struct upstream *call, const char *bytes, size_t len)
{
    size_t at = 0;
    if (call->status < 200 || call->status > 299)
        return BODY_WHOLE;
    if (len >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0)
        at = 3;
    while (at < len && strchr(" \t\r\n", bytes[at]) != NULL && bytes[at] != '\0')
        at++;
    if (at == len)
        return BODY_UNKNOWN;
    /* data:, event:, error:, id:, retry:, or a comment */
    return strchr("deir:", bytes[at]) != NULL && bytes[at] != '\0' ? BODY_EVENTS : BODY_WHOLE;
}

static bool take_body(struct upstream *call, const char *bytes, size_t len)
{
    bool is_error = call->status < 200 || call->status > 299;
    if (is_error && call->body.len + len > ERROR_BODY_MAX)
        return true; /* what it says at such length is no error object */
    return buf_append(&call->body, bytes, len);
}

static bool is_whole_line(const char *line, size_t len)
{
    struct span value;
    return (scan_check(line, len, &value) && scan_is_object(value)) ||
           (len == 6 && memcmp(line, "[DONE]", 6) == 0);
}

/* What has come of an event goes on whenever each line of it is whole: the blank line behind may be
 * late, or never come. */
static bool is_whole_event(const char *data, size_t len)
{
    const char *end = data + len;
    if (len > PENDING_MAX)
        return false;
    while (data < end) {
        const char *stop = memchr(data, '\n', (size_t)(end - data));
        if (stop == NULL)
            stop = end;
        if (!is_whole_line(data, (size_t)(stop - data)))
            return false;
        data = stop + 1;
    }
    return len > 0;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *arg)
{
    struct upstream *call = arg;
    size_t len = size * count;
    if (call->is_cancelled)
        return 0;
    if (call->kind == BODY_UNKNOWN) {
        curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &call->status);
        call->kind = what_comes(call, bytes, len);
    }
    call->in_callback = true;
    bool good = true;
    if (call->kind == BODY_EVENTS)
        good = sse_feed(&call->events, bytes, len, on_event, call) &&
               sse_take_pending(&call->events, is_whole_event, on_event, call);
    else if (call->kind == BODY_WHOLE)
        good = take_body(call, bytes, len);
    if (!good)
        call->failure = UPSTREAM_TOO_LARGE;
    else if (call->owner.on_bytes != NULL)
        call->owner.on_bytes(call->owner.arg);
    call->in_callback = false;
    return good && !call->is_cancelled ? len : 0;
}

/* --- the end --- */

int64_t upstream_retry_after(const char *milliseconds, const char *seconds, int64_t now_s)
{
    char *end;
    double value, factor = 1;
    const char *text = milliseconds;
    if (text == NULL || *text == '\0') {
        text = seconds;
        factor = 1000;
    }
    if (text == NULL || *text == '\0')
        return -1;
    value = strtod(text, &end) * factor;
    if (end == text || end[strspn(end, " \t")] != '\0') {
        time_t then = curl_getdate(text, NULL);
        if (then == -1)
            return -1;
        value = (double)((int64_t)then - now_s) * 1000;
        if (value < 0)
            value = 0;
    }
    if (!isfinite(value) || value < 0 || value >= 1e12)
        return -1;
    return (int64_t)ceil(fmin(value, RETRY_AFTER_MAX_MS));
}

static const char *response_header(CURL *easy, const char *name)
{
    struct curl_header *header;
    return curl_easy_header(easy, name, 0, CURLH_HEADER, -1, &header) == CURLHE_OK ? header->value
                                                                                   : NULL;
}

static enum upstream_end end_of(const struct upstream *call, CURLcode code)
{
    switch (code) {
    case CURLE_OK:
        return call->status < 200 || call->status > 299 ? UPSTREAM_REFUSED : UPSTREAM_ANSWERED;
    case CURLE_WRITE_ERROR:
        return call->failure;
    case CURLE_OPERATION_TIMEDOUT: /* the only limit curl knows of is the one for connecting */
        return UPSTREAM_CONNECT_SLOW;
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
    case CURLE_PARTIAL_FILE:
    case CURLE_BAD_CONTENT_ENCODING:
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_UNSUPPORTED_PROTOCOL: /* the answer is not HTTP */
        return call->status == 0 ? UPSTREAM_RESET : UPSTREAM_CUT;
    default:
        return call->status == 0 ? UPSTREAM_UNREACHABLE : UPSTREAM_CUT;
    }
}

static void on_done(void *arg, CURL *easy, CURLcode code)
{
    struct upstream *call = NULL;
    (void)arg;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &call);
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &call->status);
    if (call->kind == BODY_EVENTS && code == CURLE_OK && call->owner.on_end != NULL) {
        call->in_callback = true; /* it is out of curl's hands and must not be taken out again */
        sse_end(&call->events, on_event, call);
        if (!call->is_cancelled && call->owner.on_bytes != NULL)
            call->owner.on_bytes(call->owner.arg);
        call->in_callback = false;
    }
    struct upstream_owner owner = call->owner;
    if (owner.on_end != NULL) {
        struct upstream_result result = {
            .end = end_of(call, code),
            .http_status = (int)call->status,
            .retry_after_ms = -1,
            .is_stream = call->kind == BODY_EVENTS,
            .body = &call->body,
            .reason = curl_easy_strerror(code),
        };
        if (result.end == UPSTREAM_REFUSED)
            result.retry_after_ms = upstream_retry_after(response_header(easy, "retry-after-ms"),
                                                         response_header(easy, "retry-after"),
                                                         clock_wall_us() / 1000000);
        call->owner = (struct upstream_owner){0};
        owner.on_end(owner.arg, &result);
    }
    recycle(call);
}

bool upstream_has_sent(const struct upstream *call)
{
    curl_off_t sent = 0;
    curl_easy_getinfo(call->easy, CURLINFO_SIZE_UPLOAD_T, &sent);
    return (size_t)sent >= call->request_len;
}

bool upstream_has_head(const struct upstream *call)
{
    long status = 0;
    curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
    return status != 0;
}

void upstream_cancel(struct upstream *call)
{
    call->owner = (struct upstream_owner){0};
    call->is_cancelled = true;
    if (call->in_callback)
        return; /* the callback's result ends the transfer */
    multi_remove(&call->all->multi, call->easy);
    recycle(call);
}

void upstream_let_go(struct upstream *call)
{
    if (!upstream_has_sent(call)) {
        upstream_cancel(call);
        return;
    }
    call->owner = (struct upstream_owner){0};
    call->let_go_ms = clock_ms();
    list_push(&call->all->lingering, call);
}

/* --- starting --- */

static bool prepare_handle(struct upstreams *u, struct upstream *call)
{
    CURL *e = call->easy;
    if (!multi_prepare(&u->multi, e))
        return false;
    curl_easy_setopt(e, CURLOPT_PRIVATE, call);
    curl_easy_setopt(e, CURLOPT_POST, 1L);
    curl_easy_setopt(e, CURLOPT_QUICK_EXIT, 1L);
    curl_easy_setopt(e, CURLOPT_TCP_NODELAY, 1L);
    /* The provider's headers ask for no compression, which would gather what is to go on at once;
     * what comes compressed all the same is read. */
    curl_easy_setopt(e, CURLOPT_ACCEPT_ENCODING, "");
    curl_easy_setopt(e, CURLOPT_BUFFERSIZE, RECEIVE_BYTES);
    curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(e, CURLOPT_WRITEDATA, call);
    return true;
}

/* A handle mostly goes to the provider that it went to before. */
static bool set_provider(struct upstream *call, const struct provider *p)
{
    CURL *e = call->easy;
    if (call->provider == p->serial)
        return true;
    call->provider = 0;
    if (curl_easy_setopt(e, CURLOPT_URL, p->url) != CURLE_OK)
        return false;
    curl_easy_setopt(e, CURLOPT_HTTP_VERSION,
                     p->is_plain ? (long)CURL_HTTP_VERSION_1_1 : (long)CURL_HTTP_VERSION_2TLS);
    /* Over HTTP/2 a chat shares a connection, also one that is only just being made. */
    curl_easy_setopt(e, CURLOPT_PIPEWAIT, p->is_plain ? 0L : 1L);
    curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)p->connect_timeout_ms);
    call->id_header = (struct curl_slist){.data = call->id_text};
    call->trace_header = (struct curl_slist){.data = call->trace_text};
    curl_easy_setopt(e, CURLOPT_HTTPHEADER, &call->id_header);
    call->provider = p->serial;
    return true;
}

static struct upstream *take_call(struct upstreams *u)
{
    struct upstream *call = u->idle;
    if (call != NULL) {
        list_remove(call);
        u->idle_count--;
        return call;
    }
    call = calloc(1, sizeof *call);
    if (call == NULL)
        return NULL;
    call->all = u;
    sse_init(&call->events, u->response_max);
    buf_init(&call->body, u->response_max);
    call->easy = outbound_new(u->config->ca_bundle, NULL); /* addresses: multi_prepare */
    if (call->easy == NULL || !prepare_handle(u, call)) {
        destroy(call);
        return NULL;
    }
    return call;
}

struct upstream *upstream_start(struct upstreams *u, const struct provider *provider,
                                const struct upstream_owner *owner,
                                const struct upstream_request *request)
{
    struct upstream *call = take_call(u);
    if (call == NULL)
        return NULL;
    if (!set_provider(call, provider)) {
        recycle(call);
        return NULL;
    }
    call->owner = *owner;
    call->kind = BODY_UNKNOWN;
    call->failure = UPSTREAM_CUT;
    call->status = 0;
    call->is_cancelled = false;
    call->in_callback = false;
    call->request_len = request->len;
    snprintf(call->id_text, sizeof call->id_text, ID_HEADER "%s", request->id);
    snprintf(call->trace_text, sizeof call->trace_text, TRACE_HEADER "%s", request->traceparent);
    call->trace_header.next = provider->headers;
    call->id_header.next = *request->traceparent != '\0' ? &call->trace_header : provider->headers;
    sse_init(&call->events, u->response_max);
    curl_easy_setopt(call->easy, CURLOPT_POSTFIELDS, request->body);
    curl_easy_setopt(call->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->len);
    if (!multi_add(&u->multi, call->easy)) {
        recycle(call);
        return NULL;
    }
    return call;
}

/* --- all of them --- */

bool upstreams_open(struct upstreams *u, const struct config *config, uv_loop_t *loop)
{
    *u = (struct upstreams){.config = config};
    /* Six bytes at most become one when an answer's JSON string is decoded. */
    u->response_max = (size_t)config->max_answer_bytes * 6 + 65536;
    if (!multi_open(&u->multi, config, loop, (long)config->max_chats, on_done, u)) {
        upstreams_free(u);
        return false;
    }
    return true;
}

void upstreams_sweep(struct upstreams *u, int64_t now_ms)
{
    for (struct upstream *call = u->lingering, *next; call != NULL; call = next) {
        next = call->next;
        if (now_ms - call->let_go_ms >= LINGER_MS)
            upstream_cancel(call);
    }
}

void upstreams_close(struct upstreams *u)
{
    upstreams_sweep(u, INT64_MAX);
    while (u->idle != NULL) {
        struct upstream *call = u->idle;
        list_remove(call);
        destroy(call);
    }
    multi_close(&u->multi);
}

void upstreams_free(struct upstreams *u)
{
    multi_free(&u->multi);
}
