/* Jobs that go through many rows in short steps, each a call of one SQL function. */
#ifndef UPLIFT_BATCH_STEPS_H
#define UPLIFT_BATCH_STEPS_H

#include "common/must_check.h"
#include "job.h"

#define STEP_NUMBER 24 /* bytes of a number as a statement's parameter */

/* The argument days of a job, or fallback, as text. False with *outcome: it is not from 1 to 3650.
 */
MUST_CHECK bool step_days(struct job *j, double fallback, char text[STEP_NUMBER],
                          enum job_outcome *outcome);
/* Adds to a count of an object, such as j->state. */
void step_count(cJSON *object, const char *name, double more);
/* Where the step came to, its member "after", goes into the state. */
void step_take_after(struct job *j, cJSON *step);
/* These counts of the state are the job's result, 0 where there is none. */
void step_results(struct job *j, const char *const *names, size_t count);

/*
 * Calls the statement again and again. It returns an object: "after", where it came to; "goes_on",
 * whether there may be more; and counts. values are its parameters, the one at after_at being
 * "after" of the step before, NULL at first. Each step's "after" and the sums of its counts are
 * kept before the next one begins; at the end the sums are the job's result. looked_at names the
 * count that progress is told in, made the one of its message.
 */
enum job_outcome job_by_steps(struct job *j, const struct pg_statement *statement,
                              const char **values, size_t after_at, const char *looked_at,
                              const char *made);

#endif
