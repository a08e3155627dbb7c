/* What a made-up user sees in an answer: its text, who answered, and nothing else. */
#ifndef UPLIFT_BATCH_FLYWHEEL_READING_H
#define UPLIFT_BATCH_FLYWHEEL_READING_H

#include <stdbool.h>

/* How hard an answer sounds, from 1, very soft, to 6, merciless; 3 where nothing tells. */
enum { TONE_SOFTEST = 1, TONE_GENTLE, TONE_BALANCED, TONE_DIRECT, TONE_INTENSE, TONE_HARDEST };

struct reading {
    double words;
    int tone;
    bool has_example;  /* gives one */
    bool has_reason;   /* says why it works */
    bool has_praise;   /* says what the user does well */
    bool has_question; /* ends with one */
    bool has_goal;     /* speaks of the goal of the user, who did not mention it now */
    int coach;         /* 0 or 1; -1: another one, or not known */
};

/*
 * Reads an answer to a message. goal is words that the user has told as their goal at some time;
 * NULL for none. What an answer quotes of others is not taken for its own words, and neither is the
 * remark that it is simulated. Who answered is not in the text, and for the caller to say.
 */
void reading_of(const char *answer, const char *message, const char *goal, struct reading *out);

#endif
