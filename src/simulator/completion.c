/*
 * POST /v1/chat/completions.
 *
 * The whole answer is made first; a streamed one is then sent token by token by the request's
 * timer, or as fast as the peer takes it when the pace is 0.
 */
#include "completion.h"

#include "choice.h"
#include "common/json.h"
#include "completion_check.h"
#include "habits.h"
#include "reply.h"
#include "tokens.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BURST_BYTES ((size_t)64 << 10)  /* sent in one go when the pace is 0 */
#define QUEUE_BYTES ((size_t)256 << 10) /* beyond it, wait for the peer */
#define QUEUE_WAIT_MS 5

enum step { STEP_ROLE, STEP_TOKENS, STEP_FINISH, STEP_USAGE, STEP_DONE, STEP_OVER };

struct completion {
    struct choice *choices;
    size_t choice_count;
    struct fault fault;
    int64_t pace_ms;
    struct buf prefix; /* what every chunk begins with, up to the choices */
    bool include_usage;
    size_t prompt_tokens, cached_tokens, completion_tokens;
    /* Where the stream is. */
    enum step step;
    size_t choice, at;   /* in which choice, and at which byte of its text */
    int64_t tokens_sent; /* of all choices */
};

static void completion_free(struct completion *c)
{
    for (size_t i = 0; i < c->choice_count; i++)
        choice_release(&c->choices[i]);
    free(c->choices);
    buf_release(&c->prefix);
    free(c);
}

static void on_over(struct fastcgi_request *r)
{
    completion_free(r->state);
}

static void put_text(struct buf *out, const char *text, size_t len)
{
    buf_json_string(out, text, len);
}

static void put_usage(struct buf *out, const struct completion *c)
{
    buf_printf(out,
               "\"usage\":{\"prompt_tokens\":%zu,\"completion_tokens\":%zu,\"total_tokens\":%zu,"
               "\"prompt_tokens_details\":{\"cached_tokens\":%zu,\"audio_tokens\":0},"
               "\"completion_tokens_details\":{\"reasoning_tokens\":0,\"audio_tokens\":0,"
               "\"accepted_prediction_tokens\":0,\"rejected_prediction_tokens\":0}}",
               c->prompt_tokens, c->completion_tokens, c->prompt_tokens + c->completion_tokens,
               c->cached_tokens);
}

/* One chunk with one choice: delta is JSON, finish a reason or NULL. */
static void put_chunk(struct buf *out, const struct completion *c, const struct buf *delta,
                      const char *finish)
{
    buf_puts(out, "data: ");
    buf_append(out, c->prefix.data, c->prefix.len);
    buf_printf(out, "\"choices\":[{\"index\":%zu,\"delta\":", c->choice);
    buf_append(out, delta->data, delta->len);
    buf_puts(out, ",\"logprobs\":null,\"finish_reason\":");
    if (finish)
        buf_printf(out, "\"%s\"", finish);
    else
        buf_puts(out, "null");
    buf_puts(out, c->include_usage ? "}],\"usage\":null}\n\n" : "}]}\n\n");
}

static void put_role(struct buf *out, const struct completion *c, const struct choice *choice)
{
    struct buf delta;
    buf_init(&delta, 4096);
    if (choice->tool) {
        buf_printf(&delta,
                   "{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"index\":0,\"id\":"
                   "\"%s\",\"type\":\"function\",\"function\":{\"name\":",
                   choice->tool_id);
        put_text(&delta, choice->tool, strlen(choice->tool));
        buf_puts(&delta, ",\"arguments\":\"\"}}],\"refusal\":null}");
    } else {
        buf_puts(&delta, "{\"role\":\"assistant\",\"content\":\"\",\"refusal\":null}");
    }
    put_chunk(out, c, &delta, NULL);
    buf_release(&delta);
}

/* Sends the next token of the choice; false when there is none left. */
static bool put_token(struct buf *out, struct completion *c, const struct choice *choice)
{
    const char *text = choice->tool ? choice->arguments : choice->text;
    size_t n = choice_token(choice, c->at);
    struct buf delta;
    if (n == 0)
        return false;
    buf_init(&delta, 16384);
    buf_puts(&delta, choice->tool ? "{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":"
                                  : "{\"content\":");
    put_text(&delta, text + c->at, n);
    buf_puts(&delta, choice->tool ? "}}]}" : "}");
    put_chunk(out, c, &delta, NULL);
    buf_release(&delta);
    c->at += n;
    c->tokens_sent++;
    return true;
}

