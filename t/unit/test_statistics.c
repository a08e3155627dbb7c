/* Statistics of experiments: values that scipy 1.10.1 gives for the same numbers, published
 * examples, and what must have a reason in place of a number. */
#include "statistics/arm_sums.h"
#include "statistics/compare.h"
#include "statistics/distribution.h"
#include "statistics/mean.h"
#include "statistics/power.h"
#include "statistics/proportion.h"
#include "statistics/reason.h"
#include "statistics/sequential.h"
#include "statistics/srm.h"
#include "unit.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))

static void assert_near(double got, double wanted, double relative, const char *what, int line)
{
    if (!(fabs(got - wanted) <= relative * fmax(fabs(wanted), 1e-300)))
        fail_msg("line %d: %s is %.17g, not %.17g", line, what, got, wanted);
}

/* To as many digits as the value was given with, 1e-9 of it. */
#define NEAR(got, wanted) assert_near(got, wanted, 1e-9, #got, __LINE__)
#define NEAR_BY(got, wanted, relative) assert_near(got, wanted, relative, #got, __LINE__)
#define FINE(call) assert_string_equal(reason_name(call), "")
#define REASON(call, name) assert_string_equal(reason_name(call), name)

/* --- shares --- */

static void shares_of_two_arms(void **state)
{
    struct proportion_difference d;
    struct interval a, b;
    (void)state;
    FINE(proportion_compare((struct trials){120, 1000}, (struct trials){150, 1000}, .05, &d));
    NEAR(d.difference, .03);
    NEAR(d.z, 1.963049807622355);
    NEAR(d.p, 0.04964038686536878);
    NEAR(d.se, 0.015267612779999369);
    NEAR(d.wald.lower, 7.602882129778554e-05);
    NEAR(d.wald.upper, 0.05992397117870221);
    NEAR(d.newcombe.lower, 1.3782434204e-05);
    NEAR(d.newcombe.upper, 0.060008258570126566);
    FINE(proportion_interval((struct trials){120, 1000}, .05, &a));
    FINE(proportion_interval((struct trials){150, 1000}, .05, &b));
    NEAR(a.lower, 0.10129926060130913);
    NEAR(a.upper, 0.14160907584771276);
    NEAR(b.lower, 0.1292100725130883);
    NEAR(b.upper, 0.17346865842680032);
}

/* Newcombe (1998), example (a) of table II. */
static void newcombes_example(void **state)
{
    struct proportion_difference d;
    (void)state;
    FINE(proportion_compare((struct trials){48, 80}, (struct trials){56, 70}, .05, &d));
    NEAR(d.difference, .2);
    NEAR(d.newcombe.lower, 0.052431472402365);
    NEAR(d.newcombe.upper, 0.333872654036906);
    NEAR(d.z, 2.6501719512585336);
    NEAR(d.p, 0.00804508136819656);
}

static void few_trials(void **state)
{
    struct trials none = {0, 20}, some = {5, 20};
    struct proportion_difference d;
    struct interval i;
    double p;
    (void)state;
    FINE(proportion_compare(none, some, .05, &d));
    NEAR(d.newcombe.lower, 0.03776544556663);
    NEAR(d.newcombe.upper, 0.46870087761874);
    NEAR(d.z, 2.390457218668787);
    NEAR(d.p, 0.01682740948275685);
    FINE(proportion_fisher(none, some, &p));
    NEAR(p, 0.04712404712404713);
    FINE(proportion_fisher(some, none, &p));
    NEAR(p, 0.04712404712404713);
    FINE(proportion_interval((struct trials){0, 10}, .05, &i));
    assert_true(i.lower == 0);
    NEAR(i.upper, 0.2775327998628892);
    FINE(proportion_interval((struct trials){10, 10}, .05, &i));
    NEAR(i.lower, 1 - 0.2775327998628892);
    assert_true(i.upper == 1);
    FINE(proportion_interval((struct trials){1, 3}, .05, &i));
    NEAR(i.lower, 0.06149194472039615);
    NEAR(i.upper, 0.7923403991979523);
}

/* By the lady tasting tea, and where only one table is possible, or this one hardly is. */
static void fishers_test(void **state)
{
    double p;
    (void)state;
    FINE(proportion_fisher((struct trials){3, 4}, (struct trials){1, 4}, &p));
    NEAR(p, 34.0 / 70);
    FINE(proportion_fisher((struct trials){4, 4}, (struct trials){0, 4}, &p));
    NEAR(p, 2.0 / 70);
    FINE(proportion_fisher((struct trials){0, 4}, (struct trials){0, 9}, &p));
    NEAR(p, 1);
    FINE(proportion_fisher((struct trials){0, 100000}, (struct trials){100000, 100000}, &p));
    assert_true(p == 0);
    REASON(proportion_fisher((struct trials){1, 1e6}, (struct trials){1, 10}, &p), "invalid_input");
}

