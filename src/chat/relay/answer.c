/* An answer as it comes from the provider; see answer.h. */
#include "answer.h"

#include "chat/protocol/citations.h"
#include "chat/protocol/completion.h"
#include "common/clock.h"
#include "common/log.h"
#include "wire.h"

#include <stdlib.h>
#include <string.h>

#define HELD_ROOM 65536 /* for chunks around the text that are held back */
#define ESCAPED_BYTES 6 /* of JSON for a byte of text, at most */
#define BYTES_A_TOKEN 4

/* --- its life --- */

static void init_buffers(struct answer *a)
{
    size_t max = a->chat->text.max * ESCAPED_BYTES + HELD_ROOM;
    buf_init(&a->body, max);
    buf_init(&a->held, max);
    buf_init(&a->finish, max);
    buf_init(&a->tail, max);
}

/* What the call at hand says goes behind the text that there is. */
static void open_seam(struct answer *a)
{
    const struct buf *text = &a->chat->text;
    a->is_continued = true;
    a->call_from = text->len;
    seam_open(&a->seam, text->data != NULL ? text->data : "", text->len);
}

void answer_init(struct answer *a, struct chat *chat)
{
    *a = (struct answer){.chat = chat, .wire = wire_of(chat->protocol)};
    message_init(&a->message, chat->text.max);
    init_buffers(a);
    if (chat->goes_on_from > 0)
        open_seam(a);
}

static void release_buffers(struct answer *a)
{
    buf_release(&a->body);
    buf_release(&a->held);
    buf_release(&a->finish);
    buf_release(&a->tail);
}

void answer_release(struct answer *a)
{
    message_release(&a->message);
    seam_release(&a->seam);
    release_buffers(a);
    free(a->told_model);
}

void answer_begin_again(struct answer *a)
{
    struct chat *chat = a->chat;
    answer_release(a);
    buf_cut(&chat->text, chat->goes_on_from);
    answer_init(a, chat);
    free(chat->response_message);
    free(chat->model_used);
    chat->response_message = chat->model_used = NULL;
    chat->finish_reason[0] = '\0';
    chat->has_usage = false;
    chat->prompt_tokens = chat->completion_tokens = chat->cached_tokens = 0;
    chat->time_to_first_token_ms = -1;
}

bool answer_speaks(const struct answer *a)
{
    return a->is_continued ? a->chat->text.len > a->call_from : a->has_begun;
}

int64_t answer_characters(const struct answer *a)
{
    int64_t count = 0;
    for (size_t i = 0; i < a->call_from; i++)
        count += ((unsigned char)a->chat->text.data[i] & 0xc0) != 0x80;
    return count;
}

bool answer_can_go_on(const struct answer *a)
{
    return message_is_thought(&a->message);
}

/* What the call at hand took: reported, or estimated. */
static struct usage usage_of_call(const struct answer *a)
{
    const struct chat *chat = a->chat;
    size_t sent = chat->upstream_body_len + a->call_from;
    size_t said = chat->text.len - a->call_from + (a->is_continued ? 0 : a->message.size);
    if (a->call_has_usage)
        return a->call_usage;
    return (struct usage){.prompt = (int64_t)(sent + BYTES_A_TOKEN - 1) / BYTES_A_TOKEN,
                          .completion = (int64_t)(said + BYTES_A_TOKEN - 1) / BYTES_A_TOKEN};
}

static void add_usage(struct usage *sum, struct usage more)
{
    sum->prompt += more.prompt;
    sum->completion += more.completion;
    sum->cached += more.cached;
}

void answer_go_on(struct answer *a)
{
    struct chat *chat = a->chat;
    if (answer_speaks(a) || a->call_has_usage) {
        add_usage(&a->before, usage_of_call(a));
        a->was_estimated |= !a->call_has_usage;
    }
    if (!a->is_continued && chat->model_used != NULL)
        a->told_model = strdup(chat->model_used); /* or, without memory, what the next one says */
    free(chat->model_used);
    chat->model_used = NULL;
    chat->finish_reason[0] = '\0';
    buf_release(&a->finish);
    buf_release(&a->tail);
    a->has_finished = a->takes_back = a->is_closing = a->has_deltas = false;
    a->told_usage = a->call_has_usage = false;
    a->call_usage = (struct usage){0};
    a->half = 0;
    open_seam(a);
}

/* --- gathering --- */

static void take_model(struct chat *chat, struct span model)
{
    char name[256];
    if (chat->model_used != NULL || model.len <= 2)
        return;
    scan_copy(model, name, sizeof name);
    chat->model_used = strdup(name);
}

static void begin(struct answer *a)
{
    if (a->has_begun)
        return;
    a->has_begun = true;
    a->begun_ms = clock_ms();
    if (a->chat->request != NULL)
        a->chat->time_to_first_token_ms = a->begun_ms - a->chat->request->accepted_ms;
}

