/* An answer as it comes from the provider; see answer.h. */
#include "answer.h"

#include "../common/clock.h"
#include "../common/log.h"
#include "completion.h"
#include "failure.h"
#include "native.h"
#include "openai.h"

#include <stdlib.h>
#include <string.h>

#define HELD_ROOM 65536 /* for chunks around the text that are held back */
#define ESCAPED_BYTES 6 /* of JSON for a byte of text, at most */
#define BYTES_A_TOKEN 4
#define TOKENS_MAX INT64_C(100000000) /* of one answer, as in uplift.record_answers() */

void answer_init(struct answer *a, struct chat *chat)
{
    *a = (struct answer){.chat = chat};
    message_init(&a->message, chat->text.max);
    buf_init(&a->held, chat->text.max * ESCAPED_BYTES + HELD_ROOM);
}

void answer_release(struct answer *a)
{
    message_release(&a->message);
    buf_release(&a->held);
}

void answer_begin_again(struct answer *a)
{
    struct chat *chat = a->chat;
    answer_release(a);
    answer_init(a, chat);
    buf_clear(&chat->text);
    free(chat->response_message);
    free(chat->model_used);
    chat->response_message = chat->model_used = NULL;
    chat->finish_reason[0] = '\0';
    chat->has_usage = false;
    chat->prompt_tokens = chat->completion_tokens = chat->cached_tokens = 0;
    chat->time_to_first_token_ms = -1;
}

static void take_model(struct chat *chat, struct span model)
{
    char name[256];
    if (chat->model_used != NULL || model.len <= 2)
        return;
    scan_copy(model, name, sizeof name);
    chat->model_used = strdup(name);
}

static void take_usage(struct chat *chat, struct span usage)
{
    int64_t prompt = -1, completion = -1, cached = 0;
    completion_usage(usage, &prompt, &completion, &cached);
    /* Counts that cannot be are none: they would use up budgets and rate limits. */
    if (prompt < 0 || completion < 0 || prompt > TOKENS_MAX || completion > TOKENS_MAX)
        return;
    chat->prompt_tokens = prompt;
    chat->completion_tokens = completion;
    chat->cached_tokens = cached < prompt ? cached : prompt;
    chat->has_usage = true;
}

/* Takes what is recorded of a completion. False when it passed the limit. */
static bool gather(struct answer *a, const struct completion *c)
{
    struct chat *chat = a->chat;
    take_model(chat, c->model);
    take_usage(chat, c->usage);
    if ((c->content.len > 2 || c->says_more) && !a->has_begun) {
        a->has_begun = true;
        a->begun_ms = clock_ms();
        if (chat->request != NULL)
            chat->time_to_first_token_ms = a->begun_ms - chat->request->accepted_ms;
    }
    if (c->content.len > 2 && !scan_text(c->content, &chat->text, &a->half))
        return false;
    if (c->says_more && !message_add(&a->message, c->message))
        return false;
    if (c->finish_reason.at != NULL) {
        scan_copy(c->finish_reason, chat->finish_reason, sizeof chat->finish_reason);
        a->has_finished = true;
    }
    return true;
}

static void pass_on_native(const struct completion *c, struct buf *out)
{
    if (c->content.len > 2)
        native_delta(out, c->content);
    else if (c->refusal.len > 2)
        native_delta(out, c->refusal);
}

static void pass_on_openai(struct answer *a, const struct completion *c, struct buf *out)
{
    bool with_usage = a->chat->client_wants_usage;
    if (c->choices == 0 && c->usage.at != NULL && !with_usage)
        return; /* asked for by us, not by the client, who may look at choices[0] of each chunk */
    if (a->has_finished || !a->has_begun) {
        openai_chunk(&a->held, a->chat, c, with_usage);
        return;
    }
    if (a->held.len > 0) {
        buf_append(out, a->held.data, a->held.len);
        buf_release(&a->held);
    }
    openai_chunk(out, a->chat, c, with_usage);
}

/* Some providers say why they stop in a last chunk that has choices, too. */
static bool is_error(const struct completion *c)
{
    return c->error.at != NULL &&
           (c->choices == 0 || scan_is_object(c->error) || scan_is_string(c->error));
}

