/* What came out of many made-up experiments, beside what was to come out. */
#ifndef UPLIFT_BATCH_SIMULATION_REPORT_H
#define UPLIFT_BATCH_SIMULATION_REPORT_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define REPORT_ROWS_MAX 32

enum goal_kind { GOAL_NONE, GOAL_AT_MOST, GOAL_AT_LEAST, GOAL_ABOVE, GOAL_WITHIN };

/* A share that was measured, and what it has to be. */
struct goal {
    enum goal_kind kind;
    double bound;     /* of GOAL_WITHIN: the middle */
    double tolerance; /* is added to the bound, or taken off it, in favour of what was measured */
};

struct row {
    const char *section; /* a heading; rows of one follow one another */
    const char *name;    /* for people */
    const char *key;     /* for programs */
    double value;
    struct goal goal;
    bool is_met;
};

struct report {
    struct row rows[REPORT_ROWS_MAX];
    size_t count;
    const char *section; /* of the rows that are added next */
};

/* Adds a row; strings are borrowed. */
void report_add(struct report *r, const char *key, const char *name, double value,
                struct goal goal);
/* Draws the table. */
void report_print(const struct report *r, FILE *out);
/* The rows as an array of objects, which is the caller's; NULL: no memory. */
cJSON *report_json(const struct report *r);
/* Writes each goal that was missed, a line each; whether there are none. */
bool report_tell_missed(const struct report *r, FILE *out);

#endif
