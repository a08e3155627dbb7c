/*
 * One fine-tuning job.
 *
 * Of a job's life, the first tenth is validating_files, the second queued, the rest running; a file
 * that cannot be trained on fails the job after the first tenth.
 */
#include "job.h"

#include "common/json.h"
#include "job_fault.h"
#include "reply.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN_STEPS 20 /* metrics events of a job, at most */
#define CHECKPOINTS 3  /* at the ends of the last epochs */

enum status { VALIDATING, QUEUED, RUNNING, SUCCEEDED, FAILED, CANCELLED };

static const char *const status_names[] = {"validating_files", "queued", "running",
                                           "succeeded",        "failed", "cancelled"};

/* How a job stands at a given time. */
struct standing {
    enum status status;
    int64_t created, validated, started, ended; /* planned, or when it did */
    int64_t now;                                /* or when it ended, if that was earlier */
    int steps, epochs;
};

static const cJSON *member(const cJSON *object, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(object, key);
}

const cJSON *job_hyperparameters(const cJSON *request)
{
    const cJSON *method = member(request, "method");
    const char *type = json_string(method, "type");
    const cJSON *p = type ? member(member(method, type), "hyperparameters") : NULL;
    return p ? p : member(request, "hyperparameters");
}

static struct standing standing_of(const cJSON *job, int64_t now)
{
    const cJSON *sim = member(job, "sim"), *error = member(sim, "error");
    int64_t life = (int64_t)json_number(sim, "job_ms", 0);
    int64_t cancelled = (int64_t)json_number(sim, "cancelled_ms", 0);
    struct standing s = {.created = (int64_t)json_number(sim, "created_ms", 0)};
    s.steps = (int)json_number(sim, "steps", 1);
    s.epochs = (int)json_number(sim, "epochs", 1);
    s.validated = s.created + life / 10;
    s.started = s.created + life / 5;
    s.ended = s.created + life;
    bool late = json_bool(sim, "fails_late", false);
    if (late)
        s.ended = s.started + (s.ended - s.started) / 2;
    else if (error)
        s.ended = s.validated;
    if (cancelled && cancelled < s.ended)
        s.ended = cancelled;
    if (now >= s.ended)
        s.status = s.ended == cancelled ? CANCELLED : error || late ? FAILED : SUCCEEDED;
    else
        s.status = now >= s.started ? RUNNING : now >= s.validated ? QUEUED : VALIDATING;
    s.now = now < s.ended ? now : s.ended;
    return s;
}

static double chosen(const cJSON *parameters, const char *key, double automatic)
{
    return json_number(parameters, key, automatic);
}

static void add_method(cJSON *job, const cJSON *request, const cJSON *values)
{
    const char *type = json_string(member(request, "method"), "type");
    cJSON *method = cJSON_AddObjectToObject(job, "method");
    type = type ? type : "supervised";
    cJSON_AddStringToObject(method, "type", type);
    cJSON *inner = cJSON_AddObjectToObject(method, type);
    cJSON *copy = cJSON_Duplicate(values, true);
    if (strcmp(type, "dpo") == 0)
        cJSON_AddNumberToObject(copy, "beta", chosen(job_hyperparameters(request), "beta", 0.1));
    cJSON_AddItemToObject(inner, "hyperparameters", copy);
}

static void add_copy(cJSON *job, const cJSON *request, const char *from, const char *as)
{
    const cJSON *value = member(request, from);
    cJSON_AddItemToObject(job, as, value ? cJSON_Duplicate(value, true) : cJSON_CreateNull());
}

static void add_private(cJSON *job, const struct training *t, const struct habits *habits,
                        int64_t now, int64_t job_ms, double epochs, double batch, const char *model)
{
    cJSON *sim = cJSON_AddObjectToObject(job, "sim");
    cJSON_AddNumberToObject(sim, "created_ms", (double)now);
    cJSON_AddNumberToObject(sim, "job_ms", (double)job_ms);
    cJSON_AddNumberToObject(sim, "epochs", epochs);
    cJSON_AddNumberToObject(sim, "steps", fmax(1, ceil((double)t->examples / batch) * epochs));
    cJSON_AddNumberToObject(sim, "tokens", (double)t->tokens * epochs);
    cJSON_AddItemToObject(sim, "habits", habits_json(habits));
    enum job_fault fault = job_fault_of(model);
    if (fault == JOB_FAULT_LATE || fault == JOB_FAULT_EMPTY_ERROR || fault == JOB_FAULT_NULL_ERROR)
        cJSON_AddTrueToObject(sim, "fails_late");
    if (t->code[0]) {
        cJSON *error = cJSON_AddObjectToObject(sim, "error");
        cJSON_AddStringToObject(error, "code", t->code);
        cJSON_AddStringToObject(error, "param", "training_file");
        cJSON_AddStringToObject(error, "message", t->message);
    }
}

