/*
 * One fine-tuning job. It is stored as it was made; how it stands, its events and its checkpoints
 * are computed from that and the time. The member "sim" of a stored job is ours and never shown.
 */
#ifndef UPLIFT_SIMULATOR_JOB_H
#define UPLIFT_SIMULATOR_JOB_H

#include "habits.h"
#include "training.h"

#include <cjson/cJSON.h>
#include <stdint.h>

/* Times are milliseconds since 1970. Everything returned is the caller's. */

/* A stored job for a checked request; habits is what its file teaches. */
cJSON *job_make(const cJSON *request, const struct training *t, const struct habits *habits,
                int64_t now, int64_t job_ms);
/* "ft:sim-1:simulated:suffix:AbCdEfGh"; a tuned model is named after its base. */
void job_model_name(const cJSON *job, char *out, size_t size);
/* The job as the API shows it at that time. */
cJSON *job_view(const cJSON *job, int64_t now);
/* Events so far and checkpoints so far, as arrays with the newest first. */
cJSON *job_events(const cJSON *job, int64_t now);
cJSON *job_checkpoints(const cJSON *job, int64_t now);
/* Marks a stored job as cancelled. False when it had ended before. */
bool job_cancel(cJSON *job, int64_t now);
/* Appends the metrics of all steps as CSV. */
bool job_write_metrics(struct buf *out, const cJSON *job);
/* The hyperparameters of a request, wherever they stand in it; NULL when there are none. */
const cJSON *job_hyperparameters(const cJSON *request);

#endif
