/* A user's own data, all of it: GET /v1/me/export, with the photos in GET /v1/me/photos.zip, DELETE
 * /v1/me; and who looked at it.
 *
 * nginx takes an export into its buffers, so a slow reader holds no thread. */
#include "route.h"

#include "common/log.h"
#include "common/photo_file.h"
#include "common/photo_zip.h"
#include "common/query.h"
#include "common/user_export.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define AT_ONCE 2 /* exports, and erasures, of a process: each has a thread */
#define HEAD_MAX 16384
#define PHOTOS_PAGE 500 /* as uplift_chat.photo_files() has it */
#define LOG_LIMIT_DEFAULT 50
#define LOG_LIMIT_MAX 200

static atomic_int exports, erasures;

static const struct pg_statement list_sections = {
    .name = "export_sections",
    .sql = "select name from uplift_chat.export_sections($1)",
    .params = 1};
static const struct pg_statement read_rows = {
    .name = "export_rows",
    .sql = "select rows, count, after from uplift_chat.export_rows($1,$2,$3)",
    .params = 3};

/* Takes one of the places, or ends the request. */
static bool enter(struct route_context *c, atomic_int *places, const char *what)
{
    struct api_error error;
    if (atomic_fetch_add(places, 1) < AT_ONCE)
        return true;
    atomic_fetch_sub(places, 1);
    api_error(&error, 503, "too_many_at_once", "",
              "too many %s are under way; try again in a moment", what);
    error.retry_after_ms = 5000;
    request_fail(c->request, &error, NULL);
    return false;
}

static bool ask(void *arg, const struct pg_statement *statement, const char *const *values,
                PGresult **result, struct api_error *error)
{
    return route_query(arg, statement, values, result, error, NULL);
}

static bool put(struct route_context *c, const void *text, size_t len)
{
    return len == 0 || FCGX_PutStr(text, (int)len, c->request->fcgi.out) == (int)len;
}

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

void route_me_export(struct route_context *c)
{
    struct user_export export = {.request = c->request,
                                 .user_id = c->request->who.user_text,
                                 .sections = &list_sections,
                                 .rows = &read_rows,
                                 .ask = ask,
                                 .arg = c,
                                 .draining = &c->services->draining};
    if (!enter(c, &exports, "exports"))
        return;
    user_export_run(&export);
    atomic_fetch_sub(&exports, 1);
}

/* --- the photos --- */

static bool put_archive(void *arg, const void *data, size_t len)
{
    return put(arg, data, len);
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
    int count = PHOTOS_PAGE;
    bool good = true;
    while (good && count == PHOTOS_PAGE) {
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
                put(c, head.data, head.len);
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
    if (!enter(c, &exports, "exports"))
        return;
    write_photos(c);
    atomic_fetch_sub(&exports, 1);
}

static void erase(struct route_context *c)
{
    static const struct pg_statement statement = {
        .name = "erase_me", .sql = "select uplift_chat.erase_me($1)", .params = 1};
    struct api_error error;
    PGresult *result;
    const char *values[1] = {c->request->who.user_text};
    if (!pg_pool_ask(c->services->slow_pool, c->services->breaker, &statement, values, &result,
                     &error, NULL)) {
        request_fail(c->request, &error, NULL);
        return;
    }
    request_reply(c->request, 200, "application/json", NULL, PQgetvalue(result, 0, 0),
                  (size_t)PQgetlength(result, 0, 0));
    PQclear(result);
}

void route_me_erase(struct route_context *c)
{
    struct api_error error;
    if (c->request->who.key_id[0] != '\0') {
        api_error(&error, 403, "own_token_required", "",
                  "only users themselves may erase what is kept of them: send a user's token, not "
                  "an API key");
        request_fail(c->request, &error, NULL);
        return;
    }
    if (!enter(c, &erasures, "erasures"))
        return;
    erase(c);
    atomic_fetch_sub(&erasures, 1);
}

void route_me_access_log(struct route_context *c)
{
    static const struct pg_statement statement = {
        .name = "my_access_log", .sql = "select uplift_chat.my_access_log($1,$2,$3)", .params = 3};
    struct api_error error;
    struct query q;
    char limit[ROUTE_LIMIT_ROOM];
    const char *before;
    if (!query_parse(&q, c->request->query)) {
        api_error(&error, 400, "invalid_query", "", "the query string cannot be read");
        request_fail(c->request, &error, NULL);
        return;
    }
    if (route_read_limit(&q, LOG_LIMIT_DEFAULT, LOG_LIMIT_MAX, limit, &error) &&
        route_read_before(&q, "a line of the log", &before, &error)) {
        const char *values[3] = {c->request->who.user_text, limit, before};
        route_reply_json_query(c, &statement, values);
    } else {
        request_fail(c->request, &error, NULL);
    }
    query_release(&q);
}
