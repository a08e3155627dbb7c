/*
 * Identical requests under way in one worker: the first one asks the provider, the others wait for
 * its answer.
 *
 * A flight has a leader, which is any chat whose answer will go into the cache, and those who wait,
 * in SHARING. When the leader was recorded, they get its answer. When it has none to give, the
 * first of them leads the others; when that one has none either, they go each their own way. A
 * leader with others behind it goes on when its own client has gone.
 *
 * Used by the relay's thread only.
 */
#ifndef UPLIFT_SINGLE_FLIGHT_H
#define UPLIFT_SINGLE_FLIGHT_H

#include <stdbool.h>

#define FLIGHT_BUCKETS 1024

struct relay_chat;
struct flight;

struct flights {
    struct flight *buckets[FLIGHT_BUCKETS];
};

/* A chat's place in a flight. */
struct flight_seat {
    struct flight *flight; /* NULL: in none */
    bool is_leader;
    struct relay_chat *next, **link; /* of those who wait */
};

/* True when rc waits for the answer to another request; otherwise it is to ask, and may now lead.
 */
bool flight_join(struct flights *all, struct relay_chat *rc);
/* Whether others wait for rc's answer. */
bool flight_is_awaited(const struct relay_chat *rc);
/* rc waits no longer. Nothing when it does not. */
void flight_leave(struct relay_chat *rc);
/*
 * rc has ended, and was recorded or could not be. If it led and its answer will do, each who waited
 * gets a copy (chat->cache.answer) and is handed to give; without memory for it, or without an
 * answer, they are due for relay_chat_sweep, where they ask. Nothing when it did not lead.
 */
void flight_finish(struct flights *all, struct relay_chat *rc, void (*give)(struct relay_chat *rc));

#endif
