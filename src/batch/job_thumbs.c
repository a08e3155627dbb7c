/*
 * train-thumb-model: learns from rated answers what thumb an answer will get.
 * score-answers: foretells it of new answers, and takes down the thumbs that came.
 *
 * Training reads the answers once, page by page, and keeps some 40 bytes of each that is rated.
 * Scoring goes through the answers in the order of their ids: what it has got to is kept with each
 * page, and what has a prediction is left out, so that it can be stopped at any time.
 */
#include "kinds.h"
#include "steps.h"
#include "thumbs.h"

#include "common/json.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define PAGE "2000"
#define OUTCOMES_A_STEP "2000"
#define DAYS_DEFAULT 180
#define ANSWERS_DEFAULT 200000
#define ANSWERS_LEAST 1000
#define ANSWERS_MOST 2000000 /* some 80 MB */
#define RATED_DEFAULT 500
#define RATED_LEAST 100
#define UNTIL_S 86400 /* of the last day it foretells: thumbs on those come still */
#define TIME_ROOM 32

/* --- training --- */

const struct job_argument train_thumb_model_arguments[] = {
    {"days", ARG_INTEGER, false, NULL, "of how many days, 1 to 3650 (180)"},
    {"max_answers", ARG_INTEGER, false, NULL,
     "rated answers it is trained on at most, the latest, 1000 to 2000000 (200000)"},
    {"min_rated", ARG_INTEGER, false, NULL, "rated answers that it takes, 100 to 1000000 (500)"},
    {"if_possible", ARG_BOOL, false, NULL, "succeed without a model where there are too few"},
    {NULL, ARG_TEXT, false, NULL, NULL},
};

/* What a training works with. */
struct training_run {
    struct job *job;
    char days[STEP_NUMBER], until[TIME_ROOM];
    size_t most, least;
    struct thumb_set *set;
    enum job_outcome outcome; /* when a step says so */
};

static bool end_with(struct training_run *run, enum job_outcome outcome)
{
    run->outcome = outcome;
    return false;
}

static bool read_arguments(struct training_run *run)
{
    struct job *j = run->job;
    double most = json_number(j->arguments, "max_answers", ANSWERS_DEFAULT);
    double least = json_number(j->arguments, "min_rated", RATED_DEFAULT);
    if (!step_days(j, DAYS_DEFAULT, run->days, &run->outcome))
        return false;
    if (most < ANSWERS_LEAST || most > ANSWERS_MOST)
        return end_with(
            run, job_fail(j, "invalid_argument", "max_answers must be from 1000 to 2000000"));
    if (least < RATED_LEAST || least > 1000000)
        return end_with(run,
                        job_fail(j, "invalid_argument", "min_rated must be from 100 to 1000000"));
    run->most = (size_t)most;
    run->least = (size_t)least;
    return true;
}

/* The rated answers of a page go into the set. False: the turn ends. */
static bool take_page(struct training_run *run, const cJSON *page)
{
    const cJSON *row;
    cJSON_ArrayForEach (row, cJSON_GetObjectItemCaseSensitive(page, "rows")) {
        struct thumb_answer answer;
        if (thumb_set_count(run->set) == run->most)
            return true;
        if (thumb_answer_read(row, &answer) && !thumb_set_add(run->set, &answer))
            return end_with(run,
                            job_retry(run->job, "out_of_memory", "the runner is out of memory"));
    }
    return true;
}

static bool read_answers(struct training_run *run)
{
    static const struct pg_statement statement = {
        .name = "rated_answers",
        .sql = "select uplift_batch.rated_answers($1,$2,$3,$4)",
        .params = 4};
    char before[UUID_TEXT + 1] = "";
    double looked_at = 0;
    bool goes_on = true, good = true;
    while (good && goes_on && thumb_set_count(run->set) < run->most) {
        cJSON *page =
            job_ask(run->job, &statement,
                    (const char *[]){run->until, run->days, *before != '\0' ? before : NULL, PAGE},
                    &run->outcome);
        if (page == NULL)
            return false;
        const char *after = json_string(page, "after");
        goes_on = json_bool(page, "goes_on", false) && after != NULL;
        looked_at += json_number(page, "looked_at", 0);
        good = take_page(run, page);
        if (after != NULL)
            snprintf(before, sizeof before, "%s", after);
        cJSON_Delete(page);
        if (good && !job_progress(run->job, (int64_t)looked_at, 0, "%zu rated answers",
                                  thumb_set_count(run->set)))
            return end_with(run, JOB_STOPPED);
    }
    return good;
}

