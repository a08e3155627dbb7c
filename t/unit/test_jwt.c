/* Tokens and keys to the letter of RFC 7515, 7517, 7518 and 7519: what other readers might take
 * otherwise is not taken. */
#include "common/auth.h"
#include "common/clock.h"
#include "common/json.h"
#include "common/jwks.h"
#include "common/jwt.h"
#include "common/log.h"
#include "unit.h"

#include <cjose/base64.h>
#include <cjose/cjose.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECRET "a secret of more than thirty-two bytes"
#define USER "11111111-2222-4333-8444-555555555555"
#define ISSUER "https://example.supabase.co/auth/v1"

static cjose_jwk_t *secret_key, *rsa_key, *ec_key;
static struct config config = {.jwt_secret = (char *)SECRET,
                               .jwt_audience = (char *)"authenticated",
                               .jwt_issuer = (char *)ISSUER,
                               .jwt_skew_s = 30,
                               .jwt_role_claim = (char *)"app_metadata.role",
                               .jwt_admin_roles = (char *)"admin",
                               .jwt_tester_roles = (char *)"tester"};
static struct auth *by_secret;

/* --- tokens --- */

/* Appends base64url of bytes. */
static void put_base64url(char *out, size_t room, const void *bytes, size_t len)
{
    char *text = NULL;
    size_t text_len = 0;
    assert_true(cjose_base64url_encode(bytes, len, &text, &text_len, NULL));
    assert_true(strlen(out) + text_len < room);
    memcpy(out + strlen(out), text, text_len + 1);
    free(text);
}

/* A token of any header and payload, with a right signature by the shared secret. */
static char *sign_raw(const char *header, const void *payload, size_t len)
{
    size_t room = (strlen(header) + len) * 2 + 128;
    char *token = calloc(1, room);
    unsigned char mac[32];
    unsigned mac_len = sizeof mac;
    put_base64url(token, room, header, strlen(header));
    strcat(token, ".");
    if (len > 0)
        put_base64url(token, room, payload, len);
    assert_non_null(HMAC(EVP_sha256(), SECRET, strlen(SECRET), (const unsigned char *)token,
                         strlen(token), mac, &mac_len));
    strcat(token, ".");
    put_base64url(token, room, mac, mac_len);
    return token;
}

static char *sign_with(cjose_jwk_t *key, const char *alg, const char *payload)
{
    cjose_header_t *header = cjose_header_new(NULL);
    const char *text = NULL;
    assert_true(cjose_header_set(header, "alg", alg, NULL));
    cjose_jws_t *jws = cjose_jws_sign(key, header, (const uint8_t *)payload, strlen(payload), NULL);
    assert_non_null(jws);
    assert_true(cjose_jws_export(jws, &text, NULL));
    char *copy = strdup(text);
    cjose_jws_release(jws);
    cjose_header_release(header);
    return copy;
}

/* What stands in the place of EXP is a time an hour ahead. */
static const char *later(const char *format)
{
    static char text[1024];
    const char *at = strstr(format, "EXP");
    snprintf(text, sizeof text, "%.*s%lld%s", (int)(at - format), format,
             (long long)(clock_wall_us() / 1000000 + 3600), at + 3);
    return text;
}

#define GOOD "\"sub\":\"" USER "\",\"exp\":EXP,\"aud\":\"authenticated\",\"iss\":\"" ISSUER "\""

static const char *claims(void)
{
    return later("{" GOOD "}");
}

/* Whether it lets somebody in; frees it. */
static bool lets_in(char *token)
{
    struct identity who;
    struct api_error error = {.status = 0};
    char *header = NULL;
    assert_true(asprintf(&header, "Bearer %s", token) > 0);
    bool good = auth_check(by_secret, header, NULL, &who, &error);
    if (!good) {
        assert_int_equal(error.status, 401);
        assert_string_equal(error.code, "invalid_token");
    }
    free(header);
    free(token);
    return good;
}

/* Whether a key has signed it; frees it. */
static bool verifies(char *token, const cjose_jwk_t *key, const char *alg)
{
    struct jwt t;
    bool good = jwt_open(&t, token, strlen(token));
    if (good) {
        good = jwt_verify(&t, key, alg);
        jwt_close(&t);
    }
    free(token);
    return good;
}

/* --- the header --- */

