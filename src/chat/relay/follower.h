/*
 * Those who follow an answer beside the client that asked for it, or in its place once that one is
 * gone: GET /v1/chat/{id}/events. Each connection came by mail from the worker that accepted it
 * (worker_slots.h), with its response head sent. Used by the relay's thread only.
 *
 * A follower is told what was asked, the text from where it is on, and the end when the answer is
 * recorded. It holds up nobody: one that does not read is given up.
 */
#ifndef UPLIFT_FOLLOWER_H
#define UPLIFT_FOLLOWER_H

#include "chat/shared/worker_slots.h"

#include <stdbool.h>
#include <stdint.h>

struct relay_chat;
struct relay_core;
struct follower;

#define FOLLOWERS_MAX 16 /* of one answer */

/* Lets a connection follow the answer that the mail names, or ends it where that is not, or no
 * longer, under way: its client asks again, and finds it recorded. Takes fd. */
void followers_add(struct relay_core *core, const struct mail *mail, int fd);
/* Sends what the answer's text has grown by. */
void followers_update(struct relay_chat *rc);
/* The text so far is void. */
void followers_restart(struct relay_chat *rc);
/* The answer has ended, recorded or not: sends the rest and the end. */
void followers_end(struct relay_chat *rc);
/* Heartbeats; gives up those who do not read. */
void followers_sweep(struct relay_core *core, int64_t now_ms);
/* Frees those that have ended: once in each turn of the loop, when none of them is at hand. */
void followers_free(struct relay_core *core);

#endif
