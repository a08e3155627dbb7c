/* What the tests of auth.h share: keys, tokens signed with them, and how they are told. */
#ifndef UPLIFT_AUTH_TEST_H
#define UPLIFT_AUTH_TEST_H

#include "common/auth.h"
#include "common/clock.h"
#include "common/json.h"
#include "common/log.h"
#include "unit.h"

#include <cjose/cjose.h>
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECRET "a secret of more than thirty-two bytes"
#define USER "11111111-2222-4333-8444-555555555555"
#define GUEST "00000000-0000-7000-8000-00000000000a"
#define ISSUER "https://example.supabase.co/auth/v1"

static cjose_jwk_t *secret_key, *rsa_key, *rsa_other, *ec_key, *ec_other;

/* --- tokens --- */

static inline char *sign_with(cjose_jwk_t *key, const char *alg, const char *kid,
                              const char *payload)
{
    cjose_header_t *header = cjose_header_new(NULL);
    const char *text = NULL;
    assert_true(cjose_header_set(header, "alg", alg, NULL));
    if (kid != NULL)
        assert_true(cjose_header_set(header, "kid", kid, NULL));
    cjose_jws_t *jws = cjose_jws_sign(key, header, (const uint8_t *)payload, strlen(payload), NULL);
    assert_non_null(jws);
    assert_true(cjose_jws_export(jws, &text, NULL));
    char *copy = strdup(text);
    cjose_jws_release(jws);
    cjose_header_release(header);
    return copy;
}

static inline char *sign(const char *payload)
{
    return sign_with(secret_key, "HS256", NULL, payload);
}

static inline int64_t now_s(void)
{
    return clock_wall_us() / 1000000;
}

/* Claims of an ordinary user that end in_s seconds from now, with more (",..." or "") after them.
 */
static inline const char *claims(int in_s, const char *more)
{
    static char text[16384];
    snprintf(text, sizeof text,
             "{\"iss\":\"" ISSUER "\",\"sub\":\"" USER "\",\"aud\":\"authenticated\","
             "\"role\":\"authenticated\",\"exp\":%lld%s}",
             (long long)now_s() + in_s, more);
    return text;
}

/* The same from whole cloth: %lld is replaced by an exp an hour ahead. */
static inline const char *later(const char *format)
{
    static char text[1024];
    const char *at = strstr(format, "EXP");
    snprintf(text, sizeof text, "%.*s%lld%s", (int)(at - format), format, (long long)now_s() + 3600,
             at + 3);
    return text;
}

/* --- checking --- */

struct answer {
    bool good;
    struct identity who;
    struct api_error error;
};

static inline struct answer ask_key(struct auth *a, const char *token, const char *apikey)
{
    struct answer answer;
    char *header = NULL;
    memset(&answer, 0, sizeof answer);
    if (token != NULL)
        assert_true(asprintf(&header, "Bearer %s", token) > 0);
    answer.good = auth_check(a, header, apikey, &answer.who, &answer.error);
    free(header);
    return answer;
}

/* Asks with a token, which it frees. */
static inline struct answer ask(struct auth *a, char *token)
{
    struct answer answer = ask_key(a, token, NULL);
    free(token);
    return answer;
}

static inline void assert_refused(struct answer answer, int status, const char *code)
{
    assert_false(answer.good);
    assert_int_equal(answer.error.status, status);
    assert_string_equal(answer.error.code, code);
}

static struct config config = {.jwt_secret = (char *)SECRET,
                               .jwt_audience = (char *)"authenticated",
                               .jwt_issuer = (char *)ISSUER,
                               .jwt_skew_s = 30,
                               .jwt_role_claim = (char *)"app_metadata.role",
                               .jwt_admin_roles = (char *)"admin",
                               .jwt_tester_roles = (char *)"tester"};
static struct auth *by_secret;

static inline int set_up(void **state)
{
    static const uint8_t exponent[] = {1, 0, 1};
    (void)state;
    log_open("test", -1, LOG_ERROR);
    /* Links json.c, whose json_string has a namesake in jansson that cjose must go on finding. */
    if (!json_utf8_valid("x", 1))
        return -1;
    curl_global_init(CURL_GLOBAL_DEFAULT);
    secret_key = cjose_jwk_create_oct_spec((const uint8_t *)SECRET, strlen(SECRET), NULL);
    rsa_key = cjose_jwk_create_RSA_random(2048, exponent, 3, NULL);
    rsa_other = cjose_jwk_create_RSA_random(2048, exponent, 3, NULL);
    ec_key = cjose_jwk_create_EC_random(CJOSE_JWK_EC_P_256, NULL);
    ec_other = cjose_jwk_create_EC_random(CJOSE_JWK_EC_P_256, NULL);
    by_secret = auth_new(&config);
    return secret_key && rsa_key && rsa_other && ec_key && ec_other && by_secret ? 0 : -1;
}

static inline int tear_down(void **state)
{
    (void)state;
    auth_free(by_secret);
    cjose_jwk_release(secret_key);
    cjose_jwk_release(rsa_key);
    cjose_jwk_release(rsa_other);
    cjose_jwk_release(ec_key);
    cjose_jwk_release(ec_other);
    curl_global_cleanup();
    return 0;
}

#endif
