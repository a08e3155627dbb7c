/*
 * Term at a time, within a window of a few thousand texts, whose sums stay in the processor's
 * nearest cache: each posting of a word adds to its text's sum. Sums are whole numbers, so that
 * adding costs one instruction, and several are compared with the worst hit at once.
 */
#include "find.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Sums are of whole numbers, idf in steps of 1/STEPS. FIND_WORDS_MAX words of the highest idf and
 * the highest impact (255) stay below 2^31. */
#define STEPS 256
#define IDF_MAX 256 /* often * idf of one word */
#define SCALE ((float)((COPY_K1 + 1) / COPY_IMPACT_MAX / STEPS))
#define BLOCK 32
#define WINDOW 4096

uint64_t *find_gone_bits(const struct copy *base, const struct copy *recent)
{
    uint64_t *bits = calloc(base->header->doc_count / 64 + 1, sizeof *bits);
    for (uint32_t i = 0; bits != NULL && i < recent->header->gone_count; i++)
        if (recent->gone[i] < base->header->doc_count)
            bits[recent->gone[i] / 64] |= (uint64_t)1 << recent->gone[i] % 64;
    return bits;
}

double find_mean(const struct find_copies *c, uint64_t *docs)
{
    uint64_t words = c->base->header->word_total;
    *docs = c->base->header->doc_count;
    if (c->recent != NULL) {
        words += c->recent->header->word_total;
        *docs += c->recent->header->doc_count;
    }
    return *docs == 0 ? FIND_MEAN_OF_NONE : (double)words / (double)*docs;
}

size_t find_distinct(const struct word *words, size_t count, struct find_word out[FIND_WORDS_MAX])
{
    size_t found = 0;
    for (size_t i = 0; i < count; i++) {
        size_t at = 0;
        while (at < found &&
               (out[at].len != words[i].len || memcmp(out[at].at, words[i].at, words[i].len) != 0))
            at++;
        if (at == FIND_WORDS_MAX)
            continue;
        if (at == found)
            out[found++] = (struct find_word){.at = words[i].at, .len = words[i].len};
        out[at].often++;
    }
    return found;
}

/* Where a word's postings were read up to. */
struct cursor {
    const uint32_t *at, *end;
    int32_t factor; /* idf in steps */
};

static struct cursor cursor_of(const struct copy *c, const struct copy_term *t, float idf)
{
    const uint32_t *at = t != NULL ? c->postings + t->first : NULL;
    return (struct cursor){
        .at = at, .end = t != NULL ? at + t->count : NULL, .factor = (int32_t)lroundf(idf * STEPS)};
}

/* Works out a word's idf, and finds its postings in both copies. */
static void look_up(const struct find_copies *c, struct find_word *w, uint64_t docs,
                    struct cursor *in_base, struct cursor *in_recent)
{
    const struct copy_term *old = copy_term(c->base, w->at, w->len);
    const struct copy_term *new = c->recent != NULL ? copy_term(c->recent, w->at, w->len) : NULL;
    double df = (old != NULL ? old->count : 0) + (new != NULL ? new->count : 0);
    double of = docs < FIND_TEXTS_LEAST ? FIND_TEXTS_LEAST : (double)docs;
    double idf = log(1 + (of - df + .5) / (df + .5)) * w->often;
    w->idf = (float)(idf < IDF_MAX ? idf : IDF_MAX);
    *in_base = cursor_of(c->base, old, w->idf);
    *in_recent = cursor_of(c->recent, new, w->idf);
}

/* Adds what a word counts for in the texts of a window. */
static void add_postings(struct cursor *c, uint32_t start, int32_t sums[WINDOW])
{
    const uint64_t limit = ((uint64_t)start + WINDOW) << 8;
    const uint32_t *p = c->at, *end = c->end;
    const int32_t factor = c->factor;
    for (; p < end && *p < limit; p++)
        sums[(*p >> 8) - start] += factor * (int32_t)(*p & 0xff);
    c->at = p;
}

/* --- the best --- */

static bool is_worse(const struct find_hit *a, const struct find_hit *b)
{
    return a->score < b->score || (a->score == b->score && a->id > b->id);
}

