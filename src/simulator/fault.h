/*
 * Faults on demand. A request asks for one by its model name, sim-fault-NAME, or by the header
 * X-Sim-Fault: NAME; parameters follow as ;name=value. fault_help lists the names.
 */
#ifndef UPLIFT_SIMULATOR_FAULT_H
#define UPLIFT_SIMULATOR_FAULT_H

#include "common/error.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum fault_kind {
    FAULT_NONE,
    FAULT_STATUS,           /* an error status before any byte of the answer */
    FAULT_RESET,            /* the connection ends before any byte */
    FAULT_SILENCE,          /* not a byte, ever */
    FAULT_SLOW_FIRST_TOKEN, /* a head, and nothing else for a while */
    FAULT_STALL,            /* some tokens, then nothing, ever */
    FAULT_CUT,              /* some tokens, then the connection ends */
    FAULT_END,              /* some tokens, then the body ends properly but the answer does not */
    FAULT_ERROR,            /* some tokens, then an error event */
    FAULT_MALFORMED,        /* some tokens, then a chunk that is not JSON */
    FAULT_NO_DONE,          /* all but the [DONE] */
    FAULT_CONTENT_FILTER,   /* some tokens, then finish_reason content_filter */
    FAULT_LONG,             /* no fault: an answer of many bytes */
    FAULT_SHORT_VECTORS,    /* embeddings of a number less than asked for */
    FAULT_FEWER_VECTORS,    /* an embedding less than there are texts */
};

struct fault {
    enum fault_kind kind;
    struct api_error error; /* for FAULT_STATUS and FAULT_ERROR */
    int64_t after;          /* tokens before it happens */
    int64_t ms;             /* for FAULT_SLOW_FIRST_TOKEN */
    int64_t bytes;          /* for FAULT_LONG */
    int64_t times;          /* for flap: how often it fails, then works */
    int64_t pace_ms;        /* -1: not asked for */
    bool flaps;
};

/* The fault that a model name or header asks for (either may be NULL); FAULT_NONE when it asks for
 * none. False with *error filled in (400) when it asks for one that does not exist. */
bool fault_read(const char *model, const char *header, struct fault *out, struct api_error *error);
/* For a fault that flaps: counts this call under key and tells whether it is one of those that
 * fail. Thread-safe; keys are kept until the process ends, up to a limit. */
bool fault_flap_fails(const char *key, int64_t times);
/* Prints names and parameters, one a line. */
void fault_help(FILE *out);

#endif
