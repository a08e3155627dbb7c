/* Where a chat goes when a route fails; see failover.h. */
#include "failover.h"

#include "common/clock.h"
#include "common/log.h"

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

/* The breaker of a route; NULL: it has none. */
static struct breaker *breaker_at(const struct failover *f, uint8_t i, bool make, int64_t now_ms)
{
    const struct route *route = f->routes[i];
    bool has_own = route->model != NULL;
    return breaker_of_route(routing_breakers(f->routing), route->provider->name,
                            has_own ? route->model : f->model, has_own || f->is_known, make,
                            now_ms);
}

static bool is_full(const struct provider *p)
{
    return p->max_open > 0 && p->open >= p->max_open;
}

/* Whether a route other than the one in use is left. */
static bool is_left(const struct failover *f, uint8_t i, enum failover_scope scope)
{
    const struct provider *p = f->routes[i]->provider;
    return i != f->at && !is_excluded(f, i) && p->is_usable && scope != SCOPE_NONE &&
           (scope != SCOPE_CONTINUES || p->continues != CONTINUES_NOT);
}

bool failover_has_left(const struct failover *f, enum failover_scope scope)
{
    for (uint8_t i = 0; i < f->count; i++)
        if (is_left(f, i, scope))
            return true;
    return false;
}

static bool is_at_hand(const struct failover *f, uint8_t i, int64_t now_ms)
{
    const struct provider *p = f->routes[i]->provider;
    const struct breaker *b = breaker_at(f, i, false, now_ms);
    return !is_full(p) && breaker_cooling(b, now_ms) == 0 &&
           breaker_peek(p->breaker, f->who, now_ms) != BREAKER_OPEN &&
           breaker_peek(b, f->who, now_ms) != BREAKER_OPEN;
}

