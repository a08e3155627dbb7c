/* Walks JSON text where it lies; see scan.h. */
#include "scan.h"

#include "../common/utf8.h"

#include <string.h>

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

/* Whether any of eight bytes is a quote, a backslash or a control character; false alarms are
 * harmless. */
static bool eight_need_care(const char *p)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), high = UINT64_C(0x8080808080808080);
    uint64_t w;
    memcpy(&w, p, 8);
    uint64_t quote = w ^ (ones * '"'), slash = w ^ (ones * '\\');
    uint64_t found =
        ((w - ones * 0x20) & ~w) | ((quote - ones) & ~quote) | ((slash - ones) & ~slash);
    return (found & high) != 0;
}

/* Over what in a string needs no care. */
static const char *skip_plain(const char *p, const char *end)
{
    while (end - p >= 8 && !eight_need_care(p))
        p += 8;
    while (p < end && *p != '"' && *p != '\\' && (unsigned char)*p >= 0x20)
        p++;
    return p;
}

/* --- checking; each returns where its value ends, NULL when it is not valid --- */

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

/* p is behind the opening quote. */
static const char *check_string(const char *p, const char *end)
{
    for (;;) {
        p = skip_plain(p, end);
        if (p == end || (unsigned char)*p < 0x20)
            return NULL;
        if (*p == '"')
            return p + 1;
        if (++p == end)
            return NULL;
        if (*p == 'u') {
            if (end - p < 5 || hex4(p + 1) < 0)
                return NULL;
            p += 5;
        } else if (*p != '\0' && strchr("\"\\/bfnrt", *p) != NULL) {
            p++;
        } else {
            return NULL;
        }
    }
}

static const char *check_digits(const char *p, const char *end)
{
    const char *from = p;
    while (p < end && is_digit(*p))
        p++;
    return p > from ? p : NULL;
}

static const char *check_number(const char *p, const char *end)
{
    if (p < end && *p == '-')
        p++;
    if (p < end && *p == '0')
        p++;
    else if ((p = check_digits(p, end)) == NULL)
        return NULL;
    if (p < end && *p == '.' && (p = check_digits(p + 1, end)) == NULL)
        return NULL;
    if (p < end && (*p == 'e' || *p == 'E')) {
        p++;
        if (p < end && (*p == '+' || *p == '-'))
            p++;
        p = check_digits(p, end);
    }
    return p;
}

static const char *check_word(const char *p, const char *end, const char *word)
{
    size_t len = strlen(word);
    return (size_t)(end - p) >= len && memcmp(p, word, len) == 0 ? p + len : NULL;
}

static const char *check_scalar(const char *p, const char *end)
{
    switch (*p) {
    case '"':
        return check_string(p + 1, end);
    case 't':
        return check_word(p, end, "true");
    case 'f':
        return check_word(p, end, "false");
    case 'n':
        return check_word(p, end, "null");
    default:
        return check_number(p, end);
    }
}

/* A key and its colon. */
static const char *check_key(const char *p, const char *end)
{
    p = skip_space(p, end);
    if (p == end || *p != '"' || (p = check_string(p + 1, end)) == NULL)
        return NULL;
    p = skip_space(p, end);
    return p < end && *p == ':' ? p + 1 : NULL;
}

static const char *check_value(const char *p, const char *end)
{
    char closers[SCAN_MAX_DEPTH];
    size_t depth = 0;
    for (;;) {
        p = skip_space(p, end);
        if (p == end)
            return NULL;
        if (*p == '{' || *p == '[') {
            if (depth == SCAN_MAX_DEPTH)
                return NULL;
            char closer = *p == '{' ? '}' : ']';
            closers[depth++] = closer;
            p = skip_space(p + 1, end);
            if (p == end)
                return NULL;
            if (*p != closer) {
                if (closer == '}' && (p = check_key(p, end)) == NULL)
                    return NULL;
                continue;
            }
        } else if ((p = check_scalar(p, end)) == NULL) {
            return NULL;
        }
        /* After a value: close what ends here, up to the comma before the next. */
        for (;;) {
            if (depth > 0)
                p = skip_space(p, end);
            if (depth == 0)
                return p;
            if (p == end)
                return NULL;
            if (*p == closers[depth - 1]) {
                depth--;
                p++;
                continue;
            }
            if (*p != ',')
                return NULL;
            p++;
            if (closers[depth - 1] == '}' && (p = check_key(p, end)) == NULL)
                return NULL;
            break;
        }
    }
}

bool scan_check(const char *text, size_t len, struct span *value)
{
    const char *end = text + len, *from = skip_space(text, end), *to = check_value(from, end);
    *value = (struct span){0};
    if (to == NULL || skip_space(to, end) != end)
        return false;
    *value = (struct span){from, (size_t)(to - from)};
    return true;
}

/* --- walking what was checked --- */

static const char *over_string(const char *p, const char *end)
{
    for (p++; (p = skip_plain(p, end)) < end; p++) {
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
        if (scan_key_is(name, key))
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

static bool put_point(struct buf *out, unsigned point)
{
    char bytes[4];
    if (point < 0x80) {
        bytes[0] = (char)point;
        return buf_append(out, bytes, 1);
    }
    size_t n = point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    for (size_t i = n; i-- > 1; point >>= 6)
        bytes[i] = (char)(0x80 | (point & 0x3f));
    bytes[0] = (char)((n == 2 ? 0xc0 : n == 3 ? 0xe0 : 0xf0) | point);
    return buf_append(out, bytes, n);
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
        p = skip_plain(p, end);
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
