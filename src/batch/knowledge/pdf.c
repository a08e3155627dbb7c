/* PDF files as documents; see pdf.h. */
#include "pdf.h"

#include "common/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define CPU_S 30
#define WALL_MS 60000
#define MEMORY_BYTES ((rlim_t)1 << 30)
#define LOOK_MS 100
#define COMPLAINT_MAX 1000

/* The child, leader of a group of its own, and what it says. */
struct child {
    pid_t pid;
    int64_t until_ms; /* of clock_ms(): it has ended by then, or is ended */
    int out, err;     /* read ends; -1: closed */
    struct buf text;
    char complaint[COMPLAINT_MAX + 1];
    size_t complaint_len;
};

static void limit(int what, rlim_t most)
{
    const struct rlimit r = {most, most};
    setrlimit(what, &r);
}

/* In the child, after fork: only what may be called there. Does not return. */
static void become(const char *program, int in, int out, int err, pid_t parent)
{
    static char locale[] = "LC_ALL=C.UTF-8", path[] = "PATH=/usr/bin:/bin";
    static char *const environment[] = {locale, path, NULL};
    sigset_t none;
    setpgid(0, 0);
    if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0)
        _exit(126);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (getppid() != parent)
        _exit(126);
    limit(RLIMIT_CPU, CPU_S);
    limit(RLIMIT_AS, MEMORY_BYTES);
    limit(RLIMIT_FSIZE, 0);
    limit(RLIMIT_CORE, 0);
    limit(RLIMIT_NOFILE, 64);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    close_range(3, ~0U, 0);
    execle(program, "pdftotext", "-enc", "UTF-8", "/dev/stdin", "-", (char *)NULL, environment);
    _exit(127);
}

