/* Runners: claim, do, end; and the heartbeat. */
#include "runner.h"

#include "common/clock.h"
#include "common/json.h"
#include "common/log.h"
#include "kinds.h"
#include "runner_slot.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BEAT_MAX_MS 1000 /* so soon a job hears that it was cancelled */
#define AWAY_PAUSE_MS 500
#define BEATS_BYTES ((size_t)1 << 20)
#define NUMBER_TEXT 24

struct runners {
    const struct config *config;
    char *only_id; /* or NULL */
    char host[65];
    char name[96];     /* host:process */
    char *kinds_array; /* names of all kinds, as Postgres writes an array */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool stopping;
    int64_t wakes; /* how often somebody said that there is work */
    pthread_t beat_thread;
    bool beats;
    struct pg *beat_pg;
    size_t count;
    size_t ended; /* threads that have */
    struct runner_slot slots[];
};

void runner_lock(struct runner_slot *slot)
{
    pthread_mutex_lock(&slot->runners->lock);
}

void runner_unlock(struct runner_slot *slot)
{
    pthread_mutex_unlock(&slot->runners->lock);
}

/* Waits on changed for at most ms. Holds the lock. */
static void wait_for_change(struct runners *r, int64_t ms)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    int64_t ns = t.tv_nsec + ms % 1000 * 1000000;
    t.tv_sec += ms / 1000 + ns / 1000000000;
    t.tv_nsec = ns % 1000000000;
    pthread_cond_timedwait(&r->changed, &r->lock, &t);
}

void runner_wait(struct runner_slot *slot, int64_t ms)
{
    wait_for_change(slot->runners, ms);
}

enum job_stop runner_stop_reason(struct runner_slot *slot)
{
    int64_t now = clock_ms();
    if (slot->stop != JOB_GOES_ON)
        return slot->stop;
    if (now >= slot->kept_until_ms)
        slot->stop = JOB_LOST;
    else if (slot->runners->stopping)
        slot->stop = JOB_SHUTDOWN;
    else if (now >= slot->deadline_ms)
        slot->stop = JOB_TIMED_OUT;
    return slot->stop;
}

/* --- heartbeat --- */

/* What all busy slots have to say; false when none is busy. Holds the lock. */
static bool write_beats(struct runners *r, struct buf *out)
{
    size_t before;
    buf_puts(out, "[");
    before = out->len;
    for (size_t i = 0; i < r->count; i++) {
        struct runner_slot *s = &r->slots[i];
        if (!s->is_busy || s->stop == JOB_LOST)
            continue;
        buf_printf(out, "%s{\"id\":\"%s\",\"lease\":%lld,\"done\":%lld,\"total\":%lld,\"message\":",
                   out->len > before ? "," : "", s->id, (long long)s->lease, (long long)s->done,
                   (long long)s->total);
        buf_json_string(out, s->message, strlen(s->message));
        buf_puts(out, "}");
    }
    bool any = out->len > before;
    buf_puts(out, "]");
    return any && !out->failed;
}

/* The row of a job in the answer to a heartbeat, or -1. */
static int row_of(const PGresult *result, const char *id)
{
    for (int i = 0; i < PQntuples(result); i++)
        if (strcmp(PQgetvalue(result, i, 0), id) == 0)
            return i;
    return -1;
}

/* Only of jobs that were busy with that lease when the heartbeat was sent can it tell anything. */
static void hear(struct runners *r, const PGresult *result, const int64_t *leases, int64_t sent_ms)
{
    for (size_t i = 0; i < r->count; i++) {
        struct runner_slot *s = &r->slots[i];
        if (!s->is_busy || s->lease != leases[i])
            continue;
        int row = row_of(result, s->id);
        if (row < 0)
            s->stop = JOB_LOST;
        else if (*PQgetvalue(result, row, 1) == 't' && s->stop == JOB_GOES_ON)
            s->stop = JOB_CANCELLED;
        if (row >= 0)
            s->kept_until_ms = sent_ms + r->config->batch_lease_ms;
    }
    pthread_cond_broadcast(&r->changed);
}

