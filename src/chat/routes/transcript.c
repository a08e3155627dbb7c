/* What is recorded of an OpenAI-style request. */
#include "transcript.h"

#include "common/buf.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#define STAND_IN_BYTES 128 /* at most, but for the type that it takes over */

static struct span last_user_message(struct span messages)
{
    struct scan s = scan_open(messages);
    struct span message, found = {0};
    while (scan_next(&s, NULL, &message))
        if (scan_equals(scan_member(message, "role"), "user"))
            found = message;
    return found;
}

/* The text of a part that is text; none for others. */
static struct span part_text(struct span part)
{
    struct span text = scan_member(part, "text");
    if (scan_equals(scan_member(part, "type"), "text") && scan_is_string(text))
        return text;
    return (struct span){0};
}

/* The text of a content that is a string or a list of parts; false when memory ran out. */
static bool read_text(struct span content, struct buf *text)
{
    struct scan s = scan_open(content);
    struct span part;
    if (scan_is_string(content))
        return scan_text(content, text, NULL);
    while (scan_is_array(content) && scan_next(&s, NULL, &part)) {
        struct span piece = part_text(part);
        if (piece.at == NULL)
            continue;
        if (text->len > 0)
            buf_putc(text, '\n');
        scan_text(piece, text, NULL);
    }
    return !text->failed;
}

static char *content_text(struct span content)
{
    struct buf text;
    buf_init(&text, content.len + 1);
    char *result = read_text(content, &text) ? buf_steal(&text) : NULL;
    buf_release(&text);
    return result;
}

/* Whether a message holds nothing but the text that content_text takes from it. */
static bool only_text(struct span message)
{
    struct scan s = scan_open(message);
    struct span key, value, part;
    while (scan_next(&s, &key, &value))
        if (!scan_equals(key, "role") && !scan_equals(key, "content")) /* such as a name */
            return false;
    struct span content = scan_member(message, "content");
    s = scan_open(content);
    while (scan_is_array(content) && scan_next(&s, NULL, &part))
        if (part_text(part).at == NULL)
            return false;
    return true;
}

/* --- inline bytes --- */

/* Of a part, the string whose text is inline bytes, with a "data:...," before it or without;
 * none for a part without them. */
static struct span inline_bytes(struct span part)
{
    struct span image = scan_member(part, "image_url");
    struct span url = scan_is_object(image) ? scan_member(image, "url") : image;
    if (scan_is_string(url) && url.len > 6 && memcmp(url.at, "\"data:", 6) == 0)
        return url;
    struct span data = scan_member(scan_member(part, "input_audio"), "data");
    if (scan_is_string(data))
        return data;
    struct span file = scan_member(scan_member(part, "file"), "file_data");
    return scan_is_string(file) ? file : (struct span){0};
}

/* Appends the SHA-256 in hexadecimal and the size of base64 text; what is no base64 is hashed as it
 * stands. */
static bool put_digest(struct buf *out, const char *base64, size_t len)
{
    unsigned char hash[32];
    unsigned char *bytes = malloc(len / 4 * 3 + 4);
    if (bytes == NULL)
        return false;
    int n = len <= INT32_MAX ? EVP_DecodeBlock(bytes, (const unsigned char *)base64, (int)len) : -1;
    size_t size = len;
    if (n >= 0) {
        size = (size_t)n;
        for (size_t i = len; i > 0 && base64[i - 1] == '=' && size > 0 && len - i < 2; i--)
            size--;
    }
    int hashed = EVP_Digest(n >= 0 ? (const void *)bytes : (const void *)base64, size, hash, NULL,
                            EVP_sha256(), NULL);
    free(bytes);
    buf_puts(out, ",\"sha256\":\"");
    for (size_t i = 0; i < sizeof hash; i++) {
        buf_putc(out, "0123456789abcdef"[hash[i] >> 4]);
        buf_putc(out, "0123456789abcdef"[hash[i] & 15]);
    }
    return hashed == 1 && buf_printf(out, "\",\"bytes\":%zu}", size);
}

