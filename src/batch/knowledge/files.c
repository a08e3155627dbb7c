/* The files of a directory of knowledge; see files.h. */
#include "files.h"

#include "common/json.h"
#include "common/utf8.h"
#include "document.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool fail(struct files *f, const char *name, const char *reason)
{
    snprintf(f->reason, sizeof f->reason, "%.120s: %s", name, reason);
    return false;
}

/* Opens a path below a directory, one name after the other, so that no link leads out of it, even
 * one that is put there meanwhile. -1 with errno. */
static int open_below(int root, const char *path, int flags)
{
    char name[NAME_MAX + 1];
    int at = dup(root);
    while (at >= 0) {
        path += strspn(path, "/");
        size_t len = strcspn(path, "/");
        const char *rest = path + len + strspn(path + len, "/");
        if (len == 0)
            return at;
        if (len > NAME_MAX || (len == 2 && memcmp(path, "..", 2) == 0)) {
            close(at);
            errno = len > NAME_MAX ? ENAMETOOLONG : EXDEV;
            return -1;
        }
        memcpy(name, path, len);
        name[len] = '\0';
        bool is_last = *rest == '\0';
        int next = openat(at, name,
                          O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK |
                              (is_last ? flags : O_DIRECTORY));
        int wrong = errno;
        close(at);
        errno = wrong;
        at = next;
        path = rest;
        if (is_last)
            break;
    }
    return at;
}

bool files_add(struct files *f, const char *name)
{
    if (f->count == f->room) {
        size_t room = f->room > 0 ? 2 * f->room : 64;
        char **more = realloc(f->names, room * sizeof *more);
        if (more == NULL)
            return fail(f, name, "out of memory");
        f->names = more;
        f->room = room;
    }
    f->names[f->count] = strdup(name);
    if (f->names[f->count] == NULL)
        return fail(f, name, "out of memory");
    f->count++;
    return true;
}

/* A name for people: what is no UTF-8 in it as \xe9, so that two that differ show so. */
static void show(const char *name, char *out, size_t room)
{
    size_t len = strlen(name), at = 0;
    for (size_t i = 0, n; i < len && at + 4 < room; i += n) {
        n = (unsigned char)name[i] < 0x80 ? 1 : utf8_sequence(name + i, len - i);
        if (n > 0) {
            memcpy(out + at, name + i, n);
            at += n;
        } else {
            at += (size_t)snprintf(out + at, room - at, "\\x%02x", (unsigned char)name[i]);
            n = 1;
        }
    }
    out[at] = '\0';
}

void files_add_problem(struct files *f, const char *name, const char *reason)
{
    if (f->problems == NULL)
        f->problems = calloc(FILES_PROBLEMS_MAX, sizeof *f->problems);
    if (f->problems != NULL && f->problem_count < FILES_PROBLEMS_MAX) {
        struct files_problem *p = &f->problems[f->problem_count];
        show(name, p->name, sizeof p->name);
        utf8_copy(p->reason, sizeof p->reason, reason);
    }
    f->problem_count++;
}

/* True, so that the rest goes in. */
static bool leave_out(struct files *f, const char *name, const char *reason)
{
    f->is_partial = true;
    files_add_problem(f, name, reason);
    return true;
}

static bool list(struct files *f, int directory, const char *prefix, int depth);