static void beat(struct runners *r)
{
    static const struct pg_statement statement = {
        .name = "beat_jobs", .sql = "select * from uplift_batch.beat_jobs($1, $2)", .params = 2};
    struct buf beats;
    char lease_ms[NUMBER_TEXT];
    int64_t *leases = calloc(r->count + 1, sizeof *leases);
    PGresult *result = NULL;
    buf_init(&beats, BEATS_BYTES);
    snprintf(lease_ms, sizeof lease_ms, "%lld", (long long)r->config->batch_lease_ms);
    if (leases == NULL)
        return;
    pthread_mutex_lock(&r->lock);
    bool any = write_beats(r, &beats);
    for (size_t i = 0; i < r->count; i++)
        leases[i] = r->slots[i].is_busy ? r->slots[i].lease : -1;
    pthread_mutex_unlock(&r->lock);
    int64_t sent_ms = clock_ms();
    if (any) {
        enum pg_outcome outcome =
            pg_call(r->beat_pg, &statement, (const char *[]){beats.data, lease_ms}, &result);
        if (outcome == PG_DONE) {
            pthread_mutex_lock(&r->lock);
            hear(r, result, leases, sent_ms);
            pthread_mutex_unlock(&r->lock);
        } else {
            log_warn("runner", "heartbeat: %s",
                     outcome == PG_AWAY ? "Postgres is away" : pg_message_to_log(r->beat_pg));
        }
        PQclear(result);
    }
    buf_release(&beats);
    free(leases);
}

/* Goes on until all runners have ended, so that a job which takes long to stop is not lost. */
static void *beat_main(void *arg)
{
    struct runners *r = arg;
    int64_t interval = r->config->batch_lease_ms / 4;
    if (interval > BEAT_MAX_MS)
        interval = BEAT_MAX_MS;
    pthread_mutex_lock(&r->lock);
    while (r->ended < r->count) {
        pthread_mutex_unlock(&r->lock);
        beat(r);
        pthread_mutex_lock(&r->lock);
        int64_t until = clock_ms() + interval, left;
        while (r->ended < r->count && (left = until - clock_ms()) > 0)
            wait_for_change(r, left);
    }
    pthread_mutex_unlock(&r->lock);
    return NULL;
}

/* --- one job --- */

enum {
    C_ID,
    C_NAME,
    C_ARGUMENTS,
    C_STATE,
    C_ATTEMPT,
    C_LEASE,
    C_LEFT_MS,
    C_DONE,
    C_TOTAL,
    C_CANCELLED
};

static cJSON *parsed(const PGresult *result, int column)
{
    struct json_error error;
    return json_parse(PQgetvalue(result, 0, column), (size_t)PQgetlength(result, 0, column),
                      &error);
}

/* Takes a claimed row for the slot. */
static void occupy(struct runner_slot *s, const PGresult *row, int64_t claimed_ms)
{
    const struct config *config = s->runners->config;
    runner_lock(s);
    snprintf(s->id, sizeof s->id, "%s", PQgetvalue(row, 0, C_ID));
    s->lease = strtoll(PQgetvalue(row, 0, C_LEASE), NULL, 10);
    s->kept_until_ms = claimed_ms + config->batch_lease_ms;
    s->deadline_ms = clock_ms() + strtoll(PQgetvalue(row, 0, C_LEFT_MS), NULL, 10);
    s->done = strtoll(PQgetvalue(row, 0, C_DONE), NULL, 10);
    s->total = strtoll(PQgetvalue(row, 0, C_TOTAL), NULL, 10);
    s->message[0] = '\0';
    s->stop = *PQgetvalue(row, 0, C_CANCELLED) == 't' ? JOB_CANCELLED : JOB_GOES_ON;
    s->is_busy = true;
    runner_unlock(s);
}

static void vacate(struct runner_slot *s)
{
    runner_lock(s);
    s->is_busy = false;
    runner_unlock(s);
}

static const char *const outcome_names[] = {
    [JOB_DONE] = "succeeded", [JOB_FAILED] = "failed",   [JOB_RETRY] = "retry",
    [JOB_LATER] = "later",    [JOB_STOPPED] = "stopped",
};

/* {"code", "message"} of a job that did not go well, else its result. The caller's to free. */
static char *detail_text(const struct job *j, enum job_outcome outcome)
{
    if (outcome == JOB_DONE)
        return cJSON_PrintUnformatted(j->result);
    cJSON *error = cJSON_CreateObject();
    cJSON_AddStringToObject(error, "code", j->error.code);
    cJSON_AddStringToObject(error, "message", j->error.message);
    char *text = cJSON_PrintUnformatted(error);
    cJSON_Delete(error);
    return text;
}

