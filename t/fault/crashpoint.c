/*
 * Kills a process at a chosen step of making something durable. Preloaded into a program under
 * test:
 *
 *   LD_PRELOAD=.../crashpoint.so UPLIFT_CRASH_AT=17 UPLIFT_CRASH_LOG=file program
 *
 * Points are numbered from 1 in the order in which the process comes by them: before and after
 * every call that changes the disk, locks a file, or speaks to Postgres; and in the middle of every
 * write to a file, of which half is then written. At point UPLIFT_CRASH_AT the process dies by
 * SIGKILL, after its name was appended to UPLIFT_CRASH_LOG.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <libpq-fe.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static atomic_long passed;
static long die_at;

__attribute__((constructor)) static void read_environment(void)
{
    const char *at = getenv("UPLIFT_CRASH_AT");
    die_at = at != NULL ? strtol(at, NULL, 10) : 0;
}

static void die(const char *when, const char *what)
{
    const char *path = getenv("UPLIFT_CRASH_LOG");
    char line[128];
    int len = snprintf(line, sizeof line, "%s %s\n", when, what);
    int fd = path != NULL ? (int)syscall(SYS_open, path, O_WRONLY | O_CREAT | O_APPEND, 0644) : -1;
    if (fd >= 0)
        syscall(SYS_write, fd, line, len);
    syscall(SYS_kill, getpid(), SIGKILL);
    for (;;)
        pause();
}

/* True at the point of death. */
static int reached(void)
{
    return die_at > 0 && atomic_fetch_add(&passed, 1) + 1 == die_at;
}

static void point(const char *when, const char *what)
{
    if (reached())
        die(when, what);
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

/* Declares a wrapper that only adds a point before and one after. */
#define AROUND(type, name, parameters, arguments)                                                  \
    type name parameters                                                                           \
    {                                                                                              \
        static __typeof__(&name) next;                                                             \
        if (next == NULL)                                                                          \
            next = NEXT(name);                                                                     \
        point("before", #name);                                                                    \
        type result = next arguments;                                                              \
        point("after", #name);                                                                     \
        return result;                                                                             \
    }

AROUND(int, fsync, (int fd), (fd))
AROUND(int, fdatasync, (int fd), (fd))
AROUND(int, unlinkat, (int dir, const char *path, int flags), (dir, path, flags))
AROUND(int, rename, (const char *from, const char *to), (from, to))
AROUND(int, ftruncate, (int fd, off_t length), (fd, length))
AROUND(int, flock, (int fd, int operation), (fd, operation))
AROUND(int, PQsendPrepare,
       (PGconn * conn, const char *name, const char *query, int count, const Oid *types),
       (conn, name, query, count, types))
AROUND(int, PQsendQueryPrepared,
       (PGconn * conn, const char *name, int count, const char *const *values, const int *lengths,
        const int *formats, int format),
       (conn, name, count, values, lengths, formats, format))

/* Only the moment when an answer has come but nobody has looked at it yet: polls in between are not
 * counted. */
PGresult *PQgetResult(PGconn *conn)
{
    static __typeof__(&PQgetResult) next;
    if (next == NULL)
        next = NEXT(PQgetResult);
    PGresult *result = next(conn);
    if (result != NULL)
        point("after", "PQgetResult");
    return result;
}

int openat(int dir, const char *path, int flags, ...)
{
    static __typeof__(&openat) next;
    if (next == NULL)
        next = NEXT(openat);
    va_list args;
    va_start(args, flags);
    mode_t mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;
    va_end(args);
    if (!(flags & O_CREAT))
        return next(dir, path, flags);
    point("before", "openat");
    int fd = next(dir, path, flags, mode);
    point("after", "openat");
    return fd;
}

ssize_t write(int fd, const void *data, size_t len)
{
    static __typeof__(&write) next;
    struct stat st;
    if (next == NULL)
        next = NEXT(write);
    if (fd == STDERR_FILENO || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
        return next(fd, data, len);
    point("before", "write");
    if (reached()) {
        ssize_t half = next(fd, data, len / 2);
        (void)half;
        die("in", "write");
    }
    ssize_t result = next(fd, data, len);
    point("after", "write");
    return result;
}
