#include "jwks.h"

#include "buf.h"
#include "clock.h"
#include "json.h"
#include "jwt.h"
#include "log.h"
#include "outbound.h"

#include <cjose/base64.h>
#include <curl/curl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define MAX_KEYS 64
#define MAX_SET_BYTES (256 * 1024)
#define RSA_MIN_BITS 2048
#define RSA_MAX_BITS 8192    /* a longer one takes too long */
#define RSA_EXPONENT_BYTES 8 /* at most, for the same reason */
#define EC_BYTES 32          /* of a coordinate of P-256 */
#define AGE_DEFAULT_S 600
#define AGE_MIN_S 60
#define AGE_MAX_S (24 * 3600)
#define STALE_MAX_MS (24 * 3600 * 1000LL)
#define SHORT_WAIT_MS 250 /* of all callers but one, while a fetch is under way */

struct key {
    cjose_jwk_t *jwk;
    const char *alg; /* static */
    char kid[JWT_MAX_KID + 1];
};

struct key_set {
    atomic_int references;
    uint64_t generation;
    size_t count;
    struct key keys[MAX_KEYS];
};

struct jwks {
    struct jwks_options options;
    char *url;
    char *ca_bundle; /* or NULL */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake; /* the thread: wanted or stopping was set */
    pthread_cond_t done; /* callers: a fetch has ended */
    /* Under lock: */
    struct key_set *set; /* NULL: never had one */
    int64_t refresh_ms;  /* when to fetch again unasked */
    int64_t good_until_ms;
    int64_t tried_ms; /* when the last fetch began; 0: never */
    uint64_t fetches; /* that have ended */
    bool wanted;      /* somebody misses a key */
    bool fetching;
    bool last_failed;
    int waiting;
    atomic_bool stopping; /* read by curl's callback without the lock */
};

/* --- sets --- */

void key_set_release(struct key_set *set)
{
    if (set == NULL || atomic_fetch_sub(&set->references, 1) != 1)
        return;
    for (size_t i = 0; i < set->count; i++)
        cjose_jwk_release(set->keys[i].jwk);
    free(set);
}

static const char *text_of(const cJSON *object, const char *name)
{
    return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));
}

/* Whether key_ops (when present) lets the key verify. */
static bool may_verify(const cJSON *item)
{
    const cJSON *ops = cJSON_GetObjectItemCaseSensitive(item, "key_ops");
    const cJSON *op;
    if (ops == NULL)
        return true;
    cJSON_ArrayForEach (op, ops) {
        if (cJSON_IsString(op) && strcmp(op->valuestring, "verify") == 0)
            return true;
    }
    return false;
}

/* The one algorithm that a key is for, by its type and never by anything a token says; NULL: not
 * for us. */
static const char *alg_for(const cJSON *item)
{
    const char *kty = text_of(item, "kty"), *crv = text_of(item, "crv");
    const char *alg = text_of(item, "alg"), *use = text_of(item, "use");
    const char *ours = NULL;
    if (kty != NULL && strcmp(kty, "EC") == 0 && crv != NULL && strcmp(crv, "P-256") == 0)
        ours = "ES256";
    else if (kty != NULL && strcmp(kty, "RSA") == 0)
        ours = "RS256";
    if (ours == NULL || (alg != NULL && strcmp(alg, ours) != 0) ||
        (use != NULL && strcmp(use, "sig") != 0) || !may_verify(item))
        return NULL;
    return ours;
}

/* --- numbers of keys, base64url of their bytes --- */

struct number {
    uint8_t *bytes; /* owned */
    size_t len;
};

static struct number read_number(const cJSON *item, const char *name)
{
    struct number n = {NULL, 0};
    const char *text = text_of(item, name);
    if (text != NULL && jwt_is_base64url(text, strlen(text)) &&
        !cjose_base64url_decode(text, strlen(text), &n.bytes, &n.len, NULL))
        n = (struct number){NULL, 0};
    return n;
}

/* Without a zero before it, which RFC 7518 (2, Base64urlUInt) has none of, and odd, as both numbers
 * of an RSA key are. */
static bool is_odd(const struct number *n)
{
    return n->len > 0 && n->bytes[0] != 0 && (n->bytes[n->len - 1] & 1) != 0;
}

static size_t bits_of(const struct number *n)
{
    size_t bits = n->len * 8;
    for (int mask = 0x80; bits > 0 && (n->bytes[0] & mask) == 0; mask >>= 1)
        bits--;
    return bits;
}

