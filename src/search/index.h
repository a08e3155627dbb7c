/* Gathers texts in memory and writes them as a copy file. */
#ifndef UPLIFT_INDEX_H
#define UPLIFT_INDEX_H

#include "common/must_check.h"
#include "copy.h"
#include "words.h"

#include <stdbool.h>
#include <stdint.h>

/* For one thread at a time. Takes some 12 bytes for each different word of a text. */
struct index;

MUST_CHECK struct index *index_new(void);
void index_free(struct index *x);

/* A text as it is indexed; words are those of its title, three times, and of its body. */
struct index_text {
    int64_t id; /* above those of all texts before */
    float weight;
    char language[LANGUAGE_SIZE];
};

/* Begins the next text; then its words are added, each as often as it counts. False when memory ran
 * out, or there are COPY_DOCS_MAX already. */
MUST_CHECK bool index_begin(struct index *x, const struct index_text *text);
MUST_CHECK bool index_add(struct index *x, const struct word *words, size_t count, unsigned times);
uint32_t index_count(const struct index *x); /* texts */

/* What goes into the header, and, of a recent file, which texts of the base are gone. */
struct index_options {
    const char *shelf, *origin;
    uint64_t horizon, base;
    /* The texts and words of the base, of a recent file: its mean is that of both. */
    uint64_t base_docs, base_words;
    const uint32_t *gone; /* ascending */
    uint32_t gone_count;
};

/* Writes to path by way of a file beside it. False with a logged reason; then what was at path is
 * as it was. The index may be added to and written again. */
MUST_CHECK bool index_write(const struct index *x, const char *path,
                            const struct index_options *options);

#endif
