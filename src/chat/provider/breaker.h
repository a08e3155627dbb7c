/*
 * Circuit breakers, of providers and of each of their models, in memory that all workers of a host
 * share: what one of them learns, none of the others has to.
 *
 *            failures in a row                 the time is up
 *   CLOSED ---------------------> OPEN ------------------------> one PROBE at a time
 *     ^                            ^                               |        |
 *     |                            +-- it failed: open for longer -+        |
 *     +------------------------------------------------- it succeeded ------+
 *
 * A failure may be due to what was asked, and then it must not shut others out. So those of one
 * user count for no more than half of what opens a breaker, and it takes failures of two users; a
 * user with that many of their own finds it open, and nobody else does. Failures that no request
 * can cause, such as a connection that cannot be made, have no user and count in full. Who failed
 * the last probe leaves the next one to others for a while.
 *
 * Beside that a place can be cooling: the provider said when to come back (429), which is no
 * failure. All times are clock_ms(), which processes of a host have in common. Everything is
 * atomic, and a race between two workers costs at most one call too many, or one too few.
 */
#ifndef UPLIFT_BREAKER_H
#define UPLIFT_BREAKER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define BREAKER_PROVIDERS 128  /* beyond them there is no breaking */
#define BREAKER_ROUTES 1024    /* of those that fail; the one that failed longest ago gives way */
#define BREAKER_USERS 4        /* that are told apart; of each further one a failure counts */
#define BREAKER_PROBE_MS 60000 /* how long a probe that is not heard of holds up the next one */
#define BREAKER_YIELD_MS 5000  /* how long who failed a probe leaves the next one to others */
#define BREAKER_DOUBLINGS 4    /* of the time it stays open, while probes fail */
#define BREAKER_LACKS 2        /* parameters that a provider may be known not to take */
#define BREAKER_PROVIDER_ROOM 64
#define BREAKER_MODEL_ROOM 128
#define BREAKER_OTHER "other" /* how all models are shown whose names clients make up */

/* Failures in a row of one user. */
struct breaker_user {
    atomic_uint_fast64_t who; /* 0: free */
    atomic_int failures;
    atomic_int_fast64_t open_until_ms; /* for this user alone; 0: closed */
};

struct breaker {
    atomic_uint_fast64_t key; /* of its name; 0 free, 1 being named */
    char provider[BREAKER_PROVIDER_ROOM];
    char model[BREAKER_MODEL_ROOM]; /* as it is shown; "": of the provider as a whole */
    atomic_uint_fast64_t shown;     /* a number for both names as they are shown */
    atomic_bool is_made_up;         /* the model's name is a client's, and not configured */
    atomic_int failures;            /* in a row: of all kinds */
    atomic_int certain;             /* of these, those that nobody's request can have caused */
    atomic_int others;              /* and those of users that have no place */
    struct breaker_user users[BREAKER_USERS];
    atomic_int openings;               /* since it was last closed */
    atomic_int_fast64_t open_until_ms; /* 0: closed */
    atomic_int_fast64_t probe_until_ms;
    atomic_uint_fast64_t prober; /* who failed the last probe; 0: nobody */
    atomic_int_fast64_t cool_until_ms;
    atomic_int_fast64_t failed_ms; /* when it last failed, or was told to cool */
    atomic_int_fast64_t lacks_until_ms[BREAKER_LACKS];
};

/* Zero at first. */
struct breakers {
    struct breaker providers[BREAKER_PROVIDERS];
    struct breaker routes[BREAKER_ROUTES];
};

enum breaker_state { BREAKER_CLOSED, BREAKER_PROBING, BREAKER_OPEN };

/* The breaker of a provider as a whole, made when there is none; NULL when all places are taken.
 * Never moves or goes away. Any thread of any process. */
struct breaker *breaker_of_provider(struct breakers *all, const char *provider);
/* The breaker of a provider's model. NULL when it has none, which is the same as closed: one is
 * made only where make is set, when it fails. That of a model that is not known, because its name
 * is a client's, gives way to those of models that are. To be asked for again each time. */
struct breaker *breaker_of_route(struct breakers *all, const char *provider, const char *model,
                                 bool is_known, bool make, int64_t now_ms);
/* A number for a user's id, for who below; never 0. */
uint64_t breaker_who(const char *user);

/*
 * Whether a request of this user (0: nobody's) is to be made now. BREAKER_PROBING: yes, and it is
 * this caller who finds out for all. BREAKER_OPEN: no, *wait_ms says for how long. NULL is always
 * closed.
 */
enum breaker_state breaker_ask(struct breaker *b, uint64_t who, int64_t now_ms, int64_t *wait_ms);
/* What breaker_ask would say, but for those who only look: nothing changes. */
enum breaker_state breaker_peek(const struct breaker *b, uint64_t who, int64_t now_ms);
/* A call succeeded: closes it. True when it was not closed before. */
bool breaker_succeeded(struct breaker *b);
/* A call of a user (0: it is certain that no request caused it) failed. After failures_max in a row
 * (0: never), weighed as above, or after a failed probe, it opens for open_ms, doubled for each
 * failed probe up to BREAKER_DOUBLINGS times. True when it opened for all now. */
bool breaker_failed(struct breaker *b, uint64_t who, int64_t now_ms, int64_t failures_max,
                    int64_t open_ms);
/* A probe of this user told nothing: another one may be made. */
void breaker_undecided(struct breaker *b, uint64_t who, int64_t now_ms);
/* Nobody is to call for so long. */
void breaker_cool(struct breaker *b, int64_t now_ms, int64_t for_ms);
/* Milliseconds it still cools; 0 when it does not. */
int64_t breaker_cooling(const struct breaker *b, int64_t now_ms);
/* The provider does not take a parameter (0 to BREAKER_LACKS - 1): kept in mind for so long. */
void breaker_set_lack(struct breaker *b, int which, int64_t now_ms, int64_t for_ms);
bool breaker_lacks(const struct breaker *b, int which, int64_t now_ms);

/* Whether it is open for all. */
enum breaker_state breaker_state(const struct breaker *b, int64_t now_ms);
/* For those who watch, changing nothing: the next place from *at on, which is set behind it, and in
 * *state the worst of all that are shown under the same names, which come once; NULL after the
 * last. Providers come first. The place of a model may be named anew meanwhile. */
const struct breaker *breakers_next(const struct breakers *all, int64_t now_ms, int *at,
                                    enum breaker_state *state);

#endif
