/*
 * fine-tune: a frozen dataset version becomes a model version in staging.
 *
 *   begin -> write the files -> bring them to the trainer -> begin to train -> look, again and
 *   again -> finish
 *
 * Each step is kept in the job's state before the next one, and each can be repeated: whoever goes
 * on finds what was done, in the state, on disk or at the trainer, and does nothing twice.
 */
#include "export.h"
#include "kinds.h"
#include "trainer.h"

#include "common/clock.h"
#include "common/json.h"
#include "common/log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_BYTES 4400
#define AWAY_MAX_MS (24LL * 3600 * 1000) /* how long a trainer may not answer */
#define AWAY_PAUSES 10                   /* then it is asked this many times less often */

const struct job_argument fine_tune_arguments[] = {
    {"finetuning_job_id", ARG_UUID, false, NULL, "The fine-tuning job, asked for by its own URL."},
    {"dataset_id", ARG_UUID, false, NULL, "Or the dataset to train on, as it is now."},
    {"dataset_version_id", ARG_UUID, false, NULL, "Or a frozen version."},
    {"dataset", ARG_TEXT, false, NULL, "Or a dataset, by its name."},
    {"base_model", ARG_TEXT, false, NULL, "The model to train."},
    {"trainer", ARG_TEXT, false, "openai|command", "UPLIFT_TRAINER unless said."},
    {"method", ARG_TEXT, false, "supervised|dpo|kto", "What fits the dataset unless said."},
    {"hyperparameters", ARG_OBJECT, false, NULL,
     "n_epochs, batch_size, learning_rate_multiplier, beta."},
    {"suffix", ARG_TEXT, false, NULL, "Part of the new model's name."},
    {"seed", ARG_INTEGER, false, NULL, "For a run that can be repeated."},
    {"force", ARG_BOOL, false, NULL, "Go ahead with too little that is new, or too soon."},
    {"if_ready", ARG_BOOL, false, NULL, "Too little, or too soon, is no failure."},
    {"submit", ARG_BOOL, false, NULL, "false, with if_ready: only say whether it is ready."},
    {NULL, ARG_TEXT, false, NULL, NULL},
};

/* A fine-tuning job on its way. */
struct tuning {
    struct job *job;
    cJSON *begun; /* what uplift_batch.begin_finetuning told; owned */
    const struct trainer *trainer;
    struct trainer_run run;
    char directory[PATH_BYTES], training[PATH_BYTES], validation[PATH_BYTES];
    enum job_outcome outcome; /* of a step that returns false */
    bool is_over;             /* the trainer said so */
};

/* --- Postgres --- */

/* Notes how the fine-tuning job stands. changes is taken. */
static bool note(struct tuning *t, cJSON *changes)
{
    static const struct pg_statement statement = {.name = "note_finetuning",
                                                  .sql =
                                                      "select uplift_batch.note_finetuning($1, $2)",
                                                  .params = 2};
    PGresult *row;
    char *text = cJSON_PrintUnformatted(changes);
    bool good = text != NULL &&
                job_query(t->job, &statement, (const char *[]){t->run.id, text}, &row, &t->outcome);
    if (good)
        PQclear(row);
    cJSON_free(text);
    cJSON_Delete(changes);
    return good;
}

static cJSON *problem_json(const struct trainer_problem *p)
{
    cJSON *error = cJSON_CreateObject();
    cJSON_AddStringToObject(error, "code", p->code);
    cJSON_AddStringToObject(error, "message", p->message);
    if (*p->param != '\0')
        cJSON_AddStringToObject(error, "param", p->param);
    if (*p->advice != '\0')
        cJSON_AddStringToObject(error, "advice", p->advice);
    return error;
}

/* The fine-tuning job has failed for good, and so this job. */
static bool fail(struct tuning *t, const struct trainer_problem *p)
{
    cJSON *changes = cJSON_CreateObject();
    cJSON_AddStringToObject(changes, "status", "failed");
    cJSON_AddItemToObject(changes, "error", problem_json(p));
    if (note(t, changes))
        t->outcome = job_fail(t->job, p->code, "%s%s%s", p->message,
                              *p->advice != '\0' ? " - " : "", p->advice);
    return false;
}

