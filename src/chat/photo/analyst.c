/* The analysts' threads; see analyst.h. */
#include "analyst.h"

#include "common/json.h"
#include "common/log.h"
#include "common/photo_file.h"
#include "common/uuid.h"
#include "vision.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define POLL_S 5            /* for what others left, and what is to be tried again */
#define LEASE_MORE_MS 30000 /* for all but the call of the provider */

struct analyst_thread {
    struct analyst *analyst;
    pthread_t thread;
    bool polls; /* one of them looks for work by itself, and wakes the others where there is some */
};

struct analyst {
    const struct config *config;
    struct pg_pool *pool;
    struct pg_breaker *breaker;
    struct metrics *metrics;
    struct analyst_thread threads[ANALYST_THREADS];
    int count;
    atomic_bool stopping;
    pthread_mutex_t lock; /* guards what is below */
    pthread_cond_t work;
    unsigned long woken; /* how often there was something new */
};

/* Asks Postgres; NULL where it is away or refuses, which is logged, because it is tried again. */
static PGresult *ask(struct analyst *a, const struct pg_statement *statement,
                     const char *const *values)
{
    struct api_error error;
    PGresult *result;
    bool away;
    if (pg_pool_ask(a->pool, a->breaker, statement, values, &result, &error, &away))
        return result;
    if (!away)
        log_warn("analyst", "%s: %s", statement->name, error.message);
    return NULL;
}

/* --- files that are to go --- */

static void delete_files(struct analyst *a, const PGresult *due)
{
    static const struct pg_statement removed = {
        .name = "photos_removed", .sql = "select uplift_chat.photos_removed($1)", .params = 1};
    struct buf ids;
    buf_init(&ids, 16384);
    for (int i = 0; i < PQntuples(due); i++) {
        const char *id = PQgetvalue(due, i, 0);
        if (photo_file_remove(a->config->photo_dir, id))
            buf_printf(&ids, "%s%s", ids.len == 0 ? "{" : ",", id);
        else
            log_warn("analyst", "the file of photo %s could not be deleted", id);
    }
    if (ids.len > 0 && buf_putc(&ids, '}'))
        PQclear(ask(a, &removed, (const char *[]){ids.data}));
    buf_release(&ids);
}

static void sweep(struct analyst *a)
{
    static const struct pg_statement list = {
        .name = "due_photo_removals",
        .sql = "select photo_id from uplift_chat.due_photo_removals()",
        .params = 0};
    PGresult *due = ask(a, &list, NULL);
    if (due != NULL && PQntuples(due) > 0)
        delete_files(a, due);
    PQclear(due);
}

/* --- photos that are to be analysed --- */

/* A photo that is this thread's. */
struct taken {
    char id[UUID_TEXT + 1];
    int attempt;
};

static bool take(struct analyst *a, struct taken *t)
{
    static const struct pg_statement statement = {
        .name = "take_photo", .sql = "select uplift_chat.take_photo($1)", .params = 1};
    char lease[24];
    snprintf(lease, sizeof lease, "%lld", (long long)a->config->vision_timeout_ms + LEASE_MORE_MS);
    PGresult *result = ask(a, &statement, (const char *[]){lease});
    bool is_one = result != NULL && !PQgetisnull(result, 0, 0);
    if (is_one) {
        cJSON *said = cJSON_Parse(PQgetvalue(result, 0, 0));
        const char *id = json_string(said, "id");
        snprintf(t->id, sizeof t->id, "%s", id != NULL ? id : "");
        t->attempt = (int)json_number(said, "attempt", 0);
        cJSON_Delete(said);
    }
    PQclear(result);
    return is_one && t->id[0] != '\0';
}

static void tell(struct analyst *a, const struct taken *t, enum vision_outcome outcome,
                 const char *told)
{
    static const struct pg_statement analysed = {.name = "photo_analysed",
                                                 .sql =
                                                     "select uplift_chat.photo_analysed($1,$2,$3)",
                                                 .params = 3};
    static const struct pg_statement failed = {
        .name = "photo_failed", .sql = "select uplift_chat.photo_failed($1,$2,$3)", .params = 3};
    static const struct pg_statement given_back = {
        .name = "give_back_photo", .sql = "select uplift_chat.give_back_photo($1,$2)", .params = 2};
    char attempt[16];
    snprintf(attempt, sizeof attempt, "%d", t->attempt);
    const char *values[] = {t->id, attempt, told};
    if (outcome == VISION_STOPPED)
        PQclear(ask(a, &given_back, values));
    else if (told != NULL)
        PQclear(ask(a, outcome == VISION_ANSWERED ? &analysed : &failed, values));
}

