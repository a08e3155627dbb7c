/* UTF-8 text in arrays that it may not fit into; see utf8.h. */
#include "utf8.h"

#include <stdio.h>
#include <string.h>

size_t utf8_cut(const char *text, size_t max)
{
    size_t len = strnlen(text, max);
    if (len < max || text[len] == '\0')
        return len;
    while (len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80)
        len--;
    return len;
}

void utf8_copy(char *out, size_t size, const char *text)
{
    size_t len = text != NULL ? utf8_cut(text, size - 1) : 0;
    if (len > 0)
        memcpy(out, text, len);
    out[len] = '\0';
}

/* Leaves out what is not valid UTF-8. */
static void repair(char *text)
{
    char *to = text;
    size_t left = strlen(text);
    for (const char *from = text; left > 0;) {
        size_t n = (unsigned char)*from < 0x80 ? 1 : utf8_sequence(from, left);
        memmove(to, from, n);
        to += n;
        n += n == 0;
        from += n;
        left -= n;
    }
    *to = '\0';
}

void utf8_vprint(char *out, size_t size, const char *format, va_list args)
{
    if (vsnprintf(out, size, format, args) < 0)
        out[0] = '\0';
    repair(out);
}

void utf8_print(char *out, size_t size, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    utf8_vprint(out, size, format, args);
    va_end(args);
}
