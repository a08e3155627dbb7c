/*
 * One chat in the relay's hands.
 *
 *   ASKING ---> ANSWERING ---> RECORDING ---> ENDING
 *     ^  |          |             ^
 *     |  +----------+-------------+ (failed for good)
 *     |  |          |
 *     +--+ PAUSING <+ (before another try, on the same route or the next)
 *
 * A chat also begins in PAUSING, to wait for the answer to an identical request (flight.h), and
 * ends that wait in ANSWERING with that answer, or in ASKING. One that has its answer from the
 * cache begins in ANSWERING.
 *
 * In RECORDING the struct chat is the recorder's and only this struct may be touched. The client is
 * the relay's in every state.
 */
#ifndef UPLIFT_RELAY_CHAT_H
#define UPLIFT_RELAY_CHAT_H

#include "../common/buf.h"
#include "answer.h"
#include "chat.h"
#include "client.h"
#include "failover.h"
#include "flight.h"
#include "recorder.h"
#include "relay.h"
#include "upstream.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

enum relay_chat_state {
    RELAY_ASKING,    /* the provider has not sent an event */
    RELAY_ANSWERING, /* it has */
    RELAY_PAUSING,   /* it failed, and will be asked again */
    RELAY_RECORDING, /* the recorder has the chat */
    RELAY_ENDING,    /* the last bytes are on their way to the client */
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
    struct flights flights;
    atomic_int_fast64_t *open; /* how many those are */
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
    bool wants_stream;            /* chat->stream, to be known while the chat is the recorder's */
    bool has_head;                /* the response head went out */
    bool is_unheard;              /* the client is gone, and the answer is finished all the same */
    int64_t accepted_ms;
    int64_t asked_ms;    /* when this try began */
    int64_t received_ms; /* when the provider last sent bytes */
    int64_t sent_ms;     /* when the client was last sent anything */
    int64_t retry_ms;    /* when the pause ends */
    int64_t due_ms;      /* nothing is due before */
    struct relay_chat *next, **link;
};

/* Takes the chat and asks the provider. */
void relay_chat_open(struct relay_core *core, struct chat *chat);
/* Does what time demands. The chat may be gone after. */
void relay_chat_sweep(struct relay_chat *rc, int64_t now_ms);
/* The recorder gave the chat back. The chat may be gone after. */
void relay_chat_recorded(struct relay_chat *rc);
/* The worker ends: what is not yet recorded is recorded as it is. */
void relay_chat_shut_down(struct relay_chat *rc);

#endif
