/* Reads a provider's chat completion, whole or a chunk of a stream, where it lies (json_scan.h). */
#ifndef UPLIFT_COMPLETION_H
#define UPLIFT_COMPLETION_H

#include "../common/json_scan.h"

#include <stdbool.h>
#include <stddef.h>

/* All spans lie in the text that was read; absent ones have at NULL. */
struct completion {
    struct span whole;
    struct span model;
    struct span usage;         /* an object; absent when null */
    struct span error;         /* an object or a string, in place of an answer */
    struct span choice;        /* the one with index 0 (or no index): uplift asks for no more */
    struct span message;       /* its delta (chunk) or message (whole); an object */
    struct span content;       /* of message; a string */
    struct span refusal;       /* of message; a string */
    struct span finish_reason; /* of choice; a string */
    int choices;               /* how many there are */
    bool is_sound;  /* has every member that OpenAI's schema requires, so that it can be passed on
                       as it is */
    bool says_more; /* message holds something besides role and content */
};

/* False when text is not one JSON object. */
bool completion_read(struct completion *c, const char *text, size_t len);

/* The three figures of a usage object; absent ones stay as they are. */
void completion_usage(struct span usage, int64_t *prompt, int64_t *completion, int64_t *cached);

#endif
