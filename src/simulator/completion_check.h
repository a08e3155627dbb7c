/* Checks of a chat completion request, as strict as OpenAI's. */
#ifndef UPLIFT_SIMULATOR_COMPLETION_CHECK_H
#define UPLIFT_SIMULATOR_COMPLETION_CHECK_H

#include "common/error.h"

#include <cjson/cJSON.h>

#define COMPLETION_CHOICES_MAX 8
#define COMPLETION_CONTEXT 128000 /* tokens */

/* False with *error filled in (400) when the request is not one that OpenAI would take. */
bool completion_check(const cJSON *request, struct api_error *error);

#endif
