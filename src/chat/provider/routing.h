/*
 * Routing: the providers there are, and which of them is to answer for a model.
 *
 * A snapshot (struct routing) never changes; a change makes a new one, and a chat keeps the one it
 * began with. It is made of three layers: the configured provider, called default, which answers
 * for every model that has no routes; UPLIFT_ROUTING, a JSON text; and uplift.routing() of Postgres
 * in the same form, whose providers and models take the place of those with the same name.
 *
 *   {"providers": [{"name", "base_url", "api_key": "env:NAME_API_KEY" or "file:NAME", "key_header",
 *                   "is_enabled", "connect_timeout_ms", "first_byte_timeout_ms",
 *                   "first_token_timeout_ms", "idle_timeout_ms", "total_timeout_ms", "max_open",
 *                   "continues"}],
 *    "models": [{"name", "routes": [{"position", "provider", "model", "weight", "context_tokens"}],
 *                "fallbacks": ["other model"], "is_listed"}]}
 */
#ifndef UPLIFT_ROUTING_H
#define UPLIFT_ROUTING_H

#include "breaker.h"
#include "common/config.h"
#include "common/must_check.h"

#include <cjson/cJSON.h>
#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ROUTES_MAX 8 /* that one chat may be tried on */
#define ROUTING_DEFAULT "default"

/* How a provider is asked to go on with an answer that broke off: by its text as the last message,
 * of the assistant. */
enum continues {
    CONTINUES_NOT,
    CONTINUES,         /* by that alone: Anthropic, OpenRouter, llama.cpp */
    CONTINUES_PREFIX,  /* with "prefix": true in it: Mistral, DeepSeek */
    CONTINUES_PARTIAL, /* with "partial": true in it: Moonshot, DashScope */
    CONTINUES_FINAL,   /* with continue_final_message in the request: vLLM, SGLang */
};

struct provider {
    char *name;  /* in routes */
    char *label; /* in rows, logs and metrics: the name; of the configured one its host */
    char *url;   /* of chat completions */
    struct curl_slist *headers; /* those that are the same in each call */
    bool is_plain;              /* http:, so HTTP/1.1 */
    bool is_usable;             /* enabled, and its key could be read */
    int64_t serial;             /* no two providers of a process have the same one */
    int64_t connect_timeout_ms, first_byte_timeout_ms, first_token_timeout_ms, idle_timeout_ms,
        total_timeout_ms;
    int64_t max_open; /* 0: no limit */
    enum continues continues;
    struct breaker *breaker; /* of the provider as a whole; NULL: none */
    int open;                /* calls under way; the relay's thread alone counts */
};

struct route {
    struct provider *provider;
    const char *model; /* what the provider calls it; NULL: as asked */
    const char *of;    /* the model of the routing whose own route it is; NULL: of none */
    int position;      /* equal ones share the chats by weight */
    int weight;
    int64_t context_tokens; /* 0: not known */
};

struct routing;

/* The current snapshot, of one worker; thread-safe. */
struct routings;

/* Reads UPLIFT_ROUTING, and the last known routing of Postgres from the spool directory. Borrows
 * both. NULL with a logged reason. */
MUST_CHECK struct routings *routings_new(const struct config *config, struct breakers *breakers);
void routings_free(struct routings *all);
/* Takes what uplift.routing() said; wrong or unusable parts are logged, and all stays as it was. */
void routings_take(struct routings *all, const cJSON *routing);
/* The revision of Postgres' routing in use; -1 when it was never read. */
int64_t routings_revision(struct routings *all);
/* The current snapshot, to be given back with routing_release. */
struct routing *routings_current(struct routings *all);
void routing_release(struct routing *r);

/*
 * The routes for a model, in the order to try them: by position, those of one position in an order
 * drawn by weight. random is the caller's state of a generator. out has room for ROUTES_MAX; at
 * least one comes.
 */
size_t routing_plan(const struct routing *r, const char *model, unsigned *random,
                    const struct route **out);
/* Where the breakers are; NULL: there are none. */
struct breakers *routing_breakers(const struct routing *r);
/* The next number of such a generator. */
unsigned routing_random(unsigned *state);
/* Whether all routes of a model fit, each with the name that its provider has for the model. */
bool routing_all_routes(const struct routing *r, const char *model,
                        bool (*fits)(void *arg, const char *model, const char *provider),
                        void *arg);
/* Whether a model of that very name has routes; and whether it is listed, too. */
bool routing_has(const struct routing *r, const char *model);
bool routing_lists(const struct routing *r, const char *model);
/* Calls each with every model that is listed. */
void routing_each_model(const struct routing *r, void (*each)(void *arg, const char *name),
                        void *arg);

/* What is wrong with the configured routing, "" when nothing is, for a start that is refused. False
 * when something is. */
bool routing_check(const struct config *config, char *wrong, size_t size);

#endif
