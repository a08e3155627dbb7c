#include "photo_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Whatever the umask is: the group reads. */
#define FILE_MODE 0640
#define DIRECTORY_MODE 0750

void photo_file_name(const char *id, char name[PHOTO_NAME_ROOM])
{
    size_t len = strlen(id);
    /* Its end is random, where its beginning is the time. */
    snprintf(name, PHOTO_NAME_ROOM, "%s/%s.jpg", id + (len > 2 ? len - 2 : 0), id);
}

static bool fail(char *reason, const char *what)
{
    snprintf(reason, 200, "%s: %s", what, strerror(errno));
    return false;
}

/* Opens the directory that the file is in, making it where create says; -1 with errno. */
static int open_directory(const char *dir, const char *name, bool create)
{
    char part[3] = {name[0], name[1], '\0'};
    int root = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root < 0)
        return -1;
    if (create && mkdirat(root, part, DIRECTORY_MODE) == 0 &&
        (fchmodat(root, part, DIRECTORY_MODE, 0) != 0 || fsync(root) != 0)) {
        close(root);
        return -1;
    }
    int below = openat(root, part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int wrong = errno;
    close(root);
    errno = wrong;
    return below;
}

static bool write_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, data, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        data += n;
        len -= (size_t)n;
    }
    return fchmod(fd, FILE_MODE) == 0 && fsync(fd) == 0;
}

bool photo_file_write(const char *dir, const char *id, const void *data, size_t len, char *reason)
{
    char path[PHOTO_NAME_ROOM];
    photo_file_name(id, path);
    const char *name = path + 3;
    int below = open_directory(dir, path, true);
    if (below < 0)
        return fail(reason, "its directory");
    int fd = openat(below, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, FILE_MODE);
    bool good = fd >= 0 && write_all(fd, data, len) && fsync(below) == 0;
    if (!good)
        fail(reason, "its file");
    if (fd >= 0)
        close(fd);
    close(below);
    return good;
}

/* Opens the file; -1 with errno. */
static int open_file(const char *dir, const char *id)
{
    char path[PHOTO_NAME_ROOM];
    photo_file_name(id, path);
    int below = open_directory(dir, path, false);
    if (below < 0)
        return -1;
    int fd = openat(below, path + 3, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    int wrong = errno;
    close(below);
    errno = wrong;
    return fd;
}

bool photo_file_has_directory(const char *dir)
{
    return access(dir, X_OK) == 0;
}

enum photo_file photo_file_read(const char *dir, const char *id, struct buf *out, char *reason)
{
    char chunk[65536];
    ssize_t n = 0;
    int fd = open_file(dir, id);
    if (fd < 0) {
        bool is_gone = errno == ENOENT;
        fail(reason, "its file");
        return is_gone && photo_file_has_directory(dir) ? PHOTO_FILE_GONE : PHOTO_FILE_UNREADABLE;
    }
    while ((n = read(fd, chunk, sizeof chunk)) > 0 || (n < 0 && errno == EINTR))
        if (n > 0 && !buf_append(out, chunk, (size_t)n))
            break;
    bool good = n == 0;
    if (n < 0)
        fail(reason, "its file");
    else if (!good)
        snprintf(reason, 200, "its file is too large");
    close(fd);
    return good ? PHOTO_FILE_READ : PHOTO_FILE_UNREADABLE;
}

void photo_file_send(struct request *r, const char *dir, const char *id)
{
    char name[PHOTO_NAME_ROOM], header[PHOTO_NAME_ROOM + 48];
    struct api_error error;
    int fd = dir != NULL ? open_file(dir, id) : -1;
    if (fd < 0) {
        api_error(&error, 404, "photo_not_found", "", "the file of this photo is not here");
        request_fail(r, &error, NULL);
        return;
    }
    close(fd);
    photo_file_name(id, name);
    snprintf(header, sizeof header, "X-Accel-Redirect: /uplift-photos/%s\r\n", name);
    request_reply(r, 200, "image/jpeg", header, NULL, 0);
}

bool photo_file_remove(const char *dir, const char *id)
{
    char path[PHOTO_NAME_ROOM];
    photo_file_name(id, path);
    int below = open_directory(dir, path, false);
    if (below < 0)
        return errno == ENOENT && access(dir, F_OK) == 0;
    bool gone = unlinkat(below, path + 3, 0) == 0 || errno == ENOENT;
    close(below);
    return gone;
}