/* One try to write down how the turn ended. True when that needs no other one. */
static bool try_to_end(struct job *j, enum job_outcome outcome, const char *const *values)
{
    static const struct pg_statement statement = {
        .name = "end_job",
        .sql = "select uplift_batch.end_job($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        .params = 9};
    PGresult *result = NULL;
    enum pg_outcome how = pg_call(j->slot->control, &statement, values, &result);
    if (how == PG_DONE) {
        const char *became = PQgetisnull(result, 0, 0) ? "lost" : PQgetvalue(result, 0, 0);
        if (outcome == JOB_FAILED || outcome == JOB_RETRY)
            log_warn(j->id, "%s: %s: %s: %s", j->name, became, j->error.code, j->error.message);
        else
            log_info(j->id, "%s: %s", j->name, became);
        PQclear(result);
    } else if (how == PG_REFUSED) {
        log_error(j->id, "%s: could not be ended: %s", j->name,
                  pg_message_to_log(j->slot->control));
    }
    return how != PG_AWAY && !(how == PG_REFUSED && pg_refused_for_now(j->slot->control));
}

/* Tries for as long as the job is ours. */
static void end_turn(struct job *j, enum job_outcome outcome)
{
    struct runner_slot *s = j->slot;
    char lease[NUMBER_TEXT], done[NUMBER_TEXT], total[NUMBER_TEXT], delay[NUMBER_TEXT];
    char message[JOB_MESSAGE_MAX];
    char *detail = detail_text(j, outcome);
    char *state = cJSON_PrintUnformatted(j->state);
    runner_lock(s);
    snprintf(lease, sizeof lease, "%lld", (long long)s->lease);
    snprintf(done, sizeof done, "%lld", (long long)s->done);
    snprintf(total, sizeof total, "%lld", (long long)s->total);
    memcpy(message, s->message, sizeof message);
    runner_unlock(s);
    snprintf(delay, sizeof delay, "%lld", (long long)j->delay_ms);
    const char *values[] = {j->id,
                            lease,
                            outcome_names[outcome],
                            detail,
                            state,
                            done,
                            total,
                            *message != '\0' ? message : NULL,
                            delay};
    while (!try_to_end(j, outcome, values)) {
        runner_lock(s);
        bool lost = clock_ms() >= s->kept_until_ms;
        if (!lost)
            runner_wait(s, AWAY_PAUSE_MS);
        runner_unlock(s);
        if (lost) {
            log_warn(j->id, "%s: Postgres is away: another runner will go on with it", j->name);
            break;
        }
    }
    cJSON_free(detail);
    cJSON_free(state);
}

static void do_job(struct runner_slot *s, const PGresult *row)
{
    struct runners *r = s->runners;
    const struct job_kind *kind = job_kind_find(PQgetvalue(row, 0, C_NAME));
    cJSON *arguments = parsed(row, C_ARGUMENTS);
    struct job j = {
        .name = kind->name, /* only kinds that we know are claimed */
        .arguments = arguments,
        .state = parsed(row, C_STATE),
        .result = cJSON_CreateObject(),
        .attempt = (int)strtol(PQgetvalue(row, 0, C_ATTEMPT), NULL, 10),
        .config = r->config,
        .slot = s,
    };
    enum job_outcome outcome;
    snprintf(j.id, sizeof j.id, "%s", s->id);
    j.pg = pg_new(config_batch_database(r->config), "uplift job",
                  r->config->batch_statement_timeout_ms, 0);
    if (j.pg == NULL || arguments == NULL || j.state == NULL || j.result == NULL)
        outcome = job_retry(&j, "out_of_memory", "the runner is out of memory");
    else if (!job_kind_check(kind, arguments, &j.error))
        outcome = JOB_FAILED; /* a schedule's arguments, which nobody checked before */
    else
        outcome = kind->run(&j);
    if (outcome == JOB_STOPPED && job_stop_reason(&j) == JOB_TIMED_OUT)
        outcome = job_fail(&j, "time_limit", "it took longer than its time limit allows");
    end_turn(&j, outcome);
    vacate(s);
    pg_free(j.pg);
    cJSON_Delete(arguments);
    cJSON_Delete(j.state);
    cJSON_Delete(j.result);
}

/* Takes a job if one is due. False when there was none. */
static bool claim_and_do(struct runner_slot *s)
{
    static const struct pg_statement statement = {
        .name = "claim_job",
        .sql = "select * from uplift_batch.claim_job($1, $2, $3::text[], $4, $5)",
        .params = 5};
    struct runners *r = s->runners;
    char lease_ms[NUMBER_TEXT];
    PGresult *result = NULL;
    snprintf(lease_ms, sizeof lease_ms, "%lld", (long long)r->config->batch_lease_ms);
    int64_t claimed_ms = clock_ms();
    enum pg_outcome outcome =
        pg_call(s->control, &statement,
                (const char *[]){r->name, r->host, r->kinds_array, lease_ms, r->only_id}, &result);
    bool found = outcome == PG_DONE && PQntuples(result) == 1;
    if (found) {
        occupy(s, result, claimed_ms);
        do_job(s, result);
    } else if (outcome == PG_REFUSED) {
        log_error("runner", "could not claim a job: %s", pg_message_to_log(s->control));
    }
    PQclear(result);
    return found;
}

static void *runner_main(void *arg)
{
    struct runner_slot *s = arg;
    struct runners *r = s->runners;
    pthread_mutex_lock(&r->lock);
    while (!r->stopping) {
        int64_t wakes = r->wakes;
        pthread_mutex_unlock(&r->lock);
        bool found = claim_and_do(s);
        pthread_mutex_lock(&r->lock);
        int64_t until = clock_ms() + r->config->batch_poll_ms, left;
        while (!found && !r->stopping && r->wakes == wakes && (left = until - clock_ms()) > 0)
            wait_for_change(r, left);
    }
    r->ended++;
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->lock);
    return NULL;
}

