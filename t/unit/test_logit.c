/* Logistic regression: against published and closed solutions, and what it refuses. */
#include "batch/logit.h"
#include "unit.h"

#include <math.h>

#define NEAR(a, b, far) assert_true(fabs((a) - (b)) < (far))

struct table {
    const double *x, *y; /* one feature */
};

static void table_row(const void *arg, size_t i, double *x, double *y)
{
    const struct table *t = arg;
    x[0] = t->x[i];
    *y = t->y[i];
}

static void published(void **state)
{
    /* Hours of study and passing an exam; the coefficients are those of Wikipedia's article
     * "Logistic regression", to the digits it gives. */
    static const double hours[] = {0.5,  0.75, 1,    1.25, 1.5, 1.75, 1.75, 2,    2.25, 2.5,
                                   2.75, 3,    3.25, 3.5,  4,   4.25, 4.5,  4.75, 5,    5.5};
    static const double passed[] = {0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 1, 1, 1, 1, 1};
    struct table t = {hours, passed};
    struct logit_data data = {20, 1, table_row, &t};
    double w[2];
    int steps;
    (void)state;
    assert_int_equal(logit_fit(&data, 0, w, &steps), LOGIT_FITTED);
    NEAR(w[0], -4.0777, 5e-5);
    NEAR(w[1], 1.5046, 5e-5);
    assert_in_range(steps, 2, 12);
}

static void closed(void **state)
{
    /* One feature of 0 or 1: the intercept is the odds without it, the weight their difference. */
    static const double x[] = {0, 0, 0, 0, 0, 1, 1, 1, 1}, y[] = {1, 0, 0, 0, 0, 1, 1, 1, 0};
    struct table t = {x, y};
    struct logit_data data = {9, 1, table_row, &t}, alone = {9, 0, table_row, &t};
    double w[2];
    (void)state;
    assert_int_equal(logit_fit(&data, 0, w, NULL), LOGIT_FITTED);
    NEAR(w[0], log(0.25), 1e-6);
    NEAR(w[1], log(3) - log(0.25), 1e-6);
    assert_int_equal(logit_fit(&alone, 5, w, NULL), LOGIT_FITTED);
    NEAR(w[0], log(4.0 / 5), 1e-6); /* which no penalty touches */
}

static void penalized(void **state)
{
    /* What is parted in two has no end without a penalty; with it the slope is where the gradient
     * is: the sum of (p - y) x + l2 w = 0. */
    static const double x[] = {-2, -1, 1, 2}, y[] = {0, 0, 1, 1};
    struct table t = {x, y};
    struct logit_data data = {4, 1, table_row, &t};
    double w[2], gradient;
    (void)state;
    assert_int_equal(logit_fit(&data, 0.5, w, NULL), LOGIT_FITTED);
    gradient = 0.5 * w[1];
    for (int i = 0; i < 4; i++)
        gradient += (logit_probability(w[0] + w[1] * x[i]) - y[i]) * x[i];
    NEAR(gradient, 0, 1e-4);
    NEAR(w[0], 0, 1e-6);
    assert_true(w[1] > 0.5 && w[1] < 3);
}

static void soft(void **state)
{
    /* Rows may be aimed anywhere between 0 and 1. */
    static const double x[] = {0, 1}, y[] = {0.2, 0.7};
    struct table t = {x, y};
    struct logit_data data = {2, 1, table_row, &t};
    double w[2];
    (void)state;
    assert_int_equal(logit_fit(&data, 0, w, NULL), LOGIT_FITTED);
    NEAR(logit_probability(w[0]), 0.2, 1e-4);
    NEAR(logit_probability(w[0] + w[1]), 0.7, 1e-4);
}

static void refused(void **state)
{
    static const double zero[] = {0, 0, 0}, y[] = {0, 1, 1}, wrong[] = {0, NAN, 1};
    static const double beyond[] = {0, 2, 1};
    struct table of_zero = {zero, y}, of_nan = {wrong, y}, of_beyond = {zero, beyond};
    struct logit_data data = {3, 1, table_row, &of_zero};
    double w[LOGIT_FEATURES_MAX + 2];
    (void)state;
    assert_int_equal(logit_fit(&data, 0, w, NULL), LOGIT_NOT_CONVERGED);
    assert_int_equal(logit_fit(&data, 1, w, NULL), LOGIT_FITTED);
    data.arg = &of_nan;
    assert_int_equal(logit_fit(&data, 1, w, NULL), LOGIT_BAD_DATA);
    data.arg = &of_beyond;
    assert_int_equal(logit_fit(&data, 1, w, NULL), LOGIT_BAD_DATA);
    data = (struct logit_data){0, 1, table_row, &of_zero};
    assert_int_equal(logit_fit(&data, 1, w, NULL), LOGIT_BAD_DATA);
    data = (struct logit_data){3, LOGIT_FEATURES_MAX + 1, table_row, &of_zero};
    assert_int_equal(logit_fit(&data, 1, w, NULL), LOGIT_BAD_DATA);
    data = (struct logit_data){3, 1, table_row, &of_zero};
    assert_int_equal(logit_fit(&data, NAN, w, NULL), LOGIT_BAD_DATA);
}

static void extreme(void **state)
{
    (void)state;
    NEAR(logit_probability(0), 0.5, 1e-15);
    assert_true(logit_probability(1000) > 0.999 && logit_probability(-1000) >= 0);
    NEAR(logit_odds(logit_probability(-3)), -3, 1e-12);
}

static void judged(void **state)
{
    static const double given[] = {0.9, 0.9, 0.2, 0.2};
    static const bool came[] = {true, false, false, false};
    static const double same[] = {0.5, 0.5};
    static const bool both[] = {true, false}, all[] = {true, true};
    struct logit_scores s;
    (void)state;
    assert_true(logit_judge(given, came, 4, 0.25, &s));
    NEAR(s.rate, 0.25, 1e-12);
    NEAR(s.brier, (0.01 + 0.81 + 0.04 + 0.04) / 4, 1e-12);
    NEAR(s.ece, (2 * 0.4 + 2 * 0.2) / 4, 1e-12);
    NEAR(s.log_loss, -(log(0.9) + log(0.1) + 2 * log(0.8)) / 4, 1e-12);
    NEAR(s.base_log_loss, -(log(0.25) + 3 * log(0.75)) / 4, 1e-12);
    NEAR(s.auc, (0.5 + 1 + 1) / 3, 1e-12);
    assert_true(logit_judge(same, both, 2, 0.5, &s));
    NEAR(s.auc, 0.5, 1e-12);
    assert_true(logit_judge(same, all, 2, 0.5, &s));
    NEAR(s.auc, 0.5, 1e-12);
    assert_false(logit_judge(same, all, 0, 0.5, &s));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(published), cmocka_unit_test(closed),  cmocka_unit_test(penalized),
    cmocka_unit_test(soft),      cmocka_unit_test(refused), cmocka_unit_test(extreme),
    cmocka_unit_test(judged),
};
UNIT_MAIN(tests)
