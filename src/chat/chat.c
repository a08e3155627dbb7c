/* One chat: making and freeing it, and the JSON in which it is recorded. */
#include "chat.h"

#include "cached_answer.h"
#include "common/clock.h"

#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

const char *chat_protocol_name(enum chat_protocol protocol)
{
    return protocol == CHAT_NATIVE ? "chat" : "completions";
}

const char *chat_outcome_name(enum chat_outcome outcome)
{
    switch (outcome) {
    case CHAT_COMPLETE:
        return "complete";
    case CHAT_PARTIAL:
        return "partial";
    case CHAT_CANCELLED:
        return "cancelled";
    case CHAT_FAILED:
        return "failed";
    }
    return "failed";
}

struct chat *chat_new(struct request *request)
{
    struct chat *c = calloc(1, sizeof *c);
    if (c == NULL)
        return NULL;
    c->request = request;
    c->outcome = CHAT_FAILED;
    c->time_to_first_token_ms = -1;
    int64_t max = CHAT_TEXT_DEFAULT_MAX;
    if (request != NULL && request->config != NULL && request->config->max_answer_bytes > 0)
        max = request->config->max_answer_bytes;
    buf_init(&c->text, (size_t)max);
    return c;
}

void chat_free(struct chat *c)
{
    if (c == NULL)
        return;
    free(c->coach_id);
    free(c->severity);
    free(c->mode);
    free(c->system_prompt);
    free(c->user_message);
    free(c->request_messages);
    free(c->model);
    free(c->trace);
    free(c->upstream_body);
    free(c->response_message);
    free(c->model_used);
    cached_free(c->cache.answer);
    buf_release(&c->text);
    free(c);
}

void chat_hold_less(const struct chat *c)
{
    size_t bytes = strlen(c->user_message);
    if (c->upstream_body != NULL)
        bytes += c->upstream_body_len;
    if (c->request_messages != NULL)
        bytes += strlen(c->request_messages);
    request_hold_less(c->request, bytes);
}

void chat_forget_upstream_body(struct chat *c)
{
    free(c->upstream_body);
    c->upstream_body = NULL;
    chat_hold_less(c);
}

static size_t length(const char *text)
{
    return text != NULL ? strlen(text) : 0;
}

size_t chat_weight(const struct chat *c)
{
    return c->text.len + length(c->user_message) + length(c->request_messages) +
           length(c->response_message) + length(c->system_prompt);
}

bool chat_set_prompt(struct chat *c, const char *shared, const char *personal)
{
    size_t len = strlen(shared), more = length(personal);
    unsigned char hash[SHA256_DIGEST_LENGTH];
    struct uuid id;
    c->system_prompt = malloc(len + more + 1);
    if (c->system_prompt == NULL)
        return false;
    memcpy(c->system_prompt, shared, len);
    if (more > 0)
        memcpy(c->system_prompt + len, personal, more);
    c->system_prompt[len + more] = '\0';
    c->shared_prompt_len = len;
    if (len > 0) {
        SHA256((const unsigned char *)shared, len, hash);
        memcpy(id.bytes, hash, sizeof id.bytes);
        uuid_format(&id, c->shared_prompt_id);
    }
    return true;
}

/* Each put_* appends ,"key":value; what is not there is left out, and a null for Postgres. buf
 * keeps the failure, so that one check at the end is enough. */

static void put_key(struct buf *b, const char *key)
{
    buf_puts(b, ",\"");
    buf_puts(b, key);
    buf_puts(b, "\":");
}

static void put_text(struct buf *b, const char *key, const char *text, size_t len)
{
    put_key(b, key);
    buf_json_string(b, text, len);
}

static void put_name(struct buf *b, const char *key, const char *text)
{
    if (text != NULL && *text != '\0')
        put_text(b, key, text, strlen(text));
}

static void put_int(struct buf *b, const char *key, int64_t value)
{
    put_key(b, key);
    buf_printf(b, "%lld", (long long)value);
}

static void put_bool(struct buf *b, const char *key, bool value)
{
    put_key(b, key);
    buf_puts(b, value ? "true" : "false");
}

/* JSON that came as text. Line ends, which in JSON can only stand between tokens, become spaces: a
 * spool line is one line. */
static void put_json(struct buf *b, const char *key, const char *json)
{
    if (json == NULL || *json == '\0')
        return;
    put_key(b, key);
    while (*json != '\0') {
        size_t n = strcspn(json, "\r\n");
        buf_append(b, json, n);
        json += n;
        if (*json != '\0') {
            buf_putc(b, ' ');
            json++;
        }
    }
}

/* A decimal such as 3.5; anything else is left out, because it could break the object. */
static void put_decimal(struct buf *b, const char *key, const char *text)
{
    size_t whole = text != NULL ? strspn(text, "0123456789") : 0;
    if (whole == 0 || (whole > 1 && text[0] == '0'))
        return;
    const char *rest = text + whole;
    if (*rest == '.')
        rest += 1 + strspn(rest + 1, "0123456789");
    if (*rest != '\0' || rest[-1] == '.')
        return;
    put_key(b, key);
    buf_puts(b, text);
}

