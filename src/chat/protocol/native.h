/* What a client of /v1/chat gets. */
#ifndef UPLIFT_NATIVE_H
#define UPLIFT_NATIVE_H

#include "chat/chat.h"
#include "common/buf.h"
#include "common/json_scan.h"
#include "position.h"

#include <stdbool.h>

/* Appends the event that a follower's stream begins with: which answer it is, and to what. */
bool native_started(struct buf *out, const struct chat *chat);
/*
 * Appends the event for a piece of the answer: native_open, any number of native_piece with JSON
 * strings as the provider sent them, native_close. at is where the reader is after it, the event's
 * id; NULL for what is no part of the answer's text.
 */
bool native_open(struct buf *out, const struct position *at);
bool native_piece(struct buf *out, struct span text);
bool native_close(struct buf *out);
/* Begins the event for a piece of what the model thinks, which is no part of the answer: pieces and
 * the end as above. */
bool native_open_thought(struct buf *out);
/* Such an event with decoded text. */
bool native_text(struct buf *out, const struct position *at, const char *text, size_t len);
/* Appends the event for the refusal of an answer without text that has one. */
bool native_refusal(struct buf *out, const struct chat *chat);
/* Appends the event that says: forget the text so far, another answer follows. */
bool native_restart(struct buf *out);
/* Appends the event that ends an answer. */
bool native_done(struct buf *out, const struct chat *chat);
/* Appends the whole answer, for a client that did not ask for a stream. */
bool native_answer(struct buf *out, const struct chat *chat);
/* Appends the event that ends an answer that failed. */
bool native_error(struct buf *out, const struct chat *chat);

#endif
