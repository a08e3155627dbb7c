/* Terms are found by a hash table while texts come in, and postings lie in the order in which they
 * came; they are brought into that of their terms when the file is written. */
#include "index.h"

#include "common/clock.h"
#include "common/log.h"
#include "stop_words.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

#define OFTEN_MAX 255 /* more often than that no word counts in a text */

struct term {
    uint32_t text_at, text_len;
    uint32_t hash;
    uint32_t count; /* of postings */
    uint32_t last;  /* its last posting */
};

struct posting {
    uint32_t term;
    uint32_t doc_often; /* number of the text << 8 | how often it has the word */
};

struct doc {
    int64_t id;
    float weight;
    uint32_t words;
};

struct array {
    void *items;
    size_t count, room;
};

struct index {
    struct array docs, terms, postings, text;
    uint32_t *slots; /* term numbers */
    uint32_t slot_count;
    uint64_t word_total;
    uint32_t languages[STOP_LANGUAGES];
};

struct index *index_new(void)
{
    return calloc(1, sizeof(struct index));
}

void index_free(struct index *x)
{
    if (x == NULL)
        return;
    free(x->docs.items);
    free(x->terms.items);
    free(x->postings.items);
    free(x->text.items);
    free(x->slots);
    free(x);
}

/* Room for more items of so many bytes; where they begin, NULL when memory ran out. */
static void *append(struct array *a, size_t more, size_t size)
{
    if (a->count + more > a->room) {
        size_t room = a->room < 64 ? 64 : a->room + a->room / 2;
        if (room < a->count + more)
            room = a->count + more;
        void *items = realloc(a->items, room * size);
        if (items == NULL)
            return NULL;
        a->items = items;
        a->room = room;
    }
    void *at = (char *)a->items + a->count * size;
    a->count += more;
    return at;
}

static void fill_slots(uint32_t *slots, uint32_t slot_count, const struct array *terms)
{
    const struct term *t = terms->items;
    memset(slots, 0xff, slot_count * sizeof *slots);
    for (uint32_t i = 0; i < terms->count; i++) {
        uint32_t at = t[i].hash & (slot_count - 1);
        while (slots[at] != COPY_NO_TERM)
            at = (at + 1) & (slot_count - 1);
        slots[at] = i;
    }
}

static bool grow_slots(struct index *x)
{
    uint32_t count = x->slot_count == 0 ? 1024 : x->slot_count * 2;
    uint32_t *slots = count == 0 ? NULL : malloc(count * sizeof *slots);
    if (slots == NULL)
        return false;
    fill_slots(slots, count, &x->terms);
    free(x->slots);
    x->slots = slots;
    x->slot_count = count;
    return true;
}

/* The number of a word's term, which is made where there is none; COPY_NO_TERM: no memory. */
static uint32_t term_of(struct index *x, const char *word, uint32_t len)
{
    if (x->terms.count * 2 >= x->slot_count && !grow_slots(x))
        return COPY_NO_TERM;
    uint32_t hash = copy_hash(word, len), at = hash & (x->slot_count - 1);
    for (; x->slots[at] != COPY_NO_TERM; at = (at + 1) & (x->slot_count - 1)) {
        const struct term *t = (const struct term *)x->terms.items + x->slots[at];
        if (t->hash == hash && t->text_len == len &&
            memcmp((const char *)x->text.items + t->text_at, word, len) == 0)
            return x->slots[at];
    }
    size_t text_at = x->text.count;
    char *text = text_at + len > UINT32_MAX ? NULL : append(&x->text, len, 1);
    struct term *t = text == NULL ? NULL : append(&x->terms, 1, sizeof *t);
    if (t == NULL)
        return COPY_NO_TERM;
    memcpy(text, word, len);
    *t = (struct term){
        .text_at = (uint32_t)text_at, .text_len = len, .hash = hash, .last = UINT32_MAX};
    x->slots[at] = (uint32_t)x->terms.count - 1;
    return x->slots[at];
}

bool index_begin(struct index *x, const struct index_text *text)
{
    struct doc *d = x->docs.count >= COPY_DOCS_MAX ? NULL : append(&x->docs, 1, sizeof *d);
    if (d == NULL)
        return false;
    *d = (struct doc){.id = text->id, .weight = text->weight};
    int language = stop_language(text->language);
    if (language >= 0)
        x->languages[language]++;
    return true;
}

