/*
 * Citations: which of the sources that a prompt offered by number an answer names.
 *
 * A chat's trace, from Postgres, has "citations":[{"number","source_id","part","title","url"}] with
 * all that were offered. Answers name them as the prompt asks: [1], or several at once, [2, 3].
 * What stands in code, behind a backslash, or is the text of a link ("[1](...)") names nothing; nor
 * does a number that was not offered, or one in what a reasoning model thinks aloud before its
 * answer (<think>).
 */
#ifndef UPLIFT_CITATIONS_H
#define UPLIFT_CITATIONS_H

#include "chat/chat.h"
#include "common/buf.h"
#include "common/json_scan.h"
#include "common/must_check.h"

#include <stdbool.h>
#include <stddef.h>

#define CITATION_NUMBERS 8       /* in one mark */
#define CITATION_NUMBER_MAX 99   /* a higher one is no citation */
#define CITATION_ANNOTATIONS 256 /* of one answer: what it names beyond that has none */

/* A mark in a text: bytes from to end, end excluded, and what it names. */
struct citation_mark {
    size_t from, end;
    int numbers[CITATION_NUMBERS];
    int count;
};

/* A place in a text; begin with {.text, .len}, or with .from and .at the same. */
struct citation_scan {
    const char *text; /* Markdown, borrowed */
    size_t len;
    size_t from; /* where the Markdown begins, as at does: what is before it is not looked at */
    size_t at;
    char fence; /* what the block of code at hand is fenced with; '\0' outside of one */
    size_t fence_len;
};

/* The next mark that could be a citation, whatever was offered; false at the end. Takes a time that
 * grows with the text's length alone. */
bool citation_next(struct citation_scan *s, struct citation_mark *mark);

/*
 * For an answer that is over: leaves in the chat's trace those citations that its text names, in
 * the order of their numbers as they were offered, and takes them out where it names none; so what
 * is recorded is what the client is told. Nothing for a trace without any. False when memory ran
 * out: the trace is then as it was.
 */
MUST_CHECK bool citations_settle(struct chat *chat);

/* The citations in the chat's trace, an array with something in it; nothing (at NULL) when there
 * are none. */
struct span citations_of(const struct chat *chat);

/*
 * Appends the items of OpenAI's annotations, without the brackets, for each place where the answer
 * names a source that has a URL:
 * {"type":"url_citation","url_citation":{"end_index","start_index","title","url"}}, indexes in
 * characters (code points) of the answer's text, the end excluded. *count grows by how many.
 */
void citations_put_annotations(struct buf *out, const struct chat *chat, int *count);

#endif
