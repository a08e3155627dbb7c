/* The spool on disk; see spool.h for its format and its rules. */
#include "spool.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/uuid.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#define SUFFIX ".spool"
#define CRC_TEXT 8
#define ANSWER_HEAD "{\"kind\":\"answer\",\"answer\":"
#define FEEDBACK_HEAD "{\"kind\":\"feedback\","
#define READ_CHUNK (256 * 1024)
#define LOG_BAD_MAX 5 /* bad lines of a file that are logged one by one */

struct spool {
    char *dir;
    int dir_fd;
    int64_t rotate_bytes;
    int64_t started_us; /* in file names: a pid alone comes back after a reboot */
    char host[64];
    pthread_mutex_t lock; /* guards the three below */
    int fd;               /* this process's file, -1 when none is open */
    int64_t length;       /* bytes of it that are known to be good */
    unsigned sequence;
    atomic_llong bytes;
};

struct spool_file {
    struct spool *spool;
    char *name;
    int fd;
    int corrupt_fd; /* -1 until the first bad line */
    size_t bad;     /* lines that could not be loaded */
    bool again;     /* after a rewind: bad lines are already in .corrupt */
    struct buf in;
    size_t start;   /* of the first unread byte in in */
    int64_t offset; /* in the file, of that byte */
    bool at_end;
};

/* --- lines --- */

static uint32_t checksum(const char *data, size_t len)
{
    return (uint32_t)crc32_z(0, (const Bytef *)data, len);
}

/* Puts the checksum of what follows it into the eight bytes left free at start, and ends the line.
 */
static bool seal_line(struct buf *out, size_t start)
{
    if (out->failed)
        return false;
    size_t json = start + CRC_TEXT + 1;
    char hex[CRC_TEXT + 1];
    snprintf(hex, sizeof hex, "%08x", (unsigned)checksum(out->data + json, out->len - json));
    memcpy(out->data + start, hex, CRC_TEXT);
    return buf_putc(out, '\n');
}

bool spool_answer_line(struct buf *out, const struct chat *chat)
{
    size_t start = out->len;
    buf_puts(out, "00000000 " ANSWER_HEAD);
    chat_to_json(chat, out);
    buf_putc(out, '}');
    return seal_line(out, start);
}

bool spool_feedback_line(struct buf *out, const char *event_id, const char *user_id,
                         const char *answer_id, const char *changes, bool issued, int64_t given_us)
{
    size_t start = out->len;
    char given_at[CLOCK_TEXT];
    if (!clock_text(given_us, given_at))
        return false;
    buf_printf(out, "00000000 " FEEDBACK_HEAD "\"event_id\":\"%s\",\"user_id\":", event_id);
    buf_json_string(out, user_id, strlen(user_id));
    buf_puts(out, ",\"answer_id\":");
    buf_json_string(out, answer_id, strlen(answer_id));
    buf_puts(out, ",\"changes\":");
    for (const char *p = changes; *p != '\0'; p++)
        buf_putc(out, *p == '\n' || *p == '\r' ? ' ' : *p);
    buf_printf(out, ",\"issued\":%s,\"given_at\":\"%s\"}", issued ? "true" : "false", given_at);
    return seal_line(out, start);
}

/* Checks a line without its newline; fills in kind and JSON. */
static bool read_line(char *line, size_t len, struct spool_line *out)
{
    if (len < CRC_TEXT + 2 || line[CRC_TEXT] != ' ')
        return false;
    char *json = line + CRC_TEXT + 1;
    size_t json_len = len - CRC_TEXT - 1;
    char hex[CRC_TEXT + 1];
    snprintf(hex, sizeof hex, "%08x", (unsigned)checksum(json, json_len));
    if (memcmp(hex, line, CRC_TEXT) != 0)
        return false;

    size_t head = strlen(ANSWER_HEAD);
    if (json_len > head + 1 && memcmp(json, ANSWER_HEAD, head) == 0 && json[json_len - 1] == '}') {
        out->kind = SPOOL_ANSWER;
        out->json = json + head;
        out->len = json_len - head - 1;
        json[json_len - 1] = '\0';
        return true;
    }
    head = strlen(FEEDBACK_HEAD);
    if (json_len > head && memcmp(json, FEEDBACK_HEAD, head) == 0) {
        out->kind = SPOOL_FEEDBACK;
        out->json = json;
        out->len = json_len;
        return true;
    }
    return false;
}

