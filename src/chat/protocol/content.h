/*
 * The content of a message as providers send it: a text; a part; or a list of parts, of which some
 * are what the model thinks rather than what it says:
 *
 *   [{"type":"thinking","thinking":[{"type":"text","text":"..."}]},{"type":"text","text":"..."}]
 *
 * is Mistral's (docs.mistral.ai/capabilities/reasoning), "thinking":"..." Anthropic's.
 */
#ifndef UPLIFT_CONTENT_H
#define UPLIFT_CONTENT_H

#include "common/json_scan.h"

#include <stdbool.h>

enum content_kind {
    CONTENT_TEXT,     /* what the model says: a string */
    CONTENT_THINKING, /* what it thinks: a string */
    CONTENT_OTHER,    /* any other part, whole: an image, ... */
};

/* A place in a content. */
struct content {
    struct scan parts; /* of a list */
    struct scan inner; /* the pieces of one part that has several */
    enum content_kind kind;
    struct span only; /* a content that is no list; at NULL once it was given */
};

struct content content_open(struct span value);
/* The next piece; pieces that say nothing are left out. False at the end. */
bool content_next(struct content *c, enum content_kind *kind, struct span *piece);

#endif
