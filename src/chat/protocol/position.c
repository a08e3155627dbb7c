/* Where a reader of an answer's text is; see position.h. */
#include "position.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

static uint32_t sum_of(uint32_t sum, const char *text, size_t len)
{
    return (uint32_t)crc32_z(sum, (const Bytef *)text, len);
}

void position_advance(struct position *p, const char *text, size_t len)
{
    if (len < p->bytes)
        *p = (struct position){0};
    if (len > p->bytes)
        p->sum = sum_of(p->sum, text + p->bytes, len - p->bytes);
    p->bytes = len;
}

void position_format(const struct position *p, char out[POSITION_TEXT])
{
    snprintf(out, POSITION_TEXT, "%zu-%08" PRIx32, p->bytes, p->sum);
}

bool position_parse(const char *text, struct position *out)
{
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 15 || text[digits] != '-' ||
        strspn(text + digits + 1, "0123456789abcdef") != 8 || text[digits + 9] != '\0')
        return false;
    out->bytes = (size_t)strtoull(text, NULL, 10);
    out->sum = (uint32_t)strtoul(text + digits + 1, NULL, 16);
    return true;
}

bool position_fits(const struct position *p, const char *text, size_t len)
{
    return p->bytes <= len && (p->bytes == 0 ? p->sum == 0 : sum_of(0, text, p->bytes) == p->sum);
}
