/* The files of a directory of knowledge: which there are, and what is in them. */
#ifndef UPLIFT_BATCH_FILES_H
#define UPLIFT_BATCH_FILES_H

#include "common/buf.h"
#include "common/must_check.h"

#include <stdbool.h>
#include <stddef.h>

#define FILES_MAX 100000   /* in one directory */
#define FILES_DEPTH_MAX 32 /* directories inside one another */
#define FILES_NAME_MAX 900 /* bytes of a name, with the directories before it */
#define FILES_PROBLEMS_MAX 100
#define FILES_SHOWN_MAX 1000 /* bytes of a name as it is shown */

/* What is left out, for people. */
struct files_problem {
    char name[FILES_SHOWN_MAX + 1]; /* bytes that are no UTF-8 as \xe9 */
    char reason[101];
};

/* Names of files, each with the directories before it below the root, in order. */
struct files {
    int root;     /* descriptor of the directory, or of the single file; -1: none */
    char **names; /* owned, as is each; valid UTF-8; strcmp's order */
    size_t count;
    size_t room;
    size_t skipped;                 /* of other kinds (by their name), hidden, or links */
    struct files_problem *problems; /* owned; FILES_PROBLEMS_MAX, of which the first are filled in;
                                       NULL: none, or memory ran out */
    size_t problem_count;           /* also of those that are not kept */
    bool is_partial;                /* one of them may hide what was imported before */
    bool is_single;                 /* the path is a file, not a directory */
    char reason[200];               /* of a failure, for people */
};

/*
 * Opens a path: a directory, whose files that document_format_of_name knows are listed, or a file.
 * Links below it are not followed, hidden files not looked at. What below it cannot be read, has a
 * name that is too long or not UTF-8, or lies too deep is left out, as a problem. With below (NULL:
 * none), only a path in that directory, also by no link. False, with the reason, when it cannot be
 * read, is elsewhere, or has too many files. *f is to be released in any case.
 */
MUST_CHECK bool files_open(struct files *f, const char *path, const char *below);
void files_release(struct files *f);
/* Adds a copy of a name, at the end. False, with the reason, when memory ran out. */
MUST_CHECK bool files_add(struct files *f, const char *name);
/* Puts names into their order, each once. */
void files_sort(struct files *f);
/* Notes what is left out. Copies both; of a reason 100 bytes are kept. */
void files_add_problem(struct files *f, const char *name, const char *reason);
/* Whether it is among the names. */
bool files_have(const struct files *f, const char *name);
/* Reads one of the files, by its place. False, with the reason (room for 200 bytes), when it cannot
 * be read, is no file, or is longer than the buffer may be. */
MUST_CHECK bool files_read(const struct files *f, size_t i, struct buf *out, char *reason);

#endif
