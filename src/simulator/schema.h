/* Values that fit a JSON schema, roughly: for response_format and the arguments of tools. */
#ifndef UPLIFT_SIMULATOR_SCHEMA_H
#define UPLIFT_SIMULATOR_SCHEMA_H

#include "answer.h"

#include <cjson/cJSON.h>

/* A value for the schema (NULL: any object), its texts taken from text and the message. Follows
 * type, properties, items, enum, const, anyOf, oneOf, allOf, $ref within the document, minimum,
 * maximum, minItems, minLength, format. The caller's; NULL without memory. */
cJSON *schema_value(const cJSON *schema, const struct prompt *p, const char *text, struct dice *d);

#endif
