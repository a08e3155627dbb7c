/* The admin of a simulated uplift. */
#include "steward.h"

#include "common/clock.h"
#include "common/json.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define SIMULATOR "uplift-simulator" /* who owns the models of the simulated provider */
#define LOOK_BACK_DAYS 900
#define JOB_LOOK_MS 60
#define DAY_S 86400.0

static const cJSON *member(const cJSON *object, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(object, key);
}

static bool refuse(struct steward *s, const char *why)
{
    snprintf(s->caller.reason, sizeof s->caller.reason, "%s", why);
    return false;
}

static bool done(cJSON *answer)
{
    bool ok = answer != NULL;
    cJSON_Delete(answer);
    return ok;
}

/* --- whether it may be talked to --- */

static bool has_no_answers(struct steward *s)
{
    char path[100], day[20];
    time_t from = time(NULL) - LOOK_BACK_DAYS * 86400L;
    struct tm t;
    strftime(day, sizeof day, "%Y-%m-%d", gmtime_r(&from, &t));
    snprintf(path, sizeof path, "/admin/costs?from=%s", day);
    cJSON *costs = caller_ask(&s->caller, "GET", path, NULL);
    if (costs == NULL)
        return false;
    double answers = json_number(member(costs, "total"), "requests", 0);
    cJSON_Delete(costs);
    return answers == 0 ||
           refuse(s, "there are answers already, which may be other people's, and this makes users "
                     "up; take a scratch installation, as ./dev flywheel does, or say --anyway");
}

/* Whether all models of the configured provider are simulated ones. */
static bool is_simulated(struct steward *s, const char *upstream)
{
    struct site site = {.url = upstream, .secret = s->caller.site->secret};
    struct caller other;
    cJSON *models = NULL, *model;
    bool all = caller_open(&other, &site, "", false);
    /* It is asked without a token. */
    curl_slist_free_all(other.headers);
    other.headers = NULL;
    if (all)
        models = caller_ask(&other, "GET", "/models", NULL);
    all = member(models, "data") != NULL && member(models, "data")->child != NULL;
    cJSON_ArrayForEach (model, member(models, "data"))
        all = all && strcmp(json_text(model, "owned_by"), SIMULATOR) == 0;
    cJSON_Delete(models);
    caller_close(&other);
    if (!all)
        snprintf(
            s->caller.reason, sizeof s->caller.reason,
            "the provider at %.200s is not the simulated one, and made-up chats may cost money "
            "there",
            upstream);
    return all;
}

static bool has_no_other_providers(struct steward *s)
{
    cJSON *providers = caller_ask(&s->caller, "GET", "/admin/providers", NULL);
    if (providers == NULL)
        return false;
    int count = cJSON_GetArraySize(member(providers, "data"));
    cJSON_Delete(providers);
    return count == 0 ||
           refuse(s, "there are other providers (/admin/providers), which may cost money");
}

static bool is_asked_for(const struct steward *s, const char *coach)
{
    bool is = false;
    for (int k = 0; k < WORLD_COACHES; k++)
        is = is || strcmp(coach, s->coaches[k]) == 0 || strcmp(coach, s->plain_coaches[k]) == 0;
    return is;
}

/* All of them, which are as many different ones. */
static bool has_coaches(struct steward *s)
{
    cJSON *coaches = caller_ask(&s->caller, "GET", "/v1/coaches", NULL), *coach;
    int found = 0;
    cJSON_ArrayForEach (coach, member(coaches, "data"))
        found += is_asked_for(s, json_text(coach, "id"));
    bool asked = coaches != NULL;
    cJSON_Delete(coaches);
    if (asked && found != 2 * WORLD_COACHES)
        snprintf(s->caller.reason, sizeof s->caller.reason,
                 "there are no four coaches %.60s, %.60s, %.60s and %.60s, of whom the last two "
                 "are the first two without anything switched on; ./dev flywheel makes them",
                 s->coaches[0], s->coaches[1], s->plain_coaches[0], s->plain_coaches[1]);
    return found == 2 * WORLD_COACHES;
}

bool steward_check(struct steward *s, const char *upstream, const char *trainer, bool anyway)
{
    return is_simulated(s, upstream) && is_simulated(s, trainer) && has_no_other_providers(s) &&
           has_coaches(s) && (anyway || has_no_answers(s));
}

/* --- before it begins --- */

