/* Faults of fine-tuning on demand. */
#include "job_fault.h"

#include "reply.h"

#include <string.h>

#define PREFIX "sim-fault-"

static const struct job_fault_name {
    const char *name;
    enum job_fault fault;
    const char *help;
} names[] = {
    {"training-not-available", JOB_FAULT_NOT_AVAILABLE, "403 training_not_available"},
    {"not-trainable", JOB_FAULT_NOT_TRAINABLE, "400 model_not_available"},
    {"shut-down", JOB_FAULT_SHUT_DOWN, "GET /v1/models/{id} has a shutdown_date that has passed"},
    {"job-limited", JOB_FAULT_LIMITED, "429 with Retry-After for the first try with a file"},
    {"job-cut", JOB_FAULT_CUT, "the job is made, and the connection cut before the answer"},
    {"job-fails", JOB_FAULT_LATE, "fails half-way, with an error"},
    {"job-empty-error", JOB_FAULT_EMPTY_ERROR, "fails half-way, with error {}"},
    {"job-null-error", JOB_FAULT_NULL_ERROR, "fails half-way, with an error of nulls"},
    {"job-odd-status", JOB_FAULT_ODD_STATUS, "has the status \"paused\" while it runs"},
    {"job-no-model", JOB_FAULT_NO_MODEL, "succeeds with fine_tuned_model null"},
    {"job-lost", JOB_FAULT_LOST, "404 for the job once it is made"},
    {"job-html", JOB_FAULT_HTML, "200 with a web page for the job"},
    {"job-silent", JOB_FAULT_SILENT, "no answer for the job, ever"},
};

enum job_fault job_fault_of(const char *model)
{
    if (model == NULL || strncmp(model, PREFIX, strlen(PREFIX)) != 0)
        return JOB_FAULT_NONE;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(names[i].name, model + strlen(PREFIX)) == 0)
            return names[i].fault;
    return JOB_FAULT_NONE;
}

void job_fault_help(FILE *out)
{
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        fprintf(out, "  %-22s %s\n", names[i].name, names[i].help);
}

bool job_fault_answers(struct fastcgi_request *r, enum job_fault fault, const char *id)
{
    static const char page[] = "<!doctype html><title>Welcome</title><p>It works!</p>\n";
    if (fault == JOB_FAULT_LOST)
        reply_fail(r, 404, "fine_tune_not_found", "fine_tuning_job_id",
                   "could not find fine tune: %.60s", id);
    else if (fault == JOB_FAULT_HTML)
        reply_bytes(r, 200, "text/html", NULL, page, sizeof page - 1);
    else
        return fault == JOB_FAULT_SILENT; /* until the peer hangs up */
    return true;
}
