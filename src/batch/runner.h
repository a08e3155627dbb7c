/*
 * Runners: threads that claim batch jobs and do them, and one more thread whose heartbeats keep
 * those jobs ours.
 *
 * A job belongs to whoever claimed it last (its lease number), and only until lease_until. The
 * heartbeat moves that, tells how far the job is, and hears whether it was cancelled or lost. A
 * runner that cannot reach Postgres for as long as a lease takes its jobs for lost.
 */
#ifndef UPLIFT_BATCH_RUNNER_H
#define UPLIFT_BATCH_RUNNER_H

#include "common/must_check.h"
#include "job.h"

#include <stddef.h>

struct runners;

/*
 * Starts count threads that do whatever is due or, with only_id, one that does this job and no
 * other. Borrows config. NULL with a logged reason.
 */
MUST_CHECK struct runners *runners_start(const struct config *config, size_t count,
                                         const char *only_id);
/* Looks for jobs at once: one was just queued. */
void runners_wake(struct runners *r);
/* Jobs being done at the moment. */
size_t runners_busy(struct runners *r);
/*
 * Tells all jobs to stop, waits up to wait_ms, and frees everything. Jobs that stopped are given
 * back to be gone on with; false when some did not stop in time: the process must end now, and
 * their leases run out.
 */
bool runners_stop(struct runners *r, int64_t wait_ms);

#endif
