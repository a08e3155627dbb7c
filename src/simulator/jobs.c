/* /v1/fine_tuning/jobs: the requests. What a job looks like at a given time is in job.c. */
#include "jobs.h"

#include "common/clock.h"
#include "common/json.h"
#include "fault.h"
#include "files.h"
#include "habits.h"
#include "job.h"
#include "job_fault.h"
#include "models.h"
#include "reply.h"
#include "store.h"
#include "training.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const cJSON *member(const cJSON *object, const char *key)
{
    const cJSON *m = cJSON_GetObjectItemCaseSensitive(object, key);
    return cJSON_IsNull(m) ? NULL : m;
}

static bool starts_with(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

static bool check_model(const char *model, struct api_error *e)
{
    static const char *const trainable[] = {"sim-", "gpt-", "ft:", "o4-mini"};
    if (model == NULL)
        return api_error(e, 400, "missing_required_parameter", "model",
                         "missing required parameter 'model'");
    enum job_fault fault = job_fault_of(model);
    if (fault == JOB_FAULT_NOT_AVAILABLE)
        return api_error(e, 403, "training_not_available", NULL,
                         "OpenAI is winding down the fine-tuning platform and your organization is "
                         "no longer able to create new fine-tuning training jobs.");
    for (size_t i = 0; i < sizeof trainable / sizeof trainable[0]; i++)
        if (starts_with(model, trainable[i]) && !starts_with(model, "sim-embedding") &&
            fault != JOB_FAULT_NOT_TRAINABLE)
            return true;
    return api_error(e, 400, "model_not_available", "model",
                     "model '%.100s' is not available for fine-tuning", model);
}

static bool check_file(const cJSON *request, const char *key, bool required, struct api_error *e)
{
    const char *id = json_string(request, key);
    if (id == NULL)
        return (!required && member(request, key) == NULL) ||
               api_error(e, 400, "missing_required_parameter", key,
                         "missing required parameter '%s'", key);
    cJSON *file = store_get("files", id);
    const char *purpose = json_string(file, "purpose");
    bool found = file != NULL, right = purpose && strcmp(purpose, "fine-tune") == 0;
    cJSON_Delete(file);
    if (!found)
        return api_error(e, 400, "invalid_file", key, "invalid file ID: %.60s", id);
    return right || api_error(e, 400, "invalid_file_purpose", key,
                              "file %.60s was not uploaded with purpose 'fine-tune'", id);
}

static bool check_range(const cJSON *parameters, const char *key, double low, double high,
                        struct api_error *e)
{
    const cJSON *value = member(parameters, key);
    if (value == NULL || (cJSON_IsString(value) && strcmp(value->valuestring, "auto") == 0) ||
        (cJSON_IsNumber(value) && value->valuedouble >= low && value->valuedouble <= high))
        return true;
    return api_error(e, 400, "invalid_value", key, "'%s' must be \"auto\" or from %g to %g", key,
                     low, high);
}

static bool check_method(const cJSON *request, struct api_error *e)
{
    const cJSON *method = member(request, "method");
    const char *type = method ? json_string(method, "type") : "supervised";
    if (type == NULL || (strcmp(type, "supervised") != 0 && strcmp(type, "dpo") != 0))
        return api_error(e, 400, "invalid_value", "method.type",
                         "'method.type' must be supervised or dpo; the simulator knows no other");
    const cJSON *p = job_hyperparameters(request);
    return check_range(p, "batch_size", 1, 256, e) && check_range(p, "n_epochs", 1, 50, e) &&
           check_range(p, "learning_rate_multiplier", 1e-9, 1e9, e) &&
           check_range(p, "beta", 1e-9, 2, e);
}

static bool check_rest(const cJSON *request, struct api_error *e)
{
    const cJSON *suffix = member(request, "suffix"), *seed = member(request, "seed");
    const cJSON *metadata = member(request, "metadata"), *pair;
    if (suffix && (!cJSON_IsString(suffix) || suffix->valuestring[0] == '\0' ||
                   strlen(suffix->valuestring) > 64))
        return api_error(e, 400, "invalid_value", "suffix",
                         "'suffix' must have 1 to 64 characters");
    if (seed && (!cJSON_IsNumber(seed) || seed->valuedouble != floor(seed->valuedouble) ||
                 seed->valuedouble < 0 || seed->valuedouble > 2147483647))
        return api_error(e, 400, "invalid_value", "seed",
                         "'seed' must be an integer from 0 to 2147483647");
    if (metadata && (!cJSON_IsObject(metadata) || cJSON_GetArraySize(metadata) > 16))
        return api_error(e, 400, "invalid_value", "metadata",
                         "'metadata' must be an object of at most 16 pairs");
    cJSON_ArrayForEach (pair, metadata) {
        if (!cJSON_IsString(pair) || strlen(pair->string) > 64 || strlen(pair->valuestring) > 512)
            return api_error(e, 400, "invalid_value", "metadata",
                             "'metadata' holds strings of at most 512, by names of at most 64 "
                             "characters");
    }
    return true;
}

/* One too many jobs a minute, once for each file. */
static bool check_rate(const cJSON *request, struct api_error *e)
{
    if (job_fault_of(json_string(request, "model")) != JOB_FAULT_LIMITED ||
        !fault_flap_fails(json_string(request, "training_file"), 1))
        return true;
    api_error(e, 429, "rate_limit_exceeded", NULL, "too many jobs; try again in a second");
    e->retry_after_ms = 1000;
    return false;
}

static bool check_request(const cJSON *request, struct api_error *e)
{
    return check_model(json_string(request, "model"), e) &&
           check_file(request, "training_file", true, e) &&
           check_file(request, "validation_file", false, e) && check_method(request, e) &&
           check_rest(request, e) && check_rate(request, e);
}

void jobs_post(struct fastcgi_request *r, int64_t job_ms)
{
    cJSON *request = reply_read_object(r), *job = NULL;
    struct api_error error;
    struct training training;
    struct habits habits;
    struct buf content;
    if (request == NULL)
        return;
    buf_init(&content, FASTCGI_BODY_MAX);
    if (!check_request(request, &error)) {
        reply_error(r, &error);
        goto out;
    }
    const char *method = json_string(member(request, "method"), "type");
    bool ok = store_get_data(json_string(request, "training_file"), &content);
    if (ok) {
        /* What is wrong with the file shows later, when the job has looked at it. */
        training_read(&content, method && strcmp(method, "dpo") == 0, &training);
        habits_read(&content, &habits);
        job = job_make(request, &training, &habits, clock_wall_us() / 1000, job_ms);
        ok = job && store_put("jobs", json_string(job, "id"), job);
    }
    if (!ok)
        reply_fail(r, 500, NULL, NULL, "the job could not be stored");
    else if (job_fault_of(json_string(job, "model")) == JOB_FAULT_CUT)
        reply_reset(r);
    else
        reply_json(r, 200, job_view(job, clock_wall_us() / 1000));
out:
    buf_release(&content);
    cJSON_Delete(job);
    cJSON_Delete(request);
}

void jobs_list(struct fastcgi_request *r, const char *query)
{
    cJSON *jobs = store_list("jobs"), *views = cJSON_CreateArray(), *job;
    int64_t now = clock_wall_us() / 1000;
    cJSON_ArrayForEach (job, jobs) {
        cJSON_AddItemToArray(views, job_view(job, now));
    }
    cJSON_Delete(jobs);
    reply_json(r, 200, list_page(views, query, 20));
}

/* The stored job, or NULL after answering 404. */
static cJSON *find_job(struct fastcgi_request *r, const char *id)
{
    cJSON *job = store_get("jobs", id);
    if (job == NULL)
        reply_fail(r, 404, "fine_tune_not_found", "fine_tuning_job_id",
                   "could not find fine tune: %.60s", id);
    return job;
}

/* The metrics that a finished job leaves, made when somebody first looks. */
static void keep_results(const cJSON *job, const cJSON *view)
{
    const cJSON *id = cJSON_GetArrayItem(member(view, "result_files"), 0);
    cJSON *file = id ? store_get("files", id->valuestring) : NULL;
    if (id && file == NULL) {
        struct buf csv;
        buf_init(&csv, 1 << 20);
        job_write_metrics(&csv, job);
        file = cJSON_CreateObject();
        cJSON_AddStringToObject(file, "id", id->valuestring);
        cJSON_AddStringToObject(file, "object", "file");
        cJSON_AddNumberToObject(file, "bytes", (double)csv.len);
        cJSON_AddNumberToObject(file, "created_at", json_number(view, "finished_at", 0));
        cJSON_AddStringToObject(file, "filename", "step_metrics.csv");
        cJSON_AddStringToObject(file, "purpose", "fine-tune-results");
        cJSON_AddStringToObject(file, "status", "processed");
        if (!csv.failed && store_put_data(id->valuestring, csv.data, csv.len))
            store_put("files", id->valuestring, file);
        buf_release(&csv);
    }
    cJSON_Delete(file);
}

void jobs_get(struct fastcgi_request *r, const char *id)
{
    cJSON *job = find_job(r, id);
    if (job == NULL)
        return;
    cJSON *view = job_view(job, clock_wall_us() / 1000);
    keep_results(job, view);
    if (job_fault_answers(r, job_fault_of(json_string(job, "model")), id))
        cJSON_Delete(view);
    else
        reply_json(r, 200, view);
    cJSON_Delete(job);
}

void jobs_cancel(struct fastcgi_request *r, const char *id)
{
    cJSON *job = find_job(r, id);
    int64_t now = clock_wall_us() / 1000;
    if (job == NULL)
        return;
    if (!job_cancel(job, now))
        reply_fail(r, 400, "invalid_job_status", NULL,
                   "job %.60s has ended and cannot be cancelled", id);
    else if (!store_put("jobs", id, job))
        reply_fail(r, 500, NULL, NULL, "the job could not be stored");
    else
        reply_json(r, 200, job_view(job, now));
    cJSON_Delete(job);
}

void jobs_events(struct fastcgi_request *r, const char *id, const char *query)
{
    cJSON *job = find_job(r, id);
    if (job == NULL)
        return;
    cJSON *page = list_page(job_events(job, clock_wall_us() / 1000), query, 20);
    cJSON_Delete(job);
    reply_json(r, 200, page);
}

void jobs_checkpoints(struct fastcgi_request *r, const char *id, const char *query)
{
    cJSON *job = find_job(r, id);
    if (job == NULL)
        return;
    cJSON *page = list_page(job_checkpoints(job, clock_wall_us() / 1000), query, 10);
    cJSON_Delete(job);
    reply_json(r, 200, page);
}

cJSON *jobs_models(void)
{
    cJSON *jobs = store_list("jobs"), *models = cJSON_CreateArray(), *job;
    int64_t now = clock_wall_us() / 1000;
    cJSON_ArrayForEach (job, jobs) {
        cJSON *view = job_view(job, now);
        const char *name = json_string(view, "fine_tuned_model");
        if (name) {
            cJSON *m = cJSON_CreateObject();
            cJSON_AddStringToObject(m, "id", name);
            cJSON_AddStringToObject(m, "object", "model");
            cJSON_AddNumberToObject(m, "created", json_number(view, "finished_at", 0));
            cJSON_AddStringToObject(m, "owned_by", MODELS_OWNER);
            cJSON_AddItemToArray(models, m);
        }
        cJSON_Delete(view);
    }
    cJSON_Delete(jobs);
    return models;
}
