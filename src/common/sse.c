/* A parser for server-sent events (WHATWG HTML, 9.2) as providers send them: bytes in, whole events
 * out. */
#include "sse.h"

#include <stdint.h>
#include <string.h>

#define FIELD_ROOM 16 /* a line is longer than its value by the field's name */

void sse_init(struct sse_parser *p, size_t max)
{
    *p = (struct sse_parser){.event = ""};
    if (max > SIZE_MAX / 4)
        max = SIZE_MAX / 4;
    buf_init(&p->line, max + FIELD_ROOM);
    buf_init(&p->data, max + 1); /* every data line adds a LF, the last is dropped again */
}

void sse_release(struct sse_parser *p)
{
    buf_release(&p->line);
    buf_release(&p->data);
}

static bool dispatch(struct sse_parser *p, sse_event_fn fn, void *arg)
{
    bool go_on = true;
    if (p->data.len > 0) {
        p->data.data[--p->data.len] = '\0';
        go_on = fn(arg, p->event[0] ? p->event : "message", p->data.data, p->data.len);
    }
    buf_clear(&p->data);
    p->event[0] = '\0';
    return go_on;
}

/* Takes one line without its end. */
static bool take_line(struct sse_parser *p, const char *line, size_t len, sse_event_fn fn,
                      void *arg)
{
    if (len > p->line.max)
        return false;
    if (!p->started) {
        p->started = true;
        if (len >= 3 && memcmp(line, "\xef\xbb\xbf", 3) == 0) {
            line += 3;
            len -= 3;
        }
    }
    if (len == 0)
        return dispatch(p, fn, arg);
    const char *colon = memchr(line, ':', len);
    size_t name = colon ? (size_t)(colon - line) : len;
    const char *value = colon ? colon + 1 : line + len;
    if (value < line + len && *value == ' ')
        value++;
    size_t value_len = (size_t)(line + len - value);
    bool is_error = name == 5 && memcmp(line, "error", 5) == 0;
    if (is_error)
        memcpy(p->event, "error", sizeof "error");
    if (is_error || (name == 4 && memcmp(line, "data", 4) == 0)) {
        buf_append(&p->data, value, value_len);
        return buf_putc(&p->data, '\n');
    }
    if (name == 5 && memcmp(line, "event", 5) == 0) {
        if (value_len >= sizeof p->event)
            value_len = sizeof p->event - 1;
        memcpy(p->event, value, value_len);
        p->event[value_len] = '\0';
    }
    return true; /* comments, id, retry and unknown fields mean nothing here */
}

/* Takes the line that ends at end, of which p->line may hold the beginning. */
static bool end_line(struct sse_parser *p, const char *rest, size_t len, sse_event_fn fn, void *arg)
{
    if (p->line.len == 0)
        return take_line(p, rest, len, fn, arg);
    bool ok = buf_append(&p->line, rest, len) && take_line(p, p->line.data, p->line.len, fn, arg);
    buf_clear(&p->line);
    return ok;
}

bool sse_feed(struct sse_parser *p, const char *bytes, size_t len, sse_event_fn fn, void *arg)
{
    if (len == 0)
        return true;
    const char *at = bytes, *end = bytes + len;
    if (p->after_cr && *at == '\n')
        at++;
    p->after_cr = false;
    /* The next LF is kept until passed, so that a stream with CR alone is not searched through
     * again for each of its lines. */
    const char *lf = NULL;
    while (at < end) {
        if (lf == NULL || lf < at)
            lf = memchr(at, '\n', (size_t)(end - at));
        if (lf == NULL)
            lf = end;
        const char *cr = memchr(at, '\r', (size_t)(lf - at));
        const char *stop = cr ? cr : lf;
        if (stop == end)
            return buf_append(&p->line, at, (size_t)(end - at));
        if (!end_line(p, at, (size_t)(stop - at), fn, arg))
            return false;
        at = stop + 1;
        if (cr && at == end)
            p->after_cr = true;
        else if (cr && *at == '\n')
            at++;
    }
    return true;
}

bool sse_take_pending(struct sse_parser *p, bool (*is_whole)(const char *data, size_t len),
                      sse_event_fn fn, void *arg)
{
    if (p->line.len > 0 || p->data.len < 2 || !is_whole(p->data.data, p->data.len - 1))
        return true;
    return dispatch(p, fn, arg);
}

bool sse_end(struct sse_parser *p, sse_event_fn fn, void *arg)
{
    if (p->line.len > 0 && !end_line(p, "", 0, fn, arg))
        return false;
    return dispatch(p, fn, arg);
}
