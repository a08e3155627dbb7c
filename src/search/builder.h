/*
 * The builder of copies: one process a host reads what is searched, and writes the files that
 * workers map (copy.h). A lock on a file beside them keeps the builder of another master waiting.
 *
 * At first, each night, and when much has changed, all texts of a shelf are read (its base); each
 * second, what the log has since (its recent file). While Postgres is away all stays as it is.
 */
#ifndef UPLIFT_BUILDER_H
#define UPLIFT_BUILDER_H

#include "common/must_check.h"

#define SHELVES 2

extern const char *const shelf_names[SHELVES];

/* The file whose time says when Postgres was last heard of. */
#define BUILDER_ALIVE "alive"

/*
 * Runs until TERM or USR2, which must be blocked. database is a connection string of role
 * uplift_search; dir is made where it is missing. The exit status: not 0 when it could not begin.
 */
MUST_CHECK int builder_run(const char *database, const char *dir);

#endif
