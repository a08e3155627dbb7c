/* One JSON Web Token; see jwt.h. */
#include "jwt.h"

#include "json.h"

#include <cjose/base64.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define HS256_BYTES 32
#define ES256_BYTES 64 /* R and S, of 32 each: RFC 7518, 3.4 */

/* The value of a character of base64url, -1 for any other. */
static int sextet(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '-' ? 62 : c == '_' ? 63 : -1;
}

bool jwt_is_base64url(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (sextet(text[i]) < 0)
            return false;
    if (len == 0 || len % 4 == 1)
        return false;
    int unused = len % 4 == 2 ? 0x0f : len % 4 == 3 ? 0x03 : 0;
    return (sextet(text[len - 1]) & unused) == 0;
}

/* Whether it is header.payload.signature, and how long the first and the last are, in characters
 * and in bytes. */
static bool has_three_parts(const char *token, size_t len, size_t *header_len,
                            size_t *signature_len)
{
    const char *begin = token, *end = token + len;
    for (int part = 0; part < 2; part++) {
        const char *dot = memchr(token, '.', (size_t)(end - token));
        if (dot == NULL || !jwt_is_base64url(token, (size_t)(dot - token)))
            return false;
        if (part == 0)
            *header_len = (size_t)(dot - begin);
        token = dot + 1;
    }
    *signature_len = (size_t)(end - token) * 3 / 4;
    return jwt_is_base64url(token, (size_t)(end - token));
}

/* Whether a text member is absent, or one of these in any case. */
static bool is_absent_or(struct span text, const char *const *allowed)
{
    char value[32];
    if (text.at == NULL)
        return true;
    if (!scan_is_string(text) || text.len >= sizeof value)
        return false;
    scan_copy(text, value, sizeof value);
    for (; *allowed != NULL; allowed++)
        if (strcasecmp(value, *allowed) == 0)
            return true;
    return false;
}

/* A text of a header in a fixed array; false when it is none, or does not fit whole. */
static bool take_text(struct span text, char *out, size_t size)
{
    struct buf whole;
    buf_init(&whole, size - 1);
    bool good = scan_is_string(text) && scan_text(text, &whole, NULL);
    if (good && whole.len > 0)
        memcpy(out, whole.data, whole.len);
    out[good ? whole.len : 0] = '\0';
    buf_release(&whole);
    return good;
}

static bool read_header(struct jwt *t, struct span header)
{
    /* RFC 7519, 5.1, and RFC 9068; others are for something else, such as the word that a session
     * has ended. */
    static const char *const types[] = {"JWT", "application/jwt", "at+jwt", "application/at+jwt",
                                        NULL};
    struct span kid = scan_member(header, "kid"), b64 = scan_member(header, "b64");
    struct span content_type = scan_member(header, "cty");
    return scan_is_object(header) && take_text(scan_member(header, "alg"), t->alg, sizeof t->alg) &&
           t->alg[0] != '\0' && (kid.at == NULL || take_text(kid, t->kid, sizeof t->kid)) &&
           scan_member(header, "crit").at == NULL && (b64.at == NULL || scan_is(b64, "true")) &&
           (content_type.at == NULL || !scan_equals(content_type, "JWT")) &&
           is_absent_or(scan_member(header, "typ"), types);
}

/* Reads what a base64url part holds as one strict JSON value, whose numbers may be of any kind: an
 * issuer we trust may put some there that we would not take from a client. */
static bool check_json(const char *text, size_t len, struct span *value)
{
    static const struct json_rules rules = {.any_number = true};
    struct json_error ignored;
    return json_check(text, len, &rules, value, &ignored);
}

static bool open_header(struct jwt *t, const char *text, size_t len)
{
    uint8_t *json = NULL;
    size_t json_len = 0;
    struct span header;
    bool good = cjose_base64url_decode(text, len, &json, &json_len, NULL) &&
                check_json((const char *)json, json_len, &header) && read_header(t, header);
    free(json);
    return good;
}

bool jwt_open(struct jwt *t, const char *token, size_t len)
{
    size_t header_len;
    memset(t, 0, sizeof *t);
    if (len > JWT_MAX_BYTES || !has_three_parts(token, len, &header_len, &t->signature_len) ||
        !open_header(t, token, header_len))
        return false;
    t->jws = cjose_jws_import(token, len, NULL);
    return t->jws != NULL;
}

/* cjose compares an HMAC of 32 bytes with whatever there is, also beyond its end, and of a longer
 * signature than ES256 has it looks at the beginning. */
static bool has_its_length(const struct jwt *t, const cjose_jwk_t *key, const char *alg)
{
    if (strcmp(alg, "HS256") == 0)
        return t->signature_len == HS256_BYTES;
    if (strcmp(alg, "ES256") == 0)
        return t->signature_len == ES256_BYTES;
    return t->signature_len == (cjose_jwk_get_keysize(key, NULL) + 7) / 8;
}

bool jwt_verify(struct jwt *t, const cjose_jwk_t *key, const char *alg)
{
    uint8_t *payload = NULL;
    size_t len = 0;
    struct span claims;
    if (strcmp(t->alg, alg) != 0 || !has_its_length(t, key, alg) ||
        !cjose_jws_verify(t->jws, key, NULL) ||
        !cjose_jws_get_plaintext(t->jws, &payload, &len, NULL) ||
        !check_json((const char *)payload, len, &claims))
        return false;
    cJSON_Delete(t->claims);
    t->claims = cJSON_ParseWithLength(claims.at, claims.len);
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
