/* Text and Markdown as documents; see document.h. */
#include "document.h"

#include "common/utf8.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define FRONT_MATTER_MAX ((size_t)16384)

void document_init(struct document *d)
{
    memset(d, 0, sizeof *d);
    buf_init(&d->content, DOCUMENT_CONTENT_MAX);
}

void document_release(struct document *d)
{
    buf_release(&d->content);
}

bool document_fail(struct document *d, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    utf8_vprint(d->reason, sizeof d->reason, format, args);
    va_end(args);
    return false;
}

/* --- formats --- */

static const struct {
    const char *end, *word;
    enum document_format format;
} endings[] = {
    {".txt", "text", DOCUMENT_TEXT},        {".text", NULL, DOCUMENT_TEXT},
    {".md", "markdown", DOCUMENT_MARKDOWN}, {".markdown", NULL, DOCUMENT_MARKDOWN},
    {".html", "html", DOCUMENT_HTML},       {".htm", NULL, DOCUMENT_HTML},
    {".xhtml", NULL, DOCUMENT_HTML},        {".pdf", "pdf", DOCUMENT_PDF},
};

enum document_format document_format_of_name(const char *name)
{
    const char *end = strrchr(name, '.');
    for (size_t i = 0; end != NULL && i < sizeof endings / sizeof endings[0]; i++)
        if (strcasecmp(end, endings[i].end) == 0)
            return endings[i].format;
    return DOCUMENT_UNKNOWN;
}

enum document_format document_format_of_word(const char *word)
{
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++)
        if (endings[i].word != NULL && strcmp(word, endings[i].word) == 0)
            return endings[i].format;
    return DOCUMENT_UNKNOWN;
}

enum document_format document_format_of_type(const char *content_type)
{
    static const struct {
        const char *type;
        enum document_format format;
    } types[] = {{"text/html", DOCUMENT_HTML},         {"application/xhtml+xml", DOCUMENT_HTML},
                 {"text/markdown", DOCUMENT_MARKDOWN}, {"text/x-markdown", DOCUMENT_MARKDOWN},
                 {"text/plain", DOCUMENT_TEXT},        {"application/pdf", DOCUMENT_PDF}};
    size_t len = strcspn(content_type, "; \t");
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (strlen(types[i].type) == len && strncasecmp(content_type, types[i].type, len) == 0)
            return types[i].format;
    return DOCUMENT_UNKNOWN;
}

/* --- characters --- */

static void put_character(struct document *d, uint32_t point)
{
    char bytes[4];
    if (point == '\t' || point == '\n' || (point >= 0x20 && point != 0x7f && point != 0xfeff))
        buf_append(&d->content, bytes, utf8_encode(point, bytes));
    else if (point == '\f')
        buf_puts(&d->content, "\n\n");
}

static bool read_utf16(struct document *d, const unsigned char *p, size_t len)
{
    bool big = p[0] == 0xfe;
    for (size_t i = 2; i + 1 < len; i += 2) {
        uint32_t unit = (uint32_t)(big ? p[i] << 8 | p[i + 1] : p[i + 1] << 8 | p[i]);
        if (unit >= 0xd800 && unit < 0xdc00 && i + 3 < len) {
            uint32_t low = (uint32_t)(big ? p[i + 2] << 8 | p[i + 3] : p[i + 3] << 8 | p[i + 2]);
            if (low >= 0xdc00 && low < 0xe000) {
                unit = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
                i += 2;
            }
        }
        if (unit == 0)
            return document_fail(d, "it is no text: it has NUL characters");
        put_character(d, unit >= 0xd800 && unit < 0xe000 ? 0xfffd : unit);
    }
    return true;
}

/* Windows-1252, as the Encoding Standard has it: 0x80 to 0x9f are these, the rest is Latin-1. */
static uint32_t windows_1252(unsigned char c)
{
    static const uint16_t high[32] = {
        0x20ac, 0x81,   0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021, 0x02c6, 0x2030, 0x0160,
        0x2039, 0x0152, 0x8d,   0x017d, 0x8f,   0x90,   0x2018, 0x2019, 0x201c, 0x201d, 0x2022,
        0x2013, 0x2014, 0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0x9d,   0x017e, 0x0178};
    return c >= 0x80 && c < 0xa0 ? high[c - 0x80] : c;
}

/* Counts what of the bytes above 0x7f is UTF-8, and what is not. */
static void count_high(const char *p, size_t len, size_t *good, size_t *bad)
{
    *good = *bad = 0;
    for (size_t i = 0; i < len;) {
        size_t n = (unsigned char)p[i] < 0x80 ? 1 : utf8_sequence(p + i, len - i);
        if (n == 0)
            ++*bad;
        else if (n > 1)
            ++*good;
        i += n > 0 ? n : 1;
    }
}

