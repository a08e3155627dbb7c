/* Reading a routing from its JSON into a snapshot; for routing.c, which hands them out. */
#ifndef UPLIFT_ROUTING_READ_H
#define UPLIFT_ROUTING_READ_H

#include "routing.h"

#include <stdatomic.h>

#define ROUTING_WRONG_MAX 400 /* bytes of a complaint */

struct routed_model {
    char *name;
    bool is_listed;
    struct route *own; /* by position */
    size_t own_count;
    char **fallbacks; /* names of models */
    size_t fallback_count;
    struct route *plan; /* own routes, then those of the fallbacks, with positions that go on */
    size_t plan_count;
    int depth; /* 0 not planned yet, 1 being planned, 2 planned */
};

struct routing {
    atomic_int users;
    struct breakers *breakers;
    struct provider *providers; /* [0] is the configured one */
    size_t provider_count;
    struct routed_model *models; /* sorted by name */
    size_t model_count;
    struct route default_route; /* to the configured provider, as asked */
};

/*
 * A snapshot with one user. configured and from_database may be NULL. NULL with what is wrong: a
 * member of the wrong type or out of its range, a provider that is not there, fallbacks that go
 * round in a circle. A key that cannot be read is logged, and its provider unusable.
 */
struct routing *routing_read(const struct config *config, struct breakers *breakers,
                             const cJSON *configured, const cJSON *from_database,
                             char wrong[ROUTING_WRONG_MAX]);
void routing_free(struct routing *r);
/* The model of that name, else the one called *, else NULL. */
const struct routed_model *routing_find(const struct routing *r, const char *name);

#endif
