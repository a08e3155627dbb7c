/*
 * A key set (JWKS, RFC 7517) that is fetched by URL and kept fresh by a thread of its own, so that
 * no request waits for it but the first, and the first with a key that is new.
 */
#ifndef UPLIFT_JWKS_H
#define UPLIFT_JWKS_H

#include "must_check.h"

#include <cjose/cjose.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct jwks;
struct key_set;

struct jwks_options {
    const char *url;
    const char *ca_bundle;  /* as in struct config; NULL: the system's */
    int64_t refresh_min_ms; /* an unknown kid makes us ask at most this often */
    int64_t timeout_ms;     /* of one fetch */
    int64_t wait_ms;        /* how long jwks_find may wait for a fetch */
};

/* One key, and the set that keeps it alive. */
struct jwks_key {
    const cjose_jwk_t *jwk; /* borrowed from set */
    const char *alg;        /* the one algorithm it is for: "ES256" or "RS256" */
    uint64_t generation;    /* of the set: changes when the fetched keys do */
    struct key_set *set;
    size_t place; /* in it */
};

enum jwks_answer {
    JWKS_FOUND,   /* *key is filled in: release it */
    JWKS_UNKNOWN, /* the set is known, and no such key is in it */
    JWKS_AWAY,    /* the set could not be had (yet) */
};

/* Copies the options and starts to fetch. Needs curl_global_init. NULL when that failed. */
MUST_CHECK struct jwks *jwks_new(const struct jwks_options *options);
/* Stops the thread, also in the middle of a fetch. */
void jwks_free(struct jwks *j);

/*
 * The first key with that kid (jwks_next has others), or, when kid is "", the only key of the set.
 * While a fetch for an unknown key is under way one caller waits for it up to wait_ms, and others
 * only a short time, and nobody when the last one failed: unknown keys must not keep every thread
 * from its work. Keys that are due for refresh go on counting while that fails, for a day at most.
 */
enum jwks_answer jwks_find(struct jwks *j, const char *kid, struct jwks_key *key);
void jwks_key_release(struct jwks_key *key);
/* Goes on to the next key of the same set with that kid, of which there may be several (RFC 7517,
 * 4.5). False when there is none. */
bool jwks_next(struct jwks_key *key, const char *kid);
/* The generation of the set as it is now; 0 when there is none. */
uint64_t jwks_generation(struct jwks *j);

/*
 * Imports a key set key by key: EC P-256 keys for ES256, and for RS256 RSA keys of 2048 to 8192
 * bits, their modulus odd and their exponent odd, at least 3 and at most 64 bits long, that are
 * meant for signatures; numbers as RFC 7518 (6.2.1, 6.3.1) writes them. All others are left out.
 * NULL when text is not a key set at all, or one in which a name is there twice; a set without a
 * usable key is one, too (projects with only a shared secret publish that).
 */
struct key_set *key_set_parse(const char *text, size_t len);
size_t key_set_size(const struct key_set *set);
/* The algorithm of the first key with that kid, or NULL. */
const char *key_set_alg(const struct key_set *set, const char *kid);
void key_set_release(struct key_set *set);

/*
 * Seconds that a Cache-Control value allows, within a minute and a day; NULL or none: ten minutes.
 */
int64_t jwks_max_age_s(const char *cache_control);

#endif
