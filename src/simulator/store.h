/*
 * The simulator's files and jobs, as files of a directory: DIR/files/ID.json with DIR/files/ID.data
 * beside it, and DIR/jobs/ID.json. Each is written whole under another name and then renamed, so
 * that several processes may share the directory and a restart loses nothing.
 */
#ifndef UPLIFT_SIMULATOR_STORE_H
#define UPLIFT_SIMULATOR_STORE_H

#include "common/buf.h"

#include <cjson/cJSON.h>
#include <stdbool.h>

/* Makes the directories. False with errno set. Call once, before threads start. */
bool store_open(const char *directory);
/* kind is "files" or "jobs". An id is letters, digits and dashes; any other is not found. */
bool store_put(const char *kind, const char *id, const cJSON *object);
/* The caller's, or NULL when there is none. */
cJSON *store_get(const char *kind, const char *id);
bool store_delete(const char *kind, const char *id);
/* All objects of a kind, the newest (by created_at, then id) first. The caller's; NULL without
 * memory. */
cJSON *store_list(const char *kind);
bool store_put_data(const char *id, const char *bytes, size_t len);
/* Appends a file's content. False when there is none. */
bool store_get_data(const char *id, struct buf *out);

#endif