static void beta_comparisons(void **state)
{
    struct beta_comparison c, normal;
    double chance;
    (void)state;
    FINE(beta_compare((struct trials){120, 1000}, (struct trials){150, 1000}, &c));
    NEAR(c.chance_to_win, 0.9750678368121);
    NEAR(c.loss_treatment, 0.00014417785522);
    NEAR(c.loss_control, 0.0300842976157);
    normal = normal_compare(.03 * 1000 / 1002, 0.015267612779999369);
    NEAR_BY(normal.chance_to_win, 0.97497, 1e-4);
    FINE(beta_compare((struct trials){3, 10}, (struct trials){7, 12}, &c));
    NEAR(c.chance_to_win, 0.897880891487);
    NEAR(c.loss_treatment, 0.009391124871);
    NEAR(c.loss_control, 0.247486362966);
    FINE(beta_compare((struct trials){10, 20}, (struct trials){10, 20}, &c));
    NEAR(c.chance_to_win, .5);
    NEAR(c.loss_treatment, 0.05912677055648);
    NEAR(c.loss_control, 0.05912677055648);
    FINE(beta_chance_below((struct trials){3, 10}, .3, &chance));
    NEAR(chance, 0.43043766119999977);
}

/* Where the sum gives way to normal distributions, nothing jumps. */
static void large_beta_comparisons(void **state)
{
    struct beta_comparison exact, normal;
    double a, b;
    (void)state;
    FINE(beta_compare((struct trials){49900, 100000}, (struct trials){50100, 100000}, &exact));
    FINE(beta_compare((struct trials){49900, 100001}, (struct trials){50100, 100001}, &normal));
    NEAR_BY(normal.chance_to_win, exact.chance_to_win, 1e-5);
    NEAR_BY(normal.loss_treatment, exact.loss_treatment, 1e-3);
    NEAR_BY(normal.loss_control, exact.loss_control, 1e-3);
    FINE(beta_chance_below((struct trials){49900, 199000}, .25, &a));
    FINE(beta_chance_below((struct trials){49900, 199900}, .25, &b));
    assert_true(a > 0 && a < b && b < 1);
    NEAR_BY(beta_below(.25, 1e5, 3e5), beta_below(.25, 1e5 + 1e-3, 3e5), 1e-3);
    assert_true(beta_below(.5, 1e6, 9e6) == 1 && beta_below(.05, 1e6, 9e6) == 0);
    NEAR(beta_below(.1, 1e6, 9e6), .5);
    FINE(beta_compare((struct trials){1e11, 1e12}, (struct trials){1e11 + 1e7, 1e12}, &normal));
    assert_true(normal.chance_to_win == 1 && normal.loss_treatment >= 0);
}

/* --- means, and tests together --- */

static void welchs_test(void **state)
{
    struct welch w;
    (void)state;
    FINE(welch_test((struct sample){4.10, 1.20, 180}, (struct sample){4.35, .95, 210}, .05, &w));
    NEAR(w.t, 2.2543922923790447);
    NEAR(w.df, 339.1502014871227);
    NEAR(w.p, 0.024809151838996454);
    NEAR(w.interval.lower, 0.0318721095622104);
    NEAR(w.interval.upper, 0.4681278904377896);
}

/* The same of users' values, by their sums: A 1 to 5, B 2, 4, ..., 12. */
static void welchs_test_of_sums(void **state)
{
    struct comparison_settings settings = comparison_settings(METRIC_MEAN);
    struct arm_sums a = {0}, b = {0};
    struct comparison c;
    (void)state;
    for (int i = 1; i <= 5; i++)
        arm_sums_add(&a, i, 77, NULL);
    for (int i = 1; i <= 6; i++)
        arm_sums_add(&b, 2 * i, 0, NULL);
    settings.min_users = 2;
    compare_arms(&a, &b, &settings, &c);
    REASON(c.reason, "");
    assert_string_equal(c.method, "Welch t");
    NEAR(c.difference / c.se, 2.3763541031440183);
    NEAR(c.df, 6.9722557297949335);
    NEAR(c.fixed.p, 0.04928433820673049);
    NEAR(c.control.value, 3);
    NEAR(c.treatment.value, 7);
    NEAR(c.relative, 4.0 / 3);
    assert_string_equal(reason_name(c.cuped_reason), "no_pre_exposure");
    settings.min_users = 6;
    compare_arms(&a, &b, &settings, &c);
    REASON(c.reason, "too_few_users");
    NEAR(c.control.value, 3);
    assert_true(!c.control.has_interval && c.treatment.has_interval && c.difference == 0);
}

