/* One chat in the relay's hands; see relay_chat.h. */
#include "relay_chat.h"

#include "../common/clock.h"
#include "../common/log.h"
#include "../common/utf8.h"
#include "cached.h"
#include "failure.h"
#include "limits.h"
#include "metrics.h"
#include "native.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WATCH_AFTER_MS 50       /* most short chats are over by then */
#define USAGE_WAIT_MS 2000      /* for what a provider sends after the finish_reason */
#define RETRY_RECORDING_MS 1000 /* told to a client whose answer could not be kept */

static void conclude(struct relay_chat *rc);
static void ask(struct relay_chat *rc);
static void give_cached(struct relay_chat *rc);

/* --- being open --- */

static void on_client_end(void *arg)
{
    struct relay_chat *rc = arg;
    *rc->link = rc->next;
    if (rc->next != NULL)
        rc->next->link = rc->link;
    answer_release(&rc->answer);
    chat_free(rc->chat);
    failover_end(&rc->failover);
    atomic_fetch_sub(rc->core->open, 1);
    free(rc);
}

/* --- the end of the answer --- */

static void note_attempt(struct relay_chat *rc, int http_status, const char *reason)
{
    struct chat *chat = rc->chat;
    const struct route *route = failover_route(&rc->failover);
    if (chat->attempt_count == CHAT_MAX_ATTEMPTS)
        return;
    struct chat_attempt *a = &chat->attempts[chat->attempt_count++];
    a->provider = route->provider->label;
    a->model = route->model;
    a->http_status = http_status;
    a->duration_ms = clock_ms() - rc->asked_ms;
    chat->waited_ms += a->duration_ms;
    snprintf(a->reason, sizeof a->reason, "%s", reason);
}

/* Tokens were charged as they were estimated; the difference is what is still to be charged, or is
 * given back. */
static void settle_limits(struct relay_chat *rc)
{
    const struct chat *chat = rc->chat;
    int64_t used = chat->prompt_tokens + chat->completion_tokens;
    bool is_refused = chat->outcome == CHAT_FAILED && chat->error.status >= 400 &&
                      chat->error.status < 500 && chat->error.status != 429;
    if (chat->left.limit_tokens == 0)
        return;
    if (is_refused && used < chat->left.charged_tokens)
        return; /* what no provider takes has cost us as much, and is not to be had without end */
    limits_spend(rc->core->options.limits,
                 &(struct limit_who){.user = chat->user_text, .api_key = chat->request->who.key_id},
                 used - chat->left.charged_tokens);
}

/* The answer is over, whatever it is. The one way into RECORDING; rc may be gone after. */
static void record(struct relay_chat *rc, enum chat_outcome outcome)
{
    struct chat *chat = rc->chat;
    buf_clear(&rc->core->out);
    flight_leave(rc);
    chat->outcome = outcome;
    answer_settle(&rc->answer);
    chat->response_time_ms = clock_ms() - rc->accepted_ms;
    settle_limits(rc);
    rc->state = RELAY_RECORDING;
    rc->due_ms = 0;
    if (recorder_submit(rc->core->recorder, chat))
        return;
    log_traced(LOG_ERROR, chat->id_text, chat_trace(chat),
               "answer could not be recorded: the recorder's queue is full");
    chat->recorded = CHAT_NOT_RECORDED;
    conclude(rc);
}

/* The call is over: it is no longer open at its provider. */
static void forget_call(struct relay_chat *rc)
{
    rc->call = NULL;
    failover_route(&rc->failover)->provider->open--;
}

/* Gives the provider up. */
static void drop_call(struct relay_chat *rc, const char *reason)
{
    if (rc->call == NULL)
        return;
    note_attempt(rc, rc->state == RELAY_ANSWERING ? 200 : 0, reason);
    upstream_cancel(rc->call);
    forget_call(rc);
}

/* Stops the provider and records what there is; chat->error says why. */
static void break_off(struct relay_chat *rc, enum chat_outcome outcome, const char *reason)
{
    drop_call(rc, reason);
    record(rc, outcome);
}

/* The same for an answer that did not become whole. */
static void break_off_short(struct relay_chat *rc, const char *reason)
{
    break_off(rc, rc->answer.has_begun ? CHAT_PARTIAL : CHAT_FAILED, reason);
}

static void complete(struct relay_chat *rc)
{
    if (rc->call != NULL) {
        note_attempt(rc, 200, "");
        upstream_let_go(rc->call);
        forget_call(rc);
    }
    failover_succeeded(&rc->failover);
    record(rc, CHAT_COMPLETE);
}

