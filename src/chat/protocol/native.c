/* What a client of /v1/chat gets; see native.h. */
#include "native.h"

#include "citations.h"
#include "message.h"

#include <string.h>

static void put_text(struct buf *out, const char *key, const char *text)
{
    buf_puts(out, key);
    if (text == NULL || *text == '\0')
        buf_puts(out, "null");
    else
        buf_json_string(out, text, strlen(text));
}

/* Which answer it is, and what it is made from. */
static void put_which(struct buf *out, const struct chat *chat)
{
    struct span severity;
    const char *text = chat->severity;
    buf_puts(out, "\"feedbackId\":\"");
    buf_puts(out, chat->id_text);
    put_text(out, "\",\"conversation_id\":", chat->conversation_text);
    put_text(out, ",\"coach_id\":", chat->coach_id);
    buf_puts(out, ",\"severity\":");
    buf_puts(out, text != NULL && scan_check(text, strlen(text), &severity) ? text : "null");
    put_text(out, ",\"mode\":", chat->mode);
}

/* How many ids a list of the trace has; nothing for none. */
static void put_count(struct buf *out, struct span trace, const char *list, const char *key)
{
    struct span id;
    int count = 0;
    for (struct scan s = scan_open(scan_member(trace, list)); scan_next(&s, NULL, &id);)
        count++;
    if (count > 0)
        buf_printf(out, ",\"%s\":%d", key, count);
}

/* What both kinds of answer end with. */
static void put_rest(struct buf *out, const struct chat *chat)
{
    put_which(out, chat);
    put_text(out, ",\"model\":", chat->model_used != NULL ? chat->model_used : chat->model);
    buf_printf(out,
               ",\"usage\":{\"prompt_tokens\":%lld,\"completion_tokens\":%lld,"
               "\"total_tokens\":%lld},\"response_time_ms\":%lld",
               (long long)chat->prompt_tokens, (long long)chat->completion_tokens,
               (long long)(chat->prompt_tokens + chat->completion_tokens),
               (long long)chat->response_time_ms);
    put_text(out, ",\"finish_reason\":", chat->finish_reason);
    struct span citations = citations_of(chat);
    if (citations.at != NULL) {
        buf_puts(out, ",\"citations\":");
        buf_append(out, citations.at, citations.len);
    }
    struct span trace;
    if (chat->trace != NULL && scan_check(chat->trace, strlen(chat->trace), &trace)) {
        put_count(out, trace, "memory_ids", "memories_used");
        put_count(out, trace, "passage_ids", "passages_used");
        put_count(out, trace, "example_ids", "examples_used");
    }
    if (chat->degraded)
        buf_puts(out, ",\"degraded\":true");
    if (chat->cache.source_id[0] != '\0')
        buf_puts(out, ",\"from_cache\":true");
    buf_putc(out, '}');
}

bool native_started(struct buf *out, const struct chat *chat)
{
    buf_puts(out, "data: {\"started\":true,");
    put_which(out, chat);
    put_text(out, ",\"regenerate_of\":", chat->regenerate_of);
    buf_puts(out, ",\"message\":");
    buf_json_string(out, chat->user_message, strlen(chat->user_message));
    return buf_puts(out, "}\n\n");
}

bool native_open(struct buf *out, const struct position *at)
{
    if (at != NULL) {
        char id[POSITION_TEXT];
        position_format(at, id);
        buf_puts(out, "id: ");
        buf_puts(out, id);
        buf_putc(out, '\n');
    }
    return buf_puts(out, "data: {\"delta\":\"");
}

bool native_open_thought(struct buf *out)
{
    return buf_puts(out, "data: {\"reasoning_content\":\"");
}

bool native_piece(struct buf *out, struct span text)
{
    return buf_append(out, text.at + 1, text.len - 2);
}

bool native_close(struct buf *out)
{
    return buf_puts(out, "\"}\n\n");
}

bool native_text(struct buf *out, const struct position *at, const char *text, size_t len)
{
    native_open(out, at);
    out->len -= out->len > 0; /* the text comes with its own quotes */
    buf_json_string(out, text, len);
    return buf_puts(out, "}\n\n");
}

bool native_refusal(struct buf *out, const struct chat *chat)
{
    struct span refusal = message_refusal(chat->response_message);
    if (!scan_is_string(refusal))
        return !out->failed;
    native_open(out, NULL);
    native_piece(out, refusal);
    return native_close(out);
}

bool native_restart(struct buf *out)
{
    return buf_puts(out, "data: {\"restart\":true}\n\n");
}

bool native_done(struct buf *out, const struct chat *chat)
{
    buf_puts(out, "data: {\"done\":true,");
    put_rest(out, chat);
    return buf_puts(out, "\n\n");
}

bool native_answer(struct buf *out, const struct chat *chat)
{
    struct span refusal = message_refusal(chat->response_message);
    buf_puts(out, "{\"message\":");
    if (chat->text.len == 0 && scan_is_string(refusal))
        scan_clean(refusal, out);
    else
        buf_json_string(out, chat->text.data != NULL ? chat->text.data : "", chat->text.len);
    struct span message;
    if (chat->response_message != NULL &&
        scan_check(chat->response_message, strlen(chat->response_message), &message)) {
        struct span thought = message_thought(message);
        if (thought.at != NULL) {
            buf_puts(out, ",\"reasoning_content\":");
            scan_clean(thought, out);
        }
    }
    buf_putc(out, ',');
    put_rest(out, chat);
    return !out->failed;
}

bool native_error(struct buf *out, const struct chat *chat)
{
    buf_puts(out, "data: ");
    if (!api_error_json(out, &chat->error))
        return false;
    out->len--; /* the closing brace: one member more */
    buf_puts(out, ",\"feedbackId\":\"");
    buf_puts(out, chat->id_text);
    return buf_puts(out, "\"}\n\n");
}
