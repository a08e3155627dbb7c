/* Tokens, roughly: pieces of a text of about four bytes that never cut a character. */
#ifndef UPLIFT_SIMULATOR_TOKENS_H
#define UPLIFT_SIMULATOR_TOKENS_H

#include <stddef.h>

/* Bytes of the token at the beginning of text; 0 at its end. A space belongs to the word after it.
 */
size_t token_len(const char *text, size_t len);
size_t token_count(const char *text, size_t len);

#endif
