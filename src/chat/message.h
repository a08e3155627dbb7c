/*
 * What an assistant message holds besides its text - tool calls, a refusal, audio, reasoning - put
 * together from the deltas in which it comes.
 */
#ifndef UPLIFT_MESSAGE_H
#define UPLIFT_MESSAGE_H

#include "../common/json_scan.h"

#include <stdbool.h>
#include <stddef.h>

struct message_part;

struct message {
    struct message_part *first; /* owned */
    size_t size, max;           /* bytes kept, and their limit */
    bool failed;                /* the limit was passed, or memory ran out */
};

void message_init(struct message *m, size_t max);
void message_release(struct message *m);
/*
 * Adds a delta, or a whole message, apart from its role and content: strings are joined (ids, types
 * and names replaced), items of arrays merged by their index, numbers replaced. False once it
 * passed the limit.
 */
bool message_add(struct message *m, struct span delta);
/* Appends {"role":"assistant",...} when anything was added; true when so. The result is valid UTF-8
 * that Postgres takes as jsonb. */
bool message_json(const struct message *m, struct buf *out);

#endif
