/* What a server with OpenAI's POST /embeddings is asked, and what it answers. */
#ifndef UPLIFT_EMBEDDING_H
#define UPLIFT_EMBEDDING_H

#include "buf.h"
#include "must_check.h"

#include <stdbool.h>
#include <stddef.h>

#define EMBEDDING_PATH "/embeddings"
#define EMBEDDING_DIMENSIONS_MAX 4096
#define EMBEDDING_TEXTS_MAX 64  /* of a request */
#define EMBEDDING_NUMBER_MAX 15 /* bytes of a number of a vector's text, with its comma */
#define EMBEDDING_REASON 160

/* Appends the body of a request for the embeddings of count texts; dimensions 0: as many numbers as
 * the model gives. False when the buffer failed. */
bool embedding_request(const char *model, int dimensions, const char *const *texts, size_t count,
                       struct buf *out);

/* Of as many texts, in their order. */
struct embeddings {
    size_t count;
    int dimensions;                     /* the same of all of them */
    char *vectors[EMBEDDING_TEXTS_MAX]; /* as pgvector reads them: [0.5,-0.25,...]; owned */
};

/*
 * Reads an answer (NULL: an empty one) that is to have one embedding for each of count texts, at
 * most EMBEDDING_TEXTS_MAX. They may come in any order, which their index says. Each must be a list
 * of 1 to EMBEDDING_DIMENSIONS_MAX numbers that are finite as a float, as is the sum of their
 * squares, which is not 0 either, and as long as the others. False with the reason in why; *out
 * needs no release then.
 */
MUST_CHECK bool embeddings_read(const char *text, size_t len, size_t count, struct embeddings *out,
                                char why[EMBEDDING_REASON]);
void embeddings_release(struct embeddings *e);

#endif
