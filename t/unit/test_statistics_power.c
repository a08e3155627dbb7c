/* How many users it takes, and what so many find. */
#include "statistics/power.h"
#include "statistics_test.h"

#include <math.h>

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
    /* 2 (3.035209 + .841621)² / .25: of a computation in Python */
    FINE(power_always_valid_users(1, .5, goal, &users));
    NEAR_BY(users, 120.23850068260603, 1e-9);
    REASON(power_always_valid_users(0, .5, goal, &users), "zero_variance");
    REASON(power_always_valid_users(1, .5, (struct power_goal){0, .8}, &users), "invalid_input");
    FINE(power_mean_users(1, .5, goal, &users));
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

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(planned_shares),
    cmocka_unit_test(planned_means),
};

UNIT_MAIN(tests)
