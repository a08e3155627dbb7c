/* roll-up-usage: answers by the hour, for costs and figures. */
#include "kinds.h"

#include "../common/json.h"

#define HOURS_A_STEP "24"

enum job_outcome job_roll_up_usage(struct job *j)
{
    static const struct pg_statement statement = {
        .name = "roll_up_usage", .sql = "select uplift.roll_up_usage($1)", .params = 1};
    int64_t done = 0;
    for (;;) {
        enum job_outcome outcome;
        /* Each step is a transaction, and what is counted stays counted. */
        cJSON *step = job_ask(j, &statement, (const char *[]){HOURS_A_STEP}, &outcome);
        if (step == NULL)
            return outcome;
        int64_t hours = (int64_t)json_number(step, "hours", 0);
        int64_t left = (int64_t)json_number(step, "left", 0);
        cJSON_Delete(step);
        done += hours;
        if (!job_progress(j, done, done + left, "%lld hours counted", (long long)done))
            return JOB_STOPPED;
        if (left == 0 || hours == 0)
            break;
    }
    cJSON_AddNumberToObject(j->result, "hours", (double)done);
    return JOB_DONE;
}
