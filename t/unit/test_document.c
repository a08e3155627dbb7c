/* What files, pages and admins' texts become as documents. */
#include "batch/knowledge/document.h"
#include "common/json.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct reading {
    enum document_format format;
    const char *data;
    size_t len; /* 0: up to NUL */
    const char *content, *title;
    const char *wrong; /* part of the reason, or NULL */
};

#define BYTES(text) text, sizeof text - 1
#define TEXT(text) text, 0

static const struct reading readings[] = {
    {DOCUMENT_TEXT, TEXT("one\r\ntwo\rthree\n\n"), "one\ntwo\nthree", "", NULL},
    {DOCUMENT_TEXT,
     TEXT("\xef\xbb\xbf"
          "caf\xc3\xa9 \xf0\x9f\x98\x80"),
     "caf\xc3\xa9 \xf0\x9f\x98\x80", "", NULL},
    {DOCUMENT_TEXT,
     TEXT("a\f\x01"
          "b\x7f"),
     "a\n\nb", "", NULL},
    /* Windows-1252, and UTF-8 with a bad byte. */
    {DOCUMENT_TEXT, TEXT("caf\xe9 \x93so\x94 \x80"),
     "caf\xc3\xa9 \xe2\x80\x9cso\xe2\x80\x9d \xe2\x82\xac", "", NULL},
    {DOCUMENT_TEXT, TEXT("\xc3\xa9\xc3\xa9\xff"), "\xc3\xa9\xc3\xa9\xef\xbf\xbd", "", NULL},
    {DOCUMENT_TEXT,
     BYTES("\xff\xfe"
           "h\0i\0\x3d\xd8\x00\xde"),
     "hi\xf0\x9f\x98\x80", "", NULL},
    {DOCUMENT_TEXT, BYTES("\xfe\xff\0h\0i\xd8\x3d"), "hi\xef\xbf\xbd", "", NULL},
    {DOCUMENT_TEXT, BYTES("a\0b"), NULL, NULL, "NUL bytes"},
    {DOCUMENT_TEXT, BYTES("\xff\xfe\0\0"), NULL, NULL, "NUL characters"},
    {DOCUMENT_TEXT, TEXT(""), NULL, NULL, "no text"},
    {DOCUMENT_TEXT, TEXT(" \n\t\n"), NULL, NULL, "no text"},
    {DOCUMENT_TEXT, TEXT("# no title\nof text"), "# no title\nof text", "", NULL},

    {DOCUMENT_MARKDOWN, TEXT("# Naps #\n\nShort."), "# Naps #\n\nShort.", "Naps", NULL},
    {DOCUMENT_MARKDOWN, TEXT("---\ntitle: \"On naps\"\ntags: x\n---\n# Naps\nShort."),
     "# Naps\nShort.", "On naps", NULL},
    {DOCUMENT_MARKDOWN, TEXT("---\nnever ends"), "---\nnever ends", "", NULL},
    {DOCUMENT_MARKDOWN, TEXT("---\ntitle: x\n---"), NULL, NULL, "no text"},

    {DOCUMENT_HTML,
     TEXT("<title> A &amp;\n B </title><h1>Sleep</h1><p>Go to  bed\n<b>early</b>.<p>Rise."),
     "# Sleep\n\nGo to bed early.\n\nRise.", "A & B", NULL},
    {DOCUMENT_HTML,
     TEXT(
         "<nav>Home</nav><script>alert(1)</script><style>p{}</style><p>Text</p><footer>(c)</footer>"
         "<div hidden>no</div><div role=navigation>no</div><select><option>no</select>"
         "<noscript>no</noscript><svg><text>no</text></svg><!-- no -->"),
     "Text", "", NULL},
    {DOCUMENT_HTML, TEXT("<ul><li>one<li><p>two</p><ol><li>a<li>b</ol></ul><p>end"),
     "- one\n- two\n  1. a\n  2. b\n\nend", "", NULL},
    {DOCUMENT_HTML, TEXT("<ul><li><li>two</ul>"), "- \n- two", "", NULL},
    {DOCUMENT_HTML,
     TEXT("<table><tr><th>Food<th>g</tr><tr><td>Oats<p>raw</p></td><td>1|3</td></tr></table>after"),
     "| Food | g |\n| --- | --- |\n| Oats raw | 1\\|3 |\n\nafter", "", NULL},
    {DOCUMENT_HTML, TEXT("<p>x<pre>if (a)\n    b;\n</pre>y"), "x\n\n```\nif (a)\n    b;\n```\n\ny",
     "", NULL},
    {DOCUMENT_HTML, TEXT("<p># not a heading<br>second line"), "\\# not a heading\nsecond line", "",
     NULL},
    {DOCUMENT_HTML, TEXT("<h2> </h2><p>x<h3>A<br>B</h3>y"), "x\n\n### A B\n\ny", "", NULL},
    {DOCUMENT_HTML, TEXT("<body hidden><p>&eacute;&#128512;&nbsp;&nbsp;x &lt;b&gt;"),
     "\xc3\xa9\xf0\x9f\x98\x80 x <b>", "", NULL},
    {DOCUMENT_HTML, TEXT("<meta charset=iso-8859-1><p>caf\xe9"), "caf\xc3\xa9", "", NULL},
    /* What it is counts for more than what it says. */
    {DOCUMENT_HTML, TEXT("<meta charset=iso-8859-1><p>caf\xc3\xa9"), "caf\xc3\xa9", "", NULL},
    {DOCUMENT_HTML, TEXT("<p>\xd8\xb3\xd9\x84\xd8\xa7\xd9\x85"), "\xd8\xb3\xd9\x84\xd8\xa7\xd9\x85",
     "", NULL},
    {DOCUMENT_HTML, BYTES("<p>a\0b</p><p>c"), "a", "", NULL},
    {DOCUMENT_HTML, TEXT("just words"), "just words", "", NULL},
    {DOCUMENT_HTML, TEXT("<p>"), NULL, NULL, "no text"},
    {DOCUMENT_HTML, TEXT("<script>x"), NULL, NULL, "no text"},
    {DOCUMENT_HTML, TEXT("</p></div></main></table></pre></ul>x</h1>y"), "x", "", NULL},
};

