/*
 * Photos of meals: sent, listed, shown, corrected, deleted.
 *
 * An upload is decoded and written here (picture.h), by few at a time; what is on it a model says
 * later, which nobody waits for (analyst.h). nginx sends the files, by X-Accel-Redirect, once it is
 * known that they are the user's.
 */
#include "chat/photo/picture.h"
#include "chat/photo/vision.h"
#include "common/log.h"
#include "common/multipart.h"
#include "common/photo_file.h"
#include "common/query.h"
#include "route.h"

#include <openssl/evp.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define LIST_LIMIT_DEFAULT 20
#define LIST_LIMIT_MAX 100
#define AT_ONCE 4 /* pictures that a process has decoded */
#define RETRY_MS 1000
#define HASH_BYTES 32
#define HASH_ROOM (2 * HASH_BYTES + 1)

/* Who has pictures decoded; "" is a free place. One user has one at a time, so that a hundred slow
 * ones of somebody do not keep others waiting. */
static struct {
    pthread_mutex_t lock;
    char users[AT_ONCE][UUID_TEXT + 1];
} decoding = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* False, with the request ended, where photos are not taken. */
static bool is_on(struct route_context *c)
{
    struct api_error error;
    if (c->services->config->photo_dir != NULL)
        return true;
    api_error(&error, 404, "photos_off", "", "photos are not taken here");
    request_fail(c->request, &error, NULL);
    return false;
}

/* --- an upload --- */

static bool find_photo(const struct request *r, struct part *photo, struct api_error *error)
{
    const struct span body = {r->body, r->body_len};
    if (!multipart_find(request_param(r, "CONTENT_TYPE"), body, "photo", photo))
        return api_error(error, 400, "missing_photo", "photo",
                         "send multipart/form-data with a part named photo");
    return photo->len > 0 || api_error(error, 400, "invalid_image", "photo", "the photo is empty");
}

static bool hash(const struct part *photo, char out[HASH_ROOM], struct api_error *error)
{
    unsigned char digest[HASH_BYTES];
    if (EVP_Digest(photo->bytes, photo->len, digest, NULL, EVP_sha256(), NULL) != 1)
        return api_error_no_memory(error);
    for (size_t i = 0; i < HASH_BYTES; i++)
        snprintf(out + 2 * i, 3, "%02x", digest[i]);
    return true;
}

/* An upload on its way. */
struct upload {
    struct route_context *context;
    char id[UUID_TEXT + 1], hash[HASH_ROOM];
};

/* Whether the user has sent it before: then *known is the answer. False with *error. */
static bool begin(const struct upload *u, PGresult **known, struct api_error *error)
{
    static const struct pg_statement statement = {
        .name = "begin_photo",
        .sql =
            "select x -> 'photo', x -> 'refusal' from uplift_chat.begin_photo($1,$2,$3,$4,$5,$6) x",
        .params = 6};
    const struct request *r = u->context->request;
    const char *values[6] = {r->who.user_text,
                             u->id,
                             u->hash,
                             request_param(r, "REMOTE_ADDR"),
                             *r->who.key_id != '\0' ? r->who.key_id : NULL,
                             vision_model(u->context->services->config)};
    PGresult *result;
    *known = NULL;
    if (!route_query(u->context, &statement, values, &result, error, NULL))
        return false;
    bool good = PQgetisnull(result, 0, 1) || route_refused(PQgetvalue(result, 0, 1), error);
    if (good && !PQgetisnull(result, 0, 0))
        *known = result;
    else
        PQclear(result);
    return good;
}

/* {"is_new", "photo"}. False with *error; the file is then forgotten, as uplift.photo_removals has
 * it. */
static bool add(const struct upload *u, const struct picture *p, PGresult **added,
                struct api_error *error)
{
    static const struct pg_statement statement = {
        .name = "add_photo",
        .sql =
            "select x -> 'photo', x -> 'is_new' from uplift_chat.add_photo($1,$2,$3,$4,$5,$6,$7) x",
        .params = 7};
    char width[16], height[16], bytes[24];
    snprintf(width, sizeof width, "%d", p->width);
    snprintf(height, sizeof height, "%d", p->height);
    snprintf(bytes, sizeof bytes, "%zu", p->jpeg.len);
    const char *values[7] = {
        u->context->request->who.user_text,        u->id, u->hash, width, height, bytes,
        vision_model(u->context->services->config)};
    return route_query(u->context, &statement, values, added, error, NULL);
}

static bool keep(const struct upload *u, const struct part *photo, PGresult **added,
                 struct api_error *error)
{
    const struct config *config = u->context->services->config;
    struct picture picture;
    char reason[200];
    bool good = picture_make(&picture, config, photo->bytes, photo->len, error);
    if (good &&
        !photo_file_write(config->photo_dir, u->id, picture.jpeg.data, picture.jpeg.len, reason)) {
        log_error("photo", "a photo could not be kept: %s", reason);
        good = api_error(error, 503, "photo_store_unavailable", "",
                         "photos cannot be kept at the moment");
    }
    good = good && add(u, &picture, added, error);
    picture_release(&picture);
    return good;
}

