/*
 * Strict reading of JSON that came from outside, and small accessors over cJSON.
 *
 * The text is checked in one pass over its bytes and without building anything; what a tree is
 * wanted of, cJSON makes only then. cJSON alone would let pass what the next reader (Postgres, a
 * provider) may refuse or read differently: bytes that are not UTF-8, NUL, duplicate keys, big
 * integers.
 */
#include "json.h"

#include "buf.h"
#include "utf8.h"
#include "word.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NUMBER_MAX 60                /* characters; cJSON reads at most 63 */
#define ANY_NUMBER_MAX 350           /* the longest integer of a double has 309 */
#define EXACT_MAX 9007199254740992.0 /* 2^53: integers beyond it lose digits in a double */
#define KEYS_FIRST 48
#define FEW_KEYS 8 /* up to here, comparing all pairs is cheaper than sorting */

/* A key of an object that is still open, decoded. */
struct key {
    const char *text; /* in the text, or NULL: at offset in decoded */
    size_t offset, len;
};

/* Where one open array or object stands. */
struct level {
    size_t first_key; /* of this object, in keys */
    size_t decoded;   /* length of decoded when it opened */
    size_t items;     /* of an array, so far */
    bool is_object;
};

struct check {
    const char *text, *at, *end;
    struct json_rules rules;
    struct span value;
    size_t values; /* so far */
    struct level levels[JSON_MAX_DEPTH];
    size_t depth;
    struct key *keys; /* of all open objects, innermost last; owned unless it is first_keys */
    size_t key_count, key_cap;
    struct key first_keys[KEYS_FIRST]; /* so that most texts need no allocation */
    struct buf decoded;                /* keys that had escapes */
    struct json_error *error;
};

static const char *key_text(const struct check *c, const struct key *k)
{
    return k->text ? k->text : c->decoded.data + k->offset;
}

/* Writes the dotted path of the member being read, cut between characters when it does not fit. */
static void write_path(const struct check *c, char *out, size_t size)
{
    size_t used = 0;
    for (size_t d = 0; d < c->depth; d++) {
        const struct level *l = &c->levels[d];
        char index[24];
        const char *part = index;
        size_t len, last = d + 1 < c->depth ? c->levels[d + 1].first_key : c->key_count;
        if (!l->is_object) {
            len = (size_t)snprintf(index, sizeof index, "%zu", l->items);
        } else if (last > l->first_key) {
            part = key_text(c, &c->keys[last - 1]);
            len = c->keys[last - 1].len;
        } else {
            break; /* no key was read yet: the object itself is meant */
        }
        if (used + (used > 0) + len >= size) {
            break;
        }
        if (used)
            out[used++] = '.';
        memcpy(out + used, part, len);
        used += len;
    }
    out[used] = '\0';
}

static bool refuse(struct check *c, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Notes the reason and the place; always false. */
static bool refuse(struct check *c, const char *format, ...)
{
    char reason[112];
    va_list args;
    if (c->rules.is_loose)
        return false;
    va_start(args, format);
    vsnprintf(reason, sizeof reason, format, args);
    va_end(args);
    snprintf(c->error->message, sizeof c->error->message, "%s at byte %zu", reason,
             (size_t)(c->at - c->text));
    write_path(c, c->error->param, sizeof c->error->param);
    return false;
}

static void skip_space(struct check *c)
{
    while (c->at < c->end && (*c->at == ' ' || *c->at == '\n' || *c->at == '\r' || *c->at == '\t'))
        c->at++;
}

/* What stands where something else was expected. */
static bool unexpected(struct check *c, const char *expected)
{
    if (c->at == c->end)
        return refuse(c, "text ends where %s was expected", expected);
    if (*c->at == '\0')
        return refuse(c, "NUL byte");
    return refuse(c, "%s expected", expected);
}

static bool read_hex4(struct check *c, unsigned *out)
{
    unsigned value = 0;
    if (c->end - c->at < 4) {
        c->at = c->end;
        return unexpected(c, "four hex digits");
    }
    for (int i = 0; i < 4; i++) {
        char d = *c->at, low = (char)(d | 0x20);
        unsigned digit = d >= '0' && d <= '9'       ? (unsigned)(d - '0')
                         : low >= 'a' && low <= 'f' ? (unsigned)(low - 'a' + 10)
                                                    : 16;
        if (digit == 16)
            return unexpected(c, "hex digit");
        value = value << 4 | digit;
        c->at++;
    }
    *out = value;
    return true;
}

/* Reads what follows a backslash; appends the character to into when that is not NULL. */
static bool read_escape(struct check *c, struct buf *into)
{
    static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    if (c->at == c->end)
        return unexpected(c, "escape");
    const char *name = *c->at ? strchr(names, *c->at) : NULL;
    char bytes[4];
    size_t n = 1;
    if (name) {
        bytes[0] = values[name - names];
        c->at++;
    } else {
        unsigned point, low;
        if (*c->at != 'u')
            return refuse(c, "unknown escape in a string");
        c->at++;
        if (!read_hex4(c, &point))
            return false;
        if (c->rules.is_loose)
            return true;
        if (point == 0)
            return refuse(c, "NUL character in a string");
        if (point >= 0xd800 && point < 0xdc00) {
            if (c->end - c->at < 6 || c->at[0] != '\\' || c->at[1] != 'u')
                return refuse(c, "lone surrogate in a string");
            c->at += 2;
            if (!read_hex4(c, &low))
                return false;
            if (low < 0xdc00 || low > 0xdfff)
                return refuse(c, "lone surrogate in a string");
            point = 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00);
        } else if (point >= 0xdc00 && point <= 0xdfff) {
            return refuse(c, "lone surrogate in a string");
        }
        n = utf8_encode(point, bytes);
    }
    if (into && !buf_append(into, bytes, n))
        return refuse(c, "out of memory");
    return true;
}