/* Whether the answer is finished although its client has gone. */
static bool goes_on_unheard(const struct relay_chat *rc)
{
    return rc->core->config->finish_on_hangup || flight_is_awaited(rc);
}

static void on_client_gone(void *arg)
{
    struct relay_chat *rc = arg;
    if (rc->state == RELAY_RECORDING || rc->state == RELAY_ENDING)
        return; /* noticed when it comes back */
    if (goes_on_unheard(rc)) {
        rc->is_unheard = true;
        return;
    }
    api_error(&rc->chat->error, 499, "client_closed", "", "the client went away");
    break_off(rc, CHAT_CANCELLED, "client_closed");
}

/* --- to the client --- */

static void put_header(struct buf *out, const char *name, const char *value)
{
    if (value == NULL || *value == '\0' || strpbrk(value, "\r\n") != NULL)
        return;
    buf_puts(out, name);
    buf_puts(out, value);
    buf_puts(out, "\r\n");
}

/* Begins core->head with a response head. */
static void put_head(struct relay_chat *rc, int status, bool is_stream)
{
    const struct chat *chat = rc->chat;
    struct buf *head = &rc->core->head;
    struct buf extra;
    buf_init(&extra, 16384);
    put_header(&extra, "X-Feedback-Id: ", chat->id_text);
    put_header(&extra, "X-Conversation-Id: ", chat->conversation_text);
    put_header(&extra, "X-Coach-Id: ", chat->coach_id);
    if (chat->degraded)
        put_header(&extra, "X-Uplift-Degraded: ", "database");
    limit_left_headers(&chat->left, &extra);
    put_header(&extra, "X-Uplift-Cache: ", cache_result_name(chat->cache.result));
    if (is_stream)
        put_header(&extra, "X-Accel-Buffering: ", "no");
    int64_t wait = status >= 400 ? chat->error.retry_after_ms : 0;
    if (wait > 0)
        buf_printf(&extra, "Retry-After: %lld\r\nretry-after-ms: %lld\r\n",
                   (long long)((wait + 999) / 1000), (long long)wait);
    buf_clear(head);
    if (extra.failed)
        head->failed = true;
    request_head(chat->request, head, status, is_stream ? "text/event-stream" : "application/json",
                 extra.data);
    buf_release(&extra);
}

/* Sends core->out, behind a head if none went out yet. False when rc has broken off;
 * it may be gone then. */
static bool flush(struct relay_chat *rc)
{
    struct relay_core *core = rc->core;
    struct buf *from = &core->out;
    bool good;
    if (from->len == 0)
        return true;
    if (rc->is_unheard) {
        buf_clear(from);
        return true;
    }
    if (!rc->has_head) {
        put_head(rc, 200, true);
        buf_append(&core->head, from->data, from->len);
        from = &core->head;
        rc->has_head = true;
    }
    if (from->failed) { /* memory ran out; nothing of it is sent */
        rc->has_head = from == &core->out;
        buf_clear(&core->out);
        api_error(&rc->chat->error, 503, "out_of_memory", "", "the server ran out of memory");
        break_off_short(rc, "out_of_memory");
        return false;
    }
    good = client_send(&rc->client, from->data, from->len);
    buf_clear(&core->out);
    rc->sent_ms = (int64_t)uv_now(&core->loop);
    if (good)
        return true;
    if (rc->client.is_stalled) {
        api_error(&rc->chat->error, 499, "client_stalled", "",
                  "the client did not read the answer");
        break_off(rc, CHAT_CANCELLED, "client_stalled");
        return false;
    }
    bool goes_on = goes_on_unheard(rc); /* rc itself may be gone after */
    on_client_gone(rc);
    return goes_on;
}

/* Sends the end. What memory did not suffice for is not sent in part: nginx tells its client that
 * the answer was cut short. */
static void send_end(struct relay_chat *rc, const struct buf *text)
{
    if (text->failed)
        client_drop(&rc->client);
    else
        client_end(&rc->client, text->data, text->len);
}

static void tell_error(struct relay_chat *rc)
{
    struct relay_core *core = rc->core;
    const struct chat *chat = rc->chat;
    if (rc->has_head) {
        answer_end_with_error(&rc->answer, &core->out);
        send_end(rc, &core->out);
        return;
    }
    put_head(rc, chat->error.status, false);
    api_error_json(&core->head, &chat->error);
    send_end(rc, &core->head);
}

