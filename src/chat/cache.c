/* What a request wants of the response cache; see cache.h. */
#include "cache.h"

#include "../common/buf.h"
#include "../common/json.h"

#include <math.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

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
static bool is_beside_the_point(const char *name)
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
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

static int by_name(const void *a, const void *b)
{
    return strcmp((*(const cJSON *const *)a)->string, (*(const cJSON *const *)b)->string);
}

static void put_value(struct buf *out, const cJSON *value, const cJSON *left_out);

/* The members of an object in the order of their names. */
static void put_members(struct buf *out, const cJSON *object, const cJSON *left_out, bool is_body)
{
    size_t count = (size_t)cJSON_GetArraySize(object), kept = 0;
    const cJSON **members = calloc(count + 1, sizeof *members), *item;
    if (members == NULL) {
        out->failed = true;
        return;
    }
    cJSON_ArrayForEach (item, object)
        if (!is_body || !is_beside_the_point(item->string))
            members[kept++] = item;
    qsort(members, kept, sizeof *members, by_name);
    buf_putc(out, '{');
    for (size_t i = 0; i < kept; i++) {
        buf_json_string(out, members[i]->string, strlen(members[i]->string));
        buf_putc(out, ':');
        put_value(out, members[i], left_out);
        buf_putc(out, ',');
    }
    buf_putc(out, '}');
    free(members);
}

static void put_value(struct buf *out, const cJSON *value, const cJSON *left_out)
{
    const cJSON *item;
    if (value == left_out) {
        buf_putc(out, '*');
    } else if (cJSON_IsString(value)) {
        buf_json_string(out, value->valuestring, strlen(value->valuestring));
    } else if (cJSON_IsNumber(value)) {
        buf_printf(out, "%.17g", value->valuedouble);
    } else if (cJSON_IsArray(value)) {
        buf_putc(out, '[');
        cJSON_ArrayForEach (item, value) {
            put_value(out, item, left_out);
            buf_putc(out, ',');
        }
        buf_putc(out, ']');
    } else if (cJSON_IsObject(value)) {
        put_members(out, value, left_out, false);
    } else {
        buf_puts(out, cJSON_IsTrue(value) ? "true" : cJSON_IsFalse(value) ? "false" : "null");
    }
}

/* The text that is answered: the content of the last message, where that is a user's and plain. */
static const cJSON *question(const cJSON *body)
{
    const cJSON *messages = cJSON_GetObjectItemCaseSensitive(body, "messages");
    const cJSON *last = cJSON_GetArrayItem(messages, cJSON_GetArraySize(messages) - 1);
    const char *role = json_string(last, "role");
    const cJSON *content = cJSON_GetObjectItemCaseSensitive(last, "content");
    return role != NULL && strcmp(role, "user") == 0 && cJSON_IsString(content) ? content : NULL;
}

/* Whether its answer may be more than what is kept of it. */
static bool wants_more_than_text(const cJSON *body)
{
    const cJSON *modality, *modalities = cJSON_GetObjectItemCaseSensitive(body, "modalities");
    cJSON_ArrayForEach (modality, modalities)
        if (!cJSON_IsString(modality) || strcmp(modality->valuestring, "text") != 0)
            return true;
    return json_bool(body, "logprobs", false);
}

static bool hash(const struct buf *text, char out[SHA256_HEX + 1])
{
    unsigned char bytes[SHA256_HEX / 2];
    if (text->failed || EVP_Digest(text->data, text->len, bytes, NULL, EVP_sha256(), NULL) != 1)
        return false;
    for (size_t i = 0; i < sizeof bytes; i++) {
        out[2 * i] = "0123456789abcdef"[bytes[i] >> 4];
        out[2 * i + 1] = "0123456789abcdef"[bytes[i] & 15];
    }
    out[SHA256_HEX] = '\0';
    return true;
}

void cache_read_parameters(struct cache_wish *wish, const cJSON *body)
{
    struct buf text;
    if (wish->mode == CACHE_OFF)
        return;
    buf_init(&text, CANONICAL_MAX);
    if (!wants_more_than_text(body))
        put_members(&text, body, question(body), true);
    if (text.len == 0 || !hash(&text, wish->parameters))
        wish->mode = CACHE_OFF;
    buf_release(&text);
}
