/* Circuit breakers of providers and their models; see breaker.h. */
#include "breaker.h"

#include "common/utf8.h"

#include <sched.h>
#include <string.h>

#define BEING_NAMED 1
#define WAYS 8 /* places that a route may take */

/* --- places --- */

static uint64_t hash(uint64_t from, const char *text)
{
    for (; *text != '\0'; text++)
        from = (from ^ (unsigned char)*text) * UINT64_C(1099511628211); /* FNV-1a */
    return from;
}

static uint64_t key_of(const char *provider, const char *model)
{
    uint64_t key = hash(hash(UINT64_C(14695981039346656037), provider) ^ 0xff, model);
    return key > BEING_NAMED ? key : BEING_NAMED + 1;
}

uint64_t breaker_who(const char *user)
{
    return key_of(user, "");
}

static void forget_failures(struct breaker *b)
{
    for (int i = 0; i < BREAKER_USERS; i++) {
        atomic_store(&b->users[i].failures, 0);
        atomic_store(&b->users[i].open_until_ms, 0);
        atomic_store(&b->users[i].who, 0);
    }
    atomic_store(&b->certain, 0);
    atomic_store(&b->others, 0);
    atomic_store(&b->openings, 0);
    atomic_store(&b->probe_until_ms, 0);
    atomic_store(&b->prober, 0);
    atomic_store(&b->failures, 0);
}

/* Takes a place whose key is what it was a moment ago. False when another worker did. */
static bool name_place(struct breaker *b, uint_fast64_t was, uint64_t key, const char *provider,
                       const char *model, bool is_known)
{
    if (!atomic_compare_exchange_strong(&b->key, &was, BEING_NAMED))
        return false;
    forget_failures(b);
    atomic_store(&b->open_until_ms, 0);
    atomic_store(&b->cool_until_ms, 0);
    atomic_store(&b->failed_ms, 0);
    utf8_copy(b->provider, sizeof b->provider, provider);
    utf8_copy(b->model, sizeof b->model, is_known ? model : BREAKER_OTHER);
    atomic_store(&b->shown, key_of(b->provider, b->model));
    atomic_store(&b->is_made_up, !is_known);
    atomic_store_explicit(&b->key, key, memory_order_release);
    return true;
}

/* Another worker is naming the place. It writes a few bytes, unless it died over them: then the
 * place is lost, and nothing else. */
static uint64_t named_key(const struct breaker *b)
{
    uint64_t key = BEING_NAMED;
    for (int i = 0; i < 1000; i++) {
        key = atomic_load_explicit(&b->key, memory_order_acquire);
        if (key != BEING_NAMED)
            return key;
        sched_yield();
    }
    return key;
}

struct breaker *breaker_of_provider(struct breakers *all, const char *provider)
{
    uint64_t wanted = key_of(provider, "");
    for (int i = 0; i < BREAKER_PROVIDERS; i++) {
        struct breaker *b = &all->providers[i];
        uint64_t key = named_key(b);
        if (key == 0 && name_place(b, 0, wanted, provider, "", true))
            return b;
        if (named_key(b) == wanted)
            return b;
    }
    return NULL;
}

/* Whether it is of no use to anybody (it was never of a route, or it is closed), or of less than
 * one whose model is known. */
static bool may_give_way(const struct breaker *b, bool to_known, int64_t now_ms)
{
    return (atomic_load(&b->open_until_ms) == 0 && breaker_cooling(b, now_ms) == 0) ||
           (to_known && atomic_load(&b->is_made_up));
}

struct breaker *breaker_of_route(struct breakers *all, const char *provider, const char *model,
                                 bool is_known, bool make, int64_t now_ms)
{
    if (all == NULL)
        return NULL;
    uint64_t wanted = key_of(provider, model);
    struct breaker *set = &all->routes[wanted % (BREAKER_ROUTES / WAYS) * WAYS], *oldest = NULL;
    uint64_t oldest_key = 0;
    for (int i = 0; i < WAYS; i++) {
        uint64_t key = atomic_load_explicit(&set[i].key, memory_order_acquire);
        if (key == wanted)
            return &set[i];
        if (!make || key == BEING_NAMED || !may_give_way(&set[i], is_known, now_ms))
            continue;
        if (oldest == NULL || atomic_load(&set[i].failed_ms) < atomic_load(&oldest->failed_ms)) {
            oldest = &set[i];
            oldest_key = key;
        }
    }
    bool is_made =
        oldest != NULL && name_place(oldest, oldest_key, wanted, provider, model, is_known);
    return is_made ? oldest : NULL;
}

/* --- users --- */

/* The place of a user, -1 where there is none. */
static int find_user(const struct breaker *b, uint64_t who)
{
    for (int i = 0; who != 0 && i < BREAKER_USERS; i++)
        if (atomic_load(&b->users[i].who) == who)
            return i;
    return -1;
}

