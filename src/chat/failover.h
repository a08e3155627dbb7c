/*
 * How far a chat is with the routes of its model, and where it goes when one of them fails.
 *
 *   failure            breaker  the same route            another route
 *   TRANSIENT          counts   once, at once             then
 *   SILENT             counts   never, nor its provider   yes
 *   SLOW                        never                     yes
 *   BUSY               cools    when told to, and soon,   first, if there is one
 *                               and there is no other
 *   DENIED             counts   never, nor its provider   yes
 *   BROKEN             counts   never                     yes
 *   NO_MODEL                    never                     yes
 *   TOO_LONG                    never                     one that takes in more
 *   REFUSED                     never                     never: no other would take it
 */
#ifndef UPLIFT_FAILOVER_H
#define UPLIFT_FAILOVER_H

#include "../common/config.h"
#include "../common/error.h"
#include "failure.h"
#include "routing.h"

#include <stdbool.h>
#include <stdint.h>

struct failover {
    struct routing *routing; /* owned: a reference */
    const struct route *routes[ROUTES_MAX];
    uint8_t count;
    uint8_t at;       /* the route in use */
    uint8_t tries;    /* on it */
    uint8_t excluded; /* a bit for each that is not to be asked again for this chat */
    bool is_probe;    /* this call finds out for all whether the provider is back */
};

enum failover_move {
    MOVE_NONE,  /* there is nowhere to go */
    MOVE_AGAIN, /* the same route, after *wait_ms */
    MOVE_ON,    /* another route, which is now the one in use */
};

/*
 * Takes the routing and chooses the first route. False when none can be asked at present, with the
 * error for the client: 429 or 503, with retry_after_ms.
 */
bool failover_begin(struct failover *f, struct routing *routing, const char *model,
                    unsigned *random, struct api_error *error);
void failover_end(struct failover *f);
/* The route in use. */
const struct route *failover_route(const struct failover *f);
/* Whether there are routes left beside the one in use, as far as is known. */
bool failover_has_other(const struct failover *f);
/* The call under way succeeded. */
void failover_succeeded(struct failover *f);
/*
 * The call under way failed. retry_after_ms is what the provider said, -1 nothing. may_repeat
 * false: the client heard some of the answer and cannot be told to forget it, so that only others
 * can profit from what is known now. may_stay false: no second try on the same route.
 */
enum failover_move failover_failed(struct failover *f, const struct config *config,
                                   enum failure_kind kind, int64_t retry_after_ms, bool may_repeat,
                                   bool may_stay, unsigned *random, int64_t *wait_ms);

#endif
