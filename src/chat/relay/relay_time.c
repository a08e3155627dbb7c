/* Limits on the time that a chat's calls take; see relay_chat.h. */
#include "relay_chat.h"

#include "common/log.h"

/* For what a provider may still send when its last chunk has come; most send [DONE] at once. */
#define CLOSING_WAIT_MS 2000
#define LOOK_AGAIN_MS 1000 /* for another route, when the one in use is slow */

static void time_out(struct relay_chat *rc, const char *reason, const char *message)
{
    if (relay_is_over(rc)) {
        relay_complete(rc);
        return;
    }
    api_error(&rc->chat->error, 504, "provider_timeout", "", "%s", message);
    relay_break_off_short(rc, reason);
}

/* The provider is given up for its silence, not the chat. */
static void give_provider_up(struct relay_chat *rc, enum failure_kind kind, const char *reason,
                             const char *message)
{
    struct failure failure;
    if (relay_is_over(rc)) {
        relay_complete(rc);
        return;
    }
    log_traced(LOG_WARN, rc->chat->id_text, chat_trace(rc->chat), "provider %s: %s",
               rc->chat->provider, reason);
    relay_drop_call(rc, reason);
    failure_of_patience(kind, reason, message, &failure);
    relay_fail_over(rc, &failure, false);
}

/*
 * When the provider has been silent for too long: for its first byte, for the first event, or since
 * the last byte. Whatever comes is a sign of life, also comments, and blank lines before a body; a
 * body that comes whole may take as long as the answer in all.
 */
static int64_t silence_limit(const struct relay_chat *rc)
{
    const struct provider *p = failover_route(&rc->failover)->provider;
    if (rc->state == RELAY_ANSWERING && rc->answer.is_closing)
        return rc->received_ms + relay_earlier(p->idle_timeout_ms, CLOSING_WAIT_MS);
    if (rc->state == RELAY_ANSWERING)
        return rc->received_ms + p->idle_timeout_ms;
    if (rc->has_bytes) {
        bool waits_longer = p->first_byte_timeout_ms > p->idle_timeout_ms;
        return rc->received_ms + (waits_longer ? p->first_byte_timeout_ms : p->idle_timeout_ms);
    }
    if (!rc->wants_stream)
        return INT64_MAX;
    bool has_head = rc->call != NULL && upstream_has_head(rc->call);
    return rc->asked_ms + p->first_byte_timeout_ms + (has_head ? p->idle_timeout_ms : 0);
}

/* When the first token has taken too long; never where no other route is left, and not while none
 * could be asked, which is looked at again. */
static int64_t slowness_limit(const struct relay_chat *rc, int64_t now_ms)
{
    const struct provider *p = failover_route(&rc->failover)->provider;
    enum failover_scope scope = rc->answer.is_continued ? SCOPE_CONTINUES : SCOPE_ALL;
    if (!rc->wants_stream || answer_speaks(&rc->answer) || !failover_has_left(&rc->failover, scope))
        return INT64_MAX;
    int64_t limit = rc->asked_ms + p->first_token_timeout_ms;
    bool is_vain = now_ms >= limit && !failover_has_other(&rc->failover, scope);
    return is_vain ? now_ms + LOOK_AGAIN_MS : limit;
}

bool relay_check_limits(struct relay_chat *rc, int64_t now_ms)
{
    int64_t total = rc->accepted_ms + rc->core->config->total_timeout_ms;
    int64_t provider = rc->asked_ms + failover_route(&rc->failover)->provider->total_timeout_ms;
    int64_t silence = silence_limit(rc), slowness = slowness_limit(rc, now_ms);
    rc->due_ms = relay_earlier(relay_earlier(rc->due_ms, provider),
                               relay_earlier(total, relay_earlier(silence, slowness)));
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
