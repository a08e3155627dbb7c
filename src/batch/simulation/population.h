/* Made-up users for experiments on experiments: they come over days, most say little and a few very
 * much, and each has a rate of liking answers of their own, so that answers of one user are alike.
 */
#ifndef UPLIFT_BATCH_POPULATION_H
#define UPLIFT_BATCH_POPULATION_H

#include <gsl/gsl_rng.h>
#include <stdbool.h>

/* Rates of answers and of liking them, by the kind of user: those who talk more like more of it. */
#define LIGHT_ANSWERS_A_DAY 0.15
#define HEAVY_ANSWERS_A_DAY 0.75
#define HEAVY_SHARE 0.2
#define LIGHT_RATE 0.60
#define HEAVY_RATE 0.70
/* Answers a day vary from user to user by a lognormal distribution with this sigma and mean 1. */
#define ANSWERS_SIGMA 1.0
/* A user's own rate is drawn from a beta distribution of this a + b: two answers of one user have a
 * correlation of 1 / (1 + this). */
#define RATE_STRENGTH 4.0

struct person {
    int arm; /* 0 control, 1 treatment */
    double answers_a_day, rate;
    double likes, answers; /* so far */
};

/* The ratio of likes to answers that the control's population has, exactly. */
double population_ratio(void);
/* Whether the treatment can have so much more of it: no kind of user has a rate of 1 then. */
bool population_can_lift(double lift);

/* The variance of a user's value, as arm_moments() has it, after so many days over which users came
 * evenly, with that lift; exactly, but for what few users do not average out. */
double population_user_variance(int days, double lift);

/* Makes a user. lift: by which share the treatment's rates are higher. */
struct person person_make(gsl_rng *random, double lift);
/* One day of the user's; false: nothing happened. Adds to likes and answers. */
bool person_live(gsl_rng *random, struct person *p);

#endif