/* --- the directory --- */

/* mkdir -p; the last directory is for its owner only, because it holds what people wrote. */
static bool make_dir(const char *dir)
{
    char path[PATH_MAX];
    size_t len = strlen(dir);
    if (len == 0 || len >= sizeof path) {
        errno = len == 0 ? ENOENT : ENAMETOOLONG;
        return false;
    }
    memcpy(path, dir, len + 1);
    for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(path, 0755) != 0 && errno != EEXIST)
            return false;
        *slash = '/';
    }
    return mkdir(path, 0700) == 0 || errno == EEXIST;
}

struct spool *spool_open(const char *dir, int64_t rotate_bytes)
{
    struct spool *s = calloc(1, sizeof *s);
    if (s == NULL)
        return NULL;
    s->fd = s->dir_fd = -1;
    s->rotate_bytes = rotate_bytes;
    s->started_us = clock_wall_us();
    pthread_mutex_init(&s->lock, NULL);
    if (gethostname(s->host, sizeof s->host) != 0)
        s->host[0] = '\0';
    s->host[sizeof s->host - 1] = '\0';
    for (char *p = s->host; *p != '\0'; p++)
        if (*p == '/')
            *p = '_';

    s->dir = strdup(dir);
    if (s->dir == NULL)
        goto fail;
    if (make_dir(dir))
        s->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (s->dir_fd < 0 || faccessat(s->dir_fd, ".", W_OK | X_OK, AT_EACCESS) != 0) {
        log_error("spool", "cannot use the spool directory %s: %s", dir, strerror(errno));
        goto fail;
    }
    return s;

fail:
    spool_close(s);
    return NULL;
}

void spool_close(struct spool *s)
{
    if (s == NULL)
        return;
    spool_rotate(s);
    if (s->dir_fd >= 0)
        close(s->dir_fd);
    pthread_mutex_destroy(&s->lock);
    free(s->dir);
    free(s);
}

int64_t spool_bytes(const struct spool *s)
{
    return atomic_load(&s->bytes);
}

/* --- writing --- */

/* Closing also unlocks: from here on any loader may take the file. */
static void give_up_file(struct spool *s)
{
    if (s->fd >= 0)
        close(s->fd);
    s->fd = -1;
    s->length = 0;
}

void spool_rotate(struct spool *s)
{
    pthread_mutex_lock(&s->lock);
    give_up_file(s);
    pthread_mutex_unlock(&s->lock);
}

/* Begins a file. A loader may see it before it is locked, find it empty and remove it: then it has
 * no link any more, and the next name is tried. */
static bool begin_file(struct spool *s)
{
    char name[NAME_MAX + 1];
    for (int tries = 0; tries < 100; tries++) {
        snprintf(name, sizeof name, "%016llx-%s-%ld-%06u" SUFFIX, (unsigned long long)s->started_us,
                 s->host, (long)getpid(), s->sequence++);
        int fd = openat(s->dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600);
        if (fd < 0 && errno == EEXIST)
            continue;
        if (fd < 0) {
            log_error("spool", "cannot make %s/%s: %s", s->dir, name, strerror(errno));
            return false;
        }
        struct stat st;
        if (flock(fd, LOCK_EX | LOCK_NB) != 0 || fstat(fd, &st) != 0 || st.st_nlink == 0) {
            close(fd);
            continue;
        }
        if (fsync(s->dir_fd) != 0) {
            log_error("spool", "cannot sync %s: %s", s->dir, strerror(errno));
            unlinkat(s->dir_fd, name, 0);
            close(fd);
            return false;
        }
        s->fd = fd;
        s->length = 0;
        return true;
    }
    log_error("spool", "cannot make a file in %s: every name was taken", s->dir);
    return false;
}