/* Over what in a string needs no care. */
static void skip_plain(struct check *c)
{
    if (c->rules.is_loose) {
        c->at = scan_skip_plain(c->at, c->end);
        return;
    }
    while (c->end - c->at >= 8 && !word_needs_care(c->at))
        c->at += 8;
    while (c->at < c->end && (unsigned char)*c->at >= 0x20 && (unsigned char)*c->at < 0x80 &&
           *c->at != '"' && *c->at != '\\')
        c->at++;
}

/* Reads a string whose opening quote was passed. With key set, notes its decoded text there. */
static bool read_string(struct check *c, struct key *key)
{
    const char *from = c->at;
    struct buf *into = NULL; /* set from the first escape of a key on */
    if (key)
        *key = (struct key){.text = from};
    for (;;) {
        const char *run = c->at;
        skip_plain(c);
        if (into)
            buf_append(into, run, (size_t)(c->at - run));
        if (c->at == c->end)
            return refuse(c, "text ends inside a string");
        unsigned char b = (unsigned char)*c->at;
        if (b == '"')
            break;
        if (b == '\\') {
            if (key && !into) {
                into = &c->decoded;
                *key = (struct key){.offset = into->len};
                buf_append(into, from, (size_t)(c->at - from));
            }
            c->at++;
            if (!read_escape(c, into))
                return false;
        } else if (b >= 0x80) {
            size_t n = utf8_sequence(c->at, (size_t)(c->end - c->at));
            if (n == 0)
                return refuse(c, "invalid UTF-8");
            if (into)
                buf_append(into, c->at, n);
            c->at += n;
        } else {
            return refuse(c, b ? "control character in a string" : "NUL byte");
        }
    }
    if (into && into->failed)
        return refuse(c, "out of memory");
    if (key)
        key->len = into ? into->len - key->offset : (size_t)(c->at - from);
    c->at++;
    return true;
}

static bool digits(struct check *c)
{
    const char *from = c->at;
    while (c->at < c->end && *c->at >= '0' && *c->at <= '9')
        c->at++;
    return c->at > from || unexpected(c, "digit");
}

/* Whether it is one that may be passed on, or also one that a double holds exactly enough. */
static bool check_number(struct check *c, const char *from, bool is_integer, bool all_zero)
{
    size_t len = (size_t)(c->at - from), most = c->rules.any_number ? ANY_NUMBER_MAX : NUMBER_MAX;
    char copy[ANY_NUMBER_MAX + 1];
    const char *end = c->at;
    c->at = from; /* where a complaint points */
    if (len > most)
        return refuse(c, "number with more than %zu characters", most);
    memcpy(copy, from, len);
    copy[len] = '\0';
    double value = strtod(copy, NULL);
    if (!isfinite(value) || (value == 0 && !all_zero))
        return refuse(c, "number out of range");
    /* 2^53 + 1 is read as 2^53. */
    bool is_rough =
        is_integer && (fabs(value) > EXACT_MAX || (fabs(value) == EXACT_MAX && end[-1] != '2'));
    if (is_rough && !c->rules.any_number)
        return refuse(c, "integer beyond 2^53");
    c->at = end;
    return true;
}

