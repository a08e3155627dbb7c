/* roll-up-usage: answers by the hour and the day, for costs and figures; and what was spent in
 * periods that are over is forgotten. */
#include "kinds.h"

#include "common/json.h"

#include <stdlib.h>

#define HOURS_A_STEP "24"
#define ROWS_A_STEP 10000

/* Tells how far it is; false when the job is to stop. */
static bool tell(struct job *j, int64_t hours, int64_t days, int64_t left)
{
    return job_progress(j, hours + days, hours + days + left, "%lld hours and %lld days counted",
                        (long long)hours, (long long)days);
}

/* Forgets what was spent of budgets and rate limits in times that are over. False with *outcome. */
static bool trim_spent(struct job *j, int64_t hours, int64_t days, enum job_outcome *outcome)
{
    static const struct pg_statement statement = {
        .name = "trim_spent", .sql = "select uplift_batch.trim_spent($1)", .params = 1};
    char most[24];
    int64_t trimmed;
    snprintf(most, sizeof most, "%d", ROWS_A_STEP);
    do {
        PGresult *row;
        if (!job_query(j, &statement, (const char *[]){most}, &row, outcome))
            return false;
        trimmed = strtoll(PQgetvalue(row, 0, 0), NULL, 10);
        PQclear(row);
        if (!tell(j, hours, days, 0)) {
            *outcome = JOB_STOPPED;
            return false;
        }
    } while (trimmed == ROWS_A_STEP);
    return true;
}

enum job_outcome job_roll_up_usage(struct job *j)
{
    static const struct pg_statement statement = {
        .name = "roll_up_usage", .sql = "select uplift_batch.roll_up_usage($1)", .params = 1};
    int64_t hours = 0, days = 0, failed = 0;
    enum job_outcome outcome;
    for (;;) {
        /* Each step is a transaction, and what is counted stays counted. */
        cJSON *step = job_ask(j, &statement, (const char *[]){HOURS_A_STEP}, &outcome);
        if (step == NULL)
            return outcome;
        int64_t hours_now = (int64_t)json_number(step, "hours", 0);
        int64_t days_now = (int64_t)json_number(step, "days", 0);
        int64_t failed_now = (int64_t)json_number(step, "failed", 0);
        int64_t left = (int64_t)json_number(step, "left", 0);
        cJSON_Delete(step);
        hours += hours_now;
        days += days_now;
        failed += failed_now;
        if (!tell(j, hours, days, left))
            return JOB_STOPPED;
        if (left == 0 || hours_now + days_now + failed_now == 0)
            break;
    }
    if (!trim_spent(j, hours, days, &outcome))
        return outcome;
    cJSON_AddNumberToObject(j->result, "hours", (double)hours);
    cJSON_AddNumberToObject(j->result, "days", (double)days);
    cJSON_AddNumberToObject(j->result, "failed", (double)failed);
    return JOB_DONE;
}