static void tell_end(struct relay_chat *rc)
{
    struct relay_core *core = rc->core;
    struct buf *from = &core->out;
    if (!answer_end(&rc->answer, &core->out)) {
        api_error(&rc->chat->error, 503, "out_of_memory", "",
                  "the server ran out of memory; the answer is recorded");
        buf_clear(&core->out);
        tell_error(rc);
        return;
    }
    if (!rc->has_head) {
        put_head(rc, 200, rc->wants_stream);
        buf_append(&core->head, from->data, from->len);
        from = &core->head;
    }
    send_end(rc, from);
}

/* The chat is recorded, or could not be: its client gets the end. rc may be gone after. */
static void conclude(struct relay_chat *rc)
{
    struct relay_core *core = rc->core;
    struct chat *chat = rc->chat;
    flight_land(&core->flights, rc, give_cached);
    metrics_answer(core->options.metrics, core->options.prices, chat);
    rc->state = RELAY_ENDING;
    rc->due_ms = 0;
    if (chat->recorded == CHAT_NOT_RECORDED && chat->error.status == 0) {
        api_error(&chat->error, 503, "not_recorded", "",
                  "the answer could not be saved, so it does not count; try again");
        chat->error.retry_after_ms = RETRY_RECORDING_MS;
    }
    buf_clear(&core->out);
    if (rc->client.is_gone || rc->client.is_stalled)
        client_drop(&rc->client);
    else if (chat->error.status != 0)
        tell_error(rc);
    else
        tell_end(rc);
    buf_clear(&core->out);
}

void relay_chat_recorded(struct relay_chat *rc)
{
    conclude(rc);
}

/* --- when a route fails --- */

/* Whether the client heard some of the answer. */
static bool was_heard(const struct relay_chat *rc)
{
    return rc->wants_stream && rc->answer.has_begun && !rc->is_unheard;
}

/* Whether another answer may follow: what was heard of a stream can be taken back on /v1/chat,
 * whose protocol is ours, and only another provider's answer is worth it. */
static bool may_begin_again(const struct relay_chat *rc)
{
    return !was_heard(rc) || rc->chat->protocol == CHAT_NATIVE;
}

/* Nothing of the answer so far stays. False when rc has broken off; it may be gone then. */
static bool begin_again(struct relay_chat *rc)
{
    bool heard = was_heard(rc);
    answer_begin_again(&rc->answer);
    if (!heard)
        return true;
    native_restart(&rc->core->out);
    metrics_count(rc->core->options.metrics, M_RESTARTS, 1);
    return flush(rc);
}

/* Ends with what failed first; later failures may be no more than complaints about the retry. */
static void give_up(struct relay_chat *rc)
{
    rc->chat->error = rc->first_error;
    record(rc, rc->answer.has_begun ? CHAT_PARTIAL : CHAT_FAILED);
}

/*
 * The call has ended, or was dropped, for this error: tries again, goes on to the next route, or
 * gives up. soon: not now, because libcurl is on the stack. rc may be gone after.
 */
static void fail_over(struct relay_chat *rc, enum failure_kind kind, int64_t retry_after_ms,
                      const struct api_error *error, bool soon)
{
    struct relay_core *core = rc->core;
    int64_t wait, now = clock_ms();
    if (rc->first_error.status == 0)
        rc->first_error = *error;
    rc->chat->error.status = 0;
    enum failover_move move =
        failover_failed(&rc->failover, core->config, kind, retry_after_ms, may_begin_again(rc),
                        !was_heard(rc), &core->random, &wait);
    if (move == MOVE_NONE || now + wait >= rc->accepted_ms + core->config->total_timeout_ms) {
        give_up(rc);
        return;
    }
    if (move == MOVE_ON) {
        log_traced(LOG_INFO, rc->chat->id_text, chat_trace(rc->chat), "goes on with provider %s",
                   failover_route(&rc->failover)->provider->label);
        /* What a stopgap says, which may be another model, is not to be given again. */
        if (cache_writes(rc->chat->cache.mode))
            rc->chat->cache.mode = CACHE_READ_ONLY;
    }
    rc->state = RELAY_PAUSING;
    rc->retry_ms = now + wait;
    rc->chat->waited_ms += wait;
    rc->due_ms = 0;
    if (begin_again(rc) && wait == 0 && !soon)
        ask(rc);
}

/* --- from the provider --- */

