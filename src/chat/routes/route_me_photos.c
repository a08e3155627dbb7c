/* All photos of a user, as a zip: GET /v1/me/photos.zip.
 *
 * Written as it is read, a photo at a time, so that memory is that of one. nginx takes it into its
 * buffers, so a slow reader holds no thread. */
#include "route.h"

#include "common/log.h"
#include "common/photo_file.h"
#include "common/photo_zip.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define AT_ONCE 2 /* of a process: each has a thread */
#define HEAD_MAX 16384
#define PAGE 500 /* as uplift_chat.photo_files() has it */

static atomic_int exports;

/* The header that makes it a file to keep, of this day. */
static void name_file(char line[256], const char *what, const char *ending)
{
    char day[16];
    time_t now = time(NULL);
    struct tm utc;
    gmtime_r(&now, &utc);
    strftime(day, sizeof day, "%Y-%m-%d", &utc);
    snprintf(line, 256, "Content-Disposition: attachment; filename=\"uplift-%s-%s.%s\"\r\n", what,
             day, ending);
}

static bool put_archive(void *arg, const void *data, size_t len)
{
    struct route_context *c = arg;
    return FCGX_PutStr(data, (int)len, c->request->fcgi.out) == (int)len;
}

static bool add_photo(struct route_context *c, struct photo_zip *zip, const char *id, double at)
{
    struct buf jpeg;
    char name[UUID_TEXT + 16], reason[200];
    snprintf(name, sizeof name, "photos/%s.jpg", id);
    buf_init(&jpeg, PHOTO_FILE_MAX);
    /* One that is deleted meanwhile is left out. */
    bool good = !photo_file_read(c->services->config->photo_dir, id, &jpeg, reason) ||
                photo_zip_add(zip, name, (int64_t)at, jpeg.data, jpeg.len);
    buf_release(&jpeg);
    return good;
}

/* False where the archive cannot be whole: the reader has left, or *error says why. */
static bool add_photos(struct route_context *c, struct photo_zip *zip, struct api_error *error)
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
            good = add_photo(c, zip, PQgetvalue(page, i, 0), strtod(PQgetvalue(page, i, 1), NULL));
        if (count > 0)
            snprintf(after, sizeof after, "%s", PQgetvalue(page, count - 1, 0));
        PQclear(page);
    }
    return good;
}

static void write_photos(struct route_context *c)
{
    struct api_error error = {.status = 0};
    struct photo_zip *zip = NULL;
    struct buf head;
    char line[256];
    name_file(line, "photos", "zip");
    buf_init(&head, HEAD_MAX);
    bool good = request_head(c->request, &head, 200, "application/zip", line) &&
                put_archive(c, head.data, head.len);
    buf_release(&head);
    if (good && strcmp(c->request->method, "HEAD") != 0) {
        zip = photo_zip_new(put_archive, c);
        good = zip != NULL && add_photos(c, zip, &error) && photo_zip_end(zip);
        photo_zip_free(zip);
    }
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