static bool read_number(struct check *c)
{
    const char *from = c->at;
    bool is_integer = true, all_zero = true;
    if (*c->at == '-')
        c->at++;
    if (c->at < c->end && *c->at == '0')
        c->at++;
    else if (!digits(c))
        return false;
    if (c->at < c->end && *c->at == '.') {
        is_integer = false;
        c->at++;
        if (!digits(c))
            return false;
    }
    for (const char *p = from; p < c->at && all_zero; p++)
        all_zero = *p == '0' || *p == '-' || *p == '.';
    if (c->at < c->end && (*c->at == 'e' || *c->at == 'E')) {
        is_integer = false;
        c->at++;
        if (c->at < c->end && (*c->at == '+' || *c->at == '-'))
            c->at++;
        if (!digits(c))
            return false;
    }
    return c->rules.is_loose || check_number(c, from, is_integer, all_zero);
}

static bool read_word(struct check *c, const char *word)
{
    size_t len = strlen(word);
    if ((size_t)(c->end - c->at) < len || memcmp(c->at, word, len) != 0)
        return unexpected(c, "value");
    c->at += len;
    return true;
}

static bool add_key(struct check *c, const struct key *key)
{
    if (c->key_count == c->key_cap) {
        size_t cap = c->key_cap * 2;
        bool first = c->keys == c->first_keys;
        struct key *keys = realloc(first ? NULL : c->keys, cap * sizeof *keys);
        if (keys == NULL)
            return refuse(c, "out of memory");
        if (first)
            memcpy(keys, c->first_keys, sizeof c->first_keys);
        c->keys = keys;
        c->key_cap = cap;
    }
    c->keys[c->key_count++] = *key;
    return true;
}

static int compare_keys(const void *left, const void *right, void *check)
{
    const struct key *a = left, *b = right;
    if (a->len != b->len)
        return a->len < b->len ? -1 : 1;
    return memcmp(key_text(check, a), key_text(check, b), a->len);
}

static bool refuse_duplicate(struct check *c, const struct key *key)
{
    struct key again = *key;
    /* write_path names the last key of the innermost object. */
    c->keys[c->key_count - 1] = again;
    return refuse(c, "duplicate key in the object that ends");
}

/* Refuses an object, about to be closed, in which two keys are equal. */
static bool check_duplicates(struct check *c)
{
    size_t first = c->levels[c->depth - 1].first_key, n = c->key_count - first;
    if (n < 2)
        return true;
    struct key *keys = c->keys + first;
    if (n > FEW_KEYS) {
        qsort_r(keys, n, sizeof *keys, compare_keys, c);
        for (size_t i = 1; i < n; i++)
            if (compare_keys(&keys[i - 1], &keys[i], c) == 0)
                return refuse_duplicate(c, &keys[i]);
        return true;
    }
    for (size_t i = 1; i < n; i++)
        for (size_t k = 0; k < i; k++)
            if (compare_keys(&keys[i], &keys[k], c) == 0)
                return refuse_duplicate(c, &keys[i]);
    return true;
}

static bool open_level(struct check *c, bool is_object)
{
    if (c->depth == JSON_MAX_DEPTH)
        return refuse(c, "more than %d levels of arrays and objects", JSON_MAX_DEPTH);
    c->levels[c->depth++] = (struct level){
        .first_key = c->key_count, .decoded = c->decoded.len, .is_object = is_object};
    c->at++;
    return true;
}

static bool close_level(struct check *c)
{
    struct level *l = &c->levels[c->depth - 1];
    if (l->is_object && !check_duplicates(c))
        return false;
    c->key_count = l->first_key;
    c->decoded.len = l->decoded;
    c->depth--;
    c->at++;
    return true;
}

/* Reads a member's key and its colon. */
static bool read_key(struct check *c)
{
    struct key key;
    skip_space(c);
    if (c->at == c->end || *c->at != '"')
        return unexpected(c, "key in double quotes");
    c->at++;
    if (c->rules.is_loose ? !read_string(c, NULL) : !read_string(c, &key) || !add_key(c, &key))
        return false;
    skip_space(c);
    if (c->at == c->end || *c->at != ':')
        return unexpected(c, "':'");
    c->at++;
    return true;
}

/* Reads one value; of an array or object only its beginning, which *opened tells. */
static bool read_value(struct check *c, bool *opened)
{
    *opened = false;
    skip_space(c);
    if (c->at == c->end)
        return unexpected(c, "value");
    if (c->values++ == c->rules.max_values && c->rules.max_values != 0)
        return refuse(c, "more than %zu values", c->rules.max_values);
    switch (*c->at) {
    case '{':
    case '[':
        *opened = true;
        return open_level(c, *c->at == '{');
    case '"':
        c->at++;
        return read_string(c, NULL);
    case 't':
        return read_word(c, "true");
    case 'f':
        return read_word(c, "false");
    case 'n':
        return read_word(c, "null");
    default:
        if (*c->at == '-' || (*c->at >= '0' && *c->at <= '9'))
            return read_number(c);
        return unexpected(c, "value");
    }
}

