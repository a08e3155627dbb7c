/*
 * Where an answer that broke off is gone on with by another call: what comes is put behind what was
 * there, although models differ in how they go on.
 *
 * The call got the text without white space at its end, which some providers refuse. What it says
 * may begin with that white space or go on without it; and some models say the whole text again
 * before they go on. The text is held back as long as it may turn out to be such a repetition.
 */
#ifndef UPLIFT_SEAM_H
#define UPLIFT_SEAM_H

#include "common/buf.h"

#include <stdbool.h>
#include <stddef.h>

struct seam {
    bool is_open;    /* it is not known yet whether the text is said again */
    size_t len;      /* of the text before, as far as it was sent */
    size_t left;     /* white space behind that, which what comes may begin with */
    struct buf said; /* held back; owned */
};

/* The length of a text without white space at its end. */
size_t seam_length(const char *text, size_t len);
/* Begins behind a text of so many bytes. */
void seam_open(struct seam *s, const char *text, size_t len);
void seam_release(struct seam *s);
/* Takes a piece of what comes; appends to fresh what is new of it. before is the text that the seam
 * was opened behind. False when memory ran out. */
bool seam_take(struct seam *s, const char *before, const char *piece, size_t len,
               struct buf *fresh);
/* Nothing more comes: appends what is held back. */
bool seam_end(struct seam *s, const char *before, struct buf *fresh);

#endif