static void put_finish(struct buf *out, struct completion *c, const char *reason)
{
    struct buf delta;
    buf_init(&delta, 16);
    buf_puts(&delta, "{}");
    put_chunk(out, c, &delta, reason);
    buf_release(&delta);
    c->at = 0;
    c->choice++;
    bool more = c->choice < c->choice_count;
    c->step = more ? STEP_ROLE : c->include_usage ? STEP_USAGE : STEP_DONE;
}

/* Appends what comes next and moves on. */
static void put_step(struct buf *out, struct completion *c)
{
    const struct choice *choice = &c->choices[c->choice];
    switch (c->step) {
    case STEP_ROLE:
        put_role(out, c, choice);
        c->step = STEP_TOKENS;
        break;
    case STEP_TOKENS:
        if (put_token(out, c, choice))
            break;
        /* fall through */
    case STEP_FINISH:
        put_finish(out, c, choice->finish_reason);
        break;
    case STEP_USAGE:
        buf_puts(out, "data: ");
        buf_append(out, c->prefix.data, c->prefix.len);
        buf_puts(out, "\"choices\":[],");
        put_usage(out, c);
        buf_puts(out, "}\n\n");
        c->step = STEP_DONE;
        break;
    case STEP_DONE:
        if (c->fault.kind != FAULT_NO_DONE)
            buf_puts(out, "data: [DONE]\n\n");
        c->step = STEP_OVER;
        break;
    case STEP_OVER:
        break;
    }
}

enum mishap { GO_ON, STAY_SILENT, CUT_OFF, END_EARLY };

/* What goes wrong now, after so many tokens; a chunk that belongs to it is appended. */
static enum mishap put_fault(struct buf *out, struct completion *c)
{
    if (c->step != STEP_TOKENS || c->tokens_sent != c->fault.after)
        return GO_ON;
    switch (c->fault.kind) {
    case FAULT_STALL:
        return STAY_SILENT;
    case FAULT_CUT:
        return CUT_OFF;
    case FAULT_END:
        return END_EARLY;
    case FAULT_ERROR:
        buf_puts(out, "data: ");
        api_error_json(out, &c->fault.error);
        buf_puts(out, "\n\n");
        return END_EARLY;
    case FAULT_MALFORMED:
        buf_puts(out, "data: {\"id\":\"chatcmpl-sim\",\"choices\":[{\"index\":0,\"delta\":{\n\n");
        c->fault.kind = FAULT_NONE; /* and go on as if nothing had happened */
        return GO_ON;
    case FAULT_CONTENT_FILTER:
        c->completion_tokens = (size_t)c->tokens_sent;
        c->choice = c->choice_count - 1;
        put_finish(out, c, "content_filter");
        return GO_ON;
    default:
        return GO_ON;
    }
}

static void on_tick(struct fastcgi_request *r)
{
    struct completion *c = r->state;
    struct buf out;
    enum mishap mishap = GO_ON;
    if (fastcgi_queued(r) > QUEUE_BYTES) {
        fastcgi_after(r, QUEUE_WAIT_MS, on_tick);
        return;
    }
    buf_init(&out, 4 << 20);
    bool go_on = true;
    while (go_on) {
        bool is_token = c->step == STEP_TOKENS;
        mishap = put_fault(&out, c);
        if (mishap != GO_ON)
            break;
        put_step(&out, c);
        /* A pace is waited for after each token only: role, finish and usage come with one. */
        go_on = c->step != STEP_OVER && out.len < BURST_BYTES && (c->pace_ms == 0 || !is_token);
    }
    int64_t pace = c->pace_ms;
    bool over = c->step == STEP_OVER;
    bool sent = !out.failed && fastcgi_send(r, out.data, out.len);
    buf_release(&out);
    if (!sent)
        return;
    if (mishap == CUT_OFF)
        fastcgi_cut(r);
    else if (over || mishap == END_EARLY)
        fastcgi_end(r);
    else if (mishap == GO_ON)
        fastcgi_after(r, (uint64_t)pace, on_tick);
}

