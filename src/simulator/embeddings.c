/* POST /v1/embeddings: unit vectors made from hashed pieces of the text. */
#include "embeddings.h"

#include "common/json.h"
#include "fault.h"
#include "reply.h"
#include "tokens.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define INPUTS_MAX 2048
#define TOKENS_MAX 8192

static bool in_word(unsigned char c)
{
    return isalnum(c) || c >= 0x80;
}

static void count_piece(const char *text, size_t len, double weight, double *out, size_t dimensions)
{
    uint64_t hash = UINT64_C(14695981039346656037); /* FNV-1a */
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ (unsigned char)tolower((unsigned char)text[i])) * UINT64_C(1099511628211);
    hash ^= hash >> 32;
    /* One bit is the sign, so that pieces that fall on the same place cancel out in the mean. */
    out[(hash >> 1) % dimensions] += hash & 1 ? weight : -weight;
}

/* The word that stands for all that mean the same, or NULL. */
static const char *meaning_of(const char *word, size_t len)
{
    static const char *const same[][6] = {
        {"run", "runs", "running", "jog", "jogging", "sprinting"},
        {"sleep", "sleeping", "slept", "slumber", "insomnia", NULL},
        {"food", "eat", "eating", "meal", "meals", "nutrition"},
        {"stress", "stressed", "anxiety", "anxious", "worry", "worries"},
    };
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++)
        for (size_t k = 0; k < 6 && same[i][k] != NULL; k++)
            if (strlen(same[i][k]) == len && strncasecmp(same[i][k], word, len) == 0)
                return same[i][0];
    return NULL;
}

static void count_word(const char *word, size_t len, double *out, size_t dimensions)
{
    const char *meaning = meaning_of(word, len);
    if (meaning != NULL) {
        count_piece(meaning, strlen(meaning), 4, out, dimensions);
        return;
    }
    count_piece(word, len, len > 3 ? 2 : 1, out, dimensions);
    for (size_t i = 0; len > 3 && i + 3 <= len; i++)
        count_piece(word + i, 3, 0.5, out, dimensions);
}

/* Fills out with a vector of length 1: words and three-letter pieces of the text, in lower case,
 * each counted at a place that its hash gives. An empty text gives (1, 0, 0, ...). */
static void embedding_make(const char *text, size_t len, double *out, size_t dimensions)
{
    double sum = 0;
    memset(out, 0, dimensions * sizeof *out);
    for (size_t at = 0; at < len;) {
        size_t n = 0;
        while (at + n < len && in_word((unsigned char)text[at + n]))
            n++;
        if (n > 0)
            count_word(text + at, n, out, dimensions);
        at += n > 0 ? n : 1;
    }
    for (size_t i = 0; i < dimensions; i++)
        sum += out[i] * out[i];
    if (sum == 0) {
        out[0] = sum = 1;
    }
    for (size_t i = 0; i < dimensions; i++)
        out[i] /= sqrt(sum);
}

static void put_base64(struct buf *out, const double *vector, size_t dimensions)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t len = dimensions * sizeof(float);
    unsigned char *bytes = malloc(len + 2);
    if (bytes == NULL) {
        out->failed = true;
        return;
    }
    for (size_t i = 0; i < dimensions; i++) {
        float f = (float)vector[i];
        uint32_t bits;
        memcpy(&bits, &f, sizeof bits);
        for (size_t k = 0; k < 4; k++)
            bytes[4 * i + k] = (unsigned char)(bits >> (8 * k)); /* little-endian */
    }
    bytes[len] = bytes[len + 1] = 0;
    for (size_t i = 0; i < len; i += 3) {
        unsigned group = (unsigned)bytes[i] << 16 | (unsigned)bytes[i + 1] << 8 | bytes[i + 2];
        buf_putc(out, letters[group >> 18]);
        buf_putc(out, letters[group >> 12 & 63]);
        buf_putc(out, i + 1 < len ? letters[group >> 6 & 63] : '=');
        buf_putc(out, i + 2 < len ? letters[group & 63] : '=');
    }
    free(bytes);
}

static void put_vector(struct buf *out, int index, const char *text, size_t dimensions, bool base64)
{
    double *vector = malloc(dimensions * sizeof *vector);
    if (vector == NULL) {
        out->failed = true;
        return;
    }
    embedding_make(text, strlen(text), vector, dimensions);
    buf_printf(out, "%s{\"object\":\"embedding\",\"index\":%d,\"embedding\":", index ? "," : "",
               index);
    if (base64) {
        buf_putc(out, '"');
        put_base64(out, vector, dimensions);
        buf_puts(out, "\"}");
    } else {
        for (size_t i = 0; i < dimensions; i++)
            buf_printf(out, "%c%.8g", i ? ',' : '[', vector[i]);
        buf_puts(out, "]}");
    }
    free(vector);
}

/* Checks one input text; its tokens are added to *tokens. */
static bool check_input(const cJSON *text, size_t *tokens, struct api_error *error)
{
    if (!cJSON_IsString(text))
        return api_error(error, 400, "invalid_type", "input",
                         "'input' must be a string or an array of strings");
    if (text->valuestring[0] == '\0')
        return api_error(error, 400, NULL, "input", "'input' cannot be an empty string");
    size_t n = token_count(text->valuestring, strlen(text->valuestring));
    *tokens += n;
    if (n > TOKENS_MAX)
        return api_error(error, 400, "context_length_exceeded", "input",
                         "an input has about %zu tokens, at most %d are taken", n, TOKENS_MAX);
    return true;
}