/* What a trainer's problem comes to before it trains. */
static bool give_up_or_retry(struct tuning *t, const struct trainer_problem *p)
{
    if (!job_goes_on(t->job, 0)) {
        t->outcome = JOB_STOPPED;
        return false;
    }
    if (p->is_final)
        return fail(t, p);
    cJSON *changes = cJSON_CreateObject();
    cJSON_AddItemToObject(changes, "error", problem_json(p));
    if (note(t, changes)) {
        t->job->delay_ms = p->retry_after_ms;
        t->outcome = job_retry(t->job, p->code, "%s", p->message);
    }
    return false;
}

/* --- files --- */

struct sink {
    FILE *file;
    struct tuning *tuning;
    int64_t lines;
};

static bool take_line(void *arg, const char *line, size_t len)
{
    struct sink *s = arg;
    if (fwrite(line, 1, len, s->file) != len)
        return false;
    return ++s->lines % 1000 != 0 ||
           job_progress(s->tuning->job, 0, 0, "writing %" PRId64 " examples", s->lines);
}

static enum export_format format_for(const struct tuning *t)
{
    bool openai = t->trainer == &trainer_openai;
    if (strcmp(t->run.method, "dpo") == 0)
        return openai ? EXPORT_OPENAI_DPO : EXPORT_TRL_DPO;
    return strcmp(t->run.method, "kto") == 0 ? EXPORT_TRL_KTO : EXPORT_OPENAI;
}

/* Writes one side of the version to path, unless it is there: it gets its name when it is whole. */
static bool write_file(struct tuning *t, const char *split, const char *path)
{
    char part[PATH_BYTES + 8];
    struct export_result result;
    struct api_error error;
    struct stat st;
    struct export_request request = {.format = format_for(t), .split = split};
    struct sink sink = {.tuning = t};
    if (access(path, F_OK) == 0)
        return true;
    snprintf(request.target, sizeof request.target, "%s", json_string(t->begun, "version_id"));
    snprintf(part, sizeof part, "%s.part", path);
    sink.file = fopen(part, "we");
    enum export_outcome outcome = EXPORT_STOPPED;
    if (sink.file != NULL)
        outcome = export_run(t->job->pg, &request, take_line, &sink, &result, &error);
    bool written = sink.file != NULL && !ferror(sink.file);
    int reason = errno;
    if (sink.file != NULL && fclose(sink.file) != 0) {
        written = false;
        reason = errno;
    }
    struct trainer_problem p;
    if (!written)
        return trainer_problem(&p, false, "cannot_write", "Make room in UPLIFT_BATCH_DIR.",
                               "could not write %s: %s", part, strerror(reason)) ||
               give_up_or_retry(t, &p);
    if (outcome == EXPORT_STOPPED) {
        t->outcome = JOB_STOPPED;
        return false;
    }
    if (outcome != EXPORT_DONE)
        return trainer_problem(&p, outcome == EXPORT_REFUSED, error.code, "", "%s",
                               error.message) ||
               give_up_or_retry(t, &p);
    if (result.examples < FORMAT_EXAMPLES_MIN && strcmp(split, "train") == 0)
        return trainer_problem(&p, true, "too_few_examples", "Collect more feedback.",
                               "only %" PRId64 " examples can be trained on; %" PRId64
                               " were left out, the first because %s",
                               result.examples, result.left_out, result.why_left_out) ||
               fail(t, &p);
    if (t->trainer == &trainer_openai && stat(part, &st) == 0 &&
        st.st_size > FORMAT_OPENAI_FILE_BYTES_MAX)
        return trainer_problem(&p, true, "file_too_large",
                               "Raise training.min_quality, or train with UPLIFT_TRAINER=command.",
                               "the examples are %lld MB, and OpenAI's API takes 512 at most",
                               (long long)(st.st_size >> 20)) ||
               fail(t, &p);
    if (rename(part, path) != 0)
        return trainer_problem(&p, false, "cannot_write", "", "could not rename %s: %s", part,
                               strerror(errno)) ||
               give_up_or_retry(t, &p);
    return true;
}

