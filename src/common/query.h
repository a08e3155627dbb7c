/* Query strings: application/x-www-form-urlencoded pairs, decoded and limited. */
#ifndef UPLIFT_QUERY_H
#define UPLIFT_QUERY_H

#include <stdbool.h>
#include <stddef.h>

#define QUERY_MAX_PAIRS 32

struct query {
    struct {
        const char *name, *value; /* decoded, NUL-terminated, inside storage */
    } pairs[QUERY_MAX_PAIRS];
    size_t count;
    char *storage; /* owned */
};

/* Decodes text (NULL is empty). False, with nothing to release, for broken percent escapes, NUL,
 * invalid UTF-8, more than QUERY_MAX_PAIRS pairs, or no memory. */
bool query_parse(struct query *q, const char *text);
/* The value of the first pair of that name, or NULL. Borrowed. */
const char *query_get(const struct query *q, const char *name);
void query_release(struct query *q);

#endif
