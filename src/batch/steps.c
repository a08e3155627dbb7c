#include "steps.h"

#include "common/json.h"

#include <stdio.h>
#include <string.h>

bool step_days(struct job *j, double fallback, char text[STEP_NUMBER], enum job_outcome *outcome)
{
    double days = json_number(j->arguments, "days", fallback);
    if (days < 1 || days > 3650) {
        *outcome = job_fail(j, "invalid_argument", "days must be from 1 to 3650");
        return false;
    }
    snprintf(text, STEP_NUMBER, "%.0f", days);
    return true;
}

void step_count(cJSON *object, const char *name, double more)
{
    double sum = json_number(object, name, 0) + more;
    cJSON_DeleteItemFromObjectCaseSensitive(object, name);
    cJSON_AddNumberToObject(object, name, sum);
}

void step_take_after(struct job *j, cJSON *step)
{
    cJSON_DeleteItemFromObjectCaseSensitive(j->state, "after");
    cJSON_AddItemToObject(j->state, "after",
                          cJSON_DetachItemFromObjectCaseSensitive(step, "after"));
}

void step_results(struct job *j, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        step_count(j->result, names[i], json_number(j->state, names[i], 0));
}

/* What a step returned goes into the state. */
static void take_step(struct job *j, cJSON *step)
{
    const cJSON *item;
    cJSON_ArrayForEach (item, step) {
        if (cJSON_IsNumber(item) && strcmp(item->string, "after") != 0)
            step_count(j->state, item->string, item->valuedouble);
    }
    step_take_after(j, step);
}

enum job_outcome job_by_steps(struct job *j, const struct pg_statement *statement,
                              const char **values, size_t after_at, const char *looked_at,
                              const char *made)
{
    bool goes_on;
    const cJSON *item;
    do {
        enum job_outcome outcome;
        values[after_at] = json_string(j->state, "after");
        cJSON *step = job_ask(j, statement, values, &outcome);
        if (step == NULL)
            return outcome;
        goes_on = json_bool(step, "goes_on", false);
        take_step(j, step);
        cJSON_Delete(step);
        if (!job_save(j) || !job_progress(j, (int64_t)json_number(j->state, looked_at, 0), 0,
                                          "%.0f %s", json_number(j->state, made, 0), made))
            return JOB_STOPPED;
    } while (goes_on);
    cJSON_ArrayForEach (item, j->state) {
        if (cJSON_IsNumber(item) && strcmp(item->string, "after") != 0)
            step_count(j->result, item->string, item->valuedouble);
    }
    return JOB_DONE;
}
