/* Made-up users with hidden tastes. */
#include "world.h"

#include <gsl/gsl_randist.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Shares of users. */
#define LIKES_MOST_TONE 0.8   /* like the tone that most do, */
#define LIKES_OTHER_TONE 0.12 /* and the one on the other side; the rest something between */
#define LIKES_MOST_WORDS 0.8
#define NOBODY_MINDS 0.25 /* of a length, as a logarithm */
#define MINDS_AS_MOST 0.8 /* whether answers end with a question */
#define TELLS_GOAL 0.7
#define MAY_TRAIN 0.4
/* Of messages. */
#define ASKS_AS_OTHERS 0.4
/* A complaint is about what costs this much of u at least. */
#define WORTH_A_WORD 0.35

static const char *const goals[] = {
    "run ten kilometres",    "sleep before midnight",    "eat less sugar",
    "swim a mile",           "cook at home on weekdays", "lift my own weight",
    "walk to work",          "stop snacking at night",   "drink more water",
    "stretch every morning", "get back to tennis",       "cycle up the hill",
    "save more money",       "finish my thesis",         "worry less about work",
};

static const char *const hurdles[] = {
    "it rains all week",      "a knee hurts after ten minutes",
    "work runs late",         "every other week is a trip",
    "the gym is closed",      "friends order pizza",
    "the night ends at four", "the children are ill",
    "the shoes are lost",     "it is dark in the evening",
    "there is no oven",       "everybody at home eats sweets",
};

static const char *const common_questions[] = {
    "The run was skipped again. What now?",
    "How do I start the week well?",
    "Was walking instead of running a failure?",
    "Dinner was late last night. How to go on?",
    "How do I fall asleep faster?",
    "What do I eat before training?",
    "Work is stressful. What helps?",
    "How do I stop putting things off?",
    "How do I get up earlier?",
    "What is a good first workout?",
    "How do I eat less sugar in the evening?",
    "The weight does not change. Why?",
    "How do I save money on food?",
    "How do I focus for an hour?",
    "How do couples stop arguing about money?",
    "How do I build a habit?",
};

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static bool chance(gsl_rng *random, double p)
{
    return gsl_rng_uniform(random) < p;
}

static const char *one_of(gsl_rng *random, const char *const *list, size_t count)
{
    return list[gsl_rng_uniform_int(random, count)];
}

/* About as much, by a fifth more or less. */
static double about(gsl_rng *random, double value)
{
    return value * (0.8 + 0.4 * gsl_rng_uniform(random));
}

/* A weight that is above 0 with a chance of share. */
static double either(gsl_rng *random, double value, double share)
{
    double sign = chance(random, share) ? 1 : -1;
    return sign * about(random, value);
}

static void lean(gsl_rng *random, struct leaning *l)
{
    l->tone = chance(random, 0.5) ? TONE_GENTLE : TONE_DIRECT;
    l->words = chance(random, 0.65) ? WORLD_SHORT : WORLD_LONG;
    l->tone_weight = about(random, 1.4);
    l->words_weight = about(random, 1.3);
    l->example = either(random, 0.8, 0.75);
    l->reason = either(random, 0.8, 0.75);
    l->praise = either(random, 0.8, 0.5);
    l->question = either(random, 0.4, 0.5);
    l->goal = about(random, 0.4);
    l->base = WORLD_BEST - l->tone_weight - l->words_weight - fmax(l->example, 0) -
              fmax(l->reason, 0) - fmax(l->praise, 0) - fmax(l->question, 0) - l->goal;
    /* Last, so that all else of a seed's leaning is as without coaches. */
    l->coach = (int)gsl_rng_uniform_int(random, WORLD_COACHES);
    l->coach_weight = about(random, 0.5);
    l->base -= l->coach_weight;
}

static struct taste draw_taste(gsl_rng *random, const struct leaning *l)
{
    double at = gsl_rng_uniform(random);
    struct taste t = {.tone = l->tone, .words = l->words, .question = l->question};
    if (at >= LIKES_MOST_TONE)
        t.tone = at < LIKES_MOST_TONE + LIKES_OTHER_TONE ? TONE_GENTLE + TONE_DIRECT - l->tone
                                                         : TONE_BALANCED;
    if (!chance(random, LIKES_MOST_WORDS))
        t.words = l->words < WORLD_LONG ? WORLD_LONG : WORLD_SHORT;
    t.words *= exp(gsl_ran_gaussian_ziggurat(random, 0.15));
    if (!chance(random, MINDS_AS_MOST))
        t.question = -t.question;
    t.coach = chance(random, WORLD_MOST_COACH) ? l->coach : 1 - l->coach;
    return t;
}

/* Version 4 as RFC 9562 has it, of the seed's numbers and not the kernel's. */
static void draw_id(gsl_rng *random, char out[UUID_TEXT + 1])
{
    struct uuid id;
    for (size_t i = 0; i < sizeof id.bytes; i++)
        id.bytes[i] = (uint8_t)gsl_rng_uniform_int(random, 256);
    id.bytes[6] = (uint8_t)(0x40 | (id.bytes[6] & 0x0f));
    id.bytes[8] = (uint8_t)(0x80 | (id.bytes[8] & 0x3f));
    uuid_format(&id, out);
}

