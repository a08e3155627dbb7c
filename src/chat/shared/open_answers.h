/*
 * The answers on /v1/chat that are under way on this host, in memory that all workers share: so
 * that a request to follow or stop one, which any worker may get, finds the worker that has it.
 *
 * Only the relay that has an answer writes its entry. Readers take a copy and look whether it was
 * changed meanwhile, so nobody waits for anybody, and a worker may die at any moment; what it left
 * is taken out by the next process in its slot (worker_slots.h).
 */
#ifndef UPLIFT_OPEN_ANSWERS_H
#define UPLIFT_OPEN_ANSWERS_H

#include "common/uuid.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OPEN_ANSWERS_MAX 32768 /* a power of two */

/* What is known of one. */
struct open_answer {
    struct uuid id;
    struct uuid user;
    struct uuid conversation;
    struct uuid client_request; /* the client's own name for it, zero when it gave none */
    int64_t created_us;         /* wall clock */
    int slot;                   /* of the worker that has it */
};

#define OPEN_ANSWER_WORDS ((sizeof(struct open_answer) + 7) / 8)

struct open_answer_entry {
    atomic_uint version; /* odd while it is written */
    atomic_int owner;    /* the slot of the worker that has it, and 1; 0: free */
    atomic_uint_least64_t words[OPEN_ANSWER_WORDS]; /* a struct open_answer */
};

struct open_answers {
    struct open_answer_entry entries[OPEN_ANSWERS_MAX];
};

/* Adds one; returns its place, or -1 where there is none left, or its worker has no slot: it can
 * then be had only once it is recorded. */
int open_answers_add(struct open_answers *all, const struct open_answer *answer);
/* Takes it out. Nothing for place -1. */
void open_answers_remove(struct open_answers *all, int place);
/* Finds a user's answer by its id or by the client's own name for it. */
bool open_answers_find(struct open_answers *all, const struct uuid *user, const struct uuid *name,
                       struct open_answer *out);
/* A user's answers, at most max of them, in no order; returns how many. */
size_t open_answers_of(struct open_answers *all, const struct uuid *user, struct open_answer *out,
                       size_t max);
/* Takes out all that a worker left behind. */
void open_answers_forget(struct open_answers *all, int slot);

#endif