static void holms_adjustment(void **state)
{
    double four[] = {.01, .04, .03, .005}, five[] = {.001, .02, .021, .5, .9}, adjusted[5];
    double wanted_four[] = {.03, .06, .06, .02}, wanted_five[] = {.005, .08, .08, 1, 1};
    double bad[] = {.5, NAN};
    (void)state;
    FINE(holm_adjust(four, 4, adjusted));
    for (int i = 0; i < 4; i++)
        NEAR(adjusted[i], wanted_four[i]);
    FINE(holm_adjust(five, 5, adjusted));
    for (int i = 0; i < 5; i++)
        NEAR(adjusted[i], wanted_five[i]);
    FINE(holm_adjust((double[]){.2, .2, .2}, 3, adjusted));
    for (int i = 0; i < 3; i++)
        NEAR(adjusted[i], .6);
    REASON(holm_adjust(bad, 2, adjusted), "invalid_input");
    REASON(holm_adjust((double[]){-.1}, 1, adjusted), "invalid_input");
    REASON(holm_adjust(four, 0, adjusted), "invalid_input");
}

static void winsorising(void **state)
{
    double values[200], x = 30000, n = 100000, cap;
    (void)state;
    for (int i = 0; i < 200; i++)
        values[i] = i == 3 ? 100000 : (double)((i * 7) % 200);
    /* Of 200 values the 198th is the least that 99 % do not exceed. */
    FINE(winsorise_cap(values, 200, WINSORISE_QUANTILE, &cap));
    NEAR(cap, 198);
    assert_true(winsorise(100000, cap) == cap && winsorise(5, cap) == 5);
    ratio_winsorise(&x, &n, cap);
    NEAR(n, cap);
    NEAR(x, .3 * cap);
    FINE(winsorise_cap(values, 200, 1, &cap));
    NEAR(cap, 100000);
    FINE(winsorise_cap(values, 1, .01, &cap));
    assert_true(cap == 0);
    REASON(winsorise_cap(values, 0, .99, &cap), "no_users");
    REASON(winsorise_cap(values, 3, 0, &cap), "invalid_input");
    values[1] = -1;
    REASON(winsorise_cap(values, 3, .99, &cap), "invalid_input");
}

/* --- sample ratio --- */

static void sample_ratio(void **state)
{
    struct srm s;
    (void)state;
    FINE(srm_test((double[]){50421, 49579}, (double[]){1, 1}, 2, &s));
    NEAR(s.chi_square, 7.08964);
    NEAR(s.p, 0.007753081977997388);
    assert_false(s.is_mismatch);
    FINE(srm_test((double[]){5150, 4850}, (double[]){50, 50}, 2, &s));
    NEAR(s.chi_square, 9);
    NEAR(s.p, 0.0026997960632601883);
    FINE(srm_test((double[]){5000, 4800, 2700}, (double[]){40, 40, 20}, 3, &s));
    NEAR(s.chi_square, 24);
    NEAR(s.p, 6.144212353328207e-06);
    assert_true(s.is_mismatch);
    REASON(srm_test((double[]){7, 8}, (double[]){1, 1}, 2, &s), "too_few_users");
    FINE(srm_test((double[]){16, 0}, (double[]){1, 1}, 2, &s));
    REASON(srm_test((double[]){0, 0}, (double[]){1, 1}, 2, &s), "no_users");
    REASON(srm_test((double[]){9, 9.5}, (double[]){1, 1}, 2, &s), "invalid_input");
    REASON(srm_test((double[]){9, 9}, (double[]){1, 0}, 2, &s), "invalid_input");
    REASON(srm_test((double[]){9}, (double[]){1}, 1, &s), "invalid_input");
}

