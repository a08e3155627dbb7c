/* Becoming an ordinary user for good, once what needs root is done. */
#ifndef UPLIFT_PRIVILEGES_H
#define UPLIFT_PRIVILEGES_H

#include "must_check.h"

#include <stdbool.h>
#include <sys/types.h>

/* Whom to become. uid and gid are -1 when there is nothing to change. */
struct privileges {
    const char *user; /* borrowed */
    uid_t uid;
    gid_t gid;
};

/*
 * Looks run_as (a user's name, or NULL) up. False with a logged reason: we are root and nobody said
 * whom to become, there is no such user, or we are not root and another user was asked for.
 */
MUST_CHECK bool privileges_plan(struct privileges *p, const char *run_as);
/* Becomes that user, and makes sure there is no way back. False with a logged reason. */
MUST_CHECK bool privileges_drop(const struct privileges *p);

#endif
