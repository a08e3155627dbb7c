/* Tokens, roughly: pieces of a text of about four bytes that never cut a character. */
#include "tokens.h"

#include <ctype.h>
#include <stdbool.h>

#define TOKEN_MAX                                                                                  \
    7 /* bytes of a word, with the space before it: so that the mean is about four                 \
       */

static bool is_tail(unsigned char c)
{
    return (c & 0xc0) == 0x80;
}

static bool is_letter(unsigned char c)
{
    return isalnum(c) || c >= 0x80;
}

size_t token_len(const char *text, size_t len)
{
    const unsigned char *p = (const unsigned char *)text;
    size_t n = len > 1 && p[0] == ' ' ? 1 : 0;
    if (len == 0)
        return 0;
    if (is_letter(p[n])) {
        while (n < len && n < TOKEN_MAX && is_letter(p[n]))
            n++;
        while (n < len && is_tail(p[n]))
            n++;
        return n;
    }
    if (p[n] == '\n' || p[n] == ' ') {
        unsigned char c = p[n];
        while (n < len && n < 4 && p[n] == c)
            n++;
        return n;
    }
    return n + 1;
}

size_t token_count(const char *text, size_t len)
{
    size_t n = 0, at = 0;
    while (at < len) {
        at += token_len(text + at, len - at);
        n++;
    }
    return n;
}
