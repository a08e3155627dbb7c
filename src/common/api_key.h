/*
 * API keys: upl_ and 43 letters, digits, hyphens and underscores, drawn at random.
 *
 * A process keeps the SHA-256 of the keys it has seen, and what they may do. For a few seconds it
 * takes that for true; then it asks Postgres again, so that a key that was revoked is refused soon,
 * and while Postgres is away what it knows goes on to be true.
 */
#ifndef UPLIFT_API_KEY_H
#define UPLIFT_API_KEY_H

#include "error.h"
#include "must_check.h"
#include "pg_pool.h"
#include "uuid.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* What a request may do, as bits; a user's token may do all but admin and act. */
#define SCOPE_CHAT 1u
#define SCOPE_FEEDBACK 2u
#define SCOPE_READ 4u
#define SCOPE_ACT 8u
#define SCOPE_ADMIN 16u

struct api_key {
    char id_text[UUID_TEXT + 1];
    struct uuid user; /* its service user */
    unsigned scopes;
};

struct api_keys;

/* Borrows both, to ask Postgres. NULL when memory ran out. */
MUST_CHECK struct api_keys *api_keys_new(struct pg_pool *pool, struct pg_breaker *breaker);
void api_keys_free(struct api_keys *k);
/* Prints the names of scopes, joined by commas; - for none. */
void api_key_print_scopes(FILE *out, unsigned bits);
/* Whether a token looks like a key of ours. */
bool api_key_looks_like(const char *token);
/*
 * What the key may do. False with *error: 401 invalid_api_key where there is none or it has ended,
 * 503 database_unavailable where Postgres is away and the key is not known. Thread-safe.
 */
MUST_CHECK bool api_keys_check(struct api_keys *k, const char *token, struct api_key *out,
                               struct api_error *error);

#endif
