/* What a request wants of the response cache; see cache.h. */
#include "cache.h"

#include "common/buf.h"
#include "common/json.h"

#include <math.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Bytes of a question that Postgres looks an answer up by; uplift_chat.prepare_chats() has the
 * same. */
#define QUESTION_MAX 8192
#define CANONICAL_MAX ((size_t)256 * 1024 * 1024)
#define MAX_AGE_MOST_S 1000000000.0

static const char *const mode_names[] = {"off", "on", "read-only", "write-only"};
#define MODES (sizeof mode_names / sizeof mode_names[0])

const char *cache_mode_name(enum cache_mode mode)
{
    return mode_names[mode];
}

bool cache_reads(enum cache_mode mode)
{
    return mode == CACHE_ON || mode == CACHE_READ_ONLY;
}

bool cache_writes(enum cache_mode mode)
{
    return mode == CACHE_ON || mode == CACHE_WRITE_ONLY;
}

const char *cache_result_name(enum cache_result result)
{
    switch (result) {
    case CACHE_UNUSED:
        return "off";
    case CACHE_MISS:
        return "miss";
    case CACHE_HIT:
    case CACHE_SHARED:
        return "hit";
    }
    return "off";
}

static bool read_mode(struct cache_wish *wish, const cJSON *item, struct api_error *error)
{
    if (cJSON_IsNull(item))
        return true;
    for (size_t i = 0; cJSON_IsString(item) && i < MODES; i++) {
        if (strcmp(item->valuestring, mode_names[i]) == 0) {
            wish->mode = (enum cache_mode)i;
            return true;
        }
    }
    return api_error(error, 400, "invalid_cache", "cache.mode",
                     "cache.mode must be off, on, read-only or write-only");
}

static bool read_max_age(struct cache_wish *wish, const cJSON *item, struct api_error *error)
{
    if (cJSON_IsNull(item))
        return true;
    if (!cJSON_IsNumber(item) || item->valuedouble < 0 ||
        item->valuedouble != floor(item->valuedouble) || item->valuedouble > MAX_AGE_MOST_S)
        return api_error(error, 400, "invalid_cache", "cache.max_age_s",
                         "cache.max_age_s must be a whole number of seconds from 0 to %.0f",
                         MAX_AGE_MOST_S);
    if (item->valuedouble < (double)wish->max_age_s)
        wish->max_age_s = (int64_t)item->valuedouble;
    return true;
}

bool cache_read_wish(struct cache_wish *wish, const cJSON *body, const struct config *config,
                     struct api_error *error)
{
    const cJSON *object = cJSON_GetObjectItemCaseSensitive(body, "cache"), *item;
    wish->mode = (enum cache_mode)config->cache;
    wish->max_age_s = config->cache_ttl_s;
    if (object == NULL || cJSON_IsNull(object))
        return true;
    if (!cJSON_IsObject(object))
        return api_error(error, 400, "invalid_cache", "cache",
                         "cache must be an object with mode and max_age_s");
    cJSON_ArrayForEach (item, object) {
        bool good;
        if (strcmp(item->string, "mode") == 0)
            good = read_mode(wish, item, error);
        else if (strcmp(item->string, "max_age_s") == 0)
            good = read_max_age(wish, item, error);
        else
            good = api_error(error, 400, "invalid_cache", "cache",
                             "cache has only mode and max_age_s, not \"%.60s\"", item->string);
        if (!good)
            return false;
    }
    return true;
}

/* --- what a completions request is told apart by --- */

/* Members that say how the answer is sent, or to whom, not what it is. Ours that do shape it, such
 * as coach_id, do so by the system prompt and the model, which are parts of the key themselves. */