static bool set_price(struct steward *s, const char *model, double input, double output)
{
    return done(caller_askf(&s->caller, "PUT", "/admin/prices",
                            "{\"model\":\"%s\",\"input_per_million\":%g,"
                            "\"cached_input_per_million\":null,\"output_per_million\":%g}",
                            model, input, output));
}

/* All made-up users have one address, and a week lasts seconds. */
static bool take_limits_away(struct steward *s)
{
    static const char *const scopes[] = {"user", "address"};
    for (size_t i = 0; i < sizeof scopes / sizeof scopes[0]; i++) {
        char path[100];
        snprintf(path, sizeof path, "/admin/rate-limits?scope=%s", scopes[i]);
        if (!done(caller_ask(&s->caller, "DELETE", path, NULL)) && s->caller.status != 404 &&
            s->caller.status != 204)
            return false;
    }
    return true;
}

/* What an earlier simulation left running would keep plain coaches from what they are given, and
 * what it promoted is no beginning. */
static bool stop_autopilot(struct steward *s)
{
    return done(caller_ask(&s->caller, "POST", "/admin/autopilot/stop",
                           "{\"reason\":\"a simulation begins\"}"));
}

/* By a rollout of its own that is promoted by hand, over which none for all coaches goes. What
 * autopilot could promote for all is in it; of words a blank, as none at all would not keep others
 * away.
 */
static bool keep_plain(struct steward *s, const char *coach)
{
    char path[100];
    cJSON *rollout = caller_askf(
        &s->caller, "POST", "/admin/rollouts",
        "{\"name\":\"nothing switched on: "
        "%.100s\",\"coach_id\":\"%s\",\"changes\":{\"model\":\"%s\","
        "\"severity\":3.0,\"prompt_suffix\":\" \",\"memory\":\"off\",\"examples\":\"off\"}}",
        coach, coach, s->model);
    if (rollout == NULL)
        return false;
    snprintf(path, sizeof path, "/admin/rollouts/%.36s/promote", json_text(rollout, "id"));
    cJSON_Delete(rollout);
    return done(caller_ask(&s->caller, "POST", path, "{\"reason\":\"to compare with\"}"));
}

bool steward_prepare(struct steward *s, const struct prices *p)
{
    bool ok = set_price(s, p->model, p->input, p->output) &&
              set_price(s, p->tuned, p->tuned_input, p->tuned_output) && take_limits_away(s) &&
              stop_autopilot(s);
    for (int k = 0; k < WORLD_COACHES && ok; k++)
        ok = keep_plain(s, s->plain_coaches[k]);
    return ok;
}

static double real_days(const struct pace *p, double days)
{
    return days * p->day_s / DAY_S;
}

bool steward_start(struct steward *s)
{
    const struct pace *p = &s->pace;
    return done(caller_askf(
        &s->caller, "POST", "/admin/autopilot/start",
        "{\"max_usd_per_day\":100,\"max_usd_per_month\":1000,\"max_share\":1,\"max_at_once\":2,"
        "\"fine_tunes\":%s,\"base_model\":\"%s\",\"coaches\":null,\"min_users\":%d,"
        "\"min_stage_hours\":%.6f,\"max_test_days\":%.8f,\"retry_days\":%.8f}",
        s->may_train ? "true" : "false", s->base_model, s->min_users,
        24 * real_days(p, p->stage_days), real_days(p, p->test_days), real_days(p, p->retry_days)));
}

/* --- jobs --- */

static bool has_ended(const char *status)
{
    return strcmp(status, "succeeded") == 0 || strcmp(status, "failed") == 0 ||
           strcmp(status, "cancelled") == 0;
}

static bool do_job(struct steward *s, const char *name)
{
    struct timespec pause = {.tv_nsec = JOB_LOOK_MS * 1000000L};
    char path[100];
    snprintf(path, sizeof path, "/admin/jobs/%s", name);
    /* What has ended is not measured anew: it would be for a day and more of the clock. */
    bool measures = strcmp(name, "measure-experiments") == 0;
    cJSON *job = caller_ask(&s->caller, "POST", path, measures ? "{\"running\":true}" : "{}");
    if (job == NULL)
        return false;
    snprintf(path, sizeof path, "/admin/jobs/%.36s", json_text(job, "job_id"));
    while (job != NULL && !has_ended(json_text(job, "status"))) {
        nanosleep(&pause, NULL);
        cJSON_Delete(job);
        job = caller_ask(&s->caller, "GET", path, NULL);
    }
    bool good = job != NULL && strcmp(json_text(job, "status"), "succeeded") == 0;
    if (job != NULL && !good)
        snprintf(s->caller.reason, sizeof s->caller.reason, "job %s %s: %.200s", name,
                 json_text(job, "status"), json_text(member(job, "error"), "message"));
    cJSON_Delete(job);
    return good;
}

