/*
 * Fuzzes the token and the key set. The first byte chooses: a token as it comes; claims, which are
 * signed first so that they get past the signature; or a key set. No unsigned token may get in.
 */
#include "common/auth.h"
#include "common/jwks.h"
#include "common/log.h"

#include <cjose/cjose.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define SECRET "a secret of more than thirty-two bytes"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct config config = {
    .jwt_secret = (char *)SECRET, .jwt_audience = (char *)"authenticated", .jwt_skew_s = 30};

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
    auth_check(a, header + 7, header + 7, &who, &error);
    free(header);
}

static void try_claims(struct auth *a, cjose_jwk_t *key, const uint8_t *data, size_t size)
{
    struct identity who;
    struct api_error error;
    const char *text = NULL;
    cjose_header_t *header = cjose_header_new(NULL);
    cjose_header_set(header, "alg", "HS256", NULL);
    cjose_jws_t *jws = cjose_jws_sign(key, header, data, size, NULL);
    if (jws != NULL && cjose_jws_export(jws, &text, NULL)) {
        size_t room = strlen(text) + 8;
        char *value = malloc(room);
        if (value != NULL) {
            memcpy(value, "Bearer ", 7);
            memcpy(value + 7, text, room - 7);
            if (auth_check(a, value, NULL, &who, &error) && !who.has_user && !who.is_admin)
                abort();
        }
        free(value);
    }
    cjose_jws_release(jws);
    cjose_header_release(header);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct auth *a;
    static cjose_jwk_t *key;
    if (a == NULL) {
        log_open("fuzz", -1, LOG_ERROR);
        a = auth_new(&config);
        key = cjose_jwk_create_oct_spec((const uint8_t *)SECRET, strlen(SECRET), NULL);
        if (a == NULL || key == NULL)
            abort();
    }
    if (size == 0)
        return 0;
    switch (data[0] % 3) {
    case 0:
        try_token(a, data + 1, size - 1);
        break;
    case 1:
        try_claims(a, key, data + 1, size - 1);
        break;
    default:
        key_set_release(key_set_parse((const char *)data + 1, size - 1));
    }
    return 0;
}
