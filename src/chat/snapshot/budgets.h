/*
 * The budgets that are used up, as Postgres last told (uplift.used_up_budgets): for the time it
 * is away, when uplift_chat.prepare_chats cannot say, and for what is done before that is asked.
 */
#ifndef UPLIFT_BUDGETS_H
#define UPLIFT_BUDGETS_H

#include "common/error.h"
#include "common/must_check.h"

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>

struct budgets;

/* NULL when memory ran out. */
MUST_CHECK struct budgets *budgets_new(void);
void budgets_free(struct budgets *b);
/* Replaces all by a list; NULL is none. Thread-safe, as budgets_allow. */
void budgets_take(struct budgets *b, const cJSON *list);
/*
 * Whether a chat of the user (a UUID in small letters) with the coach (NULL: none) may be answered.
 * False with *error, 429. model gets the model that is to answer in place of any other, "" for
 * none, cut between characters where it does not fit.
 */
MUST_CHECK bool budgets_allow(struct budgets *b, const char *user, const char *coach_id,
                              char *model, size_t size, struct api_error *error);

#endif
