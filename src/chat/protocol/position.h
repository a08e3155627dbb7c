/*
 * Where a reader of an answer's text is: how many bytes of it came, and their CRC-32, by which any
 * worker can tell whether they are the beginning of the text it has. It is the id of a stream's
 * events, and comes back as Last-Event-ID.
 */
#ifndef UPLIFT_POSITION_H
#define UPLIFT_POSITION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct position {
    size_t bytes;
    uint32_t sum;
};

#define POSITION_TEXT 32 /* room for its text and a NUL */

/* Goes on to the end of the text, which begins as it did before; a shorter one is another text. */
void position_advance(struct position *p, const char *text, size_t len);
/* Writes it as text: decimal bytes, a hyphen, eight hex digits. */
void position_format(const struct position *p, char out[POSITION_TEXT]);
/* Reads such a text. False when it is none. */
bool position_parse(const char *text, struct position *out);
/* Whether the text begins with what the reader has. */
bool position_fits(const struct position *p, const char *text, size_t len);

#endif