static bool write_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, data, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            if (n == 0)
                errno = ENOSPC;
            return false;
        }
        data += n;
        len -= (size_t)n;
    }
    return true;
}

/* Cuts off what a failed append has left. A file of which that, or a sync, failed is not written to
 * again: nobody knows what of it is on the disk. */
static void take_back(struct spool *s, bool written)
{
    bool cut = ftruncate(s->fd, s->length) == 0;
    if (!cut)
        log_error("spool", "cannot cut a torn line from a file in %s: %s", s->dir, strerror(errno));
    if (written || !cut)
        give_up_file(s);
}

bool spool_append(struct spool *s, const char *lines, size_t len)
{
    bool good = false;
    pthread_mutex_lock(&s->lock);
    if (s->fd >= 0 && s->length >= s->rotate_bytes)
        give_up_file(s);
    if (s->fd < 0 && !begin_file(s))
        goto out;

    bool written = write_all(s->fd, lines, len);
    good = written && fdatasync(s->fd) == 0;
    if (good) {
        s->length += (int64_t)len;
        atomic_fetch_add(&s->bytes, (long long)len);
    } else {
        log_error("spool", "cannot write %zu bytes to %s: %s", len, s->dir, strerror(errno));
        take_back(s, written);
    }
out:
    pthread_mutex_unlock(&s->lock);
    return good;
}

/* --- reading --- */

