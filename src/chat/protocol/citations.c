/* Which sources an answer names; see citations.h. */
#include "citations.h"

#include <stdlib.h>
#include <string.h>

/* Longer runs of backticks begin no code inside a line. That bounds how often the end of one is
 * looked for. */
#define TICKS_MAX 8
#define OFFERED_MAX 16
#define ITEM_DIGITS 9 /* more before a point are no list */

/* --- marks in Markdown --- */

static size_t run_length(const struct citation_scan *s, size_t at, char c)
{
    size_t n = 0;
    while (at + n < s->len && s->text[at + n] == c)
        n++;
    return n;
}

static size_t line_end(const struct citation_scan *s, size_t at)
{
    const char *end = memchr(s->text + at, '\n', s->len - at);
    return end != NULL ? (size_t)(end - s->text) : s->len;
}

static bool is_blank(const struct citation_scan *s, size_t at, size_t end)
{
    while (at < end && strchr(" \t\r", s->text[at]) != NULL)
        at++;
    return at == end;
}

/* Behind blanks and marks of quotes. */
static size_t skip_quotes(const struct citation_scan *s, size_t at, size_t end)
{
    while (at < end && strchr(" \t>", s->text[at]) != NULL)
        at++;
    return at;
}

/* Behind the mark of a list's item, "-" or "1.", where there is one with a blank after it. */
static size_t skip_item(const struct citation_scan *s, size_t at, size_t end)
{
    size_t digits = 0;
    while (at + digits < end && s->text[at + digits] >= '0' && s->text[at + digits] <= '9')
        digits++;
    if (digits > ITEM_DIGITS || at + digits + 1 >= end ||
        strchr(digits > 0 ? ".)" : "-*+", s->text[at + digits]) == NULL ||
        strchr(" \t", s->text[at + digits + 1]) == NULL)
        return at;
    return at + digits + 2;
}

/* A run of backticks or tildes that begins a block of code. */
struct fence {
    char c; /* '\0': none */
    size_t len;
};

/* The fence that the line from at to end begins with, behind marks of quotes and lists. */
static struct fence fence_at(const struct citation_scan *s, size_t at, size_t end)
{
    for (size_t before = end; at != before;) {
        before = at;
        at = skip_item(s, skip_quotes(s, at, end), end);
    }
    char c = at < end ? s->text[at] : '\0';
    size_t run = c == '`' || c == '~' ? run_length(s, at, c) : 0;
    if (run < 3 || (c == '`' && memchr(s->text + at + run, '`', end - at - run) != NULL))
        return (struct fence){'\0', 0};
    return (struct fence){c, run};
}

/* At the beginning of a line: skips it when it is code or begins or ends a block of code. */
static bool skip_fenced(struct citation_scan *s)
{
    size_t end = line_end(s, s->at);
    bool was_code = s->fence != '\0';
    if (was_code) {
        size_t at = skip_quotes(s, s->at, end), run = run_length(s, at, s->fence);
        if (run >= s->fence_len && is_blank(s, at + run, end))
            s->fence = '\0';
    } else {
        struct fence fence = fence_at(s, s->at, end);
        s->fence = fence.c;
        s->fence_len = fence.len;
        was_code = fence.c != '\0';
    }
    if (was_code)
        s->at = end < s->len ? end + 1 : end;
    return was_code;
}

/* Whether a paragraph ends before the line that begins at at: it is blank, or begins code. */
static bool ends_paragraph(const struct citation_scan *s, size_t at)
{
    size_t end = line_end(s, at);
    return is_blank(s, at, end) || fence_at(s, at, end).c != '\0';
}

/* At a backtick: skips the code that it begins, or the run of backticks where none ends it. */
static void skip_ticks(struct citation_scan *s)
{
    size_t run = run_length(s, s->at, '`'), at = s->at + run;
    s->at = at;
    if (run > TICKS_MAX)
        return;
    while (at < s->len) {
        if (s->text[at] == '`') {
            size_t n = run_length(s, at, '`');
            at += n;
            if (n == run) {
                s->at = at;
                return;
            }
        } else if (s->text[at] == '\n' && ends_paragraph(s, at + 1)) {
            return; /* code in it does not go on */
        } else {
            at++;
        }
    }
}

