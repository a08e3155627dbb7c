/* Distributions, by GSL. */
#include "distribution.h"

#include "gsl_errors.h"

#include <gsl/gsl_cdf.h>
#include <gsl/gsl_randist.h>
#include <gsl/gsl_sf_gamma.h>
#include <math.h>

int probability_is_good(double p)
{
    return p >= PROBABILITY_MIN && p <= 1 - PROBABILITY_MIN;
}

double normal_below(double z)
{
    gsl_errors_return();
    return gsl_cdf_ugaussian_P(z);
}

double normal_above(double z)
{
    gsl_errors_return();
    return gsl_cdf_ugaussian_Q(z);
}

double normal_density(double z)
{
    gsl_errors_return();
    return gsl_ran_ugaussian_pdf(z);
}

double normal_quantile(double p)
{
    gsl_errors_return();
    return gsl_cdf_ugaussian_Pinv(p);
}

double normal_two_sided(double z)
{
    return fmin(1, 2 * normal_above(fabs(z)));
}

double t_above(double t, double df)
{
    gsl_errors_return();
    return df > 0 ? gsl_cdf_tdist_Q(t, df) : gsl_cdf_ugaussian_Q(t);
}

double t_two_sided(double t, double df)
{
    return fmin(1, 2 * t_above(fabs(t), df));
}

double t_quantile(double p, double df)
{
    gsl_errors_return();
    return df > 0 ? gsl_cdf_tdist_Pinv(p, df) : gsl_cdf_ugaussian_Pinv(p);
}

double chi_square_above(double x, double df)
{
    gsl_errors_return();
    return gsl_cdf_chisq_Q(x, df);
}

double beta_below(double x, double a, double b)
{
    gsl_errors_return();
    if (x <= 0 || x >= 1)
        return x >= 1;
    if (a <= BETA_EXACT_MAX && b <= BETA_EXACT_MAX)
        return gsl_cdf_beta_P(x, a, b);
    double mean = a / (a + b);
    return gsl_cdf_ugaussian_P((x - mean) / sqrt(mean * (1 - mean) / (a + b + 1)));
}

double log_beta(double a, double b)
{
    gsl_errors_return();
    return gsl_sf_lnbeta(a, b);
}

double log_rising(double a, double x)
{
    gsl_errors_return();
    return x > 0 ? gsl_sf_lnpoch(a, x) : 0;
}
