/* Judging an experiment; see experiment_look.h. */
#include "experiment_look.h"

#include "common/json.h"
#include "statistics/compare.h"
#include "statistics/mean.h"
#include "statistics/sequential.h"
#include "statistics/srm.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define TEXT_MAX 1000
#define LEAST_NUMBER 1e-30 /* nearer to 0 is no news, and has a hundred digits in jsonb */

struct look {
    const cJSON *sums;     /* borrowed */
    const cJSON *variants; /* their names, control first */
    size_t count;          /* of variants */
    double min_users;      /* of each variant, and of what the deciding metric is of as many */
    double alpha;
    /* Of each guardrail and variant: there are several, and the chance that any is said to be
     * crossed by mistake is alpha. */
    double guardrail_alpha;
    double elapsed; /* share of the time that it may take which is over; 0: no end is planned */
    cJSON *looks;
    bool is_mismatch;
    bool is_small; /* a variant has too few users for a conclusion */
    /* The worst that any variant does by a guardrail; "" for nothing. */
    char crossed[TEXT_MAX];
    bool has_crossed[SRM_ARMS_MAX];
};

/* One metric. */
struct metric {
    const char *name;
    bool decides;
    int better; /* 1: more is, -1: less is */
    struct comparison_settings settings;
    const cJSON *guardrail; /* NULL: it is none */
    struct arm_sums arms[SRM_ARMS_MAX];
    bool has_arm[SRM_ARMS_MAX];
    struct comparison compared[SRM_ARMS_MAX];
    struct comparison guarded[SRM_ARMS_MAX]; /* by guardrail_alpha, where there is a guardrail */
    struct always_valid kept[SRM_ARMS_MAX];
    double adjusted[SRM_ARMS_MAX]; /* p; negative: none */
};

static const char *name_of(const struct look *l, size_t i)
{
    const char *name = cJSON_GetStringValue(cJSON_GetArrayItem(l->variants, (int)i));
    return name != NULL ? name : "";
}

static double kept_number(double x)
{
    return x != 0 && fabs(x) < LEAST_NUMBER ? copysign(LEAST_NUMBER, x) : x;
}

static void add_number(cJSON *o, const char *name, double x)
{
    cJSON_AddNumberToObject(o, name, kept_number(x));
}

static void add_interval(cJSON *figures, const char *name, struct interval interval)
{
    const double ends[] = {kept_number(interval.lower), kept_number(interval.upper)};
    cJSON_AddItemToObject(figures, name, cJSON_CreateDoubleArray(ends, 2));
}

static void add_look(struct look *l, const char *metric, const char *variant, cJSON *figures)
{
    cJSON *one = cJSON_CreateObject();
    cJSON_AddStringToObject(one, "metric", metric);
    cJSON_AddStringToObject(one, "variant", variant);
    cJSON_AddItemToObject(one, "figures", figures);
    cJSON_AddItemToArray(l->looks, one);
}

/* --- the sample ratio --- */

static size_t read_numbers(const cJSON *array, double *out, size_t most)
{
    size_t count = 0;
    const cJSON *item;
    cJSON_ArrayForEach (item, array)
        if (count < most)
            out[count++] = cJSON_IsNumber(item) ? item->valuedouble : 0;
    return count;
}

/* Goes on with what the last look knew; users who were deleted since make it begin anew. */
static enum reason add_users(struct srm_sequence *s, const double *weights, const double *users,
                             size_t count, const cJSON *before)
{
    double known[SRM_ARMS_MAX] = {0}, more[SRM_ARMS_MAX];
    bool goes_on = read_numbers(cJSON_GetObjectItemCaseSensitive(before, "users"), known,
                                SRM_ARMS_MAX) == count;
    enum reason reason = srm_sequence_begin(s, weights, count);
    if (reason != REASON_NONE)
        return reason;
    for (size_t i = 0; i < count; i++)
        goes_on = goes_on && users[i] >= known[i];
    for (size_t i = 0; i < count; i++) {
        s->users[i] = goes_on ? known[i] : 0;
        more[i] = users[i] - s->users[i];
    }
    if (before != NULL)
        s->p = json_number(before, "p", 1);
    return srm_sequence_add(s, more);
}

