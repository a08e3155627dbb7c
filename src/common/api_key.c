/* API keys; see api_key.h. */
#include "api_key.h"

#include "clock.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX "upl_"
#define KEY_CHARACTERS 47 /* with the prefix */
#define SETS 256
#define WAYS 4
#define FRESH_MS 5000
/* Codes of the alphabet, which is base64's for URLs. */
#define ALPHABET "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

struct known {
    uint8_t digest[SHA256_DIGEST_LENGTH];
    int64_t asked_ms;  /* when Postgres last said so; 0: the place is free */
    bool is_good;      /* false: it said that there is no such key */
    int64_t expires_s; /* 0: never */
    struct api_key key;
};

struct api_keys {
    struct pg_pool *pool;
    struct pg_breaker *breaker;
    pthread_mutex_t lock;
    struct known known[SETS][WAYS];
};

static const struct pg_statement find_api_key = {
    .name = "find_api_key",
    .sql = "select id, user_id, scopes, expires_at from uplift.find_api_key($1)",
    .params = 1};

struct api_keys *api_keys_new(struct pg_pool *pool, struct pg_breaker *breaker)
{
    struct api_keys *k = calloc(1, sizeof *k);
    if (k == NULL)
        return NULL;
    k->pool = pool;
    k->breaker = breaker;
    pthread_mutex_init(&k->lock, NULL);
    return k;
}

void api_keys_free(struct api_keys *k)
{
    if (k == NULL)
        return;
    pthread_mutex_destroy(&k->lock);
    free(k);
}

bool api_key_looks_like(const char *token)
{
    return strncmp(token, PREFIX, sizeof PREFIX - 1) == 0;
}

/* Where a key is, or may be. */
static struct known *places(struct api_keys *k, const uint8_t digest[SHA256_DIGEST_LENGTH])
{
    return k->known[digest[0] % SETS];
}

static bool recall(struct api_keys *k, const uint8_t digest[SHA256_DIGEST_LENGTH],
                   struct known *out)
{
    bool found = false;
    pthread_mutex_lock(&k->lock);
    struct known *set = places(k, digest);
    for (int i = 0; i < WAYS && !found; i++) {
        if (set[i].asked_ms != 0 &&
            CRYPTO_memcmp(set[i].digest, digest, SHA256_DIGEST_LENGTH) == 0) {
            *out = set[i];
            found = true;
        }
    }
    pthread_mutex_unlock(&k->lock);
    return found;
}

/* In the place of the same key, of one that is none, or of the one asked about longest ago. */
static void remember(struct api_keys *k, const struct known *one)
{
    pthread_mutex_lock(&k->lock);
    struct known *set = places(k, one->digest), *victim = &set[0];
    bool is_same = false;
    for (int i = 0; i < WAYS && !is_same; i++) {
        is_same =
            set[i].asked_ms != 0 && memcmp(set[i].digest, one->digest, SHA256_DIGEST_LENGTH) == 0;
        if (is_same || set[i].is_good < victim->is_good ||
            (set[i].is_good == victim->is_good && set[i].asked_ms < victim->asked_ms))
            victim = &set[i];
    }
    /* Who makes keys up must not push good ones out. */
    if (is_same || one->is_good || !victim->is_good)
        *victim = *one;
    pthread_mutex_unlock(&k->lock);
}

static const struct {
    const char *name;
    unsigned bit;
} scopes[] = {{"chat", SCOPE_CHAT},
              {"feedback", SCOPE_FEEDBACK},
              {"read", SCOPE_READ},
              {"act", SCOPE_ACT},
              {"admin", SCOPE_ADMIN}};
#define SCOPE_COUNT (sizeof scopes / sizeof scopes[0])

void api_key_print_scopes(FILE *out, unsigned bits)
{
    const char *before = "";
    for (size_t i = 0; i < SCOPE_COUNT; i++) {
        if ((bits & scopes[i].bit) == 0)
            continue;
        fprintf(out, "%s%s", before, scopes[i].name);
        before = ",";
    }
    if (bits == 0)
        fputc('-', out);
}

static unsigned read_scopes(const char *text)
{
    unsigned found = 0;
    while (*text != '\0') {
        size_t len = strcspn(text, ",");
        for (size_t i = 0; i < SCOPE_COUNT; i++)
            if (strlen(scopes[i].name) == len && strncmp(text, scopes[i].name, len) == 0)
                found |= scopes[i].bit;
        text += len + (text[len] == ',');
    }
    return found;
}

static void read_row(const PGresult *row, struct known *out)
{
    struct uuid id;
    out->is_good = PQntuples(row) == 1 && uuid_parse(PQgetvalue(row, 0, 0), &id) &&
                   uuid_parse(PQgetvalue(row, 0, 1), &out->key.user);
    if (!out->is_good)
        return;
    uuid_format(&id, out->key.id_text);
    out->key.scopes = read_scopes(PQgetvalue(row, 0, 2));
    out->expires_s = strtoll(PQgetvalue(row, 0, 3), NULL, 10);
}

/* False with *error when Postgres is away and the key was never seen. */
static bool ask(struct api_keys *k, struct known *one, bool is_known, struct api_error *error)
{
    char hex[2 * SHA256_DIGEST_LENGTH + 1];
    PGresult *row;
    bool away;
    for (size_t i = 0; i < SHA256_DIGEST_LENGTH; i++) {
        hex[2 * i] = "0123456789abcdef"[one->digest[i] >> 4];
        hex[2 * i + 1] = "0123456789abcdef"[one->digest[i] & 15];
    }
    hex[2 * SHA256_DIGEST_LENGTH] = '\0';
    const char *values[] = {hex};
    if (!pg_pool_ask(k->pool, k->breaker, &find_api_key, values, &row, error, &away))
        return away && is_known;
    read_row(row, one);
    PQclear(row);
    one->asked_ms = clock_ms();
    remember(k, one);
    return true;
}

bool api_keys_check(struct api_keys *k, const char *token, struct api_key *out,
                    struct api_error *error)
{
    struct known one = {.asked_ms = 0};
    uint8_t digest[SHA256_DIGEST_LENGTH];
    size_t len = strlen(token);
    bool is_none = len != KEY_CHARACTERS || strspn(token, ALPHABET) != len;
    if (!is_none) {
        SHA256((const unsigned char *)token, len, digest);
        bool is_known = recall(k, digest, &one);
        memcpy(one.digest, digest, sizeof digest);
        if ((!is_known || clock_ms() - one.asked_ms >= FRESH_MS) && !ask(k, &one, is_known, error))
            return false;
        is_none =
            !one.is_good || (one.expires_s != 0 && one.expires_s <= clock_wall_us() / 1000000);
    }
    if (is_none)
        return api_error(error, 401, "invalid_api_key", "",
                         "this API key is none of ours, or has ended");
    *out = one.key;
    return true;
}