static bool check_request(const cJSON *request, size_t *tokens, struct api_error *error)
{
    const cJSON *input = cJSON_GetObjectItemCaseSensitive(request, "input"), *text;
    double dimensions = json_number(request, "dimensions", EMBEDDING_DIMENSIONS);
    const char *format = json_string(request, "encoding_format");
    if (json_string(request, "model") == NULL)
        return api_error(error, 400, NULL, "model", "you must provide a model parameter");
    if (dimensions < 1 || dimensions > EMBEDDING_DIMENSIONS_MAX || dimensions != floor(dimensions))
        return api_error(error, 400, "invalid_value", "dimensions",
                         "'dimensions' must be an integer from 1 to %d", EMBEDDING_DIMENSIONS_MAX);
    if (format && strcmp(format, "float") != 0 && strcmp(format, "base64") != 0)
        return api_error(error, 400, "invalid_value", "encoding_format",
                         "'encoding_format' must be float or base64");
    if (!cJSON_IsArray(input))
        return check_input(input, tokens, error);
    if (input->child == NULL || cJSON_GetArraySize(input) > INPUTS_MAX)
        return api_error(error, 400, "invalid_value", "input", "'input' must have 1 to %d elements",
                         INPUTS_MAX);
    cJSON_ArrayForEach (text, input) {
        if (!check_input(text, tokens, error))
            return false;
    }
    return true;
}

/* --- answering --- */

/* A body that is sent later. */
static void on_over(struct fastcgi_request *r)
{
    struct buf *out = r->state;
    buf_release(out);
    free(out);
}

static void reply_kept(struct fastcgi_request *r)
{
    const struct buf *out = r->state;
    reply_bytes(r, 200, "application/json", NULL, out->data, out->len);
}

static void reply_later(struct fastcgi_request *r, struct buf *out, int64_t ms)
{
    struct buf *kept = malloc(sizeof *kept);
    if (kept == NULL) {
        reply_fail(r, 500, NULL, NULL, "the simulator is out of memory");
        return;
    }
    *kept = *out;
    buf_init(out, 0);
    r->state = kept;
    r->over = on_over;
    fastcgi_after(r, (uint64_t)ms, reply_kept);
}

static const char *first_text(const cJSON *input)
{
    return cJSON_IsArray(input) ? input->child->valuestring : input->valuestring;
}

/* Faults that come before anything else. True when the request was dealt with. */
static bool fail_early(struct fastcgi_request *r, const struct fault *fault, const cJSON *input)
{
    if (fault->kind == FAULT_SILENCE)
        return true; /* until the peer hangs up */
    if (fault->kind == FAULT_RESET) {
        reply_reset(r);
        return true;
    }
    if (fault->kind != FAULT_STATUS ||
        (fault->flaps && !fault_flap_fails(first_text(input), fault->times)))
        return false;
    reply_error(r, &fault->error);
    return true;
}

static void put_answer(const cJSON *request, const struct fault *fault, size_t tokens,
                       struct buf *out)
{
    const cJSON *input = cJSON_GetObjectItemCaseSensitive(request, "input"), *text;
    const char *format = json_string(request, "encoding_format");
    size_t dimensions = (size_t)json_number(request, "dimensions", EMBEDDING_DIMENSIONS);
    bool base64 = format && strcmp(format, "base64") == 0;
    int index = 0;
    if (fault->kind == FAULT_SHORT_VECTORS && dimensions > 1)
        dimensions--;
    buf_puts(out, "{\"object\":\"list\",\"data\":[");
    if (cJSON_IsString(input)) {
        if (fault->kind != FAULT_FEWER_VECTORS)
            put_vector(out, 0, input->valuestring, dimensions, base64);
    } else {
        cJSON_ArrayForEach (text, input) {
            if (text->next != NULL || fault->kind != FAULT_FEWER_VECTORS)
                put_vector(out, index++, text->valuestring, dimensions, base64);
        }
    }
    buf_printf(out,
               "],\"model\":\"sim-embedding-1\",\"usage\":{\"prompt_tokens\":%zu,"
               "\"total_tokens\":%zu}}",
               tokens, tokens);
}

void embeddings_post(struct fastcgi_request *r)
{
    cJSON *request = reply_read_object(r);
    struct api_error error;
    struct fault fault;
    struct buf out;
    size_t tokens = 0;
    if (request == NULL)
        return;
    buf_init(&out, 256 << 20);
    if (!check_request(request, &tokens, &error) ||
        !fault_read(json_string(request, "model"), fastcgi_param(r, "HTTP_X_SIM_FAULT"), &fault,
                    &error)) {
        reply_error(r, &error);
        goto out;
    }
    if (fail_early(r, &fault, cJSON_GetObjectItemCaseSensitive(request, "input")))
        goto out;
    put_answer(request, &fault, tokens, &out);
    if (out.failed)
        reply_fail(r, 500, NULL, NULL, "the simulator is out of memory");
    else if (fault.kind == FAULT_SLOW_FIRST_TOKEN)
        reply_later(r, &out, fault.ms);
    else
        reply_bytes(r, 200, "application/json", NULL, out.data,
                    fault.kind == FAULT_MALFORMED ? out.len / 2 : out.len);
out:
    buf_release(&out);
    cJSON_Delete(request);
}
