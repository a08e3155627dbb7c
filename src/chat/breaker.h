/*
 * Circuit breakers of providers, in memory that all workers of a host share: what one of them
 * learns, none of the others has to.
 *
 *            failures in a row                 the time is up
 *   CLOSED ---------------------> OPEN ------------------------> one PROBE at a time
 *     ^                            ^                               |        |
 *     |                            +-- it failed: open for longer -+        |
 *     +------------------------------------------------- it succeeded ------+
 *
 * Beside that a place can be cooling: the provider said when to come back (429), which is no
 * failure. All times are clock_ms(), which processes of a host have in common. Everything is
 * atomic, and a race between two workers costs at most one call too many.
 */
#ifndef UPLIFT_BREAKER_H
#define UPLIFT_BREAKER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define BREAKER_NAME_MAX 191   /* bytes; longer names are told apart by their beginning only */
#define BREAKERS_MAX 256       /* beyond them there is no breaking */
#define BREAKER_PROBE_MS 60000 /* how long a probe that is not heard of holds up the next one */
#define BREAKER_DOUBLINGS 4    /* of the time it stays open, while probes fail */

struct breaker {
    atomic_int claim; /* 0 free, 1 being named, 2 named */
    char name[BREAKER_NAME_MAX + 1];
    atomic_int failures;               /* in a row */
    atomic_int openings;               /* since it was last closed */
    atomic_int_fast64_t open_until_ms; /* 0: closed */
    atomic_int_fast64_t probe_until_ms;
    atomic_int_fast64_t cool_until_ms;
};

struct breakers {
    struct breaker places[BREAKERS_MAX];
};

enum breaker_state { BREAKER_CLOSED, BREAKER_PROBING, BREAKER_OPEN };

/* The breaker of that name, made when there is none; NULL when all places are taken. Never moves or
 * goes away. Any thread of any process. */
struct breaker *breaker_find(struct breakers *all, const char *name);

/*
 * Whether to call now. BREAKER_PROBING: yes, and it is this caller who finds out for all.
 * BREAKER_OPEN: no, *wait_ms says for how long. NULL is always closed.
 */
enum breaker_state breaker_ask(struct breaker *b, int64_t now_ms, int64_t *wait_ms);
/* A call succeeded: closes it. True when it was not closed before. */
bool breaker_succeeded(struct breaker *b);
/* A call failed. After so many in a row (0: never), or after a failed probe, it opens for open_ms,
 * doubled for each failed probe up to BREAKER_DOUBLINGS times. True when it opened now. */
bool breaker_failed(struct breaker *b, int64_t now_ms, int64_t failures_max, int64_t open_ms);
/* Nobody is to call for so long. */
void breaker_cool(struct breaker *b, int64_t now_ms, int64_t for_ms);
/* Milliseconds it still cools; 0 when it does not. */
int64_t breaker_cooling(const struct breaker *b, int64_t now_ms);
/* The next breaker of a provider from place *at on, which is set behind it; NULL after the last. */
const struct breaker *breakers_next(const struct breakers *all, int *at);

/* For those who watch, changing nothing. */
enum breaker_state breaker_state(const struct breaker *b, int64_t now_ms);

#endif
