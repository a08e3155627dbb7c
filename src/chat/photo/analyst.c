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

struct analyst {
    const struct config *config;
    struct pg_pool *pool;
    struct pg_breaker *breaker;
    struct metrics *metrics;
    struct vision vision;
    pthread_t threads[ANALYST_THREADS + 1]; /* and one that deletes files, and asks nobody */
    int count;
    atomic_bool stopping;
    pthread_mutex_t lock; /* guards what is below */
    pthread_cond_t work;
    unsigned long woken; /* how often there was something new */
    bool is_polled;      /* one of those who wait will look for photos by itself after a while */
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
    char id[UUID_TEXT + 1], user[UUID_TEXT + 1];
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
        const char *id = json_string(said, "id"), *user = json_string(said, "user_id");
        snprintf(t->id, sizeof t->id, "%s", id != NULL ? id : "");
        snprintf(t->user, sizeof t->user, "%s", user != NULL ? user : "");
        t->attempt = (int)json_number(said, "attempt", 0);
        cJSON_Delete(said);
    }
    PQclear(result);
    return is_one && t->id[0] != '\0';
}

static void tell(struct analyst *a, const struct taken *t, enum vision_outcome outcome,
                 const char *told)
{
    static const struct pg_statement analysed = {
        .name = "photo_analysed",
        .sql = "select uplift_chat.photo_analysed($1,$2,$3,$4)",
        .params = 4};
    static const struct pg_statement failed = {
        .name = "photo_failed", .sql = "select uplift_chat.photo_failed($1,$2,$3,$4)", .params = 4};
    static const struct pg_statement given_back = {
        .name = "give_back_photo", .sql = "select uplift_chat.give_back_photo($1,$2)", .params = 2};
    char attempt[16];
    snprintf(attempt, sizeof attempt, "%d", t->attempt);
    const char *values[] = {t->id, attempt, t->user, told};
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
    snprintf(reason, sizeof reason, "its file is empty");
    if (photo_file_read(a->config->photo_dir, t->id, &jpeg, reason) == PHOTO_FILE_READ &&
        jpeg.len > 0) {
        char *told;
        enum vision_outcome outcome = vision_ask(&a->vision, jpeg.data, jpeg.len, &told);
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

static struct timespec after_a_while(void)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += POLL_S;
    return until;
}

/* Both wait for something new since seen, or a while, with the lock held; true: it was that while.
 * Of the analysts one of those who wait does so for all, so that none that is busy is waited for.
 */
static bool wait_to_sweep(struct analyst *a, unsigned long seen)
{
    const struct timespec until = after_a_while();
    int late = 0;
    while (!atomic_load(&a->stopping) && a->woken == seen && late == 0)
        late = pthread_cond_clockwait(&a->work, &a->lock, CLOCK_MONOTONIC, &until);
    return late != 0;
}

static bool wait_to_analyse(struct analyst *a, unsigned long seen)
{
    int late = 0;
    while (!atomic_load(&a->stopping) && a->woken == seen && late == 0) {
        if (a->is_polled) {
            pthread_cond_wait(&a->work, &a->lock);
            continue;
        }
        const struct timespec until = after_a_while();
        a->is_polled = true;
        late = pthread_cond_clockwait(&a->work, &a->lock, CLOCK_MONOTONIC, &until);
        a->is_polled = false;
    }
    if (late != 0)
        pthread_cond_broadcast(&a->work); /* another waits on */
    return late != 0;
}

static void *sweeper_main(void *arg)
{
    struct analyst *a = arg;
    unsigned long seen = 0;
    while (!atomic_load(&a->stopping)) {
        if (!pg_breaker_open(a->breaker))
            sweep(a);
        pthread_mutex_lock(&a->lock);
        (void)wait_to_sweep(a, seen);
        seen = a->woken;
        pthread_mutex_unlock(&a->lock);
    }
    return NULL;
}

/* Who was the only one to look has the others look, too, where there is something. */
static void work(struct analyst *a, bool is_alone)
{
    struct taken taken;
    while (vision_model(a->config) != NULL && !atomic_load(&a->stopping) &&
           !pg_breaker_open(a->breaker) && take(a, &taken)) {
        if (is_alone)
            analyst_wake(a);
        is_alone = false;
        analyse(a, &taken);
    }
}

static void *analyst_main(void *arg)
{
    struct analyst *a = arg;
    unsigned long seen = 0;
    bool is_alone = false;
    while (!atomic_load(&a->stopping)) {
        work(a, is_alone);
        pthread_mutex_lock(&a->lock);
        is_alone = wait_to_analyse(a, seen);
        seen = a->woken;
        pthread_mutex_unlock(&a->lock);
    }
    return NULL;
}

/* False with a logged reason. */
static bool start_thread(struct analyst *a, void *(*run)(void *), const char *name)
{
    int error = pthread_create(&a->threads[a->count], NULL, run, a);
    if (error != 0) {
        log_error("analyst", "cannot start a thread: %s", strerror(error));
        return false;
    }
    pthread_setname_np(a->threads[a->count++], name);
    return true;
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
    a->vision = (struct vision){.config = config, .stopping = &a->stopping};
    pthread_mutex_init(&a->lock, NULL);
    pthread_cond_init(&a->work, NULL);
    bool good = config->photo_dir == NULL || start_thread(a, sweeper_main, "sweeper");
    for (int i = 0; good && config->photo_dir != NULL && i < ANALYST_THREADS; i++)
        good = start_thread(a, analyst_main, "analyst");
    if (good)
        return a;
    analyst_stop(a);
    return NULL;
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
        pthread_join(a->threads[i], NULL);
    pthread_mutex_destroy(&a->lock);
    pthread_cond_destroy(&a->work);
    free(a);
}