cJSON *job_make(const cJSON *request, const struct training *t, const struct habits *habits,
                int64_t now, int64_t job_ms)
{
    char id[31] = "ftjob-";
    const cJSON *asked = job_hyperparameters(request);
    const char *model = json_string(request, "model");
    double n = (double)t->examples, batch = chosen(asked, "batch_size", fmax(1, floor(n / 500)));
    double epochs = chosen(asked, "n_epochs", n < 100 ? 4 : n < 1000 ? 3 : 2);
    cJSON *job = cJSON_CreateObject(), *values = cJSON_CreateObject();
    random_id(id + 6, sizeof id - 6);
    cJSON_AddNumberToObject(values, "n_epochs", epochs);
    cJSON_AddNumberToObject(values, "batch_size", batch);
    cJSON_AddNumberToObject(values, "learning_rate_multiplier",
                            chosen(asked, "learning_rate_multiplier", 1.8));
    cJSON_AddStringToObject(job, "object", "fine_tuning.job");
    cJSON_AddStringToObject(job, "id", id);
    cJSON_AddStringToObject(job, "model", model);
    cJSON_AddNumberToObject(job, "created_at", (double)(now / 1000));
    cJSON_AddStringToObject(job, "organization_id", "org-simulated");
    add_copy(job, request, "training_file", "training_file");
    add_copy(job, request, "validation_file", "validation_file");
    add_copy(job, request, "suffix", "user_provided_suffix");
    add_copy(job, request, "metadata", "metadata");
    cJSON_AddNumberToObject(job, "seed", json_number(request, "seed", (double)(now % 2147483647)));
    cJSON_AddItemToObject(job, "hyperparameters", values);
    add_method(job, request, values);
    cJSON_AddItemToObject(job, "integrations", cJSON_CreateArray());
    add_private(job, t, habits, now, job_ms, epochs, batch, model);
    return job;
}

void job_model_name(const cJSON *job, char *out, size_t size)
{
    const char *base = json_string(job, "model"),
               *suffix = json_string(job, "user_provided_suffix");
    int len = (int)strlen(base);
    if (strncmp(base, "ft:", 3) == 0) {
        base += 3;
        len = (int)strcspn(base, ":");
    }
    snprintf(out, size, "ft:%.*s:simulated:%s:%.8s", len, base, suffix ? suffix : "",
             json_string(job, "id") + 6);
}

static void add_error(cJSON *view, const cJSON *job, enum status status)
{
    const cJSON *error = member(member(job, "sim"), "error");
    if (status != FAILED) {
        cJSON_AddNullToObject(view, "error");
    } else if (error) {
        cJSON_AddItemToObject(view, "error", cJSON_Duplicate(error, true));
    } else {
        enum job_fault fault = job_fault_of(json_string(job, "model"));
        cJSON *late = cJSON_AddObjectToObject(view, "error");
        if (fault == JOB_FAULT_EMPTY_ERROR)
            return;
        bool is_null = fault == JOB_FAULT_NULL_ERROR;
        const char *message = "The job failed while training (simulated)";
        cJSON_AddItemToObject(late, "code",
                              is_null ? cJSON_CreateNull() : cJSON_CreateString("server_error"));
        cJSON_AddNullToObject(late, "param");
        cJSON_AddItemToObject(late, "message",
                              is_null ? cJSON_CreateNull() : cJSON_CreateString(message));
    }
}

