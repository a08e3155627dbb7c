/* The content of a message; see content.h. */
#include "content.h"

struct content content_open(struct span value)
{
    struct content c = {.parts = {0}};
    if (scan_is_array(value))
        c.parts = scan_open(value);
    else
        c.only = value;
    return c;
}

static bool is_thinking(struct span part)
{
    struct span type = scan_member(part, "type");
    return scan_member(part, "thinking").at != NULL || scan_is(type, "\"thinking\"") ||
           scan_is(type, "\"reasoning\"");
}

static struct span thoughts_of(struct span part)
{
    static const char *const names[] = {"thinking", "reasoning", "text", "summary"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct span value = scan_member(part, names[i]);
        if (scan_says_something(value))
            return value;
    }
    return (struct span){0};
}

/* Begins a part. True when *piece is all of it. */
static bool begin_part(struct content *c, struct span part, struct span *piece)
{
    c->kind = CONTENT_TEXT;
    *piece = part;
    if (scan_is_string(part))
        return true;
    if (!scan_is_object(part))
        return false;
    if (is_thinking(part)) {
        c->kind = CONTENT_THINKING;
        *piece = thoughts_of(part);
        c->inner = scan_open(*piece); /* none, in a string */
        return scan_is_string(*piece);
    }
    *piece = scan_member(part, "text");
    if (scan_is_string(*piece))
        return true;
    c->kind = CONTENT_OTHER;
    *piece = part;
    return true;
}

/* The next string within a part that is a list. */
static bool next_inner(struct content *c, struct span *piece)
{
    struct span value;
    while (scan_next(&c->inner, NULL, &value)) {
        *piece = scan_is_object(value) ? scan_member(value, "text") : value;
        if (scan_is_string(*piece))
            return true;
    }
    return false;
}

static bool next_part(struct content *c, struct span *part)
{
    if (c->only.at == NULL)
        return scan_next(&c->parts, NULL, part);
    *part = c->only;
    c->only = (struct span){0};
    return true;
}

bool content_next(struct content *c, enum content_kind *kind, struct span *piece)
{
    struct span part;
    for (;;) {
        bool is_whole = next_inner(c, piece);
        if (!is_whole) {
            if (!next_part(c, &part))
                return false;
            is_whole = begin_part(c, part, piece);
        }
        if (is_whole && scan_says_something(*piece)) {
            *kind = c->kind;
            return true;
        }
    }
}
