/* How far a job is, for people: a bar that moves on a terminal, lines elsewhere. */
#ifndef UPLIFT_BATCH_PROGRESS_H
#define UPLIFT_BATCH_PROGRESS_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct progress {
    FILE *out;
    bool is_terminal;
    int64_t began_ms; /* 0: not yet */
    int64_t began_done;
    int64_t said_ms; /* when the last line was written, where it is no terminal */
    char said[400];  /* what it was */
};

void progress_init(struct progress *p, FILE *out);
/* Shows a job as uplift.job_json() has it. */
void progress_show(struct progress *p, const cJSON *job);
/* Ends the line of the bar. */
void progress_end(struct progress *p);

/*
 * Writes a bar of width columns for done of total: full blocks, and eighths of one. out has room
 * for 3 bytes a column and a NUL. total 0 is an empty bar.
 */
void progress_bar(char *out, int width, double done, double total);

#endif
