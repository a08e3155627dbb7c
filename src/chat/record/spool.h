/*
 * The spool: where answers and thumbs wait on disk while Postgres is away.
 *
 * A directory of append-only files. Each process writes to one file of its own and holds an flock
 * on it while it lives; a file whose lock is free belongs to nobody (its owner died, or has given
 * it up) and may be taken by the loader of any process. A line is acknowledged only after
 * fdatasync; a file is removed only after everything in it is committed in Postgres. Both sides of
 * that are idempotent by the ids in the lines, so that dying between any two steps loses nothing
 * and doubles nothing.
 *
 * A line is "<zlib's CRC-32 of the JSON, 8 hex digits> <JSON>\n", the JSON one of
 *   {"kind":"answer","answer":{columns as chat_to_json writes them}}
 *   {"kind":"feedback","event_id":uuid,"user_id":uuid,"answer_id":uuid,"changes":{...},"issued":bool,"given_at":time}
 * Lines that are torn or do not match their checksum are kept in <file>.corrupt, never loaded.
 */
#ifndef UPLIFT_SPOOL_H
#define UPLIFT_SPOOL_H

#include "chat/chat.h"
#include "common/buf.h"
#include "common/must_check.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SPOOL_LINE_MAX ((size_t)192 * 1024 * 1024) /* a longer line counts as corrupt */

/* --- lines --- */

/* Appends a line for an answer. False when out's limit was passed. */
bool spool_answer_line(struct buf *out, const struct chat *chat);
/*
 * Appends a line for a thumb. changes is a JSON object with only the keys that were given; issued
 * says whether the answer's id was verified to be this user's; given_us is when it was accepted, in
 * wall-clock microseconds.
 * event_id is the UUID by which uplift_chat.give_feedback applies it exactly once. False when out's
 * limit was passed.
 */
bool spool_feedback_line(struct buf *out, const char *event_id, const char *user_id,
                         const char *answer_id, const char *changes, bool issued, int64_t given_us);

/* --- writing: this process's file --- */

struct spool;

/* Makes the directory (0700) when missing and checks that files can be made in it. rotate_bytes: a
 * file that has grown past it is given up for loading and a new one begun. NULL with a logged
 * reason. */
MUST_CHECK struct spool *spool_open(const char *dir, int64_t rotate_bytes);
/* Gives the file up and frees. Nothing is lost: whoever scans the directory next loads it. */
void spool_close(struct spool *s);
/* Writes whole lines and waits until they are on the disk. On false none of them are there (a full
 * disk, an I/O error; logged). Thread-safe. */
MUST_CHECK bool spool_append(struct spool *s, const char *lines, size_t len);
/* Gives this process's file up for loading; the next append begins a new one. Thread-safe. */
void spool_rotate(struct spool *s);
/* Bytes in all spool files of the directory, as of the last spool_scan and the appends since.
 * Thread-safe. */
int64_t spool_bytes(const struct spool *s);

/* --- reading: files that belong to nobody --- */

/* The names of all spool files now, oldest owner first. */
struct spool_names {
    char **names; /* owned, like each name */
    size_t count;
};
/* False, with nothing to release, when the directory cannot be read (logged). */
bool spool_scan(struct spool *s, struct spool_names *out);
void spool_names_release(struct spool_names *n);

struct spool_file;

enum spool_kind { SPOOL_ANSWER, SPOOL_FEEDBACK };

struct spool_line {
    enum spool_kind kind;
    const char *json; /* the answer's object, or the whole feedback object; NUL-terminated, valid
                         until the next call */
    size_t len;
};

enum spool_read { SPOOL_READ_LINE, SPOOL_READ_END, SPOOL_READ_FAILED };

/* Opens and locks a file for loading. NULL when somebody has it, it is gone, or it cannot be
 * opened. */
struct spool_file *spool_take(struct spool *s, const char *name);
/* The next good line. Bad ones on the way are copied to <file>.corrupt (once a taking) and logged.
 * FAILED: the file cannot be read on, or .corrupt cannot be written (logged): give the file back.
 */
enum spool_read spool_next(struct spool_file *f, struct spool_line *line);
/* Starts again from the first line. */
void spool_rewind(struct spool_file *f);
/* Keeps JSON that can never be loaded in <file>.corrupt; the caller logs why. */
bool spool_set_aside(struct spool_file *f, const char *json, size_t len);
/* Everything in it is committed: removes the file for good, unlocks and frees. False when that
 * failed: it stays and will be loaded again, which is harmless. */
bool spool_remove(struct spool_file *f);
/* Unlocks and frees; the file stays for another time. */
void spool_give_back(struct spool_file *f);
const char *spool_file_name(const struct spool_file *f);

#endif
