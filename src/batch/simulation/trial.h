/* One made-up experiment, judged by the code that judges real ones, and in ways that are wrong, to
 * see what they do. */
#ifndef UPLIFT_BATCH_TRIAL_H
#define UPLIFT_BATCH_TRIAL_H

#include "common/must_check.h"

#include <gsl/gsl_rng.h>
#include <stdbool.h>

#define TRIAL_ALPHA 0.05
#define TRIAL_POWER 0.80
/* As autopilot has them at first: autopilot.min_chance, and from which share of the time on. */
#define TRIAL_MIN_CHANCE 0.05
#define TRIAL_CHANCE_FROM 0.2
/* Of the trials of shares: the share with and without the treatment. */
#define TRIAL_SHARE 0.12
#define TRIAL_SHARE_LIFTED 0.15
/* Of those of CUPED: users per arm, the correlation with the value from before, the share of users
 * who have one, and the difference in standard deviations. */
#define TRIAL_CUPED_USERS 1000
#define TRIAL_CUPED_RHO 0.6
#define TRIAL_CUPED_KNOWN 0.75
#define TRIAL_CUPED_DIFFERENCE 0.1

struct trial_plan {
    int days, users; /* of both arms together */
    double lift;     /* of the treatment; 0: A/A */
};

/* A way to declare a winner: at the planned end, or at the first of all days' looks that has one.
 */
struct winners {
    bool at_end, on_any_day;
};

struct trial {
    struct winners always_valid, fixed, naive; /* naive: answers as if they were independent */
    int first_day;                             /* of the always-valid winner, from 1; 0: none */
    /* The day on which autopilot would stop it: no winner yet, and a chance to prove a gain below
     * TRIAL_MIN_CHANCE; 0: none. */
    int futile_day;
    bool always_valid_covers;           /* each day's interval has the difference in it */
    bool always_valid_relative_covers;  /* of the relative difference */
    bool fixed_covers, relative_covers; /* the interval at the end */
    bool srm_alarm, srm_daily_alarm;    /* sequential; chi square on any day */
};

/* Lives through the experiment, with a look at the end of each day. False: no memory. */
MUST_CHECK bool trial_run(gsl_rng *random, const struct trial_plan *plan, struct trial *out);

/* The share of users whom one arm loses in trials of a sample ratio mismatch. */
#define TRIAL_LOST_SHARE 0.2

struct srm_trial {
    bool is_found;        /* by the sequential test, with a look each day */
    bool is_found_at_end; /* by chi square */
};

/* Users come as in plan, but the treatment loses some. */
void srm_trial_run(gsl_rng *random, const struct trial_plan *plan, struct srm_trial *out);

struct share_trial {
    bool wins, covers;
};

/* One yes or no a user, so many users per arm. */
void share_trial_run(gsl_rng *random, unsigned users, struct share_trial *out);

struct cuped_trial {
    double difference, unadjusted; /* estimates */
    double variance_reduction;     /* as reported */
    bool covers;
};

/* Users with a normally distributed value, of which one from before tells a part. */
void cuped_trial_run(gsl_rng *random, struct cuped_trial *out);

#endif
