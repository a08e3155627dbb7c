/*
 * POST /v1/embeddings: unit vectors made from hashed pieces of the text, the same for the same
 * text.
 *
 * Texts that share words are near each other, and so are those that have words of the same meaning:
 * jogging, running and sprinting; slumber, sleep and insomnia; meals, food, eating and nutrition;
 * stress, anxiety and worry. Faults are asked for as of completions (fault.h): status-NNN, flap (by
 * the first text), reset, silence, slow-first-token (the whole answer then), malformed-chunk (half
 * an answer), short-vectors and fewer-vectors.
 */
#ifndef UPLIFT_SIMULATOR_EMBEDDINGS_H
#define UPLIFT_SIMULATOR_EMBEDDINGS_H

#include "fastcgi.h"

#define EMBEDDING_DIMENSIONS 1536 /* unless the request asks for fewer or more */
#define EMBEDDING_DIMENSIONS_MAX 3072

void embeddings_post(struct fastcgi_request *r);

#endif
