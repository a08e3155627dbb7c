#include "auth.h"

#include "clock.h"
#include "jwt.h"
#include "log.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const struct jwks_options default_limits = {
    .refresh_min_ms = 10000, .timeout_ms = 3000, .wait_ms = 3500};

/* Verified tokens: CACHE_SETS places of CACHE_WAYS tokens each, so about 1 MB when full. */
#define CACHE_SETS 1024
#define CACHE_WAYS 4
#define SUB_MAX 255         /* bytes: OpenID Connect Core 1.0, 2 */
#define SECRET_GENERATION 0 /* of tokens signed with the shared secret, which does not change */

struct cached {
    uint8_t digest[SHA256_DIGEST_LENGTH]; /* of the token */
    int64_t expires_s;                    /* 0: the place is free */
    uint64_t generation;                  /* of the key set that verified it */
    struct identity who;
};

struct auth {
    const struct config *config;
    cjose_jwk_t *secret;   /* NULL: not configured */
    struct jwks *jwks;     /* NULL: not configured */
    struct api_keys *keys; /* borrowed; NULL: none */
    struct identity guest;
    uint8_t salt[8]; /* so that nobody can aim at a place of the cache */
    pthread_mutex_t lock;
    struct cached cache[CACHE_SETS][CACHE_WAYS];
};

struct auth *auth_new(const struct config *config)
{
    return auth_new_with(config, &default_limits);
}

struct auth *auth_new_with(const struct config *config, const struct jwks_options *limits)
{
    struct auth *a = calloc(1, sizeof *a);
    if (a == NULL)
        return NULL;
    a->config = config;
    pthread_mutex_init(&a->lock, NULL);
    if (RAND_bytes(a->salt, sizeof a->salt) != 1)
        goto fail;
    if (config->guest_user != NULL && uuid_parse(config->guest_user, &a->guest.user)) {
        uuid_format(&a->guest.user, a->guest.user_text);
        a->guest.has_user = true;
        a->guest.scopes = SCOPE_CHAT | SCOPE_FEEDBACK | SCOPE_READ;
    }
    a->guest.is_anonymous = a->guest.is_guest = true;
    if (config->jwt_secret != NULL) {
        a->secret = cjose_jwk_create_oct_spec((const uint8_t *)config->jwt_secret,
                                              strlen(config->jwt_secret), NULL);
        if (a->secret == NULL)
            goto fail;
    }
    if (config->jwks_url != NULL) {
        struct jwks_options options = *limits;
        options.url = config->jwks_url;
        options.ca_bundle = config->ca_bundle;
        a->jwks = jwks_new(&options);
        if (a->jwks == NULL)
            goto fail;
    }
    return a;
fail:
    auth_free(a);
    return NULL;
}

void auth_free(struct auth *a)
{
    if (a == NULL)
        return;
    jwks_free(a->jwks);
    cjose_jwk_release(a->secret);
    pthread_mutex_destroy(&a->lock);
    free(a);
}

void auth_take_keys(struct auth *a, struct api_keys *keys)
{
    a->keys = keys;
}

/* --- the cache --- */

/* The places where a token may be; which, depends on our salt. */
static struct cached *places(struct auth *a, const uint8_t digest[SHA256_DIGEST_LENGTH])
{
    uint64_t mixed, salt;
    memcpy(&mixed, digest, sizeof mixed);
    memcpy(&salt, a->salt, sizeof salt);
    mixed = (mixed ^ salt) * 0x9e3779b97f4a7c15u;
    return a->cache[(mixed >> 32) % CACHE_SETS];
}

static bool recall(struct auth *a, const uint8_t digest[SHA256_DIGEST_LENGTH], int64_t now_s,
                   struct identity *out)
{
    uint64_t generation = a->jwks != NULL ? jwks_generation(a->jwks) : SECRET_GENERATION;
    bool found = false;
    pthread_mutex_lock(&a->lock);
    struct cached *c = places(a, digest);
    for (int i = 0; i < CACHE_WAYS && !found; i++, c++) {
        bool fresh = now_s < c->expires_s + a->config->jwt_skew_s &&
                     (c->generation == SECRET_GENERATION || c->generation == generation);
        if (c->expires_s != 0 && fresh && CRYPTO_memcmp(c->digest, digest, sizeof c->digest) == 0) {
            *out = c->who;
            found = true;
        }
    }
    pthread_mutex_unlock(&a->lock);
    return found;
}