bool index_add(struct index *x, const struct word *words, size_t count, unsigned times)
{
    uint32_t number = (uint32_t)x->docs.count - 1;
    struct doc *d = (struct doc *)x->docs.items + number;
    for (size_t i = 0; i < count; i++) {
        uint32_t term = term_of(x, words[i].at, words[i].len);
        if (term == COPY_NO_TERM)
            return false;
        struct term *t = (struct term *)x->terms.items + term;
        struct posting *p = (struct posting *)x->postings.items + t->last;
        if (t->last == UINT32_MAX || p->doc_often >> 8 != number) {
            p = x->postings.count >= UINT32_MAX - 1 ? NULL : append(&x->postings, 1, sizeof *p);
            if (p == NULL)
                return false;
            *p = (struct posting){.term = term, .doc_often = number << 8};
            t->last = (uint32_t)x->postings.count - 1;
            t->count++;
        }
        uint32_t often = (p->doc_often & OFTEN_MAX) + times;
        p->doc_often = number << 8 | (often < OFTEN_MAX ? often : OFTEN_MAX);
    }
    d->words += (uint32_t)count * times;
    x->word_total += (uint64_t)count * times;
    return true;
}

uint32_t index_count(const struct index *x)
{
    return (uint32_t)x->docs.count;
}

/* --- writing --- */

struct writer {
    FILE *file;
    uLong sum;
    uint64_t size;
};

static void put(struct writer *w, const void *at, size_t size)
{
    static const char zeros[8];
    size_t gap = copy_padded(size) - size;
    if (size == 0) /* where there is no address either, for which crc32_z() would begin anew */
        return;
    w->sum = crc32_z(w->sum, at, size);
    w->sum = crc32_z(w->sum, (const Bytef *)zeros, gap);
    fwrite(at, 1, size, w->file);
    fwrite(zeros, 1, gap, w->file);
    w->size += size + gap;
}

/* What a word counts for in a text, of at most COPY_IMPACT_MAX. BM25: Robertson and Zaragoza, "The
 * Probabilistic Relevance Framework", 2009, (3.15), divided by k1 + 1. */
static uint32_t impact(uint32_t often, uint32_t words, double mean)
{
    double share = COPY_K1 * (1 - COPY_B + COPY_B * words / mean);
    long n = lround(COPY_IMPACT_MAX * (often / (often + share)));
    return n < 1 ? 1 : (uint32_t)n;
}

/* The postings by term; the caller's to free. */
static uint32_t *sorted_postings(const struct index *x, const struct copy_term *terms, double mean)
{
    const struct posting *p = x->postings.items;
    const struct doc *docs = x->docs.items;
    uint32_t *sorted = malloc((x->postings.count + 1) * sizeof *sorted);
    uint32_t *next = malloc((x->terms.count + 1) * sizeof *next);
    if (sorted != NULL && next != NULL) {
        for (size_t i = 0; i < x->terms.count; i++)
            next[i] = terms[i].first;
        for (size_t i = 0; i < x->postings.count; i++) {
            uint32_t doc = p[i].doc_often >> 8;
            sorted[next[p[i].term]++] =
                doc << 8 | impact(p[i].doc_often & OFTEN_MAX, docs[doc].words, mean);
        }
    } else {
        free(sorted);
        sorted = NULL;
    }
    free(next);
    return sorted;
}

static struct copy_term *file_terms(const struct index *x)
{
    const struct term *t = x->terms.items;
    struct copy_term *terms = malloc((x->terms.count + 1) * sizeof *terms);
    for (uint32_t i = 0, first = 0; terms != NULL && i < x->terms.count; i++) {
        terms[i] = (struct copy_term){t[i].text_at, t[i].text_len, first, t[i].count};
        first += t[i].count;
    }
    return terms;
}

