/* Small files that keep what was last known; see kept_file.h. */
#include "kept_file.h"

#include "buf.h"
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX ((size_t)32 * 1024 * 1024)

char *kept_file_read(const char *dir, const char *name)
{
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s/%s", dir, name) >= (int)sizeof path)
        return NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        if (errno != ENOENT)
            log_warn("spool", "cannot read %s: %s", path, strerror(errno));
        return NULL;
    }
    struct buf b;
    char chunk[16384];
    ssize_t n;
    buf_init(&b, FILE_MAX);
    while ((n = read(fd, chunk, sizeof chunk)) > 0)
        if (!buf_append(&b, chunk, (size_t)n))
            break;
    bool good = n == 0 && !b.failed && b.len > 0;
    close(fd);
    if (!good) {
        log_warn("spool", "cannot read %s: empty, too large or unreadable", path);
        buf_release(&b);
        return NULL;
    }
    return buf_steal(&b);
}

static bool write_bytes(int fd, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, text, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        text += n;
        len -= (size_t)n;
    }
    return true;
}

/* Each process writes a file of its own and puts it in place whole. */
bool kept_file_write(const char *dir, const char *name, const char *text)
{
    char path[PATH_MAX], temporary[PATH_MAX];
    if (snprintf(path, sizeof path, "%s/%s", dir, name) >= (int)sizeof path ||
        snprintf(temporary, sizeof temporary, "%s/%s.%ld", dir, name, (long)getpid()) >=
            (int)sizeof temporary)
        return false;
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool good = fd >= 0 && write_bytes(fd, text, strlen(text)) && fsync(fd) == 0;
    good = good && rename(temporary, path) == 0;
    if (!good) {
        log_warn("spool", "cannot write %s: %s", path, strerror(errno));
        unlink(temporary);
    }
    if (fd >= 0)
        close(fd);
    return good;
}
