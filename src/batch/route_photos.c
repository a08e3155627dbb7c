/*
 * Photos of meals for admins: their files, by nginx, and exports to train with,
 * GET /admin/food-photos/export: lines as OpenAI fine-tunes vision with (format openai-vision), or
 * a zip with images, a line about each in metadata.jsonl, and the same in annotations.json, as COCO
 * has it (image-folder).
 *
 * An export is written as its client reads. Photos come page by page; what is told of them behind
 * the images gathers in files without a name. When something fails on the way, the connection is
 * cut.
 */
#include "apart.h"

#include "common/json.h"
#include "common/log.h"
#include "common/meal_form.h"
#include "common/photo_file.h"
#include "common/photo_zip.h"
#include "common/query.h"

#include <errno.h>
#include <fcntl.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PAGE 200 /* as uplift_batch.export_photos() has it */
#define LINE_MAX_BYTES ((size_t)24 << 20)

enum format { OPENAI_VISION, IMAGE_FOLDER };

/* A name of foods, and its number in annotations.json. */
struct category {
    char *name;
    int number;
};

/* An export on its way. */
struct export
{
    struct admin_call *call;
    enum format format;
    const char *split; /* NULL: all */
    struct photo_zip *zip;
    FILE *lines, *images, *annotations; /* what goes behind the images */
    void *categories;                   /* a tree of them, by name */
    int category_count, image_count, annotation_count;
    int64_t now;
    struct api_error error; /* its status is 0 where it is the reader who left */
};

/* --- a picture --- */

void route_photo_image(struct admin_call *c)
{
    static const struct pg_statement statement = {
        .name = "admin_photo_image",
        .sql = "select uplift_batch.admin_get_photo($1, $2, $3)",
        .params = 3};
    struct api_error error;
    PGresult *result;
    if (!admin_query(c, &statement, (const char *[]){c->key, "{}", c->who}, &result, &error)) {
        request_fail(c->request, &error, NULL);
        return;
    }
    PQclear(result);
    photo_file_send(c->request, c->admin->config->photo_dir, c->key);
}

/* --- what is written --- */

static bool put(void *arg, const void *data, size_t len)
{
    struct export *x = arg;
    if (atomic_load(&x->call->admin->draining)) /* a slow reader must not keep us from ending */
        return false;
    return request_put(x->call->request, data, len);
}

static bool put_line(struct export *x, const struct buf *jpeg, const char *label)
{
    struct buf line;
    buf_init(&line, LINE_MAX_BYTES);
    buf_puts(&line, "{\"messages\":[");
    bool good = meal_put_messages(&line, jpeg->data, jpeg->len);
    buf_puts(&line, ",{\"role\":\"assistant\",\"content\":");
    buf_json_string(&line, label, strlen(label));
    good = buf_puts(&line, "}]}\n") && good && put(x, line.data, line.len);
    buf_release(&line);
    return good;
}

static int compare_categories(const void *a, const void *b)
{
    const struct category *one = a, *other = b;
    return strcmp(one->name, other->name);
}

/* The number of a name, from 1; 0 when memory ran out. */
static int category_of(struct export *x, const char *name)
{
    struct category *new = malloc(sizeof *new);
    if (new == NULL || (new->name = strdup(name)) == NULL) {
        free(new);
        return 0;
    }
    new->number = x->category_count + 1;
    struct category **place = tsearch(new, &x->categories, compare_categories);
    int number = place != NULL ? (*place)->number : 0;
    if (place != NULL && *place == new) {
        x->category_count++;
    } else {
        free(new->name);
        free(new);
    }
    return number;
}

static void free_category(void *arg)
{
    struct category *c = arg;
    free(c->name);
    free(c);
}

/* What is known of a food of an image beside its name, as members of its annotation. */
static bool print_portion(FILE *out, const cJSON *line, const char *name)
{
    const cJSON *portion, *member;
    cJSON_ArrayForEach (portion, cJSON_GetObjectItemCaseSensitive(line, "portions")) {
        const char *its = json_string(portion, "name");
        if (its == NULL || strcmp(its, name) != 0)
            continue;
        cJSON_ArrayForEach (member, portion) {
            char *text =
                strcmp(member->string, "name") != 0 ? cJSON_PrintUnformatted(member) : NULL;
            if (text != NULL)
                fprintf(out, ",\"%s\":%s", member->string, text);
            cJSON_free(text);
        }
        break;
    }
    return ferror(out) == 0;
}

