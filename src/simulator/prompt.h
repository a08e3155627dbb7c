/*
 * What the simulator reads out of a request's messages: who it is asked to be, how hard to be, what
 * is known of the user, and what was said. Everything comes from the bytes of the request.
 */
#ifndef UPLIFT_SIMULATOR_PROMPT_H
#define UPLIFT_SIMULATOR_PROMPT_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How a persona sounds, told from the words that describe it. */
enum voice { VOICE_PLAIN, VOICE_LOUD, VOICE_CALM, VOICE_DRY, VOICES };

/* Severity bands 1 to 6 as 0 to 5. */
enum { BAND_ULTRA_GENTLE, BAND_SUPPORTIVE, BAND_BALANCED, BAND_DIRECT, BAND_INTENSE, BAND_SAVAGE };
#define BANDS 6

#define PROMPT_FACTS 16
#define PROMPT_MEMORIES 8
#define PROMPT_LINES 8
#define PROMPT_USERS 32

/* A piece of a message, not terminated. */
struct piece {
    const char *text;
    size_t len;
};

struct prompt {
    struct piece
        system;        /* all of the first system or developer message; len 0 when there is none */
    struct piece name; /* of the coach; len 0 when the prompt names none */
    enum voice voice;
    int band;
    bool roast;
    struct {
        struct piece key, value;
    } facts[PROMPT_FACTS]; /* of the user */
    size_t fact_count;
    struct {
        struct piece type, text;
    } memories[PROMPT_MEMORIES];
    size_t memory_count;
    struct {
        struct piece when, said; /* "2 weeks ago", and what the user said then */
    } passage;                   /* of an earlier conversation, the first; len 0 for none */
    /* What the prompt asks for: the wishes of the user before the guidelines and words of the
     * coach. habits_apply adds what the model does by itself. */
    bool wants_short, wants_detail;
    bool wants_example, wants_praise;
    bool wants_one_question, wants_no_questions;
    bool gives_reason;
    struct piece quotes[PROMPT_LINES]; /* "typical of you" sentences of the persona */
    size_t quote_count;
    struct piece knowledge[PROMPT_LINES]; /* lines of sources */
    size_t knowledge_count;
    struct piece examples[PROMPT_LINES]; /* answers that were liked */
    size_t example_count;
    struct piece users[PROMPT_USERS]; /* user messages, the oldest that fit first */
    size_t user_count;
    struct piece message;     /* the last user message */
    struct piece tool_result; /* content of the last message when its role is tool */
    size_t images;            /* image parts of the last user message */
    size_t turns;             /* assistant messages so far */
    size_t tokens;            /* of all messages, about four bytes each */
    size_t system_tokens;
};

/* Reads messages (a checked array). All pieces borrow from it. */
void prompt_read(const cJSON *messages, struct prompt *out);
/* The value of a fact whose key contains the word; len 0 when there is none. */
struct piece prompt_fact(const struct prompt *p, const char *word);

/* True when the piece contains the lower-case word (or phrase) as whole words, in any case; a word
 * that ends in * may go on. */
bool piece_has(struct piece p, const char *word);

#endif
