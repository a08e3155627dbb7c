/*
 * Fuzzes the token and the key set. The first byte chooses: a token as it comes; claims, or a
 * header, which are signed first so that they get past the signature; base64url; or a key set. No
 * unsigned token may get in, and what gets in is what a strict reader finds in it.
 */
#include "common/auth.h"
#include "common/json.h"
#include "common/jwks.h"
#include "common/jwt.h"
#include "common/log.h"

#include <cjose/base64.h>
#include <cjose/cjose.h>
#include <openssl/hmac.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define SECRET "a secret of more than thirty-two bytes"
#define USER "11111111-2222-4333-8444-555555555555"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct config config = {.jwt_secret = (char *)SECRET,
                               .jwt_audience = (char *)"authenticated",
                               .jwt_skew_s = 30,
                               .jwt_role_claim = (char *)"app_metadata.role",
                               .jwt_admin_roles = (char *)"admin",
                               .jwt_tester_roles = (char *)"tester"};

static void try_token(struct auth *a, const uint8_t *data, size_t size)
{
    struct identity who;
    struct api_error error;
    char *header = malloc(size + 8);
    if (header == NULL)
        return;
    memcpy(header, "Bearer ", 7);
    memcpy(header + 7, data, size);
    header[7 + size] = '\0';
    if (auth_check(a, header, NULL, &who, &error))
        abort();
    (void)!auth_check(a, header + 7, header + 7, &who, &error);
    free(header);
}

static void put(struct buf *out, const void *bytes, size_t len)
{
    char *text = NULL;
    size_t text_len = 0;
    if (len > 0 && cjose_base64url_encode(bytes, len, &text, &text_len, NULL))
        buf_append(out, text, text_len);
    free(text);
}

/* Whether a token with this header and these claims, rightly signed, gets in. */
static bool gets_in(struct auth *a, const void *header, size_t header_len, const void *claims,
                    size_t claims_len, struct identity *who)
{
    struct api_error error;
    struct buf value;
    unsigned char mac[32];
    unsigned mac_len = sizeof mac;
    buf_init(&value, 4 * (header_len + claims_len) + 256);
    buf_puts(&value, "Bearer ");
    put(&value, header, header_len);
    buf_putc(&value, '.');
    put(&value, claims, claims_len);
    if (value.failed || HMAC(EVP_sha256(), SECRET, strlen(SECRET), (unsigned char *)value.data + 7,
                             value.len - 7, mac, &mac_len) == NULL)
        abort();
    buf_putc(&value, '.');
    put(&value, mac, mac_len);
    bool good = auth_check(a, value.data, NULL, who, &error);
    buf_release(&value);
    return good;
}

/* An object without duplicate names or NUL, and nothing but blanks around it. */
static bool is_strict(const uint8_t *data, size_t size, struct span *object)
{
    static const struct json_rules rules = {.any_number = true};
    struct json_error ignored;
    return json_check((const char *)data, size, &rules, object, &ignored) &&
           scan_is_object(*object);
}

static void try_claims(struct auth *a, const uint8_t *data, size_t size)
{
    static const char header[] = "{\"alg\":\"HS256\"}";
    struct identity who;
    struct span object;
    if (!gets_in(a, header, sizeof header - 1, data, size, &who))
        return;
    if (!is_strict(data, size, &object) || (!who.has_user && !who.is_admin))
        abort();
}

static void try_header(struct auth *a, const uint8_t *data, size_t size)
{
    static const char claims[] =
        "{\"sub\":\"" USER "\",\"aud\":\"authenticated\",\"exp\":99999999999}";
    struct identity who;
    if (!gets_in(a, data, size, claims, sizeof claims - 1, &who))
        return;
    struct span header;
    if (!is_strict(data, size, &header) || who.is_admin || scan_member(header, "crit").at != NULL ||
        !scan_equals(scan_member(header, "alg"), "HS256"))
        abort();
}

/* What is taken is the one spelling of its bytes. */
static void try_base64url(const char *text, size_t len)
{
    uint8_t *bytes = NULL;
    char *again = NULL;
    size_t bytes_len = 0, again_len = 0;
    if (!jwt_is_base64url(text, len))
        return;
    if (!cjose_base64url_decode(text, len, &bytes, &bytes_len, NULL) ||
        !cjose_base64url_encode(bytes, bytes_len, &again, &again_len, NULL) || again_len != len ||
        memcmp(again, text, len) != 0)
        abort();
    free(bytes);
    free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct auth *a;
    if (a == NULL) {
        log_open("fuzz", -1, LOG_ERROR);
        a = auth_new(&config);
        if (a == NULL)
            abort();
    }
    if (size == 0)
        return 0;
    switch (data[0] % 5) {
    case 0:
        try_token(a, data + 1, size - 1);
        break;
    case 1:
        try_claims(a, data + 1, size - 1);
        break;
    case 3:
        try_header(a, data + 1, size - 1);
        break;
    case 4:
        try_base64url((const char *)data + 1, size - 1);
        break;
    default:
        key_set_release(key_set_parse((const char *)data + 1, size - 1));
    }
    return 0;
}
