/* enforce-retention: deletes what is kept for some days only and is older, in small steps. */
#include "kinds.h"

#include "common/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROWS_A_STEP "1000"
#define PAUSE_MS 20 /* between steps, for whoever chats */

/* All steps of one name; JOB_DONE to go on. *deleted and *failed count rows of all names. */
static enum job_outcome enforce(struct job *j, const char *name, int64_t *deleted, int64_t *failed)
{
    static const struct pg_statement statement = {
        .name = "retain", .sql = "select uplift_batch.retain($1, $2, $3)", .params = 3};
    char after[64] = "";
    int64_t of_these = 0, left = 0;
    do {
        enum job_outcome outcome;
        const char *values[] = {name, *after != '\0' ? after : NULL, ROWS_A_STEP};
        cJSON *step = job_ask(j, &statement, values, &outcome);
        if (step == NULL)
            return outcome;
        const char *next = json_string(step, "next"), *why = json_string(step, "why");
        of_these += (int64_t)json_number(step, "deleted", 0);
        left += (int64_t)json_number(step, "failed", 0);
        if (why != NULL)
            job_log(j, "%s that could not be deleted: %s", name, why);
        snprintf(after, sizeof after, "%s", next != NULL ? next : "");
        cJSON_Delete(step);
        if (!job_progress(j, *deleted + of_these, 0, "%lld of %s deleted", (long long)of_these,
                          name) ||
            !job_goes_on(j, PAUSE_MS))
            return JOB_STOPPED;
    } while (*after != '\0');
    *deleted += of_these;
    *failed += left;
    cJSON_AddNumberToObject(j->result, name, (double)of_these);
    return JOB_DONE;
}

enum job_outcome job_enforce_retention(struct job *j)
{
    static const struct pg_statement statement = {
        .name = "retention", .sql = "select uplift_batch.retention()", .params = 0};
    enum job_outcome outcome = JOB_DONE;
    cJSON *names = job_ask(j, &statement, NULL, &outcome), *name;
    int64_t deleted = 0, failed = 0;
    if (names == NULL)
        return outcome;
    cJSON_ArrayForEach (name, names) {
        if (cJSON_IsString(name))
            outcome = enforce(j, name->valuestring, &deleted, &failed);
        if (outcome != JOB_DONE)
            break;
    }
    cJSON_Delete(names);
    if (outcome != JOB_DONE)
        return outcome;
    cJSON_AddNumberToObject(j->result, "failed", (double)failed);
    job_progress(j, deleted, deleted, "%lld rows deleted", (long long)deleted);
    return JOB_DONE;
}