/* The place of a user, taken when there is none; NULL when all are taken. */
static struct breaker_user *take_user(struct breaker *b, uint64_t who)
{
    for (int i = 0; i < BREAKER_USERS; i++) {
        uint_fast64_t found = 0;
        if (atomic_compare_exchange_strong(&b->users[i].who, &found, who) || found == who)
            return &b->users[i];
    }
    return NULL;
}

/* How the failures in a row weigh; *users: how many failed. */
static int64_t weigh(const struct breaker *b, int64_t failures_max, int *users)
{
    int64_t most = (failures_max + 1) / 2, weight = atomic_load(&b->certain);
    int others = atomic_load(&b->others);
    *users = others > 0 ? 1 : 0;
    weight += others;
    for (int i = 0; i < BREAKER_USERS; i++) {
        int64_t own = atomic_load(&b->users[i].failures);
        *users += own > 0;
        weight += own < most ? own : most;
    }
    return weight;
}

/* --- asking --- */

/* Until when it is open for a user alone; 0: it is not. */
static int64_t open_for_user(const struct breaker *b, uint64_t who)
{
    int i = find_user(b, who);
    return i >= 0 ? (int64_t)atomic_load(&b->users[i].open_until_ms) : 0;
}

/* Of a breaker that is closed for all others. */
static enum breaker_state ask_for_user(struct breaker *b, uint64_t who, int64_t now_ms,
                                       int64_t *wait_ms)
{
    int i = find_user(b, who);
    int_fast64_t until = i >= 0 ? atomic_load(&b->users[i].open_until_ms) : 0;
    if (until == 0)
        return BREAKER_CLOSED;
    if (until <= now_ms && atomic_compare_exchange_strong(&b->users[i].open_until_ms, &until,
                                                          now_ms + BREAKER_PROBE_MS))
        return BREAKER_PROBING;
    *wait_ms = until > now_ms ? until - now_ms : 1;
    return BREAKER_OPEN;
}

static bool must_yield(const struct breaker *b, uint64_t who, int64_t now_ms)
{
    return who != 0 && atomic_load(&b->prober) == who &&
           now_ms < (int64_t)atomic_load(&b->open_until_ms) + BREAKER_YIELD_MS;
}

enum breaker_state breaker_ask(struct breaker *b, uint64_t who, int64_t now_ms, int64_t *wait_ms)
{
    *wait_ms = 0;
    if (b == NULL || atomic_load_explicit(&b->failures, memory_order_relaxed) == 0)
        return BREAKER_CLOSED;
    int64_t open_until = atomic_load(&b->open_until_ms);
    if (open_until == 0)
        return ask_for_user(b, who, now_ms, wait_ms);
    if (now_ms < open_until) {
        *wait_ms = open_until - now_ms;
        return BREAKER_OPEN;
    }
    int_fast64_t probe_until = atomic_load(&b->probe_until_ms);
    if (!must_yield(b, who, now_ms) && now_ms >= probe_until &&
        atomic_compare_exchange_strong(&b->probe_until_ms, &probe_until, now_ms + BREAKER_PROBE_MS))
        return BREAKER_PROBING;
    *wait_ms = 1000; /* the probe's end is not known; most are over by then */
    return BREAKER_OPEN;
}

enum breaker_state breaker_peek(const struct breaker *b, uint64_t who, int64_t now_ms)
{
    if (b == NULL || atomic_load_explicit(&b->failures, memory_order_relaxed) == 0)
        return BREAKER_CLOSED;
    int64_t open_until = atomic_load(&b->open_until_ms);
    if (open_until == 0)
        return open_for_user(b, who) > now_ms ? BREAKER_OPEN : BREAKER_CLOSED;
    return now_ms < open_until || now_ms < (int64_t)atomic_load(&b->probe_until_ms) ||
                   must_yield(b, who, now_ms)
               ? BREAKER_OPEN
               : BREAKER_PROBING;
}

/* --- learning --- */

bool breaker_succeeded(struct breaker *b)
{
    /* Mostly there is nothing to write, and the cache line stays shared between the cores. */
    if (b == NULL || atomic_load_explicit(&b->failures, memory_order_relaxed) == 0)
        return false;
    forget_failures(b);
    return atomic_exchange(&b->open_until_ms, 0) != 0;
}

static int64_t doubled(int64_t open_ms, int times)
{
    return open_ms << (times < BREAKER_DOUBLINGS ? times : BREAKER_DOUBLINGS);
}

static bool open_for_all(struct breaker *b, int64_t now_ms, int64_t open_ms)
{
    int openings = atomic_fetch_add(&b->openings, 1);
    atomic_store(&b->open_until_ms, now_ms + doubled(open_ms, openings));
    atomic_store(&b->probe_until_ms, 0);
    return openings == 0;
}

