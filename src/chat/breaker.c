/* Circuit breakers of providers; see breaker.h. */
#include "breaker.h"

#include "../common/utf8.h"

#include <sched.h>
#include <string.h>

enum claim { FREE, BEING_NAMED, NAMED };

/* Another worker is naming the place. It writes a few bytes, unless it died over them: then the
 * place is lost, and nothing else. */
static bool await_name(struct breaker *b)
{
    for (int i = 0; i < 1000; i++) {
        if (atomic_load_explicit(&b->claim, memory_order_acquire) == NAMED)
            return true;
        sched_yield();
    }
    return false;
}

struct breaker *breaker_find(struct breakers *all, const char *name)
{
    size_t len = utf8_cut(name, BREAKER_NAME_MAX);
    for (int i = 0; i < BREAKERS_MAX; i++) {
        struct breaker *b = &all->places[i];
        int claim = FREE;
        if (atomic_compare_exchange_strong(&b->claim, &claim, BEING_NAMED)) {
            memcpy(b->name, name, len);
            b->name[len] = '\0';
            atomic_store_explicit(&b->claim, NAMED, memory_order_release);
            return b;
        }
        if (claim == BEING_NAMED && !await_name(b))
            continue;
        if (strncmp(b->name, name, len) == 0 && b->name[len] == '\0')
            return b;
    }
    return NULL;
}

enum breaker_state breaker_ask(struct breaker *b, int64_t now_ms, int64_t *wait_ms)
{
    *wait_ms = 0;
    if (b == NULL)
        return BREAKER_CLOSED;
    int64_t open_until = atomic_load(&b->open_until_ms);
    if (open_until == 0)
        return BREAKER_CLOSED;
    if (now_ms < open_until) {
        *wait_ms = open_until - now_ms;
        return BREAKER_OPEN;
    }
    int_fast64_t probe_until = atomic_load(&b->probe_until_ms);
    if (now_ms >= probe_until &&
        atomic_compare_exchange_strong(&b->probe_until_ms, &probe_until, now_ms + BREAKER_PROBE_MS))
        return BREAKER_PROBING;
    *wait_ms = 1000; /* the probe's end is not known; most are over by then */
    return BREAKER_OPEN;
}

bool breaker_succeeded(struct breaker *b)
{
    /* Mostly there is nothing to write, and the cache line stays shared between the cores. */
    if (b == NULL || (atomic_load_explicit(&b->failures, memory_order_relaxed) == 0 &&
                      atomic_load_explicit(&b->open_until_ms, memory_order_relaxed) == 0))
        return false;
    atomic_store(&b->failures, 0);
    atomic_store(&b->openings, 0);
    atomic_store(&b->probe_until_ms, 0);
    return atomic_exchange(&b->open_until_ms, 0) != 0;
}

bool breaker_failed(struct breaker *b, int64_t now_ms, int64_t failures_max, int64_t open_ms)
{
    if (b == NULL || failures_max == 0)
        return false;
    int failures = atomic_fetch_add(&b->failures, 1) + 1;
    int64_t open_until = atomic_load(&b->open_until_ms);
    bool was_open = open_until != 0;
    /* Calls that began before it opened end while it is open, and tell nothing new. */
    if (was_open ? now_ms < open_until : failures < failures_max)
        return false;
    int openings = atomic_fetch_add(&b->openings, 1);
    if (openings > BREAKER_DOUBLINGS)
        openings = BREAKER_DOUBLINGS;
    atomic_store(&b->open_until_ms, now_ms + (open_ms << openings));
    atomic_store(&b->probe_until_ms, 0);
    return !was_open;
}

void breaker_cool(struct breaker *b, int64_t now_ms, int64_t for_ms)
{
    if (b != NULL && now_ms + for_ms > atomic_load(&b->cool_until_ms))
        atomic_store(&b->cool_until_ms, now_ms + for_ms);
}

int64_t breaker_cooling(const struct breaker *b, int64_t now_ms)
{
    int64_t until =
        b != NULL ? (int64_t)atomic_load_explicit(&b->cool_until_ms, memory_order_relaxed) : 0;
    return until > now_ms ? until - now_ms : 0;
}

enum breaker_state breaker_state(const struct breaker *b, int64_t now_ms)
{
    int64_t open_until = b != NULL ? (int64_t)atomic_load(&b->open_until_ms) : 0;
    if (open_until == 0)
        return BREAKER_CLOSED;
    return now_ms < open_until ? BREAKER_OPEN : BREAKER_PROBING;
}

const struct breaker *breakers_next(const struct breakers *all, int *at)
{
    while (*at < BREAKERS_MAX) {
        const struct breaker *b = &all->places[(*at)++];
        /* Names with a space are of a provider's models, which only cool. */
        if (atomic_load_explicit(&b->claim, memory_order_acquire) == NAMED &&
            strchr(b->name, ' ') == NULL)
            return b;
    }
    return NULL;
}
