#include "logit.h"

#include "statistics/gsl_errors.h"

#include <gsl/gsl_linalg.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define STEPS_MAX 100
#define HALVINGS_MAX 40
#define DECREMENT_ENOUGH 1e-14 /* what a step would still win of the sum, by row */
#define PROBABILITY_LEAST 1e-6

double logit_probability(double z)
{
    /* By the side that cannot overflow. */
    double e = exp(-fabs(z));
    return z >= 0 ? 1 / (1 + e) : e / (1 + e);
}

double logit_odds(double p)
{
    return log(p) - log1p(-p);
}

/* The log loss of a row: log(1 + exp(z)) - y z. */
static double row_loss(double z, double y)
{
    return (z > 0 ? z : 0) + log1p(exp(-fabs(z))) - y * z;
}

/* --- fitting --- */

struct fit {
    const struct logit_data *data;
    double l2;
    size_t n; /* weights */
    double weights[LOGIT_FEATURES_MAX + 1], trial[LOGIT_FEATURES_MAX + 1];
    gsl_matrix *hessian;
    gsl_vector *step; /* first the gradient */
};

/* x[0] is the intercept's. False: there is a value that is no number. */
static bool read_row(const struct fit *f, size_t i, double *x, double *y)
{
    bool good = true;
    x[0] = 1;
    f->data->row(f->data->arg, i, x + 1, y);
    for (size_t j = 1; j < f->n; j++)
        good = good && isfinite(x[j]);
    return good && *y >= 0 && *y <= 1;
}

static double product(const double *weights, const double *x, size_t n)
{
    double z = 0;
    for (size_t j = 0; j < n; j++)
        z += weights[j] * x[j];
    return z;
}

static double penalty(const struct fit *f, const double *weights)
{
    double sum = 0;
    for (size_t j = 1; j < f->n; j++)
        sum += weights[j] * weights[j];
    return sum * f->l2 / 2;
}

/* What is to be the least, at the given weights; NaN: bad data. */
static double loss_at(const struct fit *f, const double *weights)
{
    double x[LOGIT_FEATURES_MAX + 1], y, sum = penalty(f, weights);
    for (size_t i = 0; i < f->data->rows; i++) {
        if (!read_row(f, i, x, &y))
            return NAN;
        sum += row_loss(product(weights, x, f->n), y);
    }
    return sum;
}

/* Gradient and Hessian at f->weights; of the latter, which is symmetric, the lower triangle. */
static void derive(struct fit *f)
{
    double x[LOGIT_FEATURES_MAX + 1], y;
    gsl_matrix_set_zero(f->hessian);
    gsl_vector_set_zero(f->step);
    for (size_t i = 0; i < f->data->rows; i++) {
        read_row(f, i, x, &y);
        double p = logit_probability(product(f->weights, x, f->n));
        double weight = p * (1 - p), error = p - y;
        for (size_t j = 0; j < f->n; j++) {
            if (x[j] == 0) /* most are, of categories */
                continue;
            *gsl_vector_ptr(f->step, j) += error * x[j];
            for (size_t k = 0; k <= j; k++)
                *gsl_matrix_ptr(f->hessian, j, k) += weight * x[j] * x[k];
        }
    }
    for (size_t j = 1; j < f->n; j++) {
        *gsl_vector_ptr(f->step, j) += f->l2 * f->weights[j];
        *gsl_matrix_ptr(f->hessian, j, j) += f->l2;
    }
}

/* The step of Newton's method goes to f->step; *decrement is what it promises to win. */
static bool solve(struct fit *f, double *decrement)
{
    double gradient[LOGIT_FEATURES_MAX + 1];
    for (size_t j = 0; j < f->n; j++)
        gradient[j] = gsl_vector_get(f->step, j);
    if (gsl_linalg_cholesky_decomp1(f->hessian) != GSL_SUCCESS ||
        gsl_linalg_cholesky_svx(f->hessian, f->step) != GSL_SUCCESS)
        return false;
    *decrement = 0;
    for (size_t j = 0; j < f->n; j++)
        *decrement += gradient[j] * gsl_vector_get(f->step, j) / 2;
    return isfinite(*decrement);
}

/* Goes as far along the step as it gets better. False: nowhere. */
static bool take_step(struct fit *f, double *loss)
{
    double share = 1;
    for (int i = 0; i < HALVINGS_MAX; i++, share /= 2) {
        for (size_t j = 0; j < f->n; j++)
            f->trial[j] = f->weights[j] - share * gsl_vector_get(f->step, j);
        double tried = loss_at(f, f->trial);
        if (tried < *loss) {
            memcpy(f->weights, f->trial, sizeof f->weights);
            *loss = tried;
            return true;
        }
    }
    return false;
}

