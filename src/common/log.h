/* Logs: JSON lines on stderr. No message text and no secret is ever logged above debug level. */
#ifndef UPLIFT_LOG_H
#define UPLIFT_LOG_H

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

/* Set once before threads start. program and worker number appear in every line; worker < 0 is the
 * master. */
void log_open(const char *program, int worker, enum log_level threshold);
enum log_level log_threshold(void);
/* Writes one line: {"time","level","program","pid","worker","object","message"}. object says what
 * it is about, e.g. a request id or "recorder"; NULL leaves it out. One write(2) a line, cut at 4
 * KiB. Thread-safe; keeps errno. */
void log_write(enum log_level level, const char *object, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same of a request that came with a trace (trace_id, 32 digits; "" or NULL: none), which the
 * line then has as "trace_id". */
void log_traced(enum log_level level, const char *object, const char *trace_id, const char *format,
                ...) __attribute__((format(printf, 4, 5)));

/*
 * One line of the access log, at level info, with members of its own: JSON text such as
 * "\"status\":200", without braces, made by the caller. Where whoever reads the log is behind, the
 * line is left out, and the next says how many were ("left_out"). It never waits for them on a
 * socket, as systemd gives one; on a pipe it might where other processes fill the last of it in the
 * same moment. Thread-safe; keeps errno.
 */
void log_access(const char *object, const char *trace_id, const char *members);

#define log_debug(object, ...)                                                                     \
    do {                                                                                           \
        if (log_threshold() <= LOG_DEBUG)                                                          \
            log_write(LOG_DEBUG, object, __VA_ARGS__);                                             \
    } while (0)
#define log_info(object, ...) log_write(LOG_INFO, object, __VA_ARGS__)
#define log_warn(object, ...) log_write(LOG_WARN, object, __VA_ARGS__)
#define log_error(object, ...) log_write(LOG_ERROR, object, __VA_ARGS__)

#endif