static void sample_ratio_at_each_look(void **state)
{
    static const double rows[4][2] = {{500, 520}, {480, 560}, {470, 590}, {450, 600}};
    static const double wanted[4] = {1, 0.7254421046785682, 0.1810545398737244,
                                     0.00949262719575195};
    struct srm_sequence s, whole;
    (void)state;
    FINE(srm_sequence_begin(&s, (double[]){50, 50}, 2));
    for (int i = 0; i < 4; i++) {
        FINE(srm_sequence_add(&s, rows[i]));
        NEAR(s.p, wanted[i]);
    }
    /* Users by themselves or together: the evidence is the same. */
    FINE(srm_sequence_begin(&whole, (double[]){1, 1}, 2));
    FINE(srm_sequence_add(&whole, (double[]){1900, 2270}));
    NEAR(whole.p, s.p);
    /* What was seen once stays. */
    FINE(srm_sequence_add(&whole, (double[]){370, 0}));
    NEAR(whole.p, s.p);
    REASON(srm_sequence_add(&whole, (double[]){-1, 0}), "invalid_input");
    REASON(srm_sequence_begin(&whole, (double[]){1, -1}, 2), "invalid_input");
    REASON(srm_sequence_add(&whole, (double[]){1, 0}), "invalid_input");
}

/* --- at any look --- */

static void confidence_sequences(void **state)
{
    struct proportion_difference d;
    struct confidence_sequence s;
    (void)state;
    NEAR(confidence_sequence_rho(.05, 5000), 0.03984006677137368);
    FINE(proportion_compare((struct trials){120, 1000}, (struct trials){150, 1000}, .05, &d));
    FINE(confidence_sequence(d.difference, d.se, 2000, .05, 5000, &s));
    NEAR(s.half, 0.04769264958194792);
    NEAR(exp(s.log_e), 2.1245370568841895);
    NEAR(s.p, 0.4706907779083803);
    FINE(proportion_compare((struct trials){1200, 10000}, (struct trials){1500, 10000}, .05, &d));
    FINE(confidence_sequence(d.difference, d.se, 20000, .05, 5000, &s));
    NEAR(s.half, 0.01509784180752343);
    NEAR(s.interval.lower, 0.0149021581925);
    NEAR(s.interval.upper, 0.0450978418075);
    NEAR(exp(s.log_e), 23466557.37392);
    NEAR(s.p, 4.261383483165573e-08);
    /* The interval touches 0 just when p is alpha. */
    FINE(confidence_sequence(s.half, d.se, 20000, .05, 5000, &s));
    NEAR(s.p, .05);
    REASON(confidence_sequence(0, 0, 20, .05, 5000, &s), "zero_variance");
    REASON(confidence_sequence(0, 1, 0, .05, 5000, &s), "no_users");
    REASON(confidence_sequence(0, 1, 20, 0, 5000, &s), "invalid_input");
    REASON(confidence_sequence(NAN, 1, 20, .05, 5000, &s), "invalid_input");
    FINE(confidence_sequence(1e90, 1e-90, USERS_MAX, .05, USERS_MAX, &s));
    assert_true(s.p == 0 && isfinite(s.log_e));
}

static void looks_together(void **state)
{
    struct always_valid all = {0};
    (void)state;
    always_valid_add(&all, .5, (struct interval){-1, 3});
    always_valid_add(&all, .2, (struct interval){.5, 4});
    always_valid_add(&all, .7, (struct interval){-2, 2});
    assert_true(all.p == .2 && all.interval.lower == .5 && all.interval.upper == 2);
    assert_false(all.has_drifted);
    always_valid_add(&all, .6, (struct interval){-3, .4});
    assert_true(all.has_drifted && all.interval.lower == -3 && all.interval.upper == .4);
    always_valid_add(&all, .6, (struct interval){-3, 2});
    assert_true(all.has_drifted && all.interval.upper == 2 && all.p == .2);
}

/* --- ratios --- */

static struct arm_sums sums_of(const double *x, const double *n, const double *p, size_t count)
{
    struct arm_sums sums = {0};
    for (size_t i = 0; i < count; i++)
        arm_sums_add(&sums, x[i], n[i], p != NULL && !isnan(p[i]) ? &p[i] : NULL);
    return sums;
}

static const double ax[] = {1, 0, 3, 2, 5, 0, 1, 2}, an[] = {2, 1, 4, 4, 6, 1, 2, 5};
static const double bx[] = {2, 1, 4, 3, 2, 1, 0, 5}, bn[] = {2, 2, 4, 5, 2, 1, 1, 6};

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

/* --- planning --- */