cJSON *job_view(const cJSON *job, int64_t now)
{
    struct standing s = standing_of(job, now);
    cJSON *view = cJSON_Duplicate(job, true);
    bool over = s.status >= SUCCEEDED, good = s.status == SUCCEEDED;
    char name[256], file[40];
    cJSON_DeleteItemFromObjectCaseSensitive(view, "sim");
    enum job_fault fault = job_fault_of(json_string(job, "model"));
    cJSON_AddStringToObject(
        view, "status",
        s.status == RUNNING && fault == JOB_FAULT_ODD_STATUS ? "paused" : status_names[s.status]);
    cJSON_AddItemToObject(view, "finished_at",
                          over ? cJSON_CreateNumber((double)(s.ended / 1000)) : cJSON_CreateNull());
    cJSON_AddItemToObject(view, "estimated_finish",
                          s.status == RUNNING ? cJSON_CreateNumber((double)(s.ended / 1000))
                                              : cJSON_CreateNull());
    job_model_name(job, name, sizeof name);
    cJSON_AddItemToObject(view, "fine_tuned_model",
                          good && fault != JOB_FAULT_NO_MODEL ? cJSON_CreateString(name)
                                                              : cJSON_CreateNull());
    cJSON_AddItemToObject(view, "trained_tokens",
                          good ? cJSON_CreateNumber(json_number(member(job, "sim"), "tokens", 0))
                               : cJSON_CreateNull());
    cJSON *results = cJSON_AddArrayToObject(view, "result_files");
    if (good) {
        snprintf(file, sizeof file, "file-%s", json_string(job, "id") + 6);
        cJSON_AddItemToArray(results, cJSON_CreateString(file));
    }
    add_error(view, job, s.status);
    return view;
}

/* The loss falls, with a wobble that depends on the job and the step only. */
static double loss_at(const cJSON *job, int step, int steps)
{
    unsigned hash = 2166136261u;
    for (const char *p = json_string(job, "id"); *p; p++)
        hash = (hash ^ (unsigned char)*p) * 16777619u;
    hash = (hash ^ (unsigned)step) * 16777619u;
    return 0.35 + 1.9 * exp(-3.0 * step / steps) + (hash % 1000) / 1000.0 * 0.12;
}

static double accuracy_at(const cJSON *job, int step, int steps)
{
    return 0.95 - 0.22 * loss_at(job, step, steps);
}

/* When a step is done. */
static int64_t step_time(const struct standing *s, int64_t planned_end, int step)
{
    return s->started + (planned_end - s->started) * step / s->steps;
}

static int64_t planned_end(const cJSON *job)
{
    const cJSON *sim = member(job, "sim");
    return (int64_t)(json_number(sim, "created_ms", 0) + json_number(sim, "job_ms", 0));
}

static cJSON *add_event(cJSON *events, const cJSON *job, int64_t at, const char *level,
                        const char *type, const char *message)
{
    char id[64];
    cJSON *event = cJSON_CreateObject();
    snprintf(id, sizeof id, "ftevent-%s-%d", json_string(job, "id") + 6,
             cJSON_GetArraySize(events));
    cJSON_AddStringToObject(event, "object", "fine_tuning.job.event");
    cJSON_AddStringToObject(event, "id", id);
    cJSON_AddNumberToObject(event, "created_at", (double)(at / 1000));
    cJSON_AddStringToObject(event, "level", level);
    cJSON_AddStringToObject(event, "message", message);
    cJSON_AddStringToObject(event, "type", type);
    cJSON_AddItemToArray(events, event);
    return cJSON_AddObjectToObject(event, "data");
}

static void add_step_events(cJSON *events, const cJSON *job, const struct standing *s)
{
    int stride = s->steps > SHOWN_STEPS ? (s->steps + SHOWN_STEPS - 1) / SHOWN_STEPS : 1;
    for (int step = stride; step <= s->steps; step += stride) {
        int64_t at = step_time(s, planned_end(job), step);
        if (at > s->now)
            return;
        char text[96];
        double loss = loss_at(job, step, s->steps);
        snprintf(text, sizeof text, "Step %d/%d: training loss=%.2f", step, s->steps, loss);
        cJSON *data = add_event(events, job, at, "info", "metrics", text);
        cJSON_AddNumberToObject(data, "step", step);
        cJSON_AddNumberToObject(data, "total_steps", s->steps);
        cJSON_AddNumberToObject(data, "train_loss", loss);
        cJSON_AddNumberToObject(data, "train_mean_token_accuracy",
                                accuracy_at(job, step, s->steps));
    }
}

static cJSON *reversed(cJSON *array)
{
    cJSON *out = cJSON_CreateArray();
    while (array->child) /* appending keeps order, so take from the end */
        cJSON_AddItemToArray(out, cJSON_DetachItemViaPointer(array, array->child->prev));
    cJSON_Delete(array);
    return out;
}

