/* Gives an earlier answer once more; see cached.h. */
#include "cached.h"

#include "common/json.h"
#include "common/utf8.h"
#include "chat/protocol/openai.h"

#include <stdlib.h>
#include <string.h>

#define PIECE_BYTES 24 /* of a stream, about; streams have at most some PIECES_MOST */
#define PIECES_MOST 64
#define FRAME_BYTES 65536 /* what is around the text */
#define ESCAPED_BYTES 6   /* of JSON for a byte of text, at most */

static char *copy(const char *text)
{
    return text != NULL ? strdup(text) : NULL;
}

/* Whether what had to be copied was. */
static struct cached_answer *checked(struct cached_answer *c, bool has_model, bool has_message)
{
    if (c->text != NULL && (c->model != NULL) == has_model && (c->message != NULL) == has_message)
        return c;
    cached_free(c);
    return NULL;
}

struct cached_answer *cached_read(const char *json)
{
    struct json_error wrong;
    struct cached_answer *c = calloc(1, sizeof *c);
    cJSON *object = c != NULL ? json_parse(json, strlen(json), &wrong) : NULL;
    const char *id = json_string(object, "source_answer_id");
    const char *model = json_string(object, "model_used");
    const char *provider = json_string(object, "provider");
    const char *finish_reason = json_string(object, "finish_reason");
    const cJSON *message = cJSON_GetObjectItemCaseSensitive(object, "response_message");
    if (id == NULL) {
        cJSON_Delete(object);
        free(c);
        return NULL;
    }
    snprintf(c->source_id, sizeof c->source_id, "%s", id);
    utf8_copy(c->provider, sizeof c->provider, provider);
    utf8_copy(c->finish_reason, sizeof c->finish_reason,
              finish_reason != NULL ? finish_reason : "stop");
    c->text = copy(json_string(object, "text"));
    c->model = copy(model);
    c->message = cJSON_IsObject(message) ? cJSON_PrintUnformatted(message) : NULL;
    c->prompt_tokens = (int64_t)json_number(object, "prompt_tokens", 0);
    c->completion_tokens = (int64_t)json_number(object, "completion_tokens", 0);
    c->cached_tokens = (int64_t)json_number(object, "cached_tokens", 0);
    c = checked(c, model != NULL, cJSON_IsObject(message));
    cJSON_Delete(object);
    return c;
}

bool cached_fits(const struct chat *chat)
{
    static const char *const more[] = {"tool_calls", "function_call", "audio", "refusal"};
    struct span message;
    if (chat->outcome != CHAT_COMPLETE || chat->recorded == CHAT_NOT_RECORDED ||
        chat->error.status != 0 || chat->degraded || chat->text.len == 0 ||
        strcmp(chat->finish_reason, "stop") != 0)
        return false;
    if (chat->response_message == NULL ||
        !scan_check(chat->response_message, strlen(chat->response_message), &message))
        return true;
    for (size_t i = 0; i < sizeof more / sizeof more[0]; i++)
        if (scan_member(message, more[i]).at != NULL)
            return false;
    return true;
}

struct cached_answer *cached_copy(const struct chat *chat)
{
    struct cached_answer *c = calloc(1, sizeof *c);
    if (c == NULL)
        return NULL;
    memcpy(c->source_id, chat->id_text, sizeof c->source_id);
    memcpy(c->provider, chat->provider, sizeof c->provider);
    memcpy(c->finish_reason, chat->finish_reason, sizeof c->finish_reason);
    c->text = copy(chat->text.data != NULL ? chat->text.data : "");
    c->model = copy(chat->model_used);
    c->message = copy(chat->response_message);
    c->prompt_tokens = chat->prompt_tokens;
    c->completion_tokens = chat->completion_tokens;
    c->cached_tokens = chat->cached_tokens;
    return checked(c, chat->model_used != NULL, chat->response_message != NULL);
}

void cached_free(struct cached_answer *c)
{
    if (c == NULL)
        return;
    free(c->text);
    free(c->model);
    free(c->message);
    free(c);
}

/* --- in the form of a provider's answer --- */

static void put_head(struct buf *b, const struct chat *chat, const char *object)
{
    const char *model = chat->cache.answer->model;
    if (model == NULL)
        model = chat->model;
    buf_printf(b, "{\"id\":\"chatcmpl-%s\",\"object\":\"%s\",\"created\":%lld,\"model\":",
               chat->id_text, object, (long long)(chat->created_us / 1000000));
    buf_json_string(b, model, strlen(model));
}

