/*
 * HTML as documents; see document.h.
 *
 * libxml2 reads it and tells of each tag and text as it comes; no tree is built, so that neither
 * depth nor size of a page matters beyond the limits here. What is written goes to the content at
 * once; a few flags say what the next word begins with.
 */
#include "document.h"

#include "common/json.h"
#include "common/utf8.h"

#include <libxml/HTMLparser.h>
#include <libxml/parserInternals.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define DEPTH_MAX 2000 /* tags open inside one another */
#define TITLE_BYTES 4096
#define LISTS_MAX 8 /* that are indented one within the other */

/* What a tag is to us. */
enum meaning {
    INLINE,    /* of no account */
    BLOCK,     /* begins and ends a paragraph */
    DROPPED,   /* with all that is in it */
    HEADING,   /* h1 to h6 */
    LIST,      /* ul, ol, menu */
    ITEM,      /* li */
    BREAK,     /* br, hr */
    CODE,      /* pre */
    TABLE,     /* table */
    ROW,       /* tr */
    CELL,      /* td, th */
    TITLE,     /* of the page */
    MAIN_PART, /* main */
};

static const struct {
    const char *name;
    enum meaning meaning;
} tags[] = {
    {"address", BLOCK},    {"article", BLOCK},  {"aside", DROPPED},  {"audio", DROPPED},
    {"blockquote", BLOCK}, {"body", BLOCK},     {"br", BREAK},       {"button", DROPPED},
    {"canvas", DROPPED},   {"caption", BLOCK},  {"center", BLOCK},   {"dd", BLOCK},
    {"details", BLOCK},    {"dialog", DROPPED}, {"div", BLOCK},      {"dl", BLOCK},
    {"dt", BLOCK},         {"embed", DROPPED},  {"fieldset", BLOCK}, {"figcaption", BLOCK},
    {"figure", BLOCK},     {"footer", DROPPED}, {"form", BLOCK},     {"h1", HEADING},
    {"h2", HEADING},       {"h3", HEADING},     {"h4", HEADING},     {"h5", HEADING},
    {"h6", HEADING},       {"header", BLOCK},   {"hr", BREAK},       {"iframe", DROPPED},
    {"input", DROPPED},    {"legend", BLOCK},   {"li", ITEM},        {"listing", CODE},
    {"main", MAIN_PART},   {"math", DROPPED},   {"menu", LIST},      {"nav", DROPPED},
    {"noscript", DROPPED}, {"object", DROPPED}, {"ol", LIST},        {"option", DROPPED},
    {"p", BLOCK},          {"pre", CODE},       {"script", DROPPED}, {"section", BLOCK},
    {"select", DROPPED},   {"style", DROPPED},  {"summary", BLOCK},  {"svg", DROPPED},
    {"table", TABLE},      {"tbody", INLINE},   {"td", CELL},        {"template", DROPPED},
    {"textarea", DROPPED}, {"tfoot", INLINE},   {"th", CELL},        {"thead", INLINE},
    {"title", TITLE},      {"tr", ROW},         {"ul", LIST},        {"video", DROPPED},
};

/* A tag that is open. */
struct open_tag {
    enum meaning meaning;
    bool is_skipped; /* it, or one around it, is dropped */
};

struct page {
    struct document *document;
    htmlParserCtxtPtr parser;
    struct buf *out;  /* the document's content */
    struct buf title; /* of the page */
    struct open_tag open[DEPTH_MAX];
    size_t depth;
    size_t skipped;    /* open tags that are dropped, or are in such */
    unsigned newlines; /* that go before the next word, 0 to 2 */
    bool space;        /* one goes before the next word of a line */
    bool fresh;        /* nothing is on this line yet */
    bool glued;        /* what was written last was a mark of ours: no space and no line follow */
    bool in_title;
    int heading;               /* its level; 0: none */
    size_t heading_at;         /* of its first character */
    int code;                  /* pre that are open */
    int lists;                 /* that are open */
    int numbers[LISTS_MAX];    /* of the next item; 0: this list has bullets */
    int tables;                /* that are open; within one they are text */
    int row;                   /* of the outermost table, from 1 */
    int cells;                 /* of this row */
    size_t main_from, main_to; /* in out; equal: there is no main part */
    int mains;
};

static enum meaning meaning_of(const char *name)
{
    size_t low = 0, high = sizeof tags / sizeof tags[0];
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = strcmp(name, tags[middle].name);
        if (order == 0)
            return tags[middle].meaning;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return INLINE;
}

