/* An experiment's results in a terminal, with their intervals drawn. */
#ifndef UPLIFT_BATCH_SHOW_EXPERIMENT_H
#define UPLIFT_BATCH_SHOW_EXPERIMENT_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdio.h>

/* A line of a list: an experiment as admins see it. */
void experiment_print(FILE *out, const cJSON *experiment);
/* Results as uplift_batch.admin_experiment_results() has them: the metric that decides; with all,
 * every metric that says something. */
void experiment_show(FILE *out, const cJSON *results, bool all);

#endif
