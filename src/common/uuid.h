/* UUIDs, and the answer ids that prove to whom they were issued. */
#ifndef UPLIFT_UUID_H
#define UPLIFT_UUID_H

#include "must_check.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UUID_TEXT 36 /* characters of the canonical form, without a NUL */

struct uuid {
    uint8_t bytes[16];
};

/* Reads the canonical form (8-4-4-4-12, either case, nothing before or after). */
bool uuid_parse(const char *text, struct uuid *out);
/* Writes the canonical lower-case form and a NUL. */
void uuid_format(const struct uuid *id, char out[UUID_TEXT + 1]);
bool uuid_equal(const struct uuid *a, const struct uuid *b);
/* A UUID version 7 (RFC 9562): 48 bits of Unix milliseconds, then random bits from the kernel.
 * Thread-safe. */
void uuid_v7(struct uuid *out);
/* Of the URL namespace of RFC 9562 (6.6). */
extern const struct uuid uuid_of_urls;
/* The UUID version 5 (RFC 9562, 5.5) of a name in a namespace, which may be where out is: always
 * the same. False when memory ran out. */
MUST_CHECK bool uuid_v5(const struct uuid *space, const char *name, struct uuid *out);

/*
 * An answer id is a UUIDv7 whose last 32 bits are an HMAC-SHA-256 (truncated) of the rest and of
 * the user's id under a secret key. Any worker on any host that has the key can so tell whether an
 * id was issued to a user, without asking anybody: a thumb for an answer that is still streaming is
 * told from one for an answer that never was.
 */
struct answer_key {
    uint8_t bytes[32];
};
/* Derives the key from a configured secret of any length (HMAC-SHA-256 with a fixed label). */
void answer_key_derive(const char *secret, size_t len, struct answer_key *out);

/* A key made ready to sign with. Thread-safe once made. */
struct answer_signer;
/* NULL when memory ran out. */
MUST_CHECK struct answer_signer *answer_signer_new(const struct answer_key *key);
void answer_signer_free(struct answer_signer *signer);
void answer_id_make(const struct answer_signer *signer, const struct uuid *user, struct uuid *out);
/*
 * A name for a user in logs, 16 hex digits: always the same under one key, and without the key
 * nobody can tell whose it is. "" when memory ran out.
 */
void user_alias(const struct answer_signer *signer, const struct uuid *user, char out[17]);
/* True when answer_id_make made this id for this user; compares in constant time. */
bool answer_id_issued(const struct answer_signer *signer, const struct uuid *user,
                      const struct uuid *id);

#endif
