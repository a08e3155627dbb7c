/* The last known system prompts (without memory) of every coach, severity band and mode, in parts,
 * for when Postgres is away. Kept in memory and in a file of the spool directory, so that a worker
 * born while Postgres is away has them too. */
#ifndef UPLIFT_PERSONA_H
#define UPLIFT_PERSONA_H

#include "common/must_check.h"
#include "common/pg.h"

#include <stdbool.h>

struct personas;

/* Reads dir/personas.json when there is one. NULL when memory ran out. */
MUST_CHECK struct personas *personas_new(const char *dir);
void personas_free(struct personas *p);
/* Asks uplift_chat.list_personas() and uplift_chat.list_coaches() and replaces all; writes the file
 * (atomically) when something changed. An empty or refused answer (logged) keeps what is known. */
enum pg_outcome personas_refresh(struct personas *p, struct pg *pg);
/* What is asked for; all borrowed, NULL where nothing is. */
struct persona_wish {
    const char *coach_id; /* NULL: the default one */
    const char *severity; /* text such as "3.5"; NULL or not a number: 3.0 */
    const char *mode; /* NULL or unknown: "default"; so is roast, for consent cannot be checked */
    const char *personality; /* in place of the coach's own */
};

/* What there is; all owned by the caller. */
struct persona_found {
    char *coach_id; /* NULL when no coach was asked for and none is known */
    char *mode;     /* the one that the prompt is of */
    char *prompt;   /* what uplift.shared_prompt() makes of the same */
    bool is_known;  /* false when nothing is known at all: the prompt is a plain generic one */
};

/* False, with nothing to free, when the coach is unknown though others are known, or memory ran
 * out. Thread-safe. */
MUST_CHECK bool personas_find(struct personas *p, const struct persona_wish *wish,
                              struct persona_found *out);
/* The severity band, 1 to 6, cut at 1.6, 2.6, 3.6, 4.6 and 5.6. */
int persona_band(double severity);
/* The JSON of GET /v1/coaches as far as it is known without Postgres; the caller's to free, NULL
 * when nothing is known. */
char *personas_coaches_json(struct personas *p);

#endif