static void read_one(const struct reading *r)
{
    struct document d;
    size_t len = r->len > 0 ? r->len : strlen(r->data);
    document_init(&d);
    bool good = r->format == DOCUMENT_HTML ? document_read_html(&d, r->data, len)
                                           : document_read_text(&d, r->data, len, r->format);
    if (good != (r->wrong == NULL) ||
        (good && r->content[0] != '\0' && strstr(d.content.data, r->content) == NULL))
        print_message("# %s\n# became: %s\n# %s\n", r->data, good ? d.content.data : "", d.reason);
    assert_int_equal(good, r->wrong == NULL);
    if (good && strstr(r->data, "a\0") == NULL) {
        assert_string_equal(d.content.data, r->content);
        assert_string_equal(d.title, r->title);
        assert_int_equal(strlen(d.content.data), d.content.len);
    }
    if (!good)
        assert_non_null(strstr(d.reason, r->wrong));
    document_release(&d);
}

static void reads(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof readings / sizeof readings[0]; i++)
        read_one(&readings[i]);
}

/* count times a text; the caller's. */
static char *repeated(const char *text, size_t count)
{
    size_t n = strlen(text);
    char *out = malloc(count * n + 1);
    assert_non_null(out);
    for (size_t i = 0; i < count; i++)
        memcpy(out + i * n, text, n);
    out[count * n] = '\0';
    return out;
}

#define LONG                                                                                       \
    "A line of one hundred bytes, so that five million of them are soon there, for the limit "     \
    "here. "                                                                                       \
    "More.\n"

static void limits(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t count;
        enum document_format format;
        const char *wrong;
    } large[] = {
        {"<div>", 10000, DOCUMENT_HTML, "too many levels"},
        {"<p>" LONG, 50000, DOCUMENT_HTML, "bytes of text"},
        {"<b></b>", 20000, DOCUMENT_HTML, "no text"},
        {LONG, 50001, DOCUMENT_TEXT, "bytes of text"},
        {"<p>&amp;&amp;<table><tr><td>", 400, DOCUMENT_HTML, NULL},
    };
    for (size_t i = 0; i < sizeof large / sizeof large[0]; i++) {
        struct document d;
        char *text = repeated(large[i].text, large[i].count);
        document_init(&d);
        bool good = large[i].format == DOCUMENT_HTML
                        ? document_read_html(&d, text, strlen(text))
                        : document_read_text(&d, text, strlen(text), large[i].format);
        assert_int_equal(good, large[i].wrong == NULL);
        if (!good)
            assert_non_null(strstr(d.reason, large[i].wrong));
        document_release(&d);
        free(text);
    }
}

static void main_part(void **state)
{
    (void)state;
    struct document d;
    static const char page[] =
        "<body><div class=menu>Menu Menu Menu</div><main><h1>Sleep</h1><p>One two three four five "
        "six "
        "seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen."
        "</main><div>More of the site</div>";
    document_init(&d);
    assert_true(document_read_html(&d, page, strlen(page)));
    assert_null(strstr(d.content.data, "Menu"));
    assert_null(strstr(d.content.data, "site"));
    assert_memory_equal(d.content.data, "# Sleep\n", 8);
    document_release(&d);
}

static void formats(void **state)
{
    (void)state;
    assert_int_equal(document_format_of_name("a/B.MD"), DOCUMENT_MARKDOWN);
    assert_int_equal(document_format_of_name("b.pdf"), DOCUMENT_PDF);
    assert_int_equal(document_format_of_name("pdf"), DOCUMENT_UNKNOWN);
    assert_int_equal(document_format_of_name("x.md.exe"), DOCUMENT_UNKNOWN);
    assert_int_equal(document_format_of_type("TEXT/html; charset=x"), DOCUMENT_HTML);
    assert_int_equal(document_format_of_type("text/htmlx"), DOCUMENT_UNKNOWN);
    assert_int_equal(document_format_of_word("html"), DOCUMENT_HTML);
    assert_int_equal(document_format_of_word("exe"), DOCUMENT_UNKNOWN);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads),
        cmocka_unit_test(limits),
        cmocka_unit_test(main_part),
        cmocka_unit_test(formats),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
