#include "listener.h"

#include "log.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 4096 /* the kernel cuts it to net.core.somaxconn */

/* Whether the file of a Unix socket may be replaced: it is a socket, and nobody answers on it. */
static bool remove_stale(const struct sockaddr_un *address)
{
    struct stat st;
    const char *path = address->sun_path;
    if (lstat(path, &st) != 0) {
        if (errno == ENOENT)
            return true;
        log_error("listen", "could not look at %s: %s", path, strerror(errno));
        return false;
    }
    if (!S_ISSOCK(st.st_mode)) {
        log_error("listen", "%s exists and is no socket: remove it", path);
        return false;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int rc = fd < 0 ? -1 : connect(fd, (const struct sockaddr *)address, sizeof *address);
    int reason = errno;
    if (fd >= 0)
        close(fd);
    if (rc == 0 || reason != ECONNREFUSED) {
        log_error("listen", "%s is in use by another process", path);
        return false;
    }
    if (unlink(path) != 0 && errno != ENOENT) {
        log_error("listen", "could not remove the stale socket %s: %s", path, strerror(errno));
        return false;
    }
    return true;
}

static bool open_unix(struct listener *l, const char *path, mode_t mode, uid_t uid, gid_t gid)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct stat st;
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path); /* length checked by config */
    if (!remove_stale(&address))
        return false;
    /* Non-blocking: of threads that wake for one connection all but one find nothing, and must not
     * be stuck in accept when they are to end. */
    l->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    mode_t old_mask = umask(0777 & ~mode); /* never wider than asked, not even for a moment */
    int rc = l->fd < 0 ? -1 : bind(l->fd, (struct sockaddr *)&address, sizeof address);
    int reason = errno;
    umask(old_mask);
    errno = reason;
    if (rc != 0) {
        log_error("listen", "could not make the socket %s: %s", path, strerror(errno));
        return false;
    }
    l->path = strdup(path);
    if (lstat(path, &st) == 0) {
        l->device = st.st_dev;
        l->inode = st.st_ino;
    }
    if (l->path == NULL || chmod(path, mode) != 0 ||
        ((uid != (uid_t)-1 || gid != (gid_t)-1) && chown(path, uid, gid) != 0) ||
        listen(l->fd, BACKLOG) != 0) {
        log_error("listen", "could not listen on %s: %s", path, strerror(errno));
        return false;
    }
    return true;
}

/* Binds and listens on the first address that HOST:PORT means. */
static bool open_tcp(struct listener *l, const char *text)
{
    char host[256];
    const char *colon = strrchr(text, ':');
    size_t len = (size_t)(colon - text);
    const char *start = text;
    if (len >= 2 && text[0] == '[') { /* [::1]:9000 */
        start++;
        len -= 2;
    }
    snprintf(host, sizeof host, "%.*s", (int)len, start);
    bool any = *host == '\0' || strcmp(host, "*") == 0;
    struct addrinfo hints = {.ai_family = AF_UNSPEC,
                             .ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *list = NULL;
    int rc = getaddrinfo(any ? NULL : host, colon + 1, &hints, &list);
    if (rc != 0) {
        log_error("listen", "could not resolve %s: %s", text, gai_strerror(rc));
        return false;
    }
    int on = 1, reason = 0;
    for (struct addrinfo *a = list; a != NULL && l->fd < 0; a = a->ai_next) {
        l->fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (l->fd < 0)
            continue;
        setsockopt(l->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        if (bind(l->fd, a->ai_addr, a->ai_addrlen) != 0 || listen(l->fd, BACKLOG) != 0) {
            reason = errno;
            close(l->fd);
            l->fd = -1;
        }
    }
    freeaddrinfo(list);
    if (l->fd < 0)
        log_error("listen", "could not listen on %s: %s", text, strerror(reason));
    return l->fd >= 0;
}

/* Says where we listen; for port 0 only the kernel knows. */
static void log_address(const struct listener *l)
{
    struct sockaddr_storage address;
    socklen_t len = sizeof address;
    char host[64] = "?", port[16] = "?";
    if (l->path != NULL) {
        log_info("listen", "listening on unix:%s", l->path);
        return;
    }
    if (getsockname(l->fd, (struct sockaddr *)&address, &len) == 0)
        getnameinfo((struct sockaddr *)&address, len, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV);
    log_info("listen", "listening on %s port %s", host, port);
}

bool listener_open(struct listener *l, const char *address, mode_t mode, uid_t uid, gid_t gid)
{
    bool done;
    memset(l, 0, sizeof *l);
    l->fd = -1;
    if (strncmp(address, "unix:", 5) == 0)
        done = open_unix(l, address + 5, mode, uid, gid);
    else
        done = open_tcp(l, address);
    if (done)
        log_address(l);
    else
        listener_close(l, true);
    return done;
}

void listener_refuse(const struct listener *l)
{
    if (l->fd >= 0 && shutdown(l->fd, SHUT_RD) != 0)
        log_warn("listen", "could not refuse connections: %s", strerror(errno));
}

bool listener_refuses(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLRDHUP};
    return poll(&p, 1, 0) == 1 && (p.revents & (POLLRDHUP | POLLHUP)) != 0;
}

void listener_close(struct listener *l, bool unlink_path)
{
    struct stat st;
    if (l->fd >= 0)
        close(l->fd);
    l->fd = -1;
    if (unlink_path && l->path != NULL && l->inode != 0 && lstat(l->path, &st) == 0 &&
        st.st_dev == l->device && st.st_ino == l->inode)
        unlink(l->path); /* after a change of user it may stay: the next start removes it */
    free(l->path);
    l->path = NULL;
}
