/*
 * Programs of others for files of strangers: each runs as a child with limits of its own, reads one
 * file from memory, and writes what it makes of it to a pipe. Whatever a file makes of it, harms
 * nothing else.
 */
#ifndef UPLIFT_CHILD_H
#define UPLIFT_CHILD_H

#include "buf.h"
#include "must_check.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CHILD_COMPLAINT_MAX 1000 /* bytes of what it says on standard error */

/* What to run. All borrowed. */
struct child {
    const char *program;      /* its path */
    char *const *arguments;   /* with its name first and NULL last */
    char *const *environment; /* beside PATH and LC_ALL; NULL last; NULL: nothing more */
    size_t memory_bytes;      /* of address space */
    int cpu_s, wall_s;
    /* Asked ten times a second whether it is still wanted; NULL: it is. */
    bool (*goes_on)(void *arg);
    void *arg;
};

enum child_outcome {
    CHILD_DONE,      /* it ended by itself with status 0 */
    CHILD_REFUSED,   /* with another one */
    CHILD_MISSING,   /* there is no such program */
    CHILD_KILLED,    /* by a signal: it crashed, or met the limit of its memory */
    CHILD_TOO_LONG,  /* it met a limit of time */
    CHILD_TOO_MUCH,  /* it wrote more than out may hold */
    CHILD_UNWANTED,  /* goes_on said so */
    CHILD_NOT_BEGUN, /* the system has no process, memory or limits for it: see complaint */
};

struct child_end {
    int status;                              /* of CHILD_REFUSED */
    char complaint[CHILD_COMPLAINT_MAX + 1]; /* the beginning of what it said on standard error */
};

/*
 * Runs it, with the bytes as a file that it may read here and there, as its standard input; what it
 * writes is appended to out. It may write no files, make no core, and has no descriptors of ours
 * but those three. Blocks until it and what it started have ended. By any thread.
 */
MUST_CHECK enum child_outcome child_run(const struct child *c, const char *data, size_t len,
                                        struct buf *out, struct child_end *end);

#endif
