/* Query strings: application/x-www-form-urlencoded pairs, decoded and limited. */
#include "query.h"

#include "json.h"

#include <stdlib.h>
#include <string.h>

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decodes [from, end) to *to, which is never behind from, and moves *to past a NUL. */
static bool decode(const char *from, const char *end, char **to)
{
    char *out = *to;
    for (; from < end; from++) {
        if (*from == '+') {
            *out++ = ' ';
        } else if (*from == '%') {
            int high = end - from > 2 ? hex_value(from[1]) : -1;
            int low = high < 0 ? -1 : hex_value(from[2]);
            if (low < 0 || (high | low) == 0)
                return false;
            *out++ = (char)(high << 4 | low);
            from += 2;
        } else {
            *out++ = *from;
        }
    }
    *out = '\0';
    bool valid = json_utf8_valid(*to, (size_t)(out - *to));
    *to = out + 1;
    return valid;
}

static bool add_pair(struct query *q, const char *from, const char *end, char **to)
{
    if (q->count == QUERY_MAX_PAIRS)
        return false;
    const char *equals = memchr(from, '=', (size_t)(end - from));
    q->pairs[q->count].name = *to;
    if (!decode(from, equals ? equals : end, to))
        return false;
    q->pairs[q->count].value = *to;
    if (!decode(equals ? equals + 1 : end, end, to))
        return false;
    q->count++;
    return true;
}

bool query_parse(struct query *q, const char *text)
{
    q->count = 0;
    q->storage = NULL;
    if (text == NULL || text[0] == '\0')
        return true;
    /* A pair "=" or "a" takes up to one byte more than its text, and there are few pairs. */
    q->storage = malloc(strlen(text) + 1 + QUERY_MAX_PAIRS);
    if (q->storage == NULL)
        return false;
    char *to = q->storage;
    while (*text) {
        const char *end = text + strcspn(text, "&");
        if (end > text && !add_pair(q, text, end, &to)) {
            query_release(q);
            return false;
        }
        text = *end ? end + 1 : end;
    }
    return true;
}

const char *query_get(const struct query *q, const char *name)
{
    for (size_t i = 0; i < q->count; i++)
        if (strcmp(q->pairs[i].name, name) == 0)
            return q->pairs[i].value;
    return NULL;
}

void query_release(struct query *q)
{
    free(q->storage);
    q->storage = NULL;
    q->count = 0;
}
