/* Sample ratio mismatch: whether users came to the arms as they were meant to. Where they did not,
 * something loses users of one arm, and no difference between the arms can be believed. */
#ifndef UPLIFT_STATISTICS_SRM_H
#define UPLIFT_STATISTICS_SRM_H

#include "common/must_check.h"
#include "reason.h"

#include <stdbool.h>
#include <stddef.h>

#define SRM_ARMS_MAX 20
/* A p value below this is a mismatch. So low, because it is looked at each day in each experiment.
 */
#define SRM_THRESHOLD 0.001
/* The same for srm_sequence, of which the chance of a false alarm does not add up over looks. As
 * low all the same: after an alarm nothing of an experiment is believed any more, and there are
 * many experiments. */
#define SRM_SEQUENCE_THRESHOLD 0.001
/* With fewer expected users in an arm, the distribution of the test is not chi square. */
#define SRM_MIN_USERS 8

struct srm {
    double chi_square, df, p;
    bool is_mismatch; /* p < SRM_THRESHOLD */
};

/* Pearson's chi square: sum of (observed - expected)² / expected, df = arms - 1. For one look; its
 * chance of a false alarm adds up over many. users: of each arm, weights: in which ratio they were
 * meant to come, such as 50, 50; 2 to SRM_ARMS_MAX arms. REASON_TOO_FEW_USERS below SRM_MIN_USERS.
 */
MUST_CHECK enum reason srm_test(const double *users, const double *weights, size_t arms,
                                struct srm *out);

/*
 * The same for any number of looks, at any time (Lindon and Malek, "Anytime-valid inference for
 * multinomial count data", 2022): the Bayes factor of the ratio that was meant against a Dirichlet
 * distribution around it with concentration SRM_CONCENTRATION, of all users so far. p is the least
 * of it at any look; the chance that it ever falls below a threshold is at most that threshold.
 *
 * All zero, but for what srm_sequence_begin() fills in. To go on later, keep p and the sums.
 */
#define SRM_CONCENTRATION 10000.0

struct srm_sequence {
    size_t arms;
    double shares[SRM_ARMS_MAX]; /* as meant; they add up to 1 */
    double users[SRM_ARMS_MAX];  /* so far */
    double p;
};

MUST_CHECK enum reason srm_sequence_begin(struct srm_sequence *s, const double *weights,
                                          size_t arms);
/* more: the users of each arm that came since the last look. */
MUST_CHECK enum reason srm_sequence_add(struct srm_sequence *s, const double *more);

#endif
