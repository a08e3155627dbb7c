/*
 * A trainer with OpenAI's routes for files and fine-tuning jobs: OpenAI, Azure, Nebius, ...
 *
 * Before anything is made there, that it may be made is kept; when it is not known whether it was,
 * because the runner died or the answer was lost, it is looked for first: the file by its name,
 * which no other has, the job by our id in its metadata, or by its file.
 */
#include "base_model.h"
#include "trainer.h"

#include "common/http.h"
#include "common/json.h"
#include "common/utf8.h"

#include <stdio.h>
#include <string.h>

#define PAGES_MAX 50 /* of a list that is looked through */
#define METADATA_KEY "uplift_job"

static struct http_server server_of(const struct trainer_run *run)
{
    const struct config *config = run->job->config;
    return (struct http_server){.config = config,
                                .goes_on = job_is_wanted,
                                .goes_on_arg = run->is_ending ? NULL : run->job,
                                .base_url = config->trainer_url,
                                .key = config->trainer_api_key,
                                .key_header = config->trainer_key_header};
}

static const cJSON *member(const cJSON *object, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(object, key);
}

/* --- what goes wrong --- */

/* What an admin can do about an error of a trainer, by its code, else by its status. */
static const struct advice {
    const char *code;
    long status;
    bool is_final;
    const char *advice;
} advices[] = {
    {"training_not_available", 0, true,
     "OpenAI ends self-serve fine-tuning: new jobs end for everybody on 2027-01-06. Train "
     "elsewhere: "
     "set UPLIFT_TRAINER_URL to another server with these routes, or UPLIFT_TRAINER=command for a "
     "GPU "
     "of your own, or export the dataset."},
    {"insufficient_quota", 0, true,
     "Add credit at the provider, or raise its limit, and ask again."},
    {"credit_balance_exhausted", 0, true, "Add credit at the provider, and ask again."},
    {"model_not_found", 0, true, "Choose a base_model of the trainer's GET /v1/models."},
    {"model_not_available", 0, true,
     "Choose a base_model that the trainer's documentation lists as one that can be fine-tuned."},
    {"invalid_n_examples", 0, true, "Collect more feedback, or lower training.min_quality."},
    {"invalid_file_format", 0, true,
     "Look at the line that is named, and edit or reject its example."},
    {"invalid_training_file", 0, true, "Look at what is named, and edit or reject its example."},
    {NULL, 401, true,
     "Check UPLIFT_TRAINER_API_KEY, and UPLIFT_TRAINER_KEY_HEADER (Azure: api-key)."},
    {NULL, 403, true, "The key may not do this: check its rights at the provider."},
    {NULL, 404, true, "Check UPLIFT_TRAINER_URL: it ends with /v1 for most servers."},
    {NULL, 405, true, "This server has no such route: check UPLIFT_TRAINER_URL."},
    {NULL, 408, false, ""},
    {NULL, 409, false, ""},
    {NULL, 413, true, "The file is too large for this trainer: raise training.min_quality."},
    {NULL, 425, false, ""},
    {NULL, 429, false, ""},
};

static const struct advice *advice_for(const char *code, long status)
{
    for (size_t i = 0; i < sizeof advices / sizeof advices[0]; i++) {
        const struct advice *a = &advices[i];
        if (a->code != NULL ? strcmp(a->code, code) == 0 : a->status == status)
            return a;
    }
    return NULL;
}

/* The trainer's own words, wherever its error holds them; "" when it has none. */
static const char *words_of(const cJSON *error)
{
    static const char *const keys[] = {"message", "detail", "error"};
    for (size_t i = 0; i < 3; i++)
        if (json_string(error, keys[i]) != NULL)
            return json_string(error, keys[i]);
    return cJSON_IsString(error) ? error->valuestring : "";
}