static void a_header_says_only_what_is_understood(void **state)
{
    static const char *const good[] = {
        "{\"alg\":\"HS256\"}",
        "{\"typ\":\"JWT\",\"alg\":\"HS256\",\"kid\":\"x\"}",
        "{\"alg\":\"HS256\",\"typ\":\"at+jwt\"}",
        "{\"alg\":\"HS256\",\"typ\":\"application/JWT\"}",
        "{\"alg\":\"HS256\",\"b64\":true,\"x5t\":\"AAAA\",\"n\":1234567890}",
        "{\"alg\":\"HS256\",\"cty\":\"json\"}",
        " {\"alg\" : \"HS256\"}\n",
    };
    static const char *const bad[] = {
        "{\"alg\":\"HS256\",\"crit\":[\"exp\"]}",
        "{\"alg\":\"HS256\",\"crit\":[\"b64\"],\"b64\":true}",
        "{\"alg\":\"HS256\",\"crit\":[]}",
        "{\"alg\":\"HS256\",\"crit\":null}",
        "{\"alg\":\"HS256\",\"cr\\u0069t\":[\"x\"]}",
        "{\"alg\":\"HS256\",\"b64\":false}",
        "{\"alg\":\"HS256\",\"b64\":\"true\"}",
        "{\"alg\":\"HS256\",\"cty\":\"JWT\"}",
        "{\"alg\":\"HS256\",\"typ\":\"logout+jwt\"}",
        "{\"alg\":\"HS256\",\"typ\":\"dpop+jwt\"}",
        "{\"alg\":\"HS256\",\"typ\":7}",
        "{\"alg\":\"HS256\",\"kid\":7}",
        "{\"alg\":\"HS256\",\"kid\":null}",
        "{\"alg\":\"none\",\"alg\":\"HS256\"}",
        "{\"alg\":\"HS256\",\"alg\":\"HS256\"}",
        "{\"alg\":\"HS256\",\"\\u0061lg\":\"none\"}",
        "{\"alg\":\"HS256\\u0000\"}",
        "{\"alg\":\"HS256\",\"kid\":\"a\\u0000b\"}",
        "{\"alg\":[\"HS256\"]}",
        "{\"alg\":\"hs256\"}",
        "{}",
        "[\"HS256\"]",
        "{\"alg\":\"HS256\"}x",
        "{\"alg\":\"HS256\"}{}",
        "\xef\xbb\xbf{\"alg\":\"HS256\"}",
        "{\"alg\":\"HS256\",\"kid\":\"\xff\"}",
    };
    const char *payload = claims();
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        if (!lets_in(sign_raw(good[i], payload, strlen(payload))))
            fail_msg("refused: %s", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (lets_in(sign_raw(bad[i], payload, strlen(payload))))
            fail_msg("taken: %s", bad[i]);
}

/* --- the claims --- */

/* Whatever another reader would make of them. */
static void claims_are_one_strict_object(void **state)
{
    static const char *const bad[] = {
        "{" GOOD "}x",
        "{" GOOD "}{}",
        "{" GOOD "}]",
        "{" GOOD ",}",
        "{" GOOD ",\"role\":\"service_role\",\"role\":\"authenticated\"}",
        "{" GOOD ",\"s\\u0075b\":\"" USER "\"}",
        "{" GOOD ",\"app_metadata\":{\"role\":\"user\",\"role\":\"admin\"}}",
        "{" GOOD ",\"app_metadata\":{\"role\":\"admin\\u0000\"}}",
        "{" GOOD ",\"x\":\"\xff\"}",
        "{\"exp\":EXP,\"role\":\"service_role\\u0000x\"}",
        "{\"exp\":EXP,\"role\":\"service_role\\u0000\"}",
        "{\"exp\":EXP,\"role\\u0000\":\"service_role\",\"role\":\"service_role\"}",
        "{\"sub\":\"" USER "\\u0000\",\"exp\":EXP,\"aud\":\"authenticated\",\"iss\":\"" ISSUER
        "\"}",
        "{\"sub\":\"" USER "\",\"exp\":EXP,\"aud\":\"authenticated\\u0000\",\"iss\":\"" ISSUER
        "\"}",
        "{\"sub\":\"" USER "\",\"exp\":EXP,\"aud\":\"authenticated\",\"iss\":\"" ISSUER
        "\\u0000\"}",
        "{'sub':'" USER "','exp':EXP}",
        "[{" GOOD "}]",
        "\"eyJhbGciOiJIUzI1NiJ9.e30.EXP\"", /* another token */
        "eyJhbGciOiJIUzI1NiJ9.e30.EXP",
    };
    static const char header[] = "{\"alg\":\"HS256\"}";
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const char *text = later(bad[i]);
        if (lets_in(sign_raw(header, text, strlen(text))))
            fail_msg("taken: %s", bad[i]);
    }
    const char *good = claims();
    assert_true(lets_in(sign_raw(header, good, strlen(good))));
    assert_false(lets_in(sign_raw(header, good, strlen(good) + 1))); /* with its NUL */
    assert_false(lets_in(sign_raw(header, "", 0)));
    const char *numbers = later("{" GOOD ",\"n\":123456789012345678901234567890}");
    assert_true(lets_in(sign_raw(header, numbers, strlen(numbers))));
}