static bool annotate(struct export *x, const cJSON *line)
{
    const cJSON *food;
    x->image_count++;
    fprintf(x->images, "%s\n{\"id\":%d,\"file_name\":\"%s\",\"width\":%.0f,\"height\":%.0f}",
            x->image_count > 1 ? "," : "", x->image_count, json_string(line, "file_name"),
            json_number(line, "width", 0), json_number(line, "height", 0));
    cJSON_ArrayForEach (food, cJSON_GetObjectItemCaseSensitive(line, "foods")) {
        const char *name = json_string(food, "name");
        int category = name != NULL ? category_of(x, name) : 0;
        if (category == 0)
            return false;
        x->annotation_count++;
        fprintf(x->annotations, "%s\n{\"id\":%d,\"image_id\":%d,\"category_id\":%d,\"iscrowd\":0",
                x->annotation_count > 1 ? "," : "", x->annotation_count, x->image_count, category);
        if (!print_portion(x->annotations, line, name))
            return false;
        fputc('}', x->annotations);
    }
    return ferror(x->images) == 0 && ferror(x->annotations) == 0;
}

static bool put_image(struct export *x, const char *id, const struct buf *jpeg, const char *text)
{
    char name[UUID_TEXT + 16];
    snprintf(name, sizeof name, "images/%s.jpg", id);
    cJSON *line = cJSON_Parse(text);
    bool good = line != NULL && photo_zip_add(x->zip, name, x->now, jpeg->data, jpeg->len) &&
                fprintf(x->lines, "%s\n", text) > 0 && annotate(x, line);
    cJSON_Delete(line);
    return good;
}

static bool put_photo(struct export *x, const PGresult *page, int row)
{
    const char *id = PQgetvalue(page, row, 0);
    struct buf jpeg;
    char reason[200];
    bool good = true;
    buf_init(&jpeg, PHOTO_FILE_MAX);
    switch (photo_file_read(x->call->admin->config->photo_dir, id, &jpeg, reason)) {
    case PHOTO_FILE_READ:
        good = x->format == OPENAI_VISION ? put_line(x, &jpeg, PQgetvalue(page, row, 3))
                                          : put_image(x, id, &jpeg, PQgetvalue(page, row, 2));
        break;
    case PHOTO_FILE_GONE: /* mostly deleted meanwhile */
        log_traced(LOG_WARN, x->call->request->request_id, x->call->request->trace_id,
                   "photo %s is left out of an export: %s", id, reason);
        break;
    case PHOTO_FILE_UNREADABLE:
        good = api_error(&x->error, 500, "internal_error", "", "photo %s: %s", id, reason);
        break;
    }
    buf_release(&jpeg);
    return good;
}

static bool put_photos(struct export *x)
{
    static const struct pg_statement statement = {
        .name = "export_photos",
        .sql = "select id, after, line, label from uplift_batch.export_photos($1, $2, $3, $4)",
        .params = 4};
    const char *is_whole = x->format == OPENAI_VISION ? "true" : "false";
    char after[UUID_TEXT + 1] = "";
    int count = PAGE;
    bool good = true;
    while (good && count == PAGE) {
        const char *values[4] = {*after != '\0' ? after : NULL, x->split, is_whole,
                                 x->call->log_line};
        PGresult *page;
        if (!admin_query(x->call, &statement, values, &page, &x->error))
            return false;
        count = PQntuples(page);
        for (int i = 0; good && i < count; i++)
            good = PQgetisnull(page, i, 0) || put_photo(x, page, i);
        if (count > 0)
            snprintf(after, sizeof after, "%s", PQgetvalue(page, count - 1, 1));
        PQclear(page);
    }
    return good;
}

/* --- behind the images --- */

struct category_list {
    FILE *out;
    bool is_first;
};

static void print_category(const void *node, VISIT visit, void *arg)
{
    const struct category *c = *(struct category *const *)node;
    struct category_list *list = arg;
    struct buf name;
    if (visit != postorder && visit != leaf) /* once for each */
        return;
    buf_init(&name, 4096);
    if (buf_json_string(&name, c->name, strlen(c->name)))
        fprintf(list->out, "%s\n{\"id\":%d,\"name\":%s,\"supercategory\":\"food\"}",
                list->is_first ? "" : ",", c->number, name.data);
    list->is_first = false;
    buf_release(&name);
}

static bool copy(FILE *from, FILE *to)
{
    char chunk[65536];
    size_t n;
    rewind(from);
    while ((n = fread(chunk, 1, sizeof chunk, from)) > 0)
        if (fwrite(chunk, 1, n, to) != n)
            return false;
    return ferror(from) == 0;
}

static bool add_to_zip(struct export *x, const char *name, FILE *file)
{
    return fflush(file) == 0 && photo_zip_add_file(x->zip, name, x->now, fileno(file));
}

