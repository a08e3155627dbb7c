/* The body of a request to a provider; see asking.h. */
#include "asking.h"

#include "common/json_scan.h"
#include "wire.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define ROOM 8192 /* for what is put in besides the text */
#define GO_ON                                                                                      \
    "Your last message was cut off. Go on exactly where it stopped, in the same language: do not " \
    "repeat any of it, and say nothing about this."

unsigned asking_added(const struct chat *chat)
{
    unsigned added = 0;
    if (chat->stream && !chat->client_wants_usage)
        added |= ADDED_USAGE;
    if (wire_of(chat->protocol)->is_own_request && chat->regenerate_of[0] != '\0')
        added |= ADDED_SEED;
    return added;
}

static bool is_part_of_word(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

static bool has_word(const char *text, size_t len, const char *word)
{
    size_t size = strlen(word);
    const char *end = text + len;
    for (const char *at = text; (at = memmem(at, (size_t)(end - at), word, size)) != NULL; at++)
        if ((at == text || !is_part_of_word(at[-1])) &&
            (at + size == end || !is_part_of_word(at[size])))
            return true;
    return false;
}

unsigned asking_named(const struct chat *chat, const char *refusal, size_t len)
{
    unsigned named = 0;
    if (len == 0)
        return 0;
    if (has_word(refusal, len, "stream_options") || has_word(refusal, len, "include_usage"))
        named |= ADDED_USAGE;
    if (has_word(refusal, len, "seed"))
        named |= ADDED_SEED;
    return named & asking_added(chat);
}

bool asking_may_go_on(const struct chat *chat)
{
    struct span body;
    if (!scan_check(chat->upstream_body, chat->upstream_body_len, &body))
        return false;
    struct span type = scan_member(scan_member(body, "response_format"), "type");
    return type.at == NULL || scan_is(type, "\"text\"");
}

/* --- changing single members --- */

static void put_key(struct buf *b, struct span key)
{
    buf_puts(b, b->len > 1 ? "," : "");
    buf_append(b, key.at, key.len);
    buf_putc(b, ':');
}

/* stream_options without include_usage, where the client had others in it. */
static void put_options(struct buf *b, struct span key, struct span options)
{
    struct scan s = scan_open(options);
    struct span name, value;
    const char *comma = "{";
    while (s.in_object && scan_next(&s, &name, &value)) {
        if (scan_equals(name, "include_usage"))
            continue;
        if (*comma == '{')
            put_key(b, key);
        buf_puts(b, comma);
        buf_append(b, name.at, name.len);
        buf_putc(b, ':');
        buf_append(b, value.at, value.len);
        comma = ",";
    }
    if (*comma == ',')
        buf_putc(b, '}');
}

/* The last message, when it is the assistant's and a text: the client had the answer begun. */
static struct span begun_by_client(struct span messages)
{
    struct scan s = scan_open(messages);
    struct span message, last = {0};
    while (scan_next(&s, NULL, &message))
        last = message;
    bool is_begun = scan_is(scan_member(last, "role"), "\"assistant\"") &&
                    scan_is_string(scan_member(last, "content"));
    return is_begun ? last : (struct span){0};
}

/* The messages with the answer so far as the last one. */
static void put_messages(struct buf *b, struct span messages, const struct asking *a)
{
    struct span begun = begun_by_client(messages), content = scan_member(begun, "content");
    const char *end = begun.at != NULL ? begun.at : messages.at + messages.len - 1;
    buf_append(b, messages.at, (size_t)(end - messages.at));
    if (begun.at == NULL && scan_says_something(messages))
        buf_putc(b, ',');
    buf_puts(b, "{\"role\":\"assistant\",\"content\":\"");
    if (content.at != NULL)
        buf_append(b, content.at + 1, content.len - 2);
    buf_json_escaped(b, a->text, a->len);
    buf_putc(b, '"');
    if (a->goes_on == CONTINUES_PREFIX)
        buf_puts(b, ",\"prefix\":true");
    if (a->goes_on == CONTINUES_PARTIAL)
        buf_puts(b, ",\"partial\":true");
    buf_putc(b, '}');
    if (a->in_words)
        buf_puts(b, ",{\"role\":\"user\",\"content\":\"" GO_ON "\"}");
    buf_putc(b, ']');
}

static void put_limit(struct buf *b, struct span limit, int64_t spent)
{
    int64_t most = scan_count(limit, -1);
    if (most < 0)
        buf_append(b, limit.at, limit.len);
    else
        buf_printf(b, "%lld", (long long)(most > spent ? most - spent : 1));
}

static void put_member(struct buf *b, struct span key, struct span value, const struct asking *a)
{
    bool goes_on = a->goes_on != CONTINUES_NOT || a->in_words;
    if ((a->without & ADDED_SEED) != 0 && scan_equals(key, "seed"))
        return;
    if ((a->without & ADDED_USAGE) != 0 && scan_equals(key, "stream_options")) {
        put_options(b, key, value);
        return;
    }
    put_key(b, key);
    if (a->model != NULL && scan_equals(key, "model"))
        buf_json_string(b, a->model, strlen(a->model));
    else if (goes_on && a->len > 0 && scan_equals(key, "messages") && scan_is_array(value))
        put_messages(b, value, a);
    else if (goes_on &&
             (scan_equals(key, "max_tokens") || scan_equals(key, "max_completion_tokens")))
        put_limit(b, value, a->spent);
    else
        buf_append(b, value.at, value.len);
}

/* --- the whole --- */

static void put_all(struct buf *b, struct span body, const struct asking *a)
{
    struct scan s = scan_open(body);
    struct span key, value;
    buf_putc(b, '{');
    while (scan_next(&s, &key, &value))
        put_member(b, key, value, a);
    if (a->goes_on == CONTINUES_FINAL && a->len > 0)
        buf_puts(b, ",\"continue_final_message\":true,\"add_generation_prompt\":false");
    buf_putc(b, '}');
}

/* Only another model: its name is what the body begins with. */
static void put_model(struct buf *b, const struct chat *chat, const char *model)
{
    buf_puts(b, "{\"model\":");
    buf_json_string(b, model, strlen(model));
    buf_append(b, chat->upstream_body + chat->upstream_model_len,
               chat->upstream_body_len - chat->upstream_model_len);
}

bool asking_body(const struct chat *chat, const struct asking *a, char **made, size_t *len)
{
    struct buf b;
    struct span body;
    bool is_changed = a->without != 0 || a->goes_on != CONTINUES_NOT || a->in_words;
    bool is_renamed = a->model != NULL && chat->upstream_model_len > 0 &&
                      (chat->model == NULL || strcmp(a->model, chat->model) != 0);
    *made = NULL;
    if (!is_changed && !is_renamed)
        return true;
    buf_init(&b, chat->upstream_body_len + a->len * 6 + ROOM);
    if (!is_changed)
        put_model(&b, chat, a->model);
    else if (scan_check(chat->upstream_body, chat->upstream_body_len, &body) &&
             scan_is_object(body))
        put_all(&b, body, a);
    bool good = !b.failed;
    if (good && b.len > 0) {
        *len = b.len;
        *made = buf_steal(&b);
        good = *made != NULL;
    }
    buf_release(&b);
    return good;
}