/* After a value: closes what ends here and passes the comma before the next value. */
static bool after_value(struct check *c)
{
    while (c->depth > 0) {
        struct level *l = &c->levels[c->depth - 1];
        skip_space(c);
        if (c->at < c->end && *c->at == (l->is_object ? '}' : ']')) {
            if (!close_level(c))
                return false;
            continue;
        }
        if (c->at == c->end || *c->at != ',')
            return unexpected(c, l->is_object ? "',' or '}'" : "',' or ']'");
        c->at++;
        l->items++;
        return true;
    }
    return true;
}

static bool check_text(struct check *c)
{
    bool opened;
    skip_space(c);
    c->value.at = c->at;
    do {
        if (c->depth > 0 && c->levels[c->depth - 1].is_object && !read_key(c))
            return false;
        if (!read_value(c, &opened))
            return false;
        if (opened) {
            skip_space(c);
            bool is_object = c->levels[c->depth - 1].is_object;
            if (c->at == c->end || *c->at != (is_object ? '}' : ']'))
                continue; /* its first member comes next */
            if (!close_level(c))
                return false;
        }
        if (!after_value(c))
            return false;
    } while (c->depth > 0);
    c->value.len = (size_t)(c->at - c->value.at);
    skip_space(c);
    return c->at == c->end || refuse(c, *c->at ? "text after the value" : "NUL byte");
}

bool json_check(const char *text, size_t len, const struct json_rules *rules, struct span *value,
                struct json_error *error)
{
    struct check c; /* 3 KB, of which only what is read needs a value first */
    bool good;
    c.text = c.at = text;
    c.end = text + len;
    c.rules = *rules;
    c.error = error;
    c.depth = c.key_count = c.values = 0;
    c.keys = c.first_keys;
    c.key_cap = KEYS_FIRST;
    error->message[0] = error->param[0] = '\0';
    buf_init(&c.decoded, len);
    if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
        good = refuse(&c, "byte order mark");
    else
        good = check_text(&c);
    buf_release(&c.decoded);
    if (c.keys != c.first_keys)
        free(c.keys);
    if (good)
        *value = c.value;
    return good;
}

cJSON *json_parse(const char *text, size_t len, struct json_error *error)
{
    static const struct json_rules exact = {.max_values = 0};
    struct span value;
    if (!json_check(text, len, &exact, &value, error))
        return NULL;
    cJSON *tree = cJSON_ParseWithLength(value.at, value.len);
    if (tree == NULL)
        snprintf(error->message, sizeof error->message, "out of memory");
    return tree;
}

/* A value of no type for what is too large, or cannot be read. */
static cJSON *read_picked(struct span value, size_t max_bytes)
{
    cJSON *item = value.len <= max_bytes ? cJSON_ParseWithLength(value.at, value.len) : NULL;
    return item != NULL ? item : cJSON_CreateRaw("");
}

cJSON *json_pick(struct span object, const char *const *names, size_t max_bytes)
{
    cJSON *picked = cJSON_CreateObject();
    struct scan s = scan_open(object);
    struct span key, value;
    while (picked != NULL && s.in_object && scan_next(&s, &key, &value)) {
        size_t i = 0;
        while (names[i] != NULL && !scan_equals(key, names[i]))
            i++;
        if (names[i] == NULL)
            continue;
        cJSON *item = read_picked(value, max_bytes);
        if (!cJSON_AddItemToObject(picked, names[i], item)) {
            cJSON_Delete(item);
            cJSON_Delete(picked);
            return NULL;
        }
    }
    return picked;
}

const char *json_string(const cJSON *object, const char *key)
{
    return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, key));
}

const char *json_text(const cJSON *object, const char *key)
{
    const char *text = json_string(object, key);
    return text != NULL ? text : "";
}

bool json_bool(const cJSON *object, const char *key, bool fallback)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
    return cJSON_IsBool(item) ? cJSON_IsTrue(item) : fallback;
}

double json_number(const cJSON *object, const char *key, double fallback)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
    return cJSON_IsNumber(item) ? item->valuedouble : fallback;
}

bool json_utf8_valid(const char *text, size_t len)
{
    for (size_t i = 0; i < len;) {
        if (text[i] == '\0')
            return false;
        size_t n = (unsigned char)text[i] < 0x80 ? 1 : utf8_sequence(text + i, len - i);
        if (n == 0)
            return false;
        i += n;
    }
    return true;
}
