/* measure-context: what memories, passages, knowledge and examples do to ratings. */
#include "kinds.h"
#include "steps.h"

#include "common/json.h"

#include <stdio.h>

#define DAYS_DEFAULT 90
#define LEAST_DEFAULT 30
#define LEAST_MIN 20 /* nothing is decided on a handful */

const struct job_argument measure_context_arguments[] = {
    {"days", ARG_INTEGER, false, NULL, "of how many days, 1 to 3650 (90)"},
    {"min_thumbs", ARG_INTEGER, false, NULL,
     "thumbs with and without a thing that it takes to judge it, 20 to 100000 (30)"},
    {NULL, ARG_TEXT, false, NULL, NULL},
};

enum job_outcome job_measure_context(struct job *j)
{
    static const struct pg_statement statement = {.name = "measure_context",
                                                  .sql =
                                                      "select uplift_batch.measure_context($1,$2)",
                                                  .params = 2};
    char days[STEP_NUMBER], least[STEP_NUMBER];
    enum job_outcome outcome;
    double thumbs = json_number(j->arguments, "min_thumbs", LEAST_DEFAULT);
    if (!step_days(j, DAYS_DEFAULT, days, &outcome))
        return outcome;
    if (thumbs < LEAST_MIN || thumbs > 100000)
        return job_fail(j, "invalid_argument", "min_thumbs must be from 20 to 100000");
    snprintf(least, sizeof least, "%.0f", thumbs);
    cJSON *found = job_ask(j, &statement, (const char *[]){days, least}, &outcome);
    if (found == NULL)
        return outcome;
    cJSON_AddNumberToObject(j->result, "measured", json_number(found, "measured", 0));
    cJSON_AddNumberToObject(j->result, "demoted", json_number(found, "demoted", 0));
    cJSON_Delete(found);
    return JOB_DONE;
}
