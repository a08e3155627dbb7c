/* From a checked request to a chat that the relay can run: the one database round trip before the
 * provider call. */
#ifndef UPLIFT_PREPARE_H
#define UPLIFT_PREPARE_H

#include "chat/chat.h"
#include "chat/snapshot/limits.h"
#include "common/must_check.h"
#include "route.h"

#include <stdbool.h>

/* What the client asked for, as both chat routes understand it. All borrowed; NULL where absent. */
struct chat_wish {
    struct cache_wish cache;
    const char *coach_id;
    char severity[8]; /* "3.5"; "" when absent */
    const char *mode;
    const char *model;   /* asked for by a client of /v1/chat/completions */
    const char *asked;   /* JSON array: which parameters an experiment may set it says itself */
    size_t bytes;        /* of what else is sent along, for an estimate of tokens */
    const char *message; /* the user's text, NULL for a plain regeneration */
    char conversation_id[UUID_TEXT + 1]; /* "" when absent */
    char regenerate_of[UUID_TEXT + 1];   /* "" when absent */
    char photo_id[UUID_TEXT + 1];        /* a photo of a meal that it shows; "" for none */
    bool goes_on; /* with that answer: nothing is looked for, what it cites stays */
};

/* Reads coach_id, severity, mode, conversation_id and photo_id from an object; numbers may be text
 * too where text_numbers (OpenAI's metadata holds only text). Members already set in wish are kept.
 * False with *error. */
MUST_CHECK bool wish_read(struct chat_wish *wish, const cJSON *object, bool text_numbers,
                          struct api_error *error);

/* What goes to the provider between the system prompt (the chat's) and the client's own messages.
 */
struct preparation {
    char *history;    /* JSON objects joined by commas, NULL or "" when none; owned */
    char *message;    /* the user's text, which a regeneration takes from the original; owned, NULL
                          when the wish had it */
    char *parameters; /* of an experiment, for the provider: a JSON object, NULL when none; owned */
    struct limit_left left; /* of rate limits, also where the chat is refused */
};
void preparation_release(struct preparation *p);
/* Appends its parameters to an object that has a member already. */
void preparation_put_parameters(const struct preparation *p, struct buf *out);

/*
 * Makes the chat: id, uplift_chat.prepare_chats (or, with Postgres away, the last known persona),
 * coach, severity, mode, prompt, model, conversation. Refuses quickly with 503 when the worker is
 * full. NULL with *error filled in; the request is then still the caller's.
 */
struct chat *prepare_chat(struct route_context *c, enum chat_protocol protocol,
                          const struct chat_wish *wish, struct preparation *out,
                          struct api_error *error);

/* Answers with the error, and with what is left of rate limits. Ends the request. */
void prepare_fail(struct route_context *c, const struct api_error *error,
                  const struct limit_left *left);

/* Hands the chat to the relay, or answers 503 when it is full. Takes the chat in every case. */
void chat_hand_on(struct route_context *c, struct chat *chat);

#endif
