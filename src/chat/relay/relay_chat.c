/* One chat in the relay's hands, from its beginning to its end; see relay_chat.h. */
#include "relay_chat.h"

#include "chat/shared/metrics.h"
#include "chat/shared/open_answers.h"
#include "chat/snapshot/limits.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/utf8.h"
#include "replay.h"
#include "wire.h"

#include <stdlib.h>

#define WATCH_AFTER_MS 50       /* most short chats are over by then */
#define RETRY_RECORDING_MS 1000 /* told to a client whose answer could not be kept */

static void conclude(struct relay_chat *rc);
static void give_cached(struct relay_chat *rc);

/* --- the end --- */

static void on_client_end(void *arg)
{
    struct relay_chat *rc = arg;
    *rc->link = rc->next;
    if (rc->next != NULL)
        rc->next->link = rc->link;
    rc->state = RELAY_ENDED;
    rc->next_ended = rc->core->ended;
    rc->core->ended = rc;
    atomic_fetch_sub(rc->core->open, 1);
}

void relay_chats_free(struct relay_core *core)
{
    while (core->ended != NULL) {
        struct relay_chat *rc = core->ended;
        core->ended = rc->next_ended;
        answer_release(&rc->answer);
        chat_free(rc->chat);
        failover_end(&rc->failover);
        free(rc->body);
        free(rc);
    }
}

/* Tokens were charged as they were estimated: now comes what was used. An answer from the cache, or
 * shared with another request, has used none: its usage is that of the first one. */
static void settle_limits(struct relay_chat *rc)
{
    const struct chat *chat = rc->chat;
    const struct limit_left *left = &chat->left;
    int64_t used = chat->prompt_tokens + chat->completion_tokens;
    int64_t charged = left->charged_tokens + left->charged_here;
    bool is_refused = chat->outcome == CHAT_FAILED && chat->error.status >= 400 &&
                      chat->error.status < 500 && chat->error.status != 429;
    /* Who is told of one limit may have others, which are settled in Postgres. */
    if (left->limit_requests == 0 && left->limit_tokens == 0)
        return;
    if (chat->cache.source_id[0] != '\0')
        used = 0;
    else if (is_refused && used < charged)
        used =
            charged; /* what no provider takes cost us as much, and is not to be had without end */
    limits_spend(rc->core->options.limits,
                 &(struct limit_who){.user = chat->user_text,
                                     .api_key = chat->request->who.key_id,
                                     .address = request_param(chat->request, "REMOTE_ADDR")},
                 used, left);
}

void relay_record(struct relay_chat *rc, enum chat_outcome outcome)
{
    struct chat *chat = rc->chat;
    buf_clear(&rc->core->out);
    flight_leave(rc);
    chat->outcome = outcome;
    answer_settle(&rc->answer);
    chat->response_time_ms = clock_ms() - rc->accepted_ms;
    settle_limits(rc);
    chat_forget_upstream_body(chat);
    rc->state = RELAY_RECORDING;
    rc->due_ms = 0;
    if (recorder_submit(rc->core->recorder, chat))
        return;
    log_traced(LOG_ERROR, chat->id_text, chat_trace(chat),
               "answer could not be recorded: the recorder's queue is full");
    chat->recorded = CHAT_NOT_RECORDED;
    conclude(rc);
}

void relay_break_off(struct relay_chat *rc, enum chat_outcome outcome, const char *reason)
{
    failover_undecided(&rc->failover);
    relay_drop_call(rc, reason);
    relay_record(rc, outcome);
}

void relay_break_off_short(struct relay_chat *rc, const char *reason)
{
    relay_break_off(rc, rc->answer.has_begun ? CHAT_PARTIAL : CHAT_FAILED, reason);
}

/* For the access log. */
static void tell_facts(const struct chat *chat)
{
    struct request_facts *facts = &chat->request->facts;
    bool is_new = chat->cache.source_id[0] == '\0'; /* an answer from the cache took no tokens */
    snprintf(facts->answer_id, sizeof facts->answer_id, "%s", chat->id_text);
    if (chat->error.status != 0)
        snprintf(facts->code, sizeof facts->code, "%s", chat->error.code);
    facts->outcome = chat_outcome_name(chat->outcome);
    facts->provider_ms = chat->waited_ms;
    facts->prompt_tokens = is_new ? chat->prompt_tokens : 0;
    facts->completion_tokens = is_new ? chat->completion_tokens : 0;
}