static void stop(struct page *p, const char *reason)
{
    if (*p->document->reason == '\0')
        document_fail(p->document, "%s", reason);
    xmlStopParser(p->parser);
}

/* --- writing --- */

/* So many ends of lines go before the next word; in tables and headings, whose text is one line, a
 * space. */
static void end_line(struct page *p, unsigned newlines)
{
    if (p->tables > 0 || p->heading > 0) {
        p->space = true;
    } else if (p->glued) {
        return;
    } else if (!p->fresh || p->newlines > 0) {
        if (newlines > p->newlines)
            p->newlines = newlines;
    }
}

static void put_newlines(struct page *p)
{
    if (p->newlines > 0 && p->out->len > 0) {
        buf_append(p->out, "\n\n", p->newlines);
        p->fresh = true;
    }
    p->newlines = 0;
    if (p->fresh)
        p->space = false;
}

/* Begins a line with text of ours: the mark of an item, a row, a heading. */
static void put_mark(struct page *p, const char *mark)
{
    put_newlines(p);
    buf_puts(p->out, mark);
    p->fresh = false;
    p->space = false;
    p->glued = true;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
}

static void put_character(struct page *p, const char *text, size_t n)
{
    if (n == 1 && *text == '|' && p->tables > 0)
        buf_putc(p->out, '\\');
    /* It would look like a heading. */
    if (n == 1 && *text == '#' && p->fresh && p->tables == 0)
        buf_putc(p->out, '\\');
    buf_append(p->out, text, n);
    p->fresh = false;
    p->glued = false;
}

static void put_code(struct page *p, const char *text, size_t len)
{
    put_newlines(p);
    for (size_t i = 0; i < len;) {
        unsigned char c = (unsigned char)text[i];
        size_t n = c < 0x80 ? 1 : utf8_sequence(text + i, len - i);
        if (c == '\n' || c == '\t' || (c >= 0x20 && c != 0x7f && n > 0))
            buf_append(p->out, text + i, n);
        i += n > 0 ? n : 1;
    }
    p->fresh = p->out->len == 0 || p->out->data[p->out->len - 1] == '\n';
}

static void put_words(struct page *p, const char *text, size_t len)
{
    for (size_t i = 0; i < len;) {
        unsigned char c = (unsigned char)text[i];
        size_t n = c < 0x80 ? 1 : utf8_sequence(text + i, len - i);
        bool is_space = is_blank(text[i]) || (n == 2 && memcmp(text + i, "\xc2\xa0", 2) == 0);
        if (is_space) {
            p->space = true;
        } else if (n > 0 && c >= 0x20 && c != 0x7f) {
            put_newlines(p);
            if (p->space && !p->fresh && !p->glued)
                buf_putc(p->out, ' ');
            p->space = false;
            put_character(p, text + i, n);
        }
        i += n > 0 ? n : 1;
    }
}

/* --- tags --- */

static void begin_list(struct page *p, bool is_numbered)
{
    end_line(p, p->lists > 0 ? 1 : 2);
    if (p->lists < LISTS_MAX)
        p->numbers[p->lists] = is_numbered;
    p->lists++;
}

static void begin_item(struct page *p)
{
    char mark[64];
    int level = p->lists < LISTS_MAX ? p->lists : LISTS_MAX;
    int *number = level > 0 ? &p->numbers[level - 1] : NULL;
    p->glued = false; /* of an item in which there is nothing */
    end_line(p, 1);
    if (p->tables > 0 || p->heading > 0)
        return;
    if (number != NULL && *number > 0)
        snprintf(mark, sizeof mark, "%*s%d. ", 2 * (level - 1), "", (*number)++);
    else
        snprintf(mark, sizeof mark, "%*s- ", level > 0 ? 2 * (level - 1) : 0, "");
    put_mark(p, mark);
}

static void begin_heading(struct page *p, int level)
{
    static const char signs[] = "###### ";
    if (p->heading > 0 || p->tables > 0) {
        end_line(p, 2);
        return;
    }
    end_line(p, 2);
    put_mark(p, signs + 6 - level);
    p->heading = level;
    p->heading_at = p->out->len;
}

static void end_heading(struct page *p)
{
    if (p->heading == 0)
        return;
    struct buf *out = p->out;
    if (out->len == p->heading_at && !out->failed) { /* an empty one */
        out->len -= (size_t)p->heading + 1;
        out->data[out->len] = '\0';
        p->fresh = true;
    }
    p->glued = false;
    p->heading = 0;
    p->newlines = 2;
}

static void begin_row(struct page *p)
{
    if (p->tables != 1)
        return;
    p->row++;
    p->cells = 0;
}

