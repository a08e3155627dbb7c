/*
 * What a model says that was asked for JSON of a schema over POST /chat/completions: read as if
 * nobody had told it the schema.
 */
#ifndef UPLIFT_MODEL_ANSWER_H
#define UPLIFT_MODEL_ANSWER_H

#include <cjson/cJSON.h>
#include <stddef.h>

#define MODEL_ANSWER_WHY 160

enum model_answer {
    MODEL_ANSWERED, /* *value fits the schema */
    MODEL_REFUSED,  /* the model, not its provider */
    MODEL_CUT,      /* by a limit of its length, or by a filter */
    MODEL_UNUSABLE,
};

/* The value that an answer (status 200; NULL: it was no JSON) has, the caller's; NULL where it has
 * none of use, with the reason in words, cut, in why. */
enum model_answer model_answer_read(const cJSON *response, const cJSON *schema, cJSON **value,
                                    char why[MODEL_ANSWER_WHY]);

/* What an answer took; 0 where that is not said, or cannot be. */
struct model_usage {
    double prompt_tokens, cached_tokens, completion_tokens;
};
struct model_usage model_answer_usage(const cJSON *response);
/* The model that answered, as the answer names it; fallback where it does not. Borrowed. */
const char *model_answer_model(const cJSON *response, const char *fallback);

/* A provider as rows of answers and prices call it, the host of its URL; "" where it has none. */
void model_provider_name(const char *url, char *out, size_t room);

#endif
