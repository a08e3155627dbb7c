/*
 * Answers in a persona's voice. The same messages and seed always give the same answer: it is made
 * only from the bytes of the request.
 */
#ifndef UPLIFT_SIMULATOR_ANSWER_H
#define UPLIFT_SIMULATOR_ANSWER_H

#include "common/buf.h"
#include "prompt.h"

#include <stdint.h>

/* A small generator, so that choices look varied and can be repeated. */
struct dice {
    uint64_t state;
    uint64_t start; /* of this conversation */
    size_t turn;    /* answers before this one */
};

/* Seeds from the persona, the messages and the request's seed and choice number. */
struct dice dice_make(const struct prompt *p, uint64_t seed);
/* A number below n; n > 0. */
size_t dice_roll(struct dice *d, size_t n);

/* Appends the answer as Markdown. It says at its end that it is simulated. */
bool answer_write(struct buf *out, const struct prompt *p, struct dice *d);
/* The name of the topic of a message, e.g. "sleep". Static text. */
const char *answer_topic(struct piece message);
/* Appends up to max bytes of a message's most telling sentence, without Markdown or quotes in it;
 * nothing for an empty message. */
bool answer_quote(struct buf *out, struct piece message, size_t max);

#endif
