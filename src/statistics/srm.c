/* Sample ratio mismatch. */
#include "srm.h"

#include "distribution.h"

#include <math.h>

/* What the weights add up to; 0: they are not good. */
static double total_weight(const double *weights, size_t arms)
{
    double total = 0;
    if (arms < 2 || arms > SRM_ARMS_MAX)
        return 0;
    for (size_t i = 0; i < arms; i++) {
        if (!(weights[i] > 0 && weights[i] <= STATISTICS_MAX))
            return 0;
        total += weights[i];
    }
    return total;
}

static bool are_counts(const double *users, size_t arms)
{
    for (size_t i = 0; i < arms; i++)
        if (!(users[i] >= 0 && users[i] <= USERS_MAX && users[i] == floor(users[i])))
            return false;
    return true;
}

enum reason srm_test(const double *users, const double *weights, size_t arms, struct srm *out)
{
    double weight = total_weight(weights, arms), all = 0, chi_square = 0;
    *out = (struct srm){0};
    if (weight == 0 || !are_counts(users, arms))
        return REASON_INVALID_INPUT;
    for (size_t i = 0; i < arms; i++)
        all += users[i];
    if (all == 0)
        return REASON_NO_USERS;
    for (size_t i = 0; i < arms; i++) {
        double expected = all * (weights[i] / weight), off = users[i] - expected;
        if (expected < SRM_MIN_USERS)
            return REASON_TOO_FEW_USERS;
        chi_square += off * off / expected;
    }
    out->chi_square = chi_square;
    out->df = (double)arms - 1;
    out->p = chi_square_above(chi_square, out->df);
    out->is_mismatch = out->p < SRM_THRESHOLD;
    return REASON_NONE;
}

enum reason srm_sequence_begin(struct srm_sequence *s, const double *weights, size_t arms)
{
    double weight = total_weight(weights, arms);
    *s = (struct srm_sequence){0};
    if (weight == 0)
        return REASON_INVALID_INPUT;
    s->arms = arms;
    s->p = 1;
    for (size_t i = 0; i < arms; i++)
        s->shares[i] = weights[i] / weight;
    return REASON_NONE;
}

enum reason srm_sequence_add(struct srm_sequence *s, const double *more)
{
    double all = 0, log_factor = 0;
    if (s->arms == 0 || !are_counts(more, s->arms))
        return REASON_INVALID_INPUT;
    /* The multinomial coefficients of both are the same. Batch by batch, each with the posterior
     * of those before as its prior, the product is that of all users at once. */
    for (size_t i = 0; i < s->arms; i++) {
        s->users[i] += more[i];
        all += s->users[i];
        log_factor += s->users[i] * log(s->shares[i]) -
                      log_rising(SRM_CONCENTRATION * s->shares[i], s->users[i]);
    }
    log_factor += log_rising(SRM_CONCENTRATION, all);
    s->p = fmin(s->p, exp(fmin(0, log_factor)));
    return REASON_NONE;
}