enum answer_step answer_event(struct answer *a, const char *data, size_t len, struct buf *out)
{
    struct completion c;
    if (len == 6 && memcmp(data, "[DONE]", 6) == 0)
        return ANSWER_IS_WHOLE;
    if (!completion_read(&c, data, len)) {
        if (!a->has_malformed)
            log_traced(LOG_WARN, a->chat->id_text, chat_trace(a->chat),
                       "the provider sent a malformed chunk of %zu bytes: skipped", len);
        a->has_malformed = true;
        return ANSWER_GOES_ON;
    }
    if (is_error(&c)) {
        failure_explain_object(c.error, &a->chat->error);
        return ANSWER_FAILED;
    }
    if (!gather(a, &c))
        return ANSWER_TOO_LARGE;
    if (a->chat->protocol == CHAT_NATIVE)
        pass_on_native(&c, out);
    else
        pass_on_openai(a, &c, out);
    return out->failed || a->held.failed ? ANSWER_TOO_LARGE : ANSWER_GOES_ON;
}

enum answer_step answer_body(struct answer *a, struct buf *body)
{
    struct completion c;
    bool is_read = body->data != NULL && completion_read(&c, body->data, body->len);
    if (is_read && is_error(&c)) {
        failure_explain_object(c.error, &a->chat->error);
        return ANSWER_FAILED;
    }
    if (!is_read || c.message.at == NULL) {
        api_error(&a->chat->error, 502, "provider_error", "",
                  "the model provider's answer is not a chat completion");
        return ANSWER_FAILED;
    }
    if (!gather(a, &c))
        return ANSWER_TOO_LARGE;
    buf_release(&a->held);
    a->held = *body;
    buf_init(body, body->max);
    return ANSWER_IS_WHOLE;
}

void answer_settle(struct answer *a)
{
    struct chat *chat = a->chat;
    if (a->half != 0) {
        buf_append(&chat->text, "\xef\xbf\xbd", 3);
        a->half = 0;
    }
    struct buf message;
    buf_init(&message, chat->text.max * ESCAPED_BYTES + HELD_ROOM);
    if (message_json(&a->message, &message) && !message.failed)
        chat->response_message = buf_steal(&message);
    buf_release(&message);
    /* A provider that failed before it said anything charges nothing. */
    if (!chat->has_usage && (a->has_begun || chat->outcome == CHAT_COMPLETE)) {
        size_t said = chat->text.len + a->message.size;
        chat->prompt_tokens =
            (int64_t)(chat->upstream_body_len + BYTES_A_TOKEN - 1) / BYTES_A_TOKEN;
        chat->completion_tokens = (int64_t)(said + BYTES_A_TOKEN - 1) / BYTES_A_TOKEN;
    }
    if (chat->outcome != CHAT_COMPLETE || a->has_finished)
        return;
    memcpy(chat->finish_reason, "stop", sizeof "stop");
    if (chat->protocol == CHAT_OPENAI && chat->stream)
        openai_finish_chunk(&a->held, chat, chat->finish_reason);
}

static bool end_body(struct answer *a, struct buf *out)
{
    struct completion c;
    if (!completion_read(&c, a->held.data, a->held.len))
        return false;
    if (a->chat->protocol == CHAT_NATIVE)
        return native_answer(out, a->chat, c.refusal);
    return openai_completion(out, a->chat, &c, false, true);
}

bool answer_end(struct answer *a, struct buf *out)
{
    if (!a->chat->stream)
        return end_body(a, out) && !out->failed;
    if (a->held.failed)
        return false;
    if (a->chat->protocol == CHAT_NATIVE)
        return native_done(out, a->chat);
    if (a->held.len > 0)
        buf_append(out, a->held.data, a->held.len);
    return buf_puts(out, "data: [DONE]\n\n");
}

bool answer_end_with_error(struct answer *a, struct buf *out)
{
    if (a->chat->protocol == CHAT_NATIVE)
        return native_error(out, a->chat);
    buf_puts(out, "data: ");
    api_error_json(out, &a->chat->error);
    return buf_puts(out, "\n\n");
}
