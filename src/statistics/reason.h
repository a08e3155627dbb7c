/* Why a statistic is not there. Functions of this directory answer with one of these, never with a
 * NaN or an infinity: what they fill in is finite, and all zero beside any reason but REASON_NONE.
 */
#ifndef UPLIFT_STATISTICS_REASON_H
#define UPLIFT_STATISTICS_REASON_H

/* Beyond these is REASON_INVALID_INPUT: users and other things that are counted; values, and sums
 * of them and of their squares. */
#define USERS_MAX 1e12
#define STATISTICS_MAX 1e100

enum reason {
    REASON_NONE, /* it is there */
    REASON_INVALID_INPUT,
    REASON_NO_USERS,
    REASON_ONE_ARM_EMPTY,
    REASON_TOO_FEW_USERS,
    REASON_FEW_USERS_DOMINATE,
    REASON_NO_ANSWERS,
    REASON_ZERO_VARIANCE,
    REASON_ZERO_BASELINE,
    REASON_NO_DIFFERENCE,
    REASON_OUT_OF_REACH,
    REASON_NO_PRE_EXPOSURE,
    REASON_NO_GAIN,
    REASON_COUNT
};

/* One word, for programs: "no_users"; "" for REASON_NONE. */
const char *reason_name(enum reason reason);
/* For people, without a full stop; "" for REASON_NONE. */
const char *reason_text(enum reason reason);

#endif