static bool write_files(struct tuning *t)
{
    struct trainer_problem p;
    if (mkdir(t->directory, 0750) != 0 && errno != EEXIST)
        return trainer_problem(&p, false, "cannot_write", "Check UPLIFT_BATCH_DIR.",
                               "could not make %s: %s", t->directory, strerror(errno)) ||
               give_up_or_retry(t, &p);
    if (!write_file(t, "train", t->training))
        return false;
    if (!json_bool(t->begun, "has_validation", false))
        return true;
    if (!write_file(t, "validation", t->validation))
        return false;
    t->run.validation_file = t->validation;
    return true;
}

/* --- steps --- */

/* A copy of an object within the job's state, made when missing. */
static cJSON *state_object(struct job *j, const char *key)
{
    cJSON *object = cJSON_GetObjectItemCaseSensitive(j->state, key);
    return object != NULL ? object : cJSON_AddObjectToObject(j->state, key);
}

static const char *configured_trainer(const struct config *config)
{
    return config->trainer == TRAINER_OPENAI    ? "openai"
           : config->trainer == TRAINER_COMMAND ? "command"
                                                : NULL;
}

/* Finds out what is to be done. False: nothing, or not now. */
static bool begin(struct tuning *t)
{
    static const struct pg_statement statement = {
        .name = "begin_finetuning",
        .sql = "select uplift_batch.begin_finetuning($1, $2, $3)",
        .params = 3};
    struct job *j = t->job;
    char *arguments = cJSON_PrintUnformatted(j->arguments);
    t->begun =
        job_ask(t->job, &statement,
                (const char *[]){j->id, arguments, configured_trainer(j->config)}, &t->outcome);
    cJSON_free(arguments);
    if (t->begun == NULL)
        return false;
    if (!json_bool(t->begun, "ready", false) || json_string(t->begun, "id") == NULL) {
        cJSON_AddBoolToObject(j->result, "submitted", false);
        cJSON_AddBoolToObject(j->result, "ready", json_bool(t->begun, "ready", false));
        cJSON_AddItemToObject(
            j->result, "missing",
            cJSON_Duplicate(cJSON_GetObjectItemCaseSensitive(t->begun, "missing"), true));
        job_progress(j, 1, 1, "%s",
                     json_bool(t->begun, "ready", false) ? "ready" : "not ready yet");
        t->outcome = JOB_DONE;
        return false;
    }
    t->trainer = trainer_find(json_string(t->begun, "trainer"));
    t->run = (struct trainer_run){
        .job = j,
        .id = json_string(t->begun, "id"),
        .base_model = json_string(t->begun, "base_model"),
        .method = json_string(t->begun, "method"),
        .suffix = json_string(t->begun, "suffix"),
        .hyperparameters = cJSON_GetObjectItemCaseSensitive(t->begun, "hyperparameters"),
        .kept = state_object(j, "trainer"),
        .directory = t->directory,
        .training_file = t->training,
    };
    const cJSON *seed = cJSON_GetObjectItemCaseSensitive(t->begun, "seed");
    t->run.seed = cJSON_IsNumber(seed) ? seed : NULL;
    snprintf(t->directory, sizeof t->directory, "%s/%s", j->config->batch_dir, t->run.id);
    snprintf(t->training, sizeof t->training, "%.4300s/train.jsonl", t->directory);
    snprintf(t->validation, sizeof t->validation, "%.4300s/validation.jsonl", t->directory);
    if (t->trainer == NULL) {
        struct trainer_problem p;
        return trainer_problem(&p, true, "no_trainer",
                               "Set UPLIFT_TRAINER, or name a trainer that is there.",
                               "there is no trainer to do this") ||
               fail(t, &p);
    }
    return t->run.kept != NULL;
}

