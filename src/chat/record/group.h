/* A group of answers, and the one way they are written to Postgres: together when that works, else
 * apart, so that one bad row or one held lock does not take its group with it. */
#ifndef UPLIFT_GROUP_H
#define UPLIFT_GROUP_H

#include "chat/chat.h"
#include "common/buf.h"
#include "common/must_check.h"
#include "common/pg.h"
#include "rows.h"

#include <stdbool.h>
#include <stddef.h>

#define GROUP_ROW_MAX ((size_t)128 * 1024 * 1024) /* bytes of one answer; more is not recorded */
#define GROUP_BYTES ((size_t)2 * 1024 * 1024)     /* a group that has grown past this is full */

enum group_state {
    GROUP_WAITING,   /* not tried yet */
    GROUP_COMMITTED, /* in the table: now, or already before */
    GROUP_REJECTED,  /* bad data; committed whole in uplift.rejected_answers */
    GROUP_BUSY,      /* a lock is held or the server cannot do it now: try again later */
    GROUP_SLOW,      /* it was not done in time; try again with more time, or with fewer */
    GROUP_AWAY,      /* no answer from Postgres: it may be committed or not; try again later */
};

struct group_item {
    size_t offset, len; /* the loader's: of its JSON object in text */
    size_t bytes;       /* of all of it, about */
    struct chat *chat;  /* the recorder's; NULL in the loader */
    enum group_state state;
};

struct group {
    struct buf text;  /* the JSON array [a,b,c]; its last bracket is written by group_store */
    struct rows rows; /* chats as parameters: made for each call */
    struct group_item *items;
    const struct chat **chats; /* scratch, for as many */
    size_t count, room;
    size_t bytes; /* of all items */
};

/* room is the most answers it can hold. False when memory ran out. */
MUST_CHECK bool group_init(struct group *g, size_t room);
void group_release(struct group *g);
/* Empties it, and gives memory back that an unusually large answer needed. */
void group_clear(struct group *g);
bool group_full(const struct group *g);
/* Adds an answer; all of a group are chats, or all are texts. False when it cannot be held: it is
 * larger than GROUP_ROW_MAX, or memory ran out. Not when full. */
bool group_add_chat(struct group *g, struct chat *chat);
bool group_add_text(struct group *g, const char *json, size_t len);
/* The JSON object of an item that was added as text. Not NUL-terminated. */
const char *group_text(const struct group *g, size_t i);
/* Appends the whole JSON object of an item, as chat_to_json writes it. False when it passed out's
 * limit. */
bool group_put(const struct group *g, size_t i, struct buf *out);

/* Called while a group is written one by one and has waited for a lock, so that those already
 * decided can go on. */
typedef void (*group_progress_fn)(void *arg);

/*
 * Writes all, and sets each item's state. The first try is one call, one transaction. Data errors
 * are halved down to the bad rows, which are kept by uplift.reject_answer. After a lock wait the
 * rows are tried one by one, but the whole waits for at most budget_ms more. Returns PG_AWAY when
 * the server went away or is shutting down (items not yet committed are then GROUP_AWAY);
 * PG_REFUSED when they took too much of its time (GROUP_SLOW); else PG_DONE: what the caller tells
 * the breaker.
 */
MUST_CHECK enum pg_outcome group_store(struct group *g, struct pg *pg, int64_t budget_ms,
                                       group_progress_fn progress, void *arg);

/* How many of a group that was written were rejected. */
size_t group_rejected(const struct group *g);

/* What an SQLSTATE says about a row. */
enum group_error {
    GROUP_ERROR_DATA, /* this row will never be taken as it is */
    GROUP_ERROR_LOCK, /* somebody holds a lock, or a deadlock or a serialization failure */
    GROUP_ERROR_SLOW, /* out of time: statement_timeout, which is ours */
    GROUP_ERROR_AWAY, /* shutting down, starting up, out of connections */
    GROUP_ERROR_BUSY, /* anything else: disk full, read-only, a schema that does not fit; another
                         time */
};
enum group_error group_classify(const char *sqlstate);

#endif