cJSON *job_events(const cJSON *job, int64_t now)
{
    struct standing s = standing_of(job, now);
    cJSON *events = cJSON_CreateArray();
    char text[512], name[256];
    snprintf(text, sizeof text, "Created fine-tuning job: %s (simulated)", json_string(job, "id"));
    add_event(events, job, s.created, "info", "message", text);
    snprintf(text, sizeof text, "Validating training file: %s", json_string(job, "training_file"));
    add_event(events, job, s.created, "info", "message", text);
    bool bad_file = member(member(job, "sim"), "error") != NULL;
    if (s.now >= s.validated && !bad_file)
        add_event(events, job, s.validated, "info", "message",
                  "Files validated, moving job to queued state");
    if (s.now >= s.started && !bad_file) {
        add_event(events, job, s.started, "info", "message", "Fine-tuning job started");
        add_step_events(events, job, &s);
    }
    if (s.status == SUCCEEDED) {
        job_model_name(job, name, sizeof name);
        snprintf(text, sizeof text, "New fine-tuned model created: %s", name);
        add_event(events, job, s.ended, "info", "message", text);
        add_event(events, job, s.ended, "info", "message", "The job has successfully completed");
    } else if (s.status == CANCELLED) {
        add_event(events, job, s.ended, "info", "message", "Fine-tuning job cancelled");
    } else if (s.status == FAILED) {
        const char *why = json_string(member(member(job, "sim"), "error"), "message");
        add_event(events, job, s.ended, "error", "message",
                  why ? why : "The job failed while training (simulated)");
    }
    return reversed(events);
}

cJSON *job_checkpoints(const cJSON *job, int64_t now)
{
    struct standing s = standing_of(job, now);
    cJSON *checkpoints = cJSON_CreateArray();
    char name[256], id[64], tuned[320];
    job_model_name(job, name, sizeof name);
    int first = s.epochs > CHECKPOINTS ? s.epochs - CHECKPOINTS + 1 : 1;
    for (int epoch = first; epoch <= s.epochs && s.status >= RUNNING; epoch++) {
        int step = s.steps * epoch / s.epochs;
        int64_t at = step_time(&s, planned_end(job), step);
        if (step < 1 || at > s.now || (member(member(job, "sim"), "error")))
            continue;
        cJSON *c = cJSON_CreateObject();
        snprintf(id, sizeof id, "ftckpt_%s%d", json_string(job, "id") + 6, step);
        /* The last one is the model itself. */
        if (epoch < s.epochs)
            snprintf(tuned, sizeof tuned, "%s:ckpt-step-%d", name, step);
        else
            snprintf(tuned, sizeof tuned, "%s", name);
        cJSON_AddStringToObject(c, "object", "fine_tuning.job.checkpoint");
        cJSON_AddStringToObject(c, "id", id);
        cJSON_AddNumberToObject(c, "created_at", (double)(at / 1000));
        cJSON_AddStringToObject(c, "fine_tuned_model_checkpoint", tuned);
        cJSON_AddStringToObject(c, "fine_tuning_job_id", json_string(job, "id"));
        cJSON_AddNumberToObject(c, "step_number", step);
        cJSON *metrics = cJSON_AddObjectToObject(c, "metrics");
        cJSON_AddNumberToObject(metrics, "step", step);
        cJSON_AddNumberToObject(metrics, "train_loss", loss_at(job, step, s.steps));
        cJSON_AddNumberToObject(metrics, "train_mean_token_accuracy",
                                accuracy_at(job, step, s.steps));
        cJSON_AddItemToArray(checkpoints, c);
    }
    return reversed(checkpoints);
}

bool job_cancel(cJSON *job, int64_t now)
{
    if (standing_of(job, now).status >= SUCCEEDED)
        return false;
    cJSON_AddNumberToObject(cJSON_GetObjectItemCaseSensitive(job, "sim"), "cancelled_ms",
                            (double)now);
    return true;
}

bool job_write_metrics(struct buf *out, const cJSON *job)
{
    int steps = (int)json_number(member(job, "sim"), "steps", 1);
    buf_puts(out, "step,train_loss,train_accuracy,valid_loss,valid_mean_token_accuracy\n");
    for (int step = 1; step <= steps && !out->failed; step++)
        buf_printf(out, "%d,%.5f,%.5f,,\n", step, loss_at(job, step, steps),
                   accuracy_at(job, step, steps));
    return !out->failed;
}
