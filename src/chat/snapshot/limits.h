/*
 * Rate limits, as far as a worker has to do with them.
 *
 * While Postgres answers, the buckets are there (uplift_chat.prepare_chats), common to all workers;
 * a worker only gathers how many tokens its answers took beyond what was estimated, for the sync
 * thread to tell. While it is away each worker holds the limits it last knew by itself, with
 * buckets of its own: full ones at first, and of as many users as there is room for. It also
 * remembers whom Postgres refused lately.
 */
#ifndef UPLIFT_LIMITS_H
#define UPLIFT_LIMITS_H

#include "common/buf.h"
#include "common/error.h"
#include "common/must_check.h"

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>

#define LIMITS_SETTLED_AT_ONCE 4096 /* buckets */

/* What is left of the limit that matters to a client; a limit of 0 is none. */
struct limit_left {
    int64_t limit_requests, remaining_requests, reset_requests_ms;
    int64_t limit_tokens, remaining_tokens, reset_tokens_ms;
    int64_t charged_tokens; /* estimated, and taken already: in Postgres, */
    int64_t charged_here;   /* or, without it, by this worker */
};

/* Who asks: a user's id, an address, an API key's id; NULL or "" for none. */
struct limit_who {
    const char *user, *address, *api_key;
};

struct limits;

/* NULL when memory ran out. */
MUST_CHECK struct limits *limits_new(void);
void limits_free(struct limits *l);
/* Replaces the limits by what uplift_chat.worker_sync told. All of these are thread-safe. */
void limits_take(struct limits *l, const cJSON *list);
/* Without Postgres: takes one request and so many tokens, left->charged_here then. False with
 * *error, 429. */
MUST_CHECK bool limits_allow(struct limits *l, const struct limit_who *who, int64_t tokens,
                             struct limit_left *left, struct api_error *error);
/* Without Postgres: takes one call of feedback. False with *error, 429. */
MUST_CHECK bool limits_allow_feedback(struct limits *l, const struct limit_who *who,
                                      struct api_error *error);
/* An answer took so many tokens: what was not charged of them is taken here, and to be told; what
 * was charged beyond them is given back. */
void limits_spend(struct limits *l, const struct limit_who *who, int64_t tokens,
                  const struct limit_left *charged);
/* Appends ,"tokens":{bucket: tokens} where anything was spent that is not settled yet: of at most
 * LIMITS_SETTLED_AT_ONCE buckets, the rest the next time. What is not acknowledged is kept, of
 * however many users. */
void limits_put_spent(struct limits *l, struct buf *out);
/* Whether Postgres has what was put; else it is put again. Follows each limits_put_spent. */
void limits_acknowledge(struct limits *l, bool done);

/* Postgres refused a chat, and will refuse the next for so many ms, of which a minute is
 * remembered: of as many as there is room for. */
void limits_note_refused(struct limits *l, const struct limit_who *who, int64_t retry_after_ms);
/* Whether that is so: then what costs something can be spared before Postgres is asked, which
 * decides all the same. False for who comes with another address or key. */
bool limits_is_refused(struct limits *l, const struct limit_who *who);

/* Reads the limits of a row of uplift.prepare_chats. */
void limit_left_read(struct limit_left *left, const char *text);
/* Appends OpenAI's headers, x-ratelimit-limit-requests and so on, each a line; nothing without a
 * limit. */
void limit_left_headers(const struct limit_left *left, struct buf *out);

#endif
