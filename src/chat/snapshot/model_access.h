/*
 * Which models a request may name.
 *
 * Those that are listed: the configured ones, those with routes of their own that are listed, and
 * those deployed in production. Rules (uplift.model_access) let a user, a coach or an API key name
 * others, or fewer; all that apply must agree. What the server chooses by itself need not be
 * listed, but rules hold for it, too. And under a budget a model needs a price, unless the operator
 * does without.
 *
 * All of it is known to each worker, as Postgres last told, and kept in the spool directory for one
 * that is born while it is away.
 */
#ifndef UPLIFT_MODEL_ACCESS_H
#define UPLIFT_MODEL_ACCESS_H

#include "chat/provider/routing.h"
#include "common/config.h"
#include "common/error.h"
#include "common/must_check.h"
#include "prices.h"

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>

/* Who asks; coach_id and api_key NULL or "" for none. */
struct model_asker {
    const char *user, *coach_id, *api_key;
};

/* Thread-safe. */
struct model_access;

/* Reads what was last known. Borrows all three. NULL when memory ran out. */
MUST_CHECK struct model_access *model_access_new(const struct config *config,
                                                 struct routings *routings, struct prices *prices);
void model_access_free(struct model_access *a);
/* Takes what uplift.model_access() said, and keeps it. */
void model_access_take(struct model_access *a, const cJSON *access);
/* The revision that is known from Postgres; -1 when it was never read. */
int64_t model_access_revision(struct model_access *a);

/*
 * Whether the model may answer. is_named: the request names it, so that it must be listed or
 * allowed by a rule; else the server chose it. False with *error: 404 model_not_found where it was
 * named, else 403 model_not_allowed; 403 model_not_priced.
 */
MUST_CHECK bool model_access_allows(struct model_access *a, const struct model_asker *who,
                                    const char *model, bool is_named, struct api_error *error);
/* Whether a model is listed, or has routes though it is not: its name is the operator's, and not
 * made up by a client. */
bool model_access_knows(struct model_access *a, const char *model);
/* Calls each with every model that may be named, once; it must not call back. */
void model_access_each(struct model_access *a, const struct model_asker *who,
                       void (*each)(void *arg, const char *model), void *arg);

#endif
