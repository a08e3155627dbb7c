/*
 * /v1/fine_tuning/jobs. A job's state is a function of its creation time and the clock, so nothing
 * runs in the background, and a restart changes nothing: validating_files, queued, running, then
 * succeeded (or failed after validation, or cancelled).
 */
#ifndef UPLIFT_SIMULATOR_JOBS_H
#define UPLIFT_SIMULATOR_JOBS_H

#include "fastcgi.h"

#include <cjson/cJSON.h>

/* job_ms is the time from creation to success. */
void jobs_post(struct fastcgi_request *r, int64_t job_ms);
void jobs_list(struct fastcgi_request *r, const char *query);
void jobs_get(struct fastcgi_request *r, const char *id);
void jobs_cancel(struct fastcgi_request *r, const char *id);
void jobs_events(struct fastcgi_request *r, const char *id, const char *query);
void jobs_checkpoints(struct fastcgi_request *r, const char *id, const char *query);

/* The models that finished jobs have made, as an array of model objects (the caller's). */
cJSON *jobs_models(void);

#endif