/* Brings the files there and begins, as far as that was not done. */
static bool submit(struct tuning *t)
{
    struct trainer_problem p;
    cJSON *changes;
    if (json_bool(t->job->state, "is_submitted", false))
        return true;
    if (!job_progress(t->job, 0, 100, "writing the examples")) {
        t->outcome = JOB_STOPPED;
        return false;
    }
    if (!write_files(t))
        return false;
    job_progress(t->job, 0, 100, "bringing the examples to the trainer");
    if (!t->trainer->bring(&t->run, &p))
        return give_up_or_retry(t, &p);
    job_progress(t->job, 0, 100, "submitting");
    if (!t->trainer->begin(&t->run, &p))
        return give_up_or_retry(t, &p);
    changes = cJSON_CreateObject();
    cJSON_AddStringToObject(changes, "status", "running");
    cJSON_AddNullToObject(changes, "error");
    cJSON_AddNumberToObject(changes, "progress", 0);
    static const char *const kept[][2] = {{"external_job_id", "job"},
                                          {"training_file_id", "training_file"},
                                          {"validation_file_id", "validation_file"}};
    for (size_t i = 0; i < 3; i++)
        if (trainer_kept(&t->run, kept[i][1]) != NULL)
            cJSON_AddStringToObject(changes, kept[i][0], trainer_kept(&t->run, kept[i][1]));
    if (!note(t, changes))
        return false;
    cJSON_AddBoolToObject(t->job->state, "is_submitted", true);
    t->outcome = JOB_STOPPED;
    return job_save(t->job);
}

/* Ends the run at the trainer too. What cannot be cancelled there is said, and left. */
static enum job_outcome cancel(struct tuning *t)
{
    struct trainer_problem p;
    cJSON *changes = cJSON_CreateObject();
    if (!t->trainer->cancel(&t->run, &p)) {
        job_log(t->job, "%s %s", p.message, p.advice);
        cJSON_AddItemToObject(changes, "error", problem_json(&p));
    }
    cJSON_AddStringToObject(changes, "status", "cancelled");
    note(t, changes);
    return JOB_STOPPED;
}

static bool add_events(struct tuning *t, const struct trainer_report *report)
{
    static const struct pg_statement statement = {
        .name = "add_finetuning_events",
        .sql = "select uplift_batch.add_finetuning_events($1, $2)",
        .params = 2};
    PGresult *row;
    if (cJSON_GetArraySize(report->events) == 0)
        return true;
    char *text = cJSON_PrintUnformatted(report->events);
    bool good = text != NULL &&
                job_query(t->job, &statement, (const char *[]){t->run.id, text}, &row, &t->outcome);
    if (good)
        PQclear(row);
    cJSON_free(text);
    return good;
}

/* A trainer that does not answer for a while goes on training: it is asked less often, for a day.
 */
static enum job_outcome look_later(struct tuning *t, const struct trainer_problem *p)
{
    cJSON *state = t->job->state;
    int64_t now = clock_wall_us() / 1000;
    int64_t since = (int64_t)json_number(state, "away_since_ms", 0);
    int64_t pause = t->job->config->trainer_poll_ms;
    if (since == 0) {
        since = now;
        cJSON_AddNumberToObject(state, "away_since_ms", (double)since);
        job_log(t->job, "%s", p->message);
    }
    if (now - since > AWAY_MAX_MS) {
        fail(t, p);
        return t->outcome;
    }
    int64_t longer = (now - since) / AWAY_PAUSES;
    pause = pause > longer ? pause : longer;
    pause = pause > p->retry_after_ms ? pause : p->retry_after_ms;
    cJSON *changes = cJSON_CreateObject();
    cJSON_AddItemToObject(changes, "error", problem_json(p));
    if (!note(t, changes))
        return t->outcome;
    return job_save(t->job) ? job_later(t->job, pause) : JOB_STOPPED;
}

