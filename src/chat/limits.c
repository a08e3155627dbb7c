/* Rate limits of a worker; see limits.h. */
#include "limits.h"

#include "../common/clock.h"
#include "../common/json.h"
#include "../common/utf8.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SETS 512
#define WAYS 8
#define BUCKET_NAME 64 /* "api_key:" and a UUID, or an address */
#define MINUTE_MS 60000.0

struct bucket {
    char name[BUCKET_NAME]; /* "": free */
    double requests, tokens;
    int64_t used_ms;
    bool is_filled;                 /* requests and tokens are known */
    int64_t spent, spent_in_flight; /* tokens beyond what was charged */
};

struct rule {
    char scope[8], key[48];
    int64_t rpm, tpm, burst; /* 0: none */
};

struct limits {
    pthread_mutex_t lock;
    struct rule *rules; /* those of each, with the key "", come first */
    size_t rule_count;
    struct bucket buckets[SETS][WAYS];
};

struct limits *limits_new(void)
{
    struct limits *l = calloc(1, sizeof *l);
    if (l != NULL)
        pthread_mutex_init(&l->lock, NULL);
    return l;
}

void limits_free(struct limits *l)
{
    if (l == NULL)
        return;
    free(l->rules);
    pthread_mutex_destroy(&l->lock);
    free(l);
}

void limits_take(struct limits *l, const cJSON *list)
{
    size_t count = (size_t)cJSON_GetArraySize(list), n = 0;
    struct rule *rules = calloc(count + 1, sizeof *rules);
    const cJSON *item;
    if (rules == NULL)
        return;
    cJSON_ArrayForEach (item, list) {
        const char *scope = json_string(item, "scope"), *key = json_string(item, "key");
        if (scope == NULL || key == NULL)
            continue;
        struct rule *r = &rules[n++];
        utf8_copy(r->scope, sizeof r->scope, scope);
        utf8_copy(r->key, sizeof r->key, key);
        r->rpm = (int64_t)json_number(item, "rpm", 0);
        r->tpm = (int64_t)json_number(item, "tpm", 0);
        r->burst = (int64_t)json_number(item, "burst", (double)r->rpm);
    }
    pthread_mutex_lock(&l->lock);
    struct rule *before = l->rules;
    l->rules = rules;
    l->rule_count = n;
    pthread_mutex_unlock(&l->lock);
    free(before);
}

/* The limit of a key: its own, else that of each. */
static const struct rule *find_rule(const struct limits *l, const char *scope, const char *key)
{
    const struct rule *found = NULL;
    for (size_t i = 0; i < l->rule_count; i++) {
        const struct rule *r = &l->rules[i];
        if (strcmp(r->scope, scope) != 0 || (*r->key != '\0' && strcmp(r->key, key) != 0))
            continue;
        if (found == NULL || *r->key != '\0')
            found = r;
    }
    return found;
}

/* The bucket of that name, which may be new: then it takes the place of the one of its set that was
 * used longest ago. */
static struct bucket *find_bucket(struct limits *l, const char *name)
{
    uint64_t hash = 14695981039346656037u; /* FNV-1a */
    for (const char *p = name; *p != '\0'; p++)
        hash = (hash ^ (unsigned char)*p) * 1099511628211u;
    struct bucket *set = l->buckets[(hash >> 20) % SETS], *oldest = &set[0];
    for (int i = 0; i < WAYS; i++) {
        if (strcmp(set[i].name, name) == 0)
            return &set[i];
        if (set[i].used_ms < oldest->used_ms)
            oldest = &set[i];
    }
    *oldest = (struct bucket){.used_ms = clock_ms()};
    snprintf(oldest->name, sizeof oldest->name, "%s", name);
    return oldest;
}

static bool name_bucket(char out[BUCKET_NAME], const char *scope, const char *key)
{
    if (key == NULL || *key == '\0')
        return false;
    return snprintf(out, BUCKET_NAME, "%s:%s", scope, key) < BUCKET_NAME;
}

/* --- without Postgres --- */

static void fill(struct bucket *b, const struct rule *r)
{
    int64_t now = clock_ms();
    double minutes = (double)(now - b->used_ms) / MINUTE_MS;
    if (!b->is_filled) {
        b->requests = (double)r->burst;
        b->tokens = (double)r->tpm;
        b->is_filled = true;
    } else {
        b->requests = fmin((double)r->burst, b->requests + minutes * (double)r->rpm);
        b->tokens = fmin((double)r->tpm, b->tokens + minutes * (double)r->tpm);
    }
    b->used_ms = now;
}

static bool tell_reached(const char *scope, int64_t rate, const char *what, double there,
                         struct api_error *error)
{
    double ms = fmax(ceil((1 - there) * MINUTE_MS / (double)rate), 1);
    bool is_key = strcmp(scope, "api_key") == 0;
    api_error(error, 429, "rate_limit_exceeded", "",
              "the limit of %lld %s a minute for this %s is reached; try again in %.0f s",
              (long long)rate, what, is_key ? "api key" : scope, ceil(ms / 1000));
    error->type = strcmp(what, "tokens") == 0 ? "tokens" : "requests";
    error->retry_after_ms = (int64_t)ms;
    return false;
}

static void tell_left(const struct bucket *b, const struct rule *r, struct limit_left *left)
{
    left->limit_requests = r->rpm;
    left->limit_tokens = r->tpm;
    left->remaining_requests = (int64_t)fmax(floor(b->requests), 0);
    left->remaining_tokens = (int64_t)fmax(floor(b->tokens), 0);
    if (r->rpm > 0)
        left->reset_requests_ms =
            (int64_t)ceil(((double)r->burst - b->requests) * MINUTE_MS / (double)r->rpm);
    if (r->tpm > 0)
        left->reset_tokens_ms =
            (int64_t)ceil(((double)r->tpm - b->tokens) * MINUTE_MS / (double)r->tpm);
}

