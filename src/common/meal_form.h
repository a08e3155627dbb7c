/*
 * How a model is asked what is on a photo of a meal, and in which form it is to answer: the same
 * when fcgi-chat asks it, and in what fcgi-batch exports to train it with.
 */
#ifndef UPLIFT_MEAL_FORM_H
#define UPLIFT_MEAL_FORM_H

#include "buf.h"
#include "must_check.h"

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>

#define MEAL_FORM_NAME "meal" /* of its schema */

/* What the answer has to be, for schema_check(). The caller's; NULL when memory ran out. */
cJSON *meal_schema(void);
/* Appends the two messages that ask about a JPEG, as JSON objects joined by a comma: the system's,
 * and the user's, with the picture as a data URL. */
MUST_CHECK bool meal_put_messages(struct buf *out, const void *jpeg, size_t len);

#endif