static bool is_beside_the_point(struct span name)
{
    static const char *const names[] = {"cache",
                                        "coach_id",
                                        "conversation_id",
                                        "metadata",
                                        "mode",
                                        "model",
                                        "n",
                                        "prompt_cache_key",
                                        "regenerate_of",
                                        "safety_identifier",
                                        "service_tier",
                                        "severity",
                                        "store",
                                        "stream",
                                        "stream_options",
                                        "user"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (scan_equals(name, names[i]))
            return true;
    return false;
}

/* A member of an object; its name, decoded, lies in a buffer with those of the others. */
struct member {
    size_t name, len;
    struct span value;
};

static int by_name(const void *left, const void *right, void *names)
{
    const struct member *a = left, *b = right;
    const char *text = names;
    int order = memcmp(text + a->name, text + b->name, a->len < b->len ? a->len : b->len);
    return order != 0 ? order : (a->len > b->len) - (a->len < b->len);
}

static size_t count_members(struct span object)
{
    struct scan s = scan_open(object);
    struct span value;
    size_t count = 0;
    while (scan_next(&s, NULL, &value))
        count++;
    return count;
}

static void put_value(struct buf *out, struct span value, struct span left_out);

/* The members of an object in the order of their names. */
static void put_members(struct buf *out, struct span object, struct span left_out, bool is_body)
{
    struct member *members = calloc(count_members(object) + 1, sizeof *members);
    struct scan s = scan_open(object);
    struct span key, value;
    struct buf names;
    size_t kept = 0;
    buf_init(&names, object.len);
    while (members != NULL && scan_next(&s, &key, &value)) {
        if (is_body && is_beside_the_point(key))
            continue;
        members[kept] = (struct member){.name = names.len, .value = value};
        scan_text(key, &names, NULL);
        members[kept].len = names.len - members[kept].name;
        kept++;
    }
    if (members == NULL || names.failed) {
        out->failed = true;
        kept = 0;
    }
    if (kept > 1)
        qsort_r(members, kept, sizeof *members, by_name, names.data != NULL ? names.data : "");
    buf_putc(out, '{');
    for (size_t i = 0; i < kept; i++) {
        buf_json_string(out, names.data != NULL ? names.data + members[i].name : "",
                        members[i].len);
        buf_putc(out, ':');
        put_value(out, members[i].value, left_out);
        buf_putc(out, ',');
    }
    buf_putc(out, '}');
    buf_release(&names);
    free(members);
}

static void put_items(struct buf *out, struct span array, struct span left_out)
{
    struct scan s = scan_open(array);
    struct span item;
    buf_putc(out, '[');
    while (scan_next(&s, NULL, &item)) {
        put_value(out, item, left_out);
        buf_putc(out, ',');
    }
    buf_putc(out, ']');
}

/* However it is escaped. */
static void put_string(struct buf *out, struct span string)
{
    struct buf text;
    if (memchr(string.at, '\\', string.len) == NULL) {
        buf_append(out, string.at, string.len);
        return;
    }
    buf_init(&text, string.len);
    if (scan_text(string, &text, NULL))
        buf_json_string(out, text.data != NULL ? text.data : "", text.len);
    else
        out->failed = true;
    buf_release(&text);
}

/* 1.50 is 1.5; but of a long integer a double does not hold all digits. */
static void put_number(struct buf *out, struct span number)
{
    char text[64];
    bool is_long = number.len > 15 && scan_is_whole(number);
    if (is_long || number.len >= sizeof text) {
        buf_append(out, number.at, number.len);
        return;
    }
    memcpy(text, number.at, number.len);
    text[number.len] = '\0';
    buf_printf(out, "%.17g", strtod(text, NULL));
}

static void put_value(struct buf *out, struct span value, struct span left_out)
{
    if (value.at == left_out.at)
        buf_putc(out, '*');
    else if (scan_is_string(value))
        put_string(out, value);
    else if (scan_is_array(value))
        put_items(out, value, left_out);
    else if (scan_is_object(value))
        put_members(out, value, left_out, false);
    else if (scan_is_number(value))
        put_number(out, value);
    else
        buf_append(out, value.at, value.len);
}

/* The text that is answered: the content of the last message, where that is a user's and plain. */
static struct span question(struct span body)
{
    struct scan s = scan_open(scan_member(body, "messages"));
    struct span last = {0}, content;
    while (scan_next(&s, NULL, &last))
        continue;
    content = scan_member(last, "content");
    if (scan_equals(scan_member(last, "role"), "user") && scan_is_string(content))
        return content;
    return (struct span){0};
}

/* Whether its answer may be more than what is kept of it. */
static bool wants_more_than_text(struct span body)
{
    struct scan s = scan_open(scan_member(body, "modalities"));
    struct span modality;
    while (scan_next(&s, NULL, &modality))
        if (!scan_equals(modality, "text"))
            return true;
    return scan_is(scan_member(body, "logprobs"), "true");
}

static bool hash(const char *text, size_t len, char out[SHA256_HEX + 1])
{
    unsigned char bytes[SHA256_HEX / 2];
    if (EVP_Digest(text, len, bytes, NULL, EVP_sha256(), NULL) != 1)
        return false;
    for (size_t i = 0; i < sizeof bytes; i++) {
        out[2 * i] = "0123456789abcdef"[bytes[i] >> 4];
        out[2 * i + 1] = "0123456789abcdef"[bytes[i] & 15];
    }
    out[SHA256_HEX] = '\0';
    return true;
}

void cache_read_parameters(struct cache_wish *wish, struct span body)
{
    struct buf text;
    if (wish->mode == CACHE_OFF)
        return;
    buf_init(&text, CANONICAL_MAX);
    if (!wants_more_than_text(body)) {
        struct span left_out = question(body);
        wish->has_question = left_out.len > QUESTION_MAX;
        if (wish->has_question)
            left_out = (struct span){0};
        put_members(&text, body, left_out, true);
    }
    if (text.failed || text.len == 0 || !hash(text.data, text.len, wish->parameters))
        wish->mode = CACHE_OFF;
    buf_release(&text);
}

void cache_read_message(struct cache_wish *wish, const char *message, size_t len)
{
    if (wish->mode == CACHE_OFF || len <= QUESTION_MAX)
        return;
    wish->has_question = true;
    if (!hash(message, len, wish->parameters))
        wish->mode = CACHE_OFF;
}
