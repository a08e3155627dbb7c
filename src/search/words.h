/*
 * The words that a text is found by: stemmed as its language has it, without accents and stop
 * words; pairs of characters in scripts that do not part words (Chinese, Japanese, Thai, ...).
 * uplift.text_words() finds the same in SQL.
 */
#ifndef UPLIFT_WORDS_H
#define UPLIFT_WORDS_H

#include "common/must_check.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WORDS_TEXT_MAX 100000 /* characters of a text that are read */
#define WORD_MAX 64           /* characters; longer ones are left out: they are no words */
#define WORDS_QUESTION_MAX 2000
#define LANGUAGE_SIZE 4

/* A word of a finder's last text. */
struct word {
    const char *at; /* not NUL-terminated */
    uint32_t len;
};

/* Stemmers, and the words of the last text. For one thread at a time. */
struct word_finder;

MUST_CHECK struct word_finder *word_finder_new(void);
void word_finder_free(struct word_finder *f);

/*
 * Finds the words of the first WORDS_TEXT_MAX characters of a text, in order, each as often as it
 * is there; bytes that are not UTF-8 part words. language is ISO 639-1; NULL: what the text's
 * script and stop words show, else fallback. *words is the finder's, until its next call. False
 * when memory ran out.
 */
MUST_CHECK bool words_find(struct word_finder *f, const char *text, size_t len,
                           const char *language, const char *fallback, const struct word **words,
                           size_t *count);
/* The same of a question: of one of more than WORDS_QUESTION_MAX characters the first and the last
 * half of so many. */
MUST_CHECK bool words_of_question(struct word_finder *f, const char *text, size_t len,
                                  const char *fallback, const struct word **words, size_t *count);
/* The language that the last words were found by. */
const char *words_language(const struct word_finder *f);
/* The language of a text by its first 4000 characters, as uplift.text_language() finds it; fallback
 * where those do not show it, or when memory ran out. */
const char *text_language(struct word_finder *f, const char *text, size_t len,
                          const char *fallback);

#endif
