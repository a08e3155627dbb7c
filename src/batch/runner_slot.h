/* What a runner thread, its job and the heartbeat share. */
#ifndef UPLIFT_BATCH_RUNNER_SLOT_H
#define UPLIFT_BATCH_RUNNER_SLOT_H

#include "job.h"

struct runner_slot {
    struct runners *runners;
    struct pg *control; /* the thread's own connection for claiming, keeping and ending */
    pthread_t thread;
    bool running; /* the thread was started */

    /* Under the lock of all runners, like all that follows. */
    bool is_busy;
    enum job_stop stop;
    char id[UUID_TEXT + 1];
    int64_t lease;
    int64_t kept_until_ms; /* clock_ms() at which the lease surely is over */
    int64_t deadline_ms;   /* of the time limit */
    int64_t done, total;
    char message[JOB_MESSAGE_MAX];
};

/* The lock, and what is signalled when a job is to stop or all end. */
void runner_lock(struct runner_slot *slot);
void runner_unlock(struct runner_slot *slot);
/* Waits at most ms for a signal; holds the lock. */
void runner_wait(struct runner_slot *slot, int64_t ms);
/* Notes why to stop, if nothing was noted before; holds the lock. Also looks at the clock. */
enum job_stop runner_stop_reason(struct runner_slot *slot);

#endif
