/* Distributions. */
#include "statistics/distribution.h"
#include "statistics_test.h"

#include <math.h>

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

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(distributions),
};

UNIT_MAIN(tests)
