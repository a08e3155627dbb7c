/* Writing a group of answers to Postgres; see group.h. */
#include "group.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/utf8.h"

#include <stdlib.h>
#include <string.h>

#define KEEP_BYTES (2 * GROUP_BYTES) /* memory kept for the next group, of each buffer */

static const struct pg_statement record_answers = {
    .name = "record_answers",
    .sql = "select count(*) from uplift_chat.record_answers($1::json)",
    .params = 1};
static const struct pg_statement reject_answer = {
    .name = "reject_answer", .sql = "select uplift_chat.reject_answer($1, $2)", .params = 2};

bool group_init(struct group *g, size_t room)
{
    *g = (struct group){.room = room};
    buf_init(&g->text, GROUP_BYTES + GROUP_ROW_MAX + 16);
    rows_init(&g->rows, GROUP_BYTES + 2 * GROUP_ROW_MAX);
    g->items = calloc(room, sizeof *g->items);
    g->chats = calloc(room, sizeof *g->chats);
    return g->items != NULL && g->chats != NULL;
}

void group_release(struct group *g)
{
    buf_release(&g->text);
    rows_release(&g->rows);
    free(g->items);
    free(g->chats);
    g->items = NULL;
    g->chats = NULL;
    g->count = g->room = g->bytes = 0;
}

void group_clear(struct group *g)
{
    g->count = g->bytes = 0;
    if (g->text.cap > KEEP_BYTES)
        buf_release(&g->text);
    else
        buf_clear(&g->text);
    rows_clear(&g->rows, KEEP_BYTES);
}

bool group_full(const struct group *g)
{
    return g->count == g->room || g->bytes >= GROUP_BYTES;
}

const char *group_text(const struct group *g, size_t i)
{
    return g->text.data + g->items[i].offset;
}

bool group_put(const struct group *g, size_t i, struct buf *out)
{
    const struct group_item *item = &g->items[i];
    return item->chat != NULL ? chat_to_json(item->chat, out)
                              : buf_append(out, group_text(g, i), item->len);
}

bool group_add_chat(struct group *g, struct chat *chat)
{
    size_t bytes = chat_weight(chat);
    if (bytes > GROUP_ROW_MAX)
        return false;
    g->items[g->count++] =
        (struct group_item){.bytes = bytes, .chat = chat, .state = GROUP_WAITING};
    g->bytes += bytes;
    return true;
}

bool group_add_text(struct group *g, const char *json, size_t len)
{
    size_t before = g->text.len;
    bool good = len <= GROUP_ROW_MAX && buf_putc(&g->text, before == 0 ? '[' : ',') &&
                buf_append(&g->text, json, len) &&
                buf_reserve(&g->text, 2); /* for the bracket and NUL behind the last */
    if (!good) {
        g->text.failed = false;
        g->text.len = before;
        return false;
    }
    g->items[g->count++] =
        (struct group_item){.offset = before + 1, .len = len, .bytes = len, .state = GROUP_WAITING};
    g->bytes += len;
    return true;
}

size_t group_rejected(const struct group *g)
{
    size_t count = 0;
    for (size_t i = 0; i < g->count; i++)
        count += g->items[i].state == GROUP_REJECTED;
    return count;
}

enum group_error group_classify(const char *sqlstate)
{
    static const char *const data[] = {"21", "22", "23", "44", "54", "P0", "UP", "XX"};
    static const char *const lock[] = {"55P03", "40001", "40P01"};
    static const char *const away[] = {"08", "57P", "53300"};

    for (size_t i = 0; i < sizeof lock / sizeof *lock; i++)
        if (strcmp(sqlstate, lock[i]) == 0)
            return GROUP_ERROR_LOCK;
    if (strcmp(sqlstate, "57014") == 0)
        return GROUP_ERROR_SLOW;
    for (size_t i = 0; i < sizeof away / sizeof *away; i++)
        if (strncmp(sqlstate, away[i], strlen(away[i])) == 0)
            return GROUP_ERROR_AWAY;
    for (size_t i = 0; i < sizeof data / sizeof *data; i++)
        if (strncmp(sqlstate, data[i], 2) == 0)
            return GROUP_ERROR_DATA;
    return GROUP_ERROR_BUSY;
}

