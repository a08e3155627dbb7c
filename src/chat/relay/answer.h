/*
 * An answer as it comes from the provider: gathers in the chat what will be recorded, and makes
 * what the client gets, in its protocol (wire.h).
 *
 * It may come in several calls: one that broke off is gone on with by the next (answer_go_on), or
 * forgotten (answer_begin_again).
 */
#ifndef UPLIFT_ANSWER_H
#define UPLIFT_ANSWER_H

#include "chat/chat.h"
#include "chat/protocol/message.h"
#include "chat/protocol/position.h"
#include "chat/protocol/usage.h"
#include "chat/provider/failure.h"
#include "common/buf.h"
#include "seam.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct wire;

struct answer {
    struct chat *chat;       /* borrowed */
    const struct wire *wire; /* how its client is answered */
    struct message message;
    uint16_t half;      /* see scan_text */
    bool has_begun;     /* text, or something else of substance, has come */
    bool has_finished;  /* a finish_reason has come, and nothing of substance after it */
    bool takes_back;    /* something of substance did come after one, so that it means little */
    bool is_closing;    /* after the finish_reason came the usage by itself: OpenAI's last chunk */
    bool has_deltas;    /* text has come in a delta, so that a whole message only repeats it */
    bool has_malformed; /* and was logged */
    int64_t begun_ms;   /* clock_ms() of has_begun */

    /* --- of the call at hand --- */
    size_t call_from; /* bytes of text that were there before it */
    struct usage call_usage;
    bool call_has_usage;

    /* --- of calls before, which it goes on from --- */
    bool is_continued;
    bool was_estimated; /* one of them reported no usage */
    struct usage before;
    struct seam seam;
    char *told_model; /* the model that the client was told at first; owned */

    /* --- for the client --- */
    struct position position; /* on /v1/chat: where a reader is who has all the text */
    bool has_told_given;      /* and got the text that it goes on from (chat->goes_on_from) */
    struct buf body;          /* the provider's, for a client that gets it whole */
    struct buf held;          /* of a stream: chunks before the first substance */
    struct buf finish;        /* the chunk with the finish_reason, which is sent last */
    struct buf tail;          /* chunks behind that */
    bool told_usage;          /* one of the two has it */
};

enum answer_step {
    ANSWER_GOES_ON,
    ANSWER_IS_WHOLE, /* [DONE], or a whole body */
    ANSWER_TOO_LARGE,
    ANSWER_FAILED,
};

/* Borrows the chat, whose text must be empty. Limits are those of chat->text. */
void answer_init(struct answer *a, struct chat *chat);
void answer_release(struct answer *a);
/* Forgets all that came, in the chat too: another provider answers anew. */
void answer_begin_again(struct answer *a);
/* Whether the call at hand has said something of substance. */
bool answer_speaks(const struct answer *a);
/* The characters of text that the call at hand goes on from. */
int64_t answer_characters(const struct answer *a);
/* Whether all that came is text, or thought, that another call could go on with. */
bool answer_can_go_on(const struct answer *a);
/* The call has ended; the next one goes on from the text that there is. */
void answer_go_on(struct answer *a);
/*
 * Takes one event of a stream; appends what the client may see now to out. event is its type,
 * "message" mostly. ANSWER_FAILED fills in *failure: an error came, or the end before anything
 * else.
 */
enum answer_step answer_event(struct answer *a, const char *event, const char *data, size_t len,
                              struct buf *out, struct failure *failure);
/* Takes a whole body, whose memory it takes; out and *failure as above. */
enum answer_step answer_body(struct answer *a, struct buf *body, struct buf *out,
                             struct failure *failure);
/* Fills in what is known only at the end: usage (estimated when none came), response_message, and
 * the finish_reason of an answer that is complete without one. */
void answer_settle(struct answer *a);
/* Once recorded: appends the end of a stream, or the whole answer. False when memory ran out. */
bool answer_end(struct answer *a, struct buf *out);
/* Appends the event that ends a stream with chat->error. */
bool answer_end_with_error(struct answer *a, struct buf *out);

#endif
