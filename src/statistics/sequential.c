/* Statements that hold at every look. */
#include "sequential.h"

#include <float.h>
#include <math.h>

double confidence_sequence_rho(double alpha, double tuning_users)
{
    double twice = -2 * log(alpha);
    return sqrt((twice + log(twice + 1)) / tuning_users);
}

enum reason confidence_sequence(double difference, double se, double users, double alpha,
                                double tuning_users, struct confidence_sequence *out)
{
    *out = (struct confidence_sequence){0};
    if (!(fabs(difference) <= STATISTICS_MAX) || !(se >= 0 && se <= STATISTICS_MAX) ||
        !(users >= 0 && users <= USERS_MAX) || !probability_is_good(alpha) ||
        !(tuning_users >= 1 && tuning_users <= USERS_MAX))
        return REASON_INVALID_INPUT;
    if (users == 0)
        return REASON_NO_USERS;
    if (se == 0)
        return REASON_ZERO_VARIANCE;
    double rho = confidence_sequence_rho(alpha, tuning_users), growth = users * rho * rho;
    double z = difference / se, half_log = log1p(growth) / 2;
    /* sqrt(s²) / n rho is se / sqrt(growth). */
    out->half = se * sqrt(2 * (growth + 1) / growth * (half_log - log(alpha)));
    out->interval = (struct interval){difference - out->half, difference + out->half};
    out->log_e = fmin(DBL_MAX, growth / (growth + 1) * z * z / 2 - half_log);
    out->p = fmin(1, exp(-out->log_e));
    return REASON_NONE;
}

void always_valid_add(struct always_valid *all, double p, struct interval interval)
{
    if (!all->has_begun) {
        *all = (struct always_valid){.has_begun = true, .p = p, .interval = interval};
        return;
    }
    struct interval both = {fmax(all->interval.lower, interval.lower),
                            fmin(all->interval.upper, interval.upper)};
    all->p = fmin(all->p, p);
    all->has_drifted = all->has_drifted || both.lower > both.upper;
    all->interval = all->has_drifted ? interval : both;
}

enum reason chance_to_prove(double difference, double se, double users, double alpha,
                            double tuning_users, double elapsed, double *chance)
{
    struct confidence_sequence end;
    *chance = 0;
    if (!(elapsed > 0 && elapsed < 1))
        return REASON_INVALID_INPUT;
    enum reason reason =
        confidence_sequence(difference, se * sqrt(elapsed), fmin(users / elapsed, USERS_MAX), alpha,
                            tuning_users, &end);
    if (reason == REASON_NONE)
        *chance = normal_below((difference - end.half) / (se * sqrt(1 - elapsed)));
    return reason;
}
