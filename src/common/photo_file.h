/*
 * The files of photos in UPLIFT_PHOTO_DIR: fcgi-chat writes and deletes them, fcgi-batch and nginx,
 * in the same group, read them. Each is named by its photo's id, in one of 256 directories; what
 * clients call their files is nowhere.
 */
#ifndef UPLIFT_PHOTO_FILE_H
#define UPLIFT_PHOTO_FILE_H

#include "buf.h"
#include "must_check.h"
#include "request.h"

#include <stdbool.h>
#include <stddef.h>

#define PHOTO_FILE_MAX ((size_t)16 << 20) /* bytes; what we make of a photo is far smaller */
#define PHOTO_NAME_ROOM 48

/* The name below the directory: "3f/ID.jpg". id is a UUID in lower case. */
void photo_file_name(const char *id, char name[PHOTO_NAME_ROOM]);

/* Writes the file, on disk when this returns. False with the reason (room for 200 bytes). */
MUST_CHECK bool photo_file_write(const char *dir, const char *id, const void *data, size_t len,
                                 char *reason);
/* Whether the directory is there to read from. */
bool photo_file_has_directory(const char *dir);

enum photo_file {
    PHOTO_FILE_READ,
    PHOTO_FILE_GONE, /* there is none, in a directory that is there */
    PHOTO_FILE_UNREADABLE,
};
/* Appends the file to out; with the reason (room for 200 bytes) where it was not read. */
MUST_CHECK enum photo_file photo_file_read(const char *dir, const char *id, struct buf *out,
                                           char *reason);
/* Answers with the file, which nginx sends, or 404 photo_not_found where there is none, or no
 * directory (NULL). Ends the request. */
void photo_file_send(struct request *r, const char *dir, const char *id);
/* Whether it is gone, now or before. */
bool photo_file_remove(const char *dir, const char *id);

#endif
