/* What a client of /v1/chat/completions gets; see openai.h. */
#include "openai.h"

#include <string.h>

static bool key_is(struct span key, const char *name)
{
    size_t len = strlen(name);
    return key.len == len + 2 && memcmp(key.at + 1, name, len) == 0;
}

static void put_ids(struct buf *out, const struct chat *chat)
{
    buf_puts(out, "{\"id\":\"chatcmpl-");
    buf_puts(out, chat->id_text);
    buf_puts(out, "\",\"feedback_id\":\"");
    buf_puts(out, chat->id_text);
    buf_puts(out, "\",\"conversation_id\":\"");
    buf_puts(out, chat->conversation_text);
    buf_putc(out, '"');
}

static void put_member(struct buf *out, struct span key, struct span value)
{
    buf_putc(out, ',');
    buf_append(out, key.at, key.len);
    buf_putc(out, ':');
    buf_append(out, value.at, value.len);
}

/* A choice with the members that it lacks. */
static void put_choice(struct buf *out, struct span choice, int number, bool is_chunk)
{
    struct scan s = scan_open(choice);
    struct span key, value, message = {0}, finish = {0};
    int64_t index = number;
    const char *name = is_chunk ? "delta" : "message";
    while (s.in_object && scan_next(&s, &key, &value)) {
        if (key_is(key, "index"))
            index = scan_count(value, index);
        else if (key_is(key, name) && scan_is_object(value))
            message = value;
        else if (key_is(key, "finish_reason"))
            finish = value;
    }
    buf_printf(out, "{\"index\":%lld,\"%s\":", (long long)index, name);
    if (message.at != NULL)
        buf_append(out, message.at, message.len);
    else
        buf_puts(out, is_chunk ? "{}" : "{\"role\":\"assistant\",\"content\":null}");
    buf_puts(out, ",\"finish_reason\":");
    if (finish.at != NULL)
        buf_append(out, finish.at, finish.len);
    else
        buf_puts(out, is_chunk ? "null" : "\"stop\"");
    for (s = scan_open(choice); s.in_object && scan_next(&s, &key, &value);)
        if (!key_is(key, "index") && !key_is(key, name) && !key_is(key, "finish_reason"))
            put_member(out, key, value);
    buf_putc(out, '}');
}

static void put_choices(struct buf *out, struct span choices, bool is_chunk)
{
    struct scan s = scan_open(choices);
    struct span choice;
    buf_puts(out, ",\"choices\":[");
    for (int i = 0; scan_next(&s, NULL, &choice); i++) {
        if (i > 0)
            buf_putc(out, ',');
        put_choice(out, choice, i, is_chunk);
    }
    buf_putc(out, ']');
}

/* Line ends can only stand between tokens of JSON; inside an event they would end its line. */
static void join_lines(struct buf *out, size_t from)
{
    if (out->failed)
        return;
    for (char *p = out->data + from, *end = out->data + out->len; p < end; p++)
        if (*p == '\n' || *p == '\r')
            *p = ' ';
}

static void put_object(struct buf *out, bool is_chunk)
{
    buf_puts(out, ",\"object\":\"chat.completion");
    buf_puts(out, is_chunk ? ".chunk\"" : "\"");
}

static void put_created(struct buf *out, const struct chat *chat)
{
    buf_printf(out, ",\"created\":%lld", (long long)(chat->created_us / 1000000));
}

static void put_model(struct buf *out, const struct chat *chat)
{
    const char *model = chat->model_used != NULL ? chat->model_used : chat->model;
    buf_puts(out, ",\"model\":");
    buf_json_string(out, model != NULL ? model : "", model != NULL ? strlen(model) : 0);
}

bool openai_completion(struct buf *out, const struct chat *chat, const struct completion *c,
                       bool is_chunk, bool with_usage)
{
    size_t from = out->len;
    bool has_object = false, has_created = false, has_model = false, has_choices = false;
    struct scan s = scan_open(c->whole);
    struct span key, value;
    buf_reserve(out, c->whole.len + 192);
    put_ids(out, chat);
    while (scan_next(&s, &key, &value)) {
        if (key_is(key, "id") || key_is(key, "feedback_id") || key_is(key, "conversation_id") ||
            (!with_usage && key_is(key, "usage")))
            continue;
        if (!c->is_sound) {
            if (key_is(key, "choices")) {
                if (!has_choices)
                    put_choices(out, value, is_chunk);
                has_choices = true;
                continue;
            }
            bool is_object = key_is(key, "object"), is_created = key_is(key, "created"),
                 is_model = key_is(key, "model");
            if ((is_object || is_model) && !scan_is_string(value))
                continue;
            if (is_created && scan_is(value, "null"))
                continue;
            has_object |= is_object;
            has_created |= is_created;
            has_model |= is_model;
        }
        put_member(out, key, value);
    }
    if (!c->is_sound) {
        if (!has_object)
            put_object(out, is_chunk);
        if (!has_created)
            put_created(out, chat);
        if (!has_model)
            put_model(out, chat);
        if (!has_choices)
            put_choices(out, (struct span){0}, is_chunk);
    }
    buf_putc(out, '}');
    join_lines(out, from);
    return !out->failed;
}

bool openai_chunk(struct buf *out, const struct chat *chat, const struct completion *c,
                  bool with_usage)
{
    buf_puts(out, "data: ");
    openai_completion(out, chat, c, true, with_usage);
    return buf_puts(out, "\n\n");
}

bool openai_finish_chunk(struct buf *out, const struct chat *chat, const char *finish_reason)
{
    buf_puts(out, "data: ");
    put_ids(out, chat);
    put_object(out, true);
    put_created(out, chat);
    put_model(out, chat);
    buf_puts(out, ",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":");
    buf_json_string(out, finish_reason, strlen(finish_reason));
    return buf_puts(out, "}]}\n\n");
}