static void start_stream(struct fastcgi_request *r)
{
    const struct completion *c = r->state;
    struct buf head;
    buf_init(&head, 4096);
    reply_head(&head, 200, "text/event-stream; charset=utf-8", "X-Accel-Buffering: no\r\n");
    bool sent = !head.failed && fastcgi_send(r, head.data, head.len);
    buf_release(&head);
    if (!sent)
        return;
    bool slow = c->fault.kind == FAULT_SLOW_FIRST_TOKEN;
    fastcgi_after(r, slow ? (uint64_t)c->fault.ms : 0, on_tick);
}

static void put_message(struct buf *out, const struct choice *choice)
{
    buf_puts(out, "{\"role\":\"assistant\",\"content\":");
    if (choice->tool) {
        buf_printf(out,
                   "null,\"tool_calls\":[{\"id\":\"%s\",\"type\":\"function\",\"function\":"
                   "{\"name\":",
                   choice->tool_id);
        put_text(out, choice->tool, strlen(choice->tool));
        buf_puts(out, ",\"arguments\":");
        put_text(out, choice->arguments, choice->len);
        buf_puts(out, "}}]");
    } else {
        put_text(out, choice->text, choice->len);
    }
    buf_puts(out, ",\"refusal\":null,\"annotations\":[]}");
}

static void reply_whole(struct fastcgi_request *r)
{
    const struct completion *c = r->state;
    struct buf out;
    buf_init(&out, 256 << 20);
    buf_append(&out, c->prefix.data, c->prefix.len);
    buf_puts(&out, "\"choices\":[");
    for (size_t i = 0; i < c->choice_count; i++) {
        bool filtered = c->fault.kind == FAULT_CONTENT_FILTER;
        buf_printf(&out, "%s{\"index\":%zu,\"message\":", i ? "," : "", i);
        put_message(&out, &c->choices[i]);
        buf_printf(&out, ",\"logprobs\":null,\"finish_reason\":\"%s\"}",
                   filtered ? "content_filter" : c->choices[i].finish_reason);
    }
    buf_puts(&out, "],");
    put_usage(&out, c);
    buf_puts(&out, "}");
    if (out.failed) {
        reply_fail(r, 500, NULL, NULL, "the simulator is out of memory");
    } else if (c->fault.kind == FAULT_CUT || c->fault.kind == FAULT_STALL ||
               c->fault.kind == FAULT_MALFORMED) {
        /* Half a body; what becomes of the connection is the fault's. */
        enum fault_kind kind = c->fault.kind;
        struct buf half;
        buf_init(&half, 256 << 20);
        reply_head(&half, 200, "application/json", NULL);
        buf_append(&half, out.data, out.len / 2);
        if (fastcgi_send(r, half.data, half.len)) {
            if (kind == FAULT_CUT)
                fastcgi_cut(r);
            else if (kind == FAULT_MALFORMED)
                fastcgi_end(r);
        }
        buf_release(&half);
    } else {
        reply_bytes(r, 200, "application/json", NULL, out.data, out.len);
    }
    buf_release(&out);
}

/* Says "sim-1" whatever other model was asked for: nobody is to take this for the real one. */
static const char *answering_model(const char *asked)
{
    return strncmp(asked, "sim-", 4) == 0 || strncmp(asked, "ft:sim-", 7) == 0 ? asked : "sim-1";
}

static bool make_prefix(struct completion *c, const char *model, bool stream)
{
    char id[25];
    random_id(id, sizeof id);
    buf_printf(&c->prefix,
               "{\"id\":\"chatcmpl-sim%s\",\"object\":\"chat.completion%s\",\"created\":%lld,"
               "\"model\":",
               id, stream ? ".chunk" : "", (long long)time(NULL));
    model = answering_model(model);
    put_text(&c->prefix, model, strlen(model));
    return buf_puts(&c->prefix,
                    ",\"service_tier\":\"default\",\"system_fingerprint\":\"simulated\",");
}

