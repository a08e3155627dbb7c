/*
 * The master process: owns the socket, forks workers, restarts the dead, and changes configuration
 * without a gap.
 */
#ifndef UPLIFT_MASTER_H
#define UPLIFT_MASTER_H

#include "common/config.h"

#include <signal.h>

/* What a master tells its workers. Two signals, because two of one kind in quick succession reach a
 * process as one; and none that a terminal sends to the whole group. */
#define WORKER_DRAIN SIGTERM   /* take nothing new, let open chats end */
#define WORKER_END_NOW SIGUSR2 /* record what is open as it is, and end */

/*
 * Runs until TERM or INT. TERM passes on to the workers, which drain; a second TERM, or drain_ms,
 * ends them. HUP reads config_path and the environment again: when good, new workers start with it
 * and, once they are ready, the old drain; when bad (also: when the new workers die), the complaint
 * is logged and nothing changes. A worker that dies is started again after a delay that grows from
 * 100 ms to 10 s while deaths follow one another; so is the builder of copies for searching, which
 * there is where search_database_url is set. Takes config over. Returns the exit status.
 */
int master_run(struct config *config, const char *config_path);

/*
 * For a worker, once it takes requests: tells the master, which then drains the workers of the
 * configuration before, and systemd. A worker that never says so counts as ready when it has lived
 * for five seconds.
 */
void master_worker_ready(void);

#endif