/* With an exponent of 1 everything is its own signature. */
static bool is_sound_rsa(const cJSON *item)
{
    struct number n = read_number(item, "n"), e = read_number(item, "e");
    bool good = is_odd(&n) && bits_of(&n) >= RSA_MIN_BITS && bits_of(&n) <= RSA_MAX_BITS &&
                is_odd(&e) && e.len <= RSA_EXPONENT_BYTES && (e.len > 1 || e.bytes[0] >= 3);
    free(n.bytes);
    free(e.bytes);
    return good;
}

static bool is_sound_ec(const cJSON *item)
{
    struct number x = read_number(item, "x"), y = read_number(item, "y");
    bool good = x.len == EC_BYTES && y.len == EC_BYTES;
    free(x.bytes);
    free(y.bytes);
    return good;
}

/* Imports only the public members: whatever else is in there is not our business. */
static cjose_jwk_t *import_public(const cJSON *item)
{
    static const char *const members[] = {"kty", "crv", "x", "y", "n", "e", NULL};
    cJSON *public = cJSON_CreateObject();
    for (size_t i = 0; members[i] != NULL && public != NULL; i++) {
        const char *text = text_of(item, members[i]);
        if (text != NULL)
            cJSON_AddStringToObject(public, members[i], text);
    }
    char *text = public != NULL ? cJSON_PrintUnformatted(public) : NULL;
    cjose_jwk_t *jwk = text != NULL ? cjose_jwk_import(text, strlen(text), NULL) : NULL;
    cJSON_free(text);
    cJSON_Delete(public);
    return jwk;
}

static void add_key(struct key_set *set, const cJSON *item)
{
    const cJSON *id = cJSON_GetObjectItemCaseSensitive(item, "kid");
    const char *kid = cJSON_GetStringValue(id), *alg = alg_for(item);
    if (alg == NULL || set->count == MAX_KEYS || (id != NULL && kid == NULL) ||
        (kid != NULL && strlen(kid) > JWT_MAX_KID))
        return;
    bool is_sound = strcmp(alg, "RS256") == 0 ? is_sound_rsa(item) : is_sound_ec(item);
    cjose_jwk_t *jwk = is_sound ? import_public(item) : NULL;
    if (jwk == NULL) {
        log_warn("jwks", "key %s is none to be trusted: left out",
                 kid != NULL ? kid : "without kid");
        return;
    }
    struct key *key = &set->keys[set->count++];
    key->jwk = jwk;
    key->alg = alg;
    snprintf(key->kid, sizeof key->kid, "%s", kid != NULL ? kid : "");
}

struct key_set *key_set_parse(const char *text, size_t len)
{
    static const struct json_rules rules = {.any_number = true};
    struct json_error ignored;
    struct span value;
    struct key_set *set = NULL;
    cJSON *root = NULL;
    const cJSON *item;
    if (json_check(text, len, &rules, &value, &ignored))
        root = cJSON_ParseWithLength(value.at, value.len);
    const cJSON *keys = cJSON_GetObjectItemCaseSensitive(root, "keys");
    if (cJSON_IsArray(keys))
        set = calloc(1, sizeof *set);
    if (set != NULL) {
        atomic_init(&set->references, 1);
        cJSON_ArrayForEach (item, keys)
            add_key(set, item);
    }
    cJSON_Delete(root);
    return set;
}

size_t key_set_size(const struct key_set *set)
{
    return set->count;
}

/* The place of the first key from one on with that kid, or, when kid is "", of the only key of the
 * set; count when there is none. */
static size_t find_key(const struct key_set *set, const char *kid, size_t from)
{
    if (*kid == '\0')
        return set->count == 1 ? from : set->count;
    while (from < set->count && strcmp(set->keys[from].kid, kid) != 0)
        from++;
    return from;
}

static bool has_key(const struct key_set *set, const char *kid)
{
    return set != NULL && find_key(set, kid, 0) < set->count;
}

const char *key_set_alg(const struct key_set *set, const char *kid)
{
    return has_key(set, kid) ? set->keys[find_key(set, kid, 0)].alg : NULL;
}

/* Fills in the key at a place of its set; false when the set has no such place. */
static bool take_place(struct jwks_key *key, size_t place)
{
    if (place >= key->set->count)
        return false;
    key->place = place;
    key->jwk = key->set->keys[place].jwk;
    key->alg = key->set->keys[place].alg;
    return true;
}

bool jwks_next(struct jwks_key *key, const char *kid)
{
    return take_place(key, find_key(key->set, kid, key->place + 1));
}

static bool same_jwk(const cjose_jwk_t *a, const cjose_jwk_t *b)
{
    char *x = cjose_jwk_to_json(a, false, NULL), *y = cjose_jwk_to_json(b, false, NULL);
    bool same = x != NULL && y != NULL && strcmp(x, y) == 0;
    free(x);
    free(y);
    return same;
}

