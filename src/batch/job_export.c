/*
 * export-dataset: writes a dataset into UPLIFT_EXPORT_DIR, under a temporary name until it is
 * whole.
 *
 * Now and then the file is brought to disk and its size kept: whoever goes on with the job cuts
 * what came after off and goes on from there, if the examples are still the same. Compressed files
 * are a row of gzip members, one for each such piece, which gunzip reads as one.
 */
#include "common/clock.h"
#include "common/json.h"
#include "common/log.h"
#include "export.h"
#include "kinds.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#define KEEP_BYTES (32LL << 20) /* written between two keepings, before compression */
#define OUT_BYTES ((size_t)256 * 1024)
#define NAME_MAX_BYTES 120

const struct job_argument export_dataset_arguments[] = {
    {"dataset_id", ARG_UUID, false, NULL, "The dataset, as it is now."},
    {"dataset_version_id", ARG_UUID, false, NULL, "Or a frozen version."},
    {"dataset", ARG_TEXT, false, NULL, "Or a dataset, by its name."},
    {"format", ARG_TEXT, false, FORMAT_NAMES, "What the trainer reads; openai unless said."},
    {"split", ARG_TEXT, false, "train|validation|test", "One side of it; all unless said."},
    {"min_quality", ARG_NUMBER, false, NULL, "Only examples of this quality, 0 to 10, or better."},
    {"gzip", ARG_BOOL, false, NULL, "Compress it."},
    {"name", ARG_TEXT, false, NULL, "Name of the file; made of all this unless said."},
    {"if_possible", ARG_BOOL, false, NULL,
     "Too few examples are no failure: the result says that nothing was exported."},
    {NULL, ARG_TEXT, false, NULL, NULL},
};

/* An export on its way to its file. */
struct file {
    struct job *job;
    const struct export_result *result;
    char path[4200], part[4300]; /* at the end, and until then */
    int fd;
    bool gzip;
    z_stream z;
    bool z_open;
    struct buf out;
    int64_t lines, lines_before; /* in the file; of those, by an earlier runner */
    int64_t bytes;               /* of the file, kept and not */
    int64_t unkept;              /* uncompressed bytes since the last keeping */
    enum job_outcome outcome;    /* when the sink says stop */
};

/* --- writing --- */

static bool write_failed(struct file *f, const char *what)
{
    const char *advice = errno == ENOSPC || errno == EDQUOT
                             ? ": make room in UPLIFT_EXPORT_DIR, and run it again"
                             : "";
    f->outcome = job_fail(f->job, errno == ENOSPC ? "disk_full" : "cannot_write",
                          "could not %s %s: %s%s", what, f->part, strerror(errno), advice);
    return false;
}