static bool too_few(struct training_run *run, const char *why)
{
    struct job *j = run->job;
    if (!json_bool(j->arguments, "if_possible", false))
        return end_with(run, job_fail(j, "too_few_rated_answers", "%s", why));
    cJSON_AddBoolToObject(j->result, "trained", false);
    cJSON_AddStringToObject(j->result, "reason", why);
    return end_with(run, JOB_DONE);
}

static void add_figures(cJSON *to, const struct thumb_training *t)
{
    cJSON_AddNumberToObject(to, "n_train", (double)t->rows[THUMB_TRAIN]);
    cJSON_AddNumberToObject(to, "n_calibrate", (double)t->rows[THUMB_CALIBRATE]);
    cJSON_AddNumberToObject(to, "n_validate", (double)t->rows[THUMB_VALIDATE]);
    cJSON_AddNumberToObject(to, "iterations", t->iterations);
    cJSON_AddNumberToObject(to, "rate", t->scores.rate);
    cJSON_AddNumberToObject(to, "log_loss", t->scores.log_loss);
    cJSON_AddNumberToObject(to, "base_log_loss", t->scores.base_log_loss);
    cJSON_AddNumberToObject(to, "brier", t->scores.brier);
    cJSON_AddNumberToObject(to, "ece", t->scores.ece);
    cJSON_AddNumberToObject(to, "auc", t->scores.auc);
}

static bool keep_model(struct training_run *run, const struct thumb_model *model,
                       const struct thumb_training *training)
{
    static const struct pg_statement statement = {
        .name = "keep_thumb_model", .sql = "select uplift_batch.keep_thumb_model($1)", .params = 1};
    struct job *j = run->job;
    cJSON *json = thumb_model_write(model);
    cJSON_AddStringToObject(json, "trained_until", run->until);
    add_figures(json, training);
    char *text = json != NULL ? cJSON_PrintUnformatted(json) : NULL;
    cJSON_Delete(json);
    if (text == NULL)
        return end_with(run, job_retry(j, "out_of_memory", "the runner is out of memory"));
    cJSON *kept = job_ask(j, &statement, (const char *[]){text}, &run->outcome);
    cJSON_free(text);
    if (kept == NULL)
        return false;
    cJSON_AddBoolToObject(j->result, "trained", true);
    cJSON_AddNumberToObject(j->result, "version", json_number(kept, "version", 0));
    add_figures(j->result, training);
    cJSON_Delete(kept);
    return true;
}

static bool train(struct training_run *run)
{
    struct thumb_model model;
    struct thumb_training training;
    char why[JOB_MESSAGE_MAX];
    if (thumb_set_count(run->set) < run->least) {
        snprintf(why, sizeof why,
                 "%zu answers of the %s days until yesterday are rated; it takes %zu",
                 thumb_set_count(run->set), run->days, run->least);
        return too_few(run, why);
    }
    const char *wrong = thumb_train(run->set, &model, &training);
    if (wrong != NULL && training.iterations == 0)
        return too_few(run, wrong);
    if (wrong != NULL)
        return end_with(run, job_fail(run->job, "training_failed", "%s", wrong));
    return keep_model(run, &model, &training);
}

enum job_outcome job_train_thumb_model(struct job *j)
{
    struct training_run run = {.job = j};
    time_t until = time(NULL) - UNTIL_S;
    struct tm utc;
    if (!read_arguments(&run))
        return run.outcome;
    strftime(run.until, sizeof run.until, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&until, &utc));
    run.set = thumb_set_new(run.most);
    if (run.set == NULL)
        return job_retry(j, "out_of_memory", "the runner is out of memory");
    bool good = read_answers(&run) && train(&run);
    thumb_set_free(run.set);
    return good ? JOB_DONE : run.outcome;
}

/* --- scoring --- */

const struct job_argument score_answers_arguments[] = {
    {"days", ARG_INTEGER, false, NULL,
     "look through so many days again, 1 to 3650, for answers that came late"},
    {NULL, ARG_TEXT, false, NULL, NULL},
};

/* Says of each row how likely a thumb up is; rows that have not the form go. */
static void foretell(const struct thumb_model *model, cJSON *rows)
{
    cJSON *next;
    for (cJSON *row = rows != NULL ? rows->child : NULL; row != NULL; row = next) {
        struct thumb_answer answer;
        next = row->next;
        if (thumb_answer_read(row, &answer))
            cJSON_AddNumberToObject(row, "p", thumb_model_probability(model, &answer));
        else
            cJSON_Delete(cJSON_DetachItemViaPointer(rows, row));
    }
}

