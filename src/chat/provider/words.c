/* What a provider says of a failure; see words.h. */
#include "words.h"

#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 6            /* of objects around the words */
#define NESTED_MAX (64 * 1024) /* of JSON within a text */

static void read_value(struct span value, struct words *w, int depth);

/* A code that is a status, as a number or in digits. */
static int status_of(struct span value)
{
    char text[16];
    if (scan_is_string(value))
        scan_copy(value, text, sizeof text);
    else if (value.len < sizeof text) {
        memcpy(text, value.at, value.len);
        text[value.len] = '\0';
    } else {
        return 0;
    }
    char *end;
    long status = strtol(text, &end, 10);
    return end != text && *end == '\0' && status >= 400 && status <= 599 ? (int)status : 0;
}

static void read_code(struct span value, struct words *w)
{
    int status = status_of(value);
    if (status != 0)
        w->status = status;
    else if (scan_is_string(value) && value.len > 2)
        scan_copy(value, w->code, sizeof w->code);
}

/* Gemini's is a name, others' a number. */
static void read_status(struct span value, struct words *w)
{
    int status = status_of(value);
    if (status != 0)
        w->status = status;
    else if (scan_is_string(value))
        scan_copy(value, w->type, sizeof w->type);
}

/* A text may hold the words of another server as JSON. False when it does not. */
static bool read_nested(struct span text, struct words *w, int depth)
{
    struct buf inner;
    struct span value;
    bool is_json = false;
    buf_init(&inner, NESTED_MAX);
    if (text.len > 4 && memchr("{[", text.at[1], 2) != NULL && scan_text(text, &inner, NULL) &&
        scan_check(inner.data, inner.len, &value)) {
        struct words own = *w;
        own.message[0] = '\0';
        read_value(value, &own, depth + 1);
        is_json = own.message[0] != '\0';
        if (is_json)
            *w = own;
    }
    buf_release(&inner);
    return is_json;
}

/* FastAPI's place of what is wrong: ["body", "stream_options"]. */
static void put_place(struct span loc, struct words *w)
{
    struct scan s = scan_open(loc);
    struct span step;
    struct buf b;
    buf_init(&b, sizeof w->message - 1);
    while (scan_next(&s, NULL, &step)) {
        if (b.len > 0)
            buf_putc(&b, '.');
        if (scan_is_string(step))
            scan_text(step, &b, NULL);
        else
            buf_append(&b, step.at, step.len);
    }
    if (b.len > 0 && !b.failed) {
        size_t len = strlen(w->message);
        if (b.len + 2 + len < sizeof w->message) {
            memmove(w->message + b.len + 2, w->message, len + 1);
            memcpy(w->message, b.data, b.len);
            memcpy(w->message + b.len, ": ", 2);
        }
    }
    buf_release(&b);
}

static void read_message(struct span value, struct words *w, int depth)
{
    if (w->message[0] != '\0')
        return;
    if (!scan_is_string(value))
        read_value(value, w, depth + 1);
    else if (!read_nested(value, w, depth))
        scan_copy(value, w->message, sizeof w->message);
}

static bool is_one_of(struct span key, const char *const *names)
{
    for (; *names != NULL; names++)
        if (scan_equals(key, *names))
            return true;
    return false;
}

/* What is told by the object itself. */
static void read_own(struct span object, struct words *w)
{
    static const char *const codes[] = {"code",        "error_code", "status_code",
                                        "http_status", "http_code",  NULL};
    static const char *const types[] = {"type", "error_type", NULL};
    struct scan s = scan_open(object);
    struct span key, value;
    while (s.in_object && scan_next(&s, &key, &value)) {
        if (is_one_of(key, codes))
            read_code(value, w);
        else if (is_one_of(key, types) && scan_is_string(value) && value.len > 2)
            scan_copy(value, w->type, sizeof w->type);
        else if (scan_equals(key, "status") && (w->type[0] == '\0' || status_of(value) != 0))
            read_status(value, w);
        else if (scan_equals(key, "param") && scan_is_string(value))
            scan_copy(value, w->param, sizeof w->param);
    }
}

static void read_object(struct span object, struct words *w, int depth)
{
    static const char *const messages[] = {"message",    "msg",    "error_msg", "error_message",
                                           "status_msg", "detail", NULL};
    static const char *const inside[] = {"error", "errors", "base_resp", NULL};
    struct scan s = scan_open(object);
    struct span key, value;
    struct span raw = scan_member(scan_member(object, "metadata"), "raw");
    read_own(object, w);
    if (scan_is_object(raw) || scan_is_string(raw))
        read_message(raw, w, depth);
    while (scan_next(&s, &key, &value))
        if (is_one_of(key, inside) && scan_says_something(value) && *value.at != 't')
            read_message(value, w, depth);
    for (s = scan_open(object); scan_next(&s, &key, &value);)
        if (is_one_of(key, messages) && scan_says_something(value))
            read_message(value, w, depth);
    struct span loc = scan_member(object, "loc");
    if (scan_is_array(loc) && w->message[0] != '\0')
        put_place(loc, w);
}

static void read_value(struct span value, struct words *w, int depth)
{
    struct scan s = scan_open(value);
    struct span item;
    if (depth > DEPTH_MAX)
        return;
    if (scan_is_object(value))
        read_object(value, w, depth);
    else if (scan_is_string(value))
        read_message(value, w, depth);
    else if (scan_is_array(value))
        while (w->message[0] == '\0' && scan_next(&s, NULL, &item))
            read_value(item, w, depth + 1);
}

void words_read(struct span value, struct words *words)
{
    *words = (struct words){.status = 0};
    read_value(value, words, 0);
}

void words_read_body(const char *text, size_t len, struct words *words)
{
    struct span value = {0};
    const char *data = len > 0 ? memmem(text, len, "data:", 5) : NULL;
    if (len > 0 && !scan_check(text, len, &value) && data != NULL) {
        const char *end = memchr(data, '\n', len - (size_t)(data - text));
        size_t rest = (size_t)((end != NULL ? end : text + len) - data);
        scan_check(data + 5, rest - 5, &value);
    }
    words_read(value, words);
}

bool words_say(const struct words *words, const char *phrase)
{
    return strcasestr(words->message, phrase) != NULL;
}
