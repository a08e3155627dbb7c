#include "jwt.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HS256_CHARACTERS 43 /* of base64url for the 32 bytes of an HMAC with SHA-256 */

bool jwt_is_base64url(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
              c == '-' || c == '_'))
            return false;
    }
    return len > 0 && len % 4 != 1;
}

/* Whether it is header.payload.signature, and how long the latter is. */
static bool has_three_parts(const char *token, size_t len, size_t *signature_len)
{
    const char *end = token + len;
    for (int part = 0; part < 2; part++) {
        const char *dot = memchr(token, '.', (size_t)(end - token));
        if (dot == NULL || !jwt_is_base64url(token, (size_t)(dot - token)))
            return false;
        token = dot + 1;
    }
    *signature_len = (size_t)(end - token);
    return jwt_is_base64url(token, *signature_len);
}

bool jwt_open(struct jwt *t, const char *token, size_t len)
{
    memset(t, 0, sizeof *t);
    if (len > JWT_MAX_BYTES || !has_three_parts(token, len, &t->signature_len))
        return false;
    t->jws = cjose_jws_import(token, len, NULL);
    if (t->jws == NULL)
        return false;
    cjose_header_t *header = cjose_jws_get_protected(t->jws); /* borrowed */
    t->alg = cjose_header_get(header, CJOSE_HDR_ALG, NULL);
    const char *kid = cjose_header_get(header, CJOSE_HDR_KID, NULL);
    char *critical = cjose_header_get_raw(header, "crit", NULL);
    bool good = t->alg != NULL && critical == NULL && (kid == NULL || strlen(kid) <= JWT_MAX_KID);
    free(critical);
    if (!good) {
        jwt_close(t);
        return false;
    }
    snprintf(t->kid, sizeof t->kid, "%s", kid != NULL ? kid : "");
    return true;
}

bool jwt_verify(struct jwt *t, const cjose_jwk_t *key, const char *alg)
{
    uint8_t *payload = NULL;
    size_t len = 0;
    /* cjose compares an HMAC of 32 bytes with whatever there is, also beyond its end. */
    bool is_short = strcmp(alg, "HS256") == 0 && t->signature_len != HS256_CHARACTERS;
    if (strcmp(t->alg, alg) != 0 || is_short || !cjose_jws_verify(t->jws, key, NULL) ||
        !cjose_jws_get_plaintext(t->jws, &payload, &len, NULL))
        return false;
    /* Not json_parse: an issuer we trust may put numbers there that we would not take from a
     * client. */
    cJSON_Delete(t->claims);
    t->claims = cJSON_ParseWithLength((const char *)payload, len);
    return cJSON_IsObject(t->claims);
}

void jwt_close(struct jwt *t)
{
    cJSON_Delete(t->claims);
    cjose_jws_release(t->jws);
    memset(t, 0, sizeof *t);
}

/* A time claim in seconds, rounded down. False when it is there but no time. */
static bool time_claim(const cJSON *claims, const char *name, bool *present, int64_t *out)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(claims, name);
    *present = item != NULL;
    if (item == NULL)
        return true;
    if (!cJSON_IsNumber(item) || !isfinite(item->valuedouble) || fabs(item->valuedouble) > 1e15)
        return false;
    *out = (int64_t)floor(item->valuedouble);
    return true;
}

static bool text_is(const cJSON *item, const char *wanted)
{
    return cJSON_IsString(item) && strcmp(item->valuestring, wanted) == 0;
}

static bool audience_fits(const cJSON *claims, const char *wanted)
{
    const cJSON *aud = cJSON_GetObjectItemCaseSensitive(claims, "aud");
    const cJSON *item;
    if (!cJSON_IsArray(aud))
        return text_is(aud, wanted);
    cJSON_ArrayForEach (item, aud) {
        if (text_is(item, wanted))
            return true;
    }
    return false;
}

enum jwt_verdict jwt_check(const cJSON *claims, const struct jwt_rules *rules, int64_t now_s,
                           int64_t *expires_s)
{
    int64_t exp = 0, nbf = 0, iat = 0;
    bool has_exp, has_nbf, has_iat;
    if (!time_claim(claims, "exp", &has_exp, &exp) || !time_claim(claims, "nbf", &has_nbf, &nbf) ||
        !time_claim(claims, "iat", &has_iat, &iat) || !has_exp)
        return JWT_MALFORMED;
    if (now_s >= exp + rules->skew_s)
        return JWT_EXPIRED;
    if ((has_nbf && nbf > now_s + rules->skew_s) || (has_iat && iat > now_s + rules->skew_s))
        return JWT_EARLY;
    if (rules->audience != NULL && !audience_fits(claims, rules->audience))
        return JWT_AUDIENCE;
    if (rules->issuer != NULL &&
        !text_is(cJSON_GetObjectItemCaseSensitive(claims, "iss"), rules->issuer))
        return JWT_ISSUER;
    *expires_s = exp;
    return JWT_GOOD;
}