static bool same_keys(const struct key_set *a, const struct key_set *b)
{
    if (a == NULL || a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++) {
        if (strcmp(a->keys[i].kid, b->keys[i].kid) != 0 || a->keys[i].alg != b->keys[i].alg ||
            !same_jwk(a->keys[i].jwk, b->keys[i].jwk))
            return false;
    }
    return true;
}

/* --- fetching --- */

int64_t jwks_max_age_s(const char *cache_control)
{
    int64_t age = AGE_DEFAULT_S;
    const char *p = cache_control;
    while (p != NULL && *p != '\0') {
        p += strspn(p, " \t,");
        if (strncasecmp(p, "max-age=", 8) == 0 && p[8] >= '0' && p[8] <= '9')
            age = strtoll(p + 8, NULL, 10);
        else if (strncasecmp(p, "no-store", 8) == 0 || strncasecmp(p, "no-cache", 8) == 0)
            return AGE_MIN_S;
        p += strcspn(p, ",");
    }
    return age < AGE_MIN_S ? AGE_MIN_S : age > AGE_MAX_S ? AGE_MAX_S : age;
}

static size_t take_body(char *data, size_t size, size_t count, void *arg)
{
    return buf_append(arg, data, size * count) ? size * count : 0;
}

static int still_wanted(void *arg, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    const struct jwks *j = arg;
    (void)a, (void)b, (void)c, (void)d;
    return atomic_load(&j->stopping) ? 1 : 0;
}

/* Sets every limit of a fetch. False when curl refused one: nothing is fetched without limits. */
static bool limit_fetch(CURL *curl, struct jwks *j, struct buf *body)
{
    return curl_easy_setopt(curl, CURLOPT_URL, j->url) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)j->options.timeout_ms) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_USERAGENT, "uplift/" UPLIFT_VERSION) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_WRITEDATA, body) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, still_wanted) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_XFERINFODATA, j) == CURLE_OK;
}

/* Fetches the set. NULL, with the reason logged, when there was none to be had. */
static struct key_set *fetch(struct jwks *j, int64_t *max_age_s)
{
    struct key_set *set = NULL;
    struct buf body;
    struct curl_header *header = NULL;
    long status = 0;
    CURL *curl = outbound_new(j->ca_bundle, NULL);
    buf_init(&body, MAX_SET_BYTES);
    if (curl == NULL || !limit_fetch(curl, j, &body)) {
        log_error("jwks", "could not set up the fetch");
        goto out;
    }
    CURLcode rc = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    if (rc != CURLE_OK) {
        if (!atomic_load(&j->stopping))
            log_warn("jwks", "could not fetch the key set: %s",
                     body.failed ? "it is larger than 256 KiB" : curl_easy_strerror(rc));
        goto out;
    }
    if (status != 200) {
        log_warn("jwks", "could not fetch the key set: status %ld", status);
        goto out;
    }
    set = key_set_parse(body.data != NULL ? body.data : "", body.len);
    if (set == NULL) {
        log_warn("jwks", "what was fetched is not a key set");
        goto out;
    }
    bool has = curl_easy_header(curl, "Cache-Control", 0, CURLH_HEADER, -1, &header) == CURLHE_OK;
    *max_age_s = jwks_max_age_s(has ? header->value : NULL);
out:
    buf_release(&body);
    curl_easy_cleanup(curl);
    return set;
}

/* Puts what was fetched (NULL: nothing) in place and tells who waits. Under lock. */
static void publish(struct jwks *j, struct key_set *set, int64_t max_age_s)
{
    int64_t now = clock_ms();
    j->last_failed = set == NULL;
    if (set == NULL) {
        /* Ask again soon; what we have goes on counting. */
        j->refresh_ms = now + j->options.refresh_min_ms;
    } else {
        bool same = same_keys(j->set, set);
        set->generation = j->set == NULL ? 1 : j->set->generation + !same;
        if (!same)
            log_info("jwks", "%zu keys", set->count);
        key_set_release(j->set);
        j->set = set;
        j->refresh_ms = now + max_age_s * 1000;
        j->good_until_ms = j->refresh_ms + STALE_MAX_MS;
    }
    j->fetching = false;
    j->wanted = false;
    j->fetches++;
    pthread_cond_broadcast(&j->done);
}

static void wait_until(pthread_cond_t *cond, pthread_mutex_t *lock, int64_t deadline_ms)
{
    struct timespec t = {.tv_sec = deadline_ms / 1000, .tv_nsec = deadline_ms % 1000 * 1000000};
    pthread_cond_timedwait(cond, lock, &t);
}

