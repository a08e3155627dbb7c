/*
 * Walks JSON text where it lies, without building a tree: a provider's stream is thousands of small
 * objects of which two or three members matter, and all else is passed on as it came.
 */
#ifndef UPLIFT_JSON_SCAN_H
#define UPLIFT_JSON_SCAN_H

#include "buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* One JSON value inside a text that somebody else owns; at is NULL when there is none. Strings are
 * with their quotes and escapes. */
struct span {
    const char *at;
    size_t len;
};

/* A place in an array or object. */
struct scan {
    const char *at, *end;
    bool in_object;
};

/*
 * Whether text is exactly one JSON value by RFC 8259, with white space around it and at most
 * JSON_MAX_DEPTH levels: json_check() by the loosest rules, for what others vouch for. Bytes above
 * 0x7f are not looked at. *value is the value without the space.
 * Everything below must only be given values out of a text that passed here.
 */
bool scan_check(const char *text, size_t len, struct span *value);

/* The first byte from p on that is a quote, a backslash or a control character, as it would be in a
 * JSON string; end when there is none. */
const char *scan_skip_plain(const char *p, const char *end);

/* Starts on an array or object; on anything else there is nothing to be had. */
struct scan scan_open(struct span value);
/* The next member or item; key (in an object, with its quotes) may be NULL. False at the end. */
bool scan_next(struct scan *s, struct span *key, struct span *value);
/* The first member of an object with this key, however the object spells it. */
struct span scan_member(struct span object, const char *key);

bool scan_is_object(struct span value);
bool scan_is_array(struct span value);
bool scan_is_string(struct span value);
bool scan_is_number(struct span value);
/* Whether a number is written without a point and an exponent. */
bool scan_is_whole(struct span number);
/* Whether a value is there that is neither null, nor an empty string, array or object. */
bool scan_says_something(struct span value);
/* Whether the value is, byte by byte, this JSON, e.g. "null" or "\"stop\"". */
bool scan_is(struct span value, const char *json);
/* Whether a string, a key among them, is this text, in which there is no backslash; the string may
 * be spelt with escapes. */
bool scan_equals(struct span string, const char *text);
/* A whole number that is not negative and below 2^53, else the fallback. */
int64_t scan_count(struct span value, int64_t fallback);

/*
 * Appends a string value decoded. NUL and lone surrogates become U+FFFD. A pair of surrogates may
 * lie in two strings: the first half waits in *half (0: none) and is completed by the next call;
 * half may be NULL when no next string will come.
 */
bool scan_text(struct span string, struct buf *out, uint16_t *half);
/* The same into a fixed array, cut between characters; "" for anything that is not a string. */
void scan_copy(struct span string, char *out, size_t size);
/* Appends any value as JSON that Postgres takes: invalid UTF-8, \u0000 and lone surrogates become
 * U+FFFD. */
bool scan_clean(struct span value, struct buf *out);

#endif
