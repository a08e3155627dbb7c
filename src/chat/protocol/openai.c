/* What a client of /v1/chat/completions gets; see openai.h. */
#include "openai.h"

#include "citations.h"

#include <string.h>

static void put_ids(struct buf *out, const struct chat *chat)
{
    buf_puts(out, "{\"id\":\"chatcmpl-");
    buf_puts(out, chat->id_text);
    buf_puts(out, "\",\"feedback_id\":\"");
    buf_puts(out, chat->id_text);
    buf_puts(out, "\",\"conversation_id\":\"");
    buf_puts(out, chat->conversation_text);
    buf_putc(out, '"');
}

static void put_text(struct buf *out, const char *text)
{
    buf_json_string(out, text, strlen(text));
}

static void put_member(struct buf *out, struct span key, struct span value)
{
    buf_putc(out, ',');
    buf_append(out, key.at, key.len);
    buf_putc(out, ':');
    buf_append(out, value.at, value.len);
}

/* --- citations --- */

/* The member citations, a comma before it; nothing without any. */
static void put_citations(struct buf *out, const struct chat *chat)
{
    struct span citations = citations_of(chat);
    if (citations.at != NULL)
        put_member(out, (struct span){"\"citations\"", 11}, citations);
}

/* The annotations of a message: the provider's own, and those of the chat's citations behind them.
 * A comma comes before them; nothing where there are none. */
static void put_annotations(struct buf *out, const struct chat *chat, struct span theirs)
{
    struct scan s = scan_open(theirs);
    struct span item;
    size_t from = out->len;
    int count = 0;
    buf_puts(out, ",\"annotations\":[");
    while (!s.in_object && scan_next(&s, NULL, &item)) {
        if (count++ > 0)
            buf_putc(out, ',');
        buf_append(out, item.at, item.len);
    }
    citations_put_annotations(out, chat, &count);
    if (count > 0)
        buf_putc(out, ']');
    else if (!out->failed)
        out->len = from;
}

/* --- the message of a choice --- */

/* The pieces of a content of one kind, as one JSON string. */
static void put_pieces(struct buf *out, struct span content, enum content_kind wanted)
{
    struct content pieces = content_open(content);
    enum content_kind kind;
    struct span piece;
    buf_putc(out, '"');
    while (content_next(&pieces, &kind, &piece))
        if (kind == wanted)
            buf_append(out, piece.at + 1, piece.len - 2);
    buf_putc(out, '"');
}

static bool has_pieces(struct span content, enum content_kind wanted)
{
    struct content pieces = content_open(content);
    enum content_kind kind;
    struct span piece;
    while (content_next(&pieces, &kind, &piece))
        if (kind == wanted)
            return true;
    return false;
}

/* Each call with the place that it has in the message. */
static void put_calls(struct buf *out, struct span calls, const struct message *m)
{
    struct scan s = scan_open(calls);
    struct span call, key, value;
    buf_putc(out, '[');
    for (int i = 0; scan_next(&s, NULL, &call); i++) {
        struct scan members = scan_open(call);
        int place = i < m->place_count ? m->places[i] : i;
        buf_printf(out, "%s{\"index\":%d", i > 0 ? "," : "", place);
        while (members.in_object && scan_next(&members, &key, &value))
            if (!scan_equals(key, "index"))
                put_member(out, key, value);
        buf_putc(out, '}');
    }
    buf_putc(out, ']');
}

/* What the model says and thinks, where its message does not have it as OpenAI does. */
static void put_content(struct buf *out, const struct completion *c, unsigned parts)
{
    if ((parts & OPENAI_TEXT) != 0) {
        buf_puts(out, ",\"content\":");
        if (has_pieces(c->content, CONTENT_TEXT))
            put_pieces(out, c->content, CONTENT_TEXT);
        else
            buf_puts(out, "null");
    }
    if ((parts & OPENAI_MORE) != 0 && has_pieces(c->content, CONTENT_THINKING)) {
        buf_puts(out, ",\"reasoning_content\":");
        put_pieces(out, c->content, CONTENT_THINKING);
    }
}

/* One member of the message. False when it is the content, and to be put otherwise. */
static bool put_message_member(struct buf *out, const struct completion *c,
                               const struct openai_form *form, struct span key, struct span value)
{
    if (scan_equals(key, "content")) {
        bool is_it = c->is_plain && c->says_text == scan_says_something(value);
        if (is_it && (form->parts & OPENAI_TEXT) != 0)
            put_member(out, key, value);
        return is_it;
    }
    if ((form->parts & (scan_equals(key, "role") ? OPENAI_ROLE : OPENAI_MORE)) == 0)
        return true;
    if (form->calls != NULL && scan_equals(key, "tool_calls") && scan_is_array(value)) {
        buf_puts(out, ",\"tool_calls\":");
        put_calls(out, value, form->calls);
        return true;
    }
    put_member(out, key, value);
    return true;
}

