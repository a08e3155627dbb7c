/* Made-up users for experiments on experiments. */
#include "population.h"

#include <gsl/gsl_randist.h>
#include <math.h>

double population_ratio(void)
{
    double light = (1 - HEAVY_SHARE) * LIGHT_ANSWERS_A_DAY;
    double heavy = HEAVY_SHARE * HEAVY_ANSWERS_A_DAY;
    return (light * LIGHT_RATE + heavy * HEAVY_RATE) / (light + heavy);
}

bool population_can_lift(double lift)
{
    return fmax(LIGHT_RATE, HEAVY_RATE) * (1 + lift) < 1;
}

/* Of a kind of user: E(N) and E((X - R N)²) of N answers with X likes. Given N, and a rate q drawn
 * from its beta distribution, the latter is N q (1 - q) + N² (q - R)²; N is Poisson, with a mean
 * that is a lognormal number times the days that the user has been there, 1 to all of them. */
static void kind_moments(double answers_a_day, double rate, double ratio, int days, double *n,
                         double *squares)
{
    double mean_days = (days + 1) / 2.0, mean_days_squared = (days + 1) * (2 * days + 1) / 6.0;
    double spread = rate * (1 - rate) / (RATE_STRENGTH + 1);
    *n = answers_a_day * mean_days;
    double n_squared =
        *n + answers_a_day * answers_a_day * exp(ANSWERS_SIGMA * ANSWERS_SIGMA) * mean_days_squared;
    *squares = *n * spread * RATE_STRENGTH + n_squared * (spread + (rate - ratio) * (rate - ratio));
}

double population_user_variance(int days, double lift)
{
    double ratio = population_ratio() * (1 + lift), n[2], squares[2];
    kind_moments(LIGHT_ANSWERS_A_DAY, LIGHT_RATE * (1 + lift), ratio, days, &n[0], &squares[0]);
    kind_moments(HEAVY_ANSWERS_A_DAY, HEAVY_RATE * (1 + lift), ratio, days, &n[1], &squares[1]);
    double mean_n = (1 - HEAVY_SHARE) * n[0] + HEAVY_SHARE * n[1];
    return ((1 - HEAVY_SHARE) * squares[0] + HEAVY_SHARE * squares[1]) / (mean_n * mean_n);
}

struct person person_make(gsl_rng *random, double lift)
{
    bool is_heavy = gsl_rng_uniform(random) < HEAVY_SHARE;
    struct person p = {.arm = gsl_rng_uniform(random) < 0.5};
    double rate = (is_heavy ? HEAVY_RATE : LIGHT_RATE) * (p.arm == 1 ? 1 + lift : 1);
    p.answers_a_day = (is_heavy ? HEAVY_ANSWERS_A_DAY : LIGHT_ANSWERS_A_DAY) *
                      gsl_ran_lognormal(random, -ANSWERS_SIGMA * ANSWERS_SIGMA / 2, ANSWERS_SIGMA);
    p.rate = gsl_ran_beta(random, rate * RATE_STRENGTH, (1 - rate) * RATE_STRENGTH);
    return p;
}

bool person_live(gsl_rng *random, struct person *p)
{
    unsigned answers = gsl_ran_poisson(random, p->answers_a_day);
    for (unsigned i = 0; i < answers; i++)
        p->likes += gsl_rng_uniform(random) < p->rate;
    p->answers += answers;
    return answers > 0;
}
