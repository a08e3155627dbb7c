/* One made-up experiment. */
#include "trial.h"

#include "population.h"
#include "statistics/compare.h"
#include "statistics/proportion.h"
#include "statistics/sequential.h"
#include "statistics/srm.h"

#include <gsl/gsl_randist.h>
#include <math.h>
#include <stdlib.h>

/* An experiment under way. */
struct life {
    const struct trial_plan *plan;
    struct person *people; /* by the day they come; owned */
    int came;
    struct arm_sums sums[2];
    double today[2]; /* users who came to each arm */
    struct always_valid kept;
    struct srm_sequence srm;
};

static bool has(struct interval i, double value)
{
    return i.lower <= value && value <= i.upper;
}

static void win(struct winners *w, bool wins)
{
    w->at_end = wins;
    w->on_any_day = w->on_any_day || wins;
}

/* Users come evenly over the days. */
static void live_day(gsl_rng *random, struct life *l, int day)
{
    const struct trial_plan *plan = l->plan;
    int until = (int)((long long)plan->users * (day + 1) / plan->days);
    l->today[0] = l->today[1] = 0;
    for (; l->came < until; l->came++) {
        struct person *p = &l->people[l->came];
        *p = person_make(random, plan->lift);
        arm_sums_add(&l->sums[p->arm], 0, 0, NULL);
        l->today[p->arm]++;
    }
    for (int i = 0; i < l->came; i++) {
        struct person *p = &l->people[i], before = *p;
        if (person_live(random, p)) {
            arm_sums_remove(&l->sums[p->arm], before.likes, before.answers, NULL);
            arm_sums_add(&l->sums[p->arm], p->likes, p->answers, NULL);
        }
    }
}

static void look_at_sample_ratio(struct life *l, struct trial *out)
{
    static const double even[] = {1, 1};
    double all[2] = {l->sums[0].users, l->sums[1].users};
    struct srm daily;
    if (srm_sequence_add(&l->srm, l->today) == REASON_NONE)
        out->srm_alarm = l->srm.p < SRM_SEQUENCE_THRESHOLD;
    if (srm_test(all, even, 2, &daily) == REASON_NONE && daily.is_mismatch)
        out->srm_daily_alarm = true;
}

static void look_naively(const struct life *l, struct trial *out)
{
    struct trials a = {.successes = l->sums[0].sx, .count = l->sums[0].sn};
    struct trials b = {.successes = l->sums[1].sx, .count = l->sums[1].sn};
    struct proportion_difference d;
    win(&out->naive,
        proportion_compare(a, b, TRIAL_ALPHA, &d) == REASON_NONE && d.p <= TRIAL_ALPHA);
}

/* Whether autopilot would stop it, by this look alone. */
static void look_at_chance(const struct life *l, const struct comparison *c, int day,
                           struct trial *out)
{
    double chance, elapsed = (day + 1.0) / l->plan->days;
    if (out->first_day == 0 && out->futile_day == 0 && elapsed >= TRIAL_CHANCE_FROM &&
        c->reason == REASON_NONE &&
        chance_to_prove(c->difference, c->se, l->sums[0].users + l->sums[1].users, TRIAL_ALPHA,
                        SEQUENTIAL_TUNING_USERS, elapsed, &chance) == REASON_NONE &&
        chance < TRIAL_MIN_CHANCE)
        out->futile_day = day + 1;
}

static void look(struct life *l, int day, struct trial *out)
{
    double truth = population_ratio() * l->plan->lift;
    struct comparison_settings settings = comparison_settings(METRIC_RATIO);
    struct comparison c;
    settings.alpha = TRIAL_ALPHA;
    compare_arms(&l->sums[0], &l->sums[1], &settings, &c);
    bool says = c.reason == REASON_NONE;
    if (says)
        always_valid_add(&l->kept, c.always_valid.p, c.always_valid.interval);
    win(&out->fixed, says && c.fixed.p <= TRIAL_ALPHA);
    win(&out->always_valid, l->kept.has_begun && l->kept.p <= TRIAL_ALPHA);
    if (out->always_valid.on_any_day && out->first_day == 0)
        out->first_day = day + 1;
    look_at_chance(l, &c, day, out);
    /* What says nothing says nothing wrong. */
    bool is_silent = !says || c.relative_reason != REASON_NONE;
    out->always_valid_covers =
        out->always_valid_covers && (!says || has(c.always_valid.interval, truth));
    out->always_valid_relative_covers =
        out->always_valid_relative_covers &&
        (is_silent || has(c.always_valid.relative_interval, l->plan->lift));
    out->fixed_covers = !says || has(c.fixed.interval, truth);
    out->relative_covers = is_silent || has(c.fixed.relative_interval, l->plan->lift);
    look_naively(l, out);
    look_at_sample_ratio(l, out);
}

