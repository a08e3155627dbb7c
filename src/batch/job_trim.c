/* trim-cache and trim-errors: what is kept of the response cache, of changes to texts that are
 * searched, and of failures is bounded. */
#include "kinds.h"

#include "common/json.h"

#include <stdio.h>
#include <stdlib.h>

#define ERRORS_A_STEP 10000

enum job_outcome job_trim_cache(struct job *j)
{
    static const struct pg_statement statement = {
        .name = "trim_cache", .sql = "select uplift_batch.trim_cache($1)", .params = 1};
    static const struct pg_statement trim_log = {
        .name = "trim_search_log", .sql = "select uplift_batch.trim_search_log()", .params = 0};
    char most[24];
    enum job_outcome outcome;
    snprintf(most, sizeof most, "%lld", (long long)j->config->cache_max_entries);
    if (!job_progress(j, 0, 1, "at most %s entries are to stay", most))
        return JOB_STOPPED;
    cJSON *came = job_ask(j, &statement, (const char *[]){most}, &outcome);
    if (came == NULL)
        return outcome;
    cJSON_Delete(j->result);
    j->result = came;
    cJSON *trimmed = job_ask(j, &trim_log, NULL, &outcome);
    if (trimmed == NULL)
        return outcome;
    cJSON_AddItemToObject(came, "search_log", trimmed); /* how many rows */
    job_progress(j, 1, 1, "%.0f entries", json_number(came, "entries", 0));
    return JOB_DONE;
}

enum job_outcome job_trim_errors(struct job *j)
{
    static const struct pg_statement statement = {
        .name = "trim_errors", .sql = "select uplift_batch.trim_errors($1)", .params = 1};
    char most[24];
    int64_t deleted = 0, failed;
    bool goes_on;
    snprintf(most, sizeof most, "%d", ERRORS_A_STEP);
    do {
        enum job_outcome outcome;
        /* Each step is a transaction, so that nobody waits for long. */
        cJSON *step = job_ask(j, &statement, (const char *[]){most}, &outcome);
        if (step == NULL)
            return outcome;
        deleted += (int64_t)json_number(step, "deleted", 0);
        failed = (int64_t)json_number(step, "failed", 0); /* the oldest, in each step the same */
        goes_on = json_bool(step, "goes_on", false);
        cJSON_Delete(step);
        if (!job_progress(j, deleted, 0, "%lld failures forgotten", (long long)deleted))
            return JOB_STOPPED;
    } while (goes_on);
    cJSON_AddNumberToObject(j->result, "deleted", (double)deleted);
    cJSON_AddNumberToObject(j->result, "failed", (double)failed);
    return JOB_DONE;
}
