/*
 * What a client of /v1/chat/completions gets: the provider's own JSON with our ids in it, and where
 * that is not as OpenAI has it, as OpenAI has it.
 */
#ifndef UPLIFT_OPENAI_H
#define UPLIFT_OPENAI_H

#include "chat/chat.h"
#include "common/buf.h"
#include "completion.h"
#include "message.h"

#include <stdbool.h>

/* What of a chunk goes along. */
enum openai_part {
    OPENAI_ROLE = 1,
    OPENAI_TEXT = 2,   /* content */
    OPENAI_MORE = 4,   /* the other members of the delta, and of the choice */
    OPENAI_FINISH = 8, /* finish_reason; without it null */
    OPENAI_USAGE = 16,
};
#define OPENAI_ALL (OPENAI_ROLE | OPENAI_TEXT | OPENAI_MORE | OPENAI_FINISH)

struct openai_form {
    bool is_chunk;
    unsigned parts;              /* of enum openai_part */
    const struct message *calls; /* whose places the tool calls of a chunk get; NULL: their own */
    const char *model;           /* in place of the provider's; NULL: that */
    bool cites; /* the chat's citations and annotations go along, where it has any */
};

/*
 * Appends the completion with id, feedback_id and conversation_id of the chat. All other members go
 * as they came; what OpenAI's schema requires and the provider left out is added, and its words are
 * put where OpenAI has them: text in content, thinking in reasoning_content, reasons to finish by
 * their names. The result is one line.
 */
bool openai_completion(struct buf *out, const struct chat *chat, const struct completion *c,
                       const struct openai_form *form);
/* Appends the same as an event of a stream. */
bool openai_chunk(struct buf *out, const struct chat *chat, const struct completion *c,
                  const struct openai_form *form);
/* Appends an event with text alone; model NULL: as in the chat. */
bool openai_text_chunk(struct buf *out, const struct chat *chat, const char *model,
                       const char *text, size_t len);
/* Appends the event that ends an answer, for a provider that ended its stream without one. */
bool openai_finish_chunk(struct buf *out, const struct chat *chat, const char *model,
                         const char *finish_reason);
/* Appends the event with the chat's citations: the member citations as /v1/chat has it, and in the
 * delta OpenAI's annotations, where there are any. Nothing when it has none. */
bool openai_citations_chunk(struct buf *out, const struct chat *chat, const char *model);
/* Appends the event with the chat's usage. */
bool openai_usage_chunk(struct buf *out, const struct chat *chat, const char *model);
/* Appends a whole completion made of what the chat holds: its text, response_message,
 * finish_reason, usage and citations. */
bool openai_whole(struct buf *out, const struct chat *chat);
/* Appends the members of a message, JSON or NULL, beside role, content and refusal, which every one
 * has; each with a comma before it. */
void openai_put_more(struct buf *out, const char *message);
/* Appends ,"usage":{...}. */
void openai_put_usage(struct buf *out, int64_t prompt, int64_t completion, int64_t cached);

#endif