bool trial_run(gsl_rng *random, const struct trial_plan *plan, struct trial *out)
{
    static const double even[] = {1, 1};
    struct life l = {.plan = plan, .people = calloc((size_t)plan->users, sizeof *l.people)};
    *out = (struct trial){.always_valid_covers = true, .always_valid_relative_covers = true};
    if (l.people == NULL || srm_sequence_begin(&l.srm, even, 2) != REASON_NONE) {
        free(l.people);
        return false;
    }
    for (int day = 0; day < plan->days; day++) {
        live_day(random, &l, day);
        look(&l, day, out);
    }
    free(l.people);
    return true;
}

void srm_trial_run(gsl_rng *random, const struct trial_plan *plan, struct srm_trial *out)
{
    static const double even[] = {1, 1};
    struct srm_sequence s;
    struct srm end;
    *out = (struct srm_trial){.is_found = false};
    if (srm_sequence_begin(&s, even, 2) != REASON_NONE)
        return;
    for (int day = 0; day < plan->days; day++) {
        unsigned arm = (unsigned)(plan->users / plan->days / 2);
        double today[2] = {arm, gsl_ran_binomial(random, 1 - TRIAL_LOST_SHARE, arm)};
        out->is_found = srm_sequence_add(&s, today) == REASON_NONE && s.p < SRM_SEQUENCE_THRESHOLD;
    }
    out->is_found_at_end = srm_test(s.users, even, 2, &end) == REASON_NONE && end.is_mismatch;
}

/* The sums of users of whom so many have 1. */
static struct arm_sums share_sums(unsigned successes, unsigned users)
{
    return (struct arm_sums){.users = users, .sx = successes, .sxx = successes};
}

void share_trial_run(gsl_rng *random, unsigned users, struct share_trial *out)
{
    struct arm_sums a = share_sums(gsl_ran_binomial(random, TRIAL_SHARE, users), users);
    struct arm_sums b = share_sums(gsl_ran_binomial(random, TRIAL_SHARE_LIFTED, users), users);
    struct comparison_settings settings = comparison_settings(METRIC_SHARE);
    struct comparison c;
    settings.alpha = TRIAL_ALPHA;
    compare_arms(&a, &b, &settings, &c);
    *out = (struct share_trial){
        .wins = c.reason == REASON_NONE && c.fixed.p <= TRIAL_ALPHA,
        .covers =
            c.reason == REASON_NONE && has(c.fixed.interval, TRIAL_SHARE_LIFTED - TRIAL_SHARE),
    };
}

void cuped_trial_run(gsl_rng *random, struct cuped_trial *out)
{
    struct arm_sums arms[2] = {{0}};
    struct comparison_settings settings = comparison_settings(METRIC_MEAN);
    struct comparison c;
    settings.alpha = TRIAL_ALPHA;
    for (int arm = 0; arm < 2; arm++)
        for (int i = 0; i < TRIAL_CUPED_USERS; i++) {
            double before = gsl_ran_gaussian_ziggurat(random, 1);
            double after =
                TRIAL_CUPED_RHO * before + TRIAL_CUPED_DIFFERENCE * arm +
                gsl_ran_gaussian_ziggurat(random, sqrt(1 - TRIAL_CUPED_RHO * TRIAL_CUPED_RHO));
            bool is_known = gsl_rng_uniform(random) < TRIAL_CUPED_KNOWN;
            arm_sums_add(&arms[arm], after, 1, is_known ? &before : NULL);
        }
    compare_arms(&arms[0], &arms[1], &settings, &c);
    *out = (struct cuped_trial){
        .difference = c.difference,
        .unadjusted = c.unadjusted_difference,
        .variance_reduction = c.variance_reduction,
        .covers = c.reason == REASON_NONE && has(c.fixed.interval, TRIAL_CUPED_DIFFERENCE),
    };
}
