/*
 * Asking a model for JSON of a schema, from a batch job.
 *
 * The model is UPLIFT_BATCH_MODEL (unset: UPLIFT_MODEL) of the configured provider,
 * UPLIFT_UPSTREAM_URL with OPENAI_API_KEY, over POST /chat/completions as OpenAI documents it:
 * response_format json_schema, strict, temperature 0. What users wrote goes as data between tags in
 * the user's message, never into the instructions; what comes back is parsed strictly and checked
 * against the schema, every field.
 *
 * A job must be able to do without: there may be no model, and a provider may be down, be out of
 * credit, or answer something else than it was asked for. What was asked, what it used and what
 * went wrong is in the job's state while it runs, and in its result.
 */
#ifndef UPLIFT_BATCH_ASK_MODEL_H
#define UPLIFT_BATCH_ASK_MODEL_H

#include "common/must_check.h"
#include "job.h"

#define ASK_REASON_MAX 240

/* Of one run of a job. All borrowed. */
struct ask_model {
    struct job *job;
    const char *model;
    int64_t most_calls;                              /* of this job */
    bool omits_temperature, names_completion_tokens; /* as this provider wants it */
    int bad_in_a_row;
    char off[ASK_REASON_MAX]; /* why it is not asked (any more); "": it is */
};

struct ask_form {
    const char *name;         /* of the schema: letters, digits and _ */
    const char *instructions; /* the system message */
    const cJSON *schema;      /* see schema_check.h */
    int most_tokens;          /* of the answer */
};

enum ask_outcome {
    ASK_ANSWERED, /* *answer fits the schema */
    ASK_BAD,      /* it answered something else, was cut off, or it or the provider refused this
                     request (400, 413, 422): so it would again */
    ASK_OFF,      /* it is not asked: m->off says why; another run may */
    ASK_STOPPED,  /* the job is to stop */
};

/* most_calls: at most so many calls in this job, those of earlier turns included. */
void ask_model_init(struct ask_model *m, struct job *j, int64_t most_calls);
/*
 * Asks once, with up to four tries where the provider is busy or away, and pauses as long as it
 * says (five minutes at most) or from a second on. A call may take two minutes, and
 * UPLIFT_TOTAL_TIMEOUT_MS at most. *answer is the caller's on ASK_ANSWERED, else NULL. Counts in
 * j->state, which the caller keeps.
 */
MUST_CHECK enum ask_outcome ask_model(struct ask_model *m, const struct ask_form *form,
                                      const char *data, cJSON **answer);
/* Puts into the job's result, as "model": name, calls, bad_answers, bad_answer (why, of the last),
 * prompt_tokens, completion_tokens, cost_usd (null: no price is known), not_asked (why). */
void ask_model_report(struct ask_model *m);
/* The argument max_calls of a job: 0 to 100000, or fallback. False with *outcome: it is none. */
MUST_CHECK bool ask_model_most_calls(struct job *j, int64_t fallback, int64_t *most,
                                     enum job_outcome *outcome);

#endif
