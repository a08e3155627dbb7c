/* Shares of independent trials: one yes or no a user.
 *
 * Answers of one user are alike, so answers must not be counted here as if each were a trial of its
 * own; arm_sums.h is for them. */
#ifndef UPLIFT_STATISTICS_PROPORTION_H
#define UPLIFT_STATISTICS_PROPORTION_H

#include "common/must_check.h"
#include "distribution.h"
#include "reason.h"

/* Fisher's exact test adds up to this many terms; with more trials it is not needed. */
#define FISHER_TRIALS_MAX 1e6

struct trials {
    double successes, count; /* whole numbers, 0 <= successes <= count <= USERS_MAX */
};

/* Whether the numbers are such as trials has them. */
int trials_are_good(struct trials t);

/* Wilson's score interval of a share (Wilson 1927, without continuity correction):
 * (p + z²/2n ± z sqrt(p(1-p)/n + z²/4n²)) / (1 + z²/n). It stays within 0 and 1, and says something
 * also when all or none succeed. */
MUST_CHECK enum reason proportion_interval(struct trials t, double alpha, struct interval *out);

struct proportion_difference {
    double difference; /* treatment - control */
    double se;         /* unpooled: sqrt(pA(1-pA)/nA + pB(1-pB)/nB) */
    double z, p; /* pooled two-proportion z test, two-sided; p is 1 where both are all 0 or 1 */
    struct interval wald;     /* difference ± z se; too narrow with few trials */
    struct interval newcombe; /* Newcombe (1998), method 10: from both Wilson intervals */
};

/* Compares two shares. REASON_NO_USERS or REASON_ONE_ARM_EMPTY where there are no trials. */
MUST_CHECK enum reason proportion_compare(struct trials control, struct trials treatment,
                                          double alpha, struct proportion_difference *out);

/* Fisher's exact test, two-sided: the probability, given the margins, of all tables that are not
 * more probable than this one. For when fewer than 5 successes or failures are expected in an arm.
 * REASON_INVALID_INPUT above FISHER_TRIALS_MAX trials in all. */
MUST_CHECK enum reason proportion_fisher(struct trials control, struct trials treatment, double *p);

struct beta_comparison {
    double chance_to_win; /* P(treatment > control) */
    double
        loss_treatment; /* expected loss of shipping the treatment: E max(control - treatment, 0) */
    double loss_control; /* of keeping the control: E max(treatment - control, 0) */
};

/* Bayesian comparison of two shares, each with the prior Beta(1, 1). Exact by the sum over i of
 * P(B > A) = sum_{i=0}^{aB-1} exp(lnB(aA+i, bA+bB) - ln(bB+i) - lnB(1+i, bB) - lnB(aA, bA))
 * (Miller, "Formulas for Bayesian A/B testing", 2015), and the losses by that sum with one success
 * more (Stucchio, "Bayesian A/B testing at VWO", 2015); by normal distributions with the same means
 * and variances where an arm has more than BETA_EXACT_MAX trials. */
MUST_CHECK enum reason beta_compare(struct trials control, struct trials treatment,
                                    struct beta_comparison *out);

/* Of normally distributed difference (treatment - control), as means of many users are, with a flat
 * prior: P(d > 0) = Phi(d/se); E max(-d, 0) = se phi(d/se) - d Phi(-d/se), and the reverse. se > 0.
 */
struct beta_comparison normal_compare(double difference, double se);

/* The probability, with the prior Beta(1, 1), that the share is below bound: for a guardrail, such
 * as that at most 2 % of users meet an error. 0 <= bound <= 1. */
MUST_CHECK enum reason beta_chance_below(struct trials t, double bound, double *chance);

#endif