static void put_message(struct buf *out, const struct chat *chat, const struct completion *c,
                        const struct openai_form *form)
{
    struct scan s = scan_open(c->message);
    struct span annotations = {NULL, 0};
    struct span key, value;
    bool has_role = form->is_chunk, has_content = form->is_chunk && !c->says_text && c->is_plain;
    size_t from = out->len;
    while (s.in_object && scan_next(&s, &key, &value)) {
        has_role |= scan_equals(key, "role");
        if (form->cites && scan_equals(key, "annotations")) {
            annotations = value;
            continue;
        }
        bool is_put = put_message_member(out, c, form, key, value);
        has_content |= is_put && scan_equals(key, "content");
    }
    if (!has_role)
        buf_puts(out, ",\"role\":\"assistant\"");
    if (!has_content)
        put_content(out, c, form->parts);
    if (form->cites)
        put_annotations(out, chat, annotations);
    if (out->failed)
        return;
    if (out->len > from)
        out->data[from] = '{'; /* in place of the first comma */
    else
        buf_putc(out, '{');
    buf_putc(out, '}');
}

/* --- choices --- */

static void put_choice(struct buf *out, const struct chat *chat, const struct completion *c,
                       const struct openai_form *form)
{
    static const char *const placed[] = {"index",         "delta", "message", "text",
                                         "finish_reason", "usage", "error"};
    struct scan s = scan_open(c->choice);
    struct span key, value;
    bool finishes = (form->parts & OPENAI_FINISH) != 0 && c->finish[0] != '\0';
    buf_printf(out, "{\"index\":0,\"%s\":", form->is_chunk ? "delta" : "message");
    put_message(out, chat, c, form);
    buf_puts(out, ",\"finish_reason\":");
    if (finishes)
        put_text(out, c->finish);
    else
        buf_puts(out, form->is_chunk ? "null" : "\"stop\"");
    while ((form->parts & OPENAI_MORE) != 0 && s.in_object && scan_next(&s, &key, &value)) {
        bool is_placed = false;
        for (size_t i = 0; i < sizeof placed / sizeof placed[0]; i++)
            is_placed |= scan_equals(key, placed[i]);
        if (!is_placed)
            put_member(out, key, value);
    }
    buf_putc(out, '}');
}

/* Line ends can only stand between tokens of JSON; inside an event they would end its line. */
static void join_lines(struct buf *out, size_t from)
{
    if (out->failed)
        return;
    for (char *p = out->data + from, *end = out->data + out->len; p < end; p++)
        if (*p == '\n' || *p == '\r')
            *p = ' ';
}

static void put_object(struct buf *out, bool is_chunk)
{
    buf_puts(out, ",\"object\":\"chat.completion");
    buf_puts(out, is_chunk ? ".chunk\"" : "\"");
}

static void put_created(struct buf *out, const struct chat *chat)
{
    buf_printf(out, ",\"created\":%lld", (long long)(chat->created_us / 1000000));
}

static void put_model(struct buf *out, const struct chat *chat, const char *model)
{
    if (model == NULL)
        model = chat->model_used != NULL ? chat->model_used : chat->model;
    buf_puts(out, ",\"model\":");
    put_text(out, model != NULL ? model : "");
}

/* Whether it can go as it came, but for the ids. */
static bool goes_as_it_came(const struct completion *c, const struct openai_form *form)
{
    return c->is_sound && form->is_chunk == (c->form == COMPLETION_CHUNK) &&
           (form->parts & OPENAI_ALL) == OPENAI_ALL && form->model == NULL && form->calls == NULL &&
           !form->cites;
}

/* The members beside the choices that are ours, or put by us. */
static bool is_placed(struct span key, bool is_raw)
{
    static const char *const ours[] = {"id", "feedback_id", "conversation_id", "usage"};
    static const char *const required[] = {"object", "created", "model", "choices", "error"};
    for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++)
        if (scan_equals(key, ours[i]))
            return true;
    for (size_t i = 0; !is_raw && i < sizeof required / sizeof required[0]; i++)
        if (scan_equals(key, required[i]))
            return true;
    return false;
}

static void put_required(struct buf *out, const struct chat *chat, const struct completion *c,
                         const struct openai_form *form)
{
    struct span created = scan_member(c->whole, "created");
    put_object(out, form->is_chunk);
    if (form->model == NULL && created.at != NULL && !scan_is(created, "null"))
        put_member(out, (struct span){"\"created\"", 9}, created);
    else
        put_created(out, chat);
    if (form->model == NULL && c->model.at != NULL)
        put_member(out, (struct span){"\"model\"", 7}, c->model);
    else
        put_model(out, chat, form->model);
    buf_puts(out, ",\"choices\":[");
    if (c->choice.at != NULL)
        put_choice(out, chat, c, form);
    buf_putc(out, ']');
}

bool openai_completion(struct buf *out, const struct chat *chat, const struct completion *c,
                       const struct openai_form *form)
{
    size_t from = out->len;
    bool is_raw = goes_as_it_came(c, form);
    struct scan s = scan_open(c->whole);
    struct span key, value, usage = {0};
    buf_reserve(out, c->whole.len + 256);
    put_ids(out, chat);
    while (scan_next(&s, &key, &value)) {
        if (scan_equals(key, "usage"))
            usage = value;
        if (!is_placed(key, is_raw) && !(form->cites && scan_equals(key, "citations")))
            put_member(out, key, value);
    }
    if (!is_raw)
        put_required(out, chat, c, form);
    if (form->cites)
        put_citations(out, chat);
    if ((form->parts & OPENAI_USAGE) != 0 && (usage.at != NULL || c->usage.at != NULL))
        put_member(out, (struct span){"\"usage\"", 7}, c->usage.at != NULL ? c->usage : usage);
    buf_putc(out, '}');
    join_lines(out, from);
    return !out->failed;
}

