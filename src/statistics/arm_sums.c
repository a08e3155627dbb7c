/* What is known of an arm: sums over its users. */
#include "arm_sums.h"

#include "distribution.h"

#include <math.h>
#include <stddef.h>

/* Sums of squares that are this little, for what was added up, are rounding. */
#define ROUNDING 1e-12
/* What contradicts more than this is no rounding. */
#define CONTRADICTION 1e-9

static void add(struct arm_sums *s, double x, double n, const double *p, double sign)
{
    s->users += sign;
    s->sx += sign * x;
    s->sxx += sign * x * x;
    s->sn += sign * n;
    s->sxn += sign * x * n;
    s->snn += sign * n * n;
    if (p == NULL)
        return;
    s->pre_users += sign;
    s->sp += sign * *p;
    s->spp += sign * *p * *p;
    s->spx += sign * *p * x;
    s->spn += sign * *p * n;
    s->pre_sx += sign * x;
    s->pre_sn += sign * n;
}

void arm_sums_add(struct arm_sums *sums, double x, double n, const double *p)
{
    add(sums, x, n, p, 1);
}

void arm_sums_remove(struct arm_sums *sums, double x, double n, const double *p)
{
    add(sums, x, n, p, -1);
}

static bool is_count(double value)
{
    return value >= 0 && value <= STATISTICS_MAX;
}

static bool is_sum(double value)
{
    return fabs(value) <= STATISTICS_MAX;
}

/* Whether count values can add up to sum and, squared, to squares. */
static bool fits(double count, double sum, double squares)
{
    return sum * sum <= count * squares * (1 + CONTRADICTION);
}

/* Whether sum of products is within what the sums of squares allow (Cauchy and Schwarz). */
static bool product_fits(double product, double squares_a, double squares_b)
{
    return fabs(product) <= sqrt(squares_a) * sqrt(squares_b) * (1 + CONTRADICTION);
}

static bool is_good(const struct arm_sums *s)
{
    return s->users >= 0 && s->users <= USERS_MAX && s->users == floor(s->users) && is_sum(s->sx) &&
           is_count(s->sxx) && is_count(s->sn) && is_sum(s->sxn) && is_count(s->snn) &&
           fits(s->users, s->sx, s->sxx) && fits(s->users, s->sn, s->snn) &&
           product_fits(s->sxn, s->sxx, s->snn);
}

static bool pre_is_good(const struct arm_sums *s)
{
    return is_count(s->pre_users) && s->pre_users == floor(s->pre_users) &&
           s->pre_users <= s->users && is_sum(s->sp) && is_count(s->spp) && is_sum(s->spx) &&
           is_sum(s->spn) && is_sum(s->pre_sx) && is_sum(s->pre_sn) &&
           fits(s->pre_users, s->sp, s->spp) && fits(s->pre_users, s->pre_sx, s->sxx) &&
           fits(s->pre_users, s->pre_sn, s->snn) && product_fits(s->spx, s->spp, s->sxx) &&
           product_fits(s->spn, s->spp, s->snn);
}

enum reason arm_sums_normalise(enum metric_kind kind, const struct arm_sums *sums,
                               struct arm_sums *out)
{
    struct arm_sums s = *sums;
    *out = (struct arm_sums){0};
    if (kind != METRIC_RATIO) {
        s.sn = s.snn = s.users;
        s.sxn = s.sx;
        s.spn = s.sp;
        s.pre_sn = s.pre_users;
    }
    if (!is_good(&s) || !pre_is_good(&s))
        return REASON_INVALID_INPUT;
    if (kind == METRIC_SHARE && (s.sxx != s.sx || s.sx != floor(s.sx)))
        return REASON_INVALID_INPUT;
    *out = s;
    return REASON_NONE;
}

enum reason arm_moments(const struct arm_sums *sums, struct arm_moments *out)
{
    *out = (struct arm_moments){0};
    if (sums->users == 0)
        return REASON_NO_USERS;
    if (sums->sn == 0)
        return REASON_NO_ANSWERS;
    double k = sums->users, ratio = sums->sx / sums->sn, mean_n = sums->sn / k;
    /* u adds up to 0, so its squares need no mean taken off. */
    double scale = sums->sxx + ratio * ratio * sums->snn;
    double squares = scale - 2 * ratio * sums->sxn;
    struct arm_moments m = {.value = ratio};
    if (k > 1 && squares > ROUNDING * scale)
        m.user_variance = squares / (k - 1) / (mean_n * mean_n);
    m.variance = m.user_variance / k;
    if (!is_sum(m.value) || !is_count(m.user_variance))
        return REASON_INVALID_INPUT;
    *out = m;
    return REASON_NONE;
}