/* An answer that will not be sent again. */
static bool is_settled(const struct relay_chat *rc)
{
    return !may_begin_again(rc) || !failover_has_other(&rc->failover);
}

static void on_event(void *arg, const char *data, size_t len)
{
    struct relay_chat *rc = arg;
    struct chat *chat = rc->chat;
    struct api_error error;
    rc->state = RELAY_ANSWERING;
    if (chat->upstream_body != NULL && is_settled(rc) && upstream_has_sent(rc->call)) {
        free(chat->upstream_body);
        chat->upstream_body = NULL;
    }
    switch (answer_event(&rc->answer, data, len, &rc->core->out)) {
    case ANSWER_GOES_ON:
        return;
    case ANSWER_IS_WHOLE:
        if (flush(rc))
            complete(rc);
        return;
    case ANSWER_TOO_LARGE:
        api_error(&chat->error, 502, "answer_too_large", "",
                  "the model's answer is longer than this server takes");
        if (flush(rc))
            break_off_short(rc, "too_large");
        return;
    case ANSWER_FAILED:
        error = chat->error;
        if (!flush(rc))
            return;
        drop_call(rc, "error_event");
        fail_over(rc, failure_kind_of_error(&error), -1, &error, true);
        return;
    }
}

static void on_bytes(void *arg)
{
    struct relay_chat *rc = arg;
    rc->received_ms = (int64_t)uv_now(&rc->core->loop);
    flush(rc);
}

static void on_call_failed(struct relay_chat *rc, const struct upstream_result *result)
{
    char reason[sizeof rc->chat->attempts[0].reason];
    struct api_error error;
    failure_reason(result, reason, sizeof reason);
    note_attempt(rc, result->http_status, reason);
    failure_explain(result, &error);
    /* What the client did wrong is not worth waking anybody for. */
    log_traced(error.status < 500 ? LOG_INFO : LOG_WARN, rc->chat->id_text, chat_trace(rc->chat),
               "provider %s: %s%s%s", rc->chat->provider, reason,
               result->http_status == 0 ? ": " : "",
               result->http_status == 0 ? result->reason : "");
    fail_over(rc, failure_kind_of(result, &error), result->retry_after_ms, &error, false);
}

static void on_whole_body(struct relay_chat *rc, const struct upstream_result *result)
{
    struct api_error error;
    switch (answer_body(&rc->answer, result->body)) {
    case ANSWER_GOES_ON:
    case ANSWER_IS_WHOLE:
        note_attempt(rc, result->http_status, "");
        failover_succeeded(&rc->failover);
        record(rc, CHAT_COMPLETE);
        return;
    case ANSWER_TOO_LARGE:
        api_error(&rc->chat->error, 502, "answer_too_large", "",
                  "the model's answer is longer than this server takes");
        note_attempt(rc, result->http_status, "too_large");
        record(rc, CHAT_FAILED);
        return;
    case ANSWER_FAILED:
        error = rc->chat->error;
        note_attempt(rc, result->http_status, "not_a_completion");
        fail_over(rc, failure_kind_of_error(&error), -1, &error, false);
        return;
    }
}

static void on_call_end(void *arg, const struct upstream_result *result)
{
    struct relay_chat *rc = arg;
    forget_call(rc);
    if (rc->answer.has_finished && rc->wants_stream) {
        /* Only a [DONE] is missing: nothing of the answer. */
        note_attempt(rc, result->http_status, "");
        failover_succeeded(&rc->failover);
        record(rc, CHAT_COMPLETE);
    } else if (result->end != UPSTREAM_ANSWERED) {
        on_call_failed(rc, result);
    } else if (!rc->wants_stream) {
        on_whole_body(rc, result);
    } else {
        /* The stream ended as HTTP has it, and the answer did not. */
        struct upstream_result cut = *result;
        cut.end = UPSTREAM_CUT;
        on_call_failed(rc, &cut);
    }
}

