/* count-knowledge-use: how often sources of knowledge were offered, and the thumbs for and against
 * them. */
#include "kinds.h"

#include "common/json.h"

#include <stdio.h>

#define NOTES_A_STEP 10000

enum job_outcome job_count_knowledge_use(struct job *j)
{
    static const struct pg_statement statement = {.name = "count_knowledge_use",
                                                  .sql =
                                                      "select uplift_batch.count_knowledge_use($1)",
                                                  .params = 1};
    char most[24];
    int64_t changes = 0, failed;
    bool goes_on;
    snprintf(most, sizeof most, "%d", NOTES_A_STEP);
    do {
        enum job_outcome outcome;
        /* Each step is a transaction, and what is counted stays counted. */
        cJSON *step = job_ask(j, &statement, (const char *[]){most}, &outcome);
        if (step == NULL)
            return outcome;
        changes += (int64_t)json_number(step, "changes", 0);
        failed = (int64_t)json_number(step, "failed", 0); /* the same in each step */
        goes_on = json_bool(step, "goes_on", false);
        cJSON_Delete(step);
        if (!job_progress(j, changes, 0, "%lld changes counted", (long long)changes))
            return JOB_STOPPED;
    } while (goes_on);
    cJSON_AddNumberToObject(j->result, "changes", (double)changes);
    cJSON_AddNumberToObject(j->result, "failed", (double)failed);
    return JOB_DONE;
}