static void begin_cell(struct page *p)
{
    if (p->tables != 1) {
        p->space = true;
        return;
    }
    if (p->cells++ == 0) {
        p->newlines = p->row > 1 ? 1 : 2;
        put_mark(p, "| ");
    } else {
        buf_puts(p->out, " | ");
        p->space = false;
        p->glued = true;
    }
}

static void end_row(struct page *p)
{
    if (p->tables != 1 || p->cells == 0)
        return;
    buf_puts(p->out, " |");
    if (p->row == 1) {
        buf_puts(p->out, "\n|");
        for (int i = 0; i < p->cells && i < 100; i++)
            buf_puts(p->out, " --- |");
    }
    p->cells = 0;
    p->newlines = 1;
    p->fresh = false;
    p->space = false;
    p->glued = false;
}

static void begin(struct page *p, enum meaning meaning, const char *name)
{
    switch (meaning) {
    case BLOCK:
        end_line(p, 2);
        break;
    case HEADING:
        begin_heading(p, name[1] - '0');
        break;
    case LIST:
        begin_list(p, *name == 'o');
        break;
    case ITEM:
        begin_item(p);
        break;
    case BREAK:
        end_line(p, *name == 'h' ? 2 : 1);
        break;
    case CODE:
        end_line(p, 2);
        if (p->tables == 0 && p->heading == 0 && p->code++ == 0) {
            put_mark(p, "```\n");
            p->fresh = true;
            p->glued = false;
        }
        break;
    case TABLE:
        end_line(p, 2);
        if (p->tables++ == 0)
            p->row = p->cells = 0;
        break;
    case ROW:
        begin_row(p);
        break;
    case CELL:
        begin_cell(p);
        break;
    case TITLE:
        p->in_title = p->title.len == 0;
        break;
    case MAIN_PART:
        end_line(p, 2);
        if (p->mains++ == 0)
            p->main_from = p->out->len;
        break;
    case INLINE:
    case DROPPED:
        break;
    }
}

static void end(struct page *p, enum meaning meaning)
{
    switch (meaning) {
    case BLOCK:
        end_line(p, 2);
        break;
    case HEADING:
        end_heading(p);
        break;
    case LIST:
        p->lists -= p->lists > 0;
        end_line(p, p->lists > 0 ? 1 : 2);
        break;
    case ITEM:
        end_line(p, 1);
        break;
    case CODE:
        if (p->code > 0 && --p->code == 0) {
            buf_puts(p->out, p->fresh ? "```" : "\n```");
            p->fresh = false;
        }
        end_line(p, 2);
        break;
    case TABLE:
        if (p->tables > 0 && --p->tables == 0) {
            p->newlines = 2;
            p->glued = false;
        }
        break;
    case ROW:
        end_row(p);
        break;
    case TITLE:
        p->in_title = false;
        break;
    case MAIN_PART:
        end_line(p, 2);
        if (p->mains == 1 && p->main_to == 0)
            p->main_to = p->out->len;
        break;
    case INLINE:
    case BREAK:
    case CELL:
    case DROPPED:
        break;
    }
}

/* Whether its attributes say that it is not for reading. */
static bool is_hidden(const xmlChar **attributes)
{
    for (; attributes != NULL && attributes[0] != NULL; attributes += 2) {
        const char *name = (const char *)attributes[0], *value = (const char *)attributes[1];
        if (strcmp(name, "hidden") == 0)
            return true;
        if (value == NULL)
            continue;
        if (strcmp(name, "aria-hidden") == 0 && strcasecmp(value, "true") == 0)
            return true;
        if (strcmp(name, "role") == 0 &&
            (strcasecmp(value, "navigation") == 0 || strcasecmp(value, "search") == 0 ||
             strcasecmp(value, "banner") == 0 || strcasecmp(value, "contentinfo") == 0))
            return true;
    }
    return false;
}

/* --- what libxml2 tells --- */

static void take_start(void *arg, const xmlChar *name, const xmlChar **attributes)
{
    struct page *p = arg;
    enum meaning meaning = meaning_of((const char *)name);
    if (p->depth == DEPTH_MAX) {
        stop(p, "its tags are too many levels deep");
        return;
    }
    if (p->out->failed) {
        xmlStopParser(p->parser);
        return;
    }
    bool is_whole = strcmp((const char *)name, "body") == 0; /* some show it by a script */
    bool is_skipped = p->skipped > 0 || meaning == DROPPED || (!is_whole && is_hidden(attributes));
    p->open[p->depth++] = (struct open_tag){meaning, is_skipped};
    if (is_skipped)
        p->skipped++;
    else
        begin(p, meaning, (const char *)name);
}

