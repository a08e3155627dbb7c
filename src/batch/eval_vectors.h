/* Embeddings of an evaluation's texts, in memory, and searched by a look at each of them. */
#ifndef UPLIFT_EVAL_VECTORS_H
#define UPLIFT_EVAL_VECTORS_H

#include "common/config.h"
#include "common/embedding.h"
#include "common/must_check.h"
#include "search/find.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EVAL_TEXT_MAX 8000 /* bytes of a text that are sent */
#define EVAL_FUSION_K 60   /* as uplift.with_near_hits() has it */

/* All zero but for config is empty. */
struct eval_vectors {
    const struct config *config; /* borrowed */
    int dimensions;              /* 0: there are none yet */
    size_t count, room;
    int64_t *numbers; /* whose they are; owned, as is the rest */
    float *values;    /* of length 1 */
    char *waiting[EMBEDDING_TEXTS_MAX];
    int64_t waiting_numbers[EMBEDDING_TEXTS_MAX];
    size_t waiting_count;
};

/* Has the embedding of a text made, a title (NULL or "": none) above the body: now or, with those
 * of others, later. A text of nothing but blanks has none. False with the reason in why. */
MUST_CHECK bool eval_vectors_add(struct eval_vectors *v, int64_t number, const char *title,
                                 const char *body, char why[256]);
/* Has those made that wait. */
MUST_CHECK bool eval_vectors_finish(struct eval_vectors *v, char why[256]);
/* The embedding of a text; NULL: it has none. */
const float *eval_vectors_of(const struct eval_vectors *v, int64_t number);
/* Writes the nearest of all, the nearest first, at most wanted, with the cosine as their score.
 * query has v's dimensions. Returns how many, -1: no memory. */
int eval_vectors_nearest(const struct eval_vectors *v, const float *query, size_t wanted,
                         struct find_hit *hits);
/* Writes the hits of both lists, ranked by the sum of 1 / (EVAL_FUSION_K + place), at most wanted.
 * Returns how many, -1: no memory. */
int eval_vectors_fuse(const struct find_hit *a, size_t a_count, const struct find_hit *b,
                      size_t b_count, size_t wanted, struct find_hit *hits);
void eval_vectors_release(struct eval_vectors *v);

#endif
