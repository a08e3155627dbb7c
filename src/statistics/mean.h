/* Means of independent values, several tests at once, and values that are far out. */
#ifndef UPLIFT_STATISTICS_MEAN_H
#define UPLIFT_STATISTICS_MEAN_H

#include "common/must_check.h"
#include "distribution.h"
#include "reason.h"

#include <stddef.h>

struct sample {
    double mean, sd, count; /* sd with count - 1; count at least 2 */
};

struct welch {
    double difference, se, t, df, p; /* treatment - control; p two-sided */
    struct interval interval;
};

/* Welch's t test: t = (mB - mA) / sqrt(vA + vB), v = sd²/n, with Satterthwaite's
 * df = (vA + vB)² / (vA²/(nA-1) + vB²/(nB-1)) (Welch 1947). */
MUST_CHECK enum reason welch_test(struct sample control, struct sample treatment, double alpha,
                                  struct welch *out);

/* Satterthwaite's degrees of freedom of the sum of two variances of estimates, each with its own
 * degrees of freedom; at least one variance is above 0. */
double welch_df(double variance_a, double df_a, double variance_b, double df_b);

#define HOLM_MAX 1000

/*
 * Holm's (1979) step-down adjustment of p values that are looked at together: of the i-th smallest
 * of m it is max over j <= i of min(1, (m - j + 1) p_(j)). One that is at most alpha is significant
 * with a chance of alpha at most that any is so by mistake. adjusted is as long as p, in the same
 * order; at most HOLM_MAX, at least 1.
 */
MUST_CHECK enum reason holm_adjust(const double *p, size_t count, double *adjusted);

/*
 * Bonferroni's level for each of count statements that are looked at together: where each errs with
 * a chance of alpha / count at most, any of them does with alpha at most, however they depend on
 * each other (Dunn, "Multiple comparisons among means", 1961). A confidence sequence errs with its
 * chance at most at any of all looks, so that this holds at all of them, too. Holm's adjustment
 * finds no more until one of them is found, and it takes p values. count at least 1.
 */
double bonferroni_alpha(double alpha, size_t count);

/*
 * Winsorising: a value above the cap counts as the cap, so that one user cannot outweigh all
 * others. The cap is the quantile of users' values in both arms together (each arm by itself would
 * be cut elsewhere, which is a difference of its own), the least value that at least that share of
 * users does not exceed: what percentile_disc() of SQL gives. Only the upper end is cut, since what
 * users do begins at 0.
 *
 * For a ratio, the cap is that of users' denominators, and ratio_winsorise() scales the numerator
 * down with it, so that a user who is cut keeps the rate.
 */
#define WINSORISE_QUANTILE 0.99

/* Sorts values, those of both arms. 0 < quantile <= 1; REASON_NO_USERS without values. */
MUST_CHECK enum reason winsorise_cap(double *values, size_t count, double quantile, double *cap);
double winsorise(double value, double cap);
void ratio_winsorise(double *x, double *n, double cap);

#endif
