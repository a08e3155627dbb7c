/* Looking at eight bytes of a text at once. */
#ifndef UPLIFT_WORD_H
#define UPLIFT_WORD_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* Whether eight bytes are all ASCII and none of them is NUL. May say no without need, never yes. */
static inline bool word_is_ascii(const char *p)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), high = UINT64_C(0x8080808080808080);
    uint64_t w;
    memcpy(&w, p, 8);
    return ((w | (w - ones)) & high) == 0;
}

/* Whether one of eight bytes is a control character, a quote, a backslash or not ASCII: what must
 * be looked at one by one in a JSON string. May say yes without need, never no. */
static inline bool word_needs_care(const char *p)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), high = UINT64_C(0x8080808080808080);
    uint64_t w;
    memcpy(&w, p, 8);
    uint64_t quote = w ^ (ones * '"'), slash = w ^ (ones * '\\');
    /* Subtracting sets the high bit of the lowest byte that is below, and maybe of ones after it.
     */
    uint64_t found = w | (w - ones * 0x20) | (quote - ones) | (slash - ones);
    return (found & high) != 0;
}

/* The same without those that are not ASCII. */
static inline bool word_needs_care_in_any_text(const char *p)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), high = UINT64_C(0x8080808080808080);
    uint64_t w;
    memcpy(&w, p, 8);
    uint64_t quote = w ^ (ones * '"'), slash = w ^ (ones * '\\');
    uint64_t found =
        ((w - ones * 0x20) & ~w) | ((quote - ones) & ~quote) | ((slash - ones) & ~slash);
    return (found & high) != 0;
}

#endif
