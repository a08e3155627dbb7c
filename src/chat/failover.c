/* Where a chat goes when a route fails; see failover.h. */
#include "failover.h"

#include "../common/clock.h"
#include "../common/log.h"

#include <string.h>

#define QUICK_RETRY_MS 50 /* and up to twice as much again */
#define WAIT_MAX_MS 2000  /* the longest Retry-After that is waited for */
#define COOL_MS 1000      /* for a provider that is busy and does not say for how long */
#define COOL_MAX_MS 60000 /* what a provider says may be wrong, too */
#define FULL_WAIT_MS 1000 /* told to a client while a provider has all the chats it may have */

const struct route *failover_route(const struct failover *f)
{
    return f->routes[f->at];
}

static bool is_excluded(const struct failover *f, uint8_t i)
{
    return (f->excluded & (1u << i)) != 0;
}

static void exclude(struct failover *f, uint8_t i)
{
    f->excluded = (uint8_t)(f->excluded | (1u << i));
}

static void exclude_provider(struct failover *f)
{
    const struct provider *p = f->routes[f->at]->provider;
    for (uint8_t i = 0; i < f->count; i++)
        if (f->routes[i]->provider == p)
            exclude(f, i);
}

bool failover_has_other(const struct failover *f)
{
    for (uint8_t i = 0; i < f->count; i++)
        if (i != f->at && !is_excluded(f, i))
            return true;
    return false;
}

/* What keeps a client from being answered, when nothing can be asked. */
struct obstacle {
    int64_t wait_ms; /* the shortest */
    bool is_cooling; /* of that one */
};

static void note_obstacle(struct obstacle *o, int64_t wait_ms, bool is_cooling)
{
    if (wait_ms >= o->wait_ms)
        return;
    o->wait_ms = wait_ms;
    o->is_cooling = is_cooling;
}

/* Chooses the first route that is not excluded and may be asked now. */
static bool choose(struct failover *f, int64_t now_ms, struct obstacle *o)
{
    *o = (struct obstacle){.wait_ms = INT64_MAX};
    for (uint8_t i = 0; i < f->count; i++) {
        const struct route *route = f->routes[i];
        int64_t wait = breaker_cooling(route->cooling, now_ms);
        if (is_excluded(f, i) || !route->provider->is_usable)
            continue;
        if (wait > 0) {
            note_obstacle(o, wait, true);
            continue;
        }
        if (route->provider->max_open > 0 && route->provider->open >= route->provider->max_open) {
            note_obstacle(o, FULL_WAIT_MS, true);
            continue;
        }
        enum breaker_state state = breaker_ask(route->provider->breaker, now_ms, &wait);
        if (state == BREAKER_OPEN) {
            note_obstacle(o, wait, false);
            continue;
        }
        f->at = i;
        f->tries = 0;
        f->is_probe = state == BREAKER_PROBING;
        return true;
    }
    return false;
}

bool failover_begin(struct failover *f, struct routing *routing, const char *model,
                    unsigned *random, struct api_error *error)
{
    struct obstacle o;
    *f = (struct failover){.routing = routing};
    f->count = (uint8_t)routing_plan(routing, model, random, f->routes);
    if (choose(f, clock_ms(), &o))
        return true;
    if (o.wait_ms == INT64_MAX)
        return api_error(error, 503, "provider_unavailable", "",
                         "no provider of this model can be used; tell the server's operator");
    if (o.is_cooling)
        api_error(error, 429, "rate_limit_exceeded", "", "the model provider is at its rate limit");
    else
        api_error(error, 503, "provider_unavailable", "",
                  "the model provider keeps failing and is left alone for a moment");
    error->retry_after_ms = o.wait_ms;
    return false;
}

void failover_end(struct failover *f)
{
    routing_release(f->routing);
    *f = (struct failover){.routing = NULL};
}

void failover_succeeded(struct failover *f)
{
    const struct provider *p = f->routes[f->at]->provider;
    if (breaker_succeeded(p->breaker))
        log_info("provider", "%s answers again", p->label);
}

static void count_failure(struct failover *f, const struct config *config, int64_t now_ms)
{
    const struct provider *p = f->routes[f->at]->provider;
    if (breaker_failed(p->breaker, now_ms, config->breaker_failures, config->breaker_open_ms))
        log_warn("provider", "%s failed %lld times in a row: it is left alone for a moment",
                 p->label, (long long)config->breaker_failures);
}

/* A request that was too long for one route is too long for all that take in no more. */
static void exclude_smaller(struct failover *f)
{
    int64_t size = f->routes[f->at]->context_tokens;
    for (uint8_t i = 0; i < f->count; i++)
        if (f->routes[i]->context_tokens <= size)
            exclude(f, i);
}

static void cool(const struct failover *f, int64_t retry_after_ms, int64_t now_ms)
{
    int64_t wait = retry_after_ms >= 0 ? retry_after_ms : COOL_MS;
    breaker_cool(f->routes[f->at]->cooling, now_ms, wait < COOL_MAX_MS ? wait : COOL_MAX_MS);
}

/* What the failure says of routes: counts and excludes. */
static void learn(struct failover *f, const struct config *config, enum failure_kind kind,
                  int64_t retry_after_ms, int64_t now_ms)
{
    switch (kind) {
    case FAILURE_TRANSIENT:
        count_failure(f, config, now_ms);
        return;
    case FAILURE_SILENT:
    case FAILURE_DENIED:
        count_failure(f, config, now_ms);
        exclude_provider(f);
        return;
    case FAILURE_BROKEN:
        count_failure(f, config, now_ms);
        exclude(f, f->at);
        return;
    case FAILURE_BUSY:
        cool(f, retry_after_ms, now_ms);
        return;
    case FAILURE_TOO_LONG:
        exclude_smaller(f);
        exclude(f, f->at);
        return;
    case FAILURE_SLOW:
    case FAILURE_NO_MODEL:
        exclude(f, f->at);
        return;
    case FAILURE_REFUSED:
        f->excluded = UINT8_MAX;
        return;
    }
}

enum failover_move failover_failed(struct failover *f, const struct config *config,
                                   enum failure_kind kind, int64_t retry_after_ms, bool may_repeat,
                                   bool may_stay, unsigned *random, int64_t *wait_ms)
{
    int64_t now = clock_ms(), ignored;
    struct obstacle o;
    uint8_t at = f->at, tries = (uint8_t)(f->tries + 1);
    bool was_probe = f->is_probe;
    *wait_ms = 0;
    f->is_probe = false;
    learn(f, config, kind, retry_after_ms, now);
    if (!may_repeat)
        return MOVE_NONE;
    bool may_try_again = may_stay && !was_probe && tries <= config->retries;
    if (kind == FAILURE_TRANSIENT && may_try_again &&
        breaker_ask(f->routes[at]->provider->breaker, now, &ignored) == BREAKER_CLOSED) {
        f->tries = tries;
        *wait_ms = QUICK_RETRY_MS + (int64_t)(routing_random(random) % (2 * QUICK_RETRY_MS));
        return MOVE_AGAIN;
    }
    exclude(f, at);
    if (choose(f, now, &o))
        return MOVE_ON;
    f->at = at;
    if (kind != FAILURE_BUSY || !may_try_again || retry_after_ms < 0 ||
        retry_after_ms > WAIT_MAX_MS)
        return MOVE_NONE;
    f->tries = tries;
    /* Not before the time that was named, and not all at that very time. */
    *wait_ms = retry_after_ms + (int64_t)(routing_random(random) % QUICK_RETRY_MS);
    return MOVE_AGAIN;
}
