/*
 * Asking a model what is on a photo of a meal: UPLIFT_VISION_MODEL of UPLIFT_VISION_URL, any server
 * with OpenAI's /chat/completions that takes pictures, held to a strict schema
 * (common/meal_form.h). What comes back is parsed and checked as if nobody had told it the schema.
 *
 * A call blocks for as long as the provider takes; whoever makes it is no thread that anybody waits
 * for (analyst.h).
 */
#ifndef UPLIFT_VISION_H
#define UPLIFT_VISION_H

#include "common/config.h"
#include "common/must_check.h"

#include <cjson/cJSON.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum vision_outcome {
    VISION_ANSWERED, /* *told: for uplift_chat.photo_analysed() */
    VISION_FAILED,   /* *told: for uplift_chat.photo_failed() */
    VISION_STOPPED,  /* calls are to end; nothing is told */
};

/* The model that is asked; NULL: none is. */
const char *vision_model(const struct config *config);

/* Who asks. All borrowed. */
struct vision {
    const struct config *config;
    const atomic_bool *stopping;  /* set: calls end */
    atomic_bool names_max_tokens; /* whether who is asked knows that limit by its older name */
};

/* Asks once about a JPEG. *told is JSON text, the caller's to cJSON_free; NULL where memory ran
 * out. By any thread. */
enum vision_outcome vision_ask(struct vision *v, const void *jpeg, size_t len, char **told);

/* What a provider's answer (status 200) says: the meal in *meal, the caller's, or, false, why it is
 * of no use in *code, static text, a word. */
MUST_CHECK bool vision_read(const cJSON *response, cJSON **meal, const char **code);

#endif
