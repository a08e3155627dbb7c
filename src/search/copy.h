/*
 * A copy file: the index of one shelf's texts, as the builder writes it and workers map it.
 *
 * A shelf has two: SHELF.base with all texts as of some moment, and SHELF.recent with those that
 * changed since, and which of the base are gone by that. A file is written under another name,
 * synced, and renamed into its place, so that it is whole whenever it is there; it is never changed
 * after that. In it, in this order, each section on a multiple of 8 bytes: the header; ids;
 * weights; terms; slots; postings; gone; the terms' text. Numbers are in the byte order of the
 * host, which is in the header, since nobody but this host reads it.
 */
#ifndef UPLIFT_COPY_H
#define UPLIFT_COPY_H

#include "common/must_check.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define COPY_MAGIC "upliftIX"
#define COPY_VERSION 1 /* of the format, and of what words are made of a text */
#define COPY_BYTE_ORDER 0x01020304u
#define COPY_DOCS_MAX (1u << 24) /* texts: their numbers take 24 bits of a posting */
#define COPY_NO_TERM UINT32_MAX

/* The steps of an impact: 255 is what a word counts for that is said without end. */
#define COPY_K1 1.5
#define COPY_B 0.75
#define COPY_IMPACT_MAX 255

struct copy_header {
    char magic[8];
    uint32_t version, byte_order;
    uint64_t size;       /* of the file, in bytes */
    uint32_t checksum;   /* CRC-32 of all after the header */
    uint32_t doc_count;  /* texts */
    uint32_t term_count; /* words, each once */
    uint32_t slot_count; /* a power of two, above term_count; 0 where there are no terms */
    uint64_t posting_count, text_size;
    uint64_t word_total; /* words of all texts, repeats counted */
    uint64_t horizon;    /* all transactions before it are in here */
    uint64_t base;       /* a random number of the base, which its recent file repeats */
    int64_t built_ms;    /* since 1970 */
    uint32_t gone_count; /* of a recent file: texts of the base that no longer count */
    float weight_max;
    char shelf[16], language[4];        /* language: that of most texts */
    char origin[44];                    /* uplift.search_origin() */
    uint32_t reserved, header_checksum; /* CRC-32 of all before it */
};

/* Of the text at the file's end; sum up to posting_count and text_size. */
struct copy_term {
    uint32_t text_at, text_len;
    uint32_t first, count; /* of its postings, by number of the text */
};

struct copy {
    const struct copy_header *header;
    const int64_t *ids; /* ascending */
    const float *weights;
    const struct copy_term *terms;
    const uint32_t *slots;    /* term numbers by hash, the next free one on collision */
    const uint32_t *postings; /* number of the text << 8 | impact */
    const uint32_t *gone;     /* ascending numbers of the base's texts */
    const char *text;
    void *map;
    size_t map_size;
};

/* Why a copy could not be opened. */
enum copy_fault {
    COPY_MISSING, /* the file is not there */
    COPY_CLOSED,  /* it could not be opened or mapped, which may succeed later */
    COPY_BAD,     /* its contents are of no use, and will not be better */
};

/* Maps a file and checks all of it: a file that is truncated, of another version, or damaged in any
 * way is refused, with the reason in words. *fault is set where the result is false. */
MUST_CHECK bool copy_open(struct copy *copy, const char *path, char *reason, size_t reason_size,
                          enum copy_fault *fault);
/* The same of bytes in memory, which must be aligned to 8 and outlive it. */
MUST_CHECK bool copy_check(struct copy *copy, const void *bytes, size_t size, char *reason,
                           size_t reason_size);
void copy_close(struct copy *copy);
/* The term of a word; NULL when no text has it. */
const struct copy_term *copy_term(const struct copy *copy, const char *word, size_t len);
/* The text's number; -1 when it is not in the copy. */
int64_t copy_doc(const struct copy *copy, int64_t id);
/* The hash that slots are by. */
uint32_t copy_hash(const char *word, size_t len);
/* Bytes from one section to the next, rounded up to where that one begins. */
size_t copy_padded(size_t size);

#endif