/* The directory name, of len bytes, whose last part is entry. */
static bool look_below(struct files *f, int directory, const char *name, size_t len,
                       const char *entry, int depth)
{
    char prefix[FILES_NAME_MAX + 2];
    if (depth == FILES_DEPTH_MAX)
        return leave_out(f, name, "too many directories inside one another");
    int below = openat(directory, entry, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (below < 0)
        return leave_out(f, name, strerror(errno));
    snprintf(prefix, sizeof prefix, "%.*s/", (int)len, name);
    return list(f, below, prefix, depth + 1);
}

/* One entry of a directory. */
static bool look_at(struct files *f, int directory, const char *prefix, const char *entry,
                    int depth)
{
    char name[FILES_NAME_MAX + NAME_MAX + 2];
    struct stat st;
    size_t len = (size_t)snprintf(name, sizeof name, "%s%s", prefix, entry);
    if (fstatat(directory, entry, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return errno == ENOENT || leave_out(f, name, strerror(errno));
    if (!S_ISDIR(st.st_mode) &&
        (!S_ISREG(st.st_mode) || document_format_of_name(entry) == DOCUMENT_UNKNOWN)) {
        f->skipped++;
        return true;
    }
    if (!json_utf8_valid(entry, strlen(entry))) { /* it never was imported: nothing is hidden */
        files_add_problem(f, name, "its name is not UTF-8: rename it");
        return true;
    }
    if (len > FILES_NAME_MAX)
        return leave_out(f, name, "its name with its directories is too long");
    if (S_ISDIR(st.st_mode))
        return look_below(f, directory, name, len, entry, depth);
    if (f->count == FILES_MAX)
        return fail(f, name, "more than 100000 files; import parts of the directory");
    return files_add(f, name);
}

/* The next one of a directory; NULL at its end, with errno where that is none. */
static struct dirent *next_entry(DIR *d)
{
    errno = 0;
    return readdir(d);
}

/* Takes the descriptor over. */
static bool list(struct files *f, int directory, const char *prefix, int depth)
{
    struct dirent *entry;
    bool good = true;
    DIR *d = fdopendir(directory);
    if (d == NULL) {
        close(directory);
        return fail(f, prefix, strerror(errno));
    }
    while (good && (entry = next_entry(d)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (entry->d_name[0] == '.')
            f->skipped++;
        else
            good = look_at(f, dirfd(d), prefix, entry->d_name, depth);
    }
    if (good && errno != 0)
        good = leave_out(f, *prefix != '\0' ? prefix : ".", strerror(errno));
    closedir(d);
    return good;
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void files_sort(struct files *f)
{
    size_t kept = 0;
    if (f->count > 0)
        qsort(f->names, f->count, sizeof *f->names, compare);
    for (size_t i = 0; i < f->count; i++) {
        if (kept > 0 && strcmp(f->names[kept - 1], f->names[i]) == 0)
            free(f->names[i]);
        else
            f->names[kept++] = f->names[i];
    }
    f->count = kept;
}

/* A descriptor of the path; -1 with the reason. */
static int open_path(struct files *f, const char *path, const char *below)
{
    int fd;
    if (below == NULL) {
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    } else {
        size_t len = strlen(below);
        while (len > 1 && below[len - 1] == '/')
            len--;
        if (strncmp(path, below, len) != 0 || (path[len] != '/' && path[len] != '\0')) {
            fail(f, path, "only what is in UPLIFT_KNOWLEDGE_DIR is imported by URL");
            return -1;
        }
        int root = open(below, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        fd = root >= 0 ? open_below(root, path + len, 0) : -1;
        int wrong = errno;
        if (root >= 0)
            close(root);
        errno = wrong;
    }
    if (fd < 0)
        fail(f, path,
             errno == ELOOP || errno == EXDEV ? "links are not followed" : strerror(errno));
    return fd;
}

/* The file that is open, which stays the one that is read whatever its name becomes meanwhile.
 * Takes the descriptor over. */
static bool take_single(struct files *f, int fd, const char *path)
{
    char link[64], real[PATH_MAX + 1];
    f->root = fd;
    f->is_single = true;
    /* As it is called where it really is, whatever links led there. */
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, real, sizeof real - 1);
    if (n <= 0)
        return fail(f, path, "could not be found");
    real[n] = '\0';
    const char *name = strrchr(real, '/');
    if (name == NULL)
        return fail(f, path, "could not be found");
    if (!json_utf8_valid(name, strlen(name)))
        return fail(f, path, "its name is not UTF-8: rename it");
    return files_add(f, name + 1);
}

bool files_open(struct files *f, const char *path, const char *below)
{
    struct stat st;
    *f = (struct files){.root = -1};
    int fd = open_path(f, path, below);
    if (fd < 0)
        return false;
    if (fstat(fd, &st) != 0) {
        close(fd);
        return fail(f, path, strerror(errno));
    }
    if (S_ISDIR(st.st_mode)) {
        f->root = fd;
        int own = dup(fd);
        if (own < 0)
            return fail(f, path, strerror(errno));
        if (!list(f, own, "", 0))
            return false;
        files_sort(f);
        return true;
    }
    if (S_ISREG(st.st_mode))
        return take_single(f, fd, path);
    close(fd);
    return fail(f, path, "it is neither a file nor a directory");
}

void files_release(struct files *f)
{
    for (size_t i = 0; i < f->count; i++)
        free(f->names[i]);
    free(f->names);
    free(f->problems);
    if (f->root >= 0)
        close(f->root);
    *f = (struct files){.root = -1};
}

bool files_have(const struct files *f, const char *name)
{
    return f->count > 0 && bsearch(&name, f->names, f->count, sizeof *f->names, compare) != NULL;
}

bool files_read(const struct files *f, size_t i, struct buf *out, char *reason)
{
    struct stat st;
    char too_large[64];
    const char *wrong = NULL;
    ssize_t n = 0;
    off_t from = (off_t)out->len;
    int fd = f->is_single ? dup(f->root) : open_below(f->root, f->names[i], 0);
    snprintf(too_large, sizeof too_large, "it is larger than %zu MB", out->max >> 20);
    if (fd < 0 || fstat(fd, &st) != 0)
        wrong = strerror(errno);
    else if (!S_ISREG(st.st_mode))
        wrong = "it is no file";
    else if (st.st_size > (off_t)out->max)
        wrong = too_large;
    else if (st.st_size == 0)
        wrong = "it is empty";
    while (wrong == NULL) {
        char chunk[65536];
        n = pread(fd, chunk, sizeof chunk, (off_t)out->len - from);
        if (n <= 0 || !buf_append(out, chunk, (size_t)n))
            break;
    }
    if (wrong == NULL && n < 0)
        wrong = strerror(errno);
    if (wrong == NULL && out->failed)
        wrong = too_large;
    if (fd >= 0)
        close(fd);
    if (wrong != NULL)
        snprintf(reason, 200, "%s", wrong);
    return wrong == NULL;
}
