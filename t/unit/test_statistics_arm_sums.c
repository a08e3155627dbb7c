/* Sums over the users of an arm: ratios by the delta method, and CUPED. */
#include "statistics/arm_sums.h"
#include "statistics/compare.h"
#include "statistics/distribution.h"
#include "statistics_test.h"

#include <math.h>

static void ratios(void **state)
{
    struct arm_sums a = sums_of(ax, an, NULL, 8), b = sums_of(bx, bn, NULL, 8), na, nb;
    struct arm_moments ma, mb;
    struct ratio_test r;
    struct comparison_settings settings = comparison_settings(METRIC_RATIO);
    struct comparison c;
    (void)state;
    FINE(arm_sums_normalise(METRIC_RATIO, &a, &na));
    FINE(arm_sums_normalise(METRIC_RATIO, &b, &nb));
    FINE(arm_moments(&na, &ma));
    FINE(arm_moments(&nb, &mb));
    NEAR(ma.value, .56);
    NEAR(mb.value, 0.782608695652174);
    NEAR(ma.variance, 0.008449462857142853);
    NEAR(mb.variance, 0.006566994420811404);
    FINE(ratio_compare(&na, &nb, &r));
    NEAR(r.z, 1.8165961211272748);
    NEAR(r.p, 0.06927897781913606);
    /* Few users: more careful, by Student's t. */
    settings.min_users = 5;
    compare_arms(&a, &b, &settings, &c);
    REASON(c.reason, "");
    assert_string_equal(c.method, "delta t");
    double ea = 25.0 * 25 / 103, eb = 23.0 * 23 / 91;
    double va = ma.variance * 7 / 8 * ea / (ea - 1), vb = mb.variance * 7 / 8 * eb / (eb - 1);
    NEAR(arm_effective_users(&na), ea);
    NEAR(c.difference, r.difference);
    NEAR(c.se, sqrt(va + vb));
    NEAR(c.df, (va + vb) * (va + vb) / (va * va / (ea - 1) + vb * vb / (eb - 1)));
    NEAR(c.fixed.p, t_two_sided(c.difference / c.se, c.df));
    NEAR(c.control.se, sqrt(va));
    NEAR(c.control.interval.upper, ma.value + sqrt(va) * t_quantile(.975, ea - 1));
    double half =
        t_quantile(.975, c.df) * sqrt(vb + (1 + c.relative) * (1 + c.relative) * va) / ma.value;
    NEAR(c.relative, mb.value / ma.value - 1);
    NEAR(c.fixed.relative_interval.upper, c.relative + half);
    NEAR(c.fixed.relative_interval.lower, c.relative - half);
}

/* Taking a user away and adding it with more answers is as if it had come with them. */
static void sums_change(void **state)
{
    struct arm_sums grown = sums_of(ax, an, bx, 8), whole = grown;
    double p = 7;
    (void)state;
    arm_sums_add(&grown, 1, 2, &p);
    arm_sums_remove(&grown, 1, 2, &p);
    arm_sums_add(&grown, 4, 9, &p);
    arm_sums_add(&whole, 4, 9, &p);
    assert_memory_equal(&grown, &whole, sizeof whole);
}

static double mean_of(const double *values, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += values[i];
    return sum / (double)count;
}

static double product_of(const double *a, const double *b, size_t count)
{
    double ma = mean_of(a, count), mb = mean_of(b, count), sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += (a[i] - ma) * (b[i] - mb);
    return sum;
}