static void look_at_users(struct look *l)
{
    double users[SRM_ARMS_MAX], weights[SRM_ARMS_MAX], sum = 0;
    struct srm_sequence s;
    const cJSON *before = cJSON_GetObjectItemCaseSensitive(l->sums, "srm_before");
    cJSON *figures = cJSON_CreateObject();
    size_t n = read_numbers(cJSON_GetObjectItemCaseSensitive(l->sums, "users"), users, l->count);
    size_t m =
        read_numbers(cJSON_GetObjectItemCaseSensitive(l->sums, "weights"), weights, l->count);
    cJSON_AddItemToObject(figures, "users", cJSON_CreateDoubleArray(users, (int)n));
    for (size_t i = 0; i < m; i++)
        sum += weights[i];
    for (size_t i = 0; i < m; i++)
        weights[i] = sum > 0 ? weights[i] / sum : 0;
    cJSON_AddItemToObject(figures, "shares", cJSON_CreateDoubleArray(weights, (int)m));
    if (json_bool(l->sums, "had_other_weights", false)) {
        cJSON_AddStringToObject(figures, "reason", "weights_changed");
    } else {
        enum reason reason =
            n == l->count && m == l->count
                ? add_users(&s, weights, users, n, cJSON_IsObject(before) ? before : NULL)
                : REASON_INVALID_INPUT;
        if (reason != REASON_NONE) {
            cJSON_AddStringToObject(figures, "reason", reason_name(reason));
        } else {
            l->is_mismatch = s.p < SRM_SEQUENCE_THRESHOLD;
            add_number(figures, "p", s.p);
            cJSON_AddBoolToObject(figures, "is_mismatch", l->is_mismatch);
        }
    }
    for (size_t i = 0; i < l->count; i++)
        l->is_small |= i >= n || users[i] < l->min_users;
    add_look(l, "users", "", figures);
}

/* --- a metric --- */

static bool read_arm(const cJSON *o, struct arm_sums *out)
{
    if (!cJSON_IsObject(o))
        return false;
    *out = (struct arm_sums){
        .users = json_number(o, "users", 0),
        .sx = json_number(o, "sx", 0),
        .sxx = json_number(o, "sxx", 0),
        .sn = json_number(o, "sn", 0),
        .sxn = json_number(o, "sxn", 0),
        .snn = json_number(o, "snn", 0),
        .pre_users = json_number(o, "pre_users", 0),
        .sp = json_number(o, "sp", 0),
        .spp = json_number(o, "spp", 0),
        .spx = json_number(o, "spx", 0),
        .spn = json_number(o, "spn", 0),
        .pre_sx = json_number(o, "pre_sx", 0),
        .pre_sn = json_number(o, "pre_sn", 0),
    };
    return true;
}

static void read_kept(const cJSON *o, struct always_valid *out)
{
    *out = (struct always_valid){0};
    if (!cJSON_IsObject(o) || !cJSON_HasObjectItem(o, "p"))
        return;
    *out = (struct always_valid){
        .has_begun = true,
        .p = json_number(o, "p", 1),
        .interval = {json_number(o, "lower", 0), json_number(o, "upper", 0)},
        .has_drifted = json_bool(o, "has_drifted", false),
    };
}

static const cJSON *guardrail_of(const struct look *l, const char *metric)
{
    const cJSON *one;
    cJSON_ArrayForEach (one, cJSON_GetObjectItemCaseSensitive(l->sums, "guardrails")) {
        const char *name = json_string(one, "metric");
        if (name != NULL && strcmp(name, metric) == 0)
            return one;
    }
    return NULL;
}

