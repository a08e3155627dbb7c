/* Reading a shelf's texts and log from Postgres; see shelf.h. */
#include "shelf.h"

#include "common/clock.h"
#include "common/log.h"
#include "index.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#define TEXTS_A_PAGE 200     /* each may have 100000 characters */
#define ROWS_A_PAGE 10000    /* of the log */
#define RECENT_MAX 2000      /* texts that the recent file has, and a tenth of the base */
#define BASE_AGE_MS 86400000 /* then it is built anew */
#define BASE_AGE_MAX_MS (2 * BASE_AGE_MS) /* the log goes back three days */

struct recent_text {
    int64_t id;
    float weight;
    char language[LANGUAGE_SIZE];
    struct buf words; /* each with its length before it, two bytes */
};

static const struct pg_statement read_log = {
    .name = "search_log",
    .sql = "select horizon, tx, text_id from uplift_search.read_log($1, $2, $3, $4, $5)",
    .params = 5};
static const struct pg_statement read_texts = {
    .name = "search_texts",
    .sql = "select id, language, title, body, weight from uplift_search.read_texts($1, $2, $3)",
    .params = 3};
static const struct pg_statement read_changed = {
    .name = "search_changed",
    .sql = "select id, language, title, body, weight from uplift_search.read_changed($1, $2)",
    .params = 2};

void shelf_init(struct shelf *s, const char *name, const char *dir)
{
    *s = (struct shelf){.name = name};
    snprintf(s->base_path, sizeof s->base_path, "%s/%s.base", dir, name);
    snprintf(s->recent_path, sizeof s->recent_path, "%s/%s.recent", dir, name);
}

static void forget_recent(struct shelf *s)
{
    for (size_t i = 0; i < s->recent_count; i++)
        buf_release(&s->recent[i].words);
    s->recent_count = s->gone_count = s->seen_count = 0;
    s->is_changed = true;
}

void shelf_release(struct shelf *s)
{
    forget_recent(s);
    copy_close(&s->base);
    free(s->recent);
    free(s->gone);
    free(s->seen);
}

static void remove_file(const char *path)
{
    if (unlink(path) != 0 && errno != ENOENT)
        log_warn("search", "could not remove %s: %s", path, strerror(errno));
}

void shelf_open(struct shelf *s, const struct shelf_tools *tools)
{
    char reason[200];
    enum copy_fault fault;
    if (!copy_open(&s->base, s->base_path, reason, sizeof reason, &fault)) {
        if (fault != COPY_MISSING)
            log_warn("search", "the copy %s is of no use: %s", s->base_path, reason);
        return;
    }
    int64_t age = clock_wall_us() / 1000 - s->base.header->built_ms;
    if (strcmp(s->base.header->origin, tools->origin) != 0) {
        log_warn("search", "the copy %s is of another database: removing it", s->base_path);
        copy_close(&s->base);
        remove_file(s->base_path);
        remove_file(s->recent_path);
    } else if (age > BASE_AGE_MAX_MS || age < -BASE_AGE_MS) {
        log_info("search", "the copy %s is too old", s->base_path);
        copy_close(&s->base);
    } else {
        s->horizon = s->base.header->horizon;
        forget_recent(s);
    }
}

static enum shelf_outcome call(const struct shelf_tools *t, const struct pg_statement *statement,
                               const char *const *values, PGresult **result)
{
    if (t->must_stop())
        return SHELF_STOPPED;
    switch (pg_call(t->pg, statement, values, result)) {
    case PG_DONE:
        return SHELF_DONE;
    case PG_AWAY:
        return SHELF_AWAY;
    default:
        log_error("search", "Postgres refused %s: %s", statement->name, pg_message_to_log(t->pg));
        return SHELF_REFUSED;
    }
}

static enum shelf_outcome failed(const struct shelf *s, const char *what)
{
    log_error("search", "could not build the copy of %s: %s", s->name, what);
    return SHELF_FAILED;
}

/* --- texts --- */

static const char *value_or_null(const PGresult *r, int row, int column)
{
    return PQgetisnull(r, row, column) ? NULL : PQgetvalue(r, row, column);
}

/* A row of texts: id, language, title, body, weight. Calls take with its words, of the title and of
 * the body, and how often each counts. */
