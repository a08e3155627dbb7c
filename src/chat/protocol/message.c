/* Puts an assistant message together from its deltas; see message.h. */
#include "message.h"

#include "content.h"

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

/* A new part at the end of a list. NULL once the limit was passed. */
static struct message_part *append_part(struct message *m, struct message_part **list,
                                        struct span key, int64_t index)
{
    while (*list != NULL)
        list = &(*list)->next;
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
    *list = p;
    return p;
}

/* The part with this key; NULL when there is none. */
static struct message_part *find_part(struct message_part *list, struct span key)
{
    for (; list != NULL; list = list->next)
        if (list->key != NULL && strlen(list->key) == key.len &&
            memcmp(list->key, key.at, key.len) == 0)
            return list;
    return NULL;
}

static struct message_part *find_named(struct message_part *list, const char *quoted)
{
    return find_part(list, (struct span){quoted, strlen(quoted)});
}

/* The last part with this index (-1: the last of all). */
static struct message_part *find_index(struct message_part *list, int64_t index)
{
    struct message_part *found = NULL;
    for (; list != NULL; list = list->next)
        if (index < 0 || list->index == index)
            found = list;
    return found;
}

static struct message_part *part_named(struct message *m, struct message_part **list,
                                       struct span key)
{
    struct message_part *p = find_part(*list, key);
    return p != NULL ? p : append_part(m, list, key, -1);
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
        struct message_part *p = part_named(m, list, key);
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
        struct message_part *item = index >= 0 ? find_index(p->child, index) : NULL;
        if (item == NULL)
            item = append_part(m, &p->child, (struct span){0}, index);
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

/* --- tool calls --- */

static bool has_text(const struct message_part *p)
{
    return p != NULL && p->kind == PART_TEXT && p->text.len > 0;
}

/* Whether what a call has so far is one whole object of arguments. */
static bool is_complete(const struct message_part *function)
{
    const struct message_part *arguments = find_named(function->child, "\"arguments\"");
    struct span value;
    return has_text(arguments) && scan_check(arguments->text.data, arguments->text.len, &value) &&
           scan_is_object(value);
}

/* Whether an item that could go on with a call begins another one: it has a name, and arguments,
 * where the call has another name or is complete. */
static bool begins_another(const struct message_part *call, struct span item)
{
    const struct message_part *function = find_named(call->child, "\"function\"");
    struct span theirs = scan_member(item, "function");
    struct span name = scan_member(theirs, "name");
    char text[256];
    if (function == NULL || function->kind != PART_OBJECT || !scan_says_something(name) ||
        !scan_says_something(scan_member(theirs, "arguments")))
        return false;
    const struct message_part *ours = find_named(function->child, "\"name\"");
    scan_copy(name, text, sizeof text);
    return has_text(ours) && (strcmp(ours->text.data, text) != 0 || is_complete(function));
}

static struct message_part *find_id(struct message_part *list, const char *id, int64_t index)
{
    struct message_part *found = NULL;
    for (; list != NULL; list = list->next) {
        const struct message_part *theirs = find_named(list->child, "\"id\"");
        if (has_text(theirs) && strcmp(theirs->text.data, id) == 0 &&
            (index < 0 || list->index < 0 || list->index == index))
            found = list;
    }
    return found;
}

/* The call that an item goes on with; NULL for one that is new. */
static struct message_part *find_call(struct message_part *list, struct span item, int64_t index)
{
    char id[256];
    struct message_part *call;
    scan_copy(scan_member(item, "id"), id, sizeof id);
    if (id[0] != '\0') {
        call = find_id(list, id, index);
        if (call == NULL) { /* unless its id comes late */
            call = index >= 0 ? find_index(list, index) : NULL;
            if (call != NULL && has_text(find_named(call->child, "\"id\"")))
                call = NULL;
        }
    } else {
        call = find_index(list, index);
    }
    return call != NULL && begins_another(call, item) ? NULL : call;
}

static int place_of(const struct message_part *list, const struct message_part *call)
{
    int place = 0;
    for (; list != call; list = list->next)
        place++;
    return place;
}

static void take_calls(struct message *m, struct span array)
{
    struct scan s = scan_open(array);
    struct span item;
    struct message_part *p = part_named(m, &m->first, (struct span){"\"tool_calls\"", 12});
    if (p == NULL)
        return;
    become(p, PART_LIST);
    while (!m->failed && scan_next(&s, NULL, &item)) {
        int64_t index = scan_count(scan_member(item, "index"), -1);
        struct message_part *call = find_call(p->child, item, index);
        if (call == NULL)
            call = append_part(m, &p->child, (struct span){0}, index);
        if (call == NULL)
            return;
        take_value(m, call, item);
        if (m->place_count < MESSAGE_PLACES)
            m->places[m->place_count++] = place_of(p->child, call);
    }
}

/* --- the whole --- */

/* Of a content that is no text: what it holds besides. */
static void take_content(struct message *m, struct span value)
{
    struct content pieces = content_open(value);
    enum content_kind kind;
    struct span piece;
    while (!m->failed && content_next(&pieces, &kind, &piece)) {
        struct message_part *p;
        if (kind == CONTENT_THINKING) {
            p = part_named(m, &m->first, (struct span){"\"reasoning_content\"", 19});
        } else if (kind == CONTENT_OTHER) {
            p = part_named(m, &m->first, (struct span){"\"content\"", 9});
            if (p != NULL) {
                become(p, PART_LIST);
                p = append_part(m, &p->child, (struct span){0}, -1);
            }
        } else {
            continue;
        }
        if (p != NULL)
            take_value(m, p, piece);
    }
}

bool message_add(struct message *m, struct span delta)
{
    static const char *const elsewhere[] = {"\"role\"", "\"content\"", "\"tool_calls\"", NULL};
    struct span calls = scan_member(delta, "tool_calls"), content = scan_member(delta, "content");
    m->place_count = 0;
    if (scan_is_object(delta))
        take_members(m, &m->first, delta, elsewhere);
    if (scan_is_array(calls) && scan_says_something(calls))
        take_calls(m, calls);
    if (scan_is_object(content) || scan_is_array(content))
        take_content(m, content);
    return !m->failed;
}

bool message_is_thought(const struct message *m)
{
    for (const struct message_part *p = m->first; p != NULL; p = p->next)
        if (strncmp(p->key, "\"reasoning", 10) != 0)
            return false;
    return true;
}

struct span message_thought(struct span message)
{
    /* DeepSeek's and Qwen's name, then OpenRouter's, Groq's and that of newer vLLM, which for a
     * while sent both. */
    static const char *const names[] = {"reasoning_content", "reasoning"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct span value = scan_member(message, names[i]);
        if (scan_is_string(value) && scan_says_something(value))
            return value;
    }
    return (struct span){0};
}

struct span message_refusal(const char *json)
{
    struct span whole;
    if (json == NULL || !scan_check(json, strlen(json), &whole))
        return (struct span){0};
    return scan_member(whole, "refusal");
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