/* What an answer that is no success means. Always false. */
static bool explain(const struct http_answer *answer, const char *doing, struct trainer_problem *p)
{
    const cJSON *error = member(answer->json, "error");
    if (!cJSON_IsObject(error) && !cJSON_IsString(error))
        error = answer->json;
    const char *code = json_string(error, "code");
    if (code == NULL)
        code = json_string(error, "type");
    /* OpenAI has told of quotas in both. */
    if (json_string(error, "type") != NULL &&
        strcmp(json_string(error, "type"), "insufficient_quota") == 0)
        code = "insufficient_quota";
    const struct advice *a = advice_for(code != NULL ? code : "", answer->status);
    bool is_final = a != NULL ? a->is_final : answer->status < 500;
    char fallback[32];
    snprintf(fallback, sizeof fallback, "http_%ld", answer->status);
    trainer_problem(p, is_final, code != NULL && *code != '\0' ? code : fallback,
                    a != NULL ? a->advice : "", "%s: the trainer answered %ld%s%.400s", doing,
                    answer->status, *words_of(error) != '\0' ? ": " : "", words_of(error));
    p->status = answer->status;
    if (answer->json == NULL) {
        const char *text = answer->body.data != NULL ? answer->body.data : "";
        /* Half an answer may be whole the next time; a page of a web server stays one. */
        p->is_final = answer->status < 500 && text[strspn(text, " \t\r\n")] == '<';
        snprintf(p->code, sizeof p->code, "not_json");
        utf8_print(p->message, sizeof p->message,
                   "%s: the trainer answered %ld with something that is not JSON: %.60s", doing,
                   answer->status, text);
        snprintf(p->advice, sizeof p->advice, "%s",
                 p->is_final ? "Check UPLIFT_TRAINER_URL: a web page answers there, not an API."
                             : "It is tried again; check UPLIFT_TRAINER_URL if this goes on.");
    }
    if (json_string(error, "param") != NULL)
        utf8_copy(p->param, sizeof p->param, json_string(error, "param"));
    p->retry_after_ms = answer->retry_after_ms;
    return false;
}

/* A call whose answer is a JSON object. *answer is to be released when true. */
static bool call(struct trainer_run *run, const char *path, const char *body,
                 const struct http_upload *upload, const char *doing, struct http_answer *answer,
                 struct trainer_problem *p)
{
    struct http_server server = server_of(run);
    bool good = false;
    switch (http_call(&server, path, body, upload, answer)) {
    case HTTP_STOPPED:
        trainer_problem(p, false, "stopped", "", "%s: stopped", doing);
        break;
    case HTTP_FAILED:
        trainer_problem(p, false, "trainer_unreachable",
                        "It is tried again; check UPLIFT_TRAINER_URL if this goes on.", "%s: %s",
                        doing, answer->reason);
        break;
    case HTTP_ANSWERED:
        if (answer->status < 200 || answer->status > 299)
            explain(answer, doing, p);
        else if (!cJSON_IsObject(answer->json)) /* a proxy's page, or half an answer */
            explain(answer, doing, p);
        else
            good = true;
        break;
    }
    if (!good)
        http_release(answer);
    return good;
}

/*
 * Looks through a list, newest first, for an object that is ours; its id goes to out. True when the
 * list could be read, *out is "" when it holds none.
 */
static bool find(struct trainer_run *run, const char *path,
                 bool (*is_ours)(const struct trainer_run *, const cJSON *, const char *),
                 const char *what, char *out, size_t room, struct trainer_problem *p)
{
    char page_path[512], last[128] = "";
    *out = '\0';
    for (int page = 0; page < PAGES_MAX; page++) {
        struct http_answer answer;
        const cJSON *item;
        snprintf(page_path, sizeof page_path, "%s%climit=100%s%s", path,
                 strchr(path, '?') != NULL ? '&' : '?', *last != '\0' ? "&after=" : "", last);
        if (!call(run, page_path, NULL, NULL, "looking for what was begun", &answer, p))
            return false;
        cJSON_ArrayForEach (item, member(answer.json, "data")) {
            const char *id = json_string(item, "id");
            if (id != NULL)
                snprintf(last, sizeof last, "%s", id);
            if (id != NULL && *out == '\0' && is_ours(run, item, what))
                snprintf(out, room, "%s", id);
        }
        bool more = json_bool(answer.json, "has_more", false);
        http_release(&answer);
        if (*out != '\0' || !more || *last == '\0')
            break;
    }
    return true;
}

/* --- files --- */

static bool is_our_file(const struct trainer_run *run, const cJSON *file, const char *name)
{
    (void)run;
    const char *filename = json_string(file, "filename"), *status = json_string(file, "status");
    return filename != NULL && strcmp(filename, name) == 0 &&
           (status == NULL || strcmp(status, "error") != 0);
}