static void planned_shares(void **state)
{
    struct power_goal goal = {.05, .8};
    double users, power, share, days;
    (void)state;
    FINE(power_share_users(.12, .15, goal, &users));
    NEAR_BY(users, 2035.605, 3e-7);
    assert_true(ceil(users) == 2036);
    FINE(power_share_users(.50, .52, goal, &users));
    NEAR_BY(users, 9805.996, 1e-7);
    assert_true(ceil(users) == 9806);
    FINE(power_of_share(.50, .52, users, .05, &power));
    NEAR(power, .8);
    FINE(power_detectable_share(.50, users, goal, &share));
    NEAR(share, .52);
    FINE(power_share_users(.15, .12, goal, &users));
    FINE(power_of_share(.15, .12, users, .05, &power));
    NEAR(power, .8);
    REASON(power_share_users(.5, .5, goal, &users), "no_difference");
    REASON(power_share_users(.5, 1.5, goal, &users), "invalid_input");
    REASON(power_share_users(.5, .6, (struct power_goal){.05, .01}, &users), "invalid_input");
    REASON(power_share_users(.5, .5 + 1e-9, goal, &users), "out_of_reach");
    REASON(power_detectable_share(.9, 5, goal, &share), "out_of_reach");
    REASON(power_detectable_share(1, 5000, goal, &share), "out_of_reach");
    FINE(power_of_share(0, 1, 1, .05, &power));
    assert_true(power == 0);
    FINE(power_of_share(0, 1, 2, .05, &power));
    assert_true(power == 1);
    FINE(power_days(2036, 500, .5, &days));
    assert_true(days == 9);
    FINE(power_days(1000, 100, .1, &days));
    assert_true(days == 100);
    REASON(power_days(1000, 0, .5, &days), "no_users");
    REASON(power_days(1e9, 1, .5, &days), "out_of_reach");
    REASON(power_days(1000, NAN, .5, &days), "invalid_input");
}

static void planned_means(void **state)
{
    struct power_goal goal = {.05, .8};
    double users, power, difference;
    (void)state;
    FINE(power_mean_users(1, .5, goal, &users));
    NEAR_BY(users, 62.79104, 1e-6); /* 2 (1.959964 + .841621)² / .25 */
    FINE(power_of_mean(1, -.5, users, .05, &power));
    NEAR(power, .8);
    FINE(power_detectable_difference(1, users, goal, &difference));
    NEAR(difference, .5);
    REASON(power_mean_users(0, .5, goal, &users), "zero_variance");
    REASON(power_mean_users(1, 0, goal, &users), "no_difference");
    REASON(power_mean_users(1, 1e-9, goal, &users), "out_of_reach");
    REASON(power_of_mean(-1, 1, 5, .05, &power), "invalid_input");
    REASON(power_of_mean(1, 1, 0, .05, &power), "no_users");
    REASON(power_detectable_difference(1, INFINITY, goal, &difference), "invalid_input");
}

static void distributions(void **state)
{
    (void)state;
    NEAR(normal_quantile(.975), 1.959963984540054);
    NEAR(t_quantile(.975, 10), 2.2281388519649385);
    NEAR(t_above(2.5, 7.3), 0.0198251173328002);
    NEAR(chi_square_above(3.2, 2), 0.2018965179946554);
    NEAR(beta_below(.3, 4, 8), 0.43043766119999977);
    /* Critical values of 0.001 and 0.0005. */
    NEAR_BY(chi_square_above(10.827566, 1), .001, 1e-6);
    NEAR_BY(chi_square_above(12.115665, 1), .0005, 1e-6);
    NEAR_BY(chi_square_above(13.815511, 2), .001, 1e-6);
    NEAR(log_rising(5, 3), log(5 * 6 * 7));
    assert_true(log_rising(5, 0) == 0);
    /* Would end the process if GSL's handler were on. */
    assert_true(isnan(beta_below(.5, 0, 1)) || beta_below(.5, 0, 1) >= 0);
}

/* --- what must have a reason --- */

/* users of whom each has x and n. */
static struct arm_sums alike(double users, double x, double n)
{
    return (struct arm_sums){.users = users,
                             .sx = users * x,
                             .sxx = users * x * x,
                             .sn = users * n,
                             .sxn = users * x * n,
                             .snn = users * n * n};
}

static void assert_all_finite(const void *of, size_t size)
{
    /* Any other members, read as doubles, are small numbers or 0. */
    const unsigned char *bytes = of;
    for (size_t at = 0; at + sizeof(double) <= size; at += sizeof(double)) {
        double value;
        memcpy(&value, bytes + at, sizeof value);
        assert_true(isfinite(value));
    }
}

