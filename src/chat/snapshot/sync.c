/* Asking Postgres what has changed; see sync.h. */
#include "sync.h"

#include "chat/provider/breaker_write.h"
#include "common/clock.h"
#include "common/json.h"
#include "common/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SYNC_S 1
#define SKIPS_MAX 60
#define GAUGES_MS 10000
#define KNOWN_MAX ((size_t)1024 * 1024)
#define HOST_ROOM 256
#define BREAKERS_MAX ((size_t)64 * 1024)

struct sync {
    struct sync_options with;
    struct pg *pg;
    pthread_t thread;
    char prices[64], budgets[64]; /* the marks of those that are known */
    int64_t gauges_due_ms;
    bool was_refused; /* and logged */
    /* For so many tries without experiments, of which so many are left: the last try with them was
     * refused. They may have megabytes, which must not keep what else there is from being told, nor
     * Postgres busy. */
    int skips, skips_left;
    char host[HOST_ROOM];
    struct buf breakers, breakers_told; /* as they are, and as Postgres last heard of them */

    pthread_mutex_t lock; /* guards the rest */
    pthread_cond_t stop_told;
    bool stopping;
    cJSON *gauges;
};

static const struct pg_statement worker_sync = {
    .name = "worker_sync", .sql = "select uplift_chat.worker_sync($1)", .params = 1};

static int64_t unix_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* The breakers of this host: with the gauges, and when they have changed. */
static void tell_breakers(struct sync *s, bool is_due, struct buf *out)
{
    if (s->with.breakers == NULL)
        return;
    buf_clear(&s->breakers);
    breakers_write(s->with.breakers, clock_ms(), unix_ms(), &s->breakers);
    if (s->breakers.failed)
        return;
    bool is_news = s->breakers.len != s->breakers_told.len ||
                   memcmp(s->breakers.data, s->breakers_told.data, s->breakers.len) != 0;
    if (!is_due && !is_news)
        return;
    buf_puts(out, ",\"breakers\":{\"host\":");
    buf_json_string(out, s->host, strlen(s->host));
    buf_puts(out, ",\"all\":");
    buf_append(out, s->breakers.data, s->breakers.len);
    buf_putc(out, '}');
}

static void note_breakers_told(struct sync *s)
{
    buf_clear(&s->breakers_told);
    buf_append(&s->breakers_told, s->breakers.data, s->breakers.len);
}

/* What this worker knows, and tells. */
static bool tell_known(struct sync *s, struct buf *out)
{
    buf_printf(out, "{\"routing\":%lld", (long long)routings_revision(s->with.routings));
    buf_printf(out, ",\"access\":%lld", (long long)model_access_revision(s->with.access));
    buf_printf(out, ",\"prices\":\"%s\",\"budgets\":\"%s\"", s->prices, s->budgets);
    if (s->skips_left == 0) {
        char experiments[EXPERIMENTS_MARK];
        experiments_mark(s->with.experiments, experiments);
        buf_printf(out, ",\"experiments\":\"%s\"", experiments);
    }
    bool is_due = clock_ms() >= s->gauges_due_ms;
    if (is_due)
        buf_puts(out, ",\"gauges\":true");
    tell_breakers(s, is_due, out);
    embedder_put_wanted(s->with.embedder, out);
    limits_put_spent(s->with.limits, out);
    buf_putc(out, '}');
    return !out->failed;
}

static void take_prices(struct sync *s, const cJSON *news)
{
    const char *mark = json_string(news, "prices_mark");
    if (mark == NULL)
        return;
    prices_take(s->with.prices, cJSON_GetObjectItemCaseSensitive(news, "prices"));
    snprintf(s->prices, sizeof s->prices, "%s", mark);
}

static void take_budgets(struct sync *s, const cJSON *news)
{
    const char *mark = json_string(news, "budgets_mark");
    if (mark == NULL)
        return;
    budgets_take(s->with.budgets, cJSON_GetObjectItemCaseSensitive(news, "budgets"));
    snprintf(s->budgets, sizeof s->budgets, "%s", mark);
}

static void take_experiments(struct sync *s, const cJSON *news)
{
    const cJSON *experiments = cJSON_GetObjectItemCaseSensitive(news, "experiments");
    if (experiments != NULL)
        experiments_take(s->with.experiments, experiments, json_string(news, "experiments_mark"));
}

static void take_gauges(struct sync *s, cJSON *news)
{
    cJSON *gauges = cJSON_DetachItemFromObjectCaseSensitive(news, "gauges");
    if (gauges == NULL)
        return;
    s->gauges_due_ms = clock_ms() + GAUGES_MS;
    pthread_mutex_lock(&s->lock);
    cJSON *before = s->gauges;
    s->gauges = gauges;
    pthread_mutex_unlock(&s->lock);
    cJSON_Delete(before);
}

cJSON *sync_gauges(struct sync *s)
{
    pthread_mutex_lock(&s->lock);
    cJSON *copy = s->gauges != NULL ? cJSON_Duplicate(s->gauges, true) : NULL;
    pthread_mutex_unlock(&s->lock);
    return copy;
}

