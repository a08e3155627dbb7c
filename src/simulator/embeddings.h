/* POST /v1/embeddings: unit vectors made from hashed pieces of the text. */
#ifndef UPLIFT_EMBEDDINGS_H
#define UPLIFT_EMBEDDINGS_H

#include "fastcgi.h"

#define EMBEDDING_DIMENSIONS 1536 /* unless the request asks for fewer or more */
#define EMBEDDING_DIMENSIONS_MAX 3072

/* Fills out with a vector of length 1: words and three-letter pieces of the text, in lower case,
 * each counted at a place that its hash gives. Texts that share words are near each other; the same
 * text always gives the same vector. An empty text gives (1, 0, 0, ...). */
void embedding_make(const char *text, size_t len, double *out, size_t dimensions);
void embeddings_post(struct fastcgi_request *r);

#endif
