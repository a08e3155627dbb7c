/*
 * The model that foretells whether an answer will get a thumb up: what is known of an answer when
 * it ends, as features of a logistic regression, and its calibration.
 *
 * Categories (coach, mode, model) are one feature for each of their most frequent levels; all
 * others, and none, are the same. Numbers are brought to mean 0 and deviation 1. What the user said
 * of earlier answers is their share of thumbs up, drawn to the mean of all by as much as
 * THUMBS_PRIOR thumbs are worth.
 */
#ifndef UPLIFT_BATCH_THUMBS_H
#define UPLIFT_BATCH_THUMBS_H

#include "common/must_check.h"
#include "logit.h"

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define THUMBS_PRIOR 10.0
#define THUMBS_L2 1.0
#define THUMBS_NAME 128 /* bytes of a level that tell it apart */

/* The categories, in the order of their features. */
enum thumb_category { THUMB_COACH, THUMB_MODE, THUMB_MODEL, THUMB_CATEGORIES };
/* The numbers, behind them. */
enum thumb_number {
    THUMB_SEVERITY,
    THUMB_SEVERITY_MISSING,
    THUMB_LENGTH,
    THUMB_LATENCY,
    THUMB_LATENCY_MISSING,
    THUMB_OWN_RATE,
    THUMB_OWN_COUNT,
    THUMB_NUMBERS
};
#define THUMB_LEVELS 12 /* of a category that have a feature */

/* An answer as Postgres tells of it: uplift.thumb_row(). */
struct thumb_answer {
    const char *levels[THUMB_CATEGORIES]; /* the JSON's; NULL: none */
    double severity, length, latency_ms;  /* below 0: not known */
    double earlier, earlier_up;           /* thumbs on earlier answers */
    int part;                             /* of the user: 0 to 9 */
    bool is_up;
};
/* Reads one; borrows from row. False: it has not the form. */
MUST_CHECK bool thumb_answer_read(const cJSON *row, struct thumb_answer *answer);

/* --- a trained model --- */

struct thumb_model {
    int version; /* 0: not kept yet */
    char levels[THUMB_CATEGORIES][THUMB_LEVELS][THUMBS_NAME + 1];
    size_t level_counts[THUMB_CATEGORIES];
    double mean[THUMB_NUMBERS], scale[THUMB_NUMBERS];
    double prior_rate; /* the share of thumbs up among those it was trained on */
    double weights[LOGIT_FEATURES_MAX + 1];
    double slope, offset; /* the calibration, by Platt: of the odds */
};

/* Reads what uplift_batch.thumb_model() returned. False: it has not the form. */
MUST_CHECK bool thumb_model_read(const cJSON *json, struct thumb_model *model);
/* The same form, for uplift_batch.keep_thumb_model(); the caller's, NULL without memory. */
cJSON *thumb_model_write(const struct thumb_model *model);
/* How likely a thumb up is, of those who give one: 0.001 to 0.999. */
double thumb_model_probability(const struct thumb_model *model, const struct thumb_answer *answer);

/* --- training --- */

/* Rated answers, kept as some 40 bytes each. */
struct thumb_set;

/* For up to max answers. NULL without memory. */
struct thumb_set *thumb_set_new(size_t max);
void thumb_set_free(struct thumb_set *set);
/* False when it is full, or there is no memory. */
MUST_CHECK bool thumb_set_add(struct thumb_set *set, const struct thumb_answer *answer);
size_t thumb_set_count(const struct thumb_set *set);

/* What of a user's answers is used for what, so that nobody is on two sides. */
enum thumb_use { THUMB_TRAIN, THUMB_CALIBRATE, THUMB_VALIDATE, THUMB_USES };

struct thumb_training {
    size_t rows[THUMB_USES], up[THUMB_USES];
    int iterations;
    struct logit_scores scores; /* on the part THUMB_VALIDATE */
};

#define THUMBS_EACH_MIN 10 /* thumbs up, and down, that each part must have */

/*
 * Trains a model on the parts 0 to 5 of the users, calibrates it on 6 and 7, and judges it on 8 and
 * 9. NULL, or why it cannot, in words: too few answers of a part, or the fit did not converge.
 */
MUST_CHECK const char *thumb_train(const struct thumb_set *set, struct thumb_model *model,
                                   struct thumb_training *training);

#endif