static struct completion *make_completion(const cJSON *request, const struct fault *fault,
                                          const struct prompt *p, int64_t pace_ms)
{
    struct completion *c = calloc(1, sizeof *c);
    if (c == NULL)
        return NULL;
    size_t n = (size_t)json_number(request, "n", 1);
    buf_init(&c->prefix, 4096);
    c->fault = *fault;
    c->pace_ms = pace_ms;
    c->prompt_tokens = p->tokens + 3;
    /* Like a provider's prefix cache: the system prompt is known from the second turn on. */
    if (p->turns > 0 && c->prompt_tokens >= 1024)
        c->cached_tokens = p->system_tokens / 128 * 128;
    bool stream = json_bool(request, "stream", false);
    c->include_usage = json_bool(cJSON_GetObjectItemCaseSensitive(request, "stream_options"),
                                 "include_usage", false);
    c->choices = calloc(n, sizeof *c->choices);
    bool ok = c->choices && make_prefix(c, json_string(request, "model"), stream);
    while (ok && c->choice_count < n) {
        size_t i = c->choice_count++;
        ok = choice_make(&c->choices[i], request, p, i, fault);
        c->completion_tokens += c->choices[i].tokens;
    }
    if (!ok) {
        completion_free(c);
        return NULL;
    }
    return c;
}

/* Milliseconds between tokens: the fault's, the model's (sim-pace-MS), the header's, or the
 * fallback. */
static int64_t pace_of(const struct fastcgi_request *r, const char *model,
                       const struct fault *fault, int64_t fallback)
{
    const char *header = fastcgi_param(r, "HTTP_X_SIM_PACE_MS"), *asked = NULL;
    if (fault->pace_ms >= 0)
        return fault->pace_ms;
    if (strncmp(model, "sim-pace-", 9) == 0)
        asked = model + 9;
    else if (header)
        asked = header;
    long pace = asked ? strtol(asked, NULL, 10) : -1;
    return pace >= 0 && pace <= 3600000 ? pace : fallback;
}

/* Faults that come before anything else. True when the request was dealt with. */
static bool fail_early(struct fastcgi_request *r, const struct fault *fault, const struct prompt *p)
{
    if (fault->kind == FAULT_SILENCE)
        return true; /* until the peer hangs up */
    if (fault->kind == FAULT_RESET) {
        reply_reset(r);
        return true;
    }
    if (fault->kind != FAULT_STATUS)
        return false;
    if (fault->flaps) {
        const char *header = fastcgi_param(r, "HTTP_X_SIM_FLAP_KEY");
        char key[1024] = "";
        if (header == NULL)
            snprintf(key, sizeof key, "%.*s", (int)(p->message.len < 1000 ? p->message.len : 1000),
                     p->message.text ? p->message.text : "");
        if (!fault_flap_fails(header ? header : key, fault->times))
            return false;
    }
    reply_error(r, &fault->error);
    return true;
}

void completion_post(struct fastcgi_request *r, int64_t pace_ms)
{
    cJSON *request = reply_read_object(r);
    struct api_error error;
    struct fault fault;
    struct prompt p;
    if (request == NULL)
        return;
    const char *model = json_string(request, "model");
    if (!completion_check(request, &error) ||
        !fault_read(model, fastcgi_param(r, "HTTP_X_SIM_FAULT"), &fault, &error)) {
        reply_error(r, &error);
        goto out;
    }
    prompt_read(cJSON_GetObjectItemCaseSensitive(request, "messages"), &p);
    habits_apply(&p, model);
    if (fail_early(r, &fault, &p))
        goto out;
    if (p.tokens > COMPLETION_CONTEXT) {
        reply_fail(r, 400, "context_length_exceeded", "messages",
                   "this model's context is %d tokens, the messages are about %zu",
                   COMPLETION_CONTEXT, p.tokens);
        goto out;
    }
    struct completion *c = make_completion(request, &fault, &p, pace_of(r, model, &fault, pace_ms));
    if (c == NULL) {
        reply_fail(r, 500, NULL, NULL, "the simulator is out of memory");
        goto out;
    }
    r->state = c;
    r->over = on_over;
    if (json_bool(request, "stream", false))
        start_stream(r);
    else if (fault.kind == FAULT_SLOW_FIRST_TOKEN)
        fastcgi_after(r, (uint64_t)fault.ms, reply_whole);
    else
        reply_whole(r);
out:
    cJSON_Delete(request);
}
