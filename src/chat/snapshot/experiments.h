/*
 * The experiments that run, as Postgres last told (uplift.known_experiments): for the time it is
 * away, when uplift_chat.prepare_chats cannot say which variant a chat gets. Kept in memory and in
 * a file of the spool directory, so that a worker born while Postgres is away has them too.
 */
#ifndef UPLIFT_EXPERIMENTS_H
#define UPLIFT_EXPERIMENTS_H

#include "common/must_check.h"

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>

#define EXPERIMENTS_MARK 64

struct experiments;

/* Reads dir/experiments.json when there is one. NULL when memory ran out. */
MUST_CHECK struct experiments *experiments_new(const char *dir);
void experiments_free(struct experiments *e);
/* Which version is known, "" for none. Thread-safe, like all below. */
void experiments_mark(struct experiments *e, char mark[EXPERIMENTS_MARK]);
/* Replaces all by what uplift.known_experiments() gave, {"holdout_share", "production":
 * [{"coach_id", "changes"}], "running": [rows of uplift.running_experiments], "deployed",
 * "left_out"}; writes the file. What cannot be read keeps what is known. */
void experiments_take(struct experiments *e, const cJSON *news, const char *mark);

/* Where a user is in [0, 1) by a salt: the first 52 bits of SHA-256 of the salt and the user's id,
 * divided by 2^52, as uplift.bucket() has it. Negative when there is no SHA-256. */
double experiments_bucket(const char *salt, const char *user);

/* Who asks for what: what is said here is no experiment's to change. All borrowed, NULL where
 * nothing is. */
struct experiment_asker {
    const char *user;     /* UUID in small letters */
    bool is_guest;        /* gets what is in production, and is in no experiment */
    const char *coach_id; /* named by the request */
    const char *severity, *mode, *model;
    const char *asked; /* a JSON array of parameters of the provider that the request has */
};

/* What rollouts and variants change of a chat; all owned, NULL where nothing is. */
struct experiment_changes {
    cJSON *all;      /* an object: what variants change, by name */
    char *exposures; /* a JSON array for the row of the answer */
};

/* False when memory ran out. Out of all experiments, exposures is NULL. Mode roast is never
 * among the changes, for consent cannot be checked. */
MUST_CHECK bool experiments_assign(struct experiments *e, const struct experiment_asker *who,
                                   struct experiment_changes *out);
void experiment_changes_release(struct experiment_changes *changes);

#endif
