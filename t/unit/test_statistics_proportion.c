/* Shares of two arms: intervals, tests, and the chance to win. */
#include "statistics/distribution.h"
#include "statistics/proportion.h"
#include "statistics_test.h"

#include <math.h>

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

static void shares_refuse(void **state)
{
    struct proportion_difference d;
    struct beta_comparison beta;
    struct interval interval;
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
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(shares_of_two_arms), cmocka_unit_test(newcombes_example),
    cmocka_unit_test(few_trials),         cmocka_unit_test(fishers_test),
    cmocka_unit_test(beta_comparisons),   cmocka_unit_test(large_beta_comparisons),
    cmocka_unit_test(shares_refuse),
};

UNIT_MAIN(tests)
