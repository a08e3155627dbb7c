/* Answers as the parameters of uplift_chat.record_chats(). */
#ifndef UPLIFT_ROWS_H
#define UPLIFT_ROWS_H

#include "chat/chat.h"
#include "common/buf.h"
#include "common/must_check.h"
#include "common/pg.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * Shared prompts that Postgres has, as far as it is remembered: they need not be sent again. An id
 * has one place, from which the next with the same place drives it.
 */
#define ROWS_PROMPTS 512

struct rows {
    struct pg_arrays arrays;
    struct buf json; /* scratch */
    char stored[ROWS_PROMPTS][UUID_TEXT + 1];
};

/* Arrays of at most so many bytes. */
void rows_init(struct rows *r, size_t max);
void rows_release(struct rows *r);
/* Empties it, and gives memory back that unusually large answers needed. */
void rows_clear(struct rows *r, size_t keep);
/* Makes the parameters, for rows_statement. False when memory ran out. */
MUST_CHECK bool rows_make(struct rows *r, const struct chat *const *chats, size_t count);
/* These were recorded: Postgres has their prompts. */
void rows_stored(struct rows *r, const struct chat *const *chats, size_t count);
/* Postgres lacks a prompt that was taken to be there (SQLSTATE UX001): all go along again. */
void rows_forget(struct rows *r);

extern const struct pg_statement rows_statement;

#endif
