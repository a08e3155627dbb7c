/*
 * The words of the simulated coaches. In a phrase, {n} stands for ", Name" of the user where it is
 * known, {c} for the coach, {q} for words of the message, {h} for words of an earlier message, {m}
 * for a memory, {s} and {t} for steps, {w} for a time and {a} for an amount.
 */
#ifndef UPLIFT_SIMULATOR_PHRASES_H
#define UPLIFT_SIMULATOR_PHRASES_H

#include "prompt.h"

enum { SOFT, MIDDLE, HARD, TONES }; /* bands in pairs */
enum { KIND_GOAL, KIND_STRUGGLE, KIND_PREFERENCE, KIND_SUCCESS, KIND_OTHER, KINDS };

#define OPENERS 2
#define STANCES 3
#define PAIR 2
#define BURNS 6
#define TIMES 6
#define STEPS 5

struct topic {
    const char *name;
    const char *words; /* "word|word*|two words": what tells the topic, see piece_has */
    const char *insight[PAIR];
    const char *steps[STEPS]; /* imperative, without a full stop */
    const char *amount;
};

extern const char *const phrase_openers[VOICES][BANDS][OPENERS];
extern const char *const phrase_stances[BANDS][STANCES];
extern const char *const phrase_reflections[VOICES][PAIR];
extern const char *const phrase_history[VOICES][PAIR];
extern const char *const phrase_memories[2][KINDS][PAIR]; /* for bands 1 to 3, and 4 to 6 */
extern const char *const phrase_closers[VOICES][TONES][PAIR];
extern const char *const phrase_burns[BURNS];
extern const char *const phrase_times[TIMES];
extern const char *const phrase_greetings[VOICES][TONES];
extern const char *const phrase_thanks[VOICES][TONES];
extern const char *const phrase_step_names[VOICES];
extern const char *const phrase_in_danger;
/* What the sentences begin with that prompts can ask for, and trained models learn. */
extern const char *const phrase_reason, *const phrase_example, *const phrase_praise;
extern const char *const phrase_short[BANDS];

extern const struct topic topics[]; /* the last one, without words, is for everything else */
extern const size_t topic_count;

#endif
