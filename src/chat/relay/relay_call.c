/* A chat's calls of providers; see relay_chat.h. */
#include "relay_chat.h"

#include "asking.h"
#include "chat/shared/metrics.h"
#include "common/clock.h"
#include "common/log.h"
#include "wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LACK_KEPT_MS 3600000 /* how long a refused parameter of ours is not sent again */

/* --- what is noted --- */

/* Notes how the call under way, or the one that has ended, went: reason "" for well. */
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
    a->went_on_from = rc->answer.is_continued ? answer_characters(&rc->answer) : -1;
    chat->waited_ms += a->duration_ms;
    snprintf(a->reason, sizeof a->reason, "%s", reason);
}

/* The call is over: it is no longer open at its provider. */
static void forget_call(struct relay_chat *rc)
{
    rc->call = NULL;
    failover_route(&rc->failover)->provider->open--;
    free(rc->body);
    rc->body = NULL;
}

void relay_drop_call(struct relay_chat *rc, const char *reason)
{
    if (rc->call == NULL)
        return;
    note_attempt(rc, rc->state == RELAY_ANSWERING ? 200 : 0, reason);
    upstream_cancel(rc->call);
    forget_call(rc);
}

bool relay_is_over(const struct relay_chat *rc)
{
    return rc->answer.has_finished && !rc->answer.takes_back && rc->call != NULL;
}

/* The route answered: what was left out for it is not sent to its provider for a while. */
static void note_success(struct relay_chat *rc)
{
    struct breaker *b = failover_route(&rc->failover)->provider->breaker;
    for (int i = 0; i < BREAKER_LACKS; i++)
        if ((rc->without & (1u << i)) != 0)
            breaker_set_lack(b, i, clock_ms(), LACK_KEPT_MS);
    failover_succeeded(&rc->failover);
}

void relay_complete(struct relay_chat *rc)
{
    if (rc->call != NULL) {
        note_attempt(rc, 200, "");
        upstream_let_go(rc->call);
        forget_call(rc);
        note_success(rc);
    }
    relay_record(rc, CHAT_COMPLETE);
}

/* --- when a route fails --- */

/* Where the chat may go on: what was sent of a stream can be taken back where clients know that;
 * else another provider may go on with it. */
static enum failover_scope scope_of(const struct relay_chat *rc)
{
    if (rc->chat->upstream_body == NULL)
        return SCOPE_NONE; /* its memory was given back; its client may have got more then */
    if (!relay_client_has_some(rc))
        return SCOPE_ALL;
    if (rc->answer.wire->restart != NULL)
        return SCOPE_OTHERS;
    return failover_has_left(&rc->failover, SCOPE_CONTINUES) && answer_can_go_on(&rc->answer) &&
                   asking_may_go_on(rc->chat)
               ? SCOPE_CONTINUES
               : SCOPE_NONE;
}

/* Prepares for what comes next. False when rc has broken off. */
static bool prepare_next(struct relay_chat *rc, enum failover_scope scope)
{
    struct metrics *metrics = rc->core->options.metrics;
    if (scope == SCOPE_CONTINUES) {
        answer_go_on(&rc->answer);
        metrics_count(metrics, M_CONTINUATIONS, 1);
        return true;
    }
    answer_begin_again(&rc->answer);
    followers_restart(rc);
    if (scope == SCOPE_ALL)
        return true;
    rc->answer.wire->restart(&rc->core->out);
    metrics_count(metrics, M_RESTARTS, 1);
    return relay_flush(rc);
}

/* Ends with what failed first; later failures may be no more than complaints about the retry. */
static void give_up(struct relay_chat *rc)
{
    rc->chat->error = rc->first_error;
    relay_record(rc, rc->answer.has_begun ? CHAT_PARTIAL : CHAT_FAILED);
}