static void assert_sound(const struct comparison *c)
{
    const struct arm_estimate *arms[] = {&c->control, &c->treatment};
    for (int i = 0; i < 2; i++) {
        assert_true(isfinite(arms[i]->value) && isfinite(arms[i]->se) && isfinite(arms[i]->users));
        assert_all_finite(&arms[i]->interval, sizeof arms[i]->interval);
        assert_true(arms[i]->reason == REASON_NONE || (arms[i]->value == 0 && arms[i]->se == 0));
    }
    assert_all_finite(&c->fixed, sizeof c->fixed);
    assert_all_finite(&c->always_valid, sizeof c->always_valid);
    const double numbers[] = {c->difference,
                              c->se,
                              c->df,
                              c->relative,
                              c->chance_to_win,
                              c->loss_treatment,
                              c->loss_control,
                              c->theta,
                              c->variance_reduction,
                              c->unadjusted_difference,
                              c->unadjusted_se};
    for (size_t i = 0; i < COUNT(numbers); i++)
        assert_true(isfinite(numbers[i]) && (c->reason == REASON_NONE || numbers[i] == 0));
    if (c->reason != REASON_NONE)
        return;
    assert_true(c->se > 0 && c->fixed.p >= 0 && c->fixed.p <= 1);
    assert_true(c->fixed.interval.lower <= c->fixed.interval.upper);
    assert_true(c->always_valid.interval.lower <= c->always_valid.interval.upper);
    assert_true(c->always_valid.p >= 0 && c->always_valid.p <= 1);
    assert_true(c->chance_to_win >= 0 && c->chance_to_win <= 1);
    assert_true(c->loss_treatment >= 0 && c->loss_control >= 0);
    assert_true(c->variance_reduction >= 0 && c->variance_reduction <= 1);
}

static void comparisons_without_an_answer(void **state)
{
    const struct arm_sums none = {0}, one = alike(1, 30000, 100000), silent = alike(50, 0, 0);
    const struct arm_sums all = alike(50, 1, 1), fail = alike(50, 0, 1);
    struct arm_sums good = sums_of(ax, an, NULL, 8), bad;
    const struct {
        enum metric_kind kind;
        const struct arm_sums *control, *treatment;
        const char *reason;
    } cases[] = {
        {METRIC_MEAN, &none, &none, "no_users"},
        {METRIC_SHARE, &none, &none, "no_users"},
        {METRIC_RATIO, &none, &none, "no_users"},
        {METRIC_MEAN, &none, &good, "one_arm_empty"},
        {METRIC_RATIO, &good, &none, "one_arm_empty"},
        {METRIC_SHARE, &all, &none, "one_arm_empty"},
        {METRIC_RATIO, &one, &good, "too_few_users"},
        {METRIC_RATIO, &one, &one, "too_few_users"},
        {METRIC_RATIO, &one, &none, "one_arm_empty"},
        {METRIC_RATIO, &silent, &good, "no_answers"},
        {METRIC_RATIO, &all, &all, "zero_variance"},
        {METRIC_SHARE, &all, &all, "zero_variance"},
        {METRIC_SHARE, &fail, &fail, "zero_variance"},
        {METRIC_MEAN, &all, &fail, "zero_variance"},
        {METRIC_SHARE, &good, &all, "invalid_input"},
        {METRIC_SHARE, &all, &fail, ""},
        {METRIC_SHARE, &fail, &all, ""},
        {METRIC_MEAN, &silent, &silent, "zero_variance"},
    };
    struct comparison c;
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct comparison_settings settings = comparison_settings(cases[i].kind);
        settings.min_users = 5;
        compare_arms(cases[i].control, cases[i].treatment, &settings, &c);
        if (strcmp(reason_name(c.reason), cases[i].reason) != 0)
            fail_msg("case %zu: %s, not %s", i, reason_name(c.reason), cases[i].reason);
        assert_sound(&c);
    }
    struct comparison_settings settings = comparison_settings(METRIC_RATIO);
    settings.min_users = 5;
    compare_arms(&good, &none, &settings, &c);
    assert_true(c.control.has_interval && !c.treatment.has_interval);
    assert_string_equal(reason_name(c.treatment.reason), "no_users");
    /* Each number by itself. */
    for (size_t at = 0; at < sizeof good / sizeof(double); at++) {
        const double wrong[] = {-1, NAN, INFINITY, -INFINITY, 1e101};
        for (size_t i = 0; i < COUNT(wrong); i++) {
            bad = good;
            memcpy((char *)&bad + at * sizeof(double), &wrong[i], sizeof(double));
            compare_arms(&bad, &good, &settings, &c);
            assert_sound(&c);
            if (i > 0)
                REASON(c.reason, "invalid_input");
        }
    }
    for (int i = 0; i < 4; i++) {
        settings = comparison_settings(METRIC_RATIO);
        settings.alpha = i == 0 ? 0 : i == 1 ? NAN : .05;
        settings.min_users = i == 2 ? 1 : 5;
        settings.tuning_users = i == 3 ? -1 : 5000;
        compare_arms(&good, &good, &settings, &c);
        REASON(c.reason, "invalid_input");
    }
}