static bool read_metric(const struct look *l, const cJSON *o, struct metric *m)
{
    const char *kind = json_string(o, "kind"), *decides = json_string(l->sums, "success_metric");
    memset(m, 0, sizeof *m);
    m->name = json_string(o, "metric");
    if (m->name == NULL || kind == NULL)
        return false;
    m->decides = decides != NULL && strcmp(decides, m->name) == 0;
    m->better = json_number(o, "better", 1) < 0 ? -1 : 1;
    m->settings = comparison_settings(strcmp(kind, "ratio") == 0   ? METRIC_RATIO
                                      : strcmp(kind, "share") == 0 ? METRIC_SHARE
                                                                   : METRIC_MEAN);
    m->settings.alpha = l->alpha;
    m->settings.tuning_users = json_number(l->sums, "tuning_users", SEQUENTIAL_TUNING_USERS);
    m->settings.lower_is_better = m->better < 0;
    m->settings.uses_cuped = m->settings.kind != METRIC_SHARE;
    m->guardrail = guardrail_of(l, m->name);
    for (size_t i = 0; i < l->count; i++) {
        m->has_arm[i] = read_arm(
            cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(o, "sums"), (int)i), &m->arms[i]);
        read_kept(cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(o, "before"), (int)i),
                  &m->kept[i]);
        m->adjusted[i] = -1;
    }
    return true;
}

static void compare(const struct look *l, struct metric *m)
{
    double p[SRM_ARMS_MAX], adjusted[SRM_ARMS_MAX];
    size_t of[SRM_ARMS_MAX], count = 0;
    struct comparison_settings guarding = m->settings;
    guarding.alpha = l->guardrail_alpha;
    for (size_t i = 1; i < l->count; i++) {
        struct comparison *c = &m->compared[i];
        compare_arms(&m->arms[0], &m->arms[i], &m->settings, c);
        if (m->guardrail != NULL)
            compare_arms(&m->arms[0], &m->arms[i], &guarding, &m->guarded[i]);
        if (c->reason == REASON_NONE)
            always_valid_add(&m->kept[i], c->always_valid.p, c->always_valid.interval);
        if (m->kept[i].has_begun) {
            of[count] = i;
            p[count++] = m->kept[i].p;
        }
    }
    /* As many as there are variants, whether they can be judged yet or not. */
    for (size_t i = count; i < l->count - 1; i++)
        p[i] = 1;
    if (count > 0 && holm_adjust(p, l->count - 1, adjusted) == REASON_NONE)
        for (size_t i = 0; i < count; i++)
            m->adjusted[of[i]] = adjusted[i];
}

/* Whether a variant has at least as many of what the metric is of (thumbs, answers) as it needs
 * users; a mean is of users. */
static bool has_events(const struct look *l, const struct metric *m, size_t i)
{
    return m->settings.kind != METRIC_RATIO || m->arms[i].sn >= l->min_users;
}

/* Whether a variant is worse than a guardrail lets it be: -1 when that cannot be said. */
static int crosses(const struct metric *m, const struct comparison *c)
{
    if (c->reason != REASON_NONE)
        return -1;
    /* Of nothing there is no share: then any worse that is proven is too much. */
    if (c->relative_reason != REASON_NONE)
        return m->better > 0 ? c->always_valid.interval.upper < 0
                             : c->always_valid.interval.lower > 0;
    double most = json_number(m->guardrail, "max_worse", 0);
    struct interval i = c->always_valid.relative_interval;
    return m->better > 0 ? i.upper < -most : i.lower > most;
}

static void note_crossed(struct look *l, const struct metric *m, size_t i)
{
    const struct comparison *c = &m->compared[i];
    l->has_crossed[i] = true;
    if (l->crossed[0] == '\0')
        snprintf(l->crossed, sizeof l->crossed,
                 "guardrail %s: variant \"%.200s\" has %.4g against %.4g of control, worse by more "
                 "than %.4g of it",
                 m->name, name_of(l, i), c->treatment.value, c->control.value,
                 json_number(m->guardrail, "max_worse", 0));
}

static void add_estimate(cJSON *figures, const struct arm_estimate *arm)
{
    cJSON_AddNumberToObject(figures, "users", arm->users);
    if (arm->reason != REASON_NONE) {
        cJSON_AddStringToObject(figures, "reason", reason_name(arm->reason));
        return;
    }
    add_number(figures, "value", arm->value);
    if (arm->has_interval)
        add_interval(figures, "value_interval", arm->interval);
}

