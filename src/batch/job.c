/* What a job says and keeps while it is done. */
#include "job.h"

#include "common/clock.h"
#include "common/json.h"
#include "common/log.h"
#include "common/utf8.h"
#include "runner_slot.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define AWAY_PAUSE_MS 500

bool job_progress(struct job *j, int64_t done, int64_t total, const char *format, ...)
{
    char message[JOB_MESSAGE_MAX];
    va_list args;
    va_start(args, format);
    utf8_vprint(message, sizeof message, format, args);
    va_end(args);
    struct runner_slot *slot = j->slot;
    runner_lock(slot);
    slot->done = done;
    slot->total = total;
    memcpy(slot->message, message, sizeof message);
    bool goes_on = runner_stop_reason(slot) == JOB_GOES_ON;
    runner_unlock(slot);
    return goes_on;
}

bool job_goes_on(struct job *j, int64_t ms)
{
    struct runner_slot *slot = j->slot;
    int64_t until = clock_ms() + ms;
    runner_lock(slot);
    enum job_stop stop;
    int64_t left;
    while ((stop = runner_stop_reason(slot)) == JOB_GOES_ON && (left = until - clock_ms()) > 0)
        runner_wait(slot, left);
    runner_unlock(slot);
    return stop == JOB_GOES_ON;
}

bool job_is_wanted(void *job)
{
    return job == NULL || job_goes_on(job, 0);
}

enum job_stop job_stop_reason(struct job *j)
{
    runner_lock(j->slot);
    enum job_stop stop = runner_stop_reason(j->slot);
    runner_unlock(j->slot);
    return stop;
}

/* Writes the state down. */
static enum pg_outcome save(struct job *j, bool *still_ours)
{
    static const struct pg_statement statement = {
        .name = "save_job", .sql = "select uplift_batch.save_job($1, $2, $3, $4)", .params = 4};
    char lease[24];
    PGresult *result = NULL;
    char *state = cJSON_PrintUnformatted(j->state);
    if (state == NULL)
        return PG_AWAY;
    snprintf(lease, sizeof lease, "%lld", (long long)j->slot->lease);
    enum pg_outcome outcome =
        pg_call(j->slot->control, &statement,
                (const char *[]){j->id, lease, state, *j->host != '\0' ? j->host : NULL}, &result);
    if (outcome == PG_DONE)
        *still_ours = *PQgetvalue(result, 0, 0) == 't';
    PQclear(result);
    cJSON_free(state);
    return outcome;
}

bool job_save(struct job *j)
{
    bool still_ours = false;
    enum pg_outcome outcome;
    /* Nothing else may be begun before this is kept. */
    while ((outcome = save(j, &still_ours)) == PG_AWAY ||
           (outcome == PG_REFUSED && pg_refused_for_now(j->slot->control)))
        if (!job_goes_on(j, AWAY_PAUSE_MS))
            return false;
    if (outcome == PG_REFUSED)
        log_error(j->id, "could not keep the state: %s", pg_message_to_log(j->slot->control));
    if (outcome == PG_DONE && still_ours)
        return job_goes_on(j, 0);
    runner_lock(j->slot);
    j->slot->stop = JOB_LOST;
    runner_unlock(j->slot);
    return false;
}

bool job_query(struct job *j, const struct pg_statement *statement, const char *const *values,
               PGresult **result, enum job_outcome *outcome)
{
    struct api_error error;
    enum pg_outcome how = pg_call(j->pg, statement, values, result);
    if (how == PG_DONE)
        return true;
    if (how == PG_AWAY) {
        *outcome = job_retry(j, "database_unavailable", "the database did not answer (%s)",
                             statement->name);
        return false;
    }
    PGresult *refusal = pg_take_refusal(j->pg);
    pg_api_error(refusal, statement->name, &error);
    PQclear(refusal);
    if (error.status ==
        500) { /* clients are told nothing of the inside; who reads this is an admin */
        *outcome = job_fail(j, "database_error", "%s: %s %s", statement->name, pg_sqlstate(j->pg),
                            pg_message_to_log(j->pg));
        return false;
    }
    /* A deadlock, a lock held by somebody, a server that shuts down: all of it passes. */
    *outcome = error.status == 503 ? job_retry(j, error.code, "%s", error.message)
                                   : job_fail(j, error.code, "%s", error.message);
    return false;
}

cJSON *job_ask(struct job *j, const struct pg_statement *statement, const char *const *values,
               enum job_outcome *outcome)
{
    PGresult *row;
    struct json_error wrong;
    if (!job_query(j, statement, values, &row, outcome))
        return NULL;
    cJSON *value = json_parse(PQgetvalue(row, 0, 0), (size_t)PQgetlength(row, 0, 0), &wrong);
    PQclear(row);
    if (value == NULL)
        *outcome = job_fail(j, "database_error", "%s: %s", statement->name, wrong.message);
    return value;
}

static void keep_error(struct job *j, const char *code, const char *format, va_list args)
    __attribute__((format(printf, 3, 0)));

static void keep_error(struct job *j, const char *code, const char *format, va_list args)
{
    utf8_copy(j->error.code, sizeof j->error.code, code);
    utf8_vprint(j->error.message, sizeof j->error.message, format, args);
}

enum job_outcome job_fail(struct job *j, const char *code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    keep_error(j, code, format, args);
    va_end(args);
    return JOB_FAILED;
}

enum job_outcome job_retry(struct job *j, const char *code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    keep_error(j, code, format, args);
    va_end(args);
    return JOB_RETRY;
}

enum job_outcome job_later(struct job *j, int64_t ms)
{
    j->delay_ms = ms;
    return JOB_LATER;
}

void job_log(struct job *j, const char *format, ...)
{
    static const struct pg_statement statement = {
        .name = "log_job", .sql = "select uplift_batch.log_job($1, $2)", .params = 2};
    char message[1024];
    va_list args;
    va_start(args, format);
    utf8_vprint(message, sizeof message, format, args);
    va_end(args);
    PGresult *result = NULL;
    if (pg_call(j->slot->control, &statement, (const char *[]){j->id, message}, &result) == PG_DONE)
        PQclear(result);
    else
        log_warn(j->id, "%s", message);
}