bool failover_has_other(const struct failover *f, enum failover_scope scope)
{
    int64_t now = clock_ms();
    for (uint8_t i = 0; i < f->count; i++)
        if (is_left(f, i, scope) && is_at_hand(f, i, now))
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

/* Asks both breakers of a route, so that neither counts on a probe that is not made. */
static enum breaker_state ask_breakers(struct failover *f, uint8_t i, int64_t now_ms,
                                       int64_t *wait_ms)
{
    struct breaker *whole = f->routes[i]->provider->breaker;
    struct breaker *own = breaker_at(f, i, false, now_ms);
    if (breaker_peek(own, f->who, now_ms) == BREAKER_OPEN)
        return breaker_ask(own, f->who, now_ms, wait_ms);
    enum breaker_state state = breaker_ask(whole, f->who, now_ms, wait_ms);
    if (state == BREAKER_OPEN)
        return state;
    enum breaker_state of_own = breaker_ask(own, f->who, now_ms, wait_ms);
    if (of_own == BREAKER_OPEN && state == BREAKER_PROBING)
        breaker_undecided(whole, f->who, now_ms); /* another chat was quicker */
    return of_own != BREAKER_CLOSED ? of_own : state;
}

/* Whether the route may be asked now, for all that is known without its breakers. */
static bool is_open_to(const struct failover *f, uint8_t i, enum failover_scope scope,
                       int64_t now_ms, struct obstacle *o)
{
    const struct provider *p = f->routes[i]->provider;
    if (is_excluded(f, i) || !p->is_usable)
        return false;
    if (scope == SCOPE_CONTINUES && p->continues == CONTINUES_NOT)
        return false;
    int64_t wait = breaker_cooling(breaker_at(f, i, false, now_ms), now_ms);
    if (wait == 0 && is_full(p))
        wait = FULL_WAIT_MS;
    if (wait > 0)
        note_obstacle(o, wait, true);
    return wait == 0;
}

/* Chooses the first route that is not excluded and may be asked now. */
static bool choose(struct failover *f, enum failover_scope scope, int64_t now_ms,
                   struct obstacle *o)
{
    int64_t wait;
    *o = (struct obstacle){.wait_ms = INT64_MAX};
    for (uint8_t i = 0; i < f->count; i++) {
        if (!is_open_to(f, i, scope, now_ms, o))
            continue;
        enum breaker_state state = ask_breakers(f, i, now_ms, &wait);
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

bool failover_begin(struct failover *f, struct routing *routing, const char *model, bool is_known,
                    const char *user, unsigned *random, struct api_error *error)
{
    struct obstacle o;
    *f = (struct failover){
        .routing = routing, .model = model, .is_known = is_known, .who = breaker_who(user)};
    f->count = (uint8_t)routing_plan(routing, model, random, f->routes);
    if (choose(f, SCOPE_ALL, clock_ms(), &o))
        return true;
    if (o.wait_ms == INT64_MAX)
        return api_error(error, 503, "provider_unavailable", "",
                         "no provider of this model can be used; tell the server's operator");
    if (o.is_cooling)
        api_error(error, 429, "rate_limit_exceeded", "", "the model provider is at its rate limit");
    else
        api_error(error, 503, "provider_unavailable", "",
                  "the model provider keeps failing and is not asked for a moment");
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
    if (breaker_succeeded(breaker_at(f, f->at, false, clock_ms())))
        log_info("provider", "%s answers again for a model", p->label);
    f->is_probe = false;
}

void failover_undecided(struct failover *f)
{
    int64_t now = clock_ms();
    if (!f->is_probe)
        return;
    breaker_undecided(f->routes[f->at]->provider->breaker, f->who, now);
    breaker_undecided(breaker_at(f, f->at, false, now), f->who, now);
    f->is_probe = false;
}

static void count_against_route(struct failover *f, const struct config *config, int64_t now_ms)
{
    const struct provider *p = f->routes[f->at]->provider;
    struct breaker *b = breaker_at(f, f->at, true, now_ms);
    if (breaker_failed(b, f->who, now_ms, config->breaker_failures, config->breaker_open_ms))
        log_warn("provider",
                 "%s failed %lld times in a row for a model: its circuit breaker for that is open",
                 p->label, (long long)config->breaker_failures);
}

static void count_against_provider(struct failover *f, const struct config *config, int64_t now_ms)
{
    const struct provider *p = f->routes[f->at]->provider;
    if (breaker_failed(p->breaker, 0, now_ms, config->breaker_failures, config->breaker_open_ms))
        log_warn("provider", "%s failed %lld times in a row: its circuit breaker is open", p->label,
                 (long long)config->breaker_failures);
}

/* Holds the failure against whom it blames, and gives a probe back where it told nothing. */
static void count(struct failover *f, const struct config *config, const struct failure *failure,
                  int64_t now_ms)
{
    struct breaker *whole = f->routes[f->at]->provider->breaker;
    struct breaker *own = breaker_at(f, f->at, false, now_ms);
    if (failure->blame == BLAME_PROVIDER) {
        count_against_provider(f, config, now_ms);
        if (f->is_probe)
            breaker_undecided(own, f->who, now_ms);
        return;
    }
    /* Who answers, in whatever way, can be reached, and takes our key. */
    if (failure->was_answered)
        breaker_succeeded(whole);
    else if (f->is_probe)
        breaker_undecided(whole, f->who, now_ms);
    if (failure->blame == BLAME_ROUTE)
        count_against_route(f, config, now_ms);
    else if (f->is_probe)
        breaker_undecided(own, f->who, now_ms);
}

/* A request that was too long for one route is too long for all that take in no more. One other
 * model of which that is not known is tried. */
static void exclude_smaller(struct failover *f)
{
    const struct route *tried = f->routes[f->at];
    exclude(f, f->at);
    for (uint8_t i = 0; i < f->count; i++) {
        const struct route *route = f->routes[i];
        if (is_excluded(f, i) || route->context_tokens > tried->context_tokens)
            continue;
        bool is_other = route->of != NULL && tried->of != NULL && strcmp(route->of, tried->of) != 0;
        if (route->context_tokens == 0 && is_other && !f->took_size)
            f->took_size = true;
        else
            exclude(f, i);
    }
}

/* Without a time that was named, a route is left alone only where there are others. */
static void cool(const struct failover *f, const struct failure *failure, int64_t now_ms)
{
    int64_t wait = failure->retry_after_ms >= 0 ? failure->retry_after_ms : COOL_MS;
    if (!failure->is_of_size && (failure->retry_after_ms >= 0 || f->count > 1))
        breaker_cool(breaker_at(f, f->at, true, now_ms), now_ms,
                     wait < COOL_MAX_MS ? wait : COOL_MAX_MS);
}

/* What the failure says of routes: counts and excludes. */
static void learn(struct failover *f, const struct config *config, const struct failure *failure,
                  enum failover_scope scope, int64_t now_ms)
{
    count(f, config, failure, now_ms);
    switch (failure->kind) {
    case FAILURE_TRANSIENT:
        return;
    case FAILURE_SILENT:
    case FAILURE_DENIED:
        exclude_provider(f);
        return;
    case FAILURE_BUSY:
        cool(f, failure, now_ms);
        return;
    case FAILURE_TOO_LONG:
        exclude_smaller(f);
        return;
    case FAILURE_BROKEN:
    case FAILURE_SLOW:
    case FAILURE_NO_MODEL:
        exclude(f, f->at);
        return;
    case FAILURE_REFUSED:
        /* What is refused of an answer to be gone on with was not asked by the client. */
        if (scope == SCOPE_CONTINUES)
            exclude(f, f->at);
        else
            f->excluded = UINT8_MAX;
        return;
    }
}

/* Whether the route in use may be asked once more at once. */
static bool is_worth_another(struct failover *f, uint8_t at, int64_t now_ms)
{
    return breaker_peek(f->routes[at]->provider->breaker, f->who, now_ms) == BREAKER_CLOSED &&
           breaker_peek(breaker_at(f, at, false, now_ms), f->who, now_ms) == BREAKER_CLOSED;
}

enum failover_move failover_failed(struct failover *f, const struct config *config,
                                   const struct failure *failure, enum failover_scope scope,
                                   unsigned *random, int64_t *wait_ms)
{
    int64_t now = clock_ms(), retry_after_ms = failure->retry_after_ms;
    struct obstacle o;
    uint8_t at = f->at, tries = (uint8_t)(f->tries + 1);
    bool was_probe = f->is_probe;
    *wait_ms = 0;
    learn(f, config, failure, scope, now);
    f->is_probe = false;
    if (scope == SCOPE_NONE)
        return MOVE_NONE;
    bool may_try_again = scope == SCOPE_ALL && !was_probe && tries <= config->retries;
    if (failure->kind == FAILURE_TRANSIENT && may_try_again && is_worth_another(f, at, now)) {
        f->tries = tries;
        *wait_ms = QUICK_RETRY_MS + (int64_t)(routing_random(random) % (2 * QUICK_RETRY_MS));
        return MOVE_AGAIN;
    }
    exclude(f, at);
    if (choose(f, scope, now, &o))
        return MOVE_ON;
    f->at = at;
    if (failure->kind != FAILURE_BUSY || !may_try_again || retry_after_ms < 0 ||
        retry_after_ms > WAIT_MAX_MS)
        return MOVE_NONE;
    f->tries = tries;
    /* Not before the time that was named, and not all at that very time. */
    *wait_ms = retry_after_ms + (int64_t)(routing_random(random) % QUICK_RETRY_MS);
    return MOVE_AGAIN;
}