static void add_always_valid(cJSON *figures, const struct metric *m, size_t i)
{
    const struct always_valid *kept = &m->kept[i];
    if (!kept->has_begun)
        return;
    cJSON *o = cJSON_AddObjectToObject(figures, "always_valid");
    add_number(o, "p", kept->p);
    if (m->adjusted[i] >= 0)
        add_number(o, "adjusted_p", m->adjusted[i]);
    add_number(o, "lower", kept->interval.lower);
    add_number(o, "upper", kept->interval.upper);
    cJSON_AddBoolToObject(o, "has_drifted", kept->has_drifted);
}

static void add_cuped(cJSON *figures, const struct comparison *c)
{
    cJSON *o = cJSON_AddObjectToObject(figures, "cuped");
    if (c->cuped_reason != REASON_NONE) {
        cJSON_AddStringToObject(o, "reason", reason_name(c->cuped_reason));
        return;
    }
    add_number(o, "variance_reduction", c->variance_reduction);
    add_number(o, "theta", c->theta);
    add_number(o, "unadjusted_difference", c->unadjusted_difference);
    add_number(o, "unadjusted_se", c->unadjusted_se);
}

/* Of the metric that decides, where an end is planned and there is enough to tell. */
static void add_chance_to_prove(const struct look *l, const struct metric *m, size_t i,
                                cJSON *figures)
{
    const struct comparison *c = &m->compared[i];
    double chance;
    if (!m->decides || l->is_mismatch || !has_events(l, m, 0) || !has_events(l, m, i) ||
        chance_to_prove(c->difference * m->better, c->se, m->arms[0].users + m->arms[i].users,
                        l->alpha, m->settings.tuning_users, l->elapsed, &chance) != REASON_NONE)
        return;
    add_number(figures, "chance_to_prove", chance);
    add_number(figures, "elapsed", l->elapsed);
}

static void add_comparison(cJSON *figures, const struct comparison *c)
{
    add_number(figures, "difference", c->difference);
    add_number(figures, "se", c->se);
    cJSON_AddStringToObject(figures, "method", c->method);
    add_number(figures, "p", c->fixed.p);
    add_interval(figures, "interval", c->fixed.interval);
    if (c->relative_reason == REASON_NONE) {
        add_number(figures, "relative", c->relative);
        add_interval(figures, "relative_interval", c->always_valid.relative_interval);
    }
    add_number(figures, "chance_to_win", c->chance_to_win);
    add_number(figures, "loss_if_shipped", c->loss_treatment);
    add_number(figures, "loss_if_not", c->loss_control);
    add_cuped(figures, c);
}

static void add_figures(struct look *l, const struct metric *m)
{
    for (size_t i = 0; i < l->count; i++) {
        cJSON *figures = cJSON_CreateObject();
        if (i == 0) {
            add_estimate(figures, &m->compared[1].control);
        } else {
            const struct comparison *c = &m->compared[i];
            add_estimate(figures, &c->treatment);
            if (c->reason != REASON_NONE && !cJSON_HasObjectItem(figures, "reason"))
                cJSON_AddStringToObject(figures, "reason", reason_name(c->reason));
            if (c->reason == REASON_NONE) {
                add_comparison(figures, c);
                add_chance_to_prove(l, m, i, figures);
            }
            add_always_valid(figures, m, i);
            if (m->guardrail != NULL) {
                int crossed = crosses(m, &m->guarded[i]);
                if (crossed > 0)
                    note_crossed(l, m, i);
                cJSON_AddStringToObject(figures, "guardrail",
                                        crossed > 0    ? "crossed"
                                        : crossed == 0 ? "ok"
                                                       : "unknown");
                if (m->guarded[i].reason == REASON_NONE &&
                    m->guarded[i].relative_reason == REASON_NONE)
                    add_interval(figures, "guardrail_interval",
                                 m->guarded[i].always_valid.relative_interval);
            }
        }
        add_look(l, m->name, name_of(l, i), figures);
    }
}

/* --- the conclusion --- */

