/* Fuzzes the SSE parser: however a stream is cut, the events are the same, and limits hold. */
#include "common/sse.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define EVENT_MAX 512

static bool note(void *arg, const char *event, const char *data, size_t len)
{
    struct buf *seen = arg;
    if (len > EVENT_MAX || data[len] != '\0' || strlen(event) > 31)
        abort();
    buf_puts(seen, event);
    buf_putc(seen, '|');
    buf_append(seen, data, len);
    return buf_putc(seen, ';');
}

/* Feeds in pieces of the given size, the whole at once when it is 0. */
static bool run(const char *text, size_t len, size_t piece, struct buf *seen)
{
    struct sse_parser p;
    bool ok = true;
    sse_init(&p, EVENT_MAX);
    if (piece == 0)
        piece = len ? len : 1;
    for (size_t at = 0; ok && at < len; at += piece)
        ok = sse_feed(&p, text + at, piece < len - at ? piece : len - at, note, seen);
    ok = ok && sse_end(&p, note, seen);
    sse_release(&p);
    return ok;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct buf whole, pieces;
    buf_init(&whole, 1 << 20);
    buf_init(&pieces, 1 << 20);
    bool a = run((const char *)data + 1, size - 1, 0, &whole);
    bool b = run((const char *)data + 1, size - 1, data[0] % 16 + 1u, &pieces);
    if (a != b || whole.len != pieces.len ||
        (whole.len && memcmp(whole.data, pieces.data, whole.len) != 0))
        abort();
    buf_release(&whole);
    buf_release(&pieces);
    return 0;
}