struct held {
    const char *scope, *key;
    const struct rule *rule;
    struct bucket *bucket;
};

bool limits_allow(struct limits *l, const struct limit_who *who, int64_t tokens,
                  struct limit_left *left, struct api_error *error)
{
    struct held held[] = {{"api_key", who->api_key, NULL, NULL},
                          {"user", who->user, NULL, NULL},
                          {"address", who->address, NULL, NULL}};
    const size_t count = sizeof held / sizeof held[0];
    bool allowed = true;
    *left = (struct limit_left){0};
    pthread_mutex_lock(&l->lock);
    for (size_t i = 0; i < count && allowed; i++) {
        struct held *h = &held[i];
        char name[BUCKET_NAME];
        if (!name_bucket(name, h->scope, h->key) ||
            (h->rule = find_rule(l, h->scope, h->key)) == NULL)
            continue;
        h->bucket = find_bucket(l, name);
        fill(h->bucket, h->rule);
        if (h->rule->rpm > 0 && h->bucket->requests < 1)
            allowed = tell_reached(h->scope, h->rule->rpm, "requests", h->bucket->requests, error);
        else if (h->rule->tpm > 0 && h->bucket->tokens <= 0)
            allowed = tell_reached(h->scope, h->rule->tpm, "tokens", h->bucket->tokens, error);
        if (!allowed)
            tell_left(h->bucket, h->rule, left);
    }
    for (size_t i = 0; i < count && allowed; i++) {
        struct held *h = &held[i];
        if (h->bucket == NULL)
            continue;
        h->bucket->requests -= 1;
        h->bucket->tokens -= (double)tokens;
        if (left->limit_requests == 0 && left->limit_tokens == 0) /* the first one's */
            tell_left(h->bucket, h->rule, left);
    }
    pthread_mutex_unlock(&l->lock);
    return allowed;
}

/* --- what was spent --- */

static void spend(struct limits *l, const char *scope, const char *key, int64_t tokens)
{
    char name[BUCKET_NAME];
    if (!name_bucket(name, scope, key))
        return;
    struct bucket *b = find_bucket(l, name);
    b->spent += tokens;
    if (b->is_filled)
        b->tokens -= (double)tokens;
}

void limits_spend(struct limits *l, const struct limit_who *who, int64_t tokens)
{
    if (tokens == 0)
        return;
    pthread_mutex_lock(&l->lock);
    spend(l, "user", who->user, tokens);
    spend(l, "api_key", who->api_key, tokens);
    pthread_mutex_unlock(&l->lock);
}

void limits_put_spent(struct limits *l, struct buf *out)
{
    bool is_first = true;
    pthread_mutex_lock(&l->lock);
    for (size_t i = 0; i < (size_t)SETS * WAYS; i++) {
        struct bucket *b = &l->buckets[i / WAYS][i % WAYS];
        if (b->spent == 0)
            continue;
        buf_puts(out, is_first ? ",\"tokens\":{" : ",");
        is_first = false;
        buf_json_string(out, b->name, strlen(b->name));
        buf_printf(out, ":%lld", (long long)b->spent);
        b->spent_in_flight = b->spent;
        b->spent = 0;
    }
    pthread_mutex_unlock(&l->lock);
    if (!is_first)
        buf_putc(out, '}');
}

void limits_told(struct limits *l, bool heard)
{
    pthread_mutex_lock(&l->lock);
    for (size_t i = 0; i < (size_t)SETS * WAYS; i++) {
        struct bucket *b = &l->buckets[i / WAYS][i % WAYS];
        if (!heard)
            b->spent += b->spent_in_flight;
        b->spent_in_flight = 0;
    }
    pthread_mutex_unlock(&l->lock);
}

/* --- headers --- */

void limit_left_read(struct limit_left *left, const char *text)
{
    long long n[7];
    if (sscanf(text, "%lld %lld %lld %lld %lld %lld %lld", &n[0], &n[1], &n[2], &n[3], &n[4], &n[5],
               &n[6]) != 7)
        return;
    *left = (struct limit_left){.limit_requests = n[0],
                                .remaining_requests = n[1],
                                .reset_requests_ms = n[2],
                                .limit_tokens = n[3],
                                .remaining_tokens = n[4],
                                .reset_tokens_ms = n[5],
                                .charged_tokens = n[6]};
}

/* As OpenAI writes it: "12ms", "1.5s", "6m0s". */
static void put_duration(struct buf *out, int64_t ms)
{
    if (ms < 1000)
        buf_printf(out, "%lldms", (long long)ms);
    else if (ms < 60000)
        buf_printf(out, "%gs", (double)ms / 1000);
    else
        buf_printf(out, "%lldm%llds", (long long)(ms / 60000), (long long)(ms % 60000 / 1000));
}

static void put_headers(struct buf *out, const char *what, int64_t limit, int64_t remaining,
                        int64_t reset_ms)
{
    if (limit == 0)
        return;
    buf_printf(out,
               "x-ratelimit-limit-%s: %lld\r\nx-ratelimit-remaining-%s: %lld\r\n"
               "x-ratelimit-reset-%s: ",
               what, (long long)limit, what, (long long)remaining, what);
    put_duration(out, reset_ms);
    buf_puts(out, "\r\n");
}

void limit_left_headers(const struct limit_left *left, struct buf *out)
{
    put_headers(out, "requests", left->limit_requests, left->remaining_requests,
                left->reset_requests_ms);
    put_headers(out, "tokens", left->limit_tokens, left->remaining_tokens, left->reset_tokens_ms);
}