/* At a bracket: reads "[1]" or "[2, 3]". */
static bool read_mark(const struct citation_scan *s, struct citation_mark *mark)
{
    size_t at = s->at + 1;
    mark->count = 0;
    while (mark->count < CITATION_NUMBERS) {
        int number = 0;
        size_t from = at;
        while (at < s->len && s->text[at] >= '0' && s->text[at] <= '9' && at - from < 2)
            number = number * 10 + (s->text[at++] - '0');
        if (at == from || number == 0)
            return false;
        mark->numbers[mark->count++] = number;
        if (at < s->len && s->text[at] == ']') {
            mark->from = s->at;
            mark->end = at + 1;
            return at + 1 == s->len || s->text[at + 1] != '(';
        }
        if (at == s->len || s->text[at] != ',')
            return false;
        at++;
        while (at < s->len && s->text[at] == ' ')
            at++;
    }
    return false;
}

bool citation_next(struct citation_scan *s, struct citation_mark *mark)
{
    while (s->at < s->len) {
        if ((s->at == s->from || s->text[s->at - 1] == '\n') && skip_fenced(s))
            continue;
        switch (s->text[s->at]) {
        case '`':
            skip_ticks(s);
            break;
        case '\\':
            s->at += s->at + 1 < s->len && s->text[s->at + 1] != '\n' ? 2 : 1;
            break;
        case '[':
            if (read_mark(s, mark)) {
                s->at = mark->end;
                return true;
            }
            s->at++;
            break;
        default:
            s->at++;
        }
    }
    return false;
}

/* --- what was offered --- */

struct offered {
    struct span items[CITATION_NUMBER_MAX + 1]; /* by number */
    bool is_named[CITATION_NUMBER_MAX + 1];
};

/* The member citations of a trace. */
static struct span member_of(const char *trace, struct span *whole)
{
    /* Most traces have none, and are not read. */
    if (trace == NULL || strstr(trace, "\"citations\"") == NULL ||
        !scan_check(trace, strlen(trace), whole) || !scan_is_object(*whole))
        return (struct span){NULL, 0};
    return scan_member(*whole, "citations");
}

static void read_offered(struct span list, struct offered *o)
{
    struct scan s = scan_open(list);
    struct span item;
    memset(o, 0, sizeof *o);
    for (int n = 0; !s.in_object && n < OFFERED_MAX && scan_next(&s, NULL, &item); n++) {
        if (!scan_is_object(item))
            continue;
        int64_t number = scan_count(scan_member(item, "number"), 0);
        if (number >= 1 && number <= CITATION_NUMBER_MAX)
            o->items[number] = item;
    }
}

/* Where the answer begins: behind what a reasoning model thought aloud; the text's end while it
 * still thinks. As answerStart() of the page's markdown.js. */
static size_t answer_start(const char *text, size_t len)
{
    static const char *const tags[][2] = {{"<think>", "</think>"}, {"<thinking>", "</thinking>"}};
    size_t at = 0;
    while (at < len && strchr(" \t\r\n\v\f", text[at]) != NULL)
        at++;
    for (int i = 0; i < 2; i++) {
        size_t begin = strlen(tags[i][0]), end = strlen(tags[i][1]);
        if (len - at < begin || memcmp(text + at, tags[i][0], begin) != 0)
            continue;
        const char *over = memmem(text + at, len - at, tags[i][1], end);
        return over != NULL ? (size_t)(over - text) + end : len;
    }
    return 0;
}

static struct citation_scan scan_of(const struct chat *chat)
{
    const char *text = chat->text.data != NULL ? chat->text.data : "";
    size_t from = answer_start(text, chat->text.len);
    return (struct citation_scan){.text = text, .len = chat->text.len, .from = from, .at = from};
}