/* Against the definition, user by user: u and c, theta, and the variance of u - theta c. */
static void cuped_user_by_user(void **state)
{
    static const double pre[2][8] = {{1, .5, 3, NAN, 4, .25, 1, 2.5},
                                     {2, 1, NAN, 3, NAN, NAN, 1, NAN}};
    const double *x[2] = {ax, bx}, *n[2] = {an, bn};
    double u[2][8], c[2][8], adjusted[2][8], sum = 0, known = 0, products = 0, squares = 0;
    double ratio[2], variance[2], plain[2];
    struct comparison_settings settings = comparison_settings(METRIC_RATIO);
    struct arm_sums arms[2], normal[2];
    struct comparison result;
    struct cuped cuped;
    (void)state;
    for (int arm = 0; arm < 2; arm++)
        for (int i = 0; i < 8; i++)
            if (!isnan(pre[arm][i])) {
                sum += pre[arm][i];
                known++;
            }
    for (int arm = 0; arm < 2; arm++) {
        ratio[arm] = mean_of(x[arm], 8) / mean_of(n[arm], 8);
        for (int i = 0; i < 8; i++) {
            u[arm][i] = (x[arm][i] - ratio[arm] * n[arm][i]) / mean_of(n[arm], 8);
            c[arm][i] = isnan(pre[arm][i]) ? 0 : pre[arm][i] - sum / known;
        }
        products += product_of(u[arm], c[arm], 8);
        squares += product_of(c[arm], c[arm], 8);
        arms[arm] = sums_of(x[arm], n[arm], pre[arm], 8);
        FINE(arm_sums_normalise(METRIC_RATIO, &arms[arm], &normal[arm]));
    }
    for (int arm = 0; arm < 2; arm++) {
        for (int i = 0; i < 8; i++)
            adjusted[arm][i] = u[arm][i] - products / squares * c[arm][i];
        variance[arm] = product_of(adjusted[arm], adjusted[arm], 8) / 7 / 8;
        plain[arm] = product_of(u[arm], u[arm], 8) / 7 / 8;
    }
    double difference =
        ratio[1] - ratio[0] - products / squares * (mean_of(c[1], 8) - mean_of(c[0], 8));
    FINE(cuped_adjust(&normal[0], &normal[1], 2, &cuped));
    NEAR(cuped.theta, products / squares);
    NEAR(cuped.difference, difference);
    NEAR(cuped.variance_control, variance[0]);
    NEAR(cuped.variance_treatment, variance[1]);
    NEAR(cuped.covariance_control, product_of(u[0], c[0], 8) / 7 / 8);
    NEAR(cuped.variance_reduction, 1 - (variance[0] + variance[1]) / (plain[0] + plain[1]));
    settings.min_users = 4;
    compare_arms(&arms[0], &arms[1], &settings, &result);
    REASON(result.reason, "");
    REASON(result.cuped_reason, "");
    NEAR(result.difference, difference);
    NEAR(result.unadjusted_difference, ratio[1] - ratio[0]);
    double factor[2], n_sum, n_squares;
    for (int arm = 0; arm < 2; arm++) {
        n_sum = arms[arm].sn;
        n_squares = arms[arm].snn;
        factor[arm] = 7.0 / 8 / (1 - n_squares / n_sum / n_sum);
        variance[arm] *= factor[arm];
        plain[arm] *= factor[arm];
    }
    NEAR(result.se, sqrt(variance[0] + variance[1]));
    NEAR(result.unadjusted_se, sqrt(plain[0] + plain[1]));
    NEAR(result.variance_reduction, 1 - (variance[0] + variance[1]) / (plain[0] + plain[1]));
    /* d/A: the variance of d, and of A, and their covariance. */
    double covariance = -plain[0] + cuped.theta * cuped.covariance_control * factor[0];
    double relative = difference / ratio[0];
    double se = sqrt(variance[0] + variance[1] + relative * relative * plain[0] -
                     2 * relative * covariance) /
                ratio[0];
    NEAR(result.relative, relative);
    NEAR(result.fixed.relative_interval.upper, relative + t_quantile(.975, result.df) * se);
    settings.uses_cuped = false;
    compare_arms(&arms[0], &arms[1], &settings, &result);
    NEAR(result.difference, ratio[1] - ratio[0]);
    assert_true(result.theta == 0 && result.variance_reduction == 0);
    settings.uses_cuped = true;
    settings.min_users = 5;
    compare_arms(&arms[0], &arms[1], &settings, &result);
    REASON(result.cuped_reason, "no_pre_exposure");
    REASON(result.reason, "");
}

/* What is known beforehand in full leaves nothing to chance; what is the same for all leaves all.
 */
static void cuped_extremes(void **state)
{
    static const double same[] = {4, 4, 4, 4, 4, 4, 4, 4};
    struct comparison_settings settings = comparison_settings(METRIC_MEAN);
    struct arm_sums a = sums_of(ax, an, ax, 8), b = sums_of(bx, bn, bx, 8);
    struct comparison c;
    (void)state;
    settings.min_users = 2;
    compare_arms(&a, &b, &settings, &c);
    REASON(c.reason, "zero_variance");
    a = sums_of(ax, an, same, 8);
    b = sums_of(bx, bn, same, 8);
    compare_arms(&a, &b, &settings, &c);
    REASON(c.reason, "");
    REASON(c.cuped_reason, "no_gain");
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(ratios),
    cmocka_unit_test(sums_change),
    cmocka_unit_test(cuped_user_by_user),
    cmocka_unit_test(cuped_extremes),
};

UNIT_MAIN(tests)
