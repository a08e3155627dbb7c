/* Shares of independent trials. */
#include "proportion.h"

#include <math.h>

int trials_are_good(struct trials t)
{
    return t.successes >= 0 && t.successes <= t.count && t.count <= USERS_MAX &&
           t.successes == floor(t.successes) && t.count == floor(t.count);
}

static double share(struct trials t)
{
    return t.successes / t.count;
}

static enum reason check_arms(struct trials a, struct trials b)
{
    if (!trials_are_good(a) || !trials_are_good(b))
        return REASON_INVALID_INPUT;
    if (a.count + b.count == 0)
        return REASON_NO_USERS;
    return a.count == 0 || b.count == 0 ? REASON_ONE_ARM_EMPTY : REASON_NONE;
}

static struct interval wilson(struct trials t, double z)
{
    double n = t.count, p = share(t), centre = p + z * z / (2 * n);
    double half = z * sqrt(p * (1 - p) / n + z * z / (4 * n * n)), scale = 1 + z * z / n;
    /* Exactly 0 and 1 where none or all succeed, in spite of rounding. */
    return (struct interval){.lower = t.successes == 0 ? 0 : fmax(0, (centre - half) / scale),
                             .upper = t.successes == n ? 1 : fmin(1, (centre + half) / scale)};
}

enum reason proportion_interval(struct trials t, double alpha, struct interval *out)
{
    *out = (struct interval){0};
    if (!trials_are_good(t) || !probability_is_good(alpha))
        return REASON_INVALID_INPUT;
    if (t.count == 0)
        return REASON_NO_USERS;
    *out = wilson(t, normal_quantile(1 - alpha / 2));
    return REASON_NONE;
}

enum reason proportion_compare(struct trials control, struct trials treatment, double alpha,
                               struct proportion_difference *out)
{
    enum reason reason = check_arms(control, treatment);
    *out = (struct proportion_difference){0};
    if (reason == REASON_NONE && !probability_is_good(alpha))
        reason = REASON_INVALID_INPUT;
    if (reason != REASON_NONE)
        return reason;
    double a = share(control), b = share(treatment), z = normal_quantile(1 - alpha / 2);
    double both = (control.successes + treatment.successes) / (control.count + treatment.count);
    double pooled = sqrt(both * (1 - both) * (1 / control.count + 1 / treatment.count));
    struct interval wa = wilson(control, z), wb = wilson(treatment, z);
    out->difference = b - a;
    out->se = sqrt(a * (1 - a) / control.count + b * (1 - b) / treatment.count);
    out->z = pooled > 0 ? out->difference / pooled : 0;
    out->p = pooled > 0 ? normal_two_sided(out->z) : 1;
    out->wald.lower = out->difference - z * out->se;
    out->wald.upper = out->difference + z * out->se;
    out->newcombe.lower = out->difference - hypot(b - wb.lower, wa.upper - a);
    out->newcombe.upper = out->difference + hypot(wb.upper - b, a - wa.lower);
    return REASON_NONE;
}

enum reason proportion_fisher(struct trials control, struct trials treatment, double *p)
{
    enum reason reason = check_arms(control, treatment);
    *p = 0;
    if (reason != REASON_NONE)
        return reason;
    double n = control.count + treatment.count, k = control.successes + treatment.successes;
    if (n > FISHER_TRIALS_MAX)
        return REASON_INVALID_INPUT;
    double least = fmax(0, k - treatment.count), most = fmin(k, control.count);
    /* By how much each table is more probable than this one, outwards from it on both sides. */
    double log_odds = 0, same = 0, all = 1;
    for (double x = control.successes; x < most; x++) {
        log_odds +=
            log((control.count - x) * (k - x)) - log((x + 1) * (treatment.count - k + x + 1));
        all += exp(log_odds);
        same += log_odds <= 1e-7 ? exp(log_odds) : 0;
    }
    log_odds = 0;
    for (double x = control.successes; x > least; x--) {
        log_odds += log(x * (treatment.count - k + x)) - log((control.count - x + 1) * (k - x + 1));
        all += exp(log_odds);
        same += log_odds <= 1e-7 ? exp(log_odds) : 0;
    }
    /* all is infinite where this table is hardly possible: then p is 0 to double's precision. */
    *p = isfinite(all) ? fmin(1, (1 + same) / all) : 0;
    return REASON_NONE;
}

struct beta {
    double a, b;
};

static double beta_mean(struct beta d)
{
    return d.a / (d.a + d.b);
}

/* P(y > x), exactly; y.a is a whole number. Terms follow from one another:
 * term(i+1) / term(i) = (x.a + i)(y.b + i) / ((x.a + x.b + y.b + i)(1 + i)). */
static double exact_chance(struct beta x, struct beta y)
{
    double log_term = log_beta(x.a, x.b + y.b) - log_beta(x.a, x.b), sum = 0;
    for (double i = 0; i < y.a; i++) {
        sum += exp(log_term);
        log_term += log((x.a + i) * (y.b + i) / ((x.a + x.b + y.b + i) * (1 + i)));
    }
    return fmin(1, sum);
}

static double beta_variance(struct beta d)
{
    double m = beta_mean(d);
    return m * (1 - m) / (d.a + d.b + 1);
}

struct beta_comparison normal_compare(double difference, double se)
{
    double z = difference / se, density = se * normal_density(z);
    /* The differences of nearly equal numbers would be a hair below 0 far out. */
    return (struct beta_comparison){
        .chance_to_win = normal_below(z),
        .loss_treatment = fmax(0, density - difference * normal_above(z)),
        .loss_control = fmax(0, density + difference * normal_below(z)),
    };
}

enum reason beta_compare(struct trials control, struct trials treatment,
                         struct beta_comparison *out)
{
    enum reason reason = check_arms(control, treatment);
    *out = (struct beta_comparison){0};
    if (reason != REASON_NONE)
        return reason;
    struct beta a = {1 + control.successes, 1 + control.count - control.successes};
    struct beta b = {1 + treatment.successes, 1 + treatment.count - treatment.successes};
    double ma = beta_mean(a), mb = beta_mean(b);
    if (control.count > BETA_EXACT_MAX || treatment.count > BETA_EXACT_MAX) {
        *out = normal_compare(mb - ma, sqrt(beta_variance(a) + beta_variance(b)));
        return REASON_NONE;
    }
    struct beta more_a = {a.a + 1, a.b}, more_b = {b.a + 1, b.b};
    out->chance_to_win = exact_chance(a, b);
    out->loss_treatment = fmax(0, ma * exact_chance(b, more_a) - mb * exact_chance(more_b, a));
    out->loss_control = fmax(0, mb * exact_chance(a, more_b) - ma * exact_chance(more_a, b));
    return REASON_NONE;
}

enum reason beta_chance_below(struct trials t, double bound, double *chance)
{
    *chance = 0;
    if (!trials_are_good(t) || !(bound >= 0 && bound <= 1))
        return REASON_INVALID_INPUT;
    *chance = beta_below(bound, 1 + t.successes, 1 + t.count - t.successes);
    return REASON_NONE;
}