/* A file in memory with the data, since pdftotext reads here and there. */
static int memory_file(const char *data, size_t len)
{
    int fd = memfd_create("document.pdf", MFD_CLOEXEC);
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

static bool start(struct child *c, struct document *d, const char *program, int in)
{
    int out[2] = {-1, -1}, err[2] = {-1, -1};
    pid_t parent = getpid();
    if (pipe2(out, O_CLOEXEC) != 0 || pipe2(err, O_CLOEXEC) != 0 || (c->pid = fork()) < 0) {
        int wrong = errno;
        for (int i = 0; i < 2; i++) {
            if (out[i] >= 0)
                close(out[i]);
            if (err[i] >= 0)
                close(err[i]);
        }
        return document_fail(d, "could not start pdftotext: %s", strerror(wrong));
    }
    if (c->pid == 0)
        become(program, in, out[1], err[1], parent);
    setpgid(c->pid, c->pid); /* both do, since either may come first */
    c->until_ms = clock_ms() + WALL_MS;
    close(out[1]);
    close(err[1]);
    c->out = out[0];
    c->err = err[0];
    fcntl(c->out, F_SETFL, O_NONBLOCK);
    fcntl(c->err, F_SETFL, O_NONBLOCK);
    return true;
}

/* Takes what there is; false at the end, or when it is too much. */
static bool take_text(struct child *c)
{
    char chunk[65536];
    ssize_t n = read(c->out, chunk, sizeof chunk);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    return n > 0 && buf_append(&c->text, chunk, (size_t)n);
}

static bool take_complaint(struct child *c)
{
    char chunk[4096];
    ssize_t n = read(c->err, chunk, sizeof chunk);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    for (ssize_t i = 0; i < n && c->complaint_len < COMPLAINT_MAX; i++)
        c->complaint[c->complaint_len++] = chunk[i];
    return n > 0;
}

/* False, with the reason, when the child is to be ended. */
static bool may_go_on(const struct child *c, struct document *d, struct job *job)
{
    if (!job_goes_on(job, 0))
        return document_fail(d, "stopped");
    if (clock_ms() > c->until_ms)
        return document_fail(d, "it takes more than %d seconds to read", WALL_MS / 1000);
    return true;
}

/* Reads until the child has closed both; false, with the reason, when it is to be ended before. */
static bool listen_to(struct child *c, struct document *d, struct job *job)
{
    while (c->out >= 0 || c->err >= 0) {
        struct pollfd p[2] = {{.fd = c->out, .events = POLLIN}, {.fd = c->err, .events = POLLIN}};
        if (!may_go_on(c, d, job))
            return false;
        if (poll(p, 2, LOOK_MS) <= 0)
            continue;
        if (p[0].revents != 0 && !take_text(c)) {
            close(c->out);
            c->out = -1;
        }
        if (p[1].revents != 0 && !take_complaint(c)) {
            close(c->err);
            c->err = -1;
        }
        if (c->text.failed)
            return document_fail(d, "it has more than %zu bytes of text", DOCUMENT_CONTENT_MAX);
    }
    return true;
}

/* Waits until the child has ended, which one that has closed both need not have; false, with the
 * reason, when it is to be ended before. */
static bool wait_for_end(const struct child *c, struct document *d, struct job *job)
{
    for (long pause_ms = 1;; pause_ms = pause_ms < LOOK_MS ? 2 * pause_ms : LOOK_MS) {
        siginfo_t ended = {.si_pid = 0};
        /* It stays to be waited for, so that its number is not another's when its group is ended.
         */
        int wrong = waitid(P_PID, (id_t)c->pid, &ended, WEXITED | WNOHANG | WNOWAIT);
        if (ended.si_pid != 0 || (wrong != 0 && errno != EINTR))
            return true;
        if (!may_go_on(c, d, job))
            return false;
        poll(NULL, 0, (int)pause_ms);
    }
}

/* Ends what still runs of the child and of what it started; its status. */
static int end(struct child *c)
{
    int status = 0;
    if (c->out >= 0)
        close(c->out);
    if (c->err >= 0)
        close(c->err);
    kill(-c->pid, SIGKILL);
    while (waitpid(c->pid, &status, 0) < 0 && errno == EINTR)
        continue;
    return status;
}

static bool judge(const struct child *c, struct document *d, const char *program, int status)
{
    if (WIFSIGNALED(status))
        return document_fail(d, WTERMSIG(status) == SIGXCPU || WTERMSIG(status) == SIGKILL
                                    ? "it takes too long to read"
                                    : "pdftotext could not read it, and was ended by a signal");
    if (WEXITSTATUS(status) == 127)
        return document_fail(d,
                             "PDF needs %.100s, which is not there: install poppler-utils, or set "
                             "UPLIFT_PDFTOTEXT",
                             program);
    if (strstr(c->complaint, "ncorrect password") != NULL || strstr(c->complaint, "ncrypt") != NULL)
        return document_fail(d, "it is encrypted: a password is needed to read it");
    if (WEXITSTATUS(status) == 3)
        return document_fail(d, "its author does not allow to copy text from it");
    if (WEXITSTATUS(status) != 0)
        return document_fail(d, "it is no PDF, or damaged");
    return true;
}

/* Whether a line goes on in the next: it is long, and ends within a sentence or a word. */
static bool ends_paragraph(const char *text, size_t at, size_t line)
{
    char last = at > 0 ? text[at - 1] : '\n';
    return at - line < 40 || strchr(".!?:", last) != NULL;
}

/* Lines of a page as paragraphs: words that are parted by a hyphen are joined. */
static void take_pages(struct document *d, const struct buf *text)
{
    const char *p = text->data;
    size_t line = 0;
    for (size_t i = 0; i < text->len; i++) {
        unsigned char c = (unsigned char)p[i];
        if (c == '\f') {
            buf_puts(&d->content, "\n\n");
            line = i + 1;
        } else if (c != '\n') {
            buf_append(&d->content, p + i, 1);
        } else {
            bool in_word = i >= 2 && p[i - 1] == '-' && i + 1 < text->len && p[i + 1] >= 'a' &&
                           p[i + 1] <= 'z' && p[i - 2] >= 'a' && p[i - 2] <= 'z';
            if (in_word && !d->content.failed)
                d->content.data[--d->content.len] = '\0';
            else
                buf_putc(&d->content,
                         ends_paragraph(p, i, line) || i + 1 == text->len || p[i + 1] == '\n'
                             ? '\n'
                             : ' ');
            line = i + 1;
        }
    }
}

bool document_read_pdf(struct document *d, const char *data, size_t len, struct job *job)
{
    const char *program = job->config->pdftotext;
    struct child c = {.out = -1, .err = -1};
    struct document raw;
    int in = memory_file(data, len);
    if (in < 0)
        return document_fail(d, "out of memory");
    buf_init(&c.text, DOCUMENT_CONTENT_MAX);
    bool good = start(&c, d, program, in);
    close(in);
    if (good) {
        bool whole = listen_to(&c, d, job) && wait_for_end(&c, d, job);
        int status = end(&c);
        good = whole && judge(&c, d, program, status);
    }
    if (good) {
        document_init(&raw);
        take_pages(&raw, &c.text);
        good = raw.content.len > 0
                   ? document_read_text(d, raw.content.data, raw.content.len, DOCUMENT_TEXT)
                   : document_fail(d, "there is no text in it; is it scanned?");
        document_release(&raw);
    }
    buf_release(&c.text);
    return good;
}
