/* What a chat's client is sent; see relay_chat.h. */
#include "relay_chat.h"

#include "single_flight.h"
#include "wire.h"

#include <string.h>

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

bool relay_client_has_some(const struct relay_chat *rc)
{
    return rc->wants_stream && rc->answer.has_begun && !rc->is_detached;
}

/* Whether the answer goes on when its client has gone: always where it can be picked up. */
static bool goes_on_detached(const struct relay_chat *rc)
{
    return rc->answer.wire->can_be_followed || rc->core->config->finish_on_hangup ||
           flight_is_awaited(rc);
}

void relay_client_gone(void *arg)
{
    struct relay_chat *rc = arg;
    if (rc->state >= RELAY_RECORDING)
        return; /* noticed when it comes back */
    if (goes_on_detached(rc)) {
        rc->is_detached = true;
        return;
    }
    api_error(&rc->chat->error, 499, "client_closed", "", "the client went away");
    relay_break_off(rc, CHAT_CANCELLED, "client_closed");
}

bool relay_flush(struct relay_chat *rc)
{
    struct relay_core *core = rc->core;
    struct buf *from = &core->out;
    bool good;
    followers_update(rc);
    if (from->len == 0)
        return true;
    if (rc->is_detached) {
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
        relay_break_off_short(rc, "out_of_memory");
        return false;
    }
    good = client_send(&rc->client, from->data, from->len);
    buf_clear(&core->out);
    rc->sent_ms = (int64_t)uv_now(&core->loop);
    if (good)
        return true;
    if (rc->client.is_stalled && goes_on_detached(rc)) {
        rc->is_detached = true; /* what it has not read it can pick up */
        return true;
    }
    if (rc->client.is_stalled) {
        api_error(&rc->chat->error, 499, "client_stalled", "",
                  "the client did not read the answer");
        relay_break_off(rc, CHAT_CANCELLED, "client_stalled");
        return false;
    }
    relay_client_gone(rc);
    return rc->is_detached;
}

bool relay_beat(struct relay_chat *rc, int64_t now_ms)
{
    static const char comment[] = ": keep-alive\n\n";
    int64_t at = rc->sent_ms + rc->core->config->heartbeat_ms;
    if (!rc->wants_stream || rc->is_detached || rc->client.is_gone)
        return true;
    if (now_ms >= at) {
        buf_puts(&rc->core->out, comment);
        if (!relay_flush(rc))
            return false;
        at = now_ms + rc->core->config->heartbeat_ms;
    }
    rc->due_ms = relay_earlier(rc->due_ms, at);
    return true;
}

/* --- the end --- */

/* Sends the end. What memory did not suffice for is not sent in part: nginx tells its client that
 * the answer was cut short. */
static void send_end(struct relay_chat *rc, const struct buf *text)
{
    if (text->failed)
        client_drop(&rc->client);
    else
        client_end(&rc->client, text->data, text->len);
}

void relay_tell_error(struct relay_chat *rc)
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

void relay_tell_end(struct relay_chat *rc)
{
    struct relay_core *core = rc->core;
    struct buf *from = &core->out;
    if (!answer_end(&rc->answer, &core->out)) {
        api_error(&rc->chat->error, 503, "out_of_memory", "",
                  "the server ran out of memory; the answer is recorded");
        buf_clear(&core->out);
        relay_tell_error(rc);
        return;
    }
    if (!rc->has_head) {
        put_head(rc, 200, rc->wants_stream);
        buf_append(&core->head, from->data, from->len);
        from = &core->head;
    }
    send_end(rc, from);
}