/* Brings one file there, unless it is; key names its id among what is kept. */
static bool bring_file(struct trainer_run *run, const char *key, const char *path, const char *kind,
                       struct trainer_problem *p)
{
    char name[120], begun[64], id[128] = "";
    struct http_answer answer;
    if (trainer_kept(run, key) != NULL)
        return true;
    snprintf(name, sizeof name, "uplift-%s-%s.jsonl", run->id, kind);
    snprintf(begun, sizeof begun, "%s_begun", key);
    if (trainer_kept(run, begun) != NULL) {
        if (!find(run, "/files?purpose=fine-tune", is_our_file, name, id, sizeof id, p))
            return false;
    } else if (!trainer_keep(run, begun, "yes")) {
        return trainer_problem(p, false, "stopped", "", "uploading: stopped");
    }
    if (*id == '\0') {
        const struct http_upload upload = {.path = path, .name = name, .purpose = "fine-tune"};
        if (!call(run, "/files", NULL, &upload, "uploading the examples", &answer, p))
            return false;
        if (json_string(answer.json, "id") != NULL)
            snprintf(id, sizeof id, "%s", json_string(answer.json, "id"));
        http_release(&answer);
        if (*id == '\0')
            return trainer_problem(
                p, true, "invalid_answer",
                "Check UPLIFT_TRAINER_URL: this is not how OpenAI's API answers.",
                "uploading the examples: the trainer's answer names no file");
    }
    return trainer_keep(run, key, id) ||
           trainer_problem(p, false, "stopped", "", "uploading: stopped");
}

/* A model that is gone, or goes soon, is better known before the examples are there. */
static bool check_model(struct trainer_run *run, struct trainer_problem *p)
{
    struct base_model found;
    enum job_outcome outcome;
    if (trainer_kept(run, "training_file") != NULL)
        return true;
    if (!base_model_ask(run->job, run->base_model, &found, &outcome))
        return trainer_problem(p, false, "stopped", "", "asking about the model: stopped");
    if (found.is_shut_down)
        return trainer_problem(p, true, "model_shut_down",
                               "Choose another base model, or another trainer.",
                               "%s was shut down on %s", run->base_model, found.shutdown_date);
    if (*found.shutdown_date != '\0')
        job_log(run->job, "%s will be shut down on %s, with every model made of it",
                run->base_model, found.shutdown_date);
    return true;
}

static bool bring(struct trainer_run *run, struct trainer_problem *p)
{
    return check_model(run, p) &&
           bring_file(run, "training_file", run->training_file, "train", p) &&
           (run->validation_file == NULL ||
            bring_file(run, "validation_file", run->validation_file, "validation", p));
}

/* --- the job --- */

static bool is_our_job(const struct trainer_run *run, const cJSON *job, const char *file)
{
    const char *id = json_string(member(job, "metadata"), METADATA_KEY);
    const char *used = json_string(job, "training_file");
    return (id != NULL && strcmp(id, run->id) == 0) || (used != NULL && strcmp(used, file) == 0);
}

static cJSON *request_of(const struct trainer_run *run)
{
    cJSON *r = cJSON_CreateObject();
    cJSON_AddStringToObject(r, "model", run->base_model);
    cJSON_AddStringToObject(r, "training_file", trainer_kept(run, "training_file"));
    if (trainer_kept(run, "validation_file") != NULL)
        cJSON_AddStringToObject(r, "validation_file", trainer_kept(run, "validation_file"));
    if (run->suffix != NULL)
        cJSON_AddStringToObject(r, "suffix", run->suffix);
    if (run->seed != NULL)
        cJSON_AddItemToObject(r, "seed", cJSON_Duplicate(run->seed, true));
    cJSON_AddStringToObject(cJSON_AddObjectToObject(r, "metadata"), METADATA_KEY, run->id);
    bool chosen = run->hyperparameters != NULL && run->hyperparameters->child != NULL;
    if (strcmp(run->method, "supervised") == 0) {
        /* Where all servers with these routes take them; "method" is younger than most. */
        if (chosen)
            cJSON_AddItemToObject(r, "hyperparameters",
                                  cJSON_Duplicate(run->hyperparameters, true));
    } else {
        cJSON *method = cJSON_AddObjectToObject(r, "method");
        cJSON_AddStringToObject(method, "type", run->method);
        cJSON *inner = cJSON_AddObjectToObject(method, run->method);
        if (chosen)
            cJSON_AddItemToObject(inner, "hyperparameters",
                                  cJSON_Duplicate(run->hyperparameters, true));
    }
    return r;
}