/* --- base64url --- */

/* Each byte sequence has one spelling, so that one token is one token. */
static void base64url_is_strict(void **state)
{
    (void)state;
    assert_true(jwt_is_base64url("AA", 2));
    assert_true(jwt_is_base64url("AAA", 3));
    assert_true(jwt_is_base64url("AQAB", 4));
    assert_true(jwt_is_base64url("-_-_", 4));
    assert_true(jwt_is_base64url("_w", 2));
    static const char *const bad[] = {"",    "A",  "AAAAA", "AB",   "A_",   "AAB",
                                      "AA_", "A=", "AA=",   "AA==", "AQ==", "AQAB=",
                                      "A+",  "A/", "AA\n",  " AA",  "A.A",  "\xc3\xa4"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(jwt_is_base64url(bad[i], strlen(bad[i])));
    assert_false(jwt_is_base64url("AA\0", 3));

    char *token = sign_with(secret_key, "HS256", claims());
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    size_t last = strlen(token) - 1, taken = 0;
    for (const char *c = alphabet; *c != '\0'; c++) {
        token[last] = *c;
        taken += lets_in(strdup(token));
    }
    assert_int_equal(taken, 1);
    static const char *const more[] = {"=", "A", "AA", "."};
    for (size_t i = 0; i < sizeof more / sizeof more[0]; i++) {
        char *longer = NULL;
        assert_true(asprintf(&longer, "%s%s", token, more[i]) > 0);
        assert_false(lets_in(longer));
    }
    free(token);
}

/* --- signatures --- */

/* A token with other bytes in the place of its signature. */
static char *with_signature(const char *token, const void *bytes, size_t len)
{
    size_t head = (size_t)(strrchr(token, '.') - token) + 1, room = strlen(token) + 2 * len + 16;
    char *other = calloc(1, room);
    memcpy(other, token, head);
    put_base64url(other, room, bytes, len);
    return other;
}

static void a_signature_has_its_length(void **state)
{
    static const struct {
        const char *alg;
        size_t len;
    } cases[] = {{"ES256", 64}, {"RS256", 256}, {"HS256", 32}};
    static const int more[] = {1, 2, 3, 32, 64, 200, -1, -2, -3, -16, -31};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cjose_jwk_t *key = i == 0 ? ec_key : i == 1 ? rsa_key : secret_key;
        char *token = sign_with(key, cases[i].alg, claims());
        const char *text = strrchr(token, '.') + 1;
        uint8_t bytes[512] = {0}, *signature = NULL;
        size_t len = 0;
        assert_true(cjose_base64url_decode(text, strlen(text), &signature, &len, NULL));
        assert_int_equal(len, cases[i].len);
        memcpy(bytes, signature, len);
        assert_true(verifies(with_signature(token, bytes, len), key, cases[i].alg));
        for (size_t m = 0; m < sizeof more / sizeof more[0]; m++) {
            char *other = with_signature(token, bytes, (size_t)((int)len + more[m]));
            assert_false(verifies(other, key, cases[i].alg));
        }
        memset(bytes, 0, sizeof bytes);
        assert_false(verifies(with_signature(token, bytes, len), key, cases[i].alg));
        memset(bytes, 0xff, sizeof bytes);
        assert_false(verifies(with_signature(token, bytes, len), key, cases[i].alg));
        free(signature);
        free(token);
    }
}

/* --- keys --- */

/* Base64url of a number of so many bits, all of whose other bits are 0 but the last one. */
static const char *number_of(size_t bits, bool is_odd)
{
    static char text[4096];
    uint8_t bytes[2048] = {0};
    size_t len = (bits + 7) / 8;
    bytes[0] |= (uint8_t)(1 << ((bits + 7) % 8));
    bytes[len - 1] |= is_odd;
    text[0] = '\0';
    put_base64url(text, sizeof text, bytes, len);
    return text;
}