/* Keeps a verified token in the place of the one that expires first. */
static void remember(struct auth *a, const uint8_t digest[SHA256_DIGEST_LENGTH], int64_t expires_s,
                     uint64_t generation, const struct identity *who)
{
    pthread_mutex_lock(&a->lock);
    struct cached *set = places(a, digest), *victim = set;
    for (int i = 1; i < CACHE_WAYS; i++) {
        if (set[i].expires_s < victim->expires_s)
            victim = &set[i];
    }
    memcpy(victim->digest, digest, sizeof victim->digest);
    victim->expires_s = expires_s;
    victim->generation = generation;
    victim->who = *who;
    pthread_mutex_unlock(&a->lock);
}

/* --- tokens --- */

static bool refuse(struct api_error *e, const char *code, const char *message)
{
    return api_error(e, 401, code, "", "%s", message);
}

static bool refuse_token(struct api_error *e)
{
    return refuse(e, "invalid_token", "the token is not one of ours: sign in again");
}

static bool refuse_verdict(struct api_error *e, enum jwt_verdict verdict)
{
    switch (verdict) {
    case JWT_EXPIRED:
        return refuse(e, "token_expired", "the token has expired: refresh it");
    case JWT_EARLY:
        return refuse(e, "token_not_yet_valid", "the token is not valid yet");
    case JWT_AUDIENCE:
        return refuse(e, "invalid_audience", "the token is for another audience");
    case JWT_ISSUER:
        return refuse(e, "invalid_issuer", "the token comes from another issuer");
    default:
        return refuse_token(e);
    }
}

static const char *claim(const cJSON *claims, const char *name)
{
    return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(claims, name));
}

/* The claim of that name, or at the end of that path with dots, in which names may hold dots, too;
 * NULL: there is none. */
static const cJSON *claim_at(const cJSON *object, const char *path)
{
    const cJSON *found = cJSON_GetObjectItemCaseSensitive(object, path), *item;
    if (found != NULL || !cJSON_IsObject(object))
        return found;
    cJSON_ArrayForEach (item, object) {
        size_t len = strlen(item->string);
        if (found == NULL && strncmp(path, item->string, len) == 0 && path[len] == '.')
            found = claim_at(item, path + len + 1);
    }
    return found;
}

/* Whether a comma list, or NULL, has that text. */
static bool list_has(const char *list, const char *text)
{
    size_t len = strlen(text);
    for (const char *p = list; len > 0 && p != NULL && *p != '\0'; p += *p == ',') {
        size_t item = strcspn(p, ",");
        if (item == len && memcmp(p, text, len) == 0)
            return true;
        p += item;
    }
    return false;
}

/* Whether what the role claim says, a text or a list of them, is one of roles. */
static bool has_role(const cJSON *said, const char *roles)
{
    const cJSON *item;
    if (cJSON_IsString(said))
        return list_has(roles, said->valuestring);
    if (!cJSON_IsArray(said))
        return false;
    cJSON_ArrayForEach (item, said) {
        if (cJSON_IsString(item) && list_has(roles, item->valuestring))
            return true;
    }
    return false;
}

/*
 * The user whom a sub names: a UUID is one. Any other, where that is allowed, stands for the UUID
 * version 5 of it in the namespace that is the UUID version 5 of the issuer's URL. So does a UUID
 * of that version there: it might be the one that another's sub stands for.
 */
static bool user_of_sub(const struct config *config, const char *sub, struct uuid *out)
{
    if (sub == NULL)
        return false;
    if (uuid_parse(sub, out) && !(config->jwt_any_sub && out->bytes[6] >> 4 == 5))
        return true;
    size_t len = strlen(sub);
    return config->jwt_any_sub && config->jwt_issuer != NULL && len > 0 && len <= SUB_MAX &&
           uuid_v5(&uuid_of_urls, config->jwt_issuer, out) && uuid_v5(out, sub, out);
}

/*
 * Checks the claims of a token whose signature is right, and turns them into an identity. Only what
 * the auth server sets counts: role and the role claim, never user_metadata, which users edit.
 * Supabase's service_role and anon keys have neither sub nor aud, and another iss.
 */