static bool begin(struct trainer_run *run, struct trainer_problem *p)
{
    char id[128] = "";
    struct http_answer answer;
    if (trainer_kept(run, "job") != NULL)
        return true;
    if (trainer_kept(run, "job_begun") != NULL) {
        if (!find(run, "/fine_tuning/jobs", is_our_job, trainer_kept(run, "training_file"), id,
                  sizeof id, p))
            return false;
    } else if (!trainer_keep(run, "job_begun", "yes")) {
        return trainer_problem(p, false, "stopped", "", "submitting: stopped");
    }
    if (*id == '\0') {
        cJSON *request = request_of(run);
        char *body = cJSON_PrintUnformatted(request);
        bool good = body != NULL &&
                    call(run, "/fine_tuning/jobs", body, NULL, "submitting the job", &answer, p);
        cJSON_free(body);
        cJSON_Delete(request);
        if (!good)
            return false;
        if (json_string(answer.json, "id") != NULL)
            snprintf(id, sizeof id, "%s", json_string(answer.json, "id"));
        http_release(&answer);
        if (*id == '\0')
            return trainer_problem(
                p, true, "invalid_answer",
                "Check UPLIFT_TRAINER_URL: this is not how OpenAI's API answers.",
                "submitting the job: the trainer's answer names no job");
    }
    return trainer_keep(run, "job", id) ||
           trainer_problem(p, false, "stopped", "", "submitting: stopped");
}

/* --- looking --- */

static enum trainer_status status_of(const char *word)
{
    static const struct {
        const char *word;
        enum trainer_status status;
    } words[] = {{"validating_files", TRAINER_PENDING}, {"queued", TRAINER_PENDING},
                 {"pending", TRAINER_PENDING},          {"running", TRAINER_RUNNING},
                 {"succeeded", TRAINER_SUCCEEDED},      {"failed", TRAINER_FAILED},
                 {"cancelled", TRAINER_CANCELLED},      {"canceled", TRAINER_CANCELLED}};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcmp(words[i].word, word) == 0)
            return words[i].status;
    return TRAINER_RUNNING; /* paused, or whatever else there will be: not over */
}

static void add_number(cJSON *to, const char *as, const cJSON *from, const char *key,
                       const char *or_key)
{
    const cJSON *value = member(from, key);
    if (!cJSON_IsNumber(value))
        value = member(from, or_key);
    if (cJSON_IsNumber(value))
        cJSON_AddNumberToObject(to, as, value->valuedouble);
}

/* An event of OpenAI's as one of ours. */
static cJSON *event_of(const cJSON *event, struct trainer_report *report)
{
    const cJSON *data = member(event, "data");
    cJSON *ours = cJSON_CreateObject();
    cJSON_AddStringToObject(ours, "id", json_string(event, "id"));
    add_number(ours, "at", event, "created_at", "created_at");
    if (json_string(event, "level") != NULL)
        cJSON_AddStringToObject(ours, "level", json_string(event, "level"));
    if (json_string(event, "message") != NULL)
        cJSON_AddStringToObject(ours, "message", json_string(event, "message"));
    add_number(ours, "step", data, "step", "current_step");
    add_number(ours, "training_loss", data, "train_loss", "training_loss");
    add_number(ours, "validation_loss", data, "full_valid_loss", "valid_loss");
    double progress =
        trainer_percent(json_number(data, "step", 0), json_number(data, "total_steps", 0));
    if (progress > report->progress)
        report->progress = progress;
    return ours;
}

/* What was said since the last look: lists have the newest first. What cannot be read now is read
 * the next time. */
static void read_events(struct trainer_run *run, struct trainer_report *report)
{
    const char *known = trainer_kept(run, "last_event");
    char path[512], after[128] = "", newest[128] = "";
    bool goes_on = true;
    for (int page = 0; goes_on && page < PAGES_MAX; page++) {
        struct http_answer answer;
        struct trainer_problem ignored;
        const cJSON *event;
        snprintf(path, sizeof path, "/fine_tuning/jobs/%s/events?limit=100%s%s",
                 trainer_kept(run, "job"), *after != '\0' ? "&after=" : "", after);
        if (!call(run, path, NULL, NULL, "reading events", &answer, &ignored))
            return;
        goes_on = json_bool(answer.json, "has_more", false);
        cJSON_ArrayForEach (event, member(answer.json, "data")) {
            const char *id = json_string(event, "id");
            if (id == NULL)
                continue;
            if (known != NULL && strcmp(id, known) == 0) {
                goes_on = false;
                break;
            }
            if (*newest == '\0')
                snprintf(newest, sizeof newest, "%s", id);
            snprintf(after, sizeof after, "%s", id);
            cJSON_InsertItemInArray(report->events, 0, event_of(event, report));
        }
        http_release(&answer);
    }
    if (*newest != '\0') {
        cJSON_DeleteItemFromObjectCaseSensitive(run->kept, "last_event");
        cJSON_AddStringToObject(run->kept, "last_event", newest);
    }
}