static bool is_spool_name(const char *name)
{
    size_t len = strlen(name), suffix = strlen(SUFFIX);
    return len > suffix && strcmp(name + len - suffix, SUFFIX) == 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

bool spool_scan(struct spool *s, struct spool_names *out)
{
    *out = (struct spool_names){0};
    /* A new description: rewinding a dup would move the position of another thread's scan. */
    int fd = openat(s->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
    if (d == NULL) {
        log_error("spool", "cannot read %s: %s", s->dir, strerror(errno));
        if (fd >= 0)
            close(fd);
        return false;
    }
    size_t room = 0;
    long long bytes = 0;
    struct stat st;
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        if (!is_spool_name(e->d_name) ||
            fstatat(s->dir_fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(st.st_mode))
            continue;
        if (out->count == room) {
            size_t more = room ? room * 2 : 16;
            char **names = realloc(out->names, more * sizeof *names);
            if (names == NULL)
                break;
            out->names = names;
            room = more;
        }
        char *name = strdup(e->d_name);
        if (name == NULL)
            break;
        out->names[out->count++] = name;
        bytes += st.st_size;
    }
    closedir(d);
    if (out->count > 1)
        qsort(out->names, out->count, sizeof *out->names, by_name);
    atomic_store(&s->bytes, bytes);
    return true;
}

void spool_names_release(struct spool_names *n)
{
    for (size_t i = 0; i < n->count; i++)
        free(n->names[i]);
    free(n->names);
    *n = (struct spool_names){0};
}

struct spool_file *spool_take(struct spool *s, const char *name)
{
    int fd = openat(s->dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        if (errno != ENOENT)
            log_error("spool", "cannot open %s/%s: %s", s->dir, name, strerror(errno));
        return NULL;
    }
    struct stat st;
    struct spool_file *f = NULL;
    /* No link: another loader has loaded and removed it while this one waited to look. */
    if (flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(fd, &st) == 0 && st.st_nlink > 0)
        f = calloc(1, sizeof *f);
    if (f != NULL && (f->name = strdup(name)) == NULL) {
        free(f);
        f = NULL;
    }
    if (f == NULL) {
        close(fd);
        return NULL;
    }
    f->spool = s;
    f->fd = fd;
    f->corrupt_fd = -1;
    buf_init(&f->in, SPOOL_LINE_MAX + READ_CHUNK);
    return f;
}

const char *spool_file_name(const struct spool_file *f)
{
    return f->name;
}

void spool_rewind(struct spool_file *f)
{
    buf_clear(&f->in);
    f->start = 0;
    f->offset = 0;
    f->at_end = false;
    f->again = true;
}

/* Copies bytes to <file>.corrupt, which is begun anew by each taking: only the holder of the lock
 * writes it, and it meets the same bad lines again. */
static bool keep_corrupt(struct spool_file *f, const char *data, size_t len)
{
    if (f->corrupt_fd < 0) {
        char name[NAME_MAX + 1];
        snprintf(name, sizeof name, "%s.corrupt", f->name);
        f->corrupt_fd =
            openat(f->spool->dir_fd, name,
                   O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    }
    if (f->corrupt_fd >= 0 && write_all(f->corrupt_fd, data, len) &&
        write_all(f->corrupt_fd, "\n", 1))
        return true;
    log_error("spool", "cannot keep a bad line of %s: %s", f->name, strerror(errno));
    return false;
}

bool spool_set_aside(struct spool_file *f, const char *json, size_t len)
{
    return keep_corrupt(f, json, len);
}

/* Makes more of the file available. False at its end; *failed when it cannot be read. */
static bool read_more(struct spool_file *f, bool *failed)
{
    if (f->start > 0) {
        buf_consume(&f->in, f->start);
        f->start = 0;
    }
    if (!buf_reserve(&f->in, READ_CHUNK)) {
        *failed = true;
        log_error("spool", "cannot read %s: no memory for a line of %zu bytes", f->name, f->in.len);
        return false;
    }
    ssize_t n;
    do
        n = pread(f->fd, f->in.data + f->in.len, READ_CHUNK - 1, f->offset + (int64_t)f->in.len);
    while (n < 0 && errno == EINTR);
    if (n < 0) {
        *failed = true;
        log_error("spool", "cannot read %s: %s", f->name, strerror(errno));
        return false;
    }
    f->in.len += (size_t)n;
    f->in.data[f->in.len] = '\0';
    return n > 0;
}

enum spool_read spool_next(struct spool_file *f, struct spool_line *line)
{
    size_t searched = 0; /* bytes after start known to hold no newline */
    for (;;) {
        char *from = f->in.data != NULL ? f->in.data + f->start : NULL;
        size_t have = f->in.len - f->start;
        char *newline = have > searched ? memchr(from + searched, '\n', have - searched) : NULL;
        bool over = have >= SPOOL_LINE_MAX;
        if (newline == NULL && !f->at_end && !over) {
            bool failed = false;
            searched = have;
            if (!read_more(f, &failed)) {
                if (failed)
                    return SPOOL_READ_FAILED;
                f->at_end = true;
            }
            continue;
        }
        if (have == 0)
            return SPOOL_READ_END;
        size_t len = newline != NULL ? (size_t)(newline - from) : have;
        size_t step = newline != NULL ? len + 1 : len;
        f->start += step;
        f->offset += (int64_t)step;
        searched = 0;
        from[len] = '\0';
        if (read_line(from, len, line))
            return SPOOL_READ_LINE;
        if (f->again)
            continue;
        if (f->bad++ < LOG_BAD_MAX)
            log_error("spool", "%s line at byte %lld of %s (%zu bytes) is kept in %s.corrupt",
                      newline != NULL ? "corrupt" : "torn", (long long)(f->offset - (int64_t)step),
                      f->name, len, f->name);
        if (!keep_corrupt(f, from, len))
            return SPOOL_READ_FAILED;
    }
}

void spool_give_back(struct spool_file *f)
{
    if (f->corrupt_fd >= 0)
        close(f->corrupt_fd);
    close(f->fd);
    buf_release(&f->in);
    free(f->name);
    free(f);
}

bool spool_remove(struct spool_file *f)
{
    struct spool *s = f->spool;
    if (f->bad > LOG_BAD_MAX)
        log_error("spool", "%zu bad lines in %s", f->bad, f->name);
    bool good = f->corrupt_fd < 0 || (fsync(f->corrupt_fd) == 0 && fsync(s->dir_fd) == 0);
    good = good && unlinkat(s->dir_fd, f->name, 0) == 0 && fsync(s->dir_fd) == 0;
    if (!good)
        log_error("spool", "cannot remove %s/%s: %s", s->dir, f->name, strerror(errno));
    spool_give_back(f);
    return good;
}