/* A place where a picture is decoded; -1 with *error. */
static int enter(const char *user, struct api_error *error)
{
    int place = -1;
    bool has_one = false;
    pthread_mutex_lock(&decoding.lock);
    for (int i = 0; i < AT_ONCE; i++) {
        has_one = has_one || strcmp(decoding.users[i], user) == 0;
        if (decoding.users[i][0] == '\0')
            place = i;
    }
    if (has_one)
        place = -1;
    else if (place >= 0)
        snprintf(decoding.users[place], sizeof decoding.users[place], "%s", user);
    pthread_mutex_unlock(&decoding.lock);
    if (place < 0) {
        api_error(error, 503, "too_many_at_once", "",
                  has_one ? "another photo of yours is being read; try again in a moment"
                          : "too many photos are being read; try again in a moment");
        error->retry_after_ms = RETRY_MS;
    }
    return place;
}

static void leave(int place)
{
    pthread_mutex_lock(&decoding.lock);
    decoding.users[place][0] = '\0';
    pthread_mutex_unlock(&decoding.lock);
}

static bool take(struct upload *u, PGresult **answer, bool *is_new, struct api_error *error)
{
    struct part photo;
    struct uuid id;
    uuid_v7(&id);
    uuid_format(&id, u->id);
    *is_new = false;
    *answer = NULL;
    if (!find_photo(u->context->request, &photo, error) || !hash(&photo, u->hash, error) ||
        !begin(u, answer, error))
        return false;
    if (*answer != NULL)
        return true;
    int place = enter(u->context->request->who.user_text, error);
    if (place < 0)
        return false;
    bool good = keep(u, &photo, answer, error);
    leave(place);
    *is_new = good && strcmp(PQgetvalue(*answer, 0, 1), "true") == 0;
    return good;
}

void route_photos_add(struct route_context *c)
{
    struct upload upload = {.context = c};
    struct api_error error;
    PGresult *answer;
    bool is_new;
    if (!is_on(c))
        return;
    bool good = take(&upload, &answer, &is_new, &error);
    metrics_count(c->services->metrics,
                  is_new ? M_PHOTO_KEPT
                  : good ? M_PHOTO_KNOWN
                         : M_PHOTO_REFUSED,
                  1);
    if (!good) {
        request_fail(c->request, &error, NULL);
        return;
    }
    if (is_new)
        analyst_wake(c->services->analyst);
    request_reply(c->request, is_new ? 201 : 200, "application/json", NULL,
                  PQgetvalue(answer, 0, 0), (size_t)PQgetlength(answer, 0, 0));
    PQclear(answer);
}

/* --- those that are there --- */

void route_photos_list(struct route_context *c)
{
    static const struct pg_statement statement = {
        .name = "list_photos", .sql = "select uplift_chat.list_photos($1,$2,$3)", .params = 3};
    static const struct list_kind kind = {
        .of = "a photo", .fallback = LIST_LIMIT_DEFAULT, .max = LIST_LIMIT_MAX};
    struct list_page page;
    if (!route_read_page(c, &kind, &page))
        return;
    const char *values[3] = {c->request->who.user_text, page.limit, page.before};
    route_reply_json_query(c, &statement, values);
    query_release(&page.query);
}

static const struct pg_statement get_photo = {
    .name = "get_photo", .sql = "select uplift_chat.get_photo($1,$2)", .params = 2};

void route_photo_get(struct route_context *c)
{
    const char *values[2] = {c->request->who.user_text, c->id};
    route_reply_json_query(c, &get_photo, values);
}

void route_photo_image(struct route_context *c)
{
    const char *values[2] = {c->request->who.user_text, c->id};
    struct api_error error;
    PGresult *result;
    if (!is_on(c))
        return;
    if (!route_query(c, &get_photo, values, &result, &error, NULL)) {
        request_fail(c->request, &error, NULL);
        return;
    }
    PQclear(result);
    photo_file_send(c->request, c->services->config->photo_dir, c->id);
}

void route_photo_correct(struct route_context *c)
{
    static const struct pg_statement statement = {
        .name = "correct_photo", .sql = "select uplift_chat.correct_photo($1,$2,$3)", .params = 3};
    struct api_error error;
    struct span correction;
    if (!request_json(c->request, false, &correction, &error)) {
        request_fail(c->request, &error, NULL);
        return;
    }
    /* It is what the body is, but for space around it, and ends with its NUL. */
    const char *values[3] = {c->request->who.user_text, c->id, correction.at};
    route_reply_json_query(c, &statement, values);
}

void route_photo_delete(struct route_context *c)
{
    static const struct pg_statement statement = {
        .name = "delete_photo", .sql = "select uplift_chat.delete_photo($1,$2)", .params = 2};
    struct api_error error;
    PGresult *result;
    const char *values[2] = {c->request->who.user_text, c->id};
    if (!route_query(c, &statement, values, &result, &error, NULL)) {
        request_fail(c->request, &error, NULL);
        return;
    }
    PQclear(result);
    analyst_wake(c->services->analyst); /* the file goes now, not with the next look */
    request_reply(c->request, 204, NULL, NULL, NULL, 0);
}