bool openai_chunk(struct buf *out, const struct chat *chat, const struct completion *c,
                  const struct openai_form *form)
{
    buf_puts(out, "data: ");
    openai_completion(out, chat, c, form);
    return buf_puts(out, "\n\n");
}

/* --- of our own --- */

static void begin_chunk(struct buf *out, const struct chat *chat, const char *model)
{
    buf_puts(out, "data: ");
    put_ids(out, chat);
    put_object(out, true);
    put_created(out, chat);
    put_model(out, chat, model);
}

bool openai_text_chunk(struct buf *out, const struct chat *chat, const char *model,
                       const char *text, size_t len)
{
    begin_chunk(out, chat, model);
    buf_puts(out, ",\"choices\":[{\"index\":0,\"delta\":{\"content\":");
    buf_json_string(out, text, len);
    return buf_puts(out, "},\"finish_reason\":null}]}\n\n");
}

bool openai_finish_chunk(struct buf *out, const struct chat *chat, const char *model,
                         const char *finish_reason)
{
    begin_chunk(out, chat, model);
    buf_puts(out, ",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":");
    put_text(out, finish_reason);
    return buf_puts(out, "}]}\n\n");
}

void openai_put_usage(struct buf *out, int64_t prompt, int64_t completion, int64_t cached)
{
    buf_printf(out,
               ",\"usage\":{\"prompt_tokens\":%lld,\"completion_tokens\":%lld,"
               "\"total_tokens\":%lld,\"prompt_tokens_details\":{\"cached_tokens\":%lld}}",
               (long long)prompt, (long long)completion, (long long)(prompt + completion),
               (long long)cached);
}

bool openai_citations_chunk(struct buf *out, const struct chat *chat, const char *model)
{
    if (citations_of(chat).at == NULL)
        return !out->failed;
    begin_chunk(out, chat, model);
    buf_puts(out, ",\"choices\":[{\"index\":0,\"delta\":{");
    size_t from = out->len;
    put_annotations(out, chat, (struct span){NULL, 0});
    if (out->len > from && !out->failed) {
        memmove(out->data + from, out->data + from + 1, out->len - from); /* the comma */
        out->len--;
    }
    buf_puts(out, "},\"finish_reason\":null}]");
    put_citations(out, chat);
    return buf_puts(out, "}\n\n");
}

bool openai_usage_chunk(struct buf *out, const struct chat *chat, const char *model)
{
    begin_chunk(out, chat, model);
    buf_puts(out, ",\"choices\":[]");
    openai_put_usage(out, chat->prompt_tokens, chat->completion_tokens, chat->cached_tokens);
    return buf_puts(out, "}\n\n");
}

/* The members beside those that every message has. Where annotations is not NULL it gets those, and
 * they are not among them. */
static void put_more(struct buf *out, const char *message, struct span *annotations)
{
    struct span whole, key, value;
    if (message == NULL || !scan_check(message, strlen(message), &whole))
        return;
    for (struct scan s = scan_open(whole); s.in_object && scan_next(&s, &key, &value);) {
        if (annotations != NULL && scan_equals(key, "annotations"))
            *annotations = value;
        else if (!scan_equals(key, "role") && !scan_equals(key, "content") &&
                 !scan_equals(key, "refusal"))
            put_member(out, key, value);
    }
}

void openai_put_more(struct buf *out, const char *message)
{
    put_more(out, message, NULL);
}

bool openai_whole(struct buf *out, const struct chat *chat)
{
    struct span refusal = message_refusal(chat->response_message);
    buf_reserve(out, chat->text.len + 1024);
    put_ids(out, chat);
    put_object(out, false);
    put_created(out, chat);
    put_model(out, chat, NULL);
    buf_puts(out, ",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":");
    if (chat->text.len > 0)
        buf_json_string(out, chat->text.data, chat->text.len);
    else
        buf_puts(out, "null");
    buf_puts(out, ",\"refusal\":");
    if (refusal.at != NULL)
        buf_append(out, refusal.at, refusal.len);
    else
        buf_puts(out, "null");
    struct span annotations = {NULL, 0};
    bool cites = citations_of(chat).at != NULL;
    put_more(out, chat->response_message, cites ? &annotations : NULL);
    if (cites)
        put_annotations(out, chat, annotations);
    buf_puts(out, "},\"logprobs\":null,\"finish_reason\":");
    put_text(out, chat->finish_reason);
    buf_puts(out, "}]");
    openai_put_usage(out, chat->prompt_tokens, chat->completion_tokens, chat->cached_tokens);
    put_citations(out, chat);
    return buf_putc(out, '}');
}
