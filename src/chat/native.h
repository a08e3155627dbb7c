/* What a client of /v1/chat gets. */
#ifndef UPLIFT_NATIVE_H
#define UPLIFT_NATIVE_H

#include "../common/buf.h"
#include "../common/json_scan.h"
#include "chat.h"

#include <stdbool.h>

/* Appends the event for a piece of the answer: a JSON string as the provider sent it. */
bool native_delta(struct buf *out, struct span text);
/* Appends the event that says: forget the text so far, another answer follows. */
bool native_restart(struct buf *out);
/* Appends the event that ends an answer. */
bool native_done(struct buf *out, const struct chat *chat);
/* Appends the whole answer, for a client that did not ask for a stream. */
bool native_answer(struct buf *out, const struct chat *chat, struct span refusal);
/* Appends the event that ends an answer that failed. */
bool native_error(struct buf *out, const struct chat *chat);

#endif
