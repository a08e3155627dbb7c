/* autopilot: takes one step after another, each a call of one SQL function that decides by itself,
 * so there is nothing to keep: whoever takes over asks anew. */
#include "kinds.h"
#include "steps.h"

#include "common/json.h"

#include <string.h>

#define STEPS_MAX 50 /* of one run; the next one goes on */

const struct job_argument autopilot_arguments[] = {
    {"dry_run", ARG_BOOL, false, NULL,
     "Only decides, and keeps the decisions as those of a dry run; also while autopilot is off."},
    {NULL, ARG_TEXT, false, NULL, NULL},
};

static bool is_refusal(const char *decision)
{
    return strcmp(decision, "refused") == 0 || strcmp(decision, "held") == 0;
}

static void tell(struct job *j, const cJSON *decisions)
{
    const cJSON *decision;
    cJSON_ArrayForEach (decision, decisions) {
        const char *what = json_string(decision, "decision");
        const char *name = json_string(decision, "name");
        const char *reason = json_string(decision, "reason");
        if (what == NULL)
            continue;
        step_count(j->state, is_refusal(what) ? "refused" : "done", 1);
        job_log(j, "%.100s: %.40s: %.500s", name != NULL ? name : "", what,
                reason != NULL ? reason : "");
    }
}

enum job_outcome job_autopilot(struct job *j)
{
    static const struct pg_statement take_step = {
        .name = "autopilot_step", .sql = "select uplift_batch.autopilot_step($1)", .params = 1};
    static const char *const counts[] = {"done", "refused"};
    const char *dry_run =
        cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(j->arguments, "dry_run")) ? "true" : "false";
    enum job_outcome outcome;
    bool goes_on = true, is_enabled = false;
    for (int i = 0; goes_on && i < STEPS_MAX; i++) {
        if (!job_progress(j, i, 0, "%.0f done", json_number(j->state, "done", 0)))
            return JOB_STOPPED;
        cJSON *step = job_ask(j, &take_step, (const char *[]){dry_run}, &outcome);
        if (step == NULL)
            return outcome;
        goes_on = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(step, "goes_on"));
        is_enabled = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(step, "enabled"));
        tell(j, cJSON_GetObjectItemCaseSensitive(step, "decisions"));
        cJSON_Delete(step);
        if (!job_save(j))
            return JOB_STOPPED;
    }
    step_results(j, counts, sizeof counts / sizeof counts[0]);
    cJSON_AddBoolToObject(j->result, "enabled", is_enabled);
    return JOB_DONE;
}