static void put_usage(struct buf *b, const struct cached_answer *c)
{
    openai_put_usage(b, c->prompt_tokens, c->completion_tokens, c->cached_tokens);
    buf_putc(b, '}');
}

static bool give_body(struct answer *a, struct buf *out)
{
    const struct cached_answer *c = a->chat->cache.answer;
    struct failure failure;
    struct buf b;
    size_t len = strlen(c->text);
    buf_init(&b, len * ESCAPED_BYTES + (c->message != NULL ? strlen(c->message) : 0) + FRAME_BYTES);
    put_head(&b, a->chat, "chat.completion");
    buf_puts(&b, ",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":");
    buf_json_string(&b, c->text, len);
    buf_puts(&b, ",\"refusal\":null");
    openai_put_more(&b, c->message);
    buf_puts(&b, "},\"logprobs\":null,\"finish_reason\":");
    buf_json_string(&b, c->finish_reason, strlen(c->finish_reason));
    buf_puts(&b, "}]");
    put_usage(&b, c);
    bool good = !b.failed && answer_body(a, &b, out, &failure) == ANSWER_IS_WHOLE;
    buf_release(&b);
    return good;
}

/* How much of text the next piece has: whole words where there are some, always whole characters.
 */
static size_t piece_length(const char *text, size_t len, size_t wanted)
{
    size_t n = wanted;
    if (n >= len)
        return len;
    while (n < len && n < 2 * wanted && text[n] != ' ')
        n++;
    while (n < len && ((unsigned char)text[n] & 0xc0) == 0x80)
        n++;
    return n;
}

struct chunks {
    struct answer *answer;
    struct buf *out;
    struct buf text; /* of the chunk at hand */
};

/* Begins a chunk, up to its delta. */
static void begin_chunk(struct chunks *s)
{
    buf_clear(&s->text);
    put_head(&s->text, s->answer->chat, "chat.completion.chunk");
    buf_puts(&s->text, ",\"usage\":null,\"choices\":[{\"index\":0,\"delta\":{");
}

static bool send_chunk(struct chunks *s)
{
    struct failure failure;
    return !s->text.failed && answer_event(s->answer, "message", s->text.data, s->text.len, s->out,
                                           &failure) == ANSWER_GOES_ON;
}

static bool end_chunk(struct chunks *s)
{
    buf_puts(&s->text, "},\"logprobs\":null,\"finish_reason\":null}]}");
    return send_chunk(s);
}

static bool give_text(struct chunks *s, const char *text)
{
    size_t len = strlen(text), wanted = len / PIECES_MOST;
    if (wanted < PIECE_BYTES)
        wanted = PIECE_BYTES;
    for (size_t at = 0, n; at < len; at += n) {
        n = piece_length(text + at, len - at, wanted);
        begin_chunk(s);
        buf_puts(&s->text, "\"content\":");
        buf_json_string(&s->text, text + at, n);
        if (!end_chunk(s))
            return false;
    }
    return true;
}

static bool give_finish(struct chunks *s, const struct cached_answer *c)
{
    begin_chunk(s);
    buf_puts(&s->text, "},\"logprobs\":null,\"finish_reason\":");
    buf_json_string(&s->text, c->finish_reason, strlen(c->finish_reason));
    buf_puts(&s->text, "}]}");
    if (!send_chunk(s))
        return false;
    buf_clear(&s->text);
    put_head(&s->text, s->answer->chat, "chat.completion.chunk");
    buf_puts(&s->text, ",\"choices\":[]");
    put_usage(&s->text, c);
    return send_chunk(s);
}

static bool give_stream(struct answer *a, struct buf *out)
{
    const struct cached_answer *c = a->chat->cache.answer;
    struct chunks s = {.answer = a, .out = out};
    buf_init(&s.text, strlen(c->text) * ESCAPED_BYTES +
                          (c->message != NULL ? strlen(c->message) : 0) + FRAME_BYTES);
    begin_chunk(&s);
    buf_puts(&s.text, "\"role\":\"assistant\",\"content\":\"\"");
    openai_put_more(&s.text, c->message);
    bool good = end_chunk(&s) && give_text(&s, c->text) && give_finish(&s, c);
    buf_release(&s.text);
    return good;
}

bool cached_give(struct answer *a, struct buf *out)
{
    struct chat *chat = a->chat;
    const struct cached_answer *c = chat->cache.answer;
    memcpy(chat->provider, c->provider, sizeof chat->provider);
    memcpy(chat->cache.source_id, c->source_id, sizeof chat->cache.source_id);
    return chat->stream ? give_stream(a, out) : give_body(a, out);
}