static enum logit_end descend(struct fit *f, int *iterations)
{
    double loss = loss_at(f, f->weights), decrement;
    if (isnan(loss))
        return LOGIT_BAD_DATA;
    for (int i = 0; i < STEPS_MAX; i++) {
        derive(f);
        if (!solve(f, &decrement))
            return LOGIT_NOT_CONVERGED;
        *iterations = i;
        /* Where rounding stands in the way of less, it is as little as can be had. */
        if (decrement <= DECREMENT_ENOUGH * (double)f->data->rows || !take_step(f, &loss))
            return decrement <= 1e-6 * (double)f->data->rows ? LOGIT_FITTED : LOGIT_NOT_CONVERGED;
    }
    return LOGIT_NOT_CONVERGED;
}

enum logit_end logit_fit(const struct logit_data *data, double l2, double *weights, int *iterations)
{
    struct fit f = {.data = data, .l2 = l2, .n = data->features + 1};
    enum logit_end end = LOGIT_NO_MEMORY;
    int steps = 0;
    if (data->rows == 0 || data->features > LOGIT_FEATURES_MAX || !(l2 >= 0))
        return LOGIT_BAD_DATA;
    gsl_errors_return();
    f.hessian = gsl_matrix_alloc(f.n, f.n);
    f.step = gsl_vector_alloc(f.n);
    if (f.hessian != NULL && f.step != NULL)
        end = descend(&f, &steps);
    if (end == LOGIT_FITTED)
        memcpy(weights, f.weights, f.n * sizeof *weights);
    if (iterations != NULL)
        *iterations = steps;
    gsl_matrix_free(f.hessian);
    gsl_vector_free(f.step);
    return end;
}

/* --- judging --- */

struct judged {
    double probability;
    bool came;
};

static int by_probability(const void *a, const void *b)
{
    double x = ((const struct judged *)a)->probability, y = ((const struct judged *)b)->probability;
    return (x > y) - (x < y);
}

static double log_loss(double probability, bool came)
{
    double given = came ? probability : 1 - probability;
    return -log(fmin(fmax(given, PROBABILITY_LEAST), 1));
}

static double calibration_error(const struct judged *rows, size_t n)
{
    double sums[LOGIT_BINS] = {0}, error = 0;
    for (size_t i = 0; i < n; i++) {
        int bin = (int)(rows[i].probability * LOGIT_BINS);
        sums[bin < LOGIT_BINS ? bin : LOGIT_BINS - 1] += rows[i].probability - rows[i].came;
    }
    for (int b = 0; b < LOGIT_BINS; b++)
        error += fabs(sums[b]);
    return error / (double)n;
}

/* Of sorted rows, by the ranks of those that came true (Mann and Whitney 1947); what is given the
 * same has the middle of its ranks. */
static double area_under_curve(const struct judged *rows, size_t n)
{
    double ranks = 0, true_ones = 0;
    for (size_t i = 0, end; i < n; i = end) {
        double here = 0;
        for (end = i; end < n && rows[end].probability <= rows[i].probability; end++)
            here += rows[end].came;
        ranks += here * (double)(i + 1 + end) / 2;
        true_ones += here;
    }
    double false_ones = (double)n - true_ones;
    if (true_ones < 0.5 || false_ones < 0.5)
        return 0.5;
    return (ranks - true_ones * (true_ones + 1) / 2) / (true_ones * false_ones);
}

bool logit_judge(const double *probabilities, const bool *came, size_t n, double base_rate,
                 struct logit_scores *scores)
{
    struct judged *rows = n > 0 ? calloc(n, sizeof *rows) : NULL;
    if (rows == NULL)
        return false;
    for (size_t i = 0; i < n; i++)
        rows[i] = (struct judged){probabilities[i], came[i]};
    qsort(rows, n, sizeof *rows, by_probability);
    *scores = (struct logit_scores){.rows = n};
    for (size_t i = 0; i < n; i++) {
        double error = rows[i].probability - rows[i].came;
        scores->rate += rows[i].came / (double)n;
        scores->brier += error * error / (double)n;
        scores->log_loss += log_loss(rows[i].probability, rows[i].came) / (double)n;
        scores->base_log_loss += log_loss(base_rate, rows[i].came) / (double)n;
    }
    scores->ece = calibration_error(rows, n);
    scores->auc = area_under_curve(rows, n);
    free(rows);
    return true;
}