static void *keep_fresh(void *arg)
{
    struct jwks *j = arg;
    pthread_mutex_lock(&j->lock);
    while (!atomic_load(&j->stopping)) {
        if (!j->wanted && clock_ms() < j->refresh_ms) {
            wait_until(&j->wake, &j->lock, j->refresh_ms);
            continue;
        }
        int64_t max_age_s = 0;
        j->fetching = true;
        j->tried_ms = clock_ms();
        pthread_mutex_unlock(&j->lock);
        struct key_set *set = fetch(j, &max_age_s);
        pthread_mutex_lock(&j->lock);
        publish(j, set, max_age_s);
    }
    pthread_mutex_unlock(&j->lock);
    return NULL;
}

/* The thread takes no signals: they are for the one thread of the program that waits for them. */
static bool start_thread(struct jwks *j)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&j->thread, NULL, keep_fresh, j);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc == 0;
}

struct jwks *jwks_new(const struct jwks_options *options)
{
    struct jwks *j = calloc(1, sizeof *j);
    if (j == NULL)
        return NULL;
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&j->lock, NULL);
    pthread_cond_init(&j->wake, &monotonic);
    pthread_cond_init(&j->done, &monotonic);
    pthread_condattr_destroy(&monotonic);
    j->options = *options;
    j->url = strdup(options->url);
    j->ca_bundle = options->ca_bundle != NULL ? strdup(options->ca_bundle) : NULL;
    j->fetching = true; /* what the thread does first */
    j->wanted = true;
    j->tried_ms = clock_ms();
    bool good = j->url != NULL && (options->ca_bundle == NULL || j->ca_bundle != NULL);
    if (!good || !start_thread(j)) {
        log_error("jwks", "could not start");
        pthread_mutex_destroy(&j->lock);
        pthread_cond_destroy(&j->wake);
        pthread_cond_destroy(&j->done);
        free(j->url);
        free(j->ca_bundle);
        free(j);
        return NULL;
    }
    return j;
}

void jwks_free(struct jwks *j)
{
    if (j == NULL)
        return;
    pthread_mutex_lock(&j->lock);
    atomic_store(&j->stopping, true);
    pthread_cond_signal(&j->wake);
    pthread_mutex_unlock(&j->lock);
    pthread_join(j->thread, NULL);
    key_set_release(j->set);
    pthread_mutex_destroy(&j->lock);
    pthread_cond_destroy(&j->wake);
    pthread_cond_destroy(&j->done);
    free(j->url);
    free(j->ca_bundle);
    free(j);
}

/* --- finding --- */

/* Waits for a fetch that is under way or that we may ask for. Under lock. */
static void wait_for_fetch(struct jwks *j)
{
    int64_t now = clock_ms();
    if (!j->fetching && !j->wanted) {
        if (now - j->tried_ms < j->options.refresh_min_ms)
            return; /* asked only just now: an unknown key is an unknown key */
        j->wanted = true;
        pthread_cond_signal(&j->wake);
    }
    uint64_t fetches = j->fetches;
    int64_t deadline = now + (j->waiting == 0 ? j->options.wait_ms : SHORT_WAIT_MS);
    j->waiting++;
    while (j->fetches == fetches && clock_ms() < deadline)
        wait_until(&j->done, &j->lock, deadline);
    j->waiting--;
}

enum jwks_answer jwks_find(struct jwks *j, const char *kid, struct jwks_key *key)
{
    enum jwks_answer answer;
    pthread_mutex_lock(&j->lock);
    /* Not while the key set is away: it is asked for again anyway, and anybody can make up a kid.
     */
    if (!has_key(j->set, kid) && !j->last_failed)
        wait_for_fetch(j);
    bool stale = j->set != NULL && clock_ms() > j->good_until_ms;
    if (has_key(j->set, kid) && !stale) {
        atomic_fetch_add(&j->set->references, 1);
        key->generation = j->set->generation;
        key->set = j->set;
        take_place(key, find_key(j->set, kid, 0));
        answer = JWKS_FOUND;
    } else {
        bool current = j->set != NULL && !stale && !j->fetching && !j->wanted && !j->last_failed;
        answer = current ? JWKS_UNKNOWN : JWKS_AWAY;
    }
    pthread_mutex_unlock(&j->lock);
    return answer;
}

void jwks_key_release(struct jwks_key *key)
{
    key_set_release(key->set);
    memset(key, 0, sizeof *key);
}

uint64_t jwks_generation(struct jwks *j)
{
    pthread_mutex_lock(&j->lock);
    uint64_t generation = j->set != NULL ? j->set->generation : 0;
    pthread_mutex_unlock(&j->lock);
    return generation;
}