/* The worst hit is the first of the heap. */
static void sift_down(struct find_hit *heap, size_t count, size_t at)
{
    struct find_hit hit = heap[at];
    for (size_t child; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count && is_worse(&heap[child + 1], &heap[child]))
            child++;
        if (!is_worse(&heap[child], &hit))
            break;
        heap[at] = heap[child];
    }
    heap[at] = hit;
}

static void sift_up(struct find_hit *heap, size_t at)
{
    struct find_hit hit = heap[at];
    while (at > 0 && is_worse(&hit, &heap[(at - 1) / 2])) {
        heap[at] = heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    heap[at] = hit;
}

struct best {
    struct find_hit *heap;
    size_t count, wanted;
};

static void offer(struct best *b, struct find_hit hit)
{
    if (b->count < b->wanted) {
        b->heap[b->count] = hit;
        sift_up(b->heap, b->count++);
    } else if (is_worse(&b->heap[0], &hit)) {
        b->heap[0] = hit;
        sift_down(b->heap, b->count, 0);
    }
}

/* The least sum that may get in, whatever the weight of its text. */
static int32_t least(const struct best *b, float weight_max)
{
    if (b->count < b->wanted || weight_max <= 0)
        return 1;
    float sum = b->heap[0].score / (SCALE * weight_max) * .9999f; /* floats round */
    return sum >= 2e9f ? 2000000000 : sum < 1 ? 1 : (int32_t)sum;
}

/* The texts of a block. */
static void take_block(const struct copy *c, const uint64_t *gone, const int32_t *sums,
                       uint32_t start, struct best *b)
{
    uint32_t docs = c->header->doc_count, end = docs - start < BLOCK ? docs : start + BLOCK;
    for (uint32_t i = start; i < end; i++) {
        int32_t sum = sums[i - start];
        if (sum <= 0 || (gone != NULL && (gone[i / 64] >> i % 64 & 1) != 0))
            continue;
        float score = (float)sum * SCALE * c->weights[i];
        if (score > 0)
            offer(b, (struct find_hit){.id = c->ids[i], .score = score});
    }
}

static void take_window(const struct copy *c, const uint64_t *gone, const int32_t sums[WINDOW],
                        uint32_t start, struct best *b)
{
    uint32_t docs = c->header->doc_count;
    int32_t bar = least(b, c->header->weight_max);
    for (uint32_t at = 0; at < WINDOW && start + at < docs; at += BLOCK) {
        /* Without a branch, so that the compiler compares several at once. */
        int32_t over = 0;
        for (uint32_t i = 0; i < BLOCK; i++)
            over |= bar - 1 - sums[at + i];
        if (over < 0) {
            take_block(c, gone, sums + at, start + at, b);
            bar = least(b, c->header->weight_max);
        }
    }
}

static void search_copy(const struct copy *c, const uint64_t *gone, struct cursor *cursors,
                        size_t count, struct best *b)
{
    int32_t sums[WINDOW];
    for (uint32_t start = 0; start < c->header->doc_count; start += WINDOW) {
        memset(sums, 0, sizeof sums);
        for (size_t i = 0; i < count; i++)
            add_postings(&cursors[i], start, sums);
        take_window(c, gone, sums, start, b);
    }
}

size_t find_hits(const struct find_copies *c, struct find_word *words, size_t word_count,
                 size_t wanted, struct find_hit *hits)
{
    struct cursor in_base[FIND_WORDS_MAX], in_recent[FIND_WORDS_MAX];
    struct best best = {.heap = hits, .wanted = wanted};
    uint64_t docs;
    find_mean(c, &docs);
    for (size_t i = 0; i < word_count; i++)
        look_up(c, &words[i], docs, &in_base[i], &in_recent[i]);
    if (wanted == 0 || word_count == 0)
        return 0;
    search_copy(c->base, c->gone, in_base, word_count, &best);
    if (c->recent != NULL)
        search_copy(c->recent, NULL, in_recent, word_count, &best);
    /* Worst first out of the heap: from its end to its beginning. */
    for (size_t left = best.count; left > 1; left--) {
        struct find_hit worst = best.heap[0];
        best.heap[0] = best.heap[left - 1];
        best.heap[left - 1] = worst;
        sift_down(best.heap, left - 1, 0);
    }
    return best.count;
}