/* False with *outcome: the turn ends. */
static bool keep_scores(struct job *j, const char *version, const cJSON *page,
                        enum job_outcome *outcome)
{
    static const struct pg_statement statement = {
        .name = "keep_scores", .sql = "select uplift_batch.keep_scores($1,$2,$3)", .params = 3};
    char *rows = cJSON_PrintUnformatted(cJSON_GetObjectItemCaseSensitive(page, "rows"));
    if (rows == NULL) {
        *outcome = job_retry(j, "out_of_memory", "the runner is out of memory");
        return false;
    }
    cJSON *kept = job_ask(j, &statement,
                          (const char *[]){version, json_string(page, "after"), rows}, outcome);
    cJSON_free(rows);
    if (kept == NULL)
        return false;
    step_count(j->state, "scored", json_number(kept, "scored", 0));
    step_count(j->state, "failed", json_number(kept, "failed", 0));
    cJSON_Delete(kept);
    return true;
}

/* One page; *goes_on says whether another follows. False with *outcome: the turn ends. */
static bool score_page(struct job *j, const struct thumb_model *model, const char *days,
                       bool *goes_on, enum job_outcome *outcome)
{
    static const struct pg_statement statement = {
        .name = "answers_to_score",
        .sql = "select uplift_batch.answers_to_score($1,$2,$3,$4)",
        .params = 4};
    char version[STEP_NUMBER];
    snprintf(version, sizeof version, "%d", model->version);
    cJSON *page =
        job_ask(j, &statement,
                (const char *[]){version, days, json_string(j->state, "after"), PAGE}, outcome);
    if (page == NULL)
        return false;
    *goes_on = json_bool(page, "goes_on", false);
    foretell(model, cJSON_GetObjectItemCaseSensitive(page, "rows"));
    bool good = keep_scores(j, version, page, outcome);
    if (good) {
        step_count(j->state, "answers", json_number(page, "looked_at", 0));
        step_take_after(j, page);
        if (!job_save(j) ||
            !job_progress(j, (int64_t)json_number(j->state, "answers", 0), 0, "%.0f answers scored",
                          json_number(j->state, "scored", 0))) {
            *outcome = JOB_STOPPED;
            good = false;
        }
    }
    cJSON_Delete(page);
    return good;
}

static bool score_all(struct job *j, enum job_outcome *outcome)
{
    static const struct pg_statement statement = {
        .name = "thumb_model", .sql = "select uplift_batch.thumb_model()", .params = 0};
    struct thumb_model model;
    char days[STEP_NUMBER];
    bool again = cJSON_HasObjectItem(j->arguments, "days"), goes_on = true;
    if (again && !step_days(j, 0, days, outcome))
        return false;
    cJSON *json = job_ask(j, &statement, NULL, outcome);
    if (json == NULL)
        return false;
    bool has_model = json->child != NULL, is_good = has_model && thumb_model_read(json, &model);
    cJSON_Delete(json);
    if (!has_model) {
        cJSON_AddStringToObject(j->result, "not_scored",
                                "there is no model yet: see train-thumb-model");
        return true;
    }
    if (!is_good) {
        *outcome = job_fail(j, "bad_model", "the newest model of thumbs cannot be read");
        return false;
    }
    while (goes_on)
        if (!score_page(j, &model, again ? days : NULL, &goes_on, outcome))
            return false;
    cJSON_AddNumberToObject(j->result, "version", model.version);
    return true;
}

static bool fill_outcomes(struct job *j, enum job_outcome *outcome)
{
    static const struct pg_statement statement = {
        .name = "fill_outcomes", .sql = "select uplift_batch.fill_outcomes($1)", .params = 1};
    bool goes_on = true;
    while (goes_on) {
        cJSON *step = job_ask(j, &statement, (const char *[]){OUTCOMES_A_STEP}, outcome);
        if (step == NULL)
            return false;
        goes_on = json_bool(step, "goes_on", false);
        step_count(j->state, "outcomes", json_number(step, "outcomes", 0));
        step_count(j->state, "gone", json_number(step, "gone", 0));
        step_count(j->state, "failed", json_number(step, "failed", 0));
        cJSON_Delete(step);
        if (!job_save(j)) {
            *outcome = JOB_STOPPED;
            return false;
        }
    }
    return true;
}

enum job_outcome job_score_answers(struct job *j)
{
    static const char *const numbers[] = {"answers", "scored", "outcomes", "gone", "failed"};
    enum job_outcome outcome;
    /* Outcomes last: a thumb that came while its answer was scored is in the queue still. */
    if (!score_all(j, &outcome) || !fill_outcomes(j, &outcome))
        return outcome;
    step_results(j, numbers, sizeof numbers / sizeof numbers[0]);
    return JOB_DONE;
}
