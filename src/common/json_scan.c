/* Walks JSON text where it lies; see json_scan.h. */
#include "json_scan.h"

#include "json.h"
#include "utf8.h"
#include "word.h"

#include <string.h>

#define ESCAPED_BYTES 6 /* of JSON for a byte of text, at most */

static const char replacement[] = "\xef\xbf\xbd"; /* U+FFFD */

static bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static const char *skip_space(const char *p, const char *end)
{
    while (p < end && is_space(*p))
        p++;
    return p;
}

const char *scan_skip_plain(const char *p, const char *end)
{
    while (end - p >= 8 && !word_needs_care_in_any_text(p))
        p += 8;
    while (p < end && *p != '"' && *p != '\\' && (unsigned char)*p >= 0x20)
        p++;
    return p;
}

bool scan_check(const char *text, size_t len, struct span *value)
{
    static const struct json_rules grammar = {.is_loose = true};
    struct json_error none;
    *value = (struct span){0};
    return json_check(text, len, &grammar, value, &none);
}

/* --- walking what was checked --- */

static const char *over_string(const char *p, const char *end)
{
    for (p++; (p = scan_skip_plain(p, end)) < end; p++) {
        if (*p == '"')
            return p + 1;
        if (*p == '\\')
            p++;
    }
    return end;
}

static const char *over_value(const char *p, const char *end)
{
    size_t depth = 0;
    do {
        switch (*p) {
        case '"':
            p = over_string(p, end);
            break;
        case '{':
        case '[':
            depth++;
            p++;
            break;
        case '}':
        case ']':
            depth--;
            p++;
            break;
        default:
            p++;
            if (depth == 0)
                while (p < end && *p != ',' && *p != '}' && *p != ']' && !is_space(*p))
                    p++;
        }
    } while (depth > 0 && p < end);
    return p;
}

struct scan scan_open(struct span value)
{
    struct scan s = {0};
    if (scan_is_object(value) || scan_is_array(value)) {
        s.at = value.at + 1;
        s.end = value.at + value.len - 1;
        s.in_object = *value.at == '{';
    }
    return s;
}

bool scan_next(struct scan *s, struct span *key, struct span *value)
{
    while (s->at < s->end && (is_space(*s->at) || *s->at == ','))
        s->at++;
    if (s->at >= s->end)
        return false;
    if (s->in_object) {
        const char *from = s->at;
        s->at = over_string(from, s->end);
        if (key != NULL)
            *key = (struct span){from, (size_t)(s->at - from)};
        while (s->at < s->end && (is_space(*s->at) || *s->at == ':'))
            s->at++;
    }
    const char *from = s->at;
    s->at = over_value(from, s->end);
    *value = (struct span){from, (size_t)(s->at - from)};
    return true;
}

struct span scan_member(struct span object, const char *key)
{
    struct scan s = scan_open(object);
    struct span name, value;
    if (!s.in_object)
        return (struct span){0};
    while (scan_next(&s, &name, &value))
        if (scan_equals(name, key))
            return value;
    return (struct span){0};
}

bool scan_is_object(struct span value)
{
    return value.at != NULL && *value.at == '{';
}

bool scan_is_array(struct span value)
{
    return value.at != NULL && *value.at == '[';
}

bool scan_is_string(struct span value)
{
    return value.at != NULL && *value.at == '"';
}

bool scan_is_number(struct span value)
{
    return value.at != NULL && (*value.at == '-' || is_digit(*value.at));
}

bool scan_is_whole(struct span number)
{
    size_t i = number.len > 0 && number.at[0] == '-';
    while (i < number.len && is_digit(number.at[i]))
        i++;
    return i == number.len;
}

bool scan_is(struct span value, const char *json)
{
    return value.at != NULL && value.len == strlen(json) && memcmp(value.at, json, value.len) == 0;
}

bool scan_says_something(struct span value)
{
    if (value.at == NULL || scan_is(value, "null") || scan_is(value, "\"\""))
        return false;
    if (*value.at != '{' && *value.at != '[')
        return true;
    return skip_space(value.at + 1, value.at + value.len - 1) < value.at + value.len - 1;
}

int64_t scan_count(struct span value, int64_t fallback)
{
    int64_t count = 0;
    if (value.at == NULL || value.len == 0 || value.len > 16)
        return fallback;
    for (size_t i = 0; i < value.len; i++) {
        if (!is_digit(value.at[i]))
            return fallback;
        count = count * 10 + (value.at[i] - '0');
    }
    return count < INT64_C(9007199254740992) ? count : fallback;
}

/* --- strings --- */