/* --- all of them --- */

static char *make_kinds_array(void)
{
    struct buf out;
    buf_init(&out, 4096);
    buf_puts(&out, "{");
    for (const struct job_kind *k = job_kinds; k->name != NULL; k++)
        buf_printf(&out, "%s%s", k == job_kinds ? "" : ",", k->name);
    buf_puts(&out, "}");
    return buf_steal(&out);
}

static void free_runners(struct runners *r)
{
    for (size_t i = 0; i < r->count; i++)
        pg_free(r->slots[i].control);
    pg_free(r->beat_pg);
    pthread_cond_destroy(&r->changed);
    pthread_mutex_destroy(&r->lock);
    free(r->kinds_array);
    free(r->only_id);
    free(r);
}

struct runners *runners_start(const struct config *config, size_t count, const char *only_id)
{
    struct runners *r = calloc(1, sizeof *r + count * sizeof r->slots[0]);
    if (r == NULL)
        return NULL;
    const char *database = config_batch_database(config);
    pthread_condattr_t monotonic;
    r->config = config;
    r->count = count;
    pthread_mutex_init(&r->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&r->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    if (gethostname(r->host, sizeof r->host - 1) != 0)
        snprintf(r->host, sizeof r->host, "unknown");
    snprintf(r->name, sizeof r->name, "%s:%ld", r->host, (long)getpid());
    r->kinds_array = make_kinds_array();
    r->beat_pg = pg_new(database, "uplift heartbeat", config->db_timeout_ms, 0);
    r->only_id = only_id != NULL ? strdup(only_id) : NULL;
    bool good =
        r->kinds_array != NULL && r->beat_pg != NULL && (only_id == NULL || r->only_id != NULL);
    for (size_t i = 0; i < count; i++) {
        struct runner_slot *s = &r->slots[i];
        s->runners = r;
        s->control = pg_new(database, "uplift runner", config->db_timeout_ms, 0);
        good = good && s->control != NULL;
    }
    for (size_t i = 0; i < count; i++) {
        struct runner_slot *s = &r->slots[i];
        s->running = good && pthread_create(&s->thread, NULL, runner_main, s) == 0;
        if (!s->running)
            r->ended++;
        good = s->running;
    }
    if (good)
        good = r->beats = pthread_create(&r->beat_thread, NULL, beat_main, r) == 0;
    if (!good) {
        log_error("runner", "cannot start: %s", strerror(errno));
        runners_stop(r, 0);
        return NULL;
    }
    return r;
}

void runners_wake(struct runners *r)
{
    pthread_mutex_lock(&r->lock);
    r->wakes++;
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->lock);
}

size_t runners_busy(struct runners *r)
{
    size_t busy = 0;
    pthread_mutex_lock(&r->lock);
    for (size_t i = 0; i < r->count; i++)
        busy += r->slots[i].is_busy;
    pthread_mutex_unlock(&r->lock);
    return busy;
}

bool runners_stop(struct runners *r, int64_t wait_ms)
{
    int64_t until = clock_ms() + wait_ms, left;
    pthread_mutex_lock(&r->lock);
    r->stopping = true;
    pthread_cond_broadcast(&r->changed);
    while (r->ended < r->count && (left = until - clock_ms()) > 0)
        wait_for_change(r, left);
    bool all_ended = r->ended == r->count;
    pthread_mutex_unlock(&r->lock);
    if (!all_ended)
        return false; /* their threads still use it all */
    for (size_t i = 0; i < r->count; i++)
        if (r->slots[i].running)
            pthread_join(r->slots[i].thread, NULL);
    if (r->beats)
        pthread_join(r->beat_thread, NULL);
    free_runners(r);
    return true;
}
