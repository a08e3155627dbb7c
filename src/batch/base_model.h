/* What the trainer's server says of a base model: GET /models/{id}, with OpenAI's shutdown_date. */
#ifndef UPLIFT_BATCH_BASE_MODEL_H
#define UPLIFT_BATCH_BASE_MODEL_H

#include "job.h"

struct base_model {
    bool was_asked;         /* false: the server did not answer as such servers do */
    bool is_known;          /* false: it lists no such model */
    char shutdown_date[11]; /* as YYYY-MM-DD, "" where it names none */
    bool is_shut_down;      /* the date has come */
};

/* Asks, and keeps the answer in uplift.base_models. False: the job ends, with *outcome. */
bool base_model_ask(struct job *j, const char *model, struct base_model *found,
                    enum job_outcome *outcome);

#endif
