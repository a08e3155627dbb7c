/* What is known of an arm: sums over its users, as SQL adds them up. The unit is the user, who is
 * what was assigned at random; answers of one user are alike, and are not trials of their own. */
#ifndef UPLIFT_STATISTICS_ARM_SUMS_H
#define UPLIFT_STATISTICS_ARM_SUMS_H

#include "common/must_check.h"
#include "reason.h"

#include <stdbool.h>

enum metric_kind {
    METRIC_MEAN,  /* mean of x over users: messages a user; n does not count */
    METRIC_SHARE, /* share of users with x = 1, all others having 0: users who came back */
    METRIC_RATIO  /* sum of x over sum of n: thumbs up (x) among answers with a thumb (n) */
};

/*
 * All users of the arm are in it, also those with nothing to show (x = n = 0).
 *
 * p is a value of the user from before the first exposure, such as the same metric then; it must
 * not depend on the arm. Users without one (new ones) are not among pre_users: they count as if
 * they had the mean of those who have one. Whether a user has one does not depend on the arm
 * either, so this takes nothing from the comparison's validity, only from what there is to gain.
 */
struct arm_sums {
    double users;
    double sx, sxx;      /* sums of x, x² */
    double sn, sxn, snn; /* sums of n, x n, n²; for METRIC_RATIO only */
    double pre_users;    /* users with p */
    double sp, spp, spx; /* over them: sums of p, p², p x */
    double spn;          /* and p n; for METRIC_RATIO only */
    double pre_sx;       /* and x */
    double pre_sn;       /* and n; for METRIC_RATIO only */
};

/* Adds a user. p: NULL, there is none. */
void arm_sums_add(struct arm_sums *sums, double x, double n, const double *p);
/* Takes away a user that was added with the same values, such as before adding it with later ones.
 */
void arm_sums_remove(struct arm_sums *sums, double x, double n, const double *p);

/* Sums with every kind brought to a ratio's form: n is 1 for each user of a mean or a share.
 * REASON_INVALID_INPUT for what no users can add up to: numbers that are negative where squares and
 * counts are meant, not finite, above STATISTICS_MAX, or sums of squares less than the sum allows.
 */
MUST_CHECK enum reason arm_sums_normalise(enum metric_kind kind, const struct arm_sums *sums,
                                          struct arm_sums *out);

struct arm_moments {
    double value;         /* mean, share or ratio: sum of x / sum of n */
    double user_variance; /* of u = (x - value n) / mean of n, with users - 1 */
    double variance;      /* of value: user_variance / users */
};

/*
 * The estimate and, by the delta method, its variance:
 * R = sum X / sum N, Var(R) = (sX² - 2 R sXN + R² sN²) / (k mean(N)²), with k users and their
 * sample (co)variances (Deng, Knoblich, Lu, "Applying the delta method in metric analytics", 2018).
 * For means this is the variance of the mean. sums: normalised. REASON_NO_USERS, REASON_NO_ANSWERS
 * where the sum of n is 0. With one user the variances are 0.
 */
MUST_CHECK enum reason arm_moments(const struct arm_sums *sums, struct arm_moments *out);

/* By how many users, all with the same n, a ratio would be as uncertain as by these: (sum n)² / sum
 * n² (Kish 1965). The delta method takes the mean of n for known; where a few users have most of n,
 * as one with 100,000 answers among hundreds with four, it is not, and its variance is far too
 * small. 0 without any n. sums: normalised. */
double arm_effective_users(const struct arm_sums *sums);

struct ratio_test {
    double difference, se, z, p; /* treatment - control; two-sided, by the normal distribution */
};

/* Compares two ratios for large numbers of users; compare.h has what is right for small ones, too.
 */
MUST_CHECK enum reason ratio_compare(const struct arm_sums *control,
                                     const struct arm_sums *treatment, struct ratio_test *out);

struct cuped {
    double theta;
    double difference; /* adjusted: difference - theta (mean p of treatment - mean p of control) */
    double variance_control, variance_treatment; /* of each arm's adjusted value; they add up */
    double covariance_control;                   /* of the control's value and its mean p */
    double variance_reduction; /* share of the variance of the difference that is gone: 0 to 1 */
};

/*
 * CUPED (Deng, Xu, Kohavi, Walker, "Improving the sensitivity of online controlled experiments by
 * utilizing pre-experiment data", 2013): theta = Cov(u, p) / Var(p), both pooled from within the
 * arms, with u as in arm_moments, so that ratios are adjusted, too. Of what p explains, with a
 * correlation rho of u and p, rho² of the variance goes, times the share of users who have a p.
 * sums: normalised. REASON_NO_PRE_EXPOSURE with fewer than min_users users with a p in an arm;
 * REASON_NO_GAIN where p is the same for all, or the variance would not be less.
 */
MUST_CHECK enum reason cuped_adjust(const struct arm_sums *control,
                                    const struct arm_sums *treatment, double min_users,
                                    struct cuped *out);

#endif