double arm_effective_users(const struct arm_sums *sums)
{
    return sums->snn > 0 ? sums->sn * (sums->sn / sums->snn) : 0;
}

enum reason ratio_compare(const struct arm_sums *control, const struct arm_sums *treatment,
                          struct ratio_test *out)
{
    struct arm_moments a, b;
    *out = (struct ratio_test){0};
    enum reason of_a = arm_moments(control, &a), of_b = arm_moments(treatment, &b);
    if (of_a == REASON_NO_USERS && of_b == REASON_NO_USERS)
        return REASON_NO_USERS;
    if (of_a == REASON_NO_USERS || of_b == REASON_NO_USERS)
        return REASON_ONE_ARM_EMPTY;
    if (of_a != REASON_NONE || of_b != REASON_NONE)
        return of_a != REASON_NONE ? of_a : of_b;
    if (a.variance + b.variance == 0)
        return REASON_ZERO_VARIANCE;
    out->difference = b.value - a.value;
    out->se = sqrt(a.variance + b.variance);
    out->z = out->difference / out->se;
    out->p = normal_two_sided(out->z);
    return REASON_NONE;
}

/* Sums of c = p - mean (0 for who has none), with deviations from the arm's own mean of c. */
struct covariate {
    double mean, squares, products; /* of c; of its deviations; of them and u */
};

static struct covariate covariate_of(const struct arm_sums *s, double ratio, double mean_p)
{
    double sum = s->sp - s->pre_users * mean_p, mean_n = s->sn / s->users;
    double squares = s->spp - 2 * mean_p * s->sp + s->pre_users * mean_p * mean_p;
    double with_x = s->spx - mean_p * s->pre_sx, with_n = s->spn - mean_p * s->pre_sn;
    struct covariate c = {.mean = sum / s->users,
                          .squares = squares - sum * sum / s->users,
                          .products = (with_x - ratio * with_n) / mean_n};
    if (c.squares <= ROUNDING * s->spp)
        c.squares = c.products = 0;
    return c;
}

/* Of the adjusted value u - theta c. */
static double adjusted_variance(const struct arm_sums *s, const struct arm_moments *m,
                                const struct covariate *c, double theta)
{
    double k = s->users;
    double change = (theta * theta * c->squares - 2 * theta * c->products) / (k - 1);
    return fmax(0, m->user_variance + change) / k;
}

enum reason cuped_adjust(const struct arm_sums *control, const struct arm_sums *treatment,
                         double min_users, struct cuped *out)
{
    struct arm_moments ma, mb;
    *out = (struct cuped){0};
    if (control->pre_users < fmax(2, min_users) || treatment->pre_users < fmax(2, min_users))
        return REASON_NO_PRE_EXPOSURE;
    enum reason reason = arm_moments(control, &ma);
    if (reason == REASON_NONE)
        reason = arm_moments(treatment, &mb);
    if (reason != REASON_NONE)
        return reason;
    double mean_p = (control->sp + treatment->sp) / (control->pre_users + treatment->pre_users);
    struct covariate a = covariate_of(control, ma.value, mean_p);
    struct covariate b = covariate_of(treatment, mb.value, mean_p);
    if (a.squares + b.squares <= 0)
        return REASON_NO_GAIN;
    double theta = (a.products + b.products) / (a.squares + b.squares);
    double before = ma.variance + mb.variance;
    struct cuped c = {
        .theta = theta,
        .difference = mb.value - ma.value - theta * (b.mean - a.mean),
        .variance_control = adjusted_variance(control, &ma, &a, theta),
        .variance_treatment = adjusted_variance(treatment, &mb, &b, theta),
        .covariance_control = a.products / (control->users - 1) / control->users,
    };
    double after = c.variance_control + c.variance_treatment;
    if (!(after < before) || !is_sum(c.difference) || !is_sum(theta))
        return REASON_NO_GAIN;
    c.variance_reduction = 1 - after / before;
    *out = c;
    return REASON_NONE;
}