/* Appends {"type","sha256","bytes"} in the place of a part. */
static bool put_stand_in(struct buf *out, struct span part, struct span bytes)
{
    struct span type = scan_member(part, "type");
    struct buf text;
    buf_init(&text, bytes.len);
    bool good = buf_reserve(&text, 0) && scan_text(bytes, &text, NULL);
    if (good) {
        const char *base64 = text.data;
        const char *comma = strncmp(base64, "data:", 5) == 0 ? strchr(base64, ',') : NULL;
        if (comma != NULL)
            base64 = comma + 1;
        buf_puts(out, "{\"type\":");
        if (scan_is_string(type))
            buf_append(out, type.at, type.len);
        else
            buf_puts(out, "\"file\"");
        good = put_digest(out, base64, text.len - (size_t)(base64 - text.data));
    }
    buf_release(&text);
    return good;
}

static bool put_parts(struct buf *out, struct span parts)
{
    struct scan s = scan_open(parts);
    struct span part;
    const char *before = "[";
    bool good = true;
    while (good && scan_next(&s, NULL, &part)) {
        struct span bytes = inline_bytes(part);
        buf_puts(out, before);
        before = ",";
        good =
            bytes.at != NULL ? put_stand_in(out, part, bytes) : buf_append(out, part.at, part.len);
    }
    return good && buf_puts(out, *before == '[' ? "[]" : "]");
}

static bool has_inline_bytes(struct span content)
{
    struct scan s = scan_open(content);
    struct span part;
    while (scan_is_array(content) && scan_next(&s, NULL, &part))
        if (inline_bytes(part).at != NULL)
            return true;
    return false;
}

/* As it came, but for inline bytes. */
static bool put_message(struct buf *out, struct span message)
{
    struct span content = scan_member(message, "content");
    if (!has_inline_bytes(content))
        return buf_append(out, message.at, message.len);
    buf_append(out, message.at, (size_t)(content.at - message.at));
    bool good = put_parts(out, content);
    const char *after = content.at + content.len;
    return good && buf_append(out, after, (size_t)(message.at + message.len - after));
}

size_t transcript_bytes(struct span message)
{
    struct span content = scan_member(message, "content"), part;
    struct scan s = scan_open(content);
    struct buf text;
    size_t bytes = message.len - content.len;
    if (scan_is_array(content))
        while (scan_next(&s, NULL, &part))
            bytes += part.len - part_text(part).len - inline_bytes(part).len;
    buf_init(&text, content.len + 1);
    if (read_text(content, &text))
        bytes += text.len;
    else
        bytes += content.len;
    buf_release(&text);
    return bytes;
}

/* --- the whole --- */

/* Puts all messages but the user's, where that is kept as text. *user_at is how many came before
 * it, where others follow; else -1. */
static bool put_messages(struct buf *out, struct span messages, struct span user, int *user_at)
{
    struct scan s = scan_open(messages);
    struct span message;
    int count = 0, at = -1;
    bool good = buf_puts(out, "{\"messages\":[");
    while (good && scan_next(&s, NULL, &message)) {
        if (message.at == user.at && only_text(message)) {
            at = count;
            continue;
        }
        if (count++ > 0)
            buf_putc(out, ',');
        good = put_message(out, message);
    }
    *user_at = at < count ? at : -1;
    return good && buf_putc(out, ']');
}

bool transcript_read(struct span request, char **user_message, char **rest)
{
    static const char *const more[] = {"tools", "tool_choice", "response_format"};
    static const char nothing[] = "{\"messages\":[]";
    struct span messages = scan_member(request, "messages");
    struct span user = last_user_message(messages);
    struct buf out;
    *rest = NULL;
    *user_message = content_text(scan_member(user, "content"));
    buf_init(&out, STAND_IN_BYTES * request.len); /* a stand-in may be longer than its part */
    int user_at = -1;
    bool good = *user_message != NULL && put_messages(&out, messages, user, &user_at);
    for (size_t i = 0; i < sizeof more / sizeof more[0] && good; i++) {
        struct span value = scan_member(request, more[i]);
        if (value.at == NULL)
            continue;
        buf_printf(&out, ",\"%s\":", more[i]);
        good = buf_append(&out, value.at, value.len);
    }
    if (good && user_at >= 0)
        good = buf_printf(&out, ",\"user_message_at\":%d", user_at);
    if (good && out.len >= sizeof nothing) {
        good = buf_putc(&out, '}');
        *rest = good ? buf_steal(&out) : NULL;
        good = *rest != NULL;
    }
    buf_release(&out);
    if (!good) {
        free(*user_message);
        *user_message = NULL;
    }
    return good;
}
