/*
 * An answer as it comes from the provider: gathers in the chat what will be recorded, and makes
 * what the client gets, in either protocol.
 */
#ifndef UPLIFT_ANSWER_H
#define UPLIFT_ANSWER_H

#include "../common/buf.h"
#include "chat.h"
#include "message.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct answer {
    struct chat *chat; /* borrowed */
    struct message message;
    uint16_t half;      /* see scan_text */
    bool has_begun;     /* text, or something else of substance, has come */
    bool has_finished;  /* a finish_reason has come */
    bool has_malformed; /* and was logged */
    int64_t begun_ms;   /* clock_ms() of has_begun */
    /* What waits to be sent: of a stream, chunks before the first substance, later those from the
     * finish_reason on; else the provider's whole body. */
    struct buf held;
};

enum answer_step {
    ANSWER_GOES_ON,
    ANSWER_IS_WHOLE, /* [DONE] */
    ANSWER_TOO_LARGE,
    ANSWER_FAILED, /* an error came instead; chat->error tells */
};

/* Borrows the chat, whose text must be empty. Limits are those of chat->text. */
void answer_init(struct answer *a, struct chat *chat);
void answer_release(struct answer *a);
/* Forgets all that came, in the chat too: another provider answers anew. */
void answer_begin_again(struct answer *a);
/* Takes one event's data; appends what the client may see now to out. */
enum answer_step answer_event(struct answer *a, const char *data, size_t len, struct buf *out);
/* Takes a whole body, whose memory it takes. */
enum answer_step answer_body(struct answer *a, struct buf *body);
/* Fills in what is known only at the end: usage (estimated when none came), response_message, and
 * the finish_reason of an answer that is complete without one. */
void answer_settle(struct answer *a);
/* Once recorded: appends the end of a stream, or the whole answer. False when memory ran out. */
bool answer_end(struct answer *a, struct buf *out);
/* Appends the event that ends a stream with chat->error. */
bool answer_end_with_error(struct answer *a, struct buf *out);

#endif
