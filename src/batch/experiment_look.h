/* What one look at an experiment says: from sums over its users to figures and a conclusion. No
 * database and no clock, so that it can be tested, and simulated, by itself. */
#ifndef UPLIFT_BATCH_EXPERIMENT_LOOK_H
#define UPLIFT_BATCH_EXPERIMENT_LOOK_H

#include "common/must_check.h"

#include <cjson/cJSON.h>

/*
 * sums: as uplift_batch.experiment_sums() has them. The look is for uplift_batch.record_look(): of
 * each metric the figures of each variant,
 *
 *   control: {users, value, interval: [lower, upper]}, with reason where there is no interval;
 *   others, in addition: {reason, difference, se, method, p, interval, relative, relative_interval,
 *     always_valid: {p, adjusted_p, lower, upper, has_drifted}, chance_to_win, loss_if_shipped,
 *     loss_if_not, cuped: {reason, variance_reduction, theta, unadjusted_difference},
 *     guardrail: "ok", "crossed" or "unknown", chance_to_prove, elapsed: of the metric that
 * decides, where the sums say by elapsed how much is over of the time that it may take}
 *
 * where what cannot be said is not there, and a reason is; of "users" {users, shares, p,
 * is_mismatch}, the sample ratio; and conclusion {winner, confidence, text, guardrail}.
 *
 * A variant wins when by the deciding metric its p that is valid at any time, adjusted by Holm for
 * as many as there are variants, is at most alpha, and it is the better; control, when all others
 * are worse so. Not before each variant has min_users, with a sample ratio mismatch, or where it
 * crosses a guardrail. guardrail is why the experiment should rest, or null: the interval, valid at
 * any time, of a variant's relative difference lies beyond max_worse, or, where control has
 * nothing, beyond 0.
 *
 * The caller's to free; NULL when memory ran out or sums is not as it should be.
 */
MUST_CHECK cJSON *experiment_look(const cJSON *sums);

#endif
