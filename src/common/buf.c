/* A growing byte buffer with a maximum, the one way text is built in both programs. */
#include "buf.h"

#include "utf8.h"
#include "word.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUF_FIRST 256 /* bytes of the first allocation, unless more is asked for */

void buf_init(struct buf *b, size_t max)
{
    /* Half of all addresses is no limit at all, and sums below cannot wrap around. */
    *b = (struct buf){.max = max < SIZE_MAX / 2 ? max : SIZE_MAX / 2};
}

void buf_release(struct buf *b)
{
    free(b->data);
    buf_init(b, b->max);
}

void buf_clear(struct buf *b)
{
    b->len = 0;
    b->failed = false;
    if (b->data)
        b->data[0] = '\0';
}

char *buf_steal(struct buf *b)
{
    if (!buf_reserve(b, 0)) {
        buf_release(b);
        return NULL;
    }
    char *data = b->data;
    data[b->len] = '\0';
    buf_init(b, b->max);
    return data;
}

void buf_cut(struct buf *b, size_t len)
{
    if (b->data == NULL)
        return;
    b->len = len;
    b->data[len] = '\0';
}

void buf_consume(struct buf *b, size_t n)
{
    if (n == 0 || b->data == NULL)
        return;
    b->len -= n;
    memmove(b->data, b->data + n, b->len + 1);
}

bool buf_reserve(struct buf *b, size_t n)
{
    if (b->failed || n > b->max - b->len) {
        b->failed = true;
        return false;
    }
    size_t need = b->len + n + 1;
    if (need <= b->cap)
        return true;
    size_t cap = b->cap ? b->cap : BUF_FIRST;
    while (cap < need)
        cap *= 2;
    if (cap > b->max + 1)
        cap = b->max + 1;
    char *data = realloc(b->data, cap);
    if (data == NULL) {
        b->failed = true;
        return false;
    }
    data[b->len] = '\0';
    b->data = data;
    b->cap = cap;
    return true;
}

bool buf_append(struct buf *b, const void *data, size_t len)
{
    if (!buf_reserve(b, len))
        return false;
    if (len)
        memcpy(b->data + b->len, data, len);
    b->len += len;
    b->data[b->len] = '\0';
    return true;
}

bool buf_puts(struct buf *b, const char *text)
{
    return buf_append(b, text, strlen(text));
}

bool buf_putc(struct buf *b, char c)
{
    return buf_append(b, &c, 1);
}

bool buf_printf(struct buf *b, const char *format, ...)
{
    if (!buf_reserve(b, 0))
        return false;
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(b->data + b->len, b->cap - b->len, format, args);
    va_end(args);
    bool ok = n >= 0;
    if (ok && (size_t)n >= b->cap - b->len) {
        b->data[b->len] = '\0';
        ok = buf_reserve(b, (size_t)n);
        if (ok)
            vsnprintf(b->data + b->len, b->cap - b->len, format, again);
    }
    va_end(again);
    if (!ok) {
        b->failed = true;
        return false;
    }
    b->len += (size_t)n;
    return true;
}

static bool escape_one(struct buf *b, unsigned char c)
{
    static const char hex[] = "0123456789abcdef";
    switch (c) {
    case '"':
        return buf_append(b, "\\\"", 2);
    case '\\':
        return buf_append(b, "\\\\", 2);
    case '\b':
        return buf_append(b, "\\b", 2);
    case '\f':
        return buf_append(b, "\\f", 2);
    case '\n':
        return buf_append(b, "\\n", 2);
    case '\r':
        return buf_append(b, "\\r", 2);
    case '\t':
        return buf_append(b, "\\t", 2);
    case '\0':
        return buf_append(b, "\xef\xbf\xbd", 3);
    default: {
        char escape[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
        return buf_append(b, escape, sizeof escape);
    }
    }
}

bool buf_json_escaped(struct buf *b, const char *text, size_t len)
{
    size_t run = 0, i = 0; /* text[run..i) is clean and not copied yet */
    if (!buf_reserve(b, len))
        return false;
    while (i < len) {
        if (len - i >= 8 && !word_needs_care(text + i)) {
            i += 8;
            continue;
        }
        unsigned char c = (unsigned char)text[i];
        if (c >= 0x20 && c < 0x80 && c != '"' && c != '\\') {
            i++;
            continue;
        }
        size_t n = c >= 0x80 ? utf8_sequence(text + i, len - i) : 0;
        if (n) {
            i += n;
            continue;
        }
        buf_append(b, text + run, i - run);
        if (c >= 0x80)
            buf_append(b, "\xef\xbf\xbd", 3);
        else
            escape_one(b, c);
        run = ++i;
    }
    return buf_append(b, text + run, len - run);
}

bool buf_utf8(struct buf *b, const char *text, size_t len)
{
    size_t run = 0, i = 0; /* text[run..i) is valid and not copied yet */
    if (!buf_reserve(b, len))
        return false;
    while (i < len) {
        if (len - i >= 8 && word_is_ascii(text + i)) {
            i += 8;
            continue;
        }
        unsigned char c = (unsigned char)text[i];
        size_t n = c == '\0' ? 0 : c < 0x80 ? 1 : utf8_sequence(text + i, len - i);
        if (n) {
            i += n;
            continue;
        }
        buf_append(b, text + run, i - run);
        buf_append(b, "\xef\xbf\xbd", 3);
        run = ++i;
    }
    return buf_append(b, text + run, len - run);
}

bool buf_json_string(struct buf *b, const char *text, size_t len)
{
    buf_putc(b, '"');
    buf_json_escaped(b, text, len);
    return buf_putc(b, '"');
}
