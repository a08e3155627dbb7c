/* What came of a simulated learning loop: the figures, the goals, and the report. */
#ifndef UPLIFT_BATCH_FLYWHEEL_OUTCOME_H
#define UPLIFT_BATCH_FLYWHEEL_OUTCOME_H

#include "batch/simulation/report.h"
#include "diary.h"
#include "steward.h"

#include <cjson/cJSON.h>
#include <stdio.h>

/* What was run. */
struct outcome_plan {
    long seed, weeks, learning, plain;
    bool is_quick, is_interrupted; /* goals are not judged */
    double seconds;
    const struct leaning *leaning; /* what the population likes */
    const char *const *coaches;    /* WORLD_COACHES, by their ids */
};

struct outcome {
    double best, plain, last; /* rates of thumbs up: of an oracle in the last week, of those without
                                 anything in all weeks, and of those with it in the last */
    /* What plain and last are of, by how likely each answer was liked, which the simulation knows:
     * without the luck of the draw. */
    double expected_plain, expected_last;
    double way; /* from expected_plain to best that expected_last has gone */
    double cost_before,
        cost_last;             /* US dollars an answer: without anything, and in the last week */
    double saved;              /* share of that */
    double drift, drift_error; /* of those without anything, from the first half to the second */
    size_t tried, worse, worse_promoted, promoted; /* versions; worse: surely, by what is true */
};

/* A version is worse when it is liked less by more than this and two standard errors. */
#define OUTCOME_WORSE 0.01

/* A part of a whole, 0 of nothing. */
double tally_share(double part, double whole);
/* Thumbs up of all thumbs, and the variance of that rate: answers of one user are alike. */
double tally_rate(const struct tally *t);
double tally_variance(const struct tally *t);
bool version_is_worse(const struct version *v);
void outcome_of(const struct diary *d, struct outcome *out);
/* The goals, as rows. Of a run that is quick or was interrupted none is judged. */
void outcome_goals(const struct outcome *o, const struct outcome_plan *p, struct report *r);
/* The whole report for people. */
void outcome_print(const struct diary *d, const struct outcome *o, const struct outcome_plan *p,
                   const struct pace *pace, const struct report *goals, FILE *out);
/* The same as JSON, the caller's; NULL: no memory. */
cJSON *outcome_json(const struct diary *d, const struct outcome *o, const struct outcome_plan *p,
                    const struct pace *pace, const struct report *goals, bool is_good);

#endif
