/*
 * An answer that is kept to be given again: what the cache in Postgres holds of it, or a copy of
 * one that an identical request got. replay.h gives it in the form in which a provider's would
 * come.
 */
#ifndef UPLIFT_CACHED_ANSWER_H
#define UPLIFT_CACHED_ANSWER_H

#include "chat.h"
#include "common/must_check.h"

struct cached_answer {
    char source_id[UUID_TEXT + 1]; /* the answer it was first */
    char *text;                    /* owned, as are all char * */
    char *model;                   /* as the provider named it; NULL when unknown */
    char *message; /* JSON: what the message holds besides its text; NULL: nothing */
    char provider[64];
    char finish_reason[32];
    int64_t prompt_tokens, completion_tokens, cached_tokens;
};

/* What uplift.find_cached() said; NULL when memory ran out or it is none. The caller's. */
struct cached_answer *cached_read(const char *json);
/* Whether the answer of a chat that has ended may be given again, as uplift.cache_answers() has it.
 */
bool cached_fits(const struct chat *chat);
/* The answer of a chat that is complete and recorded; NULL when memory ran out. The caller's. */
MUST_CHECK struct cached_answer *cached_copy(const struct chat *chat);
void cached_free(struct cached_answer *c);

#endif
