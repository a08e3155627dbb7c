/* POST /v1/embeddings: unit vectors made from hashed pieces of the text. */
#ifndef UPLIFT_SIMULATOR_EMBEDDINGS_H
#define UPLIFT_SIMULATOR_EMBEDDINGS_H

#include "fastcgi.h"

#define EMBEDDING_DIMENSIONS 1536 /* unless the request asks for fewer or more */
#define EMBEDDING_DIMENSIONS_MAX 3072

void embeddings_post(struct fastcgi_request *r);

#endif