static bool identify(struct auth *a, const cJSON *claims, struct identity *out, int64_t *expires_s,
                     struct api_error *e)
{
    const char *role = claim(claims, "role"), *sub = claim(claims, "sub");
    const cJSON *said = claim_at(claims, a->config->jwt_role_claim);
    bool is_service = role != NULL && strcmp(role, "service_role") == 0;
    bool has_sub = cJSON_GetObjectItemCaseSensitive(claims, "sub") != NULL;
    bool is_key = !has_sub && role != NULL && (is_service || strcmp(role, "anon") == 0);
    struct jwt_rules rules = {.audience = is_key ? NULL : a->config->jwt_audience,
                              .issuer = is_key ? NULL : a->config->jwt_issuer,
                              .skew_s = a->config->jwt_skew_s};
    memset(out, 0, sizeof *out);
    enum jwt_verdict verdict = jwt_check(claims, &rules, clock_wall_us() / 1000000, expires_s);
    if (verdict != JWT_GOOD)
        return refuse_verdict(e, verdict);
    if (is_key && !is_service) {
        *out = a->guest;
        return true;
    }
    if (!is_key) {
        if (!user_of_sub(a->config, sub, &out->user))
            return refuse(e, "invalid_token", "the token's sub is not the id of a user");
        uuid_format(&out->user, out->user_text);
        out->has_user = true;
    }
    out->scopes = SCOPE_CHAT | SCOPE_FEEDBACK | SCOPE_READ;
    /* Of a user's token only the role claim counts: role may be what a provider lets users write.
     */
    out->is_admin = is_key || has_role(said, a->config->jwt_admin_roles);
    out->is_tester = out->is_admin || has_role(said, a->config->jwt_tester_roles);
    out->is_anonymous = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(claims, "is_anonymous"));
    return true;
}

static bool refuse_for_now(struct api_error *e)
{
    api_error(e, 503, "keys_unavailable", "",
              "the keys that tokens are checked with could not be fetched: try again");
    e->retry_after_ms = 1000;
    return false;
}

/*
 * Checks the signature. Each key is for one algorithm only: the shared secret for HS256, those of
 * the key set for what their type says, so that naming another in the token leads nowhere.
 */
static bool verify(struct auth *a, struct jwt *t, uint64_t *generation, struct api_error *e)
{
    struct jwks_key key = {.set = NULL};
    *generation = SECRET_GENERATION;
    if (strcmp(t->alg, "HS256") == 0)
        return (a->secret != NULL && jwt_verify(t, a->secret, "HS256")) || refuse_token(e);
    if (a->jwks == NULL || (strcmp(t->alg, "ES256") != 0 && strcmp(t->alg, "RS256") != 0))
        return refuse_token(e);
    switch (jwks_find(a->jwks, t->kid, &key)) {
    case JWKS_AWAY:
        return refuse_for_now(e);
    case JWKS_UNKNOWN:
        return refuse_token(e);
    case JWKS_FOUND:
        break;
    }
    bool good;
    do {
        good = jwt_verify(t, key.jwk, key.alg);
    } while (!good && jwks_next(&key, t->kid));
    *generation = key.generation;
    jwks_key_release(&key);
    return good || refuse_token(e);
}

static bool check_token(struct auth *a, const char *token, struct identity *out,
                        struct api_error *e)
{
    uint8_t digest[SHA256_DIGEST_LENGTH];
    struct jwt t;
    uint64_t generation;
    int64_t expires_s;
    size_t len = strlen(token);
    if (len > JWT_MAX_BYTES)
        return refuse(e, "invalid_token", "the token is too long");
    SHA256((const unsigned char *)token, len, digest);
    if (recall(a, digest, clock_wall_us() / 1000000, out))
        return true;
    if (!jwt_open(&t, token, len))
        return refuse_token(e);
    bool good = verify(a, &t, &generation, e) && identify(a, t.claims, out, &expires_s, e);
    jwt_close(&t);
    if (good)
        remember(a, digest, expires_s, generation, out);
    return good;
}

/* --- requests --- */

static bool same_secret(const char *a, const char *b)
{
    size_t len = strlen(b);
    return strlen(a) == len && CRYPTO_memcmp(a, b, len) == 0;
}

/* The token of an Authorization header, without the spaces around it, in out. "" when there is no
 * header or nothing in it; false for another scheme than Bearer, or when it is too long. */
