/* A zip of photos, written as it goes: what is in memory does not depend on how many there are. */
#ifndef UPLIFT_PHOTO_ZIP_H
#define UPLIFT_PHOTO_ZIP_H

#include "must_check.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct photo_zip;

/* Takes the next bytes of the archive; false: it cannot, and nothing more comes. */
typedef bool (*photo_zip_put)(void *arg, const void *data, size_t len);

/* NULL when memory ran out. */
MUST_CHECK struct photo_zip *photo_zip_new(photo_zip_put put, void *arg);
/* Adds a file, of a time in seconds since 1970; name is of ASCII. Files are stored as they are,
 * since photos are compressed already. */
MUST_CHECK bool photo_zip_add(struct photo_zip *z, const char *name, int64_t at, const void *data,
                              size_t len);
/* Adds what can be read from a descriptor, from its beginning on. */
MUST_CHECK bool photo_zip_add_file(struct photo_zip *z, const char *name, int64_t at, int fd);
/* Writes the end of the archive. */
MUST_CHECK bool photo_zip_end(struct photo_zip *z);
/* NULL is allowed. Without photo_zip_end before, the archive is not whole, nor says it is. */
void photo_zip_free(struct photo_zip *z);

#endif