/* --- storing --- */

struct store {
    struct group *g;
    struct pg *pg;
    int64_t give_up_ms; /* clock_ms() after which no lock is waited for any more; 0: none was met */
    int64_t budget_ms;
    group_progress_fn progress;
    void *arg;
    bool away;
    bool slow; /* they were too much for the time there is */
    bool no_memory;
};

static void mark(struct store *s, size_t from, size_t to, enum group_state state)
{
    for (size_t i = from; i < to; i++)
        s->g->items[i].state = state;
}

/* Records texts from..to as one array, made in place, with the bytes around the slice put back
 * afterwards. */
static enum pg_outcome record_texts(struct store *s, size_t from, size_t to)
{
    struct group *g = s->g;
    char *begin = g->text.data + g->items[from].offset - 1;
    char *end = g->text.data + g->items[to - 1].offset + g->items[to - 1].len;
    char before = begin[0], after[2] = {end[0], end[1]};
    bool last = to == g->count; /* both then lie in the reserve */
    begin[0] = '[';
    end[0] = ']';
    end[1] = '\0';

    const char *values[] = {begin};
    PGresult *result = NULL;
    enum pg_outcome outcome = pg_call(s->pg, &record_answers, values, &result);
    if (outcome == PG_DONE)
        PQclear(result);
    begin[0] = before;
    end[0] = last ? '\0' : after[0];
    if (!last)
        end[1] = after[1];
    return outcome;
}

/* Records chats from..to. */
static enum pg_outcome record_chats(struct store *s, size_t from, size_t to)
{
    struct group *g = s->g;
    size_t count = to - from;
    enum pg_outcome outcome = PG_REFUSED;
    for (size_t i = 0; i < count; i++)
        g->chats[i] = g->items[from + i].chat;
    for (int tries = 0; tries < 2; tries++) {
        PGresult *result = NULL;
        if (!rows_make(&g->rows, g->chats, count)) {
            log_error("recorder", "out of memory for %zu answers", count);
            s->no_memory = true;
            return PG_REFUSED;
        }
        outcome = pg_call_binary(s->pg, &rows_statement, g->rows.arrays.values,
                                 g->rows.arrays.lengths, &result);
        if (outcome == PG_DONE) {
            PQclear(result);
            rows_stored(&g->rows, g->chats, count);
            break;
        }
        if (outcome != PG_REFUSED || strcmp(pg_sqlstate(s->pg), "UX001") != 0)
            break;
        rows_forget(&g->rows); /* it is another database than before, restored from a backup */
    }
    return outcome;
}

static enum pg_outcome call_reject(struct store *s, size_t i, const char *reason)
{
    struct buf whole;
    PGresult *result = NULL;
    enum pg_outcome outcome = PG_REFUSED;
    buf_init(&whole, 2 * GROUP_ROW_MAX);
    if (group_put(s->g, i, &whole)) {
        const char *values[] = {whole.data, reason};
        outcome = pg_call(s->pg, &reject_answer, values, &result);
    }
    if (outcome == PG_DONE)
        PQclear(result);
    buf_release(&whole);
    return outcome;
}

/* There was no answer for items from..to. */
static void lost(struct store *s, size_t from, size_t to)
{
    if (pg_only_slow(s->pg)) {
        s->slow = true;
        mark(s, from, to, GROUP_SLOW);
        return;
    }
    s->away = true;
    mark(s, from, to, GROUP_AWAY);
}

