/*
 * Logistic regression with a ridge penalty, and how good probabilities are.
 *
 * Newton's method (iteratively reweighted least squares: Hastie, Tibshirani and Friedman, The
 * Elements of Statistical Learning, 2nd edition, 4.4.1) with halved steps where a whole one would
 * overshoot; the equations are solved by GSL's Cholesky decomposition. Rows are asked for one by
 * one, so that they may lie in any form: beside them a fit takes some 100 KB at most.
 */
#ifndef UPLIFT_BATCH_LOGIT_H
#define UPLIFT_BATCH_LOGIT_H

#include "common/must_check.h"

#include <stdbool.h>
#include <stddef.h>

#define LOGIT_FEATURES_MAX 64
#define LOGIT_BINS 10 /* of equal width, for the calibration error */

struct logit_data {
    size_t rows;
    size_t features; /* without the intercept: 0 to LOGIT_FEATURES_MAX */
    /* Writes the features of row i to x, and how likely it was: 1 or 0, or anything between.
     * All must be finite. */
    void (*row)(const void *arg, size_t i, double *x, double *y);
    const void *arg;
};

enum logit_end {
    LOGIT_FITTED,
    LOGIT_BAD_DATA,      /* no rows, too many features, or a value that is no number */
    LOGIT_NOT_CONVERGED, /* such as a feature that is always 0, without a penalty */
    LOGIT_NO_MEMORY,
};

/*
 * Finds the weights, of which the first is the intercept, that make the sum of the rows' log loss
 * and of l2 / 2 times the square of each weight but the intercept the least. weights has room for
 * features + 1, and is filled when LOGIT_FITTED; *iterations, which may be NULL, says after how
 * many steps.
 */
enum logit_end logit_fit(const struct logit_data *data, double l2, double *weights,
                         int *iterations);

/* 1 / (1 + exp(-z)), for any z. */
double logit_probability(double z);
/* The logarithm of the odds of p, above 0 and below 1. */
double logit_odds(double p);

/* How good probabilities were. */
struct logit_scores {
    size_t rows;
    double rate;          /* the share that came true */
    double log_loss;      /* mean, natural logarithm, of probabilities of 1e-6 at least */
    double base_log_loss; /* the same, were each given base_rate */
    double brier;         /* mean square of probability less what came */
    double ece;           /* expected calibration error over LOGIT_BINS */
    double auc;           /* how often one that came true was given more than one that did not */
};

/*
 * Judges n probabilities, of 0 to 1, by what came of each; base_rate is what one would say who
 * knows no feature. auc is 0.5 where all came true, or none. False: there is nothing to judge, or
 * no memory.
 */
MUST_CHECK bool logit_judge(const double *probabilities, const bool *came, size_t n,
                            double base_rate, struct logit_scores *scores);

#endif
