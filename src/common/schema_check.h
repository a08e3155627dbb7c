/*
 * Whether a value is what a JSON schema asks for: what a model answers is checked as if nobody had
 * told it the schema.
 *
 * Of JSON Schema these words are known: type (object, array, string, integer, number, boolean),
 * properties, required, additionalProperties (taken as false), items, enum (of strings), maxLength
 * (in characters), maxItems, minimum, maximum. The last four are limits of ours: providers that
 * hold a model to a schema refuse some of them, so that schema_to_send() leaves them out.
 */
#ifndef UPLIFT_SCHEMA_CHECK_H
#define UPLIFT_SCHEMA_CHECK_H

#include "must_check.h"

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>

/* False with what is wrong, and where, in wrong (room bytes, cut). Borrows both. */
MUST_CHECK bool schema_check(const cJSON *schema, const cJSON *value, char *wrong, size_t room);
/* The schema for response_format: all properties required, none beside them, without our limits.
 * The caller's; NULL when memory ran out. */
cJSON *schema_to_send(const cJSON *schema);

#endif