static bool take_row(const struct shelf_tools *t, const PGresult *r, int row,
                     struct index_text *meta, bool (*begin)(void *, const struct index_text *),
                     bool (*take)(void *, const struct word *, size_t, unsigned), void *arg)
{
    const char *language = value_or_null(r, row, 1), *title = value_or_null(r, row, 2);
    const char *body = PQgetvalue(r, row, 3);
    size_t body_len = (size_t)PQgetlength(r, row, 3), count;
    const struct word *words;
    *meta = (struct index_text){.id = strtoll(PQgetvalue(r, row, 0), NULL, 10),
                                .weight = strtof(PQgetvalue(r, row, 4), NULL)};
    if (language == NULL)
        language = text_language(t->finder, body, body_len, "en");
    snprintf(meta->language, sizeof meta->language, "%s", language);
    if (!begin(arg, meta))
        return false;
    if (title != NULL) {
        if (!words_find(t->finder, title, (size_t)PQgetlength(r, row, 2), meta->language, "en",
                        &words, &count) ||
            !take(arg, words, count, 3))
            return false;
    }
    return words_find(t->finder, body, body_len, meta->language, "en", &words, &count) &&
           take(arg, words, count, 1);
}

static bool begin_in_index(void *arg, const struct index_text *meta)
{
    return index_begin(arg, meta);
}

static bool add_to_index(void *arg, const struct word *words, size_t count, unsigned times)
{
    return index_add(arg, words, count, times);
}

/* --- the base --- */

static enum shelf_outcome read_all(const struct shelf *s, const struct shelf_tools *t,
                                   struct index *x)
{
    char after[24] = "0", limit[24];
    struct index_text meta = {0};
    int rows;
    snprintf(limit, sizeof limit, "%d", TEXTS_A_PAGE);
    do {
        PGresult *r = NULL;
        enum shelf_outcome outcome =
            call(t, &read_texts, (const char *[]){s->name, after, limit}, &r);
        if (outcome != SHELF_DONE)
            return outcome;
        rows = PQntuples(r);
        bool good = true;
        for (int row = 0; good && row < rows; row++)
            good = take_row(t, r, row, &meta, begin_in_index, add_to_index, x);
        PQclear(r);
        if (!good)
            return failed(s, "out of memory, or more than 16 million texts");
        snprintf(after, sizeof after, "%" PRId64, meta.id);
    } while (rows == TEXTS_A_PAGE);
    return SHELF_DONE;
}

/* From where the log is to be read on later, before the texts are read now. */
static enum shelf_outcome ask_horizon(const struct shelf *s, const struct shelf_tools *t,
                                      uint64_t *horizon)
{
    PGresult *r = NULL;
    enum shelf_outcome outcome =
        call(t, &read_log, (const char *[]){s->name, "0", NULL, NULL, "0"}, &r);
    if (outcome != SHELF_DONE)
        return outcome;
    *horizon = strtoull(PQgetvalue(r, 0, 0), NULL, 10);
    PQclear(r);
    return SHELF_DONE;
}

/* --- recent texts --- */

static bool begin_recent(void *arg, const struct index_text *meta)
{
    struct recent_text *r = arg;
    *r = (struct recent_text){.id = meta->id, .weight = meta->weight};
    memcpy(r->language, meta->language, sizeof r->language);
    buf_init(&r->words, (size_t)64 * 1024 * 1024);
    return true;
}

static bool add_recent(void *arg, const struct word *words, size_t count, unsigned times)
{
    struct recent_text *r = arg;
    for (unsigned n = 0; n < times; n++)
        for (size_t i = 0; i < count; i++) {
            uint16_t len = (uint16_t)words[i].len; /* a word has at most WORD_MAX characters */
            buf_append(&r->words, &len, sizeof len);
            buf_append(&r->words, words[i].at, len);
        }
    return !r->words.failed;
}

static int by_text_id(const void *a, const void *b)
{
    int64_t x = ((const struct recent_text *)a)->id, y = ((const struct recent_text *)b)->id;
    return (x > y) - (x < y);
}

