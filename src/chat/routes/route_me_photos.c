/* All photos of a user, as a zip: GET /v1/me/photos.zip.
 *
 * Written as it is read, a photo at a time, so that memory is that of one. nginx takes it into a
 * file as large as its location says, so that a slow reader holds no thread until then. */
#include "route.h"

#include "common/log.h"
#include "common/photo_file.h"
#include "common/photo_zip.h"
#include "common/user_export.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define AT_ONCE 2 /* of a process: each has a thread */
#define MISSING_MAX ((size_t)4 << 20)
#define PAGE 500 /* as uplift_chat.photo_files() has it */

static atomic_int exports;

static bool put_archive(void *arg, const void *data, size_t len)
{
    struct route_context *c = arg;
    return request_put(c->request, data, len);
}

/* Adds a photo to the archive, or its id to missing. */
static bool add_photo(struct route_context *c, struct photo_zip *zip, const char *id, double at,
                      struct buf *missing)
{
    struct buf jpeg;
    char name[UUID_TEXT + 16], reason[200];
    snprintf(name, sizeof name, "photos/%s.jpg", id);
    buf_init(&jpeg, PHOTO_FILE_MAX);
    enum photo_file how = photo_file_read(c->services->config->photo_dir, id, &jpeg, reason);
    bool good = how == PHOTO_FILE_READ ? photo_zip_add(zip, name, (int64_t)at, jpeg.data, jpeg.len)
                                       : buf_printf(missing, "%s\n", id);
    if (how == PHOTO_FILE_UNREADABLE)
        log_traced(LOG_ERROR, c->request->request_id, c->request->trace_id,
                   "photo %s is missing in an archive: %s", id, reason);
    buf_release(&jpeg);
    return good;
}

/* False where the archive cannot be whole: the reader has left, or *error says why. */
static bool add_photos(struct route_context *c, struct photo_zip *zip, struct buf *missing,
                       struct api_error *error)
{
    static const struct pg_statement statement = {
        .name = "photo_files",
        .sql = "select id, extract(epoch from created_at) from uplift_chat.photo_files($1,$2)",
        .params = 2};
    char after[UUID_TEXT + 1] = "";
    int count = PAGE;
    bool good = true;
    while (good && count == PAGE) {
        const char *values[2] = {c->request->who.user_text, *after != '\0' ? after : NULL};
        PGresult *page;
        if (atomic_load(&c->services->draining) ||
            !route_query(c, &statement, values, &page, error, NULL))
            return false;
        count = PQntuples(page);
        for (int i = 0; good && i < count; i++)
            good = add_photo(c, zip, PQgetvalue(page, i, 0), strtod(PQgetvalue(page, i, 1), NULL),
                             missing);
        if (count > 0)
            snprintf(after, sizeof after, "%s", PQgetvalue(page, count - 1, 0));
        PQclear(page);
    }
    return good;
}

/* Says in the archive itself what it lacks: its head, with the status, went before. */
static bool add_missing(struct photo_zip *zip, const struct buf *missing)
{
    struct buf text;
    if (missing->len == 0)
        return true;
    buf_init(&text, missing->len + 256);
    bool good =
        buf_puts(&text, "The files of these photos could not be read, or were deleted while "
                        "the archive was made:\n") &&
        buf_append(&text, missing->data, missing->len) &&
        photo_zip_add(zip, "missing.txt", (int64_t)time(NULL), text.data, text.len);
    buf_release(&text);
    return good;
}

static bool write_archive(struct route_context *c, struct api_error *error)
{
    struct buf missing;
    struct photo_zip *zip = photo_zip_new(put_archive, c);
    buf_init(&missing, MISSING_MAX);
    bool good = zip != NULL && add_photos(c, zip, &missing, error) && add_missing(zip, &missing) &&
                photo_zip_end(zip);
    buf_release(&missing);
    photo_zip_free(zip);
    return good;
}

static void write_photos(struct route_context *c)
{
    struct api_error error = {.status = 0};
    char line[USER_EXPORT_LINE];
    user_export_name(line, "photos", "zip");
    bool good = request_begin(c->request, "application/zip", line) &&
                (strcmp(c->request->method, "HEAD") == 0 || write_archive(c, &error));
    if (good) {
        request_finish(c->request);
        return;
    }
    if (error.status != 0)
        log_traced(LOG_WARN, c->request->request_id, c->request->trace_id,
                   "export of a user's photos broken off: %s", error.message);
    request_abort(c->request);
}

void route_me_photos(struct route_context *c)
{
    struct api_error error;
    if (c->services->config->photo_dir == NULL) {
        api_error(&error, 404, "photos_off", "", "photos are not taken here");
        request_fail(c->request, &error, NULL);
        return;
    }
    if (!photo_file_has_directory(c->services->config->photo_dir)) {
        log_error("photo", "there is no directory %s to read photos from",
                  c->services->config->photo_dir);
        api_error(&error, 503, "photo_store_unavailable", "",
                  "photos cannot be read at the moment");
        request_fail(c->request, &error, NULL);
        return;
    }
    if (atomic_fetch_add(&exports, 1) < AT_ONCE) {
        write_photos(c);
    } else {
        api_error(&error, 503, "too_many_at_once", "",
                  "too many exports are under way; try again in a moment");
        error.retry_after_ms = 5000;
        request_fail(c->request, &error, NULL);
    }
    atomic_fetch_sub(&exports, 1);
}
