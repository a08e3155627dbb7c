/* Welch's test, Holm's adjustment, and values that are far out. */
#include "statistics/mean.h"
#include "statistics_test.h"

#include <math.h>

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

static void bonferronis_level(void **state)
{
    (void)state;
    NEAR(bonferroni_alpha(.05, 8), .00625);
    NEAR(bonferroni_alpha(.05, 1), .05);
    assert_true(bonferroni_alpha(.05, 0) == .05);
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

static void welchs_test_refuses(void **state)
{
    struct welch w;
    (void)state;
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

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(welchs_test),         cmocka_unit_test(holms_adjustment),
    cmocka_unit_test(bonferronis_level),   cmocka_unit_test(winsorising),
    cmocka_unit_test(welchs_test_refuses),
};

UNIT_MAIN(tests)