static void *do_jobs(void *of)
{
    struct steward *s = of;
    int64_t began = clock_ms();
    for (size_t i = 0; i < s->job_count && !s->has_failed; i++)
        s->has_failed = !do_job(s, s->jobs[i]);
    s->job_s += (double)(clock_ms() - began) / 1000;
    return NULL;
}

bool steward_begin_jobs(struct steward *s, const char *const *jobs, size_t count)
{
    s->job_count = count < STEWARD_JOBS ? count : STEWARD_JOBS;
    memcpy(s->jobs, jobs, s->job_count * sizeof *jobs);
    s->has_failed = false;
    s->is_at_work = pthread_create(&s->thread, NULL, do_jobs, s) == 0;
    return s->is_at_work || refuse(s, "could not start a thread");
}

bool steward_end_jobs(struct steward *s)
{
    if (s->is_at_work)
        pthread_join(s->thread, NULL);
    s->is_at_work = false;
    return !s->has_failed;
}

/* --- what autopilot did --- */

/* The name by which what is tried is known: that of its experiment, also when it is rolled out. */
static void note_test(struct diary *d, const cJSON *test)
{
    struct version *v = diary_version(d, json_text(test, "name"));
    const char *experiment = json_text(test, "experiment_id");
    if (v == NULL || strcmp(v->experiment, experiment) == 0)
        return;
    snprintf(v->experiment, sizeof v->experiment, "%s", experiment);
    v->is_rollout = json_string(test, "rollout_id") != NULL;
    v->is_asked = true;
}

static bool name_variants(struct steward *s, struct version *v)
{
    char path[100];
    snprintf(path, sizeof path, "/admin/experiments/%s", v->experiment);
    cJSON *experiment = caller_ask(&s->caller, "GET", path, NULL);
    const cJSON *tests = member(experiment, "test_variants");
    const cJSON *coaches = member(member(experiment, "targeting"), "coaches");
    snprintf(v->control, sizeof v->control, "%s",
             json_text(member(experiment, "control_variant"), "variant_name"));
    snprintf(v->candidate, sizeof v->candidate, "%s",
             json_text(tests != NULL ? tests->child : NULL, "variant_name"));
    /* Autopilot tries things on one coach, or on all. */
    snprintf(v->coach, sizeof v->coach, "%s",
             cJSON_GetArraySize(coaches) == 1 && cJSON_IsString(coaches->child)
                 ? coaches->child->valuestring
                 : "");
    bool ok = experiment != NULL;
    cJSON_Delete(experiment);
    return ok;
}

static void note_decision(struct diary *d, int week, const cJSON *decision)
{
    const char *kind = json_text(decision, "kind"), *what = json_text(decision, "decision");
    const char *name = json_text(decision, "name");
    if (strcmp(what, "refused") == 0 || strcmp(what, "held") == 0 || strcmp(kind, "switch") == 0)
        return;
    diary_event(d, week, kind, what, name, json_text(decision, "reason"));
    if (strcmp(kind, "rollout") == 0 && strcmp(what, "promoted") == 0) {
        struct version *v = diary_version(d, name);
        if (v != NULL)
            v->is_promoted = true;
    }
}

bool steward_note(struct steward *s, struct diary *d, int week)
{
    cJSON *state = caller_ask(&s->caller, "GET", "/admin/autopilot?limit=200", NULL), *one;
    if (state == NULL)
        return false;
    const cJSON *decisions = member(state, "decisions");
    double newest = s->last_decision;
    cJSON_ArrayForEach (one, member(state, "running"))
        note_test(d, one);
    for (int i = cJSON_GetArraySize(decisions); i-- > 0;) { /* the oldest first */
        const cJSON *decision = cJSON_GetArrayItem(decisions, i);
        double id = json_number(decision, "id", 0);
        if (id > s->last_decision) {
            note_decision(d, week, decision);
            s->has_trained =
                s->has_trained || strcmp(json_text(decision, "decision"), "submitted") == 0;
        }
        newest = fmax(newest, id);
    }
    s->last_decision = newest;
    cJSON_Delete(state);
    bool ok = true;
    for (size_t i = 0; i < d->version_count; i++)
        if (d->versions[i].is_asked && ok)
            ok = name_variants(s, &d->versions[i]);
    return ok;
}
