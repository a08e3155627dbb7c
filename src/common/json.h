/* Strict reading of JSON that came from outside, and small accessors over cJSON. */
#ifndef UPLIFT_JSON_H
#define UPLIFT_JSON_H

#include "json_scan.h"

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>

#define JSON_MAX_DEPTH 64 /* arrays and objects inside one another */

struct json_error {
    char message[160];
    char param[64]; /* dotted path of the offending member, "" where there is none */
};

/* What is allowed beyond the grammar; all zero is the strictest but for the number of values. */
struct json_rules {
    bool is_loose; /* all that the grammar allows, bytes above 0x7f unread; errors come without a
                      reason */
    size_t max_values; /* objects, arrays, texts, numbers, words; 0: any number of them */
    bool any_number;   /* also numbers that a double holds only roughly: they are to be passed on as
                          the text that they are */
};

/*
 * Checks that text is exactly one JSON value, in one pass that builds nothing. Refuses, with a
 * reason in error: invalid UTF-8, NUL (raw or \u0000), lone surrogate escapes, a byte order mark,
 * more than JSON_MAX_DEPTH levels, duplicate keys in an object, numbers that are not finite as a
 * double, anything after the value, and what rules forbid. text need not be NUL-terminated. *value
 * is then the value without the space around it, to be walked with json_scan.h. Takes memory for
 * the keys of open objects only.
 */
bool json_check(const char *text, size_t len, const struct json_rules *rules, struct span *value,
                struct json_error *error);
/*
 * The same with a tree of cJSON for a result, and without any number of a rules' any_number. The
 * tree is the caller's, to be freed with cJSON_Delete; NULL on error. For text of any size that is
 * ours, or small: a tree takes some 80 bytes for each value, and one of zeros has one every second
 * byte.
 */
cJSON *json_parse(const char *text, size_t len, struct json_error *error);
/*
 * An object of those members of a checked object that have one of these names (NULL at the end of
 * them). One whose text is longer than max_bytes, or that cJSON cannot take, is there as a value of
 * no type, which no check lets pass. The caller's to free; NULL when memory ran out.
 */
cJSON *json_pick(struct span object, const char *const *names, size_t max_bytes);

/* Accessors: the member of an object when it is there and of the type asked for, else NULL / the
 * fallback.
 * jansson, which cjose uses, has a json_string as well: ours is hidden from it (-fvisibility). */
const char *json_string(const cJSON *object, const char *key);
/* The same, "" where it is not there. */
const char *json_text(const cJSON *object, const char *key);
bool json_bool(const cJSON *object, const char *key, bool fallback);
double json_number(const cJSON *object, const char *key, double fallback);
/* True when text is valid UTF-8 without NUL. */
bool json_utf8_valid(const char *text, size_t len);

#endif
