/*
 * Prices of models, as Postgres last told them (uplift_chat.worker_sync), for the cost of answers
 * in /metrics and for models that have none. What an answer cost for good is worked out in SQL.
 */
#ifndef UPLIFT_PRICES_H
#define UPLIFT_PRICES_H

#include "common/must_check.h"

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>

struct prices;

struct token_counts {
    int64_t prompt, cached, completion; /* cached are among those of the prompt */
};

/* NULL when memory ran out. */
MUST_CHECK struct prices *prices_new(void);
void prices_free(struct prices *p);
/* Replaces the prices by what uplift_chat.worker_sync told. These are thread-safe. */
void prices_take(struct prices *p, const cJSON *list);
/* Whether a model has a price at a provider; true while nothing was told of any. */
bool prices_have(struct prices *p, const char *model, const char *provider);
/* What tokens of a model cost at a provider, in US dollars; false when it has no price. */
bool prices_cost(struct prices *p, const char *model, const char *provider,
                 const struct token_counts *tokens, double *usd);

#endif
