/* Planning. */
#include "power.h"

#include "distribution.h"
#include "sequential.h"

#include <math.h>

/* Halvings that bring an interval of length 1 to the precision of a double. */
#define HALVINGS 100

static bool goal_is_good(struct power_goal goal)
{
    return probability_is_good(goal.alpha) && probability_is_good(goal.power) &&
           goal.power > goal.alpha / 2;
}

static bool is_share(double p)
{
    return p >= 0 && p <= 1;
}

/* Of the z test of shares: its standard deviation times sqrt(users) where they are the same, and
 * where they are not. */
static double deviation_of_none(double a, double b)
{
    double p = (a + b) / 2;
    return sqrt(2 * p * (1 - p));
}

static double deviation_of_both(double a, double b)
{
    return sqrt(a * (1 - a) + b * (1 - b));
}

enum reason power_share_users(double control, double treatment, struct power_goal goal,
                              double *users)
{
    *users = 0;
    if (!is_share(control) || !is_share(treatment) || !goal_is_good(goal))
        return REASON_INVALID_INPUT;
    double d = treatment - control;
    if (d == 0)
        return REASON_NO_DIFFERENCE;
    double root = (normal_quantile(1 - goal.alpha / 2) * deviation_of_none(control, treatment) +
                   normal_quantile(goal.power) * deviation_of_both(control, treatment)) /
                  d;
    if (root * root > USERS_MAX)
        return REASON_OUT_OF_REACH;
    *users = root * root;
    return REASON_NONE;
}

/* How far the difference is above what the test asks for, in its standard deviations. */
static double share_excess(double a, double b, double users, double alpha)
{
    double off =
        fabs(b - a) * sqrt(users) - normal_quantile(1 - alpha / 2) * deviation_of_none(a, b);
    double deviation = deviation_of_both(a, b);
    if (deviation > 0)
        return off / deviation;
    return off >= 0 ? HUGE_VAL : -HUGE_VAL;
}

enum reason power_of_share(double control, double treatment, double users, double alpha,
                           double *power)
{
    *power = 0;
    if (!is_share(control) || !is_share(treatment) || !probability_is_good(alpha) ||
        !(users >= 0 && users <= USERS_MAX))
        return REASON_INVALID_INPUT;
    if (users == 0)
        return REASON_NO_USERS;
    if (control == treatment)
        return REASON_NO_DIFFERENCE;
    *power = normal_below(share_excess(control, treatment, users, alpha));
    return REASON_NONE;
}

enum reason power_detectable_share(double control, double users, struct power_goal goal,
                                   double *treatment)
{
    *treatment = 0;
    if (!is_share(control) || !goal_is_good(goal) || !(users >= 0 && users <= USERS_MAX))
        return REASON_INVALID_INPUT;
    if (users == 0)
        return REASON_NO_USERS;
    double wanted = normal_quantile(goal.power), lower = control, upper = 1;
    if (control == 1 || share_excess(control, 1, users, goal.alpha) < wanted)
        return REASON_OUT_OF_REACH;
    for (int i = 0; i < HALVINGS; i++) {
        double middle = lower + (upper - lower) / 2;
        if (share_excess(control, middle, users, goal.alpha) < wanted)
            lower = middle;
        else
            upper = middle;
    }
    *treatment = upper;
    return REASON_NONE;
}

static double both_quantiles(struct power_goal goal)
{
    return normal_quantile(1 - goal.alpha / 2) + normal_quantile(goal.power);
}

/* So many standard errors are to lie between 0 and the difference. */
static enum reason users_for(double variance, double difference, struct power_goal goal,
                             double errors, double *users)
{
    *users = 0;
    if (!(variance >= 0 && variance <= STATISTICS_MAX) || !(fabs(difference) <= STATISTICS_MAX) ||
        !goal_is_good(goal))
        return REASON_INVALID_INPUT;
    if (variance == 0)
        return REASON_ZERO_VARIANCE;
    if (difference == 0)
        return REASON_NO_DIFFERENCE;
    double root = errors * sqrt(2 * variance) / difference;
    if (root * root > USERS_MAX)
        return REASON_OUT_OF_REACH;
    *users = root * root;
    return REASON_NONE;
}

enum reason power_mean_users(double variance, double difference, struct power_goal goal,
                             double *users)
{
    double errors = goal_is_good(goal) ? both_quantiles(goal) : 0;
    return users_for(variance, difference, goal, errors, users);
}

enum reason power_always_valid_users(double variance, double difference, struct power_goal goal,
                                     double *users)
{
    /* Where it is narrowest its width is the same whatever that number is. */
    struct confidence_sequence s = {0};
    enum reason reason = confidence_sequence(0, 1, 1, goal.alpha, 1, &s);
    double errors =
        reason == REASON_NONE && goal_is_good(goal) ? s.half + normal_quantile(goal.power) : 0;
    return users_for(variance, difference, goal, errors, users);
}

enum reason power_of_mean(double variance, double difference, double users, double alpha,
                          double *power)
{
    *power = 0;
    if (!(variance >= 0 && variance <= STATISTICS_MAX) || !(fabs(difference) <= STATISTICS_MAX) ||
        !probability_is_good(alpha) || !(users >= 0 && users <= USERS_MAX))
        return REASON_INVALID_INPUT;
    if (users == 0)
        return REASON_NO_USERS;
    if (variance == 0)
        return REASON_ZERO_VARIANCE;
    if (difference == 0)
        return REASON_NO_DIFFERENCE;
    *power = normal_below(fabs(difference) * sqrt(users / (2 * variance)) -
                          normal_quantile(1 - alpha / 2));
    return REASON_NONE;
}

enum reason power_detectable_difference(double variance, double users, struct power_goal goal,
                                        double *difference)
{
    *difference = 0;
    if (!(variance >= 0 && variance <= STATISTICS_MAX) || !goal_is_good(goal) ||
        !(users >= 0 && users <= USERS_MAX))
        return REASON_INVALID_INPUT;
    if (users == 0)
        return REASON_NO_USERS;
    if (variance == 0)
        return REASON_ZERO_VARIANCE;
    *difference = both_quantiles(goal) * sqrt(2 * variance / users);
    return REASON_NONE;
}

enum reason power_days(double users, double users_per_day, double smallest_share, double *days)
{
    *days = 0;
    if (!(users >= 0 && users <= STATISTICS_MAX) ||
        !(users_per_day >= 0 && users_per_day <= STATISTICS_MAX) ||
        !(smallest_share > 0 && smallest_share <= 1))
        return REASON_INVALID_INPUT;
    if (users_per_day == 0)
        return REASON_NO_USERS;
    /* A hair of rounding must not make a day of its own. */
    double exact = ceil(users) / smallest_share / users_per_day;
    if (!(exact <= DAYS_MAX))
        return REASON_OUT_OF_REACH;
    *days = ceil(exact - 1e-9);
    return REASON_NONE;
}
