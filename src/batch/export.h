/*
 * Datasets and frozen versions of them as files for trainers, line by line in constant memory.
 *
 * Postgres makes a page of lines while the one before is checked and written: a thread of its own
 * reads, the caller's checks and hands out.
 */
#ifndef UPLIFT_BATCH_EXPORT_H
#define UPLIFT_BATCH_EXPORT_H

#include "common/error.h"
#include "common/pg.h"
#include "common/uuid.h"
#include "format.h"

struct export_request {
    char target[UUID_TEXT + 1]; /* a dataset, or a version of one */
    enum export_format format;
    const char *split;  /* train, validation or test, borrowed; NULL: all */
    double min_quality; /* 0 to 10; 0: also those without a score */
    int64_t skip;       /* lines that the reader has already, of those that keep the rules */
};

struct export_result {
    char dataset[UUID_TEXT + 1];
    char version[UUID_TEXT + 1];     /* "" for a dataset as it is now */
    char etag[64];                   /* changes when the lines do; with its quotes */
    int64_t announced;               /* lines there are, those skipped included */
    int64_t announced_tokens;        /* estimated */
    int64_t missing;                 /* examples of a version that are gone or changed since */
    int64_t examples, tokens, bytes; /* that were handed out */
    int64_t left_out;                /* lines that broke the format's rules */
    char why_left_out[200];          /* the first of them */
};

/* Takes one line with its \n; false: stop. */
typedef bool (*export_sink)(void *arg, const char *line, size_t len);

enum export_outcome {
    EXPORT_DONE,
    EXPORT_STOPPED, /* by the sink */
    EXPORT_REFUSED, /* *error says why */
    EXPORT_AWAY,    /* Postgres does not answer; *error is for a client */
};

/*
 * What an export will have, so far as result's fields up to missing say. Refuses what a trainer
 * would refuse: 400 and 404 of uplift.export_head.
 */
enum export_outcome export_look(struct pg *pg, const struct export_request *request,
                                struct export_result *result, struct api_error *error);
/* Hands all lines out, after export_look filled in result. Uses pg in another thread meanwhile. */
enum export_outcome export_lines(struct pg *pg, const struct export_request *request,
                                 export_sink sink, void *arg, struct export_result *result,
                                 struct api_error *error);
/* Both. */
enum export_outcome export_run(struct pg *pg, const struct export_request *request,
                               export_sink sink, void *arg, struct export_result *result,
                               struct api_error *error);

#endif