/* The row cannot be taken as it is: keep it whole for an administrator. */
static void reject(struct store *s, size_t i)
{
    struct group_item *item = &s->g->items[i];
    char reason[512];
    utf8_print(reason, sizeof reason, "%s: %s", pg_sqlstate(s->pg), pg_message(s->pg));
    /* A text begins {"id":"<uuid>", which is all of it that may be logged. */
    const char *id = item->chat != NULL ? item->chat->id_text
                     : item->len > 44   ? group_text(s->g, i) + 7
                                        : "?";
    log_error("recorder", "answer %.36s was refused and goes to uplift.rejected_answers: %s: %s",
              id, pg_sqlstate(s->pg), pg_message_to_log(s->pg));
    switch (call_reject(s, i, reason)) {
    case PG_DONE:
        item->state = GROUP_REJECTED;
        break;
    case PG_REFUSED:
        log_error("recorder", "uplift_chat.reject_answer was refused too: %s: %s",
                  pg_sqlstate(s->pg), pg_message(s->pg));
        item->state = GROUP_BUSY;
        break;
    case PG_AWAY:
        lost(s, i, i + 1);
        break;
    }
}

static bool out_of_patience(const struct store *s)
{
    return s->give_up_ms != 0 && clock_ms() >= s->give_up_ms;
}

static enum pg_outcome record(struct store *s, size_t from, size_t to)
{
    return s->g->items[from].chat != NULL ? record_chats(s, from, to) : record_texts(s, from, to);
}

static void store_range(struct store *s, size_t from, size_t to)
{
    if (s->away) {
        mark(s, from, to, GROUP_AWAY);
        return;
    }
    if (s->slow) { /* the rest of them would take as long again */
        mark(s, from, to, GROUP_SLOW);
        return;
    }
    if (out_of_patience(s)) {
        mark(s, from, to, GROUP_BUSY);
        return;
    }
    enum pg_outcome outcome = record(s, from, to);
    /* What it refers to (a budget, an experiment) was deleted while it was written, as only the
     * next statement sees. */
    if (outcome == PG_REFUSED && to - from == 1 && strcmp(pg_sqlstate(s->pg), "23503") == 0)
        outcome = record(s, from, to);
    if (s->no_memory) {
        mark(s, from, to, GROUP_BUSY);
        return;
    }
    switch (outcome) {
    case PG_DONE:
        mark(s, from, to, GROUP_COMMITTED);
        return;
    case PG_AWAY:
        lost(s, from, to);
        return;
    case PG_REFUSED:
        break;
    }

    enum group_error error = group_classify(pg_sqlstate(s->pg));
    if (error == GROUP_ERROR_DATA && to - from == 1) {
        reject(s, from);
        return;
    }
    if (error != GROUP_ERROR_DATA)
        log_warn("recorder", "%zu answer%s could not be written now: %s: %s", to - from,
                 to - from == 1 ? "" : "s", pg_sqlstate(s->pg), pg_message(s->pg));
    switch (error) {
    case GROUP_ERROR_DATA: { /* somewhere in here is a bad row */
        size_t middle = from + (to - from) / 2;
        store_range(s, from, middle);
        store_range(s, middle, to);
        return;
    }
    case GROUP_ERROR_LOCK: /* halving would wait for the same lock once a level */
        if (s->give_up_ms == 0)
            s->give_up_ms = clock_ms() + s->budget_ms;
        if (to - from == 1) {
            s->g->items[from].state = GROUP_BUSY;
            if (s->progress != NULL)
                s->progress(s->arg);
            return;
        }
        for (size_t i = from; i < to; i++)
            store_range(s, i, i + 1);
        return;
    case GROUP_ERROR_SLOW:
        s->slow = true;
        mark(s, from, to, GROUP_SLOW);
        return;
    case GROUP_ERROR_AWAY:
        s->away = true;
        mark(s, from, to, GROUP_AWAY);
        return;
    case GROUP_ERROR_BUSY:
        mark(s, from, to, GROUP_BUSY);
        return;
    }
}

enum pg_outcome group_store(struct group *g, struct pg *pg, int64_t budget_ms,
                            group_progress_fn progress, void *arg)
{
    struct store s = {.g = g, .pg = pg, .budget_ms = budget_ms, .progress = progress, .arg = arg};
    if (g->count > 0)
        store_range(&s, 0, g->count);
    return s.away ? PG_AWAY : s.slow ? PG_REFUSED : PG_DONE;
}
