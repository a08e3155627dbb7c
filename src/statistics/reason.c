/* Why a statistic is not there. */
#include "reason.h"

static const struct {
    const char *name, *text;
} reasons[REASON_COUNT] = {
    [REASON_NONE] = {"", ""},
    [REASON_INVALID_INPUT] = {"invalid_input", "a number is negative, too large, not finite, or "
                                               "contradicts another one"},
    [REASON_NO_USERS] = {"no_users", "there are no users yet"},
    [REASON_ONE_ARM_EMPTY] = {"one_arm_empty", "one of the arms has no users yet"},
    [REASON_TOO_FEW_USERS] = {"too_few_users", "there are too few users for a statement"},
    [REASON_FEW_USERS_DOMINATE] = {"few_users_dominate",
                                   "a few users have most of the answers: cap "
                                   "how many count of each"},
    [REASON_NO_ANSWERS] = {"no_answers", "the users of an arm have nothing yet that counts"},
    [REASON_ZERO_VARIANCE] = {"zero_variance", "all users have the same value, so that there is "
                                               "nothing to judge a difference by"},
    [REASON_ZERO_BASELINE] = {"zero_baseline", "the control is at zero, so that there is no "
                                               "relative difference"},
    [REASON_NO_DIFFERENCE] = {"no_difference", "the arms are planned to be the same"},
    [REASON_OUT_OF_REACH] = {"out_of_reach", "no value that is possible would do"},
    [REASON_NO_PRE_EXPOSURE] = {"no_pre_exposure", "too few users have a value from before the "
                                                   "experiment"},
    [REASON_NO_GAIN] = {"no_gain", "values from before the experiment explain nothing"},
};

const char *reason_name(enum reason reason)
{
    return reasons[reason].name;
}

const char *reason_text(enum reason reason)
{
    return reasons[reason].text;
}
