/* Rate limits of a worker; see limits.h. */
#include "limits.h"

#include "common/clock.h"
#include "common/json.h"
#include "common/log.h"
#include "common/utf8.h"

#include <math.h>
#include <pthread.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SETS 512
#define WAYS 8
#define BUCKET_NAME 80 /* "feedback:address:" and an address, or a UUID */
#define MINUTE_MS 60000.0
#define REFUSED 1024 /* who is remembered to be refused */

/* At what rate a bucket is filled, and what a full one holds. */
struct rate {
    int64_t rpm, tpm, burst; /* rpm, tpm 0: no limit of that */
};

struct bucket {
    char name[BUCKET_NAME]; /* "": free */
    double requests, tokens;
    struct rate rate; /* with which it was filled; all 0: never */
    int64_t used_ms;
};

/* Tokens that a bucket in Postgres is to be told of. Not kept in the buckets here, of which one
 * that is not used for long makes room for another. */
struct spent {
    char name[BUCKET_NAME];
    int64_t tokens,
        in_flight; /* beyond what was charged; those that were put and not yet acknowledged */
    struct spent *next;
};

struct rule {
    char scope[8], key[48];
    struct rate chats;
    int64_t feedback; /* calls a minute; 0: none */
};

struct refused {
    uint64_t who; /* a hash: two with the same are taken for one, which costs neither an answer */
    int64_t until_ms;
};

struct limits {
    pthread_mutex_t lock;
    struct rule *rules;
    size_t rule_count;
    struct bucket buckets[SETS][WAYS];
    struct refused refused[REFUSED];
    void *spent_by_name;               /* of tsearch() */
    struct spent *spent, **last_spent; /* all of them, the first to be told first */
};

struct limits *limits_new(void)
{
    struct limits *l = calloc(1, sizeof *l);
    if (l != NULL) {
        pthread_mutex_init(&l->lock, NULL);
        l->last_spent = &l->spent;
    }
    return l;
}

void limits_free(struct limits *l)
{
    if (l == NULL)
        return;
    tdestroy(l->spent_by_name, free);
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
        r->chats.rpm = (int64_t)json_number(item, "rpm", 0);
        r->chats.tpm = (int64_t)json_number(item, "tpm", 0);
        r->chats.burst = (int64_t)json_number(item, "burst", (double)r->chats.rpm);
        r->feedback = (int64_t)json_number(item, "feedback", 0);
    }
    pthread_mutex_lock(&l->lock);
    struct rule *before = l->rules;
    l->rules = rules;
    l->rule_count = n;
    pthread_mutex_unlock(&l->lock);
    free(before);
}

/* What is limited: chats, or calls of feedback, which have buckets of their own. */
enum limited { CHATS, FEEDBACK };

/* The limit of a key: its own, else that of each. False when there is none. */
static bool find_rate(const struct limits *l, enum limited what, const char *scope, const char *key,
                      struct rate *rate)
{
    bool found = false;
    for (size_t i = 0; i < l->rule_count; i++) {
        const struct rule *r = &l->rules[i];
        bool is_own = *r->key != '\0';
        struct rate of =
            what == CHATS ? r->chats : (struct rate){.rpm = r->feedback, .burst = r->feedback};
        if (strcmp(r->scope, scope) != 0 || (is_own && strcmp(r->key, key) != 0) ||
            (of.rpm == 0 && of.tpm == 0) || (found && !is_own))
            continue;
        *rate = of;
        found = true;
    }
    return found;
}

#define HASH_START 14695981039346656037u /* FNV-1a */

static uint64_t hash_on(uint64_t hash, const char *text)
{
    for (const char *p = text; *p != '\0'; p++)
        hash = (hash ^ (unsigned char)*p) * 1099511628211u;
    return hash;
}

/* The bucket of that name. Where there is none: NULL, or, to make one, a new one in the place of
 * the one of its set that was used longest ago. */
