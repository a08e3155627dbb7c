/*
 * Reads a provider's chat completion, whole or a chunk of a stream, where it lies (json_scan.h):
 * OpenAI's form, and what servers that follow it make of it.
 */
#ifndef UPLIFT_COMPLETION_H
#define UPLIFT_COMPLETION_H

#include "common/json_scan.h"
#include "common/must_check.h"
#include "content.h"

#include <stdbool.h>
#include <stddef.h>

enum completion_form { COMPLETION_CHUNK, COMPLETION_WHOLE };

/* All spans lie in the text that was read; absent ones have at NULL. */
struct completion {
    enum completion_form form;
    struct span whole;
    struct span model;
    struct span usage;   /* an object, whether beside the choices, in one, or in Groq's x_groq */
    struct span error;   /* what says that it failed; see completion_read */
    struct span choice;  /* the first with index 0 or none, else the first: uplift asks for one */
    struct span message; /* its delta or message, whichever says something; an object */
    struct span content; /* of message: see content.h */
    struct span refusal; /* of message; a string */
    int choices;         /* how many there are */
    bool has_failed;     /* error is there, or the finish_reason says so */
    bool is_snapshot;    /* of a chunk: message is what others send in a whole answer */
    bool is_plain;       /* content is a string, or none */
    bool is_sound;       /* is as OpenAI's schema has it, so that it can be passed on as it came */
    bool says_text;      /* content has some */
    bool says_more;      /* message holds something besides role and text */
    char finish[32]; /* the finish_reason, by OpenAI's name where it has one; "" when none came */
};

/*
 * False when text is not one JSON object. Where both a delta and a message are there, the one that
 * says something counts, and if both do, the one that belongs into this form.
 *
 * error is the error member; or the whole object where "object" is "error" (vLLM, Mistral), or
 * where it has words (message, detail, errors, msg) in place of choices; or that of the choice
 * (OpenRouter), or MiniMax's base_resp with a status_code other than 0.
 */
MUST_CHECK bool completion_read(struct completion *c, const char *text, size_t len,
                                enum completion_form form);

#endif
