/* What a client of /v1/chat gets of an answer. */
#include "chat/protocol/content.h"
#include "chat/protocol/message.h"
#include "chat/protocol/native.h"
#include "wire.h"

/* What the model thinks, which most say beside the content, and some within it. */
static void tell_thought(const struct completion *c, struct buf *out)
{
    struct span thought = message_thought(c->message);
    struct content pieces = content_open(c->content);
    enum content_kind kind;
    struct span piece;
    if (thought.at != NULL) {
        native_open_thought(out);
        native_piece(out, thought);
        native_close(out);
        return;
    }
    bool is_open = false;
    while (!c->is_plain && content_next(&pieces, &kind, &piece)) {
        if (kind != CONTENT_THINKING)
            continue;
        if (!is_open)
            native_open_thought(out);
        is_open = true;
        native_piece(out, piece);
    }
    if (is_open)
        native_close(out);
}

/* The text that the answer goes on from, before any of its own. */
static void tell_given(struct answer *a, struct buf *out)
{
    const struct chat *chat = a->chat;
    if (a->has_told_given || chat->goes_on_from == 0 || chat->text.len < chat->goes_on_from)
        return;
    a->has_told_given = true;
    position_advance(&a->position, chat->text.data, chat->goes_on_from);
    native_text(out, &a->position, chat->text.data, chat->goes_on_from);
}

static void tell(struct answer *a, const struct completion *c, const struct buf *fresh,
                 struct buf *out)
{
    const struct buf *text = &a->chat->text;
    struct content pieces = content_open(c->content);
    enum content_kind kind;
    struct span piece;
    if (c->says_more)
        tell_thought(c, out);
    if (fresh == NULL && !c->says_text && c->refusal.len > 2) {
        native_open(out, NULL);
        native_piece(out, c->refusal);
        native_close(out);
    }
    if (fresh != NULL ? fresh->len == 0 : !c->says_text)
        return;
    tell_given(a, out);
    position_advance(&a->position, text->data, text->len);
    if (fresh != NULL) {
        native_text(out, &a->position, fresh->data, fresh->len);
        return;
    }
    native_open(out, &a->position);
    while (content_next(&pieces, &kind, &piece))
        if (kind == CONTENT_TEXT)
            native_piece(out, piece);
    native_close(out);
}

static bool whole(struct answer *a, struct buf *out)
{
    return native_answer(out, a->chat);
}

static void held_back(struct answer *a, const struct buf *fresh)
{
    const struct buf *text = &a->chat->text;
    tell_given(a, &a->held);
    position_advance(&a->position, text->data, text->len);
    native_text(&a->held, &a->position, fresh->data, fresh->len);
}

static bool done(struct answer *a, struct buf *out)
{
    tell_given(a, &a->held);
    if (a->held.failed)
        return false;
    if (a->held.len > 0)
        buf_append(out, a->held.data, a->held.len);
    return native_done(out, a->chat);
}

static bool error(struct answer *a, struct buf *out)
{
    return native_error(out, a->chat);
}

const struct wire wire_native = {
    .is_own_request = true,
    .can_be_followed = true,
    .restart = native_restart,
    .tell = tell,
    .held_back = held_back,
    .whole = whole,
    .done = done,
    .error = error,
};
