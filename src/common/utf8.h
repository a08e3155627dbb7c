/* UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing above U+10FFFF. */
#ifndef UPLIFT_UTF8_H
#define UPLIFT_UTF8_H

#include <stdarg.h>
#include <stddef.h>

/* Bytes (2 to 4) of the valid sequence at p, whose first byte is not ASCII; 0 when it is not valid
 * or not whole within left bytes. */
static inline size_t utf8_sequence(const char *text, size_t left)
{
    const unsigned char *p = (const unsigned char *)text;
    if (p[0] < 0xc2 || p[0] > 0xf4)
        return 0;
    size_t n = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    if (left < n)
        return 0;
    unsigned char low = p[0] == 0xe0 ? 0xa0 : p[0] == 0xf0 ? 0x90 : 0x80;
    unsigned char top = p[0] == 0xed ? 0x9f : p[0] == 0xf4 ? 0x8f : 0xbf;
    if (p[1] < low || p[1] > top)
        return 0;
    for (size_t i = 2; i < n; i++)
        if (p[i] < 0x80 || p[i] > 0xbf)
            return 0;
    return n;
}

/* Writes a code point, at most U+10FFFF; returns its bytes. */
static inline size_t utf8_encode(unsigned point, char out[4])
{
    static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0}; /* by the number of bytes */
    size_t n = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    for (size_t i = n; i-- > 1; point >>= 6)
        out[i] = (char)(0x80 | (point & 0x3f));
    out[0] = (char)(lead[n] | point);
    return n;
}

/* Bytes of text, at most max of them, that end between two characters. */
size_t utf8_cut(const char *text, size_t max);
/* Copies text (NULL: "") into an array of size bytes, cut between two characters where it does not
 * fit. */
void utf8_copy(char *out, size_t size, const char *text);
/*
 * snprintf for text that may come from outside: what is not valid UTF-8 in the result is left out,
 * so that neither the array's end nor a precision such as %.60s leaves half a character.
 */
void utf8_print(char *out, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void utf8_vprint(char *out, size_t size, const char *format, va_list args)
    __attribute__((format(printf, 3, 0)));

#endif
