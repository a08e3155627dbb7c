/*
 * One chat in the relay's hands.
 *
 *   ASKING ---> ANSWERING ---> RECORDING ---> ENDING
 *     ^  |          |             ^
 *     |  +----------+-------------+ (failed for good)
 *     |  |          |
 *     +--+ PAUSING <+ (before another try, on the same route or the next)
 *
 * A chat whose identical request is under way begins in SHARING (single_flight.h), and goes on in
 * ANSWERING with that one's answer, or in ASKING where it has none. One that has its answer from
 * the cache begins in ANSWERING.
 *
 * A chat may come back ENDED from any function below: its client has been ended, and nothing is
 * done for it any more. It is freed at the end of the loop's turn (relay_chats_free), so that
 * whoever has it at hand may still look at it.
 *
 * In RECORDING the struct chat is the recorder's, which only reads it: it may be read here, too,
 * but for recorded. The client and the followers are the relay's in every state.
 *
 * Its life is in relay_chat.c, its calls of providers in relay_call.c, the limits on their time in
 * relay_time.c, and what its client is sent in relay_client.c.
 */
#ifndef UPLIFT_RELAY_CHAT_H
#define UPLIFT_RELAY_CHAT_H

#include "answer.h"
#include "chat/chat.h"
#include "chat/provider/failover.h"
#include "chat/provider/failure.h"
#include "chat/provider/upstream.h"
#include "chat/record/recorder.h"
#include "client.h"
#include "common/buf.h"
#include "follower.h"
#include "relay.h"
#include "single_flight.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

enum relay_chat_state {
    RELAY_SHARING,   /* it waits for the answer to an identical request */
    RELAY_ASKING,    /* the provider has not sent an event */
    RELAY_ANSWERING, /* it has */
    RELAY_PAUSING,   /* it failed, and will be asked again */
    RELAY_RECORDING, /* the recorder has the chat */
    RELAY_ENDING,    /* the last bytes are on their way to the client */
    RELAY_ENDED,     /* its request is no more */
};

/* What all chats of a relay share; used by its thread only, but for open. */
struct relay_core {
    const struct config *config;
    struct recorder *recorder;
    struct relay_options options;
    uv_loop_t loop;
    struct upstreams upstreams;
    struct buf out;           /* what the chat at hand sends next; empty between chats */
    struct buf head;          /* the same with a response head before it */
    struct relay_chat *chats; /* all that are open */
    struct relay_chat *ended; /* those that ended in this turn of the loop */
    struct flights flights;
    atomic_int_fast64_t *open;  /* how many those are */
    struct follower *followers; /* all of them */
    struct follower *ended_followers;
    unsigned random;
};

struct relay_chat {
    struct relay_core *core;
    struct chat *chat; /* owned, but for RECORDING */
    enum relay_chat_state state;
    struct client client;
    struct answer answer;
    struct failover failover;
    struct flight_seat seat;
    struct api_error first_error; /* what failed first is the reason, whatever failed after it */
    struct upstream *call;        /* NULL when the provider is not being asked */
    char *body;                   /* of the request under way, where it is not the chat's; owned */
    unsigned without;             /* parameters of ours (asking.h) that this route refused */
    struct uuid user;             /* who asked */
    bool wants_stream;            /* chat->stream, to be known while the chat is the recorder's */
    bool has_head;                /* the response head went out */
    bool has_bytes;               /* the provider has sent some in this try */
    bool is_detached;             /* the answer goes on without its client */
    int64_t accepted_ms;
    int64_t asked_ms;    /* when this try began */
    int64_t received_ms; /* when the provider last sent bytes */
    int64_t sent_ms;     /* when the client was last sent anything */
    int64_t retry_ms;    /* when the pause ends */
    int64_t due_ms;      /* nothing is due before */
    int place;           /* in the directory of answers under way, -1 for none */
    struct follower *followers;
    int follower_count;
    struct relay_chat *next, **link; /* next stays when it has ended, for who goes through all */
    struct relay_chat *next_ended;
};

/* --- for the relay --- */

/* Takes the chat and asks the provider. */
void relay_chat_open(struct relay_core *core, struct chat *chat);
/* A user's chat by its id; NULL when it is not open here. */
struct relay_chat *relay_chat_find(struct relay_core *core, const struct uuid *id,
                                   const struct uuid *user);
/* Does what time demands. */
void relay_chat_sweep(struct relay_chat *rc, int64_t now_ms);
/* The recorder gave the chat back. */
void relay_chat_recorded(struct relay_chat *rc);
/* Its user wants no more of it. */
void relay_chat_stop(struct relay_chat *rc);
/* The worker ends: what is not yet recorded is recorded as it is. */
void relay_chat_shut_down(struct relay_chat *rc);
/* Frees those that have ended. Once in each turn of the loop, when none of them is at hand. */
void relay_chats_free(struct relay_core *core);

/* --- its life --- */

/* The answer is over, whatever it is. The one way into RECORDING. */
void relay_record(struct relay_chat *rc, enum chat_outcome outcome);
/* Stops the provider and records what there is; chat->error says why. */
void relay_break_off(struct relay_chat *rc, enum chat_outcome outcome, const char *reason);
/* The same for an answer that did not become whole. */
void relay_break_off_short(struct relay_chat *rc, const char *reason);
/* The answer is whole. */
void relay_complete(struct relay_chat *rc);
/* The client has gone, or was given up. */
void relay_client_gone(void *rc);

/* --- its calls --- */

/* Finds a route and asks it; records a failure where there is none. */
void relay_begin_asking(struct relay_chat *rc);
/* Asks the route in use. */
void relay_ask(struct relay_chat *rc);
/* Gives the call under way up, if there is one. */
void relay_drop_call(struct relay_chat *rc, const char *reason);
/*
 * The call has ended, or was dropped, for this failure: tries again, goes on to the next route, or
 * gives up. soon: not now, because libcurl is on the stack.
 */
void relay_fail_over(struct relay_chat *rc, const struct failure *failure, bool soon);
/* Whether nothing of the answer is missing but the provider's last word. */
bool relay_is_over(const struct relay_chat *rc);

/* --- time --- */

/* False when the call was ended by a limit. Else due_ms is no later than the next limit. */
bool relay_check_limits(struct relay_chat *rc, int64_t now_ms);

/* --- its client --- */

/* Sends core->out, behind a head if none went out yet. False when rc has broken off. */
bool relay_flush(struct relay_chat *rc);
/* Sends a comment when nothing else was sent for long. False when the client turned out to be gone.
 */
bool relay_beat(struct relay_chat *rc, int64_t now_ms);
/* Whether the client was sent some of the answer. */
bool relay_client_has_some(const struct relay_chat *rc);
/* Send the end of the answer, or chat->error. */
void relay_tell_end(struct relay_chat *rc);
void relay_tell_error(struct relay_chat *rc);

static inline int64_t relay_earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

#endif
