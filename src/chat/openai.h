/*
 * What a client of /v1/chat/completions gets: the provider's own JSON with our ids in it.
 */
#ifndef UPLIFT_OPENAI_H
#define UPLIFT_OPENAI_H

#include "../common/buf.h"
#include "chat.h"
#include "completion.h"

#include <stdbool.h>

/*
 * Appends the completion with id, feedback_id and conversation_id of the chat, and usage only if
 * asked. All other members go as they came; what OpenAI's schema requires and the provider left
 * out is added. The result is one line.
 */
bool openai_completion(struct buf *out, const struct chat *chat, const struct completion *c,
                       bool is_chunk, bool with_usage);
/* Appends the same as an event of a stream. */
bool openai_chunk(struct buf *out, const struct chat *chat, const struct completion *c,
                  bool with_usage);
/* Appends the event that ends an answer, for a provider that ended its stream without one. */
bool openai_finish_chunk(struct buf *out, const struct chat *chat, const char *finish_reason);

#endif
