/*
 * The relay: the one thread that speaks to providers, and the only stage that writes to a chat's
 * client and ends it. A libuv loop with a libcurl multi handle; it never blocks.
 */
#ifndef UPLIFT_RELAY_H
#define UPLIFT_RELAY_H

#include "chat/chat.h"
#include "common/config.h"
#include "common/must_check.h"

#include <stdbool.h>
#include <stdint.h>

struct relay;
/* All borrowed. */
struct relay_options {
    const struct config *config;
    struct recorder *recorder;
    struct routings *routings;
    struct limits *limits;   /* NULL, as metrics and prices: nothing is counted */
    struct metrics *metrics; /* the worker's */
    struct prices *prices;
    struct open_answers *open_answers; /* NULL, as slots: nobody can follow an answer */
    struct intake *intake; /* has the connections of followed answers back; NULL: they are closed */
    struct worker_slots *slots;
    int slot; /* this worker's, -1: none, with the same effect */
};

/* NULL with a logged reason. Needs curl_global_init in this process. */
MUST_CHECK struct relay *relay_start(const struct relay_options *options);
/* Takes the chat and its request. False, with the chat still the caller's, when max_chats are open
 * or it stops. Thread-safe. */
MUST_CHECK bool relay_submit(struct relay *r, struct chat *c);
/* The recorder gives a list of chats (linked by next) back, recorded set in each. Thread-safe. */
void relay_recorded(struct relay *r, struct chat *list);
/* Chats open now. Thread-safe. */
int64_t relay_open(const struct relay *r);
/* Ends what is still open as partial (told to the client as an error), waits until those are
 * recorded (at most wait_ms), then stops the thread and frees everything. Called once. */
void relay_stop(struct relay *r, int64_t wait_ms);

#endif