static FILE *nameless_file(const struct export *x)
{
    int fd = open(x->call->admin->config->batch_dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    FILE *file = fd >= 0 ? fdopen(fd, "w+") : NULL;
    if (file == NULL && fd >= 0)
        close(fd);
    return file;
}

static bool put_annotations(struct export *x)
{
    FILE *all = nameless_file(x);
    if (all == NULL)
        return false;
    struct category_list list = {.out = all, .is_first = true};
    fputs("{\"info\":{\"description\":\"photos of meals, as their users say\"},\"images\":[", all);
    bool good = copy(x->images, all);
    fputs("\n],\"categories\":[", all);
    twalk_r(x->categories, print_category, &list);
    fputs("\n],\"annotations\":[", all);
    good = good && copy(x->annotations, all) && fputs("\n]}\n", all) >= 0 && ferror(all) == 0 &&
           add_to_zip(x, "annotations.json", all);
    fclose(all);
    return good;
}

static bool put_folder(struct export *x)
{
    x->now = (int64_t)time(NULL);
    x->zip = photo_zip_new(put, x);
    x->lines = nameless_file(x);
    x->images = nameless_file(x);
    x->annotations = nameless_file(x);
    if (x->zip == NULL || x->lines == NULL || x->images == NULL || x->annotations == NULL) {
        api_error(&x->error, 500, "internal_error", "", "no file to write to: %s", strerror(errno));
        return false;
    }
    return put_photos(x) && add_to_zip(x, "metadata.jsonl", x->lines) && put_annotations(x) &&
           photo_zip_end(x->zip);
}

static void release(struct export *x)
{
    FILE *const files[] = {x->lines, x->images, x->annotations};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        if (files[i] != NULL)
            fclose(files[i]);
    photo_zip_free(x->zip);
    tdestroy(x->categories, free_category);
}

/* --- the request --- */

static bool read_asked(struct export *x, const struct query *q)
{
    static const char *const known[] = {"format", "split"};
    static const char *const splits[] = {"train", "validation", "test"};
    const char *format = query_get(q, "format");
    for (size_t i = 0; i < q->count; i++)
        if (strcmp(q->pairs[i].name, known[0]) != 0 && strcmp(q->pairs[i].name, known[1]) != 0)
            return api_error(&x->error, 400, "unknown_argument", q->pairs[i].name,
                             "an export of photos takes format and split");
    if (format == NULL || strcmp(format, "openai-vision") == 0)
        x->format = OPENAI_VISION;
    else if (strcmp(format, "image-folder") == 0)
        x->format = IMAGE_FOLDER;
    else
        return api_error(&x->error, 400, "invalid_format", "format",
                         "format must be openai-vision or image-folder");
    x->split = query_get(q, "split");
    for (size_t i = 0; i < sizeof splits / sizeof splits[0]; i++)
        if (x->split == NULL || strcmp(x->split, splits[i]) == 0)
            return true;
    return api_error(&x->error, 400, "invalid_split", "split",
                     "split must be train, validation or test; without it all are exported");
}

static bool write_head(struct export *x)
{
    char extra[160];
    bool is_folder = x->format == IMAGE_FOLDER;
    snprintf(
        extra, sizeof extra, "Content-Disposition: attachment; filename=\"food-photos%s%s.%s\"\r\n",
        x->split != NULL ? "-" : "", x->split != NULL ? x->split : "", is_folder ? "zip" : "jsonl");
    return request_begin(x->call->request, is_folder ? "application/zip" : "application/x-ndjson",
                         extra);
}

static void stream(struct export *x)
{
    struct request *r = x->call->request;
    bool good = write_head(x);
    if (good && strcmp(r->method, "HEAD") != 0)
        good = x->format == IMAGE_FOLDER ? put_folder(x) : put_photos(x);
    if (good) {
        request_finish(r);
        return;
    }
    if (x->error.status != 0)
        log_traced(LOG_WARN, r->request_id, r->trace_id, "export broken off: %s", x->error.message);
    request_abort(r);
}

static void export_photos(struct admin_call *c)
{
    struct export x = {.call = c};
    struct query query;
    if (!query_parse(&query, c->request->query)) {
        api_error(&x.error, 400, "invalid_query", "", "the query string cannot be read");
        request_fail(c->request, &x.error, NULL);
        return;
    }
    bool good = c->admin->config->photo_dir != NULL ||
                api_error(&x.error, 404, "photos_off", "", "photos are not taken here");
    if (good && read_asked(&x, &query)) {
        x.error.status = 0;
        stream(&x);
    } else {
        request_fail(c->request, &x.error, NULL);
    }
    release(&x);
    query_release(&query);
}

void route_photo_export(struct admin_call *c)
{
    export_apart(c, export_photos);
}