/* A model came of it. */
static enum job_outcome finish(struct tuning *t, const struct trainer_report *report)
{
    static const struct pg_statement statement = {
        .name = "finish_finetuning",
        .sql = "select to_json(uplift_batch.finish_finetuning($1, $2, $3, $4))",
        .params = 4};
    char tokens[24];
    char *metrics = report->metrics != NULL ? cJSON_PrintUnformatted(report->metrics) : NULL;
    snprintf(tokens, sizeof tokens, "%" PRId64, report->tokens);
    cJSON *version = job_ask(
        t->job, &statement,
        (const char *[]){t->run.id, report->model, report->tokens > 0 ? tokens : NULL, metrics},
        &t->outcome);
    cJSON_free(metrics);
    if (version == NULL)
        return t->outcome;
    cJSON_AddBoolToObject(t->job->result, "submitted", true);
    cJSON_AddStringToObject(t->job->result, "finetuning_job_id", t->run.id);
    cJSON_AddStringToObject(t->job->result, "model_id", report->model);
    cJSON_AddItemToObject(t->job->result, "model_version_id", version);
    job_progress(t->job, 100, 100, "%s", report->model);
    /* The version names the examples, from which the files can be made again. */
    unlink(t->training);
    unlink(t->validation);
    return JOB_DONE;
}

static enum job_outcome take_report(struct tuning *t, const struct trainer_report *report)
{
    cJSON *changes = cJSON_CreateObject();
    t->is_over = report->status != TRAINER_PENDING && report->status != TRAINER_RUNNING;
    cJSON_AddStringToObject(changes, "external_status", report->word);
    cJSON_AddNullToObject(changes, "error");
    if (report->progress >= 0)
        cJSON_AddNumberToObject(changes, "progress", report->progress);
    cJSON_DeleteItemFromObjectCaseSensitive(t->job->state, "away_since_ms");
    if (!add_events(t, report) || !note(t, changes))
        return t->outcome;
    job_progress(t->job, report->progress > 0 ? (int64_t)report->progress : 0, 100, "%s",
                 report->word);
    switch (report->status) {
    case TRAINER_SUCCEEDED:
        return finish(t, report);
    case TRAINER_FAILED:
        fail(t, &report->problem);
        return t->outcome;
    case TRAINER_CANCELLED: {
        struct trainer_problem p;
        trainer_problem(&p, true, "cancelled_at_trainer",
                        "Ask for a new run if that was a mistake.",
                        "the job was cancelled at the trainer");
        fail(t, &p);
        return t->outcome;
    }
    default:
        return job_save(t->job) ? job_later(t->job, t->job->config->trainer_poll_ms) : JOB_STOPPED;
    }
}

static enum job_outcome look(struct tuning *t)
{
    struct trainer_report report;
    struct trainer_problem p;
    enum job_outcome outcome;
    if (!t->trainer->look(&t->run, &report, &p)) {
        trainer_report_release(&report);
        if (!job_goes_on(t->job, 0))
            return JOB_STOPPED;
        if (!p.is_final)
            return look_later(t, &p);
        fail(t, &p);
        return t->outcome;
    }
    outcome = take_report(t, &report);
    trainer_report_release(&report);
    return outcome;
}

enum job_outcome job_fine_tune(struct job *j)
{
    struct tuning t = {.job = j, .outcome = JOB_STOPPED};
    enum job_outcome outcome;
    if (!begin(&t))
        outcome = t.outcome;
    else if (job_goes_on(j, 0) && submit(&t))
        outcome = look(&t);
    else
        outcome = t.outcome;
    enum job_stop why = job_stop_reason(j);
    if (outcome == JOB_STOPPED && t.trainer != NULL &&
        (why == JOB_CANCELLED || why == JOB_TIMED_OUT))
        outcome = cancel(&t);
    /* Given up while it trains: nobody would want what comes of it. */
    struct trainer_problem ignored;
    if (outcome == JOB_FAILED && json_bool(j->state, "is_submitted", false) && !t.is_over &&
        t.trainer != NULL)
        t.trainer->cancel(&t.run, &ignored);
    cJSON_Delete(t.begun);
    return outcome;
}