/* Of a text that was checked. */
static int hex4(const char *p)
{
    int value = 0;
    for (int i = 0; i < 4; i++) {
        char c = p[i], low = (char)(c | 0x20);
        if (is_digit(c))
            value = value * 16 + (c - '0');
        else if (low >= 'a' && low <= 'f')
            value = value * 16 + (low - 'a' + 10);
        else
            return -1;
    }
    return value;
}

static bool put_point(struct buf *out, unsigned point)
{
    char bytes[4];
    return buf_append(out, bytes, utf8_encode(point, bytes));
}

static bool is_high(int unit)
{
    return unit >= 0xd800 && unit < 0xdc00;
}

static bool is_low(int unit)
{
    return unit >= 0xdc00 && unit < 0xe000;
}

/* One \u escape after what may be the first half of a pair. */
static void put_unit(struct buf *out, int unit, uint16_t *half)
{
    if (*half != 0 && is_low(unit)) {
        put_point(out, 0x10000u + ((unsigned)(*half - 0xd800) << 10) + (unsigned)(unit - 0xdc00));
        *half = 0;
        return;
    }
    if (*half != 0)
        buf_append(out, replacement, 3);
    *half = is_high(unit) ? (uint16_t)unit : 0;
    if (unit == 0 || is_low(unit))
        buf_append(out, replacement, 3);
    else if (*half == 0)
        put_point(out, (unsigned)unit);
}

bool scan_text(struct span string, struct buf *out, uint16_t *half)
{
    static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    uint16_t own = 0, *pending = half != NULL ? half : &own;
    if (!scan_is_string(string))
        return !out->failed;
    const char *p = string.at + 1, *end = string.at + string.len - 1;
    while (p < end) {
        const char *run = p;
        p = scan_skip_plain(p, end);
        if (p > run && *pending != 0) {
            buf_append(out, replacement, 3);
            *pending = 0;
        }
        buf_append(out, run, (size_t)(p - run));
        if (p >= end)
            break;
        if (p[1] == 'u') {
            put_unit(out, hex4(p + 2), pending);
            p += 6;
            continue;
        }
        if (*pending != 0) {
            buf_append(out, replacement, 3);
            *pending = 0;
        }
        buf_putc(out, values[strchr(names, p[1]) - names]);
        p += 2;
    }
    if (half == NULL && own != 0)
        buf_append(out, replacement, 3);
    return !out->failed;
}

bool scan_equals(struct span string, const char *text)
{
    size_t len = strlen(text);
    if (!scan_is_string(string) || string.len < len + 2)
        return false;
    if (memchr(string.at, '\\', string.len) == NULL)
        return string.len == len + 2 && memcmp(string.at + 1, text, len) == 0;
    if (string.len - 2 > len * ESCAPED_BYTES)
        return false;
    struct buf decoded;
    buf_init(&decoded, string.len);
    bool same = scan_text(string, &decoded, NULL) && decoded.len == len &&
                memcmp(decoded.data, text, len) == 0;
    buf_release(&decoded);
    return same;
}

void scan_copy(struct span string, char *out, size_t size)
{
    struct buf b;
    out[0] = '\0';
    buf_init(&b, string.len * 3 + 4);
    if (scan_is_string(string) && scan_text(string, &b, NULL) && b.data != NULL) {
        size_t n = b.len < size ? b.len : size - 1;
        while (n < b.len && n > 0 && ((unsigned char)b.data[n] & 0xc0) == 0x80)
            n--;
        memcpy(out, b.data, n);
        out[n] = '\0';
    }
    buf_release(&b);
}

/* The bytes of an escape at p that may stay as they are; 0 when it must be replaced. */
static size_t good_escape(const char *p, const char *end)
{
    if (p[1] != 'u')
        return 2;
    int unit = hex4(p + 2);
    if (is_high(unit) && end - p >= 12 && p[6] == '\\' && p[7] == 'u' && is_low(hex4(p + 8)))
        return 12;
    return unit == 0 || is_high(unit) || is_low(unit) ? 0 : 6;
}

bool scan_clean(struct span value, struct buf *out)
{
    const char *p = value.at, *end = value.at + value.len, *run = p;
    while (p < end) {
        size_t n = 1;
        const char *instead = NULL;
        if ((unsigned char)*p >= 0x80) {
            n = utf8_sequence(p, (size_t)(end - p));
            if (n == 0) {
                instead = replacement;
                n = 1;
            }
        } else if (*p == '\\') {
            n = good_escape(p, end);
            if (n == 0) {
                instead = "\\ufffd";
                n = 6;
            }
        } else if (*p == '\n' || *p == '\r') {
            instead = " "; /* between tokens only; what is kept is kept on one line */
        }
        p += n;
        if (instead != NULL) {
            buf_append(out, run, (size_t)(p - run) - n);
            buf_puts(out, instead);
            run = p;
        }
    }
    return buf_append(out, run, (size_t)(p - run));
}
