/* An experiment's result. */
#include "compare.h"

#include "mean.h"
#include "proportion.h"

#include <math.h>

/* Where fewer are expected in an arm, the pooled z test's distribution is not normal. */
#define EXPECTED_MIN 5

struct comparison_settings comparison_settings(enum metric_kind kind)
{
    return (struct comparison_settings){.kind = kind,
                                        .alpha = 0.05,
                                        .min_users = 10,
                                        .tuning_users = SEQUENTIAL_TUNING_USERS,
                                        .uses_cuped = true};
}

/* What is compared: both arms brought to one form, and the difference with its variances. */
struct work {
    const struct comparison_settings *settings;
    struct arm_sums sums[2];
    struct arm_moments moments[2];
    double correction[2]; /* of each arm's variance, for a small number of effective users */
    double df[2];
    double variance[2];        /* of each arm's part of the difference */
    double control_covariance; /* of the control's value and the difference */
};

/* Of an arm whose answers all succeed, or none does, each user is one trial; effective ones, so
 * that few with many answers are few. */
static struct trials trials_of(const struct work *w, int arm)
{
    const struct arm_sums *s = &w->sums[arm];
    if (w->settings->kind == METRIC_SHARE)
        return (struct trials){.successes = s->sx, .count = s->users};
    double users = arm_effective_users(s);
    return (struct trials){.successes = w->moments[arm].value * users, .count = users};
}

/* Whether all answers of one arm succeed and none of the other's: nothing varies, and nothing could
 * be plainer. */
static bool is_all_or_none(const struct work *w)
{
    double a = w->moments[0].value, b = w->moments[1].value;
    return w->settings->kind == METRIC_RATIO && fmin(a, b) == 0 && fmax(a, b) == 1 &&
           w->moments[0].variance + w->moments[1].variance == 0;
}

static bool settings_are_good(const struct comparison_settings *s)
{
    return probability_is_good(s->alpha) && s->min_users >= 2 && s->min_users <= USERS_MAX &&
           s->tuning_users >= 1 && s->tuning_users <= USERS_MAX;
}

static bool has_users(const struct work *w)
{
    for (int i = 0; i < 2; i++)
        if (w->sums[i].users < w->settings->min_users)
            return false;
    return true;
}

/* Less a hair, since as many users with the same n are just enough. */
static bool is_dominated(const struct work *w, int arm)
{
    return arm_effective_users(&w->sums[arm]) < w->settings->min_users * (1 - 1e-9);
}

/* Of a ratio's users, those with many answers pull the ratio towards their own rate, so that what
 * is left for the variance is too small: with 1 / effective users of all answers each, by that
 * share. */
static void correct(struct work *w, int arm)
{
    double users = w->sums[arm].users, effective = arm_effective_users(&w->sums[arm]);
    w->df[arm] = effective - 1;
    w->correction[arm] = effective > 1 ? (users - 1) / users * (effective / (effective - 1)) : 1;
}

static void estimate_arm(struct work *w, int arm, struct arm_estimate *e)
{
    const struct arm_sums *sums = &w->sums[arm];
    struct arm_moments *m = &w->moments[arm];
    double alpha = w->settings->alpha;
    *e = (struct arm_estimate){.users = sums->users, .reason = arm_moments(sums, m)};
    if (e->reason != REASON_NONE)
        return;
    e->value = m->value;
    correct(w, arm);
    m->variance *= w->correction[arm];
    if (w->settings->kind == METRIC_SHARE) {
        e->se = sqrt(m->value * (1 - m->value) / sums->users);
        e->has_interval =
            proportion_interval(trials_of(w, arm), alpha, &e->interval) == REASON_NONE;
    } else if (sums->users >= w->settings->min_users && !is_dominated(w, arm) && m->variance > 0) {
        e->se = sqrt(m->variance);
        double half = e->se * t_quantile(1 - alpha / 2, w->df[arm]);
        e->interval = (struct interval){m->value - half, m->value + half};
        e->has_interval = true;
    }
}

