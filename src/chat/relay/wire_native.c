/* What a client of /v1/chat gets of an answer. */
#include "chat/protocol/content.h"
#include "chat/protocol/native.h"
#include "wire.h"

static void tell(struct answer *a, const struct completion *c, const struct buf *fresh,
                 struct buf *out)
{
    const struct buf *text = &a->chat->text;
    struct content pieces = content_open(c->content);
    enum content_kind kind;
    struct span piece;
    if (fresh == NULL && !c->says_text && c->refusal.len > 2) {
        native_open(out, NULL);
        native_piece(out, c->refusal);
        native_close(out);
    }
    if (fresh != NULL ? fresh->len == 0 : !c->says_text)
        return;
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

static bool done(struct answer *a, struct buf *out)
{
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
    .whole = whole,
    .done = done,
    .error = error,
};
