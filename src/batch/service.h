/* fcgi-batch as a service: the admin URLs, and runners for the jobs. */
#ifndef UPLIFT_BATCH_SERVICE_H
#define UPLIFT_BATCH_SERVICE_H

#include "common/config.h"

/*
 * Serves until it is told to stop (TERM, INT): jobs are told to stop and given back, at most
 * drain_ms. Called before any library was initialised. Returns the exit status.
 */
int service_run(const struct config *config);

#endif
