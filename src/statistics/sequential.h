/* Statements that hold at every look: a test that may be looked at each day and stopped at any
 * time. */
#ifndef UPLIFT_STATISTICS_SEQUENTIAL_H
#define UPLIFT_STATISTICS_SEQUENTIAL_H

#include "common/must_check.h"
#include "distribution.h"
#include "reason.h"

#include <stdbool.h>

/* The number of users of both arms at which the interval is narrowest for what is known. It must be
 * chosen before the experiment. */
#define SEQUENTIAL_TUNING_USERS 5000.0

struct confidence_sequence {
    double half; /* of the interval's width */
    struct interval interval;
    double log_e; /* ln of the e value */
    double p;     /* min(1, 1/e) */
};

/*
 * Asymptotic confidence sequence (Waudby-Smith, Arbour, Sinha, Kennedy, Ramdas, "Time-uniform
 * central limit theory and asymptotic confidence sequences", 2021), with n users of both arms, s² =
 * se² n, and rho = sqrt((-2 ln a + ln(-2 ln a + 1)) / N*) for N* = tuning_users:
 *
 *   half = sqrt(s²) sqrt(2 (n rho² + 1) ln(sqrt(n rho² + 1) / a) / (n rho)²)
 *   e = exp(rho² S / (2 (n rho² + 1))) / sqrt(n rho² + 1), S = d² n / se²
 *
 * The mixture SPRT of Johari and others gives the same e for a prior variance rho² s². The chance
 * that any of the intervals of one experiment misses the difference is at most alpha, as the number
 * of users grows; p <= alpha just when the interval does not have 0 in it. difference is that of
 * averages over users (or adjusted, or of ratios), se its standard error, above 0.
 */
MUST_CHECK enum reason confidence_sequence(double difference, double se, double users, double alpha,
                                           double tuning_users, struct confidence_sequence *out);
double confidence_sequence_rho(double alpha, double tuning_users);

/* What all looks so far say together. All zero is before the first look; to go on later, keep it.
 */
struct always_valid {
    bool has_begun;
    double p;                 /* the least at any look */
    struct interval interval; /* what all intervals have in common */
    /* They had nothing in common: the difference changes with time, so that no one number is it.
     * Then the interval is that of the last look alone. It stays so. */
    bool has_drifted;
};

void always_valid_add(struct always_valid *all, double p, struct interval interval);

/*
 * The chance that a test which goes on until its planned end has its whole interval above 0 then,
 * by what is known now: the predictive power of Spiegelhalter, Freedman and Blackburn, "Monitoring
 * clinical trials: conditional or predictive power?", Controlled Clinical Trials 7 (1986), with a
 * flat prior. Users and what is known of them are taken to grow evenly with time. elapsed, the
 * share of it that is over, is f:
 *
 *   chance = Phi((difference - half) / (se sqrt(1 - f)))
 *
 * with half that of confidence_sequence() for se sqrt(f) and users / f. It is too high where the
 * same users go on answering, of whom less and less is learnt; too low where they come evenly and
 * go on, since more is learnt towards the end, and because a look before the end may prove it, too.
 * To stop where it is small proves nothing, and a test that may be stopped so has no more false
 * winners. difference has what is better above 0; 0 < elapsed < 1; else as confidence_sequence().
 */
MUST_CHECK enum reason chance_to_prove(double difference, double se, double users, double alpha,
                                       double tuning_users, double elapsed, double *chance);

#endif
