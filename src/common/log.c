#include "log.h"

#include "clock.h"
#include "utf8.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES 4096
#define LINE_END "\"}\n"

static const char *program_name = "uplift";
static int worker_number = -1;
static enum log_level log_level_threshold = LOG_INFO;

/* A line in the making. Room for LINE_END is always kept, so that a cut line is still JSON. */
struct line {
    char text[LINE_MAX_BYTES];
    size_t len;
};

void log_open(const char *program, int worker, enum log_level threshold)
{
    program_name = program;
    worker_number = worker;
    log_level_threshold = threshold;
}

enum log_level log_threshold(void)
{
    return log_level_threshold;
}

static const char *level_name(enum log_level level)
{
    switch (level) {
    case LOG_DEBUG:
        return "debug";
    case LOG_INFO:
        return "info";
    case LOG_WARN:
        return "warn";
    case LOG_ERROR:
        return "error";
    }
    return "error";
}

static bool line_append(struct line *l, const char *text, size_t len)
{
    if (len > sizeof l->text - (sizeof LINE_END - 1) - l->len)
        return false;
    memcpy(l->text + l->len, text, len);
    l->len += len;
    return true;
}

/* Appends the inside of a JSON string, stopping at a whole character where the line is full. */
static void line_append_escaped(struct line *l, const char *text)
{
    const unsigned char *s = (const unsigned char *)text, *end = s + strlen(text);
    while (*s != '\0') {
        char escape[8];
        size_t taken = *s < 0x80 ? 1 : utf8_sequence((const char *)s, (size_t)(end - s));
        bool fits;
        if (taken == 0) {
            taken = 1;
            fits = line_append(l, "\xef\xbf\xbd", 3);
        } else if (*s == '"' || *s == '\\') {
            escape[0] = '\\';
            escape[1] = (char)*s;
            fits = line_append(l, escape, 2);
        } else if (*s < 0x20 || *s == 0x7f) {
            snprintf(escape, sizeof escape, "\\u%04x", *s);
            fits = line_append(l, escape, 6);
        } else {
            fits = line_append(l, (const char *)s, taken);
        }
        if (!fits)
            return;
        s += taken;
    }
}

static void line_append_head(struct line *l, enum log_level level)
{
    struct timespec now;
    struct tm utc;
    char time_text[32];
    char head[256];
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    strftime(time_text, sizeof time_text, "%Y-%m-%dT%H:%M:%S", &utc);
    int len =
        snprintf(head, sizeof head,
                 "{\"time\":\"%s.%03ldZ\",\"level\":\"%s\",\"program\":\"%.64s\",\"pid\":%ld",
                 time_text, now.tv_nsec / 1000000, level_name(level), program_name, (long)getpid());
    line_append(l, head, (size_t)len);
    if (worker_number >= 0) {
        len = snprintf(head, sizeof head, ",\"worker\":%d", worker_number);
        line_append(l, head, (size_t)len);
    }
}

static void write_whole(const char *text, size_t len)
{
    while (len > 0) {
        ssize_t n = write(STDERR_FILENO, text, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return; /* nowhere left to say so */
        text += n;
        len -= (size_t)n;
    }
}

/* The head of a line, and what it is about. */
static void line_begin(struct line *l, enum log_level level, const char *object,
                       const char *trace_id)
{
    line_append_head(l, level);
    if (object != NULL) {
        char object_text[161]; /* a hostile request id must not push the message out */
        snprintf(object_text, sizeof object_text, "%s", object);
        line_append(l, ",\"object\":\"", 11);
        line_append_escaped(l, object_text);
        line_append(l, "\"", 1);
    }
    if (trace_id != NULL && *trace_id != '\0') {
        line_append(l, ",\"trace_id\":\"", 13);
        line_append_escaped(l, trace_id);
        line_append(l, "\"", 1);
    }
}

static void write_line(enum log_level level, const char *object, const char *trace_id,
                       const char *format, va_list args) __attribute__((format(printf, 4, 0)));

static void write_line(enum log_level level, const char *object, const char *trace_id,
                       const char *format, va_list args)
{
    int saved_errno = errno;
    char message[LINE_MAX_BYTES];
    if (vsnprintf(message, sizeof message, format, args) < 0)
        message[0] = '\0';

    struct line l = {.len = 0};
    line_begin(&l, level, object, trace_id);
    line_append(&l, ",\"message\":\"", 12);
    line_append_escaped(&l, message);
    memcpy(l.text + l.len, LINE_END, sizeof LINE_END - 1);
    l.len += sizeof LINE_END - 1;
    write_whole(l.text, l.len);
    errno = saved_errno;
}

void log_write(enum log_level level, const char *object, const char *format, ...)
{
    if (level < log_level_threshold)
        return;
    va_list args;
    va_start(args, format);
    write_line(level, object, NULL, format, args);
    va_end(args);
}

void log_traced(enum log_level level, const char *object, const char *trace_id, const char *format,
                ...)
{
    if (level < log_level_threshold)
        return;
    va_list args;
    va_start(args, format);
    write_line(level, object, trace_id, format, args);
    va_end(args);
}

/*
 * Writes a line if that needs no waiting. On a socket, such as systemd's, the kernel says so
 * itself; a pipe that is writable has room for PIPE_BUF bytes, which is a whole line, unless
 * another process takes it just then.
 */
static bool write_at_once(const char *text, size_t len)
{
    struct pollfd p = {.fd = STDERR_FILENO, .events = POLLOUT};
    ssize_t n = send(STDERR_FILENO, text, len, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n >= 0 || errno != ENOTSOCK)
        return n == (ssize_t)len;
    if (poll(&p, 1, 0) != 1 || (p.revents & POLLOUT) == 0)
        return false;
    write_whole(text, len);
    return true;
}

void log_access(const char *object, const char *trace_id, const char *members)
{
    static atomic_ulong left_out;
    static const char end[] = "}\n";
    int saved_errno = errno;
    if (LOG_INFO < log_level_threshold)
        return;
    struct line l = {.len = 0};
    line_begin(&l, LOG_INFO, object, trace_id);
    unsigned long missed = atomic_exchange(&left_out, 0);
    if (missed > 0) {
        char text[48];
        int len = snprintf(text, sizeof text, ",\"left_out\":%lu", missed);
        line_append(&l, text, (size_t)len);
    }
    if (line_append(&l, ",", 1))
        line_append(&l, members, strlen(members));
    memcpy(l.text + l.len, end, sizeof end - 1);
    if (!write_at_once(l.text, l.len + sizeof end - 1))
        atomic_fetch_add(&left_out, missed + 1);
    errno = saved_errno;
}
