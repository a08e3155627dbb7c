/* Gives an earlier answer once more; see replay.h. */
#include "replay.h"

#include "chat/cached_answer.h"
#include "chat/protocol/openai.h"

#include <string.h>

#define PIECE_BYTES 24 /* of a stream, about; streams have at most some PIECES_MOST */
#define PIECES_MOST 64
#define FRAME_BYTES 65536 /* what is around the text */
#define ESCAPED_BYTES 6   /* of JSON for a byte of text, at most */

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

bool replay_answer(struct answer *a, struct buf *out)
{
    struct chat *chat = a->chat;
    const struct cached_answer *c = chat->cache.answer;
    memcpy(chat->provider, c->provider, sizeof chat->provider);
    memcpy(chat->cache.source_id, c->source_id, sizeof chat->cache.source_id);
    return chat->stream ? give_stream(a, out) : give_body(a, out);
}