static bool note_named(const struct chat *chat, struct offered *o)
{
    struct citation_scan s = scan_of(chat);
    struct citation_mark mark;
    bool names_some = false;
    while (citation_next(&s, &mark))
        for (int i = 0; i < mark.count; i++)
            if (o->items[mark.numbers[i]].at != NULL)
                names_some = o->is_named[mark.numbers[i]] = true;
    return names_some;
}

static void put_named(struct buf *out, const struct offered *o)
{
    bool is_first = true;
    buf_puts(out, ",\"citations\":[");
    for (int n = 1; n <= CITATION_NUMBER_MAX; n++) {
        if (!o->is_named[n])
            continue;
        if (!is_first)
            buf_putc(out, ',');
        buf_append(out, o->items[n].at, o->items[n].len);
        is_first = false;
    }
    buf_putc(out, ']');
}

bool citations_settle(struct chat *chat)
{
    struct span whole, list = member_of(chat->trace, &whole), key, value;
    struct offered o;
    struct buf trace;
    if (list.at == NULL)
        return true;
    read_offered(list, &o);
    buf_init(&trace, whole.len + 64);
    for (struct scan s = scan_open(whole); scan_next(&s, &key, &value);) {
        if (scan_equals(key, "citations"))
            continue;
        buf_putc(&trace, ',');
        buf_append(&trace, key.at, key.len);
        buf_putc(&trace, ':');
        buf_append(&trace, value.at, value.len);
    }
    if (note_named(chat, &o))
        put_named(&trace, &o);
    buf_putc(&trace, '}');
    if (trace.failed) {
        buf_release(&trace);
        return false;
    }
    free(chat->trace);
    chat->trace = NULL;
    if (trace.len > 1) {
        trace.data[0] = '{'; /* in place of the first comma */
        chat->trace = buf_steal(&trace);
    }
    buf_release(&trace);
    return true;
}

struct span citations_of(const struct chat *chat)
{
    struct span whole, list = member_of(chat->trace, &whole);
    return scan_is_array(list) && scan_says_something(list) ? list : (struct span){NULL, 0};
}

/* --- annotations --- */

static size_t characters(const char *text, size_t from, size_t end)
{
    size_t n = 0;
    for (size_t i = from; i < end; i++)
        n += ((unsigned char)text[i] & 0xc0) != 0x80;
    return n;
}

static void put_annotation(struct buf *out, struct span item, size_t from, size_t end)
{
    struct span title = scan_member(item, "title"), url = scan_member(item, "url");
    buf_printf(out,
               "{\"type\":\"url_citation\",\"url_citation\":{\"end_index\":%zu,\"start_index\":%zu,"
               "\"title\":",
               end, from);
    if (scan_is_string(title))
        buf_append(out, title.at, title.len);
    else
        buf_puts(out, "\"\"");
    buf_puts(out, ",\"url\":");
    buf_append(out, url.at, url.len);
    buf_puts(out, "}}");
}

void citations_put_annotations(struct buf *out, const struct chat *chat, int *count)
{
    struct citation_scan s = scan_of(chat);
    struct citation_mark mark;
    struct offered o;
    size_t bytes = 0, chars = 0; /* the same place, counted both ways */
    read_offered(citations_of(chat), &o);
    for (int n = 0; n < CITATION_ANNOTATIONS && citation_next(&s, &mark);) {
        chars += characters(s.text, bytes, mark.from);
        bytes = mark.from;
        for (int i = 0; i < mark.count; i++) {
            struct span item = o.items[mark.numbers[i]];
            struct span url = item.at != NULL ? scan_member(item, "url") : item;
            if (!scan_is_string(url) || url.len <= 2)
                continue;
            if (*count > 0)
                buf_putc(out, ',');
            put_annotation(out, item, chars, chars + (mark.end - mark.from));
            ++*count;
            n++;
        }
    }
}