static void analyse(struct analyst *a, const struct taken *t)
{
    static const char no_file[] =
        "{\"reason\":\"no_file\",\"code\":\"photo_unreadable\",\"may_pass\":true}";
    struct buf jpeg;
    char reason[200];
    buf_init(&jpeg, PHOTO_FILE_MAX);
    if (photo_file_read(a->config->photo_dir, t->id, &jpeg, reason) && jpeg.len > 0) {
        char *told;
        enum vision_outcome outcome =
            vision_ask(a->config, jpeg.data, jpeg.len, &a->stopping, &told);
        if (outcome != VISION_STOPPED)
            metrics_count(a->metrics,
                          outcome == VISION_ANSWERED ? M_PHOTO_ANALYSED : M_PHOTO_FAILED, 1);
        tell(a, t, outcome, told);
        cJSON_free(told);
    } else {
        log_warn("analyst", "photo %s: %s", t->id, reason);
        tell(a, t, VISION_FAILED, no_file);
    }
    buf_release(&jpeg);
}

/* --- the threads --- */

/* Waits for something new since *seen, or, who polls, a while. False when it is to stop. */
static bool wait_for_work(struct analyst *a, bool polls, unsigned long *seen)
{
    struct timespec until;
    int late = 0;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += POLL_S;
    pthread_mutex_lock(&a->lock);
    while (!atomic_load(&a->stopping) && a->woken == *seen && late == 0) {
        if (polls)
            late = pthread_cond_clockwait(&a->work, &a->lock, CLOCK_MONOTONIC, &until);
        else
            pthread_cond_wait(&a->work, &a->lock);
    }
    *seen = a->woken;
    pthread_mutex_unlock(&a->lock);
    return !atomic_load(&a->stopping);
}

static void work(const struct analyst_thread *t)
{
    struct analyst *a = t->analyst;
    struct taken taken;
    if (pg_breaker_open(a->breaker))
        return;
    if (t->polls)
        sweep(a);
    while (vision_model(a->config) != NULL && !atomic_load(&a->stopping) && take(a, &taken)) {
        if (t->polls)
            analyst_wake(a);
        analyse(a, &taken);
    }
}

static void *analyst_main(void *arg)
{
    const struct analyst_thread *t = arg;
    unsigned long seen = 0;
    do
        work(t);
    while (wait_for_work(t->analyst, t->polls, &seen));
    return NULL;
}

struct analyst *analyst_start(const struct config *config, struct pg_pool *pool,
                              struct pg_breaker *breaker, struct metrics *metrics)
{
    struct analyst *a = calloc(1, sizeof *a);
    if (a == NULL) {
        log_error("analyst", "out of memory");
        return NULL;
    }
    a->config = config;
    a->pool = pool;
    a->breaker = breaker;
    a->metrics = metrics;
    pthread_mutex_init(&a->lock, NULL);
    pthread_cond_init(&a->work, NULL);
    while (config->photo_dir != NULL && a->count < ANALYST_THREADS) {
        struct analyst_thread *t = &a->threads[a->count];
        *t = (struct analyst_thread){.analyst = a, .polls = a->count == 0};
        int error = pthread_create(&t->thread, NULL, analyst_main, t);
        if (error != 0) {
            log_error("analyst", "cannot start a thread: %s", strerror(error));
            analyst_stop(a);
            return NULL;
        }
        pthread_setname_np(t->thread, "analyst");
        a->count++;
    }
    return a;
}

void analyst_wake(struct analyst *a)
{
    pthread_mutex_lock(&a->lock);
    a->woken++;
    pthread_cond_broadcast(&a->work);
    pthread_mutex_unlock(&a->lock);
}

void analyst_stop(struct analyst *a)
{
    if (a == NULL)
        return;
    atomic_store(&a->stopping, true);
    analyst_wake(a);
    for (int i = 0; i < a->count; i++)
        pthread_join(a->threads[i].thread, NULL);
    pthread_mutex_destroy(&a->lock);
    pthread_cond_destroy(&a->work);
    free(a);
}
