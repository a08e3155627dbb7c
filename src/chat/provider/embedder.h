/*
 * The embeddings of chats' questions, by UPLIFT_EMBEDDINGS_URL, so that knowledge is found by what
 * it means.
 *
 * A thread of its own makes the calls; who prepares a chat waits for its question's embedding,
 * UPLIFT_EMBEDDINGS_TIMEOUT_MS at most, and goes on without it then. A call that is late goes on:
 * what it brings is kept for who asks the same, and the connection that it made for the next. The
 * same question is asked once at a time, and those of late are known. A server that fails, or is
 * late, several times in a row is left alone for a while, at first for EMBEDDER_REST_MS, and then
 * tried with one question; each time that this fails, the while doubles. No more than half of a
 * worker's threads wait for it at once: a slow server does not keep the rest of the work from being
 * done.
 *
 * It asks only where the database has embeddings of the configured model to compare with, which
 * the sync thread tells.
 */
#ifndef UPLIFT_EMBEDDER_H
#define UPLIFT_EMBEDDER_H

#include "common/buf.h"
#include "common/config.h"
#include "common/embedding.h"
#include "common/must_check.h"

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>

#define EMBEDDER_TEXT_MAX 8000 /* bytes of a question that are sent */
#define EMBEDDER_KEPT_MAX 128  /* questions of late whose embeddings are known */
#define EMBEDDER_OPEN_MAX 64   /* calls at once */
#define EMBEDDER_FAILURES 3    /* in a row, until it is left alone */
#define EMBEDDER_REST_MS 2000
#define EMBEDDER_REST_MAX_MS 60000
#define EMBEDDER_LATE_MS 10000 /* that a call may go on when nobody waits for it any more */
/* Bytes that embedder_describe appends at most. */
#define EMBEDDER_MORE_MAX (64 + (size_t)EMBEDDING_DIMENSIONS_MAX * EMBEDDING_NUMBER_MAX)

/* What became of a question. */
enum embedded {
    EMBEDDED_OFF, /* there is no server for it, or nothing to compare with */
    EMBEDDED,
    EMBEDDED_KEPT,    /* known from before */
    EMBEDDED_LATE,    /* not in time */
    EMBEDDED_FAILED,  /* the server failed, or answered what is of no use */
    EMBEDDED_RESTING, /* not asked: it is left alone for a while */
    EMBEDDED_BUSY,    /* not asked: too many are, or wait */
};

/* Thread-safe. */
struct embedder;

/* Borrows config. Without UPLIFT_EMBEDDINGS_URL there is no thread, and nothing is ever asked. NULL
 * with a logged reason. */
MUST_CHECK struct embedder *embedder_start(const struct config *config);
/* Nobody waits for it any more, and nothing more is asked. NULL is none. */
void embedder_quit(struct embedder *e);
/* Nobody may be in embedder_describe any more. NULL is none. */
void embedder_stop(struct embedder *e);

/* Appends ,"embeddings":{"model","dimensions"}, what uplift_chat.worker_sync() is asked for;
 * nothing without a server. */
void embedder_put_wanted(const struct embedder *e, struct buf *out);
/* What it answered: {"set", "dimensions"}, or null where there is nothing to compare with. */
void embedder_take(struct embedder *e, const cJSON *set);

/*
 * Appends to search, an object that is being built, and has members but not its last brace, the
 * member that uplift.near_texts() reads: ,"embedding":{"set":1,"vector":"[...]"}. message is cut.
 * Nothing is appended unless the result is EMBEDDED or EMBEDDED_KEPT.
 */
enum embedded embedder_describe(struct embedder *e, const char *message, struct buf *search);

#endif