static void take_news(struct sync *s, const char *text, size_t len)
{
    struct json_error wrong;
    cJSON *news = json_parse(text, len, &wrong);
    if (news == NULL) {
        log_error("sync", "uplift_chat.worker_sync() answered what cannot be read: %s",
                  wrong.message);
        return;
    }
    const cJSON *routing = cJSON_GetObjectItemCaseSensitive(news, "routing");
    if (routing != NULL)
        routings_take(s->with.routings, routing);
    const cJSON *access = cJSON_GetObjectItemCaseSensitive(news, "access");
    if (access != NULL)
        model_access_take(s->with.access, access);
    limits_take(s->with.limits, cJSON_GetObjectItemCaseSensitive(news, "limits"));
    embedder_take(s->with.embedder, cJSON_GetObjectItemCaseSensitive(news, "embeddings"));
    take_budgets(s, news);
    take_prices(s, news);
    take_experiments(s, news);
    take_gauges(s, news);
    cJSON_Delete(news);
}

/* It is said once until all is told again. */
static void note_refusal(struct sync *s, enum pg_outcome outcome)
{
    bool had_experiments = s->skips_left == 0;
    if (!had_experiments)
        s->skips_left--;
    if (outcome == PG_REFUSED) {
        s->was_refused = true;
        if (had_experiments)
            s->skips = s->skips_left = s->skips == 0          ? 1
                                       : s->skips < SKIPS_MAX ? 2 * s->skips
                                                              : SKIPS_MAX;
    } else if (outcome == PG_DONE && had_experiments) {
        s->was_refused = false;
        s->skips = 0;
    }
}

static void sync_once(struct sync *s)
{
    struct buf known;
    PGresult *row = NULL;
    if (!pg_breaker_allows(s->with.breaker))
        return;
    buf_init(&known, KNOWN_MAX);
    if (!tell_known(s, &known)) {
        limits_acknowledge(s->with.limits, false);
        buf_release(&known);
        return;
    }
    const char *values[] = {known.data};
    enum pg_outcome outcome = pg_call(s->pg, &worker_sync, values, &row);
    if (outcome == PG_AWAY && pg_only_slow(s->pg))
        outcome = PG_REFUSED;
    pg_breaker_report(s->with.breaker, outcome);
    limits_acknowledge(s->with.limits, outcome == PG_DONE);
    if (outcome == PG_DONE) {
        note_breakers_told(s);
        take_news(s, PQgetvalue(row, 0, 0), (size_t)PQgetlength(row, 0, 0));
    }
    if (outcome == PG_REFUSED && !s->was_refused)
        log_error("sync", "uplift_chat.worker_sync() was refused: %s: %s", pg_sqlstate(s->pg),
                  pg_message_to_log(s->pg));
    note_refusal(s, outcome);
    PQclear(row);
    buf_release(&known);
}

/* False when it is to stop. */
static bool rest(struct sync *s)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += SYNC_S;
    pthread_mutex_lock(&s->lock);
    while (!s->stopping && pthread_cond_timedwait(&s->stop_told, &s->lock, &until) != ETIMEDOUT)
        ;
    bool goes_on = !s->stopping;
    pthread_mutex_unlock(&s->lock);
    return goes_on;
}

static void *run(void *arg)
{
    struct sync *s = arg;
    do {
        sync_once(s);
        s->with.each_second(s->with.arg);
    } while (rest(s));
    return NULL;
}

static void release(struct sync *s)
{
    pg_free(s->pg);
    buf_release(&s->breakers);
    buf_release(&s->breakers_told);
    cJSON_Delete(s->gauges);
    pthread_cond_destroy(&s->stop_told);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

struct sync *sync_start(const struct sync_options *options)
{
    const struct config *config = options->config;
    struct sync *s = calloc(1, sizeof *s);
    if (s == NULL) {
        log_error("sync", "cannot start: out of memory");
        return NULL;
    }
    s->with = *options;
    buf_init(&s->breakers, BREAKERS_MAX);
    buf_init(&s->breakers_told, BREAKERS_MAX);
    if (gethostname(s->host, sizeof s->host - 1) != 0 || !json_utf8_valid(s->host, strlen(s->host)))
        snprintf(s->host, sizeof s->host, "unknown");
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&s->stop_told, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&s->lock, NULL);
    s->pg = pg_new(config->database_url, "uplift sync", config->db_timeout_ms,
                   config->db_lock_timeout_ms);
    /* Before anybody is served: what was kept on disk may be long out of date, or nothing. */
    if (s->pg != NULL)
        sync_once(s);
    if (s->pg != NULL && s->skips_left > 0)
        sync_once(s);
    if (s->pg == NULL || pthread_create(&s->thread, NULL, run, s) != 0) {
        log_error("sync", "cannot start");
        release(s);
        return NULL;
    }
    pthread_setname_np(s->thread, "sync");
    return s;
}

void sync_stop(struct sync *s)
{
    if (s == NULL)
        return;
    pthread_mutex_lock(&s->lock);
    s->stopping = true;
    pthread_cond_signal(&s->stop_told);
    pthread_mutex_unlock(&s->lock);
    pthread_join(s->thread, NULL);
    release(s);
}
