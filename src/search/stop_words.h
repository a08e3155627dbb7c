/* Words too common to be searched for, by language; by them the language of a text is found, too.
 */
#ifndef UPLIFT_STOP_WORDS_H
#define UPLIFT_STOP_WORDS_H

#include <stddef.h>
#include <stdint.h>

#define STOP_LANGUAGES 28

/* ISO 639-1, in the order of the alphabet; a set of them is a number with bit i for the i-th. */
extern const char stop_languages[STOP_LANGUAGES][3];

/* Where language is among them; -1 when it is not. */
int stop_language(const char *language);
/* In which of the languages a word, in lower case, is a stop word. Thread-safe. */
uint32_t stop_word(const char *word, size_t len);
/* The stop words of a language, separated by blanks, for the test that compares them with
 * uplift.stop_words(); NULL when there are none. */
const char *stop_words_of(const char *language);

#endif