bool breaker_failed(struct breaker *b, uint64_t who, int64_t now_ms, int64_t failures_max,
                    int64_t open_ms)
{
    int users, own = 0;
    if (b == NULL || failures_max == 0)
        return false;
    struct breaker_user *user = who != 0 ? take_user(b, who) : NULL;
    atomic_store(&b->failed_ms, now_ms);
    atomic_fetch_add(&b->failures, 1);
    if (user != NULL)
        own = atomic_fetch_add(&user->failures, 1) + 1;
    else
        atomic_fetch_add(who != 0 ? &b->others : &b->certain, 1);
    int64_t open_until = atomic_load(&b->open_until_ms);
    if (open_until != 0) {
        /* Calls that began before it opened end while it is open, and tell nothing new. */
        if (now_ms < open_until)
            return false;
        atomic_store(&b->prober, who);
        return open_for_all(b, now_ms, open_ms);
    }
    int64_t weight = weigh(b, failures_max, &users);
    if (weight >= failures_max && (users >= 2 || atomic_load(&b->certain) >= failures_max))
        return open_for_all(b, now_ms, open_ms);
    if (own >= failures_max)
        atomic_store(&user->open_until_ms, now_ms + doubled(open_ms, own - (int)failures_max));
    return false;
}

void breaker_undecided(struct breaker *b, uint64_t who, int64_t now_ms)
{
    if (b == NULL || atomic_load(&b->failures) == 0)
        return;
    atomic_store(&b->probe_until_ms, 0);
    int user = find_user(b, who);
    if (user >= 0 && (int64_t)atomic_load(&b->users[user].open_until_ms) > now_ms)
        atomic_store(&b->users[user].open_until_ms, now_ms);
}

void breaker_cool(struct breaker *b, int64_t now_ms, int64_t for_ms)
{
    if (b == NULL)
        return;
    atomic_store(&b->failed_ms, now_ms);
    if (now_ms + for_ms > atomic_load(&b->cool_until_ms))
        atomic_store(&b->cool_until_ms, now_ms + for_ms);
}

int64_t breaker_cooling(const struct breaker *b, int64_t now_ms)
{
    int64_t until =
        b != NULL ? (int64_t)atomic_load_explicit(&b->cool_until_ms, memory_order_relaxed) : 0;
    return until > now_ms ? until - now_ms : 0;
}

void breaker_set_lack(struct breaker *b, int which, int64_t now_ms, int64_t for_ms)
{
    if (b != NULL)
        atomic_store(&b->lacks_until_ms[which], now_ms + for_ms);
}

bool breaker_lacks(const struct breaker *b, int which, int64_t now_ms)
{
    return b != NULL &&
           atomic_load_explicit(&b->lacks_until_ms[which], memory_order_relaxed) > now_ms;
}

/* --- watching --- */

enum breaker_state breaker_state(const struct breaker *b, int64_t now_ms)
{
    int64_t open_until = b != NULL ? (int64_t)atomic_load(&b->open_until_ms) : 0;
    if (open_until == 0)
        return BREAKER_CLOSED;
    return now_ms < open_until ? BREAKER_OPEN : BREAKER_PROBING;
}

/* The place of that number; NULL when nobody has it. */
static const struct breaker *place_at(const struct breakers *all, int i)
{
    const struct breaker *b =
        i < BREAKER_PROVIDERS ? &all->providers[i] : &all->routes[i - BREAKER_PROVIDERS];
    return atomic_load_explicit(&b->key, memory_order_acquire) > BEING_NAMED ? b : NULL;
}

/* Whether a place before that number is shown under the same names. */
static bool was_shown(const struct breakers *all, int i, uint64_t shown)
{
    const struct breaker *b;
    while (i-- > 0)
        if ((b = place_at(all, i)) != NULL && atomic_load(&b->shown) == shown)
            return true;
    return false;
}

static enum breaker_state worst_state(const struct breakers *all, int from, uint64_t shown,
                                      int64_t now_ms)
{
    enum breaker_state worst = BREAKER_CLOSED;
    for (int i = from; i < BREAKER_PROVIDERS + BREAKER_ROUTES; i++) {
        const struct breaker *b = place_at(all, i);
        if (b == NULL || atomic_load(&b->shown) != shown)
            continue;
        enum breaker_state state = breaker_state(b, now_ms);
        worst = state > worst ? state : worst;
    }
    return worst;
}

const struct breaker *breakers_next(const struct breakers *all, int64_t now_ms, int *at,
                                    enum breaker_state *state)
{
    while (*at < BREAKER_PROVIDERS + BREAKER_ROUTES) {
        int i = (*at)++;
        const struct breaker *b = place_at(all, i);
        uint64_t shown = b != NULL ? (uint64_t)atomic_load(&b->shown) : 0;
        if (b == NULL || was_shown(all, i, shown))
            continue;
        *state = worst_state(all, i, shown, now_ms);
        return b;
    }
    return NULL;
}
