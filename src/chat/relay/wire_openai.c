/* What a client of /v1/chat/completions gets of an answer. */
#include "chat/protocol/citations.h"
#include "chat/protocol/openai.h"
#include "common/error.h"
#include "wire.h"

/* Whether the tool calls of a chunk must get the places that they have in the message. */
static bool needs_places(const struct answer *a, const struct completion *c)
{
    struct scan s = scan_open(scan_member(c->message, "tool_calls"));
    struct span call;
    if (!c->says_more)
        return false;
    for (int i = 0; scan_next(&s, NULL, &call); i++)
        if (i < a->message.place_count &&
            scan_count(scan_member(call, "index"), -1) != a->message.places[i])
            return true;
    return false;
}

/* What of a chunk a client of completions gets. */
static struct openai_form form_of(const struct answer *a, const struct completion *c)
{
    bool with_usage = a->chat->client_wants_usage && !a->is_continued;
    return (struct openai_form){.is_chunk = true,
                                .parts = OPENAI_ALL | (with_usage ? OPENAI_USAGE : 0),
                                .calls = needs_places(a, c) ? &a->message : NULL,
                                .model = a->told_model};
}

/* A chunk that says something. Where the text is ours to send (fresh), the rest of it goes without
 * its text and role. */
static void tell_words(struct answer *a, const struct completion *c, const struct buf *fresh,
                       struct buf *out)
{
    struct openai_form form = form_of(a, c);
    if (a->held.len > 0)
        buf_append(out, a->held.data, a->held.len);
    buf_release(&a->held);
    if (c->finish[0] != '\0')
        form.parts &= ~(unsigned)(OPENAI_FINISH | OPENAI_USAGE);
    if (fresh != NULL) {
        form.parts &= ~(unsigned)(OPENAI_ROLE | OPENAI_TEXT);
        if (fresh->len > 0)
            openai_text_chunk(out, a->chat, a->told_model, fresh->data, fresh->len);
        if (!c->says_more)
            return;
    }
    openai_chunk(out, a->chat, c, &form);
}

/* A chunk that says nothing: what comes before the answer waits for it, what comes behind its end
 * waits for that. */
static void tell_rest(struct answer *a, const struct completion *c, struct buf *out)
{
    struct openai_form form = form_of(a, c);
    struct buf *to = !a->has_begun ? &a->held : a->has_finished ? &a->tail : out;
    if (c->finish[0] != '\0')
        form.parts &= ~(unsigned)(OPENAI_FINISH | OPENAI_USAGE);
    openai_chunk(to, a->chat, c, &form);
    a->told_usage |= to == &a->tail && (form.parts & OPENAI_USAGE) != 0 && c->usage.at != NULL;
}

/* The finish waits until the answer is recorded, and is sent once, last. */
static void keep_finish(struct answer *a, const struct completion *c, bool is_told)
{
    struct openai_form form = form_of(a, c);
    if (is_told)
        form.parts &= OPENAI_FINISH | OPENAI_USAGE;
    buf_clear(&a->finish);
    openai_chunk(&a->finish, a->chat, c, &form);
    a->told_usage |= (form.parts & OPENAI_USAGE) != 0 && c->usage.at != NULL;
}

static void tell(struct answer *a, const struct completion *c, const struct buf *fresh,
                 struct buf *out)
{
    bool says_text = fresh != NULL ? fresh->len > 0 : c->says_text;
    bool has_substance = says_text || c->says_more, has_finish = c->finish[0] != '\0';
    bool is_first = !a->has_begun && scan_member(c->message, "role").at != NULL;
    if (c->choices == 0 && c->usage.at != NULL) {
        /* Asked for by us; not every client may look at choices[0] of each chunk. */
        struct openai_form form = form_of(a, c);
        if ((form.parts & OPENAI_USAGE) != 0)
            a->told_usage |= openai_chunk(&a->tail, a->chat, c, &form);
        return;
    }
    if (has_substance)
        tell_words(a, c, fresh, out);
    else if ((is_first || !has_finish) && !a->is_continued)
        tell_rest(a, c, out);
    if (has_finish)
        keep_finish(a, c, has_substance || fresh != NULL || is_first);
}

static void held_back(struct answer *a, const struct buf *text)
{
    openai_text_chunk(&a->held, a->chat, a->told_model, text->data, text->len);
}

static void finish(struct answer *a)
{
    openai_finish_chunk(&a->finish, a->chat, a->told_model, a->chat->finish_reason);
}

static bool whole(struct answer *a, struct buf *out)
{
    const struct openai_form form = {.parts = OPENAI_ALL | OPENAI_USAGE,
                                     .cites = citations_of(a->chat).at != NULL};
    struct completion c;
    if (a->body.data == NULL) /* it came as a stream */
        return openai_whole(out, a->chat);
    return completion_read(&c, a->body.data, a->body.len, COMPLETION_WHOLE) &&
           openai_completion(out, a->chat, &c, &form);
}

static bool done(struct answer *a, struct buf *out)
{
    const struct buf *rest[] = {&a->held, &a->finish, &a->tail};
    /* What was held back is of the text, and its citations come before its end. */
    openai_citations_chunk(&a->held, a->chat, a->told_model);
    if (a->chat->client_wants_usage && !a->told_usage)
        openai_usage_chunk(&a->tail, a->chat, a->told_model);
    for (size_t i = 0; i < sizeof rest / sizeof rest[0]; i++) {
        if (rest[i]->failed)
            return false;
        if (rest[i]->len > 0)
            buf_append(out, rest[i]->data, rest[i]->len);
    }
    return buf_puts(out, "data: [DONE]\n\n");
}

static bool error(struct answer *a, struct buf *out)
{
    buf_puts(out, "data: ");
    api_error_json(out, &a->chat->error);
    return buf_puts(out, "\n\n");
}

const struct wire wire_openai = {
    .tell = tell,
    .held_back = held_back,
    .finish = finish,
    .whole = whole,
    .done = done,
    .error = error,
};
