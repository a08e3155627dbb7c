/* Identical requests under way; see single_flight.h. */
#include "single_flight.h"

#include "chat/cached_answer.h"
#include "relay_chat.h"

#include <stdlib.h>
#include <string.h>

struct flight {
    char key[SHA256_HEX + 1];
    struct relay_chat *waiting, **tail; /* the first to come first */
    bool has_failed;                    /* one leader had no answer to give */
    struct flight *next;
};

static struct flight **bucket(struct flights *all, const char *key)
{
    /* A key is hexadecimal, and as good as drawn at random. */
    char digits[6];
    memcpy(digits, key, 5);
    digits[5] = '\0';
    return &all->buckets[strtoul(digits, NULL, 16) % FLIGHT_BUCKETS];
}

static struct flight *find(struct flights *all, const char *key)
{
    struct flight *f = *bucket(all, key);
    while (f != NULL && strcmp(f->key, key) != 0)
        f = f->next;
    return f;
}

static void lead(struct flights *all, struct relay_chat *rc)
{
    const char *key = rc->chat->cache.key;
    struct flight **at = bucket(all, key), *f = calloc(1, sizeof *f);
    if (f == NULL)
        return; /* it flies alone */
    memcpy(f->key, key, sizeof f->key);
    f->tail = &f->waiting;
    f->next = *at;
    *at = f;
    rc->seat.flight = f;
    rc->seat.is_leader = true;
}

static void wait_in(struct flight *f, struct relay_chat *rc)
{
    rc->seat = (struct flight_seat){.flight = f, .link = f->tail};
    *f->tail = rc;
    f->tail = &rc->seat.next;
}

bool flight_join(struct flights *all, struct relay_chat *rc)
{
    const struct cache_use *cache = &rc->chat->cache;
    if (cache->key[0] == '\0')
        return false;
    struct flight *f = find(all, cache->key);
    if (f == NULL && cache_writes(cache->mode))
        lead(all, rc);
    if (f == NULL || !cache->may_share)
        return false;
    wait_in(f, rc);
    return true;
}

bool flight_is_awaited(const struct relay_chat *rc)
{
    return rc->seat.is_leader && rc->seat.flight->waiting != NULL;
}

void flight_leave(struct relay_chat *rc)
{
    struct flight_seat *seat = &rc->seat;
    if (seat->flight == NULL || seat->is_leader)
        return;
    *seat->link = seat->next;
    if (seat->next != NULL)
        seat->next->seat.link = seat->link;
    else
        seat->flight->tail = seat->link;
    *seat = (struct flight_seat){.flight = NULL};
}

static void end(struct flights *all, struct flight *f)
{
    struct flight **at = bucket(all, f->key);
    while (*at != f)
        at = &(*at)->next;
    *at = f->next;
    free(f);
}

/* Has rc ask at the next sweep: whoever ends may have libcurl on the stack. */
static void make_due(struct relay_chat *rc)
{
    rc->retry_ms = rc->due_ms = 0;
}

/* Those who wait ask each for themselves. */
static void release_all(struct flight *f)
{
    while (f->waiting != NULL) {
        struct relay_chat *rc = f->waiting;
        flight_leave(rc);
        make_due(rc);
    }
}

/* The leader had no answer to give: the first who can leads the others. False when none does. */
static bool promote(struct flight *f)
{
    struct relay_chat *rc = f->waiting;
    while (rc != NULL && !cache_writes(rc->chat->cache.mode))
        rc = rc->seat.next;
    if (rc == NULL || f->has_failed) {
        release_all(f);
        return false;
    }
    flight_leave(rc);
    rc->seat = (struct flight_seat){.flight = f, .is_leader = true};
    make_due(rc);
    f->has_failed = true;
    return true;
}

/* Each who waits gets the answer. */
static void share(struct flight *f, const struct chat *chat, void (*give)(struct relay_chat *rc))
{
    while (f->waiting != NULL) {
        struct relay_chat *rc = f->waiting;
        flight_leave(rc);
        rc->chat->cache.answer = cached_copy(chat);
        if (rc->chat->cache.answer == NULL) {
            make_due(rc);
            continue;
        }
        rc->chat->cache.result = CACHE_SHARED;
        give(rc);
    }
}

void flight_finish(struct flights *all, struct relay_chat *rc, void (*give)(struct relay_chat *rc))
{
    struct flight *f = rc->seat.flight;
    if (f == NULL || !rc->seat.is_leader)
        return;
    rc->seat = (struct flight_seat){.flight = NULL};
    if (cached_fits(rc->chat))
        share(f, rc->chat, give);
    else if (promote(f))
        return;
    end(all, f);
}
