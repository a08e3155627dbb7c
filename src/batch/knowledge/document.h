/*
 * A document of knowledge: what a file, a page or an admin's text becomes, whatever it was. Its
 * content is plain text with Markdown's headings ("## Naps"), which Postgres parts into pieces.
 */
#ifndef UPLIFT_BATCH_DOCUMENT_H
#define UPLIFT_BATCH_DOCUMENT_H

#include "common/buf.h"
#include "common/must_check.h"

#include <stdbool.h>
#include <stddef.h>

#define DOCUMENT_FILE_MAX ((size_t)20 << 20)   /* bytes of a file or page as it is read */
#define DOCUMENT_CONTENT_MAX ((size_t)5000000) /* bytes of what it becomes */
#define DOCUMENT_TITLE_MAX 300                 /* bytes */
#define DOCUMENT_REASON_MAX 200

enum document_format {
    DOCUMENT_TEXT,
    DOCUMENT_MARKDOWN,
    DOCUMENT_HTML,
    DOCUMENT_PDF,
    DOCUMENT_UNKNOWN
};

struct document {
    struct buf content;                   /* valid UTF-8 without NUL */
    char title[DOCUMENT_TITLE_MAX + 1];   /* its own; "" for none */
    char reason[DOCUMENT_REASON_MAX + 1]; /* why it could not be read, for people */
};

/* An empty one, to be released. */
void document_init(struct document *d);
void document_release(struct document *d);
/* Notes why a document could not be read. Returns false. */
bool document_fail(struct document *d, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* By the end of a file's name, in any case: .txt, .text, .md, .markdown, .html, .htm, .xhtml, .pdf;
 * else DOCUMENT_UNKNOWN. */
enum document_format document_format_of_name(const char *name);
/* Of text, markdown, html, pdf; else DOCUMENT_UNKNOWN. */
enum document_format document_format_of_word(const char *word);
/* Of a Content-Type, whatever follows it after a semicolon; else DOCUMENT_UNKNOWN. */
enum document_format document_format_of_type(const char *content_type);

/*
 * Reads text or Markdown. UTF-8 and, by its byte order mark, UTF-16; what is neither is taken for
 * Windows-1252, or, where most of it is UTF-8, its bad bytes become U+FFFD. False, with the reason,
 * for what has NUL bytes, is empty, or is longer than DOCUMENT_CONTENT_MAX.
 */
MUST_CHECK bool document_read_text(struct document *d, const char *data, size_t len,
                                   enum document_format format);
/*
 * Reads HTML, however broken (libxml2): headings, paragraphs, lists, tables and code; without
 * scripts, styles, forms and navigation, and of a page that says where its main part is, only that.
 * False as above.
 */
MUST_CHECK bool document_read_html(struct document *d, const char *data, size_t len);

/* Whether there is any text; false, with the reason, for none or too much. */
MUST_CHECK bool document_check(struct document *d);

#endif
