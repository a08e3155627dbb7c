/* fcgi-batch on the command line: run a job here and watch it, look at jobs, schedules and kinds.
 */
#ifndef UPLIFT_BATCH_COMMAND_H
#define UPLIFT_BATCH_COMMAND_H

#include "common/config.h"

/* Runs words[0] with the words after it. Returns the exit status: 0 done, 1 failed or cancelled, 2
 * wrong usage. */
int command_run(const struct config *config, int count, char **words);
void command_print_help(void);

#endif
