/*
 * Where a provider's key may go, and in which header.
 *
 * A provider names its key (env:NAME, a variable of fcgi-chat's environment, or file:NAME, a file
 * of UPLIFT_KEY_DIR), and admins may name one by URL. So that they cannot have a key sent to a
 * server of their own, each is bound to the servers that the operator configured it for: by
 * UPLIFT_PROVIDER_KEYS, or as a provider of UPLIFT_ROUTING.
 */
#ifndef UPLIFT_PROVIDER_KEY_H
#define UPLIFT_PROVIDER_KEY_H

#include "config.h"

#include "must_check.h"

#include <cjson/cJSON.h>
#include <stdbool.h>

#define PROVIDER_KEY_MAX 4096 /* bytes of a key, with its NUL */
#define PROVIDER_KEY_WHY 512

/* Whether key is the name of one: env: and a variable that is none of our own, or file: and a plain
 * file name. */
bool provider_key_is_name(const char *key);
/* Whether the key may be sent to the server of a URL. routing is UPLIFT_ROUTING as read, or NULL.
 */
bool provider_key_is_bound(const struct config *config, const cJSON *routing, const char *key,
                           const char *url);
/* The key that such a name stands for: the variable of this program's environment, or the first
 * line of the file. False when it cannot be had, or is none that a header could hold: then *why
 * says it, without the key. */
MUST_CHECK bool provider_key_fetch(const struct config *config, const char *key,
                                   char out[PROVIDER_KEY_MAX], char why[PROVIDER_KEY_WHY]);
/* Whether a key may go in that header: Authorization, or one that providers take keys in. */
bool provider_key_header_fits(const char *header);
/* What is wrong with UPLIFT_PROVIDER_KEYS, a comma list of KEY@ORIGIN; NULL: nothing. Static. */
const char *provider_key_check_list(const char *list);

#endif