/* Where the first recent text is that has this id or a higher one. */
static size_t recent_at(const struct shelf *s, int64_t id)
{
    size_t low = 0, high = s->recent_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (s->recent[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool set_gone(struct shelf *s, uint32_t doc)
{
    size_t at = s->gone_count;
    while (at > 0 && s->gone[at - 1] > doc)
        at--;
    if (at > 0 && s->gone[at - 1] == doc)
        return true;
    if (s->gone_count == s->gone_room) {
        size_t room = s->gone_room == 0 ? 256 : s->gone_room * 2;
        uint32_t *gone = realloc(s->gone, room * sizeof *gone);
        if (gone == NULL)
            return false;
        s->gone = gone;
        s->gone_room = room;
    }
    memmove(&s->gone[at + 1], &s->gone[at], (s->gone_count - at) * sizeof *s->gone);
    s->gone[at] = doc;
    s->gone_count++;
    return true;
}

/* Whatever was known of a text is so no longer. */
static bool forget_text(struct shelf *s, int64_t id)
{
    size_t at = recent_at(s, id);
    if (at < s->recent_count && s->recent[at].id == id) {
        buf_release(&s->recent[at].words);
        memmove(&s->recent[at], &s->recent[at + 1], (s->recent_count - at - 1) * sizeof *s->recent);
        s->recent_count--;
    }
    int64_t doc = copy_doc(&s->base, id);
    return doc < 0 || set_gone(s, (uint32_t)doc);
}

/* Adds the rows of texts at the end; they are put in order when all are there. */
static bool take_recent(struct shelf *s, const struct shelf_tools *t, const PGresult *r)
{
    struct index_text meta;
    size_t rows = (size_t)PQntuples(r);
    if (s->recent_count + rows > s->recent_room) {
        size_t room = (s->recent_count + rows) * 2;
        struct recent_text *recent = realloc(s->recent, room * sizeof *recent);
        if (recent == NULL)
            return false;
        s->recent = recent;
        s->recent_room = room;
    }
    for (size_t row = 0; row < rows; row++) {
        struct recent_text text = {0};
        if (!take_row(t, r, (int)row, &meta, begin_recent, add_recent, &text)) {
            buf_release(&text.words);
            return false;
        }
        s->recent[s->recent_count++] = text;
    }
    return true;
}

static enum shelf_outcome read_group(struct shelf *s, const struct shelf_tools *t,
                                     const int64_t *ids, size_t count)
{
    struct buf list;
    PGresult *r = NULL;
    buf_init(&list, TEXTS_A_PAGE * 24);
    for (size_t i = 0; i < count; i++)
        buf_printf(&list, "%s%" PRId64, i == 0 ? "{" : ",", ids[i]);
    buf_putc(&list, '}');
    enum shelf_outcome outcome =
        list.failed ? failed(s, "out of memory")
                    : call(t, &read_changed, (const char *[]){s->name, list.data}, &r);
    buf_release(&list);
    if (outcome != SHELF_DONE)
        return outcome;
    bool good = true;
    for (size_t i = 0; good && i < count; i++)
        good = forget_text(s, ids[i]);
    good = good && take_recent(s, t, r);
    PQclear(r);
    if (s->recent_count > 0)
        qsort(s->recent, s->recent_count, sizeof *s->recent, by_text_id);
    s->is_changed = true;
    return good ? SHELF_DONE : failed(s, "out of memory");
}

static bool write_recent(struct shelf *s, const struct shelf_tools *t)
{
    struct index *x = index_new();
    bool good = x != NULL;
    for (size_t i = 0; good && i < s->recent_count; i++) {
        const struct recent_text *r = &s->recent[i];
        struct index_text meta = {.id = r->id, .weight = r->weight};
        memcpy(meta.language, r->language, sizeof meta.language);
        good = index_begin(x, &meta);
        for (size_t at = 0; good && at < r->words.len;) {
            uint16_t len;
            memcpy(&len, r->words.data + at, sizeof len);
            struct word w = {.at = r->words.data + at + sizeof len, .len = len};
            good = index_add(x, &w, 1, 1);
            at += sizeof len + len;
        }
    }
    if (!good)
        log_error("search", "out of memory");
    good = good && index_write(x, s->recent_path,
                               &(struct index_options){
                                   .shelf = s->name,
                                   .origin = t->origin,
                                   .horizon = s->horizon,
                                   .base = s->base.header->base,
                                   .base_docs = s->base.header->doc_count,
                                   .base_words = s->base.header->word_total,
                                   .gone = s->gone,
                                   .gone_count = (uint32_t)s->gone_count,
                               });
    index_free(x);
    if (good) {
        s->is_changed = false;
        s->recent_horizon = s->horizon;
    }
    return good;
}

/* --- the log --- */

/* Rows of the log, in its order. */
struct log_rows {
    struct log_entry *items;
    size_t count, room;
    uint64_t horizon; /* of the statement that read the first page */
};

static bool add_row(struct log_rows *rows, struct log_entry entry)
{
    if (rows->count == rows->room) {
        size_t room = rows->room == 0 ? 64 : rows->room * 2;
        struct log_entry *items = realloc(rows->items, room * sizeof *items);
        if (items == NULL)
            return false;
        rows->items = items;
        rows->room = room;
    }
    rows->items[rows->count++] = entry;
    return true;
}

static enum shelf_outcome read_rows(const struct shelf *s, const struct shelf_tools *t,
                                    uint64_t from, struct log_rows *rows)
{
    char horizon[24], tx[24], id[24], limit[24];
    int got;
    snprintf(horizon, sizeof horizon, "%" PRIu64, from);
    snprintf(limit, sizeof limit, "%d", ROWS_A_PAGE);
    do {
        PGresult *r = NULL;
        bool is_first = rows->count == 0, good = true;
        enum shelf_outcome outcome = call(
            t, &read_log,
            (const char *[]){s->name, horizon, is_first ? NULL : tx, is_first ? NULL : id, limit},
            &r);
        if (outcome != SHELF_DONE)
            return outcome;
        if (is_first)
            rows->horizon = strtoull(PQgetvalue(r, 0, 0), NULL, 10);
        got = PQgetisnull(r, 0, 1) ? 0 : PQntuples(r);
        for (int row = 0; good && row < got; row++)
            good =
                add_row(rows, (struct log_entry){.tx = strtoull(PQgetvalue(r, row, 1), NULL, 10),
                                                 .id = strtoll(PQgetvalue(r, row, 2), NULL, 10)});
        PQclear(r);
        if (!good)
            return failed(s, "out of memory");
        if (got > 0) {
            snprintf(tx, sizeof tx, "%" PRIu64, rows->items[rows->count - 1].tx);
            snprintf(id, sizeof id, "%" PRId64, rows->items[rows->count - 1].id);
        }
    } while (got == ROWS_A_PAGE);
    return SHELF_DONE;
}

static int by_entry(const void *a, const void *b)
{
    const struct log_entry *x = a, *y = b;
    if (x->tx != y->tx)
        return x->tx < y->tx ? -1 : 1;
    return (x->id > y->id) - (x->id < y->id);
}

static int by_number(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* The texts of rows that were not read before, each once; the caller's to free. NULL: no memory. */
static int64_t *changed_ids(const struct shelf *s, const struct log_rows *rows, size_t *count)
{
    int64_t *ids = malloc((rows->count + 1) * sizeof *ids);
    size_t all = 0;
    *count = 0;
    if (ids == NULL)
        return NULL;
    for (size_t i = 0; i < rows->count; i++)
        if (s->seen_count == 0 ||
            bsearch(&rows->items[i], s->seen, s->seen_count, sizeof *s->seen, by_entry) == NULL)
            ids[all++] = rows->items[i].id;
    if (all > 0)
        qsort(ids, all, sizeof *ids, by_number);
    for (size_t i = 0; i < all; i++)
        if (*count == 0 || ids[*count - 1] != ids[i])
            ids[(*count)++] = ids[i];
    return ids;
}

/* Rows before the new horizon will not be read again; those from it on will, and are remembered.
 * Takes the rows over. */
static void move_horizon(struct shelf *s, struct log_rows *rows)
{
    size_t passed = 0;
    while (passed < rows->count && rows->items[passed].tx < rows->horizon)
        passed++;
    if (passed > 0) {
        memmove(rows->items, rows->items + passed, (rows->count - passed) * sizeof *rows->items);
        /* Chats look at rows from the file's horizon on: no longer at these. */
        s->is_changed = true;
    }
    free(s->seen);
    s->seen = rows->items;
    s->seen_count = rows->count - passed;
    s->horizon = rows->horizon;
    *rows = (struct log_rows){0};
}

static bool is_due(const struct shelf *s, size_t changed)
{
    int64_t age = clock_wall_us() / 1000 - s->base.header->built_ms;
    return age > BASE_AGE_MS || age < -BASE_AGE_MS ||
           changed + s->recent_count + s->gone_count > RECENT_MAX + s->base.header->doc_count / 10;
}

/* --- the whole --- */

static enum shelf_outcome write_base(struct shelf *s, const struct shelf_tools *t,
                                     const struct index *x, uint64_t horizon)
{
    struct index_options options = {.shelf = s->name, .origin = t->origin, .horizon = horizon};
    char reason[200];
    enum copy_fault fault;
    if (getrandom(&options.base, sizeof options.base, 0) != (ssize_t)sizeof options.base)
        return failed(s, strerror(errno));
    if (!index_write(x, s->base_path, &options))
        return SHELF_FAILED;
    copy_close(&s->base);
    if (!copy_open(&s->base, s->base_path, reason, sizeof reason, &fault))
        return failed(s, reason);
    s->horizon = horizon;
    forget_recent(s);
    return SHELF_DONE;
}

/* What the log has from the horizon on before the texts are read is in them. */
static void remember_rows(struct shelf *s, struct log_rows *rows)
{
    free(s->seen);
    s->seen = rows->items;
    s->seen_count = rows->count;
    *rows = (struct log_rows){0};
}

enum shelf_outcome shelf_build(struct shelf *s, const struct shelf_tools *t)
{
    uint64_t horizon = 0;
    struct timespec before, after;
    struct log_rows rows = {0};
    struct index *x = index_new();
    if (x == NULL)
        return failed(s, "out of memory");
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
    enum shelf_outcome outcome = ask_horizon(s, t, &horizon);
    if (outcome == SHELF_DONE)
        outcome = read_rows(s, t, horizon, &rows);
    if (outcome == SHELF_DONE)
        outcome = read_all(s, t, x);
    if (outcome == SHELF_DONE)
        outcome = write_base(s, t, x, horizon);
    if (outcome == SHELF_DONE)
        remember_rows(s, &rows);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
    if (outcome == SHELF_DONE)
        log_info("search", "built the copy of %s: %u texts, %zu bytes, %.1f s of CPU", s->name,
                 s->base.header->doc_count, s->base.map_size,
                 (double)(after.tv_sec - before.tv_sec) +
                     (double)(after.tv_nsec - before.tv_nsec) / 1e9);
    index_free(x);
    free(rows.items);
    return outcome;
}

enum shelf_outcome shelf_follow(struct shelf *s, const struct shelf_tools *t)
{
    struct log_rows rows = {0};
    size_t count = 0;
    if (s->base.header == NULL) {
        enum shelf_outcome built = shelf_build(s, t);
        if (built != SHELF_DONE)
            return built;
    }
    enum shelf_outcome outcome = read_rows(s, t, s->horizon, &rows);
    int64_t *ids = outcome == SHELF_DONE ? changed_ids(s, &rows, &count) : NULL;
    if (outcome == SHELF_DONE && ids == NULL)
        outcome = failed(s, "out of memory");
    if (outcome == SHELF_DONE && (rows.horizon < s->horizon || is_due(s, count))) {
        /* Backwards it goes when a server takes over that had not got the last transactions. */
        outcome = shelf_build(s, t);
    } else if (outcome == SHELF_DONE) {
        for (size_t at = 0; outcome == SHELF_DONE && at < count; at += TEXTS_A_PAGE)
            outcome =
                read_group(s, t, ids + at, count - at < TEXTS_A_PAGE ? count - at : TEXTS_A_PAGE);
        if (outcome == SHELF_DONE)
            move_horizon(s, &rows);
    }
    free(ids);
    free(rows.items);
    if (outcome == SHELF_DONE && s->is_changed && !write_recent(s, t))
        outcome = SHELF_FAILED;
    return outcome;
}