static struct person draw_person(gsl_rng *random, const struct leaning *l, bool is_plain)
{
    struct person p = {.is_plain = is_plain};
    draw_id(random, p.id);
    if (chance(random, TELLS_GOAL))
        p.goal = one_of(random, goals, COUNT(goals));
    p.taste = p.later = draw_taste(random, l);
    if (chance(random, WORLD_CHANGE))
        p.later = draw_taste(random, l);
    p.taste.goal = p.later.goal = p.goal != NULL ? l->goal : 0;
    p.may_train = chance(random, MAY_TRAIN);
    p.chats_a_week = 2 + 4 * gsl_rng_uniform(random);
    return p;
}

bool world_make(struct world *w, long seed, size_t learning, size_t plain)
{
    gsl_rng *random = gsl_rng_alloc(gsl_rng_mt19937);
    *w = (struct world){.learning = learning, .count = learning + plain};
    w->people = calloc(w->count, sizeof *w->people);
    if (random == NULL || w->people == NULL) {
        if (random != NULL)
            gsl_rng_free(random);
        return false;
    }
    gsl_rng_set(random, (unsigned long)seed);
    lean(random, &w->leaning);
    for (size_t i = 0; i < w->count; i++)
        w->people[i] = draw_person(random, &w->leaning, i >= learning);
    gsl_rng_free(random);
    return true;
}

void world_release(struct world *w)
{
    free(w->people);
    w->people = NULL;
}

void world_turn(struct world *w)
{
    for (size_t i = 0; i < w->count; i++)
        w->people[i].taste = w->people[i].later;
}

/* --- what they think of answers --- */

double world_fit_of_tone(const struct taste *t, int tone)
{
    return fmax(0, 1 - abs(tone - t->tone) / 2.0);
}

double world_fit_of_words(const struct taste *t, double words)
{
    if (words <= 0)
        return 0;
    return fmax(0, 1 - fmax(0, fabs(log(words / t->words)) - NOBODY_MINDS) / log(2));
}

static double curve(double u)
{
    return WORLD_FLOOR + WORLD_HEIGHT / (1 + exp(-u));
}

double world_liking(const struct leaning *l, const struct taste *t, const struct reading *r)
{
    return curve(l->base + l->tone_weight * world_fit_of_tone(t, r->tone) +
                 l->words_weight * world_fit_of_words(t, r->words) + l->example * r->has_example +
                 l->reason * r->has_reason + l->praise * r->has_praise +
                 t->question * r->has_question + t->goal * r->has_goal +
                 l->coach_weight * (r->coach == t->coach));
}

double world_best(const struct leaning *l, const struct taste *t)
{
    return curve(l->base + l->tone_weight + l->words_weight + fmax(l->example, 0) +
                 fmax(l->reason, 0) + fmax(l->praise, 0) + fmax(t->question, 0) + t->goal +
                 l->coach_weight);
}

const char *world_complaint(const struct leaning *l, const struct taste *t, const struct reading *r)
{
    double words = l->words_weight * (1 - world_fit_of_words(t, r->words));
    double tone = l->tone_weight * (1 - world_fit_of_tone(t, r->tone));
    double question = r->has_question ? -t->question : 0;
    double most = fmax(words, fmax(tone, question));
    if (most < WORTH_A_WORD)
        return NULL;
    if (most == words)
        return r->words > t->words ? "That is too long for me." : "Too short, more detail please.";
    if (most == tone)
        return r->tone > t->tone ? "Too harsh for me." : "Too soft for me, be more direct.";
    return "Please stop asking me questions.";
}

int world_next_coach(const struct person *p, bool is_liked, double turn)
{
    double leaves = p->coach == p->taste.coach ? WORLD_STRAYS : WORLD_LEAVES;
    return !is_liked && turn < leaves ? 1 - p->coach : p->coach;
}

/* --- what they say --- */

void world_message(gsl_rng *random, struct person *p, char out[WORLD_MESSAGE])
{
    if (p->goal != NULL && !p->has_told) {
        p->has_told = true;
        snprintf(out, WORLD_MESSAGE, "My goal is to %s. Where do I begin?", p->goal);
        return;
    }
    if (chance(random, ASKS_AS_OTHERS)) {
        snprintf(out, WORLD_MESSAGE, "%s",
                 one_of(random, common_questions, COUNT(common_questions)));
        return;
    }
    const char *hurdle = one_of(random, hurdles, COUNT(hurdles));
    switch (gsl_rng_uniform_int(random, 3)) {
    case 0:
        snprintf(out, WORLD_MESSAGE, "How does one go on with a plan when %s?", hurdle);
        break;
    case 1:
        snprintf(out, WORLD_MESSAGE, "What would be the next step when %s?", hurdle);
        break;
    default:
        snprintf(out, WORLD_MESSAGE, "What would you do first? Mind that %s.", hurdle);
    }
}
