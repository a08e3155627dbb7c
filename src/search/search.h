/*
 * Retrieval in a worker: maps the newest copies that the host's builder wrote, and finds in them
 * what a message is best answered with. Never asks Postgres, never waits for the builder.
 */
#ifndef UPLIFT_SEARCH_H
#define UPLIFT_SEARCH_H

#include "builder.h"
#include "common/buf.h"
#include "common/must_check.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SEARCH_STALE_MS 60000       /* a builder that is heard of less is no longer at work */
#define SEARCH_AGE_MAX_MS 172800000 /* older copies are not used: the log goes back three days */
#define SEARCH_HITS 40              /* some are not for this coach or user, which Postgres knows */

/* Thread-safe. */
struct search;

/* Starts a thread that looks for new copies in dir, several times a second; a first look is over
 * when it returns. dir is copied; NULL: there are no copies, and only words are found. NULL with a
 * logged reason. */
MUST_CHECK struct search *search_start(const char *dir);
void search_stop(struct search *s);
/* Whether there are copies to be, or only words. */
bool search_has_copies(const struct search *s);

/*
 * Appends to more, an object that is being built without its last brace (empty: not begun), the
 * member that uplift.search_hits() reads:
 *   "search": {"words": [...], "language": "en",
 *              "knowledge": {"origin", "horizon", "mean", "idf", "ids", "scores"},
 *              "examples": {...}}
 * origin says of which database the copy is; words are the message's different ones, at most
 * FIND_WORDS_MAX, idf a number for each, times how often it is there; ids and scores are of the
 * texts found, at most SEARCH_HITS, best first. These three are strings, "[1,2]", of which Postgres
 * makes arrays several times as fast as of lists. A shelf without a usable copy is left out.
 * Nothing at all is appended without words, when memory ran out, or when s is NULL. At most 24 KB.
 * Whether it was appended.
 */
bool search_describe(struct search *s, const char *message, size_t len, struct buf *more);

/* What of a shelf there is. */
struct search_state {
    const char *shelf;
    bool is_there;
    uint64_t texts; /* in both files, also those that are gone */
    int64_t age_ms; /* since the builder last heard of Postgres; INT64_MAX: never */
};
void search_state(struct search *s, struct search_state states[SHELVES]);
/* NULL when all is well, "missing" when a shelf has no copy, "stale" when the builder is not at
 * work. */
const char *search_trouble(struct search *s);

#endif
