/* Planning: how many users an experiment needs, what it can find with those there are, and how long
 * it takes. All for two-sided tests at the planned end, with arms of the same size; of a
 * calculator's power no test is left that is looked at earlier, but those of sequential.h. */
#ifndef UPLIFT_STATISTICS_POWER_H
#define UPLIFT_STATISTICS_POWER_H

#include "arm_sums.h"
#include "common/must_check.h"
#include "reason.h"

/* alpha and power are within PROBABILITY_MIN of 0 and 1; power is above alpha / 2, which chance
 * alone gives. */
struct power_goal {
    double alpha, power;
};

/*
 * Users per arm, not rounded up, to tell the share treatment from control (both within 0 and 1) by
 * the pooled z test: (z_{1-alpha/2} sqrt(2 p(1-p)) + z_power sqrt(pA(1-pA) + pB(1-pB)))² / (pB -
 * pA)², p = (pA + pB) / 2 (Fleiss, "Statistical methods for rates and proportions").
 * REASON_NO_DIFFERENCE where they are the same.
 */
MUST_CHECK enum reason power_share_users(double control, double treatment, struct power_goal goal,
                                         double *users);
/* The reverse: the power of so many users per arm. */
MUST_CHECK enum reason power_of_share(double control, double treatment, double users, double alpha,
                                      double *power);
/* And the smallest share above control that is found with that power. REASON_OUT_OF_REACH where 1
 * would not be. */
MUST_CHECK enum reason power_detectable_share(double control, double users, struct power_goal goal,
                                              double *treatment);

/*
 * The same for means and ratios by the variance of a user's value, which arm_moments() finds in
 * earlier sums (user_variance): (z_{1-alpha/2} + z_power)² 2 variance / difference². With CUPED the
 * variance is less by the share that it removes. It is the mean of both arms'; that of a ratio of
 * yes among answers goes with R(1 - R), so that a rise above one half is found a little more often
 * than the control's variance alone promises.
 */
MUST_CHECK enum reason power_mean_users(double variance, double difference, struct power_goal goal,
                                        double *users);
MUST_CHECK enum reason power_of_mean(double variance, double difference, double users, double alpha,
                                     double *power);
MUST_CHECK enum reason power_detectable_difference(double variance, double users,
                                                   struct power_goal goal, double *difference);

/*
 * By the test of sequential.h: users per arm whose interval, which is narrowest at the users of
 * both arms together, has no 0 in it with that power at that number; a look before may find it,
 * too. (half + z_power)² 2 variance / difference², with half that of a confidence_sequence() with
 * se 1: 1.9 times as many as at a planned end for alpha 0.05 and power 0.8.
 */
MUST_CHECK enum reason power_always_valid_users(double variance, double difference,
                                                struct power_goal goal, double *users);

/* Whole days until the smallest arm has so many users. users_per_day: new users of all arms;
 * smallest_share: of these that come to that arm, above 0, at most 1. REASON_OUT_OF_REACH
 * above DAYS_MAX. */
#define DAYS_MAX 36500
MUST_CHECK enum reason power_days(double users, double users_per_day, double smallest_share,
                                  double *days);

#endif
