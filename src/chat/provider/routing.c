/* Routing: snapshots, and the order of routes; see routing.h. */
#include "routing.h"

#include "common/json.h"
#include "common/kept_file.h"
#include "common/log.h"
#include "routing_read.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define ROUTING_FILE "routing.json"

struct routings {
    const struct config *config;
    struct breakers *breakers;
    cJSON *configured;    /* UPLIFT_ROUTING; NULL: none */
    pthread_mutex_t lock; /* guards the rest */
    struct routing *current;
    int64_t revision;
};

/* --- snapshots --- */

void routing_release(struct routing *r)
{
    if (r != NULL && atomic_fetch_sub(&r->users, 1) == 1)
        routing_free(r);
}

struct routing *routings_current(struct routings *all)
{
    pthread_mutex_lock(&all->lock);
    struct routing *r = all->current;
    atomic_fetch_add(&r->users, 1);
    pthread_mutex_unlock(&all->lock);
    return r;
}

int64_t routings_revision(struct routings *all)
{
    pthread_mutex_lock(&all->lock);
    int64_t revision = all->revision;
    pthread_mutex_unlock(&all->lock);
    return revision;
}

/* Makes the snapshot of all three layers, and puts it in the place of the last. */
static bool renew(struct routings *all, const cJSON *from_database, int64_t revision)
{
    char wrong[ROUTING_WRONG_MAX];
    struct routing *made =
        routing_read(all->config, all->breakers, all->configured, from_database, wrong);
    if (made == NULL) {
        log_error("routing", "stays as it is: %s", wrong);
        return false;
    }
    pthread_mutex_lock(&all->lock);
    struct routing *before = all->current;
    all->current = made;
    all->revision = revision;
    pthread_mutex_unlock(&all->lock);
    routing_release(before);
    return true;
}

void routings_take(struct routings *all, const cJSON *routing)
{
    int64_t revision = (int64_t)json_number(routing, "revision", 0);
    if (!renew(all, routing, revision)) {
        pthread_mutex_lock(&all->lock);
        all->revision = revision; /* it will not be better for being asked for again */
        pthread_mutex_unlock(&all->lock);
        return;
    }
    log_info("routing", "revision %lld", (long long)revision);
    char *text = cJSON_PrintUnformatted(routing);
    if (text != NULL)
        kept_file_write(all->config->spool_dir, ROUTING_FILE, text);
    cJSON_free(text);
}

struct routings *routings_new(const struct config *config, struct breakers *breakers)
{
    struct routings *all = calloc(1, sizeof *all);
    if (all == NULL)
        return NULL;
    pthread_mutex_init(&all->lock, NULL);
    all->config = config;
    all->breakers = breakers;
    all->revision = -1;
    if (config->routing != NULL)
        all->configured = cJSON_Parse(config->routing);
    char *kept = kept_file_read(config->spool_dir, ROUTING_FILE);
    cJSON *last = kept != NULL ? cJSON_Parse(kept) : NULL;
    free(kept);
    bool good = (last != NULL && renew(all, last, -1)) || renew(all, NULL, -1);
    cJSON_Delete(last);
    if (good)
        return all;
    routings_free(all);
    return NULL;
}

void routings_free(struct routings *all)
{
    if (all == NULL)
        return;
    routing_release(all->current);
    cJSON_Delete(all->configured);
    pthread_mutex_destroy(&all->lock);
    free(all);
}

/* --- the order --- */

unsigned routing_random(unsigned *state)
{
    unsigned x = *state;
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    return *state = x;
}

/* Puts routes of one position in an order drawn by weight: each place goes to one of those that are
 * left, with the chance of its share. */
static void shuffle(const struct route **routes, size_t count, unsigned *random)
{
    for (size_t at = 0; at + 1 < count; at++) {
        unsigned sum = (unsigned)routes[at]->weight;
        for (size_t i = at + 1; i < count; i++)
            sum += (unsigned)routes[i]->weight;
        unsigned drawn = routing_random(random) % sum;
        size_t chosen = at;
        while (drawn >= (unsigned)routes[chosen]->weight)
            drawn -= (unsigned)routes[chosen++]->weight;
        const struct route *first = routes[at];
        routes[at] = routes[chosen];
        routes[chosen] = first;
    }
}

struct breakers *routing_breakers(const struct routing *r)
{
    return r->breakers;
}

size_t routing_plan(const struct routing *r, const char *model, unsigned *random,
                    const struct route **out)
{
    const struct routed_model *found = routing_find(r, model);
    const struct route *list = found != NULL ? found->plan : &r->default_route;
    size_t count = found != NULL ? found->plan_count : 1, n = 0;
    while (n < count) {
        size_t from = n;
        while (n < count && list[n].position == list[from].position) {
            out[n] = &list[n];
            n++;
        }
        shuffle(out + from, n - from, random);
    }
    return n;
}

bool routing_all_routes(const struct routing *r, const char *model,
                        bool (*fits)(void *arg, const char *model, const char *provider), void *arg)
{
    const struct routed_model *found = routing_find(r, model);
    const struct route *list = found != NULL ? found->plan : &r->default_route;
    size_t count = found != NULL ? found->plan_count : 1;
    for (size_t i = 0; i < count; i++)
        if (!fits(arg, list[i].model != NULL ? list[i].model : model, list[i].provider->label))
            return false;
    return true;
}

void routing_each_model(const struct routing *r, void (*each)(void *arg, const char *name),
                        void *arg)
{
    for (size_t i = 0; i < r->model_count; i++)
        if (r->models[i].is_listed && strcmp(r->models[i].name, "*") != 0)
            each(arg, r->models[i].name);
}

/* Whether a provider of the configuration has the key that it names. One that only the service's
 * environment has is not missed when a person checks the configuration. */
static bool has_key(const struct routing *r, const cJSON *configured)
{
    const char *name = json_string(configured, "name"), *key = json_string(configured, "api_key");
    if (key == NULL || name == NULL || !json_bool(configured, "is_enabled", true) ||
        (strncmp(key, "env:", 4) == 0 && getenv(key + 4) == NULL))
        return true;
    for (size_t i = 0; i < r->provider_count; i++)
        if (strcmp(r->providers[i].name, name) == 0)
            return r->providers[i].is_usable;
    return true;
}

bool routing_check(const struct config *config, char *wrong, size_t size)
{
    char reason[ROUTING_WRONG_MAX];
    struct json_error unread;
    const cJSON *provider;
    cJSON *configured = NULL;
    if (config->routing != NULL &&
        (configured = json_parse(config->routing, strlen(config->routing), &unread)) == NULL) {
        snprintf(wrong, size, "UPLIFT_ROUTING: %s", unread.message);
        return false;
    }
    struct routing *r = routing_read(config, NULL, configured, NULL, reason);
    bool good = r != NULL;
    snprintf(wrong, size, "%s", reason);
    cJSON_ArrayForEach (provider, cJSON_GetObjectItemCaseSensitive(configured, "providers"))
        if (good && !has_key(r, provider)) {
            snprintf(wrong, size, "routing: provider %.80s: its api_key %.80s cannot be used",
                     json_string(provider, "name"), json_string(provider, "api_key"));
            good = false;
        }
    cJSON_Delete(configured);
    routing_free(r);
    return good;
}
