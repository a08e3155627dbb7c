/* UUIDs, and the answer ids that prove to whom they were issued. */
#include "uuid.h"

#include "clock.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/params.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define TAG_AT 12 /* where the truncated HMAC begins */
#define TAG_LEN 4

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

static bool is_dash_place(size_t i)
{
    return i == 8 || i == 13 || i == 18 || i == 23;
}

bool uuid_parse(const char *text, struct uuid *out)
{
    struct uuid id;
    size_t n = 0;
    if (text == NULL)
        return false;
    for (size_t i = 0; i < UUID_TEXT;) {
        if (is_dash_place(i)) {
            if (text[i++] != '-')
                return false;
            continue;
        }
        int high = hex_value(text[i]);
        int low = high < 0 ? -1 : hex_value(text[i + 1]);
        if (low < 0)
            return false;
        id.bytes[n++] = (uint8_t)(high << 4 | low);
        i += 2;
    }
    if (text[UUID_TEXT] != '\0')
        return false;
    *out = id;
    return true;
}

void uuid_format(const struct uuid *id, char out[UUID_TEXT + 1])
{
    static const char hex[] = "0123456789abcdef";
    size_t n = 0;
    for (size_t i = 0; i < UUID_TEXT;) {
        if (is_dash_place(i)) {
            out[i++] = '-';
            continue;
        }
        out[i++] = hex[id->bytes[n] >> 4];
        out[i++] = hex[id->bytes[n++] & 15];
    }
    out[UUID_TEXT] = '\0';
}

bool uuid_equal(const struct uuid *a, const struct uuid *b)
{
    return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

void uuid_v7(struct uuid *out)
{
    struct uuid id = {{0}};
    uint8_t *p = id.bytes;
    size_t have = 6;
    while (have < sizeof id.bytes) {
        ssize_t n = getrandom(p + have, sizeof id.bytes - have, 0);
        if (n < 0 && errno != EINTR)
            abort(); /* ids that repeat would overwrite answers: better no program */
        if (n > 0)
            have += (size_t)n;
    }
    uint64_t ms = (uint64_t)clock_wall_us() / 1000;
    for (int i = 0; i < 6; i++)
        p[i] = (uint8_t)(ms >> (40 - 8 * i));
    p[6] = (uint8_t)(0x70 | (p[6] & 0x0f));
    p[8] = (uint8_t)(0x80 | (p[8] & 0x3f));
    *out = id;
}

const struct uuid uuid_of_urls = {{0x6b, 0xa7, 0xb8, 0x11, 0x9d, 0xad, 0x11, 0xd1, 0x80, 0xb4, 0x00,
                                   0xc0, 0x4f, 0xd4, 0x30, 0xc8}};

bool uuid_v5(const struct uuid *space, const char *name, struct uuid *out)
{
    uint8_t hash[EVP_MAX_MD_SIZE];
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    bool good = c != NULL && EVP_DigestInit_ex(c, EVP_sha1(), NULL) &&
                EVP_DigestUpdate(c, space->bytes, sizeof space->bytes) &&
                EVP_DigestUpdate(c, name, strlen(name)) && EVP_DigestFinal_ex(c, hash, NULL);
    EVP_MD_CTX_free(c);
    if (!good)
        return false;
    memcpy(out->bytes, hash, sizeof out->bytes);
    out->bytes[6] = (uint8_t)(0x50 | (out->bytes[6] & 0x0f));
    out->bytes[8] = (uint8_t)(0x80 | (out->bytes[8] & 0x3f));
    return true;
}

void answer_key_derive(const char *secret, size_t len, struct answer_key *out)
{
    static const unsigned char label[] = "uplift answer id 1";
    unsigned int n = 0;
    /* The secret is the key, the label what is signed. HMAC takes no length beyond INT_MAX. */
    if (len > INT32_MAX ||
        HMAC(EVP_sha256(), secret, (int)len, label, sizeof label - 1, out->bytes, &n) == NULL)
        abort();
}

/* An EVP_MAC_CTX that has its key and is only ever copied: finding the algorithm and setting the
 * key take several times as long as the HMAC itself. */
struct answer_signer {
    EVP_MAC_CTX *keyed;
};

struct answer_signer *answer_signer_new(const struct answer_key *key)
{
    struct answer_signer *signer = calloc(1, sizeof *signer);
    if (signer == NULL)
        return NULL;
    char digest[] = "SHA256";
    const OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                                 OSSL_PARAM_construct_end()};
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    if (mac != NULL)
        signer->keyed = EVP_MAC_CTX_new(mac);
    EVP_MAC_free(mac); /* the context holds on to it */
    if (signer->keyed == NULL ||
        !EVP_MAC_init(signer->keyed, key->bytes, sizeof key->bytes, params)) {
        answer_signer_free(signer);
        return NULL;
    }
    return signer;
}

void answer_signer_free(struct answer_signer *signer)
{
    if (signer != NULL)
        EVP_MAC_CTX_free(signer->keyed);
    free(signer);
}

/* The first size bytes of the HMAC of some bytes and a user. */
static bool sign(const struct answer_signer *signer, const void *bytes, size_t len,
                 const struct uuid *user, uint8_t *out, size_t size)
{
    uint8_t mac[EVP_MAX_MD_SIZE];
    size_t n = 0;
    EVP_MAC_CTX *c = EVP_MAC_CTX_dup(signer->keyed);
    bool good = c != NULL && EVP_MAC_update(c, bytes, len) &&
                EVP_MAC_update(c, user->bytes, sizeof user->bytes) &&
                EVP_MAC_final(c, mac, &n, sizeof mac);
    EVP_MAC_CTX_free(c);
    if (good)
        memcpy(out, mac, size);
    return good;
}

static bool tag(const struct answer_signer *signer, const struct uuid *user, const struct uuid *id,
                uint8_t out[TAG_LEN])
{
    return sign(signer, id->bytes, TAG_AT, user, out, TAG_LEN);
}

void user_alias(const struct answer_signer *signer, const struct uuid *user, char out[17])
{
    static const char label[] = "a user in a log"; /* longer than what is signed of an id */
    uint8_t mac[8];
    *out = '\0';
    if (sign(signer, label, sizeof label, user, mac, sizeof mac))
        for (size_t i = 0; i < sizeof mac; i++)
            snprintf(out + 2 * i, 3, "%02x", mac[i]);
}

void answer_id_make(const struct answer_signer *signer, const struct uuid *user, struct uuid *out)
{
    uint8_t mac[TAG_LEN];
    uuid_v7(out);
    /* Without memory for the HMAC the id is still unique; feedback then waits for its row. */
    if (tag(signer, user, out, mac))
        memcpy(out->bytes + TAG_AT, mac, TAG_LEN);
}

bool answer_id_issued(const struct answer_signer *signer, const struct uuid *user,
                      const struct uuid *id)
{
    uint8_t mac[TAG_LEN];
    return tag(signer, user, id, mac) && CRYPTO_memcmp(mac, id->bytes + TAG_AT, TAG_LEN) == 0;
}
