/* Faults of fine-tuning, asked for by the base model's name: sim-fault-NAME. */
#ifndef UPLIFT_SIMULATOR_JOB_FAULT_H
#define UPLIFT_SIMULATOR_JOB_FAULT_H

#include "fastcgi.h"

#include <stdbool.h>
#include <stdio.h>

enum job_fault {
    JOB_FAULT_NONE,
    JOB_FAULT_NOT_AVAILABLE, /* the platform takes no jobs any more */
    JOB_FAULT_NOT_TRAINABLE,
    JOB_FAULT_SHUT_DOWN, /* the model has a shutdown_date that has passed */
    JOB_FAULT_LIMITED,   /* the first try is one too many */
    JOB_FAULT_CUT,       /* the job is made, and the connection cut before the answer */
    JOB_FAULT_LATE,      /* it fails half-way */
    JOB_FAULT_EMPTY_ERROR,
    JOB_FAULT_NULL_ERROR,
    JOB_FAULT_ODD_STATUS, /* one that nobody knows, while it runs */
    JOB_FAULT_NO_MODEL,   /* it succeeds, and names none */
    JOB_FAULT_LOST,       /* nobody knows it once it is made */
    JOB_FAULT_HTML,       /* a web page answers in its place */
    JOB_FAULT_SILENT,     /* nothing answers in its place */
};

/* NULL or any other model: none. */
enum job_fault job_fault_of(const char *model);
void job_fault_help(FILE *out);
/* Answers for a job, or leaves it unanswered, as its fault wants it. False: it wants nothing of
 * that. When true the request may be over: touch it no more. */
bool job_fault_answers(struct fastcgi_request *r, enum job_fault fault, const char *id);

#endif
