/* The builder's side of one shelf: what of it is in which file, and how far its log was read. */
#ifndef UPLIFT_SHELF_H
#define UPLIFT_SHELF_H

#include "common/must_check.h"
#include "common/pg.h"
#include "copy.h"
#include "words.h"

#include <stdbool.h>
#include <stdint.h>

#define ORIGIN_SIZE 44 /* of copy_header's */

struct recent_text; /* one that is in the recent file */
struct log_entry {
    uint64_t tx;
    int64_t id;
};

struct shelf {
    const char *name;
    char base_path[4200], recent_path[4200];
    struct copy base;                 /* header NULL: there is none yet */
    uint64_t horizon, recent_horizon; /* of what was read, and of the recent file */
    struct recent_text *recent;       /* by id */
    size_t recent_count, recent_room;
    uint32_t *gone; /* numbers of the base's texts, ascending */
    size_t gone_count, gone_room;
    struct log_entry *seen; /* rows from the horizon on that were read */
    size_t seen_count;
    bool is_changed; /* since the recent file was written */
};

enum shelf_outcome {
    SHELF_DONE,
    SHELF_AWAY,    /* Postgres does not answer */
    SHELF_REFUSED, /* it refused: logged */
    SHELF_FAILED,  /* memory or the disk: logged */
    SHELF_STOPPED, /* the builder was told to end */
};

/* What all shelves are built with. */
struct shelf_tools {
    struct pg *pg;
    struct word_finder *finder;
    char origin[ORIGIN_SIZE];
    bool (*must_stop)(void);
};

/* name is not copied. */
void shelf_init(struct shelf *s, const char *name, const char *dir);
void shelf_release(struct shelf *s);
/* Takes the base that lies on the disk, where it is good, of this origin, and not too old. Files of
 * another origin are removed: workers must not use them while others are built. */
void shelf_open(struct shelf *s, const struct shelf_tools *tools);
/* Reads all texts and writes a new base. */
MUST_CHECK enum shelf_outcome shelf_build(struct shelf *s, const struct shelf_tools *tools);
/* Reads what has changed, and writes the recent file where there is something new for it; builds
 * where there is no base, or it is time for another one. */
MUST_CHECK enum shelf_outcome shelf_follow(struct shelf *s, const struct shelf_tools *tools);

#endif
