/* Strict reading of JSON that came from outside, and small accessors over cJSON. */
#ifndef UPLIFT_JSON_H
#define UPLIFT_JSON_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>

#define JSON_MAX_DEPTH 64 /* arrays and objects inside one another */

/*
 * Parses exactly one JSON value. Refuses, with a reason in error: invalid UTF-8, NUL (raw or
 * \u0000), lone surrogate escapes, a byte order mark, more than JSON_MAX_DEPTH levels, duplicate
 * keys in an object, numbers that a double cannot hold exactly enough to be passed on (not finite,
 * or integers beyond 2^53), and anything after the value. error_param is the dotted path of the
 * offending member where there is one, else an empty string. text need not be NUL-terminated. The
 * result is the caller's, to be freed with cJSON_Delete; NULL on error.
 */
struct json_error {
    char message[160];
    char param[64];
};
cJSON *json_parse(const char *text, size_t len, struct json_error *error);

/* Accessors: the member of an object when it is there and of the type asked for, else NULL / the
 * fallback.
 * jansson, which cjose uses, has a json_string as well: ours is hidden from it (-fvisibility). */
const char *json_string(const cJSON *object, const char *key);
bool json_bool(const cJSON *object, const char *key, bool fallback);
double json_number(const cJSON *object, const char *key, double fallback);
/* True when text is valid UTF-8 without NUL. */
bool json_utf8_valid(const char *text, size_t len);

#endif