void relay_fail_over(struct relay_chat *rc, const struct failure *failure, bool soon)
{
    struct relay_core *core = rc->core;
    int64_t wait, now = clock_ms();
    enum failover_scope scope = scope_of(rc);
    if (rc->first_error.status == 0)
        rc->first_error = failure->error;
    rc->chat->error.status = 0;
    enum failover_move move =
        failover_failed(&rc->failover, core->config, failure, scope, &core->random, &wait);
    if (move == MOVE_NONE || now + wait >= rc->accepted_ms + core->config->total_timeout_ms) {
        failover_undecided(&rc->failover);
        give_up(rc);
        return;
    }
    if (move == MOVE_ON) {
        rc->without = 0;
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
    if (prepare_next(rc, scope) && wait == 0 && !soon)
        relay_ask(rc);
}

/* --- from the provider --- */

/* Whether the request will not be sent again. */
static bool is_settled(const struct relay_chat *rc)
{
    enum failover_scope scope = !relay_client_has_some(rc)         ? SCOPE_ALL
                                : rc->answer.wire->restart != NULL ? SCOPE_OTHERS
                                                                   : SCOPE_CONTINUES;
    return !failover_has_left(&rc->failover, scope);
}

/* Gives back the memory of a request that was sent and will not be sent again. */
static void forget_request(struct relay_chat *rc)
{
    if (rc->chat->upstream_body == NULL || !is_settled(rc) || !upstream_has_sent(rc->call))
        return;
    chat_forget_upstream_body(rc->chat);
    free(rc->body);
    rc->body = NULL;
}

static void on_too_large(struct relay_chat *rc)
{
    api_error(&rc->chat->error, 502, "answer_too_large", "",
              "the model's answer is longer than this server takes");
    relay_break_off_short(rc, "too_large");
}

static void on_event(void *arg, const char *event, const char *data, size_t len)
{
    struct relay_chat *rc = arg;
    struct failure failure;
    rc->state = RELAY_ANSWERING;
    forget_request(rc);
    enum answer_step step = answer_event(&rc->answer, event, data, len, &rc->core->out, &failure);
    if (step == ANSWER_GOES_ON || !relay_flush(rc))
        return;
    if (step == ANSWER_IS_WHOLE) {
        relay_complete(rc);
    } else if (step == ANSWER_TOO_LARGE) {
        on_too_large(rc);
    } else {
        relay_drop_call(rc, failure.reason);
        relay_fail_over(rc, &failure, true);
    }
}

static void on_bytes(void *arg)
{
    struct relay_chat *rc = arg;
    rc->received_ms = (int64_t)uv_now(&rc->core->loop);
    rc->has_bytes = true;
    relay_flush(rc);
}

/* Asks the same route at once without parameters of ours that it named when it refused them. True
 * when it is asked. */
static bool ask_without(struct relay_chat *rc, const struct upstream_result *result)
{
    unsigned named = 0;
    if (result->end == UPSTREAM_REFUSED &&
        (result->http_status == 400 || result->http_status == 422))
        named = asking_named(rc->chat, result->body->data, result->body->len) & ~rc->without;
    if (named == 0)
        return false;
    log_traced(LOG_INFO, rc->chat->id_text, chat_trace(rc->chat),
               "provider %s does not take %s%s%s: asked again without", rc->chat->provider,
               (named & ADDED_USAGE) != 0 ? "stream_options" : "",
               named == (ADDED_USAGE | ADDED_SEED) ? " and " : "",
               (named & ADDED_SEED) != 0 ? "seed" : "");
    rc->without |= named;
    relay_ask(rc);
    return true;
}

static void on_call_failed(struct relay_chat *rc, const struct upstream_result *result)
{
    struct failure failure;
    failure_of_call(result, &failure);
    note_attempt(rc, result->http_status, failure.reason);
    if (ask_without(rc, result))
        return;
    /* What the client did wrong is not worth waking anybody for. */
    log_traced(failure.error.status < 500 ? LOG_INFO : LOG_WARN, rc->chat->id_text,
               chat_trace(rc->chat), "provider %s: %s%s%s", rc->chat->provider, failure.reason,
               result->http_status == 0 ? ": " : "",
               result->http_status == 0 ? result->reason : "");
    relay_fail_over(rc, &failure, false);
}

static void on_whole_body(struct relay_chat *rc, const struct upstream_result *result)
{
    struct failure failure;
    switch (answer_body(&rc->answer, result->body, &rc->core->out, &failure)) {
    case ANSWER_GOES_ON:
    case ANSWER_IS_WHOLE:
        note_attempt(rc, result->http_status, "");
        note_success(rc);
        if (relay_flush(rc))
            relay_record(rc, CHAT_COMPLETE);
        return;
    case ANSWER_TOO_LARGE:
        note_attempt(rc, result->http_status, "too_large");
        on_too_large(rc);
        return;
    case ANSWER_FAILED:
        note_attempt(rc, result->http_status, failure.reason);
        relay_fail_over(rc, &failure, false);
        return;
    }
}

static void on_call_end(void *arg, const struct upstream_result *result)
{
    struct relay_chat *rc = arg;
    /* A finish_reason is the end, unless more came after it: then only the stream's end is. */
    const struct answer *answer = &rc->answer;
    bool is_over = result->is_stream &&
                   (result->end == UPSTREAM_ANSWERED ? answer->has_finished || answer->takes_back
                                                     : answer->has_finished && !answer->takes_back);
    forget_call(rc);
    if (is_over) {
        note_attempt(rc, result->http_status, "");
        note_success(rc);
        relay_record(rc, CHAT_COMPLETE);
    } else if (result->end != UPSTREAM_ANSWERED) {
        on_call_failed(rc, result);
    } else if (!result->is_stream) {
        on_whole_body(rc, result);
    } else {
        /* The stream ended as HTTP has it, and the answer did not. */
        struct upstream_result cut = *result;
        cut.end = UPSTREAM_CUT;
        on_call_failed(rc, &cut);
    }
}

/* --- to the provider --- */

/* Makes the request's body. False when memory ran out, or the chat's was given back. */
static bool make_body(struct relay_chat *rc, const struct route *route, const char **body,
                      size_t *len)
{
    const struct chat *chat = rc->chat;
    const struct answer *answer = &rc->answer;
    struct asking asking = {.model = route->model, .without = rc->without};
    for (int i = 0; i < BREAKER_LACKS; i++)
        if (breaker_lacks(route->provider->breaker, i, clock_ms()))
            asking.without |= 1u << i & asking_added(chat);
    if (answer->is_continued) {
        asking.goes_on = route->provider->continues;
        asking.in_words = asking.goes_on == CONTINUES_NOT;
        asking.text = chat->text.data;
        asking.len = answer->seam.len;
        asking.spent = answer->before.completion;
    }
    *len = chat->upstream_body_len;
    bool good = chat->upstream_body != NULL && asking_body(chat, &asking, &rc->body, len);
    *body = rc->body != NULL ? rc->body : chat->upstream_body;
    return good;
}

void relay_ask(struct relay_chat *rc)
{
    struct relay_core *core = rc->core;
    struct chat *chat = rc->chat;
    const struct route *route = failover_route(&rc->failover);
    struct upstream_owner owner = {
        .on_event = on_event, .on_bytes = on_bytes, .on_end = on_call_end, .arg = rc};
    struct upstream_request request = {.id = chat->id_text};
    rc->state = RELAY_ASKING;
    rc->asked_ms = rc->received_ms = clock_ms();
    rc->has_bytes = false;
    rc->due_ms = 0;
    snprintf(chat->provider, sizeof chat->provider, "%s", route->provider->label);
    char traceparent[64] = "";
    if (*chat_trace(chat) != '\0') /* this call is a span of its own: the last half of the id */
        snprintf(traceparent, sizeof traceparent, "00-%s-%.4s%.12s-%s", chat_trace(chat),
                 chat->id_text + 19, chat->id_text + 24, chat->request->trace_flags);
    request.traceparent = traceparent;
    if (make_body(rc, route, &request.body, &request.len))
        rc->call = upstream_start(&core->upstreams, route->provider, &owner, &request);
    if (rc->call != NULL) {
        route->provider->open++;
        return;
    }
    free(rc->body);
    rc->body = NULL;
    failover_undecided(&rc->failover);
    api_error_no_memory(&chat->error);
    relay_record(rc, rc->answer.has_begun ? CHAT_PARTIAL : CHAT_FAILED);
}

void relay_begin_asking(struct relay_chat *rc)
{
    struct relay_core *core = rc->core;
    struct chat *chat = rc->chat;
    if (failover_begin(&rc->failover, routings_current(core->options.routings), chat->model,
                       chat->is_model_known, chat->user_text, &core->random, &chat->error))
        relay_ask(rc);
    else
        relay_record(rc, CHAT_FAILED);
}
