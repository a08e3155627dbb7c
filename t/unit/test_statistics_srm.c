/* Sample ratio mismatch, at one look and at each. */
#include "statistics/srm.h"
#include "statistics_test.h"

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

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(sample_ratio),
    cmocka_unit_test(sample_ratio_at_each_look),
};

UNIT_MAIN(tests)
