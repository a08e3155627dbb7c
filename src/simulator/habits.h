/*
 * The manner that a fine-tuned model has learnt: what most answers of its training file have in
 * common. It is read from the uploaded file when the job is made, and kept with the job. A model
 * does always what more than half of its examples do, as one does that is asked at a low
 * temperature.
 */
#ifndef UPLIFT_SIMULATOR_HABITS_H
#define UPLIFT_SIMULATOR_HABITS_H

#include "common/buf.h"
#include "prompt.h"

#include <cjson/cJSON.h>

struct habits {
    double answers;  /* that were learnt from; 0: none */
    double words;    /* of an answer, in the mean */
    double reason;   /* share of answers that say why it works, */
    double example;  /* that give an example, */
    double praise;   /* that begin with what the user does well, */
    double question; /* and that end with a question */
};

/* Reads a checked file of the supervised format; of DPO the preferred answers. */
void habits_read(const struct buf *file, struct habits *out);
/* The caller's. */
cJSON *habits_json(const struct habits *h);
/* The habits of a model that a job of the store has made; answers 0 for any other. */
void habits_of_model(const char *model, struct habits *out);

/*
 * Settles the manner of an answer: what the prompt asks for, else what the model has learnt. A base
 * model by itself gives reasons now and then; the small one, sim-1-mini, overlooks half of what
 * coaches are asked for (not the wishes of a user). Rolled from the request's bytes.
 */
void habits_apply(struct prompt *p, const char *model);

#endif
