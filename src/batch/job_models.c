/* check-models: when base models in use are shut down; refresh-model-metrics: how versions do. */
#include "base_model.h"
#include "kinds.h"

#include "common/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define METRIC_DAYS 7

const struct job_argument refresh_model_metrics_arguments[] = {
    {"days", ARG_INTEGER, false, NULL, "How many days the figures are of, 1 to 90; 7 unless said."},
    {NULL, ARG_TEXT, false, NULL, NULL},
};

enum job_outcome job_refresh_model_metrics(struct job *j)
{
    static const struct pg_statement statement = {
        .name = "refresh_model_metrics",
        .sql = "select uplift_batch.refresh_model_metrics($1)",
        .params = 1};
    char days[24];
    enum job_outcome outcome;
    double asked = json_number(j->arguments, "days", METRIC_DAYS);
    if (asked < 1 || asked > 90)
        return job_fail(j, "invalid_argument", "days must be 1 to 90");
    snprintf(days, sizeof days, "%.0f", asked);
    if (!job_progress(j, 0, 1, "working out %s days", days))
        return JOB_STOPPED;
    cJSON *came = job_ask(j, &statement, (const char *[]){days}, &outcome);
    if (came == NULL)
        return outcome;
    cJSON_Delete(j->result);
    j->result = came;
    job_progress(j, 1, 1, "done");
    return JOB_DONE;
}

enum job_outcome job_check_models(struct job *j)
{
    static const struct pg_statement to_check = {
        .name = "models_to_check", .sql = "select uplift_batch.models_to_check()", .params = 0};
    static const struct pg_statement get_warnings = {
        .name = "base_model_warnings",
        .sql = "select uplift_batch.base_model_warnings()",
        .params = 0};
    enum job_outcome outcome = JOB_DONE;
    cJSON *models = job_ask(j, &to_check, NULL, &outcome);
    const cJSON *model;
    int checked = 0, failed = 0, count = cJSON_GetArraySize(models);
    if (models == NULL)
        return outcome;
    cJSON_ArrayForEach (model, models) {
        /* A program on this host cannot be asked. */
        if (j->config->trainer != TRAINER_OPENAI)
            break;
        struct base_model found;
        if (!job_progress(j, checked++, count, "asking about %s", model->valuestring))
            outcome = JOB_STOPPED;
        if (outcome != JOB_DONE || !base_model_ask(j, model->valuestring, &found, &outcome))
            break;
        failed += !found.was_asked;
    }
    cJSON_Delete(models);
    if (outcome != JOB_DONE)
        return outcome;
    if (failed > 0 && failed == checked)
        return job_retry(j, "trainer_unreachable",
                         "the trainer could not be asked about any model");
    cJSON *warnings = job_ask(j, &get_warnings, NULL, &outcome);
    if (warnings == NULL)
        return outcome;
    cJSON_AddNumberToObject(j->result, "checked", checked);
    cJSON_AddNumberToObject(j->result, "failed", failed);
    job_progress(j, count, count, "%d warnings", cJSON_GetArraySize(warnings));
    cJSON_AddItemToObject(j->result, "warnings", warnings);
    return JOB_DONE;
}
