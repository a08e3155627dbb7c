/*
 * A batch job as the code that does it sees it: what was asked for, what it kept the last time, and
 * how it tells how far it is.
 *
 * A job is done by one runner thread at a time. Its runner may die at any moment: another one then
 * calls the same function again, with the state that was kept last. So a job does its work in steps
 * that either can be repeated or are kept (job_save) before the next one begins.
 */
#ifndef UPLIFT_BATCH_JOB_H
#define UPLIFT_BATCH_JOB_H

#include "common/config.h"
#include "common/error.h"
#include "common/pg.h"
#include "common/uuid.h"

#include <cjson/cJSON.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define JOB_MESSAGE_MAX 240

/* How a turn of a job ended. */
enum job_outcome {
    JOB_DONE,    /* result says what came of it */
    JOB_FAILED,  /* for good: job_fail */
    JOB_RETRY,   /* again after a pause, while attempts last: job_retry */
    JOB_LATER,   /* still running, but waits for something outside: job_later */
    JOB_STOPPED, /* it was told to stop */
};

enum job_stop {
    JOB_GOES_ON,
    JOB_CANCELLED, /* an admin does not want it any more */
    JOB_TIMED_OUT, /* its time limit has passed */
    JOB_LOST,      /* its lease ran out: another runner has it */
    JOB_SHUTDOWN,  /* this program ends; another runner will go on */
};

struct job {
    char id[UUID_TEXT + 1];
    const char *name;
    const cJSON *arguments; /* an object, checked against the kind's list */
    cJSON *state;           /* an object: what job_save kept; {} at first */
    cJSON *result;          /* an object, {} at first: what came of it */
    int attempt;            /* from 1; waiting is no new one */
    const struct config *config;
    struct pg *pg; /* for this job alone; a statement may take batch_statement_timeout_ms */

    /* The runner's. */
    struct runner_slot *slot;
    struct api_error error; /* of job_fail and job_retry */
    int64_t delay_ms;       /* of job_later, and the least of a job_retry */
    char host[65];          /* the only host that may go on with it; "": any */
};

/*
 * Says how far the job is: done of total (0: not known yet), and a few words. False: stop now, put
 * away what must be, and return JOB_STOPPED. Cheap: it is written down by the next heartbeat.
 */
bool job_progress(struct job *j, int64_t done, int64_t total, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* Waits so many ms, or until it must stop; 0 only looks. False: stop. */
bool job_goes_on(struct job *j, int64_t ms);
/* Whether a call that the job makes is to go on (http.h); job is one, or NULL for none that could
 * be stopped. */
bool job_is_wanted(void *job);
/* Why it must stop. */
enum job_stop job_stop_reason(struct job *j);
/* Keeps j->state (and j->host), durably, unless the job was lost meanwhile. False: stop. Waits for
 * Postgres while it is away. */
bool job_save(struct job *j);
/*
 * Runs a statement on j->pg. False with what to return in *outcome: JOB_RETRY when Postgres is
 * away, JOB_FAILED with the error of the function when it refused.
 */
bool job_query(struct job *j, const struct pg_statement *statement, const char *const *values,
               PGresult **result, enum job_outcome *outcome);
/* The same for a statement of one JSON value, which is the caller's; NULL with *outcome. */
cJSON *job_ask(struct job *j, const struct pg_statement *statement, const char *const *values,
               enum job_outcome *outcome);
/* Ends the turn: an admin reads code and message. */
enum job_outcome job_fail(struct job *j, const char *code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The same, but worth another try. */
enum job_outcome job_retry(struct job *j, const char *code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Ends the turn, to be called again after so many ms: the runner is free meanwhile, and the job
 * still shows as running. Keep the state first. */
enum job_outcome job_later(struct job *j, int64_t ms);
/* Adds a line to the job's history. */
void job_log(struct job *j, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