static bool write_out(struct file *f)
{
    size_t at = 0;
    while (at < f->out.len) {
        ssize_t n = write(f->fd, f->out.data + at, f->out.len - at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return write_failed(f, "write");
        at += (size_t)n;
    }
    f->bytes += (int64_t)f->out.len;
    buf_clear(&f->out);
    return true;
}

/* Compresses text into the buffer; how is Z_NO_FLUSH or Z_FINISH, which ends the member. */
static bool deflate_into(struct file *f, const char *text, size_t len, int how)
{
    if (!f->z_open) {
        f->z = (z_stream){.next_in = NULL};
        /* 16 + 15: a gzip header, and the largest window. */
        if (deflateInit2(&f->z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 16 + 15, 8,
                         Z_DEFAULT_STRATEGY) != Z_OK) {
            f->outcome = job_retry(f->job, "out_of_memory", "out of memory");
            return false;
        }
        f->z_open = true;
    }
    f->z.next_in = (Bytef *)(uintptr_t)text; /* zlib does not write to it */
    f->z.avail_in = (uInt)len;
    int state;
    do {
        char chunk[16384];
        f->z.next_out = (Bytef *)chunk;
        f->z.avail_out = sizeof chunk;
        state = deflate(&f->z, how);
        size_t made = sizeof chunk - f->z.avail_out;
        if (f->out.len + made > OUT_BYTES && !write_out(f))
            return false;
        buf_append(&f->out, chunk, made);
    } while (f->z.avail_out == 0);
    if (state == Z_STREAM_END) {
        deflateEnd(&f->z);
        f->z_open = false;
    }
    return true;
}

static bool write_text(struct file *f, const char *text, size_t len)
{
    if (f->gzip)
        return deflate_into(f, text, len, Z_NO_FLUSH);
    if (f->out.len + len > OUT_BYTES && !write_out(f))
        return false;
    if (len <= OUT_BYTES)
        return buf_append(&f->out, text, len);
    while (len > 0) { /* longer than the buffer */
        size_t n = len < OUT_BYTES ? len : OUT_BYTES;
        buf_append(&f->out, text, n);
        if (!write_out(f))
            return false;
        text += n;
        len -= n;
    }
    return true;
}

/* Brings all to disk and notes how far that is. */
static bool keep(struct file *f)
{
    if (f->gzip && f->z_open && !deflate_into(f, NULL, 0, Z_FINISH))
        return false;
    if (!write_out(f))
        return false;
    if (fdatasync(f->fd) != 0)
        return write_failed(f, "bring to disk");
    cJSON *state = f->job->state;
    cJSON_DeleteItemFromObjectCaseSensitive(state, "bytes");
    cJSON_DeleteItemFromObjectCaseSensitive(state, "lines");
    cJSON_AddNumberToObject(state, "bytes", (double)f->bytes);
    cJSON_AddNumberToObject(state, "lines", (double)f->lines);
    f->unkept = 0;
    f->outcome = JOB_STOPPED;
    return job_save(f->job);
}

static bool take_line(void *arg, const char *line, size_t len)
{
    struct file *f = arg;
    if (!write_text(f, line, len))
        return false;
    f->lines++;
    f->unkept += (int64_t)len;
    if (f->unkept >= KEEP_BYTES && !keep(f))
        return false;
    f->outcome = JOB_STOPPED;
    return f->lines % 1000 != 0 || job_progress(f->job, f->lines, f->result->announced,
                                                "%" PRId64 " MB written", f->bytes >> 20);
}

/* --- its name --- */

static bool is_name(const char *text)
{
    size_t len = strlen(text);
    if (len == 0 || len > NAME_MAX_BYTES || *text == '.')
        return false;
    return strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == len;
}

/* The dataset's name as part of a file's. */
static void write_slug(char *out, size_t room, const char *text)
{
    size_t len = 0;
    for (; *text != '\0' && len + 1 < room && len < 60; text++) {
        bool plain = (*text >= 'a' && *text <= 'z') || (*text >= '0' && *text <= '9');
        bool capital = *text >= 'A' && *text <= 'Z';
        if (plain || capital)
            out[len++] = (char)(capital ? *text + 32 : *text);
        else if (len > 0 && out[len - 1] != '-')
            out[len++] = '-';
    }
    while (len > 0 && out[len - 1] == '-')
        len--;
    out[len] = '\0';
}

static bool name_file(struct file *f, const struct export_request *r, const char *dataset_name)
{
    char made[200], slug[64];
    const char *name = json_string(f->job->arguments, "name");
    if (name == NULL) {
        write_slug(slug, sizeof slug, dataset_name);
        snprintf(made, sizeof made, "%s-%.8s-%s%s%s.jsonl%s", *slug != '\0' ? slug : "dataset",
                 f->job->id + UUID_TEXT - 8, format_name(r->format), r->split != NULL ? "-" : "",
                 r->split != NULL ? r->split : "", f->gzip ? ".gz" : "");
        name = made;
    } else if (!is_name(name)) {
        f->outcome = job_fail(f->job, "invalid_name",
                              "name must be a file's name of at most %d letters, digits, dots, "
                              "hyphens and underscores, and not begin with a dot",
                              NAME_MAX_BYTES);
        return false;
    }
    snprintf(f->path, sizeof f->path, "%s/%s", f->job->config->export_dir, name);
    /* Of this job alone, and hidden. */
    snprintf(f->part, sizeof f->part, "%s/.%s.part", f->job->config->export_dir, f->job->id);
    return true;
}

/* --- what is exported --- */

/* Finds the dataset and its name; false with the outcome. */
static bool find_target(struct job *j, struct export_request *r, char *name, size_t room,
                        enum job_outcome *outcome)
{
    static const struct pg_statement statement = {
        .name = "export_target",
        .sql = "select id, dataset_name from uplift_batch.export_target($1, $2)",
        .params = 2};
    const char *id = json_string(j->arguments, "dataset_id");
    const char *version = json_string(j->arguments, "dataset_version_id");
    const char *dataset = json_string(j->arguments, "dataset");
    PGresult *row;
    if ((id != NULL) + (version != NULL) + (dataset != NULL) != 1) {
        *outcome = job_fail(j, "missing_argument",
                            "one of dataset_id, dataset_version_id and dataset is needed");
        return false;
    }
    if (!job_query(j, &statement, (const char *[]){id != NULL ? id : version, dataset}, &row,
                   outcome))
        return false;
    snprintf(r->target, sizeof r->target, "%s", PQgetvalue(row, 0, 0));
    snprintf(name, room, "%s", PQgetvalue(row, 0, 1));
    PQclear(row);
    return true;
}

/* Opens the file where it was left, or anew when the examples are others by now. */
static bool open_file(struct file *f, struct export_request *r)
{
    cJSON *state = f->job->state;
    const char *etag = json_string(state, "etag");
    struct stat st;
    int64_t bytes = 0;
    f->fd = open(f->part, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (f->fd < 0)
        return write_failed(f, "open");
    if (etag != NULL && strcmp(etag, f->result->etag) == 0 && fstat(f->fd, &st) == 0 &&
        st.st_size >= (off_t)json_number(state, "bytes", 0)) {
        bytes = (int64_t)json_number(state, "bytes", 0);
        f->lines = f->lines_before = (int64_t)json_number(state, "lines", 0);
    }
    if (ftruncate(f->fd, bytes) != 0 || lseek(f->fd, bytes, SEEK_SET) < 0)
        return write_failed(f, "open");
    f->bytes = bytes;
    r->skip = f->lines;
    cJSON_DeleteItemFromObjectCaseSensitive(state, "etag");
    cJSON_AddStringToObject(state, "etag", f->result->etag);
    return keep(f);
}

/* sha256 of the whole file, in hex. */
static bool hash_file(struct file *f, char out[65])
{
    unsigned char digest[EVP_MAX_MD_SIZE], *chunk = malloc(OUT_BYTES);
    unsigned len = 0;
    ssize_t n = 0;
    off_t at = 0;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool good = chunk != NULL && ctx != NULL && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1;
    while (good && (n = pread(f->fd, chunk, OUT_BYTES, at)) > 0) {
        good = EVP_DigestUpdate(ctx, chunk, (size_t)n) == 1 && job_goes_on(f->job, 0);
        at += n;
    }
    good = good && n == 0 && EVP_DigestFinal_ex(ctx, digest, &len) == 1;
    for (unsigned i = 0; good && i < len; i++)
        snprintf(out + 2 * (size_t)i, 3, "%02x", digest[i]);
    EVP_MD_CTX_free(ctx);
    free(chunk);
    f->outcome = JOB_STOPPED;
    return good;
}

/* Gives the file its name, for good. */
static bool publish(struct file *f)
{
    char hash[65];
    if (!keep(f) || !hash_file(f, hash))
        return false;
    int dir = open(f->job->config->export_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool good = rename(f->part, f->path) == 0 && dir >= 0 && fsync(dir) == 0;
    if (dir >= 0)
        close(dir);
    if (!good)
        return write_failed(f, "rename");
    cJSON *result = f->job->result;
    cJSON_AddBoolToObject(result, "exported", true);
    cJSON_AddStringToObject(result, "path", f->path);
    cJSON_AddNumberToObject(result, "examples", (double)f->lines);
    cJSON_AddNumberToObject(result, "tokens", (double)f->result->announced_tokens);
    cJSON_AddNumberToObject(result, "bytes", (double)f->bytes);
    cJSON_AddStringToObject(result, "sha256", hash);
    cJSON_AddNumberToObject(result, "missing", (double)f->result->missing);
    cJSON_AddNumberToObject(result, "left_out", (double)f->result->left_out);
    if (f->result->left_out > 0)
        cJSON_AddStringToObject(result, "why_left_out", f->result->why_left_out);
    f->outcome = JOB_DONE;
    return true;
}

/* What a job does about an export that was not begun or broke off. */
static enum job_outcome not_exported(struct job *j, enum export_outcome outcome,
                                     const struct api_error *error)
{
    static const char *const too_few[] = {"empty_dataset", "empty_split", "too_few_examples",
                                          "dataset_not_found"};
    if (outcome == EXPORT_AWAY)
        return job_retry(j, error->code, "%s", error->message);
    for (size_t i = 0; i < sizeof too_few / sizeof too_few[0]; i++) {
        if (strcmp(too_few[i], error->code) == 0 && json_bool(j->arguments, "if_possible", false)) {
            cJSON_AddBoolToObject(j->result, "exported", false);
            cJSON_AddStringToObject(j->result, "reason", error->message);
            return JOB_DONE;
        }
    }
    return job_fail(j, error->code, "%s", error->message);
}

static void close_file(struct file *f)
{
    if (f->z_open)
        deflateEnd(&f->z);
    buf_release(&f->out);
    if (f->fd >= 0)
        close(f->fd);
    /* What is tried again, or given back, goes on with it. */
    bool is_over = f->outcome == JOB_FAILED ||
                   (f->outcome == JOB_STOPPED && (job_stop_reason(f->job) == JOB_CANCELLED ||
                                                  job_stop_reason(f->job) == JOB_TIMED_OUT));
    if (is_over && *f->part != '\0')
        unlink(f->part);
}

enum job_outcome job_export_dataset(struct job *j)
{
    struct export_request request = {.split = json_string(j->arguments, "split"),
                                     .min_quality = json_number(j->arguments, "min_quality", 0)};
    struct export_result result;
    struct api_error error;
    struct file f = {.job = j, .result = &result, .fd = -1};
    const char *format = json_string(j->arguments, "format");
    char dataset_name[256];
    enum job_outcome outcome;
    if (format != NULL && !format_find(format, &request.format))
        return job_fail(j, "invalid_format", "format must be one of %s", FORMAT_NAMES);
    if (!find_target(j, &request, dataset_name, sizeof dataset_name, &outcome)) {
        if (outcome != JOB_FAILED)
            return outcome;
        error = j->error;
        return not_exported(j, EXPORT_REFUSED, &error);
    }
    enum export_outcome looked = export_look(j->pg, &request, &result, &error);
    if (looked != EXPORT_DONE)
        return not_exported(j, looked, &error);
    f.gzip = json_bool(j->arguments, "gzip", false);
    buf_init(&f.out, 2 * OUT_BYTES);
    if (name_file(&f, &request, dataset_name) && open_file(&f, &request)) {
        enum export_outcome done = export_lines(j->pg, &request, take_line, &f, &result, &error);
        if (done == EXPORT_DONE)
            publish(&f);
        else if (done != EXPORT_STOPPED)
            f.outcome = not_exported(j, done, &error);
    }
    if (f.outcome == JOB_DONE)
        job_progress(j, f.lines, f.lines, "%s", f.path);
    close_file(&f);
    return f.outcome;
}
