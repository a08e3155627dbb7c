/*
 * Made-up users with hidden tastes, for a learning loop to find out. Part of a taste is common to
 * the population, which tests and training can learn, and part is a user's own, which only comments
 * and memories can; the coach whom they like better they have to find themselves. At half of the
 * time some change theirs.
 *
 * How likely a user likes an answer (world_liking) is a logistic curve of how well it fits:
 *
 *   p = 0.05 + 0.87 / (1 + exp(-u)),   u = base + sum of weight * fit
 *
 * The fit of tone is 1 - |tone - taste| / 2, at least 0; that of length 1 where it is within a
 * quarter, and else 1 - (|ln(words / taste)| - 0.25) / ln 2, at least 0; that of the coach 1 where
 * the one answered that the user likes better; each of the others is 1 or 0, and its weight may be
 * below 0. base is such that an answer which fits the mean user in all has u = 2.4, and so p =
 * 0.85.
 *
 * There are two coaches. All begin with the first, and some turn to the other one after an answer
 * that they disliked (world_next_coach), as people pick another coach in an app: whatever is
 * switched on.
 */
#ifndef UPLIFT_BATCH_FLYWHEEL_WORLD_H
#define UPLIFT_BATCH_FLYWHEEL_WORLD_H

#include "common/must_check.h"
#include "common/uuid.h"
#include "reading.h"

#include <gsl/gsl_rng.h>
#include <stddef.h>

#define WORLD_FLOOR 0.05  /* liked whatever it says */
#define WORLD_HEIGHT 0.87 /* of the curve */
#define WORLD_BEST 2.4    /* u of an answer that fits the mean user in all */
#define WORLD_CHANGE 0.2  /* share of users whose taste changes at half of the time */
#define WORLD_SHORT 60.0  /* words */
#define WORLD_LONG 140.0
#define WORLD_MESSAGE 300
#define WORLD_COACHES 2
#define WORLD_MOST_COACH 0.7 /* share of users who like the coach better that most do */
#define WORLD_LEAVES 0.3     /* chance to leave, after a disliked answer, the coach liked less, */
#define WORLD_STRAYS 0.02    /* and the one liked better: people do not know what it was */

/* What all have in common. */
struct leaning {
    int tone;                         /* that most like best */
    double words;                     /* that most like best */
    double tone_weight, words_weight; /* above 0 */
    double example, reason, praise, question, goal;
    int coach; /* that most like better: 0 or 1 */
    double coach_weight;
    double base;
};

struct taste {
    int tone;
    double words;
    double question, goal; /* weights; the others are those of all. goal 0: told none */
    int coach;             /* that they like better: 0 or 1 */
};

struct person {
    char id[UUID_TEXT + 1];
    struct taste taste, later; /* later: from half of the time on */
    const char *goal; /* that they tell in their first chat; NULL: they keep it to themselves */
    bool has_told;
    int coach;           /* that they are with now */
    bool may_train;      /* agrees that answers train models */
    bool is_plain;       /* one of those for whom nothing is switched on */
    double chats_a_week; /* in the mean */
};

struct world {
    struct leaning leaning;
    struct person *people;  /* first those for whom all is switched on; owned */
    size_t count, learning; /* learning: how many those are */
};

/* Makes a population; the same seed gives the same one, for which neither server nor clock is
 * asked. False: no memory. Release it in any case. */
MUST_CHECK bool world_make(struct world *w, long seed, size_t learning, size_t plain);
void world_release(struct world *w);
/* Lets the tastes change of those whose tastes do. */
void world_turn(struct world *w);

/* How well an answer fits a taste, 0 to 1. */
double world_fit_of_tone(const struct taste *t, int tone);
double world_fit_of_words(const struct taste *t, double words);
/* How likely somebody likes an answer that reads so, 0 to 1. */
double world_liking(const struct leaning *l, const struct taste *t, const struct reading *r);
/* The same of the best answer that there could be for them: what an oracle would reach. */
double world_best(const struct leaning *l, const struct taste *t);
/*
 * What they would write about an answer that they did not like: what spoils most of it, as far as
 * people put that into words (length, tone, questions); NULL when that is little.
 */
const char *world_complaint(const struct leaning *l, const struct taste *t,
                            const struct reading *r);

/* With which coach somebody goes on after an answer of the one they are with; turn, 0 to 1, is
 * drawn before, so that the order in which answers come does not matter. */
int world_next_coach(const struct person *p, bool is_liked, double turn);

/* What they say next: what others ask as well, or something of their own, and in the first chat
 * their goal. */
void world_message(gsl_rng *random, struct person *p, char out[WORLD_MESSAGE]);

#endif