static void put_time(struct buf *b, const char *key, int64_t wall_us)
{
    char text[CLOCK_TEXT];
    if (clock_text(wall_us, text))
        put_name(b, key, text);
}

void chat_put_attempts(const struct chat *c, struct buf *b)
{
    int count = c->attempt_count < CHAT_MAX_ATTEMPTS ? c->attempt_count : CHAT_MAX_ATTEMPTS;
    buf_putc(b, '[');
    for (int i = 0; i < count; i++) {
        const struct chat_attempt *a = &c->attempts[i];
        buf_printf(b, "%s{\"http_status\":%d,\"duration_ms\":%lld", i > 0 ? "," : "",
                   a->http_status, (long long)a->duration_ms);
        put_name(b, "provider", a->provider);
        put_name(b, "model", a->model != NULL ? a->model : c->model);
        put_name(b, "reason", a->reason);
        if (a->went_on_from >= 0)
            put_int(b, "went_on_from", a->went_on_from);
        buf_putc(b, '}');
    }
    buf_putc(b, ']');
}

/* An answer from the cache took none. */
static void put_tokens(struct buf *b, const struct chat *c)
{
    bool is_new = c->cache.source_id[0] == '\0';
    put_int(b, "prompt_tokens", is_new ? c->prompt_tokens : 0);
    put_int(b, "completion_tokens", is_new ? c->completion_tokens : 0);
    put_int(b, "cached_tokens", is_new ? c->cached_tokens : 0);
    put_int(b, "tokens_used", is_new ? c->prompt_tokens + c->completion_tokens : 0);
}

static void put_cache(struct buf *b, const struct chat *c)
{
    if (c->cache.source_id[0] != '\0') {
        put_bool(b, "from_cache", true);
        put_name(b, "cache_source_id", c->cache.source_id);
    } else if (c->cache.key[0] != '\0' && cache_writes(c->cache.mode)) {
        put_name(b, "cache_key", c->cache.key);
        put_int(b, "cache_ttl_s", c->cache.ttl_s);
    }
}

static void put_prompt(struct buf *b, const struct chat *c)
{
    if (c->shared_prompt_len == 0) {
        put_name(b, "system_prompt", c->system_prompt);
        return;
    }
    put_text(b, "shared_prompt", c->system_prompt, c->shared_prompt_len);
    put_name(b, "personal_prompt", c->system_prompt + c->shared_prompt_len);
}

bool chat_to_json(const struct chat *c, struct buf *out)
{
    const char *message = c->user_message != NULL ? c->user_message : "";
    const char *answer = c->text.data != NULL ? c->text.data : "";
    buf_printf(out, "{\"id\":\"%s\"", c->id_text);
    put_name(out, "user_id", c->user_text);
    put_name(out, "conversation_id", c->conversation_text);
    put_name(out, "regenerate_of", c->regenerate_of);
    put_name(out, "request_id", c->request != NULL ? c->request->request_id : NULL);
    put_time(out, "created_at", c->created_us);
    put_name(out, "coach_id", c->coach_id);
    put_decimal(out, "severity", c->severity);
    put_name(out, "mode", c->mode);
    put_prompt(out, c);
    put_text(out, "user_message", message, strlen(message));
    put_text(out, "ai_response", answer, c->text.len);
    put_json(out, "request_messages", c->request_messages);
    put_json(out, "response_message", c->response_message);

    buf_printf(out, ",\"outcome\":\"%s\"", chat_outcome_name(c->outcome));
    put_name(out, "error_code", c->error.status != 0 ? c->error.code : NULL);
    put_name(out, "finish_reason", c->finish_reason);
    put_name(out, "model_used", c->model_used != NULL ? c->model_used : c->model);
    put_name(out, "provider", c->provider);
    put_name(out, "protocol", chat_protocol_name(c->protocol));
    put_bool(out, "streamed", c->stream);
    put_bool(out, "degraded", c->degraded);
    put_tokens(out, c);
    put_cache(out, c);
    put_bool(out, "usage_estimated", !c->has_usage);
    if (c->time_to_first_token_ms >= 0)
        put_int(out, "time_to_first_token_ms", c->time_to_first_token_ms);
    put_int(out, "response_time_ms", c->response_time_ms);
    put_key(out, "attempts");
    chat_put_attempts(c, out);
    put_json(out, "trace", c->trace);
    buf_putc(out, '}');
    return !out->failed;
}

void chat_put_more(const struct chat *c, struct buf *out)
{
    size_t start = out->len;
    if (c->shared_prompt_len == 0)
        put_prompt(out, c);
    put_name(out, "regenerate_of", c->regenerate_of);
    put_json(out, "request_messages", c->request_messages);
    put_json(out, "response_message", c->response_message);
    put_name(out, "error_code", c->error.status != 0 ? c->error.code : NULL);
    if (c->degraded)
        put_bool(out, "degraded", true);
    put_cache(out, c);
    if (c->attempt_count > 1)
        put_int(out, "tries", c->attempt_count);
    if (out->len == start || out->failed)
        return;
    out->data[start] = '{'; /* in place of the first comma */
    buf_putc(out, '}');
}
