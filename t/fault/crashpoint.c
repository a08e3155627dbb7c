/*
 * Kills a process at a chosen step of making something durable. Preloaded into a program under
 * test:
 *
 *   LD_PRELOAD=.../crashpoint.so CRASHPOINT="after fdatasync:3" program
 *
 * A step is "before", "in" or "after", and the name of a call that changes the disk, locks a file
 * or speaks to Postgres: see the wrappers below. "in write" writes half of what it was given. At
 * the step of that name and number, counted from 1, the process dies by SIGKILL, and leaves a file
 * CRASHPOINT_LOG to show it.
 *
 * A killed process leaves what it wrote in the page cache; a machine without power does not. With
 * CRASHPOINT_POWER set, the point of death also takes from the disk what no fsync has put there:
 * files are cut to the length they had at their last fsync, new files whose directory was not
 * synced are gone, and removed ones are back.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <libpq-fe.h>
#include <pthread.h>
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

/* --- the disk without power --- */

#define TRACKED 64

/* Files this process has made, and directory entries it has changed since the last fsync. */
static struct {
    int fd; /* 0: free */
    off_t synced;
    char unsynced_name[256]; /* "" once its directory was synced */
} made[TRACKED];
static struct {
    char name[256]; /* "": free */
    char saved[64]; /* another link to what was removed */
} removed[TRACKED];
static int spool_dir = -1;
static pthread_mutex_t disk = PTHREAD_MUTEX_INITIALIZER;
static int power;

static void lose_power(void)
{
    for (int i = 0; i < TRACKED; i++) {
        if (made[i].fd != 0)
            syscall(SYS_ftruncate, made[i].fd, made[i].synced);
        if (made[i].unsynced_name[0] != '\0')
            syscall(SYS_unlinkat, spool_dir, made[i].unsynced_name, 0);
        if (removed[i].name[0] != '\0')
            syscall(SYS_renameat, spool_dir, removed[i].saved, spool_dir, removed[i].name);
    }
}

static void note_made(int dir, const char *name, int fd)
{
    pthread_mutex_lock(&disk);
    spool_dir = dir;
    for (int i = 0; i < TRACKED; i++)
        if (made[i].fd == 0 && made[i].unsynced_name[0] == '\0') {
            made[i].fd = fd;
            made[i].synced = 0;
            snprintf(made[i].unsynced_name, sizeof made[i].unsynced_name, "%s", name);
            break;
        }
    pthread_mutex_unlock(&disk);
}

static void note_synced(int fd)
{
    struct stat st;
    pthread_mutex_lock(&disk);
    if (fstat(fd, &st) == 0)
        for (int i = 0; i < TRACKED; i++) {
            if (S_ISDIR(st.st_mode)) {
                made[i].unsynced_name[0] = '\0';
                if (removed[i].name[0] != '\0')
                    syscall(SYS_unlinkat, fd, removed[i].saved, 0);
                removed[i].name[0] = '\0';
            } else if (made[i].fd == fd) {
                made[i].synced = st.st_size;
            }
        }
    pthread_mutex_unlock(&disk);
}

/* Keeps a second link to a file that is about to be removed. */
static void note_removal(int dir, const char *name)
{
    pthread_mutex_lock(&disk);
    spool_dir = dir;
    for (int i = 0; i < TRACKED; i++)
        if (removed[i].name[0] == '\0') {
            snprintf(removed[i].saved, sizeof removed[i].saved, ".removed-%ld-%d", (long)getpid(),
                     i);
            if (syscall(SYS_linkat, dir, name, dir, removed[i].saved, 0) == 0)
                snprintf(removed[i].name, sizeof removed[i].name, "%s", name);
            break;
        }
    pthread_mutex_unlock(&disk);
}

static void note_closed(int fd)
{
    pthread_mutex_lock(&disk);
    for (int i = 0; i < TRACKED; i++)
        if (made[i].fd == fd)
            made[i].fd = 0;
    pthread_mutex_unlock(&disk);
}

/* --- dying --- */

static char fatal[64]; /* the step's name */
static long countdown; /* 0: never */
static atomic_long passed;

__attribute__((constructor)) static void read_environment(void)
{
    const char *at = getenv("CRASHPOINT");
    power = getenv("CRASHPOINT_POWER") != NULL;
    if (at == NULL || sscanf(at, "%63[^:]:%ld", fatal, &countdown) != 2)
        countdown = 0;
}

static void die(void)
{
    if (power) {
        pthread_mutex_lock(&disk); /* for good: nobody syncs any more */
        lose_power();
    }
    const char *path = getenv("CRASHPOINT_LOG");
    if (path != NULL)
        syscall(SYS_open, path, O_WRONLY | O_CREAT, 0644);
    syscall(SYS_kill, getpid(), SIGKILL);
    for (;;)
        pause();
}

/* True at the step of death. */
static int reached(const char *when, const char *what)
{
    size_t len = strlen(when);
    return countdown > 0 && strncmp(fatal, when, len) == 0 && fatal[len] == ' ' &&
           strcmp(fatal + len + 1, what) == 0 && atomic_fetch_add(&passed, 1) + 1 == countdown;
}

static void point(const char *when, const char *what)
{
    if (reached(when, what))
        die();
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

#define SYNC(name)                                                                                 \
    int name(int fd)                                                                               \
    {                                                                                              \
        static __typeof__(&name) next;                                                             \
        if (next == NULL)                                                                          \
            next = NEXT(name);                                                                     \
        point("before", #name);                                                                    \
        int result = next(fd);                                                                     \
        if (power && result == 0)                                                                  \
            note_synced(fd);                                                                       \
        point("after", #name);                                                                     \
        return result;                                                                             \
    }

SYNC(fsync)
SYNC(fdatasync)

int unlinkat(int dir, const char *path, int flags)
{
    static __typeof__(&unlinkat) next;
    if (next == NULL)
        next = NEXT(unlinkat);
    point("before", "unlinkat");
    if (power)
        note_removal(dir, path);
    int result = next(dir, path, flags);
    point("after", "unlinkat");
    return result;
}

int close(int fd)
{
    static __typeof__(&close) next;
    if (next == NULL)
        next = NEXT(close);
    if (power)
        note_closed(fd);
    return next(fd);
}

AROUND(int, rename, (const char *from, const char *to), (from, to))
AROUND(int, ftruncate, (int fd, off_t length), (fd, length))
AROUND(ssize_t, pwrite, (int fd, const void *data, size_t len, off_t offset),
       (fd, data, len, offset))
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
    if (power && fd > 0)
        note_made(dir, path, fd);
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
    if (reached("in", "write")) {
        ssize_t half = next(fd, data, len / 2);
        (void)half;
        die();
    }
    ssize_t result = next(fd, data, len);
    point("after", "write");
    return result;
}
