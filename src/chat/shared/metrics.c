/* Counting; see metrics.h. metrics_write.c tells what was counted. */
#include "metrics.h"

#include "chat/chat.h"
#include "common/clock.h"
#include "common/utf8.h"
#include "metrics_bounds.h"

#include <string.h>

static void add(atomic_uint_fast64_t *counter, uint64_t more)
{
    atomic_fetch_add_explicit(counter, more, memory_order_relaxed);
}

static uint64_t at_least_0(int64_t value)
{
    return value > 0 ? (uint64_t)value : 0;
}

static void observe(struct metrics *m, enum histogram which, int64_t ms)
{
    int bucket = 0;
    if (m == NULL || ms < 0)
        return;
    while (bucket < METRICS_BUCKETS && ms > metrics_bounds_ms[which][bucket])
        bucket++;
    add(&m->histograms[which].counts[bucket], 1);
    add(&m->histograms[which].sum_ms, (uint64_t)ms);
}

void metrics_request(struct metrics *m, int endpoint, int status)
{
    if (m == NULL || endpoint < 0 || endpoint >= METRICS_ENDPOINTS)
        return;
    add(&m->requests[endpoint][status >= 100 && status < 600 ? status / 100 : 0], 1);
}

static void count_cost(struct metrics_place *place, struct prices *prices, const struct chat *chat,
                       const char *model)
{
    double usd;
    if (!prices_cost(prices, model, chat->provider,
                     &(struct token_counts){chat->prompt_tokens, chat->cached_tokens,
                                            chat->completion_tokens},
                     &usd))
        add(&place->unpriced, 1);
    else if (usd > 0)
        add(&place->cost_nano_usd, (uint64_t)(usd * 1e9 + 0.5));
}

enum claim { FREE, BEING_NAMED, NAMED };

/* Whether a name, in an array of size bytes, is this text so far as it fits. */
static bool is_cut_of(const char *name, size_t size, const char *text)
{
    size_t len = strlen(name);
    return len == utf8_cut(text, size - 1) && memcmp(name, text, len) == 0;
}

/* The place of a provider and a model, "other" when there is none left. Only the relay's thread of
 * a worker names places, but workers may share a block. */
static struct metrics_place *find_place(struct metrics *m, const char *provider, const char *model)
{
    for (int i = 0; i < METRICS_PLACES; i++) {
        struct metrics_place *place = &m->places[i];
        int claim = FREE;
        if (atomic_compare_exchange_strong(&place->claim, &claim, BEING_NAMED)) {
            utf8_copy(place->provider, sizeof place->provider, provider);
            utf8_copy(place->model, sizeof place->model, model);
            atomic_store_explicit(&place->claim, NAMED, memory_order_release);
            return place;
        }
        if (claim == NAMED && is_cut_of(place->provider, sizeof place->provider, provider) &&
            is_cut_of(place->model, sizeof place->model, model))
            return place;
    }
    return &m->places[METRICS_PLACES];
}

static enum attempt_end end_of(const struct chat_attempt *a)
{
    if (a->reason[0] == '\0')
        return A_OK;
    if (strncmp(a->reason, "status_", 7) == 0)
        return a->http_status == 429  ? A_STATUS_429
               : a->http_status < 500 ? A_STATUS_4XX
                                      : A_STATUS_5XX;
    if (strncmp(a->reason, "timeout_", 8) == 0)
        return A_TIMEOUT;
    if (strcmp(a->reason, "connect") == 0)
        return A_CONNECT;
    if (strcmp(a->reason, "reset") == 0)
        return A_RESET;
    return strcmp(a->reason, "cut") == 0 ? A_CUT : A_OTHER;
}

static void count_attempts(struct metrics *m, struct prices *prices, const struct chat *chat)
{
    struct metrics_place *place = NULL;
    for (int i = 0; i < chat->attempt_count; i++) {
        const struct chat_attempt *a = &chat->attempts[i];
        /* Whatever name a client makes up is no label of its own. */
        const char *model = a->model != NULL ? a->model : chat->is_model_known ? chat->model : NULL;
        place = find_place(m, a->provider != NULL ? a->provider : chat->provider,
                           model != NULL ? model : METRICS_OTHER);
        add(&place->attempts[end_of(a)], 1);
    }
    if (place == NULL || chat->prompt_tokens + chat->completion_tokens == 0)
        return;
    add(&place->answers, 1);
    add(&place->prompt_tokens, at_least_0(chat->prompt_tokens));
    add(&place->cached_tokens, at_least_0(chat->cached_tokens));
    add(&place->completion_tokens, at_least_0(chat->completion_tokens));
    const char *model = chat->model_used != NULL ? chat->model_used : chat->model;
    if (prices != NULL && model != NULL)
        count_cost(place, prices, chat, model);
}

static void count_cache(struct metrics *m, const struct chat *chat)
{
    if (chat->cache.result == CACHE_MISS)
        metrics_count(m, M_CACHE_MISSES, 1);
    else if (chat->cache.result == CACHE_HIT)
        metrics_count(m, M_CACHE_HITS, 1);
    else if (chat->cache.result == CACHE_SHARED)
        metrics_count(m, M_CACHE_SHARED, 1);
    if (chat->cache.source_id[0] != '\0')
        metrics_count(m, M_SAVED_TOKENS, at_least_0(chat->prompt_tokens + chat->completion_tokens));
}

void metrics_answer(struct metrics *m, struct prices *prices, const struct chat *chat)
{
    int64_t waited = chat->waited_ms, now = clock_ms();
    if (m == NULL)
        return;
    add(&m->answers[chat->protocol][chat->outcome], 1);
    if (chat->cache.source_id[0] == '\0')
        count_attempts(m, prices, chat);
    count_cache(m, chat);
    if (chat->degraded)
        metrics_count(m, M_DEGRADED, 1);
    if (chat->recorded == CHAT_SPOOLED)
        metrics_count(m, M_SPOOLED, 1);
    else if (chat->recorded == CHAT_NOT_RECORDED)
        metrics_count(m, M_NOT_RECORDED, 1);
    observe(m, H_RESPONSE, chat->response_time_ms);
    observe(m, H_FIRST_TOKEN, chat->time_to_first_token_ms);
    if (chat->request != NULL)
        observe(m, H_OVERHEAD, now - chat->request->accepted_ms - waited);
}
