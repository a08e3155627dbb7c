/* One choice of a completion: the text or tool call that a request gets, and why it ends. */
#ifndef UPLIFT_SIMULATOR_CHOICE_H
#define UPLIFT_SIMULATOR_CHOICE_H

#include "fault.h"
#include "prompt.h"

struct choice {
    char *text;      /* owned; NULL for a tool call */
    char *tool;      /* name of the tool that is called; owned, NULL without */
    char *arguments; /* JSON; owned, NULL without a tool */
    char tool_id[30];
    size_t len;                /* bytes of text or arguments */
    size_t tokens;             /* of text or arguments */
    size_t token_max;          /* bytes of the largest token; 0: as token_len says */
    const char *finish_reason; /* static text */
};

/* Makes choice number index of a checked request. False without memory. Release it in any case. */
bool choice_make(struct choice *out, const cJSON *request, const struct prompt *p, size_t index,
                 const struct fault *fault);
void choice_release(struct choice *c);
/* Bytes of the token of text (or arguments) that begins at byte at; 0 at the end. */
size_t choice_token(const struct choice *c, size_t at);

#endif
