/*
 * What an assistant message holds besides its text - tool calls, a refusal, audio, reasoning - put
 * together from the deltas in which it comes.
 */
#ifndef UPLIFT_MESSAGE_H
#define UPLIFT_MESSAGE_H

#include "common/json_scan.h"

#include <stdbool.h>
#include <stddef.h>

#define MESSAGE_PLACES 32

struct message_part;

struct message {
    struct message_part *first; /* owned */
    size_t size, max;           /* bytes kept, and their limit */
    bool failed;                /* the limit was passed, or memory ran out */
    /* Of the delta that was added last: which of the message's tool calls each of its own is, in
     * order; the first MESSAGE_PLACES of them. */
    int places[MESSAGE_PLACES];
    int place_count;
};

void message_init(struct message *m, size_t max);
void message_release(struct message *m);
/*
 * Adds a delta, or a whole message, apart from its role and text: strings are joined (ids, types
 * and names replaced), items of arrays merged by their index, numbers replaced. False once it
 * passed the limit.
 *
 * Thinking that is told within the content goes to reasoning_content; other parts, such as images,
 * to a content that is a list. Tool calls are told apart by their ids first, for there are
 * providers that give all of them index 0, or none (Gemini, and gateways before it).
 */
bool message_add(struct message *m, struct span delta);
/* Appends {"role":"assistant",...} when anything was added; true when so. The result is valid UTF-8
 * that Postgres takes as jsonb. */
bool message_json(const struct message *m, struct buf *out);
/* Whether nothing was added but what the model thinks: members whose names begin with reasoning. */
bool message_is_thought(const struct message *m);
/* The refusal in what message_json made, or NULL; at NULL when there is none. */
struct span message_refusal(const char *json);
/* What a model thinks, in a message or in what message_json made, where that is a string: by one of
 * the names that servers give it; at NULL when there is none. What is thought within the content is
 * not in it: see content.h. */
struct span message_thought(struct span message);

#endif