/* Shares use the tests that fit how many there are. */
static void comparisons_of_shares(void **state)
{
    struct comparison_settings settings = comparison_settings(METRIC_SHARE);
    struct arm_sums a = {.users = 1000, .sx = 120, .sxx = 120};
    struct arm_sums b = {.users = 1000, .sx = 150, .sxx = 150};
    struct comparison c, reverse;
    (void)state;
    compare_arms(&a, &b, &settings, &c);
    assert_string_equal(c.method, "pooled z");
    NEAR(c.fixed.p, 0.04964038686536878);
    NEAR(c.fixed.interval.lower, 1.3782434204e-05);
    NEAR(c.always_valid.p, 0.4706907779083803);
    NEAR(c.chance_to_win, 0.9750678368121);
    NEAR(c.control.interval.lower, 0.10129926060130913);
    settings.lower_is_better = true;
    compare_arms(&a, &b, &settings, &reverse);
    NEAR(reverse.chance_to_win, 1 - 0.9750678368121);
    NEAR(reverse.loss_treatment, c.loss_control);
    NEAR(reverse.loss_control, c.loss_treatment);
    NEAR(reverse.difference, c.difference);
    a = (struct arm_sums){.users = 20};
    b = (struct arm_sums){.users = 20, .sx = 5, .sxx = 5};
    settings = comparison_settings(METRIC_SHARE);
    compare_arms(&a, &b, &settings, &c);
    REASON(c.reason, "");
    assert_string_equal(c.method, "Fisher");
    NEAR(c.fixed.p, 0.04712404712404713);
    NEAR(c.fixed.interval.lower, 0.03776544556663);
    REASON(c.relative_reason, "zero_baseline");
    assert_true(c.relative == 0 && c.fixed.relative_interval.upper == 0);
    /* The pooled standard error, as one arm has none of its own. */
    NEAR(c.se, .25 / 2.390457218668787);
}

/* One user with more answers than all others together is no answer, and once cut counts as one.
 */
static void one_user_with_most_answers(void **state)
{
    struct comparison_settings settings = comparison_settings(METRIC_RATIO);
    struct arm_sums a = {0}, b = {0}, cut = {0};
    struct comparison c;
    double x = 0, n = 100000;
    (void)state;
    for (int i = 0; i < 200; i++) {
        arm_sums_add(&a, i % 3, 4, NULL);
        arm_sums_add(&b, i % 3, 4, NULL);
        arm_sums_add(&cut, i % 3, 4, NULL);
    }
    arm_sums_add(&b, x, n, NULL);
    compare_arms(&a, &b, &settings, &c);
    REASON(c.reason, "few_users_dominate");
    assert_sound(&c);
    assert_true(c.treatment.value < .003 && !c.treatment.has_interval && c.control.has_interval);
    ratio_winsorise(&x, &n, 4);
    arm_sums_add(&cut, x, n, NULL);
    compare_arms(&a, &cut, &settings, &c);
    assert_true(c.treatment.value > .24 && c.se < .03);
}

/* Any numbers whatever: what comes out is finite, and in bounds. */
static void anything_goes_in(void **state)
{
    static const double nasty[] = {0,    -0.0, 1,     2,    3,        10,  1e-300,  -1,
                                   .5,   1e12, 1e100, 1e99, DBL_MAX,  NAN, 1e-50,   -1e100,
                                   1e50, 1e5,  1e6,   1e7,  INFINITY, 20,  DBL_MIN, 7};
    unsigned long long random = 20261129;
    struct arm_sums arms[2];
    struct comparison c;
    (void)state;
    size_t answered = 0;
    for (int round = 0; round < 200000; round++) {
        struct comparison_settings settings = comparison_settings((enum metric_kind)(round % 3));
        settings.min_users = 2;
        double numbers[2][sizeof(struct arm_sums) / sizeof(double)];
        for (int arm = 0; arm < 2; arm++)
            for (size_t i = 0; i < COUNT(numbers[arm]); i++) {
                random = random * 6364136223846793005ULL + 1442695040888963407ULL;
                numbers[arm][i] = nasty[(random >> 33) % COUNT(nasty)];
            }
        memcpy(arms, numbers, sizeof arms);
        if (round % 2 == 0)
            for (int arm = 0; arm < 2; arm++) {
                /* Users who may be: five of them, with these values. */
                struct arm_sums sums = {0};
                for (size_t i = 0; i < 5; i++)
                    arm_sums_add(&sums, fmin(1e49, numbers[arm][i]),
                                 fmin(1e49, numbers[arm][i + 5]),
                                 i % 2 == 0 ? &numbers[arm][i + 7] : NULL);
                arms[arm] = sums;
            }
        compare_arms(&arms[0], &arms[1], &settings, &c);
        assert_sound(&c);
        answered += c.reason == REASON_NONE;
    }
    assert_true(answered > 1000);
}

