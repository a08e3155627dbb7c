/*
 * Gives a kept answer once more, in the form in which a provider's would come, so that a client
 * cannot tell the two apart.
 */
#ifndef UPLIFT_REPLAY_H
#define UPLIFT_REPLAY_H

#include "answer.h"

/*
 * Gives the kept answer, which the chat of a holds (chat->cache.answer), to a, as a provider would:
 * a stream in pieces, of which out gets what the client may see before the end, or a whole body.
 * False when memory ran out, or it is longer than answers may be.
 */
bool replay_answer(struct answer *a, struct buf *out);

#endif
