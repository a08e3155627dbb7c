/* What a provider's answer with another status than 2xx says: whether to ask again, and in which
 * words it puts it. */
#ifndef UPLIFT_REFUSAL_H
#define UPLIFT_REFUSAL_H

#include "http.h"

#include <stdbool.h>

/* Its error object, or, with servers that have none, the body; NULL: it is not JSON. */
const cJSON *refusal_error(const struct http_answer *answer);
/* What it says, "" for nothing; borrowed. */
const char *refusal_words(const struct http_answer *answer);
/* The same to be shown to people: nothing where the key (NULL: none) is in it, because some say
 * whose it is not. */
const char *refusal_words_to_show(const struct http_answer *answer, const char *key);
/* Whether it is a parameter that it does not take, and another request may do. */
bool refusal_is_about(const struct http_answer *answer, const char *parameter);
/* There is no money left for it: nothing will do until somebody pays. */
bool refusal_lacks_credit(const struct http_answer *answer);
/* Whether it is busy or in trouble, and the same may do after a while. */
bool refusal_may_pass(const struct http_answer *answer);
/* Whether it is this request that it does not take, by its content or its length: another one may
 * do. */
bool refusal_is_of_request(const struct http_answer *answer);

#endif
