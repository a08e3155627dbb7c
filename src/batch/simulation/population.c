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