/* Why the arms cannot be compared, by what the estimates are. */
static enum reason look_at_arms(const struct work *w, const struct comparison *c)
{
    enum reason a = c->control.reason, b = c->treatment.reason;
    if (a == REASON_INVALID_INPUT || b == REASON_INVALID_INPUT)
        return REASON_INVALID_INPUT;
    if (a == REASON_NO_USERS && b == REASON_NO_USERS)
        return REASON_NO_USERS;
    if (a == REASON_NO_USERS || b == REASON_NO_USERS)
        return REASON_ONE_ARM_EMPTY;
    if (a != REASON_NONE || b != REASON_NONE)
        return a != REASON_NONE ? a : b;
    if (!has_users(w))
        return REASON_TOO_FEW_USERS;
    if (is_dominated(w, 0) || is_dominated(w, 1))
        return REASON_FEW_USERS_DOMINATE;
    return w->moments[0].variance + w->moments[1].variance > 0 || is_all_or_none(w) ||
                   (w->settings->kind == METRIC_SHARE && w->moments[0].value != w->moments[1].value)
               ? REASON_NONE
               : REASON_ZERO_VARIANCE;
}

static void adjust(struct work *w, struct comparison *c)
{
    struct cuped cuped;
    double before = 0, after[2];
    for (int i = 0; i < 2; i++)
        before += w->variance[i] = w->moments[i].variance;
    w->control_covariance = -w->variance[0];
    c->difference = c->unadjusted_difference = w->moments[1].value - w->moments[0].value;
    c->unadjusted_se = sqrt(before);
    c->cuped_reason = w->settings->uses_cuped
                          ? cuped_adjust(&w->sums[0], &w->sums[1], w->settings->min_users, &cuped)
                          : REASON_NO_PRE_EXPOSURE;
    if (c->cuped_reason != REASON_NONE)
        return;
    after[0] = cuped.variance_control * w->correction[0];
    after[1] = cuped.variance_treatment * w->correction[1];
    if (!(after[0] + after[1] < before)) {
        c->cuped_reason = REASON_NO_GAIN;
        return;
    }
    c->difference = cuped.difference;
    c->theta = cuped.theta;
    c->variance_reduction = 1 - (after[0] + after[1]) / before;
    w->control_covariance += cuped.theta * cuped.covariance_control * w->correction[0];
    for (int i = 0; i < 2; i++)
        w->variance[i] = after[i];
}

/* By how much wider than the difference's interval the relative one's is; 0: there is none. */
static double relative_scale(const struct work *w, struct comparison *c)
{
    double base = w->moments[0].value, relative = base != 0 ? c->difference / base : 0;
    double variance = c->se * c->se + relative * relative * w->moments[0].variance -
                      2 * relative * w->control_covariance;
    double scale = base != 0 ? sqrt(fmax(0, variance)) / fabs(base) / c->se : 0;
    /* A base that is a hair off 0 is at 0. */
    if (base == 0 || !(fabs(relative) <= STATISTICS_MAX) || !(scale * c->se <= STATISTICS_MAX)) {
        c->relative_reason = REASON_ZERO_BASELINE;
        return 0;
    }
    c->relative = relative;
    return scale;
}

static void set_relative(const struct comparison *c, struct verdict *v, double half, double scale)
{
    if (c->relative_reason == REASON_NONE)
        v->relative_interval =
            (struct interval){c->relative - half * scale, c->relative + half * scale};
}

static bool expects_few(struct trials a, struct trials b)
{
    double p = (a.successes + b.successes) / (a.count + b.count);
    return fmin(a.count, b.count) * fmin(p, 1 - p) < EXPECTED_MIN;
}

