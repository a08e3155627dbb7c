/* Means of independent values, several tests at once, and values that are far out. */
#include "mean.h"

#include <math.h>
#include <stdlib.h>

double welch_df(double variance_a, double df_a, double variance_b, double df_b)
{
    /* As shares of the sum, so that squares of small variances do not vanish. */
    double a = variance_a / (variance_a + variance_b), b = 1 - a;
    return 1 / (a * a / df_a + b * b / df_b);
}

static int sample_is_good(struct sample s)
{
    return fabs(s.mean) <= STATISTICS_MAX && s.sd >= 0 && s.sd <= STATISTICS_MAX && s.count >= 0 &&
           s.count <= STATISTICS_MAX;
}

enum reason welch_test(struct sample control, struct sample treatment, double alpha,
                       struct welch *out)
{
    *out = (struct welch){0};
    if (!sample_is_good(control) || !sample_is_good(treatment) || !probability_is_good(alpha))
        return REASON_INVALID_INPUT;
    if (control.count == 0 && treatment.count == 0)
        return REASON_NO_USERS;
    if (control.count == 0 || treatment.count == 0)
        return REASON_ONE_ARM_EMPTY;
    if (control.count < 2 || treatment.count < 2)
        return REASON_TOO_FEW_USERS;
    double a = control.sd * control.sd / control.count;
    double b = treatment.sd * treatment.sd / treatment.count;
    if (a + b == 0)
        return REASON_ZERO_VARIANCE;
    out->difference = treatment.mean - control.mean;
    out->se = sqrt(a + b);
    out->t = out->difference / out->se;
    out->df = welch_df(a, control.count - 1, b, treatment.count - 1);
    out->p = t_two_sided(out->t, out->df);
    double half = out->se * t_quantile(1 - alpha / 2, out->df);
    out->interval = (struct interval){out->difference - half, out->difference + half};
    return REASON_NONE;
}

/* qsort() hands over no context; each thread has its own. */
static _Thread_local const double *sorted_by;

static int by_value(const void *a, const void *b)
{
    size_t i = *(const size_t *)a, j = *(const size_t *)b;
    double x = sorted_by[i], y = sorted_by[j];
    return x != y ? (x > y) - (x < y) : (i > j) - (i < j);
}

enum reason holm_adjust(const double *p, size_t count, double *adjusted)
{
    size_t order[HOLM_MAX];
    double most = 0;
    if (count < 1 || count > HOLM_MAX)
        return REASON_INVALID_INPUT;
    for (size_t i = 0; i < count; i++) {
        order[i] = i;
        adjusted[i] = 0;
        if (!(p[i] >= 0 && p[i] <= 1))
            return REASON_INVALID_INPUT;
    }
    sorted_by = p;
    qsort(order, count, sizeof *order, by_value);
    for (size_t i = 0; i < count; i++) {
        most = fmax(most, fmin(1, (double)(count - i) * p[order[i]]));
        adjusted[order[i]] = most;
    }
    return REASON_NONE;
}

double bonferroni_alpha(double alpha, size_t count)
{
    return alpha / (double)(count > 1 ? count : 1);
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

enum reason winsorise_cap(double *values, size_t count, double quantile, double *cap)
{
    *cap = 0;
    if (!(quantile > 0 && quantile <= 1))
        return REASON_INVALID_INPUT;
    for (size_t i = 0; i < count; i++)
        if (!(values[i] >= 0 && values[i] <= STATISTICS_MAX))
            return REASON_INVALID_INPUT;
    if (count == 0)
        return REASON_NO_USERS;
    qsort(values, count, sizeof *values, by_size);
    size_t place = (size_t)ceil(quantile * (double)count);
    *cap = values[place > 0 ? place - 1 : 0];
    return REASON_NONE;
}

double winsorise(double value, double cap)
{
    return fmin(value, cap);
}

void ratio_winsorise(double *x, double *n, double cap)
{
    if (*n > cap) {
        *x *= cap / *n;
        *n = cap;
    }
}