static struct bucket *find_bucket(struct limits *l, const char *name, bool make)
{
    struct bucket *set = l->buckets[(hash_on(HASH_START, name) >> 20) % SETS], *oldest = &set[0];
    for (int i = 0; i < WAYS; i++) {
        if (strcmp(set[i].name, name) == 0)
            return &set[i];
        if (set[i].used_ms < oldest->used_ms)
            oldest = &set[i];
    }
    if (!make)
        return NULL;
    *oldest = (struct bucket){.used_ms = clock_ms()};
    snprintf(oldest->name, sizeof oldest->name, "%s", name);
    return oldest;
}

static bool name_bucket(char out[BUCKET_NAME], enum limited what, const char *scope,
                        const char *key)
{
    if (key == NULL || *key == '\0')
        return false;
    return snprintf(out, BUCKET_NAME, "%s%s:%s", what == FEEDBACK ? "feedback:" : "", scope, key) <
           BUCKET_NAME;
}

/* --- without Postgres --- */

/* A bucket whose limit has changed is a new one, as in Postgres. */
static void fill(struct bucket *b, const struct rate *r)
{
    int64_t now = clock_ms();
    double minutes = (double)(now - b->used_ms) / MINUTE_MS;
    if (b->rate.rpm != r->rpm || b->rate.tpm != r->tpm || b->rate.burst != r->burst) {
        b->requests = (double)r->burst;
        b->tokens = (double)r->tpm;
        b->rate = *r;
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

static void tell_left(const struct bucket *b, struct limit_left *left)
{
    const struct rate *r = &b->rate;
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

/* Takes one of what is limited, and so many tokens, out of each bucket that there is, or nothing.
 */
static bool allow(struct limits *l, enum limited what, const struct limit_who *who, int64_t tokens,
                  struct limit_left *left, struct api_error *error)
{
    const struct {
        const char *scope, *key;
    } scopes[] = {{"api_key", who->api_key}, {"user", who->user}, {"address", who->address}};
    const char *named = what == CHATS ? "requests" : "feedback calls";
    struct bucket *held[3];
    size_t count = 0;
    bool allowed = true;
    *left = (struct limit_left){0};
    pthread_mutex_lock(&l->lock);
    for (size_t i = 0; i < sizeof scopes / sizeof scopes[0] && allowed; i++) {
        char name[BUCKET_NAME];
        struct rate rate;
        if (!name_bucket(name, what, scopes[i].scope, scopes[i].key) ||
            !find_rate(l, what, scopes[i].scope, scopes[i].key, &rate))
            continue;
        struct bucket *b = held[count++] = find_bucket(l, name, true);
        fill(b, &rate);
        if (rate.rpm > 0 && b->requests < 1)
            allowed = tell_reached(scopes[i].scope, rate.rpm, named, b->requests, error);
        else if (rate.tpm > 0 && b->tokens <= 0)
            allowed = tell_reached(scopes[i].scope, rate.tpm, "tokens", b->tokens, error);
        if (!allowed)
            tell_left(b, left);
    }
    if (allowed)
        left->charged_here = tokens;
    for (size_t i = 0; i < count && allowed; i++) {
        held[i]->requests -= 1;
        held[i]->tokens -= (double)tokens;
        if (i == 0)
            tell_left(held[i], left);
    }
    pthread_mutex_unlock(&l->lock);
    return allowed;
}

bool limits_allow(struct limits *l, const struct limit_who *who, int64_t tokens,
                  struct limit_left *left, struct api_error *error)
{
    return allow(l, CHATS, who, tokens, left, error);
}

bool limits_allow_feedback(struct limits *l, const struct limit_who *who, struct api_error *error)
{
    struct limit_left left;
    return allow(l, FEEDBACK, who, 0, &left, error);
}

/* --- what was spent --- */

static int by_name(const void *a, const void *b)
{
    return strcmp(a, b); /* the name comes first in struct spent */
}

/* What is to be told of a bucket; NULL when memory ran out. */
static struct spent *find_spent(struct limits *l, const char *name)
{
    void *found = tfind(name, &l->spent_by_name, by_name);
    if (found != NULL)
        return *(struct spent **)found;
    struct spent *s = calloc(1, sizeof *s);
    if (s == NULL)
        return NULL;
    snprintf(s->name, sizeof s->name, "%s", name);
    if (tsearch(s, &l->spent_by_name, by_name) == NULL) {
        free(s);
        return NULL;
    }
    *l->last_spent = s;
    l->last_spent = &s->next;
    return s;
}

static void tell_later(struct limits *l, const char *name, int64_t tokens)
{
    if (tokens == 0)
        return;
    struct spent *s = find_spent(l, name);
    if (s != NULL)
        s->tokens += tokens;
    else
        log_error("limits", "out of memory: %lld tokens are not counted", (long long)tokens);
}

static void spend(struct limits *l, const char *scope, const char *key, int64_t tokens,
                  const struct limit_left *charged)
{
    char name[BUCKET_NAME];
    if (!name_bucket(name, CHATS, scope, key))
        return;
    tell_later(l, name, tokens - charged->charged_tokens);
    struct bucket *b = find_bucket(l, name, false);
    if (b != NULL)
        b->tokens -= (double)(tokens - charged->charged_here);
}

void limits_spend(struct limits *l, const struct limit_who *who, int64_t tokens,
                  const struct limit_left *charged)
{
    pthread_mutex_lock(&l->lock);
    spend(l, "user", who->user, tokens, charged);
    spend(l, "api_key", who->api_key, tokens, charged);
    spend(l, "address", who->address, tokens, charged);
    pthread_mutex_unlock(&l->lock);
}

void limits_put_spent(struct limits *l, struct buf *out)
{
    int count = 0;
    pthread_mutex_lock(&l->lock);
    for (struct spent *s = l->spent; s != NULL && count < LIMITS_SETTLED_AT_ONCE; s = s->next) {
        if (s->tokens == 0)
            continue;
        buf_puts(out, count++ == 0 ? ",\"tokens\":{" : ",");
        buf_json_string(out, s->name, strlen(s->name));
        buf_printf(out, ":%lld", (long long)s->tokens);
        s->in_flight = s->tokens;
        s->tokens = 0;
    }
    pthread_mutex_unlock(&l->lock);
    if (count > 0)
        buf_putc(out, '}');
}

void limits_acknowledge(struct limits *l, bool done)
{
    struct spent *all, *next, *again = NULL, **last_again = &again;
    pthread_mutex_lock(&l->lock);
    all = l->spent;
    l->spent = NULL;
    l->last_spent = &l->spent;
    for (struct spent *s = all; s != NULL; s = next) {
        bool is_settled = done && s->in_flight != 0;
        next = s->next;
        s->next = NULL;
        s->tokens += done ? 0 : s->in_flight;
        s->in_flight = 0;
        if (s->tokens == 0) {
            tdelete(s->name, &l->spent_by_name, by_name);
            free(s);
        } else if (is_settled) { /* behind those whose turn is still to come */
            *last_again = s;
            last_again = &s->next;
        } else {
            *l->last_spent = s;
            l->last_spent = &s->next;
        }
    }
    if (again != NULL) {
        *l->last_spent = again;
        l->last_spent = last_again;
    }
    pthread_mutex_unlock(&l->lock);
}

/* --- who is refused --- */

static uint64_t hash_who(const struct limit_who *who)
{
    const char *const keys[] = {who->user, who->api_key, who->address};
    uint64_t hash = HASH_START;
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        hash = hash_on(hash_on(hash, keys[i] != NULL ? keys[i] : ""), "\n");
    return hash;
}

void limits_note_refused(struct limits *l, const struct limit_who *who, int64_t retry_after_ms)
{
    int64_t ms = retry_after_ms < (int64_t)MINUTE_MS ? retry_after_ms : (int64_t)MINUTE_MS;
    uint64_t hash = hash_who(who);
    pthread_mutex_lock(&l->lock);
    l->refused[hash % REFUSED] = (struct refused){.who = hash, .until_ms = clock_ms() + ms};
    pthread_mutex_unlock(&l->lock);
}

bool limits_is_refused(struct limits *l, const struct limit_who *who)
{
    uint64_t hash = hash_who(who);
    pthread_mutex_lock(&l->lock);
    struct refused r = l->refused[hash % REFUSED];
    pthread_mutex_unlock(&l->lock);
    return r.who == hash && clock_ms() < r.until_ms;
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
