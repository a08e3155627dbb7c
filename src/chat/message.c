/* Puts an assistant message together from its deltas; see message.h. */
#include "message.h"

#include <stdlib.h>
#include <string.h>

enum part_kind {
    PART_TEXT,   /* decoded, in text */
    PART_JSON,   /* any other value, as JSON in text */
    PART_OBJECT, /* members are children */
    PART_LIST,   /* items are children */
};

struct message_part {
    enum part_kind kind;
    int64_t index; /* of an item that came with one, else -1 */
    char *key;     /* of a member, with quotes and escapes; owned */
    struct buf text;
    uint16_t half; /* see scan_text */
    struct message_part *child, *next;
};

#define PART_COST (sizeof(struct message_part) + 32)

void message_init(struct message *m, size_t max)
{
    *m = (struct message){.max = max};
}

static void release_parts(struct message_part *p)
{
    while (p != NULL) {
        struct message_part *next = p->next;
        release_parts(p->child);
        buf_release(&p->text);
        free(p->key);
        free(p);
        p = next;
    }
}

void message_release(struct message *m)
{
    release_parts(m->first);
    message_init(m, m->max);
}

static bool charge(struct message *m, size_t bytes)
{
    if (bytes > m->max - m->size)
        m->failed = true;
    else
        m->size += bytes;
    return !m->failed;
}

/* The part of list with this key (or, without one, this index), made at its end when new. */
static struct message_part *part_at(struct message *m, struct message_part **list, struct span key,
                                    int64_t index)
{
    struct message_part **at = list;
    for (; *at != NULL; at = &(*at)->next) {
        const char *name = (*at)->key;
        if (key.at == NULL ? index >= 0 && (*at)->index == index
                           : strlen(name) == key.len && memcmp(name, key.at, key.len) == 0)
            return *at;
    }
    if (!charge(m, PART_COST + key.len))
        return NULL;
    struct message_part *p = calloc(1, sizeof *p);
    char *name = key.at != NULL ? strndup(key.at, key.len) : NULL;
    if (p == NULL || (key.at != NULL && name == NULL)) {
        free(p);
        free(name);
        m->failed = true;
        return NULL;
    }
    p->key = name;
    p->index = index;
    buf_init(&p->text, m->max);
    *at = p;
    return p;
}

static bool is_one_of(struct span key, const char *const *names)
{
    for (; *names != NULL; names++)
        if (scan_is(key, *names))
            return true;
    return false;
}

static void take_value(struct message *m, struct message_part *p, struct span value);

static void take_members(struct message *m, struct message_part **list, struct span object,
                         const char *const *without)
{
    struct scan s = scan_open(object);
    struct span key, value;
    while (!m->failed && scan_next(&s, &key, &value)) {
        if (!scan_says_something(value) || is_one_of(key, without))
            continue;
        struct message_part *p = part_at(m, list, key, -1);
        if (p != NULL)
            take_value(m, p, value);
    }
}

static void take_items(struct message *m, struct message_part *p, struct span array)
{
    struct scan s = scan_open(array);
    struct span value;
    while (!m->failed && scan_next(&s, NULL, &value)) {
        int64_t index = scan_count(scan_member(value, "index"), -1);
        struct message_part *item = part_at(m, &p->child, (struct span){0}, index);
        if (item != NULL)
            take_value(m, item, value);
    }
}

/* What comes as another kind than before takes the place of what was there: keyed members and
 * items without keys must not come into one list. */
static void become(struct message_part *p, enum part_kind kind)
{
    if (p->kind == kind)
        return;
    release_parts(p->child);
    p->child = NULL;
    buf_clear(&p->text);
    p->half = 0;
    p->kind = kind;
}

static void take_value(struct message *m, struct message_part *p, struct span value)
{
    static const char *const whole[] = {"\"id\"", "\"type\"", "\"role\"", "\"name\"", NULL};
    static const char *const place[] = {"\"index\"", NULL};
    if (scan_is_object(value)) {
        become(p, PART_OBJECT);
        take_members(m, &p->child, value, place);
    } else if (scan_is_array(value)) {
        become(p, PART_LIST);
        take_items(m, p, value);
    } else if (!charge(m, value.len)) {
        return;
    } else if (scan_is_string(value)) {
        become(p, PART_TEXT);
        if (p->key != NULL && is_one_of((struct span){p->key, strlen(p->key)}, whole))
            buf_clear(&p->text);
        m->failed |= !scan_text(value, &p->text, &p->half);
    } else {
        become(p, PART_JSON);
        buf_clear(&p->text);
        m->failed |= !scan_clean(value, &p->text);
    }
}

bool message_add(struct message *m, struct span delta)
{
    static const char *const elsewhere[] = {"\"role\"", "\"content\"", NULL};
    if (scan_is_object(delta))
        take_members(m, &m->first, delta, elsewhere);
    return !m->failed;
}

static void put_value(const struct message_part *p, struct buf *out);

static void put_children(const struct message_part *p, struct buf *out)
{
    for (const char *comma = ""; p != NULL; p = p->next, comma = ",") {
        buf_puts(out, comma);
        if (p->key != NULL) {
            scan_clean((struct span){p->key, strlen(p->key)}, out);
            buf_putc(out, ':');
        }
        put_value(p, out);
    }
}

static void put_value(const struct message_part *p, struct buf *out)
{
    switch (p->kind) {
    case PART_TEXT:
        buf_json_string(out, p->text.data != NULL ? p->text.data : "", p->text.len);
        break;
    case PART_JSON:
        buf_append(out, p->text.data, p->text.len);
        break;
    case PART_OBJECT:
        buf_putc(out, '{');
        put_children(p->child, out);
        buf_putc(out, '}');
        break;
    case PART_LIST:
        buf_putc(out, '[');
        put_children(p->child, out);
        buf_putc(out, ']');
        break;
    }
}

bool message_json(const struct message *m, struct buf *out)
{
    if (m->first == NULL)
        return false;
    buf_puts(out, "{\"role\":\"assistant\",");
    put_children(m->first, out);
    return buf_putc(out, '}');
}
