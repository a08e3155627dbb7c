/* Who is asking: Supabase-style JWTs by shared secret or key set, and the anonymous key. */
#ifndef UPLIFT_AUTH_H
#define UPLIFT_AUTH_H

#include "api_key.h"
#include "config.h"
#include "error.h"
#include "jwks.h"
#include "must_check.h"
#include "uuid.h"

#include <stdbool.h>

struct identity {
    struct uuid user; /* whose rows these are */
    char user_text[UUID_TEXT + 1];
    bool has_user;   /* false: an admin token without sub (service_role) */
    bool is_admin;   /* the project's service_role key, or a role of UPLIFT_JWT_ADMIN_ROLES */
    bool is_tester;  /* a role of UPLIFT_JWT_TESTER_ROLES, or an admin */
    unsigned scopes; /* SCOPE_ bits */
    char key_id[UUID_TEXT + 1]; /* of the API key, "" for a token */
    bool is_anonymous;          /* Supabase's anonymous sign-in, or the guest user */
    bool is_guest;              /* the guest user, whom all without a token share */
};

/* Verifies tokens; shared by all intake threads of a process. Holds the key set and a cache of
 * verified tokens. */
struct auth;

/* Borrows config for its whole life. With a JWKS URL, starts the thread that fetches the key set.
 * NULL when memory ran out. Needs curl_global_init. */
MUST_CHECK struct auth *auth_new(const struct config *config);
/* The same with other time limits for the key set, for tests; the url in them is not used. */
struct auth *auth_new_with(const struct config *config, const struct jwks_options *limits);
void auth_free(struct auth *a);
/* Borrows the keys: tokens that look like one are looked up there. Before the first auth_check. */
void auth_take_keys(struct auth *a, struct api_keys *keys);

/*
 * Decides who sends a request. authorization is the Authorization header's value and apikey the
 * apikey header's, or NULL. The key that verifies is chosen by configuration and kid, never by the
 * token's alg: HS256 only with the shared secret, ES256 and RS256 only with a key of that type from
 * the JWKS. Checks exp, nbf, aud, iss with the configured skew, and that sub is a UUID, or makes
 * one of it as UPLIFT_JWT_SUB says. Bearer equal to the apikey (or to UPLIFT_ANON_KEY), or no token
 * but a right apikey, is anonymous: the guest user where one is configured, else 401. One thread at
 * a time may wait up to a few seconds for the key set, others a quarter of a second. False with
 * *error filled in: 401 with code token_expired, token_not_yet_valid, invalid_token,
 * invalid_audience, invalid_issuer, missing_token, invalid_api_key or sign_in_required; 503 with
 * retry_after_ms when the key set cannot be had.
 */
MUST_CHECK bool auth_check(struct auth *a, const char *authorization, const char *apikey,
                           struct identity *out, struct api_error *error);
/*
 * Makes who act for a user, as X-Uplift-User (NULL: nobody is named) asks: for API keys with scope
 * act. False with *error: 403 act_not_allowed, 400 invalid_user.
 */
MUST_CHECK bool auth_act_for(struct identity *who, const char *user, struct api_error *error);

#endif