/* Metrics of the last checkpoint, where the trainer has any. */
static void read_metrics(struct trainer_run *run, struct trainer_report *report)
{
    char path[300];
    struct http_answer answer;
    struct trainer_problem ignored;
    snprintf(path, sizeof path, "/fine_tuning/jobs/%s/checkpoints?limit=1",
             trainer_kept(run, "job"));
    if (!call(run, path, NULL, NULL, "reading checkpoints", &answer, &ignored))
        return;
    const cJSON *metrics = member(cJSON_GetArrayItem(member(answer.json, "data"), 0), "metrics");
    if (cJSON_IsObject(metrics))
        report->metrics = cJSON_Duplicate(metrics, true);
    http_release(&answer);
}

/* error is null, {}, or one of three nulls where nothing is to be said. */
static void read_failure(const cJSON *job, struct trainer_report *report)
{
    const cJSON *error = member(job, "error");
    const char *code = json_string(error, "code"), *message = json_string(error, "message");
    const struct advice *a = advice_for(code != NULL ? code : "", 0);
    trainer_problem(&report->problem, true, code != NULL ? code : "training_failed",
                    a != NULL ? a->advice : "Look at its events; the trainer may know more.", "%s",
                    message != NULL ? message : "the job failed, and the trainer does not say why");
    if (json_string(error, "param") != NULL)
        utf8_copy(report->problem.param, sizeof report->problem.param, json_string(error, "param"));
}

static bool read_job(struct trainer_run *run, const cJSON *job, struct trainer_report *report,
                     struct trainer_problem *p)
{
    const char *word = json_string(job, "status"), *model = json_string(job, "fine_tuned_model");
    if (word == NULL)
        return trainer_problem(p, false, "invalid_answer",
                               "Check UPLIFT_TRAINER_URL if this goes on.",
                               "looking at the job: the answer has no status");
    utf8_copy(report->word, sizeof report->word, word);
    report->status = status_of(word);
    report->tokens = trainer_count(job, "trained_tokens");
    if (report->status == TRAINER_SUCCEEDED && (model == NULL || *model == '\0'))
        return trainer_problem(p, false, "no_model", "Ask the provider what became of this job.",
                               "the job %s succeeded, and names no model",
                               trainer_kept(run, "job"));
    if (report->status == TRAINER_SUCCEEDED) {
        utf8_copy(report->model, sizeof report->model, model);
        report->progress = 100;
    } else if (report->status == TRAINER_FAILED) {
        read_failure(job, report);
    }
    return true;
}

static bool look(struct trainer_run *run, struct trainer_report *report, struct trainer_problem *p)
{
    char path[300];
    struct http_answer answer;
    trainer_report_init(report);
    snprintf(path, sizeof path, "/fine_tuning/jobs/%s", trainer_kept(run, "job"));
    if (!call(run, path, NULL, NULL, "looking at the job", &answer, p)) {
        if (p->status == 404 && strcmp(p->code, "not_json") != 0)
            trainer_problem(p, true, "job_vanished",
                            "Ask the provider what became of it, or ask for a new run.",
                            "the trainer knows no job %s any more", trainer_kept(run, "job"));
        return false;
    }
    bool good = read_job(run, answer.json, report, p);
    http_release(&answer);
    if (good)
        read_events(run, report);
    if (good && report->status == TRAINER_SUCCEEDED)
        read_metrics(run, report);
    return good;
}

static bool cancel(struct trainer_run *run, struct trainer_problem *p)
{
    char path[300], id[128] = "";
    struct http_answer answer;
    run->is_ending = true;
    if (trainer_kept(run, "job") != NULL)
        snprintf(id, sizeof id, "%s", trainer_kept(run, "job"));
    else if (trainer_kept(run, "job_begun") != NULL &&
             !find(run, "/fine_tuning/jobs", is_our_job, trainer_kept(run, "training_file"), id,
                   sizeof id, p))
        return false; /* there may be one whose answer was lost */
    if (*id == '\0')
        return true;
    struct http_server server = server_of(run);
    snprintf(path, sizeof path, "/fine_tuning/jobs/%s/cancel", id);
    enum http_outcome outcome = http_call(&server, path, "", NULL, &answer);
    bool good = outcome == HTTP_ANSWERED &&
                ((answer.status >= 200 && answer.status < 300) ||
                 (answer.status >= 400 && answer.status < 500 && answer.status != 408 &&
                  answer.status != 429)); /* it has ended, or is unknown */
    if (!good)
        trainer_problem(p, false, "trainer_unreachable", "Cancel it at the provider.",
                        "could not cancel job %s at the trainer%s%s", id,
                        *answer.reason != '\0' ? ": " : "", answer.reason);
    http_release(&answer);
    return good;
}

const struct trainer trainer_openai = {
    .name = "openai", .bring = bring, .begin = begin, .look = look, .cancel = cancel};