/* The text of a content, decoded. */
static bool put_text(struct answer *a, struct span content, struct buf *out)
{
    struct content pieces = content_open(content);
    enum content_kind kind;
    struct span piece;
    while (content_next(&pieces, &kind, &piece))
        if (kind == CONTENT_TEXT && !scan_text(piece, out, &a->half))
            return false;
    return true;
}

/* Of a message that has come in place of a delta: what is new of it. Perplexity repeats the whole
 * text in a message beside each delta; others send pieces, or the whole at the end. */
static bool fresh_of_snapshot(const struct answer *a, const struct buf *text, struct buf *fresh)
{
    const struct buf *so_far = &a->chat->text;
    if (a->has_deltas)
        return true;
    bool repeats = text->len >= so_far->len && so_far->len > 0 &&
                   memcmp(text->data, so_far->data, so_far->len) == 0;
    size_t from = repeats ? so_far->len : 0;
    return buf_append(fresh, text->data + from, text->len - from);
}

/* The text of a completion whose text is not simply what follows. */
static bool take_fresh(struct answer *a, const struct completion *c, struct buf *fresh)
{
    struct buf text;
    const char *before = a->chat->text.data != NULL ? a->chat->text.data : "";
    buf_init(&text, a->chat->text.max);
    bool good = put_text(a, c->content, &text);
    if (good && text.len > 0)
        good = a->is_continued ? seam_take(&a->seam, before, text.data, text.len, fresh)
                               : fresh_of_snapshot(a, &text, fresh);
    buf_release(&text);
    return good && (fresh->len == 0 || buf_append(&a->chat->text, fresh->data, fresh->len));
}

/* Takes what is recorded of a completion; fresh: see take_fresh, NULL for text that follows. False
 * when it passed the limit. */
static bool gather(struct answer *a, const struct completion *c, struct buf *fresh)
{
    struct chat *chat = a->chat;
    take_model(chat, c->model);
    a->call_has_usage |= usage_read(c->usage, &a->call_usage);
    if (c->says_text && fresh == NULL) {
        a->has_deltas = true;
        if (!put_text(a, c->content, &chat->text))
            return false;
    }
    if (c->says_text && fresh != NULL && !take_fresh(a, c, fresh))
        return false;
    if (c->says_more && !message_add(&a->message, c->message))
        return false;
    bool has_substance = c->says_more || (fresh != NULL ? fresh->len > 0 : c->says_text);
    if (has_substance) {
        begin(a);
        if (a->has_finished) {
            a->has_finished = a->is_closing = a->told_usage = false;
            a->takes_back = true;
            chat->finish_reason[0] = '\0';
            buf_clear(&a->finish);
            buf_clear(&a->tail);
        }
    }
    if (c->finish[0] != '\0') {
        memcpy(chat->finish_reason, c->finish, sizeof c->finish);
        a->has_finished = true;
    } else if (a->has_finished && c->choices == 0 && a->call_has_usage && c->usage.at != NULL) {
        a->is_closing = true;
    }
    return true;
}

/* --- telling the client as it comes --- */

static enum answer_step take(struct answer *a, const struct completion *c, struct buf *out)
{
    struct buf made;
    buf_init(&made, a->chat->text.max * 2);
    struct buf *fresh = a->is_continued || c->is_snapshot ? &made : NULL;
    bool good = gather(a, c, fresh);
    if (good && a->chat->stream)
        a->wire->tell(a, c, fresh, out);
    buf_release(&made);
    return !good || out->failed || a->held.failed || a->finish.failed || a->tail.failed
               ? ANSWER_TOO_LARGE
               : ANSWER_GOES_ON;
}

/* --- what comes --- */

static bool is_done(const char *data, size_t len)
{
    while (len > 0 && (*data == ' ' || *data == '\t' || *data == '"')) {
        data++;
        len--;
    }
    return len >= 6 && memcmp(data, "[DONE]", 6) == 0;
}

static enum answer_step fail(struct span error, struct failure *failure)
{
    failure_of_object(error, failure);
    return ANSWER_FAILED;
}

static enum answer_step take_chunk(struct answer *a, const struct completion *c, struct buf *out,
                                   struct failure *failure)
{
    if (!c->has_failed)
        return take(a, c, out);
    /* Whatever it still says comes before the error. */
    enum answer_step step = c->says_text || c->says_more ? take(a, c, out) : ANSWER_GOES_ON;
    if (step != ANSWER_GOES_ON)
        return step;
    return fail(c->error, failure);
}

/* Some end an event with one line end, so that several come as one. */
static enum answer_step take_lines(struct answer *a, const char *event, const char *data,
                                   size_t len, struct buf *out, struct failure *failure)
{
    enum answer_step step = ANSWER_GOES_ON;
    const char *end = data + len;
    while (data < end && step == ANSWER_GOES_ON) {
        const char *stop = memchr(data, '\n', (size_t)(end - data));
        if (stop == NULL)
            stop = end;
        if (stop > data)
            step = answer_event(a, event, data, (size_t)(stop - data), out, failure);
        data = stop + 1;
    }
    return step;
}

