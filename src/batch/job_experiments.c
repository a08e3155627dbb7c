/* measure-experiments and watch-rollouts: count what users of experiments did, judge it, and, of
 * rollouts, take the step that follows. */
#include "experiment_look.h"
#include "kinds.h"
#include "steps.h"

#include "common/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define USERS_A_STEP "200"

static const struct pg_statement to_measure = {
    .name = "experiments_to_measure", .sql = "select uplift_batch.experiments_to_measure()"};
static const struct pg_statement measure_users = {
    .name = "measure_experiment_users",
    .sql = "select uplift_batch.measure_experiment_users($1,$2,$3)",
    .params = 3};
static const struct pg_statement get_sums = {
    .name = "experiment_sums", .sql = "select uplift_batch.experiment_sums($1)", .params = 1};
static const struct pg_statement record_look = {
    .name = "record_look", .sql = "select uplift_batch.record_look($1,$2)", .params = 2};
static const struct pg_statement to_watch = {.name = "rollouts_to_watch",
                                             .sql = "select uplift_batch.rollouts_to_watch()"};
static const struct pg_statement decide_rollout = {
    .name = "decide_rollout", .sql = "select uplift_batch.decide_rollout($1)", .params = 1};

const struct job_argument measure_experiments_arguments[] = {
    {"running", ARG_BOOL, false, NULL,
     "Only those that run or are paused, not those that ended lately."},
    {NULL, ARG_TEXT, false, NULL, NULL},
};

/* Takes out of the list what has ended. */
static void keep_running(cJSON *list)
{
    for (int i = cJSON_GetArraySize(list); i-- > 0;)
        if (json_bool(cJSON_GetArrayItem(list, i), "has_ended", false))
            cJSON_DeleteItemFromArray(list, i);
}

/* Which experiments there are is kept, so that a runner that takes over goes on behind the last
 * user. False with *outcome. */
static bool begin(struct job *j, const struct pg_statement *which, enum job_outcome *outcome)
{
    if (cJSON_HasObjectItem(j->state, "experiments"))
        return true;
    cJSON *list = job_ask(j, which, NULL, outcome);
    if (list == NULL)
        return false;
    if (json_bool(j->arguments, "running", false))
        keep_running(list);
    cJSON_AddItemToObject(j->state, "experiments", list);
    cJSON_AddNumberToObject(j->state, "at", 0);
    if (!job_save(j)) {
        *outcome = JOB_STOPPED;
        return false;
    }
    return true;
}

static void set_after(struct job *j, cJSON *after)
{
    cJSON_DeleteItemFromObjectCaseSensitive(j->state, "after");
    if (after != NULL)
        cJSON_AddItemToObject(j->state, "after", after);
}

/* Counts the users of one experiment, behind the one that was counted last. False with *outcome. */
static bool count_users(struct job *j, const char *id, const cJSON *experiment, int64_t total,
                        enum job_outcome *outcome)
{
    for (;;) {
        int64_t done = (int64_t)json_number(j->state, "users", 0);
        if (!job_progress(j, done < total ? done : total, total, "users of %s",
                          json_string(experiment, "name")) ||
            !job_goes_on(j, 0)) {
            *outcome = JOB_STOPPED;
            return false;
        }
        const char *values[] = {id, json_string(j->state, "after"), USERS_A_STEP};
        cJSON *step = job_ask(j, &measure_users, values, outcome);
        if (step == NULL)
            return false;
        step_count(j->state, "users", json_number(step, "measured", 0));
        cJSON *last = cJSON_DetachItemFromObjectCaseSensitive(step, "last");
        bool is_end = !cJSON_IsString(last);
        cJSON_Delete(step);
        if (is_end) {
            cJSON_Delete(last);
            return true;
        }
        set_after(j, last);
        if (!job_save(j)) {
            *outcome = JOB_STOPPED;
            return false;
        }
    }
}

static bool judge(struct job *j, const char *id, enum job_outcome *outcome)
{
    cJSON *sums = job_ask(j, &get_sums, (const char *[]){id}, outcome);
    if (sums == NULL)
        return false;
    if (!cJSON_IsObject(sums)) { /* it was deleted meanwhile */
        cJSON_Delete(sums);
        return true;
    }
    cJSON *look = experiment_look(sums);
    char *text = look != NULL ? cJSON_PrintUnformatted(look) : NULL;
    cJSON *recorded =
        text != NULL ? job_ask(j, &record_look, (const char *[]){id, text}, outcome) : NULL;
    if (text == NULL)
        *outcome = job_retry(j, "out_of_memory", "out of memory");
    bool good = recorded != NULL;
    cJSON_Delete(recorded);
    free(text);
    cJSON_Delete(look);
    cJSON_Delete(sums);
    return good;
}

/* Of a rollout: what its evidence calls for. */
static bool decide(struct job *j, const cJSON *experiment, enum job_outcome *outcome)
{
    const char *id = json_string(experiment, "rollout_id");
    if (id == NULL)
        return true;
    cJSON *decided = job_ask(j, &decide_rollout, (const char *[]){id}, outcome);
    if (decided == NULL)
        return false;
    const char *step = json_string(decided, "step");
    if (step != NULL && strcmp(step, "none") != 0) {
        step_count(j->state, step, 1);
        job_log(j, "%.100s: %s: %.500s", json_string(experiment, "name"), step,
                json_string(decided, "reason"));
    }
    cJSON_Delete(decided);
    return true;
}

static enum job_outcome measure(struct job *j, const struct pg_statement *which,
                                const char *const *counts, size_t count)
{
    enum job_outcome outcome;
    if (!begin(j, which, &outcome))
        return outcome;
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(j->state, "experiments"), *experiment;
    int64_t total = 0;
    cJSON_ArrayForEach (experiment, list)
        total += (int64_t)json_number(experiment, "users", 0);
    for (int at; (at = (int)json_number(j->state, "at", 0)) < cJSON_GetArraySize(list);) {
        experiment = cJSON_GetArrayItem(list, at);
        const char *id = json_string(experiment, "id");
        if (!count_users(j, id, experiment, total, &outcome) || !judge(j, id, &outcome) ||
            !decide(j, experiment, &outcome))
            return outcome;
        set_after(j, NULL);
        step_count(j->state, "at", 1);
        step_count(j->state, "experiments_measured", 1);
        if (!job_save(j))
            return JOB_STOPPED;
    }
    step_results(j, counts, count);
    return JOB_DONE;
}

enum job_outcome job_measure_experiments(struct job *j)
{
    static const char *const counts[] = {"experiments_measured", "users"};
    return measure(j, &to_measure, counts, sizeof counts / sizeof counts[0]);
}

enum job_outcome job_watch_rollouts(struct job *j)
{
    static const char *const counts[] = {
        "experiments_measured", "users", "held", "advanced", "promoted", "rolled_back"};
    return measure(j, &to_watch, counts, sizeof counts / sizeof counts[0]);
}
