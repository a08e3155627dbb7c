/*
 * The body of a request to a provider: the chat's, with what this call needs otherwise.
 *
 * Beside what the client asked it may hold parameters that uplift adds: stream_options, to be told
 * the usage of a stream, and the seed of an answer that is given anew. A provider that does not
 * know one of them may refuse the whole request; then it is asked without. What the client itself
 * asked for is never left out.
 */
#ifndef UPLIFT_ASKING_H
#define UPLIFT_ASKING_H

#include "chat/chat.h"
#include "chat/provider/routing.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bits; bit i is parameter i of breaker_lacks. */
enum added { ADDED_USAGE = 1, ADDED_SEED = 2 };

struct asking {
    const char *model;      /* as the provider calls it; NULL: the chat's own */
    unsigned without;       /* of enum added: left out */
    enum continues goes_on; /* CONTINUES_NOT: it asks for a new answer, and the rest is not used */
    bool in_words;          /* a provider that cannot is told in a message to go on */
    const char *text;       /* of the answer so far; borrowed */
    size_t len;
    int64_t spent; /* completion tokens of it, which come off the most that the client wants */
};

/* Which parameters in the chat's request are ours. */
unsigned asking_added(const struct chat *chat);
/* Which of these a provider's refusal names. */
unsigned asking_named(const struct chat *chat, const char *refusal, size_t len);
/* Whether the chat wants what another call can go on with: text in no given form. */
bool asking_may_go_on(const struct chat *chat);
/*
 * Makes the body. *made is the caller's to free, and *len its length; NULL where the chat's
 * upstream_body does as it is. False when memory ran out.
 */
bool asking_body(const struct chat *chat, const struct asking *asking, char **made, size_t *len);

#endif
