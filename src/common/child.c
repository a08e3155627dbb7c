/* Programs of others with limits; see child.h. */
#include "child.h"

#include "clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOOK_MS 100
#define ENVIRONMENT_MAX 16
/* Statuses that shells use for the same: it could not be begun, and there is no such program. */
#define STATUS_NOT_BEGUN 126
#define STATUS_MISSING 127

/* The child, leader of a group of its own, and what it says. */
struct running {
    const struct child *child;
    pid_t pid;
    int64_t until_ms; /* of clock_ms(): it has ended by then, or is ended */
    int out, err;     /* read ends; -1: closed */
    struct buf *text;
    struct child_end *end;
    size_t complaint_len;
};

static bool limit(int what, rlim_t most)
{
    const struct rlimit r = {most, most};
    return setrlimit(what, &r) == 0;
}

static bool set_limits(const struct child *c)
{
    return limit(RLIMIT_CPU, (rlim_t)c->cpu_s) && limit(RLIMIT_AS, (rlim_t)c->memory_bytes) &&
           limit(RLIMIT_FSIZE, 0) && limit(RLIMIT_CORE, 0) && limit(RLIMIT_NOFILE, 64);
}

/* In the child, after fork: only what may be called there. Does not return. */
static void become(const struct child *c, char *const *environment, int in, int out, int err,
                   pid_t parent)
{
    static const char no_limits[] = "its limits could not be set";
    sigset_t none;
    setpgid(0, 0);
    if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0)
        _exit(STATUS_NOT_BEGUN);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (getppid() != parent)
        _exit(STATUS_NOT_BEGUN);
    if (!set_limits(c)) { /* files of strangers are not read without them */
        ssize_t told = write(2, no_limits, sizeof no_limits - 1);
        (void)told;
        _exit(STATUS_NOT_BEGUN);
    }
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    close_range(3, ~0U, 0);
    execve(c->program, c->arguments, environment);
    _exit(STATUS_MISSING);
}

/* A file in memory with the data; -1: there is no memory for it. */
static int memory_file(const char *data, size_t len)
{
    int fd = memfd_create("input", MFD_CLOEXEC);
    for (size_t at = 0; fd >= 0 && at < len;) {
        ssize_t n = write(fd, data + at, len - at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            close(fd);
            return -1;
        }
        at += (size_t)n;
    }
    if (fd >= 0)
        lseek(fd, 0, SEEK_SET);
    return fd;
}

static void close_pair(const int fds[2])
{
    for (int i = 0; i < 2; i++)
        if (fds[i] >= 0)
            close(fds[i]);
}

static void list_environment(const struct child *c, char *list[ENVIRONMENT_MAX])
{
    static char locale[] = "LC_ALL=C.UTF-8", path[] = "PATH=/usr/bin:/bin";
    size_t n = 0;
    list[n++] = locale;
    list[n++] = path;
    for (size_t i = 0;
         c->environment != NULL && c->environment[i] != NULL && n + 1 < ENVIRONMENT_MAX; i++)
        list[n++] = c->environment[i];
    list[n] = NULL;
}

static bool start(struct running *r, int in)
{
    char *environment[ENVIRONMENT_MAX];
    int out[2] = {-1, -1}, err[2] = {-1, -1};
    pid_t parent = getpid();
    list_environment(r->child, environment);
    if (pipe2(out, O_CLOEXEC) != 0 || pipe2(err, O_CLOEXEC) != 0 || (r->pid = fork()) < 0) {
        snprintf(r->end->complaint, sizeof r->end->complaint, "%s", strerror(errno));
        close_pair(out);
        close_pair(err);
        return false;
    }
    if (r->pid == 0)
        become(r->child, environment, in, out[1], err[1], parent);
    setpgid(r->pid, r->pid); /* both do, since either may come first */
    r->until_ms = clock_ms() + r->child->wall_s * 1000;
    close(out[1]);
    close(err[1]);
    r->out = out[0];
    r->err = err[0];
    fcntl(r->out, F_SETFL, O_NONBLOCK);
    fcntl(r->err, F_SETFL, O_NONBLOCK);
    return true;
}

