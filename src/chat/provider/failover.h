/*
 * How far a chat is with the routes of its model, and where it goes when one of them fails.
 *
 *   failure            the same route            another route
 *   TRANSIENT          once, at once             then
 *   SILENT             never, nor its provider   yes
 *   SLOW               never                     yes
 *   BUSY               when told to, and soon,   first, if there is one
 *                      and there is no other
 *   DENIED             never, nor its provider   yes
 *   BROKEN             never                     yes
 *   NO_MODEL           never                     yes
 *   TOO_LONG           never                     one that takes in more; of other models whose size
 *                                                is not known, one
 *   REFUSED            never                     never: no other would take it
 *
 * What counts against whom is told by the failure (enum failure_blame), and weighed by breaker.h.
 * BUSY makes the route cool.
 */
#ifndef UPLIFT_FAILOVER_H
#define UPLIFT_FAILOVER_H

#include "common/config.h"
#include "common/error.h"
#include "common/must_check.h"
#include "failure.h"
#include "routing.h"

#include <stdbool.h>
#include <stdint.h>

struct failover {
    struct routing *routing; /* owned: a reference */
    const struct route *routes[ROUTES_MAX];
    const char *model; /* asked for; borrowed */
    bool is_known;     /* and its name was not made up by a client */
    uint64_t who;      /* see breaker_who */
    uint8_t count;
    uint8_t at;       /* the route in use */
    uint8_t tries;    /* on it */
    uint8_t excluded; /* a bit for each that is not to be asked again for this chat */
    bool is_probe;    /* this call finds out for all whether the route is back */
    bool took_size;   /* a model of unknown size was chosen for a request that was too long */
};

enum failover_move {
    MOVE_NONE,  /* there is nowhere to go */
    MOVE_AGAIN, /* the same route, after *wait_ms */
    MOVE_ON,    /* another route, which is now the one in use */
};

/* Where a chat may go, by what its client was sent. */
enum failover_scope {
    SCOPE_ALL,       /* nothing */
    SCOPE_OTHERS,    /* some of the answer, which can be taken back: worth it for another route */
    SCOPE_CONTINUES, /* some, which stays: another route whose provider goes on with it */
    SCOPE_NONE,      /* some, and that cannot be gone on with */
};

/*
 * Takes the routing and chooses the first route. user is the id of who asks, model is borrowed as
 * long as the failover is used; is_known as for breaker_of_route. False when none can be asked at
 * present, with the error for the client: 429 or 503, with retry_after_ms.
 */
MUST_CHECK bool failover_begin(struct failover *f, struct routing *routing, const char *model,
                               bool is_known, const char *user, unsigned *random,
                               struct api_error *error);
void failover_end(struct failover *f);
/* The route in use. */
const struct route *failover_route(const struct failover *f);
/* Whether routes are left beside the one in use, as far as is known without asking. */
bool failover_has_left(const struct failover *f, enum failover_scope scope);
/* Whether one of these could be asked now. */
bool failover_has_other(const struct failover *f, enum failover_scope scope);
/* The call under way succeeded. */
void failover_succeeded(struct failover *f);
/* The call under way was given up, and told nothing of the route. */
void failover_undecided(struct failover *f);
/* The call under way failed. */
enum failover_move failover_failed(struct failover *f, const struct config *config,
                                   const struct failure *failure, enum failover_scope scope,
                                   unsigned *random, int64_t *wait_ms);

#endif