/* By how much a variant is better, negative for worse; 0 while that cannot be said. */
static double proven(const struct look *l, const struct metric *m, size_t i)
{
    const struct comparison *c = &m->compared[i];
    if (c->reason != REASON_NONE || m->adjusted[i] < 0 || m->adjusted[i] > l->alpha)
        return 0;
    /* The p value may be of an earlier look, at which the difference was another one. */
    struct interval all = m->kept[i].interval;
    bool holds = c->difference > 0 ? all.lower > 0 : all.upper < 0;
    return holds ? c->difference * m->better : 0;
}

static void conclude(const struct look *l, const struct metric *m, cJSON *conclusion)
{
    char text[TEXT_MAX] = "no conclusion yet";
    size_t best = 0, worse = 0;
    double by = 0;
    bool has_all = has_events(l, m, 0);
    for (size_t i = 1; i < l->count; i++)
        has_all = has_all && has_events(l, m, i);
    for (size_t i = 1; i < l->count; i++) {
        double gain = proven(l, m, i);
        worse += gain < 0;
        if (gain > by && !l->has_crossed[i]) {
            by = gain;
            best = i;
        }
    }
    double confidence = -1;
    if (l->is_mismatch) {
        snprintf(text, sizeof text,
                 "no conclusion: users came to the variants in other shares "
                 "than they should have (sample ratio mismatch)");
    } else if (l->is_small) {
        snprintf(text, sizeof text, "no conclusion yet: not every variant has %.0f users",
                 l->min_users);
    } else if (!has_all) {
        snprintf(text, sizeof text,
                 "no conclusion yet: not every variant has %.0f of what %s is a share of",
                 l->min_users, m->name);
    } else if (best > 0) {
        confidence = 1 - m->adjusted[best];
        snprintf(text, sizeof text, "\"%.200s\" is better: %s %.4g against %.4g of control",
                 name_of(l, best), m->name, m->compared[best].treatment.value,
                 m->compared[best].control.value);
    } else if (worse == l->count - 1) {
        confidence = 1;
        for (size_t i = 1; i < l->count; i++)
            confidence = fmin(confidence, 1 - m->adjusted[i]);
        snprintf(text, sizeof text, "\"%.200s\" is better than all others by %s", name_of(l, 0),
                 m->name);
    }
    if (confidence >= 0) {
        cJSON_AddStringToObject(conclusion, "winner", name_of(l, best));
        add_number(conclusion, "confidence", confidence);
    }
    cJSON_AddStringToObject(conclusion, "text", text);
}

cJSON *experiment_look(const cJSON *sums)
{
    struct look l = {.sums = sums,
                     .variants = cJSON_GetObjectItemCaseSensitive(sums, "variants"),
                     .min_users = json_number(sums, "min_users", 100),
                     .alpha = json_number(sums, "alpha", 0.05),
                     .elapsed = json_number(sums, "elapsed", 0)};
    struct metric m, deciding = {0};
    const cJSON *item;
    l.count = (size_t)cJSON_GetArraySize(l.variants);
    if (l.count < 2 || l.count > SRM_ARMS_MAX)
        return NULL;
    cJSON *result = cJSON_CreateObject();
    l.looks = cJSON_AddArrayToObject(result, "looks");
    cJSON *conclusion = cJSON_AddObjectToObject(result, "conclusion");
    if (conclusion == NULL) {
        cJSON_Delete(result);
        return NULL;
    }
    int guardrails = cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(sums, "guardrails"));
    l.guardrail_alpha = bonferroni_alpha(l.alpha, (size_t)guardrails * (l.count - 1));
    look_at_users(&l);
    cJSON_ArrayForEach (item, cJSON_GetObjectItemCaseSensitive(sums, "metrics")) {
        if (!read_metric(&l, item, &m))
            continue;
        compare(&l, &m);
        add_figures(&l, &m);
        if (m.decides)
            deciding = m;
    }
    if (deciding.name != NULL)
        conclude(&l, &deciding, conclusion);
    if (l.crossed[0] != '\0')
        cJSON_AddStringToObject(conclusion, "guardrail", l.crossed);
    return result;
}