/* Takes what there is; false at the end, or when it is too much. */
static bool take_text(struct running *r)
{
    char chunk[65536];
    ssize_t n = read(r->out, chunk, sizeof chunk);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    return n > 0 && buf_append(r->text, chunk, (size_t)n);
}

static bool take_complaint(struct running *r)
{
    char chunk[4096];
    ssize_t n = read(r->err, chunk, sizeof chunk);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    for (ssize_t i = 0; i < n && r->complaint_len < CHILD_COMPLAINT_MAX; i++)
        r->end->complaint[r->complaint_len++] = chunk[i];
    return n > 0;
}

/* CHILD_DONE: it may go on; else why it is to be ended. */
static enum child_outcome look(const struct running *r)
{
    if (r->child->goes_on != NULL && !r->child->goes_on(r->child->arg))
        return CHILD_UNWANTED;
    return clock_ms() > r->until_ms ? CHILD_TOO_LONG : CHILD_DONE;
}

/* Reads until the child has closed both. */
static enum child_outcome listen_to(struct running *r)
{
    while (r->out >= 0 || r->err >= 0) {
        struct pollfd p[2] = {{.fd = r->out, .events = POLLIN}, {.fd = r->err, .events = POLLIN}};
        enum child_outcome seen = look(r);
        if (seen != CHILD_DONE)
            return seen;
        if (poll(p, 2, LOOK_MS) <= 0)
            continue;
        if (p[0].revents != 0 && !take_text(r)) {
            close(r->out);
            r->out = -1;
        }
        if (p[1].revents != 0 && !take_complaint(r)) {
            close(r->err);
            r->err = -1;
        }
        if (r->text->failed)
            return CHILD_TOO_MUCH;
    }
    return CHILD_DONE;
}

/* Waits until the child has ended, which one that has closed both need not have. */
static enum child_outcome wait_for_end(const struct running *r)
{
    for (long pause_ms = 1;; pause_ms = pause_ms < LOOK_MS ? 2 * pause_ms : LOOK_MS) {
        siginfo_t ended = {.si_pid = 0};
        /* It stays to be waited for, so that its number is not another's when its group is ended.
         */
        int wrong = waitid(P_PID, (id_t)r->pid, &ended, WEXITED | WNOHANG | WNOWAIT);
        if (ended.si_pid != 0 || (wrong != 0 && errno != EINTR))
            return CHILD_DONE;
        enum child_outcome seen = look(r);
        if (seen != CHILD_DONE)
            return seen;
        poll(NULL, 0, (int)pause_ms);
    }
}

/* Ends what still runs of the child and of what it started; its status. */
static int end(struct running *r)
{
    int status = 0;
    if (r->out >= 0)
        close(r->out);
    if (r->err >= 0)
        close(r->err);
    kill(-r->pid, SIGKILL);
    while (waitpid(r->pid, &status, 0) < 0 && errno == EINTR)
        continue;
    return status;
}

static enum child_outcome judge(struct running *r, int status)
{
    if (WIFSIGNALED(status)) {
        int by = WTERMSIG(status);
        return by == SIGXCPU || by == SIGKILL ? CHILD_TOO_LONG : CHILD_KILLED;
    }
    r->end->status = WEXITSTATUS(status);
    switch (r->end->status) {
    case 0:
        return CHILD_DONE;
    case STATUS_NOT_BEGUN:
        return CHILD_NOT_BEGUN;
    case STATUS_MISSING:
        return CHILD_MISSING;
    default:
        return CHILD_REFUSED;
    }
}

enum child_outcome child_run(const struct child *c, const char *data, size_t len, struct buf *out,
                             struct child_end *ended)
{
    struct running r = {.child = c, .out = -1, .err = -1, .text = out, .end = ended};
    *ended = (struct child_end){.status = 0};
    int in = memory_file(data, len);
    if (in < 0) {
        snprintf(ended->complaint, sizeof ended->complaint, "out of memory");
        return CHILD_NOT_BEGUN;
    }
    bool is_started = start(&r, in);
    close(in);
    if (!is_started)
        return CHILD_NOT_BEGUN;
    enum child_outcome outcome = listen_to(&r);
    if (outcome == CHILD_DONE)
        outcome = wait_for_end(&r);
    int status = end(&r);
    return outcome == CHILD_DONE ? judge(&r, status) : outcome;
}
