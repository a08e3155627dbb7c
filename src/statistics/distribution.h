/* Distributions, by GSL: the only file that calls it for them. GSL's error handler, which would end
 * the process, is turned off by the first call of any function here. Any thread may call them. */
#ifndef UPLIFT_STATISTICS_DISTRIBUTION_H
#define UPLIFT_STATISTICS_DISTRIBUTION_H

struct interval {
    double lower, upper;
};

/* The significance levels, and other probabilities that are asked for, are within these. */
#define PROBABILITY_MIN 1e-12

/* Whether PROBABILITY_MIN <= p <= 1 - PROBABILITY_MIN. */
int probability_is_good(double p);

/* The standard normal distribution: P(Z <= z), P(Z > z), its density, and the z with P(Z <= z) = p.
 * The upper tail is exact where 1 - normal_below() would be 0. */
double normal_below(double z);
double normal_above(double z);
double normal_density(double z);
double normal_quantile(double p);
/* P(|Z| > |z|). */
double normal_two_sided(double z);

/* Student's t with any df > 0; df 0 stands for the normal distribution. */
double t_above(double t, double df);
double t_two_sided(double t, double df);
double t_quantile(double p, double df);

/* P(X > x) of chi square with df >= 1. */
double chi_square_above(double x, double df);

/* P(X <= x) of a beta distribution. Above BETA_EXACT_MAX for either parameter, where GSL gives NaN
 * (seen with 2.7.1 at 1e6), by the normal distribution with the same mean and variance. */
#define BETA_EXACT_MAX 1e5
double beta_below(double x, double a, double b);

/* ln of the beta function; a, b > 0. */
double log_beta(double a, double b);
/* ln(gamma(a + x) / gamma(a)), accurate also where both are large; a > 0, x >= 0. */
double log_rising(double a, double x);

#endif