static void take_end(void *arg, const xmlChar *name)
{
    struct page *p = arg;
    (void)name; /* libxml2 closes in order what was left open */
    if (p->depth == 0)
        return;
    struct open_tag tag = p->open[--p->depth];
    if (tag.is_skipped)
        p->skipped--;
    else
        end(p, tag.meaning);
}

static void take_text(void *arg, const xmlChar *text, int len)
{
    struct page *p = arg;
    if (len <= 0 || p->skipped > 0)
        return;
    if (p->in_title)
        buf_append(&p->title, text, (size_t)len);
    else if (p->code > 0)
        put_code(p, (const char *)text, (size_t)len);
    else
        put_words(p, (const char *)text, (size_t)len);
}

/* --- the whole --- */

/* The title, its spaces made one each. */
static void take_title(struct page *p)
{
    char out[TITLE_BYTES + 1];
    size_t len = 0;
    const char *text = p->title.data;
    for (size_t i = 0; text != NULL && i < p->title.len && len < TITLE_BYTES; i++) {
        if (!is_blank(text[i]) && ((unsigned char)text[i] < 0x20 || text[i] == 0x7f))
            continue;
        if (!is_blank(text[i]))
            out[len++] = text[i];
        else if (len > 0 && out[len - 1] != ' ')
            out[len++] = ' ';
    }
    while (len > 0 && out[len - 1] == ' ')
        len--;
    out[len] = '\0';
    utf8_print(p->document->title, sizeof p->document->title, "%s", out);
}

/* Leaves of a page only its main part, where it says which that is. */
static void keep_main(struct page *p)
{
    struct buf *out = p->out;
    if (out->failed || p->main_to <= p->main_from + 100)
        return;
    out->len = p->main_to;
    out->data[out->len] = '\0';
    buf_consume(out, p->main_from);
}

/* What it complains of goes nowhere: pages are as they are, and stderr is for the log. */
static void say_nothing(void *arg, const char *format, ...)
{
    (void)arg, (void)format;
}

static void note_nothing(void *arg, xmlErrorPtr error)
{
    (void)arg, (void)error;
}

static pthread_once_t once = PTHREAD_ONCE_INIT;

static bool parse(struct page *p, const char *data, size_t len)
{
    bool is_utf8 = json_utf8_valid(data, len);
    pthread_once(&once, xmlInitParser);
    xmlSetGenericErrorFunc(NULL, say_nothing); /* of this thread */
    xmlSetStructuredErrorFunc(NULL, note_nothing);
    htmlParserCtxtPtr parser = htmlCreateMemoryParserCtxt(data, (int)len);
    if (parser == NULL)
        return document_fail(p->document, "out of memory");
    p->parser = parser;
    htmlCtxtUseOptions(parser, HTML_PARSE_RECOVER | HTML_PARSE_NOERROR | HTML_PARSE_NOWARNING |
                                   HTML_PARSE_NONET | HTML_PARSE_IGNORE_ENC * is_utf8);
    /* Its own handler would build a tree. */
    memset(parser->sax, 0, sizeof *parser->sax);
    parser->sax->startElement = take_start;
    parser->sax->endElement = take_end;
    parser->sax->characters = take_text;
    parser->sax->cdataBlock = take_text;
    parser->sax->ignorableWhitespace = take_text;
    parser->userData = p;
    if (is_utf8) {
        xmlCharEncodingHandlerPtr handler = xmlFindCharEncodingHandler("UTF-8");
        if (handler != NULL)
            xmlSwitchToEncoding(parser, handler);
    }
    htmlParseDocument(parser);
    htmlFreeParserCtxt(parser);
    p->parser = NULL;
    return *p->document->reason == '\0';
}

bool document_read_html(struct document *d, const char *data, size_t len)
{
    bool good = false;
    if (len == 0)
        return document_fail(d, "there is no text in it");
    if (len > DOCUMENT_FILE_MAX)
        return document_fail(d, "it has more than %zu MB", DOCUMENT_FILE_MAX >> 20);
    struct page *p = calloc(1, sizeof *p);
    if (p == NULL)
        return document_fail(d, "out of memory");
    p->document = d;
    p->out = &d->content;
    p->fresh = true;
    buf_init(&p->title, TITLE_BYTES);
    if (parse(p, data, len)) {
        take_title(p);
        keep_main(p);
        good = document_check(d);
    }
    buf_release(&p->title);
    free(p);
    return good;
}
