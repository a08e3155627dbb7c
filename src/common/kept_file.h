/* Small files in the spool directory that keep what was last known from Postgres, so that a worker
 * born while it is away has it, too. */
#ifndef UPLIFT_KEPT_FILE_H
#define UPLIFT_KEPT_FILE_H

#include <stdbool.h>

/* The whole file as text, the caller's to free. NULL, with a logged reason, unless there is none.
 */
char *kept_file_read(const char *dir, const char *name);
/* Puts text in the file's place, whole and synced. False with a logged reason. */
bool kept_file_write(const char *dir, const char *name, const char *text);

#endif
