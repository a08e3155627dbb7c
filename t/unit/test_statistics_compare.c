/* Comparisons of two arms, also of such as have no answer: they have a reason, and no number. */
#include "statistics/compare.h"
#include "statistics/mean.h"
#include "statistics_test.h"

#include <float.h>
#include <math.h>
#include <string.h>

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

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(welchs_test_of_sums),   cmocka_unit_test(comparisons_without_an_answer),
    cmocka_unit_test(comparisons_of_shares), cmocka_unit_test(one_user_with_most_answers),
    cmocka_unit_test(anything_goes_in),
};

UNIT_MAIN(tests)