static size_t keys_in(const char *members)
{
    char text[8192];
    int len = snprintf(text, sizeof text, "{\"keys\":[{%s}]}", members);
    struct key_set *set = key_set_parse(text, (size_t)len);
    size_t size = set != NULL ? key_set_size(set) : SIZE_MAX;
    key_set_release(set);
    return size;
}

static size_t rsa_keys(const char *n, const char *e)
{
    char text[8192];
    snprintf(text, sizeof text, "\"kty\":\"RSA\",\"kid\":\"r\",\"n\":\"%s\",\"e\":\"%s\"", n, e);
    return keys_in(text);
}

static void numbers_of_rsa_keys_are_checked(void **state)
{
    static const char *const exponents[] = {"AQ",   "AA",     "Ag",        "BA",
                                            "AQAA", "AAEAAQ", "AAAD",      "",
                                            "AB",   "AQAB=",  "AQAB AQAB", "AQAAAAAAAAAB"};
    char good[1024], zero[1024], padded[1040];
    (void)state;
    snprintf(good, sizeof good, "%s", number_of(2048, true));
    assert_int_equal(rsa_keys(good, "AQAB"), 1);
    assert_int_equal(rsa_keys(good, "Aw"), 1); /* 3 */
    assert_int_equal(rsa_keys(number_of(8192, true), "AQAB"), 1);
    for (size_t i = 0; i < sizeof exponents / sizeof exponents[0]; i++)
        if (rsa_keys(good, exponents[i]) != 0)
            fail_msg("exponent %s is taken", exponents[i]);
    assert_int_equal(rsa_keys(number_of(2047, true), "AQAB"), 0);
    assert_int_equal(rsa_keys(number_of(8193, true), "AQAB"), 0);
    assert_int_equal(rsa_keys(number_of(2048, false), "AQAB"), 0);
    uint8_t bytes[257] = {0};
    bytes[1] = 0x80;
    bytes[256] = 1;
    zero[0] = '\0';
    put_base64url(zero, sizeof zero, bytes, sizeof bytes);
    assert_int_equal(rsa_keys(zero, "AQAB"), 0);
    snprintf(padded, sizeof padded, "%s==", good);
    assert_int_equal(rsa_keys(padded, "AQAB"), 0);
}

static void numbers_of_ec_keys_are_checked(void **state)
{
    (void)state;
    char *ec = cjose_jwk_to_json(ec_key, false, NULL);
    struct json_error error;
    cJSON *key = json_parse(ec, strlen(ec), &error);
    const char *x = json_string(key, "x"), *y = json_string(key, "y");
    static const char *const good = "\"kty\":\"EC\",\"crv\":\"P-256\"";
    struct {
        const char *before, *x, *y, *more;
        size_t keys;
    } cases[] = {
        {"", x, y, "", 1},
        {"", x, y, ",\"kid\":7", 0},
        {"", x, x, "", 0},                       /* no point of the curve */
        {"AA", x, y, "", 0},                     /* a byte too many */
        {"", x, y, ",\"kty\":\"EC\"", SIZE_MAX}, /* no set: read twice it might be two */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[1024];
        snprintf(text, sizeof text, "%s,\"x\":\"%s%s\",\"y\":\"%s\"%s", good, cases[i].before,
                 cases[i].x, cases[i].y, cases[i].more);
        assert_int_equal(keys_in(text), cases[i].keys);
    }
    cJSON_Delete(key);
    free(ec);
}

static int set_up(void **state)
{
    static const uint8_t exponent[] = {1, 0, 1};
    (void)state;
    log_open("test", -1, LOG_ERROR);
    secret_key = cjose_jwk_create_oct_spec((const uint8_t *)SECRET, strlen(SECRET), NULL);
    rsa_key = cjose_jwk_create_RSA_random(2048, exponent, 3, NULL);
    ec_key = cjose_jwk_create_EC_random(CJOSE_JWK_EC_P_256, NULL);
    by_secret = auth_new(&config);
    return secret_key && rsa_key && ec_key && by_secret ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    cjose_jwk_release(secret_key);
    cjose_jwk_release(rsa_key);
    cjose_jwk_release(ec_key);
    auth_free(by_secret);
    return 0;
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_header_says_only_what_is_understood),
        cmocka_unit_test(claims_are_one_strict_object),
        cmocka_unit_test(base64url_is_strict),
        cmocka_unit_test(a_signature_has_its_length),
        cmocka_unit_test(numbers_of_rsa_keys_are_checked),
        cmocka_unit_test(numbers_of_ec_keys_are_checked),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