static void ask(struct relay_chat *rc)
{
    struct relay_core *core = rc->core;
    struct chat *chat = rc->chat;
    const struct route *route = failover_route(&rc->failover);
    struct upstream_owner owner = {
        .on_event = on_event, .on_bytes = on_bytes, .on_end = on_call_end, .arg = rc};
    rc->state = RELAY_ASKING;
    rc->asked_ms = rc->received_ms = clock_ms();
    rc->due_ms = 0;
    utf8_copy(chat->provider, sizeof chat->provider, route->provider->label);
    char traceparent[64] = "";
    if (*chat_trace(chat) != '\0') /* this call is a span of its own: the last half of the id */
        snprintf(traceparent, sizeof traceparent, "00-%s-%.4s%.12s-%s", chat_trace(chat),
                 chat->id_text + 19, chat->id_text + 24, chat->request->trace_flags);
    if (chat_ask_for(chat, route->model))
        rc->call = upstream_start(&core->upstreams, route->provider, &owner,
                                  &(struct upstream_request){.body = chat->upstream_body,
                                                             .len = chat->upstream_body_len,
                                                             .stream = chat->stream,
                                                             .id = chat->id_text,
                                                             .traceparent = traceparent});
    if (rc->call != NULL) {
        route->provider->open++;
        return;
    }
    api_error(&chat->error, 503, "out_of_memory", "", "the server is out of memory; try again");
    record(rc, CHAT_FAILED);
}

/* An answer from the cache takes the place of a provider's. */
static void give_cached(struct relay_chat *rc)
{
    rc->state = RELAY_ANSWERING;
    if (cached_give(&rc->answer, &rc->core->out)) {
        if (flush(rc))
            record(rc, CHAT_COMPLETE);
        return;
    }
    api_error(&rc->chat->error, 503, "out_of_memory", "", "the server is out of memory; try again");
    record(rc, rc->answer.has_begun ? CHAT_PARTIAL : CHAT_FAILED);
}

static void begin_asking(struct relay_chat *rc)
{
    struct relay_core *core = rc->core;
    if (failover_begin(&rc->failover, routings_current(core->options.routings), rc->chat->model,
                       &core->random, &rc->chat->error))
        ask(rc);
    else
        record(rc, CHAT_FAILED);
}

static void start(struct relay_chat *rc)
{
    if (rc->chat->cache.answer != NULL) {
        give_cached(rc);
    } else if (flight_join(&rc->core->flights, rc)) {
        rc->state = RELAY_PAUSING;
        rc->retry_ms = INT64_MAX;
    } else {
        begin_asking(rc);
    }
}

void relay_chat_open(struct relay_core *core, struct chat *chat)
{
    struct relay_chat *rc = calloc(1, sizeof *rc);
    if (rc == NULL) {
        log_traced(LOG_ERROR, chat->id_text, chat_trace(chat), "chat dropped: out of memory");
        request_finish(chat->request);
        chat_free(chat);
        atomic_fetch_sub(core->open, 1);
        return;
    }
    rc->core = core;
    rc->chat = chat;
    chat->relay = rc;
    rc->wants_stream = chat->stream;
    rc->accepted_ms = chat->request->accepted_ms;
    rc->sent_ms = rc->accepted_ms;
    free(chat->request->body); /* all that matters of it is in the chat */
    chat->request->body = NULL;
    chat->request->body_len = 0;
    client_init(&rc->client, &core->loop, chat->request, (size_t)core->config->client_buffer_bytes);
    rc->client.on_gone = on_client_gone;
    rc->client.on_end = on_client_end;
    rc->client.arg = rc;
    answer_init(&rc->answer, chat);
    rc->next = core->chats;
    rc->link = &core->chats;
    if (rc->next != NULL)
        rc->next->link = &rc->next;
    core->chats = rc;
    start(rc);
}

/* --- time --- */

static void time_out(struct relay_chat *rc, const char *reason, const char *message)
{
    if (rc->answer.has_finished && rc->call != NULL) {
        complete(rc);
        return;
    }
    api_error(&rc->chat->error, 504, "provider_timeout", "", "%s", message);
    break_off_short(rc, reason);
}