static bool bearer(const char *authorization, char *out, size_t room)
{
    *out = '\0';
    if (authorization == NULL)
        return true;
    authorization += strspn(authorization, " \t");
    if (*authorization == '\0')
        return true;
    if (strncasecmp(authorization, "Bearer", 6) != 0 ||
        (authorization[6] != '\0' && strchr(" \t", authorization[6]) == NULL))
        return false;
    const char *token = authorization + 6 + strspn(authorization + 6, " \t");
    size_t len = strcspn(token, " \t");
    if (len >= room || token[len + strspn(token + len, " \t")] != '\0')
        return false;
    memcpy(out, token, len);
    out[len] = '\0';
    return true;
}

/* Whether key is a public key as clients without a user send it. */
static bool is_public_key(const struct auth *a, const char *key)
{
    return a->config->anon_key == NULL || same_secret(key, a->config->anon_key);
}

static bool be_guest(const struct auth *a, struct identity *out, struct api_error *e)
{
    if (!a->guest.has_user)
        return refuse(e, "sign_in_required", "this needs a user: sign in, anonymously if need be");
    *out = a->guest;
    return true;
}

/*
 * Bearer and apikey are the same, as supabase-js sends them without a session. A service_role key
 * is an admin still; any other public key is nobody. A token of ours that has run out is said to
 * have, lest its user silently become a guest.
 */
static bool check_key(struct auth *a, const char *key, struct identity *out, struct api_error *e)
{
    struct api_error why = {.status = 0};
    if (a->config->anon_key != NULL && same_secret(key, a->config->anon_key))
        return be_guest(a, out, e);
    if (check_token(a, key, out, &why))
        return out->has_user || out->is_admin || be_guest(a, out, e);
    if (!is_public_key(a, key) || why.status == 503 || strcmp(why.code, "token_expired") == 0) {
        *e = why;
        return false;
    }
    return be_guest(a, out, e);
}

static bool check_api_key(struct auth *a, const char *token, struct identity *out,
                          struct api_error *e)
{
    struct api_key key;
    if (a->keys == NULL)
        return refuse_token(e);
    if (!api_keys_check(a->keys, token, &key, e))
        return false;
    out->user = key.user;
    uuid_format(&out->user, out->user_text);
    out->has_user = true;
    out->scopes = key.scopes;
    out->is_admin = out->is_tester = (key.scopes & SCOPE_ADMIN) != 0;
    memcpy(out->key_id, key.id_text, sizeof out->key_id);
    return true;
}

bool auth_act_for(struct identity *who, const char *user, struct api_error *error)
{
    if (user == NULL || *user == '\0')
        return true;
    if ((who->scopes & SCOPE_ACT) == 0)
        return api_error(error, 403, "act_not_allowed", "X-Uplift-User",
                         "only an API key with scope act may act for another user");
    if (!uuid_parse(user, &who->user))
        return api_error(error, 400, "invalid_user", "X-Uplift-User",
                         "X-Uplift-User must be the UUID of a user");
    uuid_format(&who->user, who->user_text);
    return true;
}

bool auth_check(struct auth *a, const char *authorization, const char *apikey, struct identity *out,
                struct api_error *error)
{
    char token[JWT_MAX_BYTES + 1];
    memset(out, 0, sizeof *out);
    if (!bearer(authorization, token, sizeof token))
        return refuse(error, "invalid_token", "Authorization must be: Bearer and one token");
    if (apikey != NULL && (*apikey == '\0' || strlen(apikey) > JWT_MAX_BYTES))
        apikey = NULL;
    if (*token == '\0' && apikey == NULL)
        return refuse(error, "missing_token", "no token was sent: Authorization: Bearer <token>");
    if (api_key_looks_like(token))
        return check_api_key(a, token, out, error);
    if (*token == '\0') {
        if (is_public_key(a, apikey))
            return be_guest(a, out, error);
        return check_key(a, apikey, out, error);
    }
    if ((apikey != NULL && same_secret(token, apikey)) ||
        (a->config->anon_key != NULL && same_secret(token, a->config->anon_key)))
        return check_key(a, token, out, error);
    if (!check_token(a, token, out, error))
        return false;
    return out->has_user || out->is_admin || be_guest(a, out, error);
}
