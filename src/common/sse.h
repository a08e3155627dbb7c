/* A parser for server-sent events (WHATWG HTML, 9.2) as providers send them: bytes in, whole events
 * out. */
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
 * The stream has ended: reports an event that lacks its last blank line (some providers forget it).
 */
bool sse_end(struct sse_parser *p, sse_event_fn fn, void *arg);
void sse_release(struct sse_parser *p);

#endif
