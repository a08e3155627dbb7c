/*
 * One chat on its way through a worker: intake -> relay <-> recorder.
 *
 * Owned by exactly one stage at a time; handing it on is a queue push and a wake-up (relay_submit,
 * recorder_submit, relay_recorded), after which the giver does not touch it again. Intake writes
 * what was asked and what was prepared, which are constant from relay_submit on; the relay writes
 * the answer, which is constant from recorder_submit on; the recorder writes what became of it.
 */
#ifndef UPLIFT_CHAT_H
#define UPLIFT_CHAT_H

#include "cache.h"
#include "chat/snapshot/limits.h"
#include "common/buf.h"
#include "common/error.h"
#include "common/must_check.h"
#include "common/request.h"
#include "common/uuid.h"

#include <stdbool.h>
#include <stdint.h>

enum chat_protocol {
    CHAT_NATIVE, /* POST /v1/chat */
    CHAT_OPENAI, /* POST /v1/chat/completions */
};

/* As the column protocol has it. */
const char *chat_protocol_name(enum chat_protocol protocol);

/* How the answer ended: the outcome column. */
enum chat_outcome {
    CHAT_COMPLETE,  /* the provider said it is whole */
    CHAT_PARTIAL,   /* cut by the provider, a time limit or a size limit after some text */
    CHAT_CANCELLED, /* the client went away or was given up */
    CHAT_FAILED,    /* no text at all */
};
const char *chat_outcome_name(enum chat_outcome outcome);

/* What became of the row. */
enum chat_recorded {
    CHAT_NOT_RECORDED, /* neither Postgres nor the spool took it: the client must see an error */
    CHAT_COMMITTED,    /* committed in Postgres */
    CHAT_SPOOLED,      /* fsynced in the spool */
};

/* One try at a provider, for the attempts column. */
struct chat_attempt {
    const char *provider; /* its label; borrowed, like model, from the chat's routing */
    const char *model;    /* NULL: as asked */
    int http_status;      /* 0: no answer */
    char reason[48];      /* "" for the one that answered, else "timeout_first_byte", "connect",
                             "status_500", ... */
    int64_t duration_ms;
    int64_t went_on_from; /* characters of the answer that were there before; -1: it began it */
};
#define CHAT_MAX_ATTEMPTS 8

struct chat {
    /* --- what was asked: by intake, from the request --- */
    struct request *request; /* owned: ended by the relay */
    enum chat_protocol protocol;
    bool stream;             /* the client wants events */
    bool client_wants_usage; /* stream_options.include_usage was in its request */
    struct uuid id;          /* the answer's id: primary key, feedback id */
    char id_text[UUID_TEXT + 1];
    char user_text[UUID_TEXT + 1];
    struct uuid client_request; /* X-Client-Request-Id, zero when none */
    size_t goes_on_from; /* bytes of an earlier answer's text that this one begins with, which are
                            in text from the start; 0 when it begins by itself */
    char regenerate_of[UUID_TEXT + 1]; /* "" when none */
    char *user_message;     /* owned, like all char * below: text of the last user message, "" when
                               it has none; never NULL */
    char *request_messages; /* JSON: what else was sent, NULL when nothing */
    int64_t created_us;     /* wall clock at intake, microseconds since 1970 UTC */

    /* --- what was prepared: by intake, from Postgres or what is known of it --- */
    bool degraded;          /* without Postgres */
    bool may_be_remembered; /* what the user says, for later chats */
    char conversation_text[UUID_TEXT + 1];
    char *coach_id; /* NULL when no coach */
    char *severity; /* decimal text as Postgres gave it, NULL when none */
    char *mode;
    char *system_prompt;      /* as sent, NULL when none was injected: see chat_set_prompt */
    size_t shared_prompt_len; /* bytes of its beginning that are not the user's own */
    char shared_prompt_id[UUID_TEXT + 1]; /* uplift.prompt_id() of those, "" when there are none */
    char *model;                          /* the model asked of the provider */
    bool is_model_known;                  /* it is one that was configured, here or in Postgres */
    char *trace;            /* JSON from prepare_chats, handed back but for the citations that the
                               answer does not name (protocol/citations.h); NULL when none */
    struct limit_left left; /* of rate limits */
    char *upstream_body; /* the provider's request body; its stream flag says which kind of answer
                            comes. The relay frees it, and makes it NULL, once no provider is
                            asked with it again */
    size_t upstream_body_len;
    size_t upstream_model_len; /* bytes of its beginning {"model":"..." ; 0: it does not begin so */
    struct cache_use cache;    /* the relay goes on with it: which answer is given again, and that
                                  one of another model is not to be stored */

    /* --- the answer: by the relay --- */
    enum chat_outcome outcome;
    struct api_error
        error;       /* error.status != 0: what the client is told; code goes to error_code */
    struct buf text; /* the answer's text so far; see goes_on_from */
    char *response_message; /* JSON: the assistant message where it holds more than text (tool
                               calls, refusal), else NULL */
    char provider[64];      /* who answered, e.g. the host of the provider's URL; "" when nobody was
                               asked */
    char *model_used;       /* as the provider named it, NULL when unknown */
    char finish_reason[32]; /* "" when none came */
    bool has_usage;
    int64_t prompt_tokens, completion_tokens,
        cached_tokens;              /* estimated (4 bytes a token) when !has_usage */
    int64_t time_to_first_token_ms; /* from acceptance; -1 when none came */
    int64_t waited_ms;              /* of that, for providers */
    int64_t response_time_ms;       /* from acceptance to the end of the provider's answer */
    struct chat_attempt attempts[CHAT_MAX_ATTEMPTS];
    int attempt_count;
    struct relay_chat *relay; /* the relay's own state */

    /* --- what became of it: by the recorder --- */
    enum chat_recorded recorded;

    struct chat *next; /* link of whichever queue it is in */
};

#define CHAT_TEXT_DEFAULT_MAX (4 * 1024 * 1024)

/* An empty chat that owns request: outcome failed, no first token, text limited to the configured
 * max_answer_bytes. NULL when memory ran out (request is then still the caller's). */
MUST_CHECK struct chat *chat_new(struct request *request);
/* Frees everything but the request, which must have been ended or taken out. */
void chat_free(struct chat *c);

/* The request's body is gone: it holds memory for what of it is in the chat, and no more. */
void chat_hold_less(const struct chat *c);
/* No provider will be asked with it again: gives its memory back. */
void chat_forget_upstream_body(struct chat *c);

/* The trace the request came with, "" for none; for logs. */
static inline const char *chat_trace(const struct chat *c)
{
    return c->request != NULL ? c->request->trace_id : "";
}

/* Makes the system prompt of its two parts, of which the second may be NULL. False when memory ran
 * out. */
MUST_CHECK bool chat_set_prompt(struct chat *c, const char *shared, const char *personal);

/* Appends the chat as one JSON object on one line, keys as columns of coach_response_feedback, as
 * uplift_chat.record_answers takes it and the spool keeps it; without those that are null. False
 * when it passed out's limit. */
bool chat_to_json(const struct chat *c, struct buf *out);
/* Bytes of what is recorded of it, about. */
size_t chat_weight(const struct chat *c);
/* What of it is the parameter p_more of uplift_chat.record_chats(), a JSON object; nothing when
 * there is nothing. */
void chat_put_more(const struct chat *c, struct buf *out);
/* The attempts as a JSON array. */
void chat_put_attempts(const struct chat *c, struct buf *out);

#endif