/* The provider is given up for its silence, not the chat. */
static void give_provider_up(struct relay_chat *rc, enum failure_kind kind, const char *reason,
                             const char *message)
{
    struct api_error error;
    if (rc->answer.has_finished) {
        complete(rc);
        return;
    }
    log_traced(LOG_WARN, rc->chat->id_text, chat_trace(rc->chat), "provider %s: %s",
               rc->chat->provider, reason);
    drop_call(rc, reason);
    api_error(&error, 504, "provider_timeout", "", "%s", message);
    fail_over(rc, kind, -1, &error, false);
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* When the provider has been silent for too long: for its head, for the first event after that, or
 * since the last byte. A body that comes whole may take as long as the answer in all. */
static int64_t silence_limit(const struct relay_chat *rc)
{
    const struct provider *p = failover_route(&rc->failover)->provider;
    if (rc->state == RELAY_ASKING && rc->wants_stream)
        return rc->asked_ms + p->first_byte_timeout_ms +
               (rc->call != NULL && upstream_has_head(rc->call) ? p->idle_timeout_ms : 0);
    if (rc->state == RELAY_ANSWERING && rc->answer.has_finished)
        return rc->received_ms + earlier(p->idle_timeout_ms, USAGE_WAIT_MS);
    if (rc->state == RELAY_ANSWERING || rc->received_ms > rc->asked_ms)
        return rc->received_ms + p->idle_timeout_ms;
    return INT64_MAX;
}

/* When the first token has taken too long; never where no other route could be faster. */
static int64_t slowness_limit(const struct relay_chat *rc)
{
    const struct provider *p = failover_route(&rc->failover)->provider;
    if (!rc->wants_stream || rc->answer.has_begun || !failover_has_other(&rc->failover))
        return INT64_MAX;
    return rc->asked_ms + p->first_token_timeout_ms;
}

/* False when the call was ended by a limit; rc may be gone then. */
static bool check_limits(struct relay_chat *rc, int64_t now_ms)
{
    int64_t total = rc->accepted_ms + rc->core->config->total_timeout_ms;
    int64_t provider = rc->asked_ms + failover_route(&rc->failover)->provider->total_timeout_ms;
    int64_t silence = silence_limit(rc), slowness = slowness_limit(rc);
    rc->due_ms = earlier(earlier(rc->due_ms, provider), earlier(total, earlier(silence, slowness)));
    if (now_ms >= total)
        time_out(rc, "timeout_total", "the answer took longer than this server allows");
    else if (now_ms >= provider)
        give_provider_up(rc, FAILURE_SILENT, "timeout_total",
                         "the model provider took longer than this server allows");
    else if (now_ms >= slowness)
        give_provider_up(rc, FAILURE_SLOW, "timeout_first_token",
                         "the model provider did not begin to answer in time");
    else if (now_ms < silence)
        return true;
    else if (rc->state == RELAY_ASKING)
        give_provider_up(rc, FAILURE_SILENT, "timeout_first_byte",
                         "the model provider did not begin to answer in time");
    else
        give_provider_up(rc, FAILURE_SILENT, "timeout_idle",
                         "the model provider stopped in the middle of its answer");
    return false;
}

/* False when the client turned out to be gone; rc may be gone then. */
static bool beat(struct relay_chat *rc, int64_t now_ms)
{
    static const char comment[] = ": keep-alive\n\n";
    int64_t at = rc->sent_ms + rc->core->config->heartbeat_ms;
    if (!rc->wants_stream || rc->is_unheard || rc->client.is_gone)
        return true;
    if (now_ms >= at) {
        buf_puts(&rc->core->out, comment);
        if (!flush(rc))
            return false;
        at = now_ms + rc->core->config->heartbeat_ms;
    }
    rc->due_ms = earlier(rc->due_ms, at);
    return true;
}

void relay_chat_sweep(struct relay_chat *rc, int64_t now_ms)
{
    if (now_ms < rc->due_ms)
        return;
    rc->due_ms = INT64_MAX;
    switch (rc->state) {
    case RELAY_PAUSING:
        if (now_ms >= rc->retry_ms) {
            if (rc->failover.routing != NULL)
                ask(rc);
            else
                begin_asking(rc);
            return;
        }
        rc->due_ms = rc->retry_ms;
        break;
    case RELAY_ASKING:
    case RELAY_ANSWERING:
        if (!check_limits(rc, now_ms))
            return;
        break;
    case RELAY_RECORDING:
        return;
    case RELAY_ENDING:
        rc->due_ms = rc->client.progress_ms + rc->core->config->idle_timeout_ms;
        if (now_ms >= rc->due_ms)
            client_drop(&rc->client);
        return;
    }
    int64_t watch = rc->accepted_ms + WATCH_AFTER_MS;
    if (now_ms >= watch)
        client_watch(&rc->client);
    else
        rc->due_ms = earlier(rc->due_ms, watch);
    beat(rc, now_ms);
}

void relay_chat_shut_down(struct relay_chat *rc)
{
    if (rc->state == RELAY_RECORDING || rc->state == RELAY_ENDING)
        return;
    if (rc->answer.has_finished && rc->call != NULL) {
        complete(rc);
        return;
    }
    api_error(&rc->chat->error, 503, "server_shutdown", "",
              "the server is shutting down; try again");
    break_off_short(rc, "server_shutdown");
}