enum answer_step answer_event(struct answer *a, const char *event, const char *data, size_t len,
                              struct buf *out, struct failure *failure)
{
    struct completion c;
    bool is_error = strcmp(event, "error") == 0;
    if (is_done(data, len)) {
        if (answer_speaks(a) || a->has_finished)
            return ANSWER_IS_WHOLE;
        failure_of_nothing(failure);
        return ANSWER_FAILED;
    }
    if (completion_read(&c, data, len, COMPLETION_CHUNK)) {
        if (is_error && !c.has_failed)
            return fail(c.whole, failure);
        return take_chunk(a, &c, out, failure);
    }
    if (is_error)
        return fail((struct span){0}, failure);
    if (memchr(data, '\n', len) != NULL)
        return take_lines(a, event, data, len, out, failure);
    if (!a->has_malformed)
        log_traced(LOG_WARN, a->chat->id_text, chat_trace(a->chat),
                   "the provider sent a malformed chunk of %zu bytes: skipped", len);
    a->has_malformed = true;
    return ANSWER_GOES_ON;
}

enum answer_step answer_body(struct answer *a, struct buf *body, struct buf *out,
                             struct failure *failure)
{
    struct completion c;
    if (body->data == NULL || !completion_read(&c, body->data, body->len, COMPLETION_WHOLE)) {
        struct span list;
        if (body->data != NULL && scan_check(body->data, body->len, &list) && scan_is_array(list))
            return fail(list, failure);
        failure_of_nonsense(failure);
        return ANSWER_FAILED;
    }
    bool says_something = c.says_text || c.says_more;
    if (c.has_failed) {
        /* A client that gets it whole gets none of it; it is kept, unless another answers. */
        if (says_something && !a->chat->stream)
            gather(a, &c, NULL);
        return fail(c.error, failure);
    }
    if (!says_something && c.finish[0] == '\0') {
        failure_of_nonsense(failure);
        return ANSWER_FAILED;
    }
    if (take(a, &c, out) != ANSWER_GOES_ON)
        return ANSWER_TOO_LARGE;
    buf_release(&a->body);
    if (!a->chat->stream) {
        a->body = *body;
        buf_init(body, body->max);
    }
    return ANSWER_IS_WHOLE;
}

/* --- the end --- */

/* What the seam held back, and half a character. */
static void settle_text(struct answer *a)
{
    struct chat *chat = a->chat;
    struct buf fresh;
    buf_init(&fresh, chat->text.max * 2);
    if (a->is_continued && chat->outcome == CHAT_COMPLETE)
        seam_end(&a->seam, chat->text.data != NULL ? chat->text.data : "", &fresh);
    if (a->half != 0)
        buf_puts(a->is_continued ? &fresh : &chat->text, "\xef\xbf\xbd");
    a->half = 0;
    if (fresh.len > 0) {
        buf_append(&chat->text, fresh.data, fresh.len);
        if (chat->stream && a->wire->held_back != NULL)
            a->wire->held_back(a, &fresh);
    }
    buf_release(&fresh);
}

static void settle_usage(struct answer *a)
{
    struct chat *chat = a->chat;
    struct usage sum = a->before;
    /* A provider that failed before it said anything charges nothing. */
    if (a->call_has_usage || answer_speaks(a) || chat->outcome == CHAT_COMPLETE)
        add_usage(&sum, usage_of_call(a));
    chat->has_usage = a->call_has_usage && !a->was_estimated;
    chat->prompt_tokens = sum.prompt;
    chat->completion_tokens = sum.completion;
    chat->cached_tokens = sum.cached;
}

void answer_settle(struct answer *a)
{
    struct chat *chat = a->chat;
    settle_text(a);
    settle_usage(a);
    /* Where it adds nothing to the answer that it goes on with, it takes the place of none. */
    if (chat->outcome != CHAT_COMPLETE && chat->goes_on_from > 0 &&
        chat->text.len == chat->goes_on_from)
        buf_clear(&chat->text);
    struct buf message;
    buf_init(&message, chat->text.max * ESCAPED_BYTES + HELD_ROOM);
    if (message_json(&a->message, &message) && !message.failed)
        chat->response_message = buf_steal(&message);
    buf_release(&message);
    if (!citations_settle(chat))
        log_traced(LOG_WARN, chat->id_text, chat_trace(chat),
                   "out of memory: the answer cites all sources that it was offered");
    if (chat->outcome != CHAT_COMPLETE || a->has_finished)
        return;
    memcpy(chat->finish_reason, "stop", sizeof "stop");
    if (chat->stream && a->wire->finish != NULL)
        a->wire->finish(a);
}

bool answer_end(struct answer *a, struct buf *out)
{
    bool good = a->chat->stream ? a->wire->done(a, out) : a->wire->whole(a, out);
    return good && !out->failed;
}

bool answer_end_with_error(struct answer *a, struct buf *out)
{
    return a->wire->error(a, out);
}
