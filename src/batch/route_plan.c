/* GET /admin/experiment-plan: how many users an experiment needs, and for how long. */
#include "routes.h"

#include "common/json.h"
#include "statistics/arm_sums.h"
#include "statistics/power.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define VARIANTS_MAX 11

struct plan {
    double lift;     /* as a share of the baseline */
    double variants; /* with control */
    double share;    /* of users that takes part */
    double per_day;  /* users; 0: as lately */
    struct power_goal goal;
};

/* The number NAME of the query, or fallback where it is not there. */
static bool read_number(const cJSON *query, const char *name, double least, double most,
                        double fallback, double *out, struct api_error *error)
{
    const char *text = json_string(query, name);
    char *end;
    *out = fallback;
    if (text == NULL)
        return true;
    *out = strtod(text, &end);
    if (end != text && *end == '\0' && isfinite(*out) && *out >= least && *out <= most)
        return true;
    char code[64];
    snprintf(code, sizeof code, "invalid_%s", name);
    return api_error(error, 400, code, name, "%s must be a number from %g to %g", name, least,
                     most);
}

static bool read_plan(const cJSON *query, struct plan *plan, struct api_error *error)
{
    if (!read_number(query, "lift", -0.99, 10, 0.05, &plan->lift, error) ||
        !read_number(query, "variants", 2, VARIANTS_MAX, 2, &plan->variants, error) ||
        !read_number(query, "traffic_share", 0.000001, 1, 1, &plan->share, error) ||
        !read_number(query, "users_per_day", 0.001, 1e9, 0, &plan->per_day, error) ||
        !read_number(query, "alpha", 0.0001, 0.5, 0.05, &plan->goal.alpha, error) ||
        !read_number(query, "power", 0.5, 0.999, 0.8, &plan->goal.power, error))
        return false;
    plan->variants = floor(plan->variants);
    /* One chance to be wrong in all. */
    plan->goal.alpha /= plan->variants - 1;
    return true;
}

/* From sums of users' figures of the last days to users per variant. */
static enum reason users_needed(const cJSON *baseline, const struct plan *plan, cJSON *answer,
                                double *users, double *always_valid)
{
    struct arm_sums sums = {.users = json_number(baseline, "users", 0),
                            .sx = json_number(baseline, "sx", 0),
                            .sxx = json_number(baseline, "sxx", 0),
                            .sn = json_number(baseline, "sn", 0),
                            .sxn = json_number(baseline, "sxn", 0),
                            .snn = json_number(baseline, "snn", 0)};
    struct arm_sums normal;
    struct arm_moments moments;
    enum reason reason = arm_sums_normalise(METRIC_RATIO, &sums, &normal);
    if (reason == REASON_NONE)
        reason = arm_moments(&normal, &moments);
    if (reason != REASON_NONE)
        return reason;
    double difference = moments.value * plan->lift;
    cJSON_AddNumberToObject(answer, "baseline", moments.value);
    cJSON_AddNumberToObject(answer, "user_variance", moments.user_variance);
    cJSON_AddNumberToObject(answer, "difference", difference);
    reason = power_mean_users(moments.user_variance, difference, plan->goal, users);
    return reason != REASON_NONE ? reason
                                 : power_always_valid_users(moments.user_variance, difference,
                                                            plan->goal, always_valid);
}

static void add_duration(const struct plan *plan, double users, double lately, cJSON *answer)
{
    double days, per_day = plan->per_day > 0 ? plan->per_day : lately;
    cJSON_AddNumberToObject(answer, "users_per_variant", ceil(users));
    cJSON_AddNumberToObject(answer, "users", ceil(users) * plan->variants);
    if (power_days(users, per_day * plan->share, 1 / plan->variants, &days) == REASON_NONE)
        cJSON_AddNumberToObject(answer, "days", days);
    else
        cJSON_AddNullToObject(answer, "days");
}

static cJSON *make_answer(const cJSON *baseline, const struct plan *plan)
{
    double users, always_valid, lately = json_number(baseline, "users_per_day", 0);
    cJSON *answer = cJSON_CreateObject();
    cJSON_AddStringToObject(answer, "object", "experiment_plan");
    cJSON_AddStringToObject(answer, "metric", json_string(baseline, "metric"));
    cJSON_AddNumberToObject(answer, "measured_users", json_number(baseline, "users", 0));
    cJSON_AddNumberToObject(answer, "lift", plan->lift);
    cJSON_AddNumberToObject(answer, "alpha", plan->goal.alpha);
    cJSON_AddNumberToObject(answer, "power", plan->goal.power);
    enum reason reason = users_needed(baseline, plan, answer, &users, &always_valid);
    if (reason == REASON_NONE) {
        cJSON_AddNumberToObject(answer, "users_per_day",
                                plan->per_day > 0 ? plan->per_day : lately);
        add_duration(plan, users, lately, answer);
        add_duration(plan, always_valid, lately, cJSON_AddObjectToObject(answer, "always_valid"));
    } else {
        cJSON_AddStringToObject(answer, "reason", reason_name(reason));
    }
    return answer;
}

void route_experiment_plan(struct admin_call *c)
{
    static const struct pg_statement statement = {.name = "experiment_baseline",
                                                  .sql =
                                                      "select uplift_batch.experiment_baseline($1)",
                                                  .params = 1};
    struct api_error error;
    struct json_error wrong;
    struct plan plan;
    PGresult *result = NULL;
    char *arguments = admin_arguments(c, &error), *text = NULL;
    cJSON *query = arguments != NULL ? json_parse(arguments, strlen(arguments), &wrong) : NULL;
    cJSON *baseline = NULL, *answer = NULL;
    bool good = arguments != NULL && (query != NULL || api_error_no_memory(&error)) &&
                read_plan(query, &plan, &error) &&
                admin_query(c, &statement, (const char *[]){arguments}, &result, &error);
    if (good) {
        baseline = json_parse(PQgetvalue(result, 0, 0), (size_t)PQgetlength(result, 0, 0), &wrong);
        answer = baseline != NULL ? make_answer(baseline, &plan) : NULL;
        text = answer != NULL ? cJSON_PrintUnformatted(answer) : NULL;
        good = text != NULL || api_error_no_memory(&error);
    }
    if (good)
        request_reply(c->request, 200, "application/json", NULL, text, strlen(text));
    else
        request_fail(c->request, &error, NULL);
    cJSON_free(text);
    cJSON_Delete(answer);
    cJSON_Delete(baseline);
    cJSON_Delete(query);
    cJSON_free(arguments);
    PQclear(result);
}
