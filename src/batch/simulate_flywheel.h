/* fcgi-batch run simulate-flywheel: a made-up population talks to a running uplift for weeks, with
 * all that learns switched on. */
#ifndef UPLIFT_BATCH_SIMULATE_FLYWHEEL_H
#define UPLIFT_BATCH_SIMULATE_FLYWHEEL_H

#include "common/config.h"

/* The words behind it. Returns an exit status: 1 where a goal is missed, or it broke off; 130 after
 * an interrupt. config says where the provider is and how tokens are signed. */
int simulate_flywheel(const struct config *config, int count, char **words);

#endif
