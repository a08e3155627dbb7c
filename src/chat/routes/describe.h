/* What Postgres is told of a chat that it is to prepare: its message, and what the features beside
 * the prompt need to know. */
#ifndef UPLIFT_DESCRIBE_H
#define UPLIFT_DESCRIBE_H

#include "prepare.h"

#define DESCRIBE_MAX (49152 + EMBEDDER_MORE_MAX) /* bytes of p_more */

/* Whose rate limits a request falls under. Borrowed. */
struct limit_who describe_limited(const struct route_context *c);
/* The message as Postgres gets it: only to look an answer up by, and short then; else "", which
 * says that there is one. */
const char *describe_message(const struct chat_wish *wish);
/* What p_more of uplift_chat.prepare_chats() is to be: only what is present. */
void describe_chat(struct route_context *c, enum chat_protocol protocol,
                   const struct chat_wish *wish, struct buf *more);

#endif
