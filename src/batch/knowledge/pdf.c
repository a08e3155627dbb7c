/* PDF files as documents; see pdf.h. */
#include "pdf.h"

#include "common/child.h"

#include <string.h>

#define CPU_S 30
#define WALL_S 60
#define MEMORY_BYTES ((size_t)1 << 30)

static bool job_wants_it(void *job)
{
    return job_goes_on(job, 0);
}

/* What became of it, in words. */
static bool judge(struct document *d, const char *program, enum child_outcome outcome,
                  const struct child_end *end)
{
    const char *complaint = end->complaint;
    switch (outcome) {
    case CHILD_DONE:
        return true;
    case CHILD_UNWANTED:
        return document_fail(d, "stopped");
    case CHILD_TOO_MUCH:
        return document_fail(d, "it has more than %zu bytes of text", DOCUMENT_CONTENT_MAX);
    case CHILD_TOO_LONG:
        return document_fail(d, "it takes too long to read");
    case CHILD_KILLED:
        return document_fail(d, "pdftotext could not read it, and was ended by a signal");
    case CHILD_NOT_BEGUN:
        return document_fail(d, "could not start pdftotext: %.200s", complaint);
    case CHILD_MISSING:
        return document_fail(d,
                             "PDF needs %.100s, which is not there: install poppler-utils, or set "
                             "UPLIFT_PDFTOTEXT",
                             program);
    default:
        if (strstr(complaint, "ncorrect password") != NULL || strstr(complaint, "ncrypt") != NULL)
            return document_fail(d, "it is encrypted: a password is needed to read it");
        return document_fail(d, end->status == 3 ? "its author does not allow to copy text from it"
                                                 : "it is no PDF, or damaged");
    }
}

/* Whether a line goes on in the next: it is long, and ends within a sentence or a word. */
static bool ends_paragraph(const char *text, size_t at, size_t line)
{
    char last = at > 0 ? text[at - 1] : '\n';
    return at - line < 40 || strchr(".!?:", last) != NULL;
}

/* Lines of a page as paragraphs: words that are parted by a hyphen are joined. */
static void take_pages(struct document *d, const struct buf *text)
{
    const char *p = text->data;
    size_t line = 0;
    for (size_t i = 0; i < text->len; i++) {
        unsigned char c = (unsigned char)p[i];
        if (c == '\f') {
            buf_puts(&d->content, "\n\n");
            line = i + 1;
        } else if (c != '\n') {
            buf_append(&d->content, p + i, 1);
        } else {
            bool in_word = i >= 2 && p[i - 1] == '-' && i + 1 < text->len && p[i + 1] >= 'a' &&
                           p[i + 1] <= 'z' && p[i - 2] >= 'a' && p[i - 2] <= 'z';
            if (in_word && !d->content.failed)
                d->content.data[--d->content.len] = '\0';
            else
                buf_putc(&d->content,
                         ends_paragraph(p, i, line) || i + 1 == text->len || p[i + 1] == '\n'
                             ? '\n'
                             : ' ');
            line = i + 1;
        }
    }
}

bool document_read_pdf(struct document *d, const char *data, size_t len, struct job *job)
{
    static char name[] = "pdftotext", option[] = "-enc", encoding[] = "UTF-8",
                input[] = "/dev/stdin", output[] = "-";
    static char *const arguments[] = {name, option, encoding, input, output, NULL};
    const char *program = job->config->pdftotext;
    const struct child child = {.program = program,
                                .arguments = arguments,
                                .memory_bytes = MEMORY_BYTES,
                                .cpu_s = CPU_S,
                                .wall_s = WALL_S,
                                .goes_on = job_wants_it,
                                .arg = job};
    struct child_end end;
    struct buf text;
    struct document raw;
    buf_init(&text, DOCUMENT_CONTENT_MAX);
    bool good = judge(d, program, child_run(&child, data, len, &text, &end), &end);
    if (good) {
        document_init(&raw);
        take_pages(&raw, &text);
        good = raw.content.len > 0
                   ? document_read_text(d, raw.content.data, raw.content.len, DOCUMENT_TEXT)
                   : document_fail(d, "there is no text in it; is it scanned?");
        document_release(&raw);
    }
    buf_release(&text);
    return good;
}
