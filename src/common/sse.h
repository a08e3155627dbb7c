/* A parser for server-sent events (WHATWG HTML, 9.2) as providers send them: bytes in, whole events
 * out. Beyond the standard a line "error: ..." is data of an event of the type error, as
 * llama.cpp's server wrote it until 2025. */
#ifndef UPLIFT_SSE_H
#define UPLIFT_SSE_H

#include "buf.h"

#include <stdbool.h>
#include <stddef.h>

/* Called for each event with its data (the "data:" lines joined by LF; NUL-terminated, borrowed for
 * the call); event is its type, "message" when the stream names none. Events without data are not
 * reported. Returning false stops the parse. */
typedef bool (*sse_event_fn)(void *arg, const char *event, const char *data, size_t len);

struct sse_parser {
    struct buf line; /* the unfinished line */
    struct buf data; /* data lines of the unfinished event */
    char event[32];  /* its type, cut to fit; "" is "message" */
    bool after_cr;   /* a CR ended the last line: swallow one LF */
    bool started;    /* a byte order mark can no longer come */
};

/* max is the largest event in bytes. Allocates nothing until it must: whole lines inside one feed
 * are not copied. */
void sse_init(struct sse_parser *p, size_t max);
/* False when an event passed the limit, memory ran out, or the callback stopped the parse. */
bool sse_feed(struct sse_parser *p, const char *bytes, size_t len, sse_event_fn fn, void *arg);
/*
 * Reports the event at hand already, without its blank line, when all of its lines that came are
 * whole and is_whole says so of its data; a blank line that comes then ends nothing. To be called
 * when no more bytes are there at present, by those who must not wait for more.
 */
bool sse_take_pending(struct sse_parser *p, bool (*is_whole)(const char *data, size_t len),
                      sse_event_fn fn, void *arg);
/*
 * The stream has ended: reports an event that lacks its last blank line (some providers forget it).
 */
bool sse_end(struct sse_parser *p, sse_event_fn fn, void *arg);
void sse_release(struct sse_parser *p);

#endif