static enum reason judge_shares(const struct work *w, struct comparison *c)
{
    struct trials a = trials_of(w, 0), b = trials_of(w, 1);
    struct proportion_difference d;
    struct beta_comparison chance;
    enum reason reason = proportion_compare(a, b, w->settings->alpha, &d);
    if (reason == REASON_NONE)
        reason = beta_compare(a, b, &chance);
    if (reason != REASON_NONE)
        return reason;
    bool has_spread =
        a.successes > 0 && a.successes < a.count && b.successes > 0 && b.successes < b.count;
    c->se = c->unadjusted_se = has_spread ? d.se : d.difference / d.z;
    c->method = "pooled z";
    c->fixed.p = d.p;
    if (expects_few(a, b) && proportion_fisher(a, b, &c->fixed.p) == REASON_NONE)
        c->method = "Fisher";
    c->fixed.interval = d.newcombe;
    c->chance_to_win = chance.chance_to_win;
    c->loss_treatment = chance.loss_treatment;
    c->loss_control = chance.loss_control;
    double scale = relative_scale(w, c);
    set_relative(c, &c->fixed, c->se * normal_quantile(1 - w->settings->alpha / 2), scale);
    return REASON_NONE;
}

static enum reason judge_means(const struct work *w, struct comparison *c)
{
    c->se = sqrt(w->variance[0] + w->variance[1]);
    if (!(c->se > 0) || !(c->se <= STATISTICS_MAX))
        return c->se == 0 ? REASON_ZERO_VARIANCE : REASON_INVALID_INPUT;
    c->df = welch_df(w->variance[0], w->df[0], w->variance[1], w->df[1]);
    c->method = w->settings->kind == METRIC_RATIO ? "delta t" : "Welch t";
    double half = c->se * t_quantile(1 - w->settings->alpha / 2, c->df);
    struct beta_comparison chance = normal_compare(c->difference, c->se);
    c->fixed.p = t_two_sided(c->difference / c->se, c->df);
    c->fixed.interval = (struct interval){c->difference - half, c->difference + half};
    c->chance_to_win = chance.chance_to_win;
    c->loss_treatment = chance.loss_treatment;
    c->loss_control = chance.loss_control;
    set_relative(c, &c->fixed, half, relative_scale(w, c));
    return REASON_NONE;
}

static enum reason judge_sequentially(const struct work *w, struct comparison *c)
{
    struct confidence_sequence s;
    double users = w->sums[0].users + w->sums[1].users;
    enum reason reason = confidence_sequence(c->difference, c->se, users, w->settings->alpha,
                                             w->settings->tuning_users, &s);
    if (reason != REASON_NONE)
        return reason;
    c->always_valid.p = s.p;
    c->always_valid.interval = s.interval;
    if (c->relative_reason == REASON_NONE)
        set_relative(c, &c->always_valid, s.half, relative_scale(w, c));
    return REASON_NONE;
}

static enum reason compare(struct work *w, const struct arm_sums *const arms[2],
                           struct comparison *c)
{
    if (!settings_are_good(w->settings))
        return REASON_INVALID_INPUT;
    struct arm_estimate *estimates[2] = {&c->control, &c->treatment};
    for (int i = 0; i < 2; i++) {
        estimates[i]->reason = arm_sums_normalise(w->settings->kind, arms[i], &w->sums[i]);
        if (estimates[i]->reason == REASON_NONE)
            estimate_arm(w, i, estimates[i]);
    }
    enum reason reason = look_at_arms(w, c);
    if (reason != REASON_NONE)
        return reason;
    adjust(w, c);
    bool is_share =
        is_all_or_none(w) || (w->settings->kind == METRIC_SHARE && c->cuped_reason != REASON_NONE);
    reason = is_share ? judge_shares(w, c) : judge_means(w, c);
    return reason == REASON_NONE ? judge_sequentially(w, c) : reason;
}

void compare_arms(const struct arm_sums *control, const struct arm_sums *treatment,
                  const struct comparison_settings *settings, struct comparison *out)
{
    struct work w = {.settings = settings};
    *out = (struct comparison){.method = ""};
    enum reason reason = compare(&w, (const struct arm_sums *const[2]){control, treatment}, out);
    if (reason != REASON_NONE) {
        *out = (struct comparison){
            .reason = reason, .method = "", .control = out->control, .treatment = out->treatment};
    } else if (settings->lower_is_better) {
        double loss = out->loss_treatment;
        out->chance_to_win = 1 - out->chance_to_win;
        out->loss_treatment = out->loss_control;
        out->loss_control = loss;
    }
}