/* The chat is recorded, or could not be: its client gets the end. */
static void conclude(struct relay_chat *rc)
{
    struct relay_core *core = rc->core;
    struct chat *chat = rc->chat;
    flight_finish(&core->flights, rc, give_cached);
    open_answers_remove(core->options.open_answers, rc->place);
    rc->place = -1;
    metrics_answer(core->options.metrics, core->options.prices, chat);
    rc->state = RELAY_ENDING;
    rc->due_ms = 0;
    if (chat->recorded == CHAT_NOT_RECORDED && chat->error.status == 0) {
        api_error(&chat->error, 503, "not_recorded", "",
                  "the answer could not be saved, so it does not count; try again");
        chat->error.retry_after_ms = RETRY_RECORDING_MS;
    }
    tell_facts(chat);
    followers_end(rc);
    buf_clear(&core->out);
    if (rc->client.is_gone || rc->client.is_stalled)
        client_drop(&rc->client);
    else if (chat->error.status != 0)
        relay_tell_error(rc);
    else
        relay_tell_end(rc);
    buf_clear(&core->out);
}

void relay_chat_recorded(struct relay_chat *rc)
{
    conclude(rc);
}

/* --- the beginning --- */

/* An answer from the cache takes the place of a provider's. */
static void give_cached(struct relay_chat *rc)
{
    rc->state = RELAY_ANSWERING;
    if (replay_answer(&rc->answer, &rc->core->out)) {
        if (relay_flush(rc))
            relay_record(rc, CHAT_COMPLETE);
        return;
    }
    api_error_no_memory(&rc->chat->error);
    relay_record(rc, rc->answer.has_begun ? CHAT_PARTIAL : CHAT_FAILED);
}

static void start(struct relay_chat *rc)
{
    if (rc->chat->cache.answer != NULL) {
        give_cached(rc);
    } else if (flight_join(&rc->core->flights, rc)) {
        rc->state = RELAY_SHARING;
        rc->retry_ms = INT64_MAX;
    } else {
        relay_begin_asking(rc);
    }
}

/* Enters the chat into the directory of answers under way. */
static int be_found(struct relay_core *core, const struct chat *chat)
{
    struct open_answer a = {.id = chat->id,
                            .user = chat->request->who.user,
                            .client_request = chat->client_request,
                            .created_us = chat->created_us,
                            .slot = core->options.slot};
    if (!wire_of(chat->protocol)->can_be_followed || core->options.open_answers == NULL ||
        core->options.slot < 0 || !uuid_parse(chat->conversation_text, &a.conversation))
        return -1;
    return open_answers_add(core->options.open_answers, &a);
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
    rc->user = chat->request->who.user;
    rc->accepted_ms = chat->request->accepted_ms;
    rc->sent_ms = rc->accepted_ms;
    free(chat->request->body); /* all that matters of it is in the chat */
    chat->request->body = NULL;
    chat->request->body_len = 0;
    client_init(&rc->client, &core->loop, chat->request, (size_t)core->config->client_buffer_bytes);
    rc->client.on_gone = relay_client_gone;
    rc->client.on_end = on_client_end;
    rc->client.arg = rc;
    answer_init(&rc->answer, chat);
    rc->place = be_found(core, chat);
    rc->next = core->chats;
    rc->link = &core->chats;
    if (rc->next != NULL)
        rc->next->link = &rc->next;
    core->chats = rc;
    start(rc);
}

/* --- in between --- */

struct relay_chat *relay_chat_find(struct relay_core *core, const struct uuid *id,
                                   const struct uuid *user)
{
    for (struct relay_chat *rc = core->chats; rc != NULL; rc = rc->next)
        if (uuid_equal(&rc->chat->id, id) && uuid_equal(&rc->user, user))
            return rc;
    return NULL;
}

void relay_chat_sweep(struct relay_chat *rc, int64_t now_ms)
{
    if (now_ms < rc->due_ms)
        return;
    rc->due_ms = INT64_MAX;
    switch (rc->state) {
    case RELAY_SHARING:
        if (now_ms >= rc->retry_ms) {
            relay_begin_asking(rc);
            return;
        }
        rc->due_ms = rc->retry_ms;
        break;
    case RELAY_PAUSING:
        if (now_ms >= rc->retry_ms) {
            relay_ask(rc);
            return;
        }
        rc->due_ms = rc->retry_ms;
        break;
    case RELAY_ASKING:
    case RELAY_ANSWERING:
        if (!relay_check_limits(rc, now_ms))
            return;
        break;
    case RELAY_RECORDING:
    case RELAY_ENDED:
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
        rc->due_ms = relay_earlier(rc->due_ms, watch);
    relay_beat(rc, now_ms);
}

void relay_chat_stop(struct relay_chat *rc)
{
    if (rc->state >= RELAY_RECORDING)
        return; /* it is finished already */
    api_error(&rc->chat->error, 499, "stopped", "", "the answer was stopped");
    relay_break_off(rc, CHAT_CANCELLED, "stopped");
}

void relay_chat_shut_down(struct relay_chat *rc)
{
    if (rc->state >= RELAY_RECORDING)
        return;
    if (relay_is_over(rc)) {
        relay_complete(rc);
        return;
    }
    api_error(&rc->chat->error, 503, "server_shutdown", "",
              "the server is shutting down; try again");
    relay_break_off_short(rc, "server_shutdown");
}
