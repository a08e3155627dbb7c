/*
 * An experiment's result: control and treatment compared by the sums over their users. This is what
 * others call; the files beside it have the single statistics.
 *
 *   struct comparison_settings settings = comparison_settings(METRIC_RATIO);
 *   struct comparison c;
 *   compare_arms(&control, &treatment, &settings, &c);
 *   if (c.reason == REASON_NONE)
 *       always_valid_add(&kept, c.always_valid.p, c.always_valid.interval);
 */
#ifndef UPLIFT_STATISTICS_COMPARE_H
#define UPLIFT_STATISTICS_COMPARE_H

#include "arm_sums.h"
#include "distribution.h"
#include "reason.h"
#include "sequential.h"

#include <stdbool.h>

struct comparison_settings {
    enum metric_kind kind;
    double
        alpha; /* of intervals and CUPED's; for several treatments or metrics, see mean.h's Holm */
    double min_users;     /* of each arm, and with a value from before for CUPED; at least 2 */
    double tuning_users;  /* of the confidence sequence */
    bool lower_is_better; /* such as for complaints: turns the chance to win and the losses round */
    bool uses_cuped;      /* where there are values from before */
};

/* alpha 0.05, min_users 10, tuning_users SEQUENTIAL_TUNING_USERS, CUPED used. */
struct comparison_settings comparison_settings(enum metric_kind kind);

/* One arm by itself, never adjusted. */
struct arm_estimate {
    enum reason reason; /* of the estimate; REASON_NONE: it is there */
    double users;
    double value;             /* mean, share or ratio */
    bool has_interval;        /* users are enough and not all the same; of a share always */
    double se;                /* 0 without an interval */
    struct interval interval; /* by Student's t, of a share Wilson's; 1 - alpha */
};

struct verdict {
    double p;                          /* two-sided */
    struct interval interval;          /* of the difference, 1 - alpha */
    struct interval relative_interval; /* of the relative difference, where there is one */
};

struct comparison {
    /* Why nothing can be said of the difference. The estimates may be there all the same; all else
     * is 0. */
    enum reason reason;
    struct arm_estimate control, treatment;

    double difference; /* treatment - control, adjusted by CUPED where that was used */
    double se;
    double df; /* of Student's t; 0: the normal distribution */
    /* "pooled z", "Fisher", "Welch t" or "delta t"; static. With CUPED it is one of the latter two.
     */
    const char *method;

    struct verdict fixed;        /* for one look, at the planned end */
    struct verdict always_valid; /* for any look; at this one, by itself: see always_valid_add() */

    enum reason relative_reason; /* REASON_ZERO_BASELINE: there is no relative difference */
    double relative;             /* difference / control: 0.1 is 10 % more */

    double chance_to_win;  /* probability that the treatment is better */
    double loss_treatment; /* expected loss, in the metric's unit, of shipping it if it is worse */
    double loss_control;   /* and of not shipping it if it is better */

    enum reason cuped_reason;     /* REASON_NONE: it was used. REASON_NO_PRE_EXPOSURE also where not
                                     asked for */
    double theta;                 /* 0 without */
    double variance_reduction;    /* share, 0 to 1; 0 without */
    double unadjusted_difference; /* the same as difference, and as se, without */
    double unadjusted_se;
};

/*
 * Compares the arms. What there is is finite; the result's reason says why there is nothing, in
 * this order: REASON_INVALID_INPUT, REASON_NO_USERS (in either arm), REASON_ONE_ARM_EMPTY,
 * REASON_NO_ANSWERS, REASON_TOO_FEW_USERS, REASON_FEW_USERS_DOMINATE (fewer than min_users by
 * arm_effective_users()), REASON_ZERO_VARIANCE (also when all users of both arms succeed, or none;
 * of other ratios and means also when the arms differ).
 *
 * Means: Welch's t. Ratios: the same with the delta method's variances, each times (k - 1)/k e/(e -
 * 1) and with e - 1 degrees of freedom, of k users with e = arm_effective_users(): without that,
 * intervals are too narrow where a few users have many of the answers. Shares: the pooled z test,
 * or Fisher's where fewer than 5 successes or failures are expected in an arm, Newcombe's interval,
 * and the chance to win and losses by beta distributions; elsewhere by normal ones with a flat
 * prior. So are ratios judged where all answers of one arm succeed and none of the other's, with
 * each effective user as one trial: no variance is left, as when every answer of a variant fails.
 * The confidence sequence takes the unpooled standard error of shares, and the pooled one where an
 * arm has none or all that succeed. With CUPED shares are treated as means.
 *
 * The relative difference's variance is the delta method's, with the control's own variance and its
 * covariance with the difference; its interval is symmetric.
 */
void compare_arms(const struct arm_sums *control, const struct arm_sums *treatment,
                  const struct comparison_settings *settings, struct comparison *out);

#endif
