/* One JSON Web Token: its signature by a given key and algorithm, and its claims. */
#ifndef UPLIFT_JWT_H
#define UPLIFT_JWT_H

#include "must_check.h"

#include <cjose/cjose.h>
#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JWT_MAX_BYTES (16 * 1024) /* of a token; nginx's header limits are of the same order */
#define JWT_MAX_KID 256

/* A token that was taken apart. Nothing in it may be believed before jwt_verify. */
struct jwt {
    cjose_jws_t *jws; /* owned */
    char alg[16];
    char kid[JWT_MAX_KID + 1]; /* "" when there is none */
    size_t signature_len;      /* bytes */
    cJSON *claims;             /* owned; an object, set by jwt_verify */
};

/* True when text is base64url without padding (RFC 7515, 2), not empty, and the one spelling of its
 * bytes: the bits of the last character that belong to none are 0. cjose ends the process by an
 * assertion on some text that is not, so nothing goes to it unchecked. */
bool jwt_is_base64url(const char *text, size_t len);

/*
 * Takes a token apart: three base64url parts, and a header by RFC 7515 and 7519, of which no member
 * is there twice, with a signature algorithm. False, with nothing to release, for all else: alg
 * none, encrypted tokens, any critical extension (crit; none is known here), payloads that are not
 * base64url (b64), nested tokens (cty), tokens of a type that gives no access (typ), a kid that is
 * no text, and anything longer than JWT_MAX_BYTES.
 */
MUST_CHECK bool jwt_open(struct jwt *t, const char *token, size_t len);
/*
 * True when the header names exactly alg, key signed it, and the payload is one JSON object without
 * duplicate names or NUL, and nothing after it; claims are then filled in. The caller knows which
 * algorithm the key is for: cjose alone would take PS256 for an RSA key, or HS512 for a secret,
 * because the token says so.
 */
bool jwt_verify(struct jwt *t, const cjose_jwk_t *key, const char *alg);
void jwt_close(struct jwt *t);

/* What claims are held against. */
struct jwt_rules {
    const char *audience; /* aud must be it or hold it; NULL: any */
    const char *issuer;   /* iss must be it; NULL: any */
    int64_t skew_s;       /* by how much clocks may differ */
};

enum jwt_verdict {
    JWT_GOOD,
    JWT_EXPIRED,   /* exp has passed */
    JWT_EARLY,     /* nbf or iat lies ahead */
    JWT_AUDIENCE,  /* not for us */
    JWT_ISSUER,    /* not from whom we trust */
    JWT_MALFORMED, /* exp is missing, or a time is not a number */
};

/*
 * now_s: seconds since 1970. *expires_s is when it ends, without the skew (set on JWT_GOOD only).
 */
enum jwt_verdict jwt_check(const cJSON *claims, const struct jwt_rules *rules, int64_t now_s,
                           int64_t *expires_s);

#endif