static void read_bytes(struct document *d, const char *p, size_t len)
{
    size_t good, bad;
    count_high(p, len, &good, &bad);
    bool is_utf8 = good >= bad;
    for (size_t i = 0; i < len;) {
        unsigned char c = (unsigned char)p[i];
        size_t n = c < 0x80 || !is_utf8 ? 1 : utf8_sequence(p + i, len - i);
        if (c == '\r') /* Windows' ends of lines, and those of old Macs */
            put_character(d, i + 1 < len && p[i + 1] == '\n' ? 0 : '\n');
        else if (c < 0x80 || n == 0 || !is_utf8)
            put_character(d, c < 0x80 ? c : is_utf8 ? 0xfffd : windows_1252(c));
        else if (n != 3 || memcmp(p + i, "\xef\xbb\xbf", 3) != 0) /* a mark of the byte order */
            buf_append(&d->content, p + i, n);
        i += n > 0 ? n : 1;
    }
}

/* --- what Markdown says of itself --- */

static size_t line_length(const char *p, size_t left)
{
    const char *end = memchr(p, '\n', left);
    return end != NULL ? (size_t)(end - p) : left;
}

static void take_title(struct document *d, const char *p, size_t len)
{
    while (len > 0 && strchr(" \t\"'#", p[len - 1]) != NULL)
        len--;
    while (len > 0 && strchr(" \t\"'", *p) != NULL)
        p++, len--;
    if (len > 0 && *d->title == '\0')
        utf8_print(d->title, sizeof d->title, "%.*s", (int)(len < 1000 ? len : 1000), p);
}

/* Takes what stands between lines of --- at the beginning away, but for its title. */
static void read_front_matter(struct document *d)
{
    const char *text = d->content.data;
    size_t len = d->content.len < FRONT_MATTER_MAX ? d->content.len : FRONT_MATTER_MAX, at = 4;
    if (len < 8 || memcmp(text, "---\n", 4) != 0)
        return;
    while (at < len) {
        size_t n = line_length(text + at, len - at);
        if (n == 3 && memcmp(text + at, "---", 3) == 0)
            break;
        at += n + 1;
    }
    if (at >= len)
        return;
    for (size_t i = 4; i < at; i += line_length(text + i, at - i) + 1)
        if (strncmp(text + i, "title:", 6) == 0)
            take_title(d, text + i + 6, line_length(text + i, at - i) - 6);
    buf_consume(&d->content, at + 4 <= d->content.len ? at + 4 : d->content.len);
}

/* The first heading, when it is near the beginning. */
static void find_title(struct document *d)
{
    const char *text = d->content.data;
    size_t len = d->content.len;
    for (size_t i = 0, lines = 0; i < len && lines < 20; lines++) {
        size_t n = line_length(text + i, len - i);
        if (n > 2 && text[i] == '#' && text[i + 1] == ' ') {
            take_title(d, text + i + 2, n - 2);
            return;
        }
        i += n + 1;
    }
}

/* --- the whole --- */

bool document_check(struct document *d)
{
    struct buf *content = &d->content;
    if (content->failed)
        return document_fail(d, "it has more than %zu bytes of text", DOCUMENT_CONTENT_MAX);
    while (content->len > 0 && strchr(" \t\n", content->data[content->len - 1]) != NULL)
        content->data[--content->len] = '\0';
    size_t blank = content->len > 0 ? strspn(content->data, "\n") : 0;
    buf_consume(content, blank);
    if (content->len == 0)
        return document_fail(d, "there is no text in it");
    return true;
}

bool document_read_text(struct document *d, const char *data, size_t len,
                        enum document_format format)
{
    const unsigned char *p = (const unsigned char *)data;
    if (len >= 2 && ((p[0] == 0xff && p[1] == 0xfe) || (p[0] == 0xfe && p[1] == 0xff))) {
        if (!read_utf16(d, p, len))
            return false;
    } else if (len > 0 && memchr(data, '\0', len) != NULL) {
        return document_fail(d, "it is no text: it has NUL bytes");
    } else {
        read_bytes(d, data, len);
    }
    if (d->content.len > 0 && !d->content.failed && format == DOCUMENT_MARKDOWN) {
        read_front_matter(d);
        if (*d->title == '\0' && d->content.len > 0)
            find_title(d);
    }
    return document_check(d);
}
