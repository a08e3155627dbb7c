/*
 * All that is kept of a user as one JSON object, written page by page as it is read, so that its
 * size does not matter: memory is that of a page.
 */
#ifndef UPLIFT_USER_EXPORT_H
#define UPLIFT_USER_EXPORT_H

#include "pg.h"
#include "request.h"

#include <stdatomic.h>
#include <stdbool.h>

/* Whose, and how a program asks for it; all borrowed. */
struct user_export {
    struct request *request;
    const char *user_id;
    /* select name from export_sections($1 user); select rows, count, after from
     * export_rows($1 user, $2 section, $3 after). */
    const struct pg_statement *sections, *rows;
    bool (*ask)(void *arg, const struct pg_statement *statement, const char *const *values,
                PGresult **result, struct api_error *error);
    void *arg;
    const atomic_bool *draining; /* set: it is broken off, the program must end */
};

#define USER_EXPORT_LINE 128
/* The header that makes what is handed to a user a file to keep, of this day. */
void user_export_name(char line[USER_EXPORT_LINE], const char *what, const char *ending);

/* Answers with the export, and ends the request. What fails on the way cuts the connection, so that
 * a part cannot pass for the whole. */
void user_export_run(const struct user_export *e);

#endif