static void single_statistics_refuse(void **state)
{
    struct proportion_difference d;
    struct beta_comparison beta;
    struct interval interval;
    struct welch w;
    double number;
    (void)state;
    REASON(proportion_interval((struct trials){0, 0}, .05, &interval), "no_users");
    REASON(proportion_interval((struct trials){2, 1}, .05, &interval), "invalid_input");
    REASON(proportion_interval((struct trials){.5, 1}, .05, &interval), "invalid_input");
    REASON(proportion_interval((struct trials){1, 2}, 1, &interval), "invalid_input");
    REASON(proportion_compare((struct trials){0, 0}, (struct trials){0, 0}, .05, &d), "no_users");
    REASON(proportion_compare((struct trials){0, 0}, (struct trials){1, 3}, .05, &d),
           "one_arm_empty");
    REASON(proportion_compare((struct trials){NAN, 3}, (struct trials){1, 3}, .05, &d),
           "invalid_input");
    FINE(proportion_compare((struct trials){9, 9}, (struct trials){9, 9}, .05, &d));
    assert_true(d.p == 1 && d.z == 0 && d.newcombe.lower < 0 && d.newcombe.upper > 0);
    REASON(beta_compare((struct trials){-1, 3}, (struct trials){1, 3}, &beta), "invalid_input");
    REASON(beta_compare((struct trials){1, 3}, (struct trials){0, 0}, &beta), "one_arm_empty");
    REASON(beta_chance_below((struct trials){1, 3}, 1.5, &number), "invalid_input");
    REASON(welch_test((struct sample){1, 0, 5}, (struct sample){2, 0, 5}, .05, &w),
           "zero_variance");
    REASON(welch_test((struct sample){1, 1, 1}, (struct sample){2, 1, 5}, .05, &w),
           "too_few_users");
    REASON(welch_test((struct sample){0, 0, 0}, (struct sample){0, 0, 0}, .05, &w), "no_users");
    REASON(welch_test((struct sample){0, 0, 0}, (struct sample){2, 1, 5}, .05, &w),
           "one_arm_empty");
    REASON(welch_test((struct sample){INFINITY, 1, 5}, (struct sample){2, 1, 5}, .05, &w),
           "invalid_input");
}

/* Each has a word and a sentence of its own. */
static void reasons_have_words(void **state)
{
    (void)state;
    for (int i = 1; i < REASON_COUNT; i++) {
        assert_true(strlen(reason_name((enum reason)i)) > 5);
        assert_true(strlen(reason_text((enum reason)i)) > 20);
        for (int j = 1; j < i; j++)
            assert_string_not_equal(reason_name((enum reason)i), reason_name((enum reason)j));
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(shares_of_two_arms),
    cmocka_unit_test(newcombes_example),
    cmocka_unit_test(few_trials),
    cmocka_unit_test(fishers_test),
    cmocka_unit_test(beta_comparisons),
    cmocka_unit_test(large_beta_comparisons),
    cmocka_unit_test(welchs_test),
    cmocka_unit_test(welchs_test_of_sums),
    cmocka_unit_test(holms_adjustment),
    cmocka_unit_test(winsorising),
    cmocka_unit_test(sample_ratio),
    cmocka_unit_test(sample_ratio_at_each_look),
    cmocka_unit_test(confidence_sequences),
    cmocka_unit_test(looks_together),
    cmocka_unit_test(ratios),
    cmocka_unit_test(sums_change),
    cmocka_unit_test(cuped_user_by_user),
    cmocka_unit_test(cuped_extremes),
    cmocka_unit_test(planned_shares),
    cmocka_unit_test(planned_means),
    cmocka_unit_test(distributions),
    cmocka_unit_test(comparisons_without_an_answer),
    cmocka_unit_test(comparisons_of_shares),
    cmocka_unit_test(one_user_with_most_answers),
    cmocka_unit_test(anything_goes_in),
    cmocka_unit_test(single_statistics_refuse),
    cmocka_unit_test(reasons_have_words),
};

UNIT_MAIN(tests)