static void put_docs(const struct index *x, struct writer *w, float *weight_max, int64_t *ids,
                     float *weights)
{
    const struct doc *d = x->docs.items;
    for (size_t i = 0; i < x->docs.count; i++) {
        ids[i] = d[i].id;
        weights[i] = d[i].weight >= 0 && d[i].weight <= 1000 ? d[i].weight : 1;
        *weight_max = weights[i] > *weight_max ? weights[i] : *weight_max;
    }
    put(w, ids, x->docs.count * sizeof *ids);
    put(w, weights, x->docs.count * sizeof *weights);
}

static void fill_header(const struct index *x, const struct index_options *o, uint32_t slot_count,
                        struct copy_header *h)
{
    int language = stop_language("en");
    for (int l = 0; l < STOP_LANGUAGES; l++)
        if (x->languages[l] > x->languages[language])
            language = l;
    *h = (struct copy_header){
        .version = COPY_VERSION,
        .byte_order = COPY_BYTE_ORDER,
        .doc_count = (uint32_t)x->docs.count,
        .term_count = (uint32_t)x->terms.count,
        .slot_count = slot_count,
        .posting_count = x->postings.count,
        .text_size = x->text.count,
        .word_total = x->word_total,
        .horizon = o->horizon,
        .base = o->base,
        .built_ms = clock_wall_us() / 1000,
        .gone_count = o->gone_count,
    };
    memcpy(h->magic, COPY_MAGIC, sizeof h->magic);
    snprintf(h->shelf, sizeof h->shelf, "%s", o->shelf);
    snprintf(h->language, sizeof h->language, "%s", stop_languages[language]);
    snprintf(h->origin, sizeof h->origin, "%s", o->origin);
}

static bool put_all(const struct index *x, const struct index_options *o, struct writer *w)
{
    struct copy_header header;
    uint64_t docs = x->docs.count + o->base_docs;
    double mean = docs > 0 ? (double)(x->word_total + o->base_words) / (double)docs : 1;
    fill_header(x, o, x->slot_count, &header);
    fwrite(&header, sizeof header, 1, w->file);
    w->size = sizeof header;
    w->sum = 0;
    struct copy_term *terms = file_terms(x);
    uint32_t *postings = terms == NULL ? NULL : sorted_postings(x, terms, mean < 1 ? 1 : mean);
    int64_t *ids = malloc((x->docs.count + 1) * sizeof *ids);
    float *weights = malloc((x->docs.count + 1) * sizeof *weights);
    bool good = postings != NULL && ids != NULL && weights != NULL;
    if (good) {
        put_docs(x, w, &header.weight_max, ids, weights);
        put(w, terms, x->terms.count * sizeof *terms);
        put(w, x->slots, x->slot_count * sizeof *x->slots);
        put(w, postings, x->postings.count * sizeof *postings);
        put(w, o->gone, o->gone_count * sizeof *o->gone);
        put(w, x->text.items, x->text.count);
        header.size = w->size;
        header.checksum = (uint32_t)w->sum;
        header.header_checksum = (uint32_t)crc32_z(0, (const Bytef *)&header,
                                                   offsetof(struct copy_header, header_checksum));
        rewind(w->file);
        fwrite(&header, sizeof header, 1, w->file);
    } else {
        errno = ENOMEM;
    }
    free(terms);
    free(postings);
    free(ids);
    free(weights);
    return good;
}

bool index_write(const struct index *x, const char *path, const struct index_options *options)
{
    char beside[4096];
    struct writer w = {0};
    if (snprintf(beside, sizeof beside, "%s.new", path) >= (int)sizeof beside) {
        log_error("search", "the name of the copy %s is too long", path);
        return false;
    }
    w.file = fopen(beside, "wbe");
    /* For its owner only: it has the words of what people wrote. */
    bool good = w.file != NULL && fchmod(fileno(w.file), 0600) == 0 && put_all(x, options, &w);
    good = good && fflush(w.file) == 0 && ferror(w.file) == 0 && fsync(fileno(w.file)) == 0;
    int error = errno;
    if (w.file != NULL && fclose(w.file) != 0 && good) {
        error = errno;
        good = false;
    }
    if (good && rename(beside, path) == 0)
        return true;
    if (good)
        error = errno;
    log_error("search", "could not write the copy %s: %s", path, strerror(error));
    unlink(beside);
    return false;
}
