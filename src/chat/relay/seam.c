/* Where an answer is gone on with by another call; see seam.h. */
#include "seam.h"

#include <string.h>

/* Of a text that is shorter it cannot be told whether it is said again or gone on with. */
#define REPEATED_MIN 4

static bool is_blank(char c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

static size_t blanks(const char *text, size_t len)
{
    size_t n = 0;
    while (n < len && is_blank(text[n]))
        n++;
    return n;
}

size_t seam_length(const char *text, size_t len)
{
    while (len > 0 && is_blank(text[len - 1]))
        len--;
    return len;
}

void seam_open(struct seam *s, const char *text, size_t len)
{
    seam_release(s);
    size_t sent = seam_length(text, len);
    *s = (struct seam){.len = sent, .left = len - sent};
    s->is_open = sent - blanks(text, sent) >= REPEATED_MIN;
    buf_init(&s->said, 2 * len + 65536);
}

void seam_release(struct seam *s)
{
    buf_release(&s->said);
}

/* Appends what comes, but for the white space that is there already. */
static bool join(struct seam *s, const char *before, const char *text, size_t len,
                 struct buf *fresh)
{
    while (s->left > 0 && len > 0) {
        /* before has left bytes of white space behind what was sent and has been matched so far */
        if (*text != before[s->len]) {
            s->left = 0;
            break;
        }
        s->len++;
        s->left--;
        text++;
        len--;
    }
    return buf_append(fresh, text, len);
}

static bool decide(struct seam *s, const char *before, size_t repeated, struct buf *fresh)
{
    s->is_open = false;
    bool good = join(s, before, s->said.data + repeated, s->said.len - repeated, fresh);
    buf_release(&s->said);
    return good;
}

bool seam_take(struct seam *s, const char *before, const char *piece, size_t len, struct buf *fresh)
{
    if (!s->is_open)
        return join(s, before, piece, len, fresh);
    if (!buf_append(&s->said, piece, len))
        return false;
    size_t skipped = blanks(s->said.data, s->said.len), from = blanks(before, s->len);
    const char *said = s->said.data + skipped;
    size_t said_len = s->said.len - skipped, whole = s->len - from;
    size_t common = said_len < whole ? said_len : whole;
    if (memcmp(said, before + from, common) != 0)
        return decide(s, before, 0, fresh);
    return said_len < whole || decide(s, before, skipped + whole, fresh);
}

bool seam_end(struct seam *s, const char *before, struct buf *fresh)
{
    return !s->is_open || s->said.data == NULL || decide(s, before, 0, fresh);
}
