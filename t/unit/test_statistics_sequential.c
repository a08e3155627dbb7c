/* Statements that hold at every look. */
#include "statistics/proportion.h"
#include "statistics/sequential.h"
#include "statistics_test.h"

#include <math.h>

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

/* By a computation of the formula in Python. */
static void chances_to_prove(void **state)
{
    double chance;
    (void)state;
    FINE(chance_to_prove(0, .029, 1000, .05, 5000, 3. / 14, &chance));
    NEAR(chance, 0.056430726019462765);
    FINE(chance_to_prove(.067, .029, 1000, .05, 5000, 3. / 14, &chance));
    NEAR(chance, 0.8463629956233134);
    FINE(chance_to_prove(-.02, .029, 1000, .05, 1000, .5, &chance));
    NEAR(chance, 2.709296769444402e-05);
    /* At the end nothing changes any more: what is not proven then will not be, and the reverse. */
    FINE(chance_to_prove(.085, .029, 1000, .05, 1000, 1 - 1e-12, &chance));
    assert_true(chance < 1e-9);
    FINE(chance_to_prove(.095, .029, 1000, .05, 1000, 1 - 1e-12, &chance));
    assert_true(chance > 1 - 1e-9);
    FINE(chance_to_prove(0, .029, USERS_MAX, .05, 5000, 1e-12, &chance));
    assert_true(chance >= 0 && chance <= 1);
    REASON(chance_to_prove(0, 0, 1000, .05, 5000, .5, &chance), "zero_variance");
    REASON(chance_to_prove(0, .029, 0, .05, 5000, .5, &chance), "no_users");
    REASON(chance_to_prove(0, .029, 1000, .05, 5000, 0, &chance), "invalid_input");
    REASON(chance_to_prove(0, .029, 1000, .05, 5000, 1, &chance), "invalid_input");
    REASON(chance_to_prove(NAN, .029, 1000, .05, 5000, .5, &chance), "invalid_input");
    assert_true(chance == 0);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(confidence_sequences),
    cmocka_unit_test(looks_together),
    cmocka_unit_test(chances_to_prove),
};

UNIT_MAIN(tests)
