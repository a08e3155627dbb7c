/*
 * The protocols in which clients are answered: what differs between them, so that the relay need
 * not ask which one it is. wire_native.c is /v1/chat, wire_openai.c /v1/chat/completions.
 */
#ifndef UPLIFT_WIRE_H
#define UPLIFT_WIRE_H

#include "answer.h"
#include "chat/chat.h"
#include "chat/protocol/completion.h"
#include "common/buf.h"

#include <stdbool.h>

struct wire {
    /* The request to the provider is made here, so that what helps may be added to it; else it is
     * the client's own. */
    bool is_own_request;
    /* The answer goes on without its reader, who may pick it up again. */
    bool can_be_followed;
    /* Appends the event that says: forget the text so far, another answer follows. NULL where
     * clients do not know such a thing; then another call may only go on with what there is. */
    bool (*restart)(struct buf *out);
    /* Appends what the client of a stream is to see of a chunk. fresh, where not NULL, is what of
     * its text is new, and takes the place of the text in it. What is to come later is kept in a.
     */
    void (*tell)(struct answer *a, const struct completion *c, const struct buf *fresh,
                 struct buf *out);
    /* Keeps text that was held back where two calls meet, for the end of a stream; NULL where
     * answers do not go on in another call. */
    void (*held_back)(struct answer *a, const struct buf *text);
    /* The answer is complete although its provider gave no finish_reason; NULL: nothing to do. */
    void (*finish)(struct answer *a);
    /* Append the whole answer; the end of a stream; the end of one that failed. False when memory
     * ran out. */
    bool (*whole)(struct answer *a, struct buf *out);
    bool (*done)(struct answer *a, struct buf *out);
    bool (*error)(struct answer *a, struct buf *out);
};

extern const struct wire wire_native, wire_openai;

const struct wire *wire_of(enum chat_protocol protocol);

#endif
