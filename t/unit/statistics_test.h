/* What the tests of statistics share: comparing numbers with values that scipy 1.10.1 gives for the
 * same numbers, published examples, and definitions worked out in full; and one set of users. */
#ifndef UPLIFT_STATISTICS_TEST_H
#define UPLIFT_STATISTICS_TEST_H

#include "statistics/arm_sums.h"
#include "statistics/reason.h"
#include "unit.h"

#include <math.h>
#include <stdbool.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))

static inline void assert_near(double got, double wanted, double relative, const char *what,
                               int line)
{
    if (!(fabs(got - wanted) <= relative * fmax(fabs(wanted), 1e-300)))
        fail_msg("line %d: %s is %.17g, not %.17g", line, what, got, wanted);
}

/* To as many digits as the value was given with, 1e-9 of it. */
#define NEAR(got, wanted) assert_near(got, wanted, 1e-9, #got, __LINE__)
#define NEAR_BY(got, wanted, relative) assert_near(got, wanted, relative, #got, __LINE__)
#define FINE(call) assert_string_equal(reason_name(call), "")
#define REASON(call, name) assert_string_equal(reason_name(call), name)

static inline struct arm_sums sums_of(const double *x, const double *n, const double *p,
                                      size_t count)
{
    struct arm_sums sums = {0};
    for (size_t i = 0; i < count; i++)
        arm_sums_add(&sums, x[i], n[i], p != NULL && !isnan(p[i]) ? &p[i] : NULL);
    return sums;
}

/* The users of two arms, with x of n each. */
static const double ax[] = {1, 0, 3, 2, 5, 0, 1, 2}, an[] = {2, 1, 4, 4, 6, 1, 2, 5};
static const double bx[] = {2, 1, 4, 3, 2, 1, 0, 5}, bn[] = {2, 2, 4, 5, 2, 1, 1, 6};

#endif
