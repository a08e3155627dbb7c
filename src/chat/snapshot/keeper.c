/* Asking Postgres what has changed; see keeper.h. */
#include "keeper.h"

#include "common/clock.h"
#include "common/json.h"
#include "common/log.h"
#include "chat/process/worker.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SYNC_S 1
#define GAUGES_MS 10000
#define KNOWN_MAX ((size_t)1024 * 1024)

struct keeper {
    struct worker *worker;
    struct pg *pg;
    pthread_t thread;
    char prices[64], budgets[64]; /* the marks of those that are known */
    int64_t gauges_due_ms;
    bool was_refused; /* and logged */

    pthread_mutex_t lock; /* guards the rest */
    pthread_cond_t stop_told;
    bool stopping;
    cJSON *gauges;
};

static const struct pg_statement worker_sync = {
    .name = "worker_sync", .sql = "select uplift.worker_sync($1)", .params = 1};

/* What this worker knows, and tells. */
static bool tell_known(struct keeper *k, struct buf *out)
{
    buf_printf(out, "{\"routing\":%lld", (long long)routings_revision(k->worker->routings));
    buf_printf(out, ",\"access\":%lld", (long long)model_access_revision(k->worker->access));
    buf_printf(out, ",\"prices\":\"%s\",\"budgets\":\"%s\"", k->prices, k->budgets);
    if (clock_ms() >= k->gauges_due_ms)
        buf_puts(out, ",\"gauges\":true");
    limits_put_spent(k->worker->limits, out);
    buf_putc(out, '}');
    return !out->failed;
}

static void take_prices(struct keeper *k, const cJSON *news)
{
    const char *mark = json_string(news, "prices_mark");
    if (mark == NULL)
        return;
    prices_take(k->worker->prices, cJSON_GetObjectItemCaseSensitive(news, "prices"));
    snprintf(k->prices, sizeof k->prices, "%s", mark);
}

static void take_budgets(struct keeper *k, const cJSON *news)
{
    const char *mark = json_string(news, "budgets_mark");
    if (mark == NULL)
        return;
    budgets_take(k->worker->budgets, cJSON_GetObjectItemCaseSensitive(news, "budgets"));
    snprintf(k->budgets, sizeof k->budgets, "%s", mark);
}

static void take_gauges(struct keeper *k, cJSON *news)
{
    cJSON *gauges = cJSON_DetachItemFromObjectCaseSensitive(news, "gauges");
    if (gauges == NULL)
        return;
    k->gauges_due_ms = clock_ms() + GAUGES_MS;
    pthread_mutex_lock(&k->lock);
    cJSON *before = k->gauges;
    k->gauges = gauges;
    pthread_mutex_unlock(&k->lock);
    cJSON_Delete(before);
}

cJSON *keeper_gauges(struct keeper *k)
{
    pthread_mutex_lock(&k->lock);
    cJSON *copy = k->gauges != NULL ? cJSON_Duplicate(k->gauges, true) : NULL;
    pthread_mutex_unlock(&k->lock);
    return copy;
}

static void take_news(struct keeper *k, const char *text, size_t len)
{
    struct json_error wrong;
    cJSON *news = json_parse(text, len, &wrong);
    if (news == NULL) {
        log_error("keeper", "uplift.worker_sync() answered what cannot be read: %s", wrong.message);
        return;
    }
    const cJSON *routing = cJSON_GetObjectItemCaseSensitive(news, "routing");
    if (routing != NULL)
        routings_take(k->worker->routings, routing);
    const cJSON *access = cJSON_GetObjectItemCaseSensitive(news, "access");
    if (access != NULL)
        model_access_take(k->worker->access, access);
    limits_take(k->worker->limits, cJSON_GetObjectItemCaseSensitive(news, "limits"));
    take_budgets(k, news);
    take_prices(k, news);
    take_gauges(k, news);
    cJSON_Delete(news);
}

static void set_levels(const struct worker *w)
{
    metrics_level(w->metrics, L_OPEN_CHATS, (uint64_t)relay_open(w->relay));
    metrics_level(w->metrics, L_RECORDER_QUEUE, (uint64_t)recorder_waiting(w->recorder));
    metrics_level(w->metrics, L_SPOOL_BYTES, (uint64_t)recorder_spool_bytes(w->recorder));
    metrics_level(w->metrics, L_DATABASE_AWAY, pg_breaker_open(w->breaker));
}

static void sync_once(struct keeper *k)
{
    struct buf known;
    PGresult *row = NULL;
    if (!pg_breaker_allows(k->worker->breaker))
        return;
    buf_init(&known, KNOWN_MAX);
    if (!tell_known(k, &known)) {
        limits_told(k->worker->limits, false);
        buf_release(&known);
        return;
    }
    const char *values[] = {known.data};
    enum pg_outcome outcome = pg_call(k->pg, &worker_sync, values, &row);
    if (outcome == PG_AWAY && pg_only_slow(k->pg))
        outcome = PG_REFUSED;
    pg_breaker_report(k->worker->breaker, outcome);
    limits_told(k->worker->limits, outcome == PG_DONE);
    if (outcome == PG_DONE)
        take_news(k, PQgetvalue(row, 0, 0), (size_t)PQgetlength(row, 0, 0));
    else if (outcome == PG_REFUSED && !k->was_refused)
        log_error("keeper", "uplift.worker_sync() was refused: %s: %s", pg_sqlstate(k->pg),
                  pg_message_to_log(k->pg));
    k->was_refused = outcome == PG_REFUSED;
    PQclear(row);
    buf_release(&known);
}

/* False when it is to stop. */
static bool pause(struct keeper *k)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += SYNC_S;
    pthread_mutex_lock(&k->lock);
    while (!k->stopping && pthread_cond_timedwait(&k->stop_told, &k->lock, &until) != ETIMEDOUT)
        ;
    bool goes_on = !k->stopping;
    pthread_mutex_unlock(&k->lock);
    return goes_on;
}

static void *run(void *arg)
{
    struct keeper *k = arg;
    do {
        sync_once(k);
        set_levels(k->worker);
    } while (pause(k));
    metrics_level(k->worker->metrics, L_DATABASE_AWAY, 0); /* what is no more lacks nothing */
    return NULL;
}

static void release(struct keeper *k)
{
    pg_free(k->pg);
    cJSON_Delete(k->gauges);
    pthread_cond_destroy(&k->stop_told);
    pthread_mutex_destroy(&k->lock);
    free(k);
}

struct keeper *keeper_start(struct worker *w)
{
    const struct config *config = w->config;
    struct keeper *k = calloc(1, sizeof *k);
    if (k == NULL) {
        log_error("keeper", "cannot start: out of memory");
        return NULL;
    }
    k->worker = w;
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&k->stop_told, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&k->lock, NULL);
    k->pg = pg_new(config->database_url, "uplift keeper", config->db_timeout_ms,
                   config->db_lock_timeout_ms);
    /* Before anybody is served: what was kept on disk may be long out of date, or nothing. */
    if (k->pg != NULL)
        sync_once(k);
    if (k->pg == NULL || pthread_create(&k->thread, NULL, run, k) != 0) {
        log_error("keeper", "cannot start");
        release(k);
        return NULL;
    }
    pthread_setname_np(k->thread, "keeper");
    return k;
}

void keeper_stop(struct keeper *k)
{
    if (k == NULL)
        return;
    pthread_mutex_lock(&k->lock);
    k->stopping = true;
    pthread_cond_signal(&k->stop_told);
    pthread_mutex_unlock(&k->lock);
    pthread_join(k->thread, NULL);
    release(k);
}
