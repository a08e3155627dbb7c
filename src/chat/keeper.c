/* Asking Postgres what has changed; see keeper.h. */
#include "keeper.h"

#include "../common/json.h"
#include "../common/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SYNC_S 1
#define KNOWN_MAX ((size_t)1024 * 1024)

struct keeper {
    struct pg_breaker *breaker;
    struct routings *routings;
    struct budgets *budgets;
    struct limits *limits;
    struct pg *pg;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t stop_told;
    bool stopping;    /* under lock */
    bool was_refused; /* and logged */
};

static const struct pg_statement worker_sync = {
    .name = "worker_sync", .sql = "select uplift.worker_sync($1)", .params = 1};

/* What this worker knows, and tells. */
static bool tell_known(const struct keeper *k, struct buf *out)
{
    buf_printf(out, "{\"routing\":%lld", (long long)routings_revision(k->routings));
    limits_put_spent(k->limits, out);
    buf_putc(out, '}');
    return !out->failed;
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
        routings_take(k->routings, routing);
    limits_take(k->limits, cJSON_GetObjectItemCaseSensitive(news, "limits"));
    budgets_take(k->budgets, cJSON_GetObjectItemCaseSensitive(news, "budgets"));
    cJSON_Delete(news);
}

static void sync_once(struct keeper *k)
{
    struct buf known;
    PGresult *row = NULL;
    if (!pg_breaker_allows(k->breaker))
        return;
    buf_init(&known, KNOWN_MAX);
    if (!tell_known(k, &known)) {
        buf_release(&known);
        return;
    }
    const char *values[] = {known.data};
    enum pg_outcome outcome = pg_call(k->pg, &worker_sync, values, &row);
    pg_breaker_report(k->breaker, outcome);
    limits_told(k->limits, outcome == PG_DONE);
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
    do
        sync_once(k);
    while (pause(k));
    return NULL;
}

static void release(struct keeper *k)
{
    pg_free(k->pg);
    pthread_cond_destroy(&k->stop_told);
    pthread_mutex_destroy(&k->lock);
    free(k);
}

struct keeper *keeper_start(const struct config *config, struct pg_breaker *breaker,
                            struct routings *routings, struct budgets *budgets,
                            struct limits *limits)
{
    struct keeper *k = calloc(1, sizeof *k);
    if (k == NULL) {
        log_error("keeper", "cannot start: out of memory");
        return NULL;
    }
    k->breaker = breaker;
    k->routings = routings;
    k->budgets = budgets;
    k->limits = limits;
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&k->stop_told, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&k->lock, NULL);
    k->pg = pg_new(config->database_url, "uplift keeper", config->db_timeout_ms,
                   config->db_lock_timeout_ms);
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
