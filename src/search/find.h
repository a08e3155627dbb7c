/*
 * Finding the texts that answer a question best, in the two copies of a shelf taken together.
 *
 * BM25 with k1 1.5 and b 0.75: a text's score is its weight times the sum, over the question's
 * words, of idf * 2.5 * tf / (tf + 1.5 * (0.25 + 0.75 * length / mean)), where tf is how often the
 * text has the word, length how many words it has and mean how many texts have on average; idf is
 * ln(1 + (N - df + 0.5) / (df + 0.5)), where df of N texts have the word; N is taken for at least
 * FIND_TEXTS_LEAST, because few texts say little of how rare a word is: in a shelf of one, each of
 * its words would count for next to nothing. Exact but for the part behind idf, which is kept in 8
 * bits.
 */
#ifndef UPLIFT_FIND_H
#define UPLIFT_FIND_H

#include "common/must_check.h"
#include "copy.h"
#include "words.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FIND_WORDS_MAX 64
#define FIND_TEXTS_LEAST 1000
#define FIND_MEAN_OF_NONE 60 /* words, as texts have where there are some */

/* The copies of a shelf; recent is NULL where there is none of this base. gone has a bit for each
 * text of the base that no longer counts; NULL: none. */
struct find_copies {
    const struct copy *base, *recent;
    const uint64_t *gone;
};

struct find_word {
    const char *at;
    uint32_t len;
    uint32_t often; /* in the question */
    float idf;      /* times often; find_hits() writes it */
};

struct find_hit {
    int64_t id;
    float score;
};

/* The bits of find_copies.gone for a recent file's list; the caller's to free. NULL: no memory. */
MUST_CHECK uint64_t *find_gone_bits(const struct copy *base, const struct copy *recent);
/* The first FIND_WORDS_MAX different ones of a question's words, with how often each is there.
 * Returns how many those are. */
size_t find_distinct(const struct word *words, size_t count, struct find_word out[FIND_WORDS_MAX]);
/* Texts of both copies, and how many words they have on average. */
double find_mean(const struct find_copies *c, uint64_t *docs);
/*
 * Writes the best texts with a score above 0, at most as many as wanted, best first (of the same
 * score: by id), into hits, which has room for them. words are different ones, at most
 * FIND_WORDS_MAX. Returns how many there are. Takes 16 KB of the stack and no other memory.
 */
size_t find_hits(const struct find_copies *c, struct find_word *words, size_t word_count,
                 size_t wanted, struct find_hit *hits);

#endif
