/* Parts of forms: found where they lie, and nothing where a form is not well formed. */
#include "common/multipart.h"
#include "unit.h"

#include <string.h>

#define PART(name, more, content)                                                                  \
    "--b\r\nContent-Disposition: form-data; name=\"" name "\"" more "\r\n\r\n" content "\r\n"
#define FORM "multipart/form-data; boundary=b"

static const struct {
    const char *type, *body;
    const char *content; /* of the part photo; NULL: there is none */
    const char *filename;
} cases[] = {
    {FORM, PART("photo", "", "abc") "--b--\r\n", "abc", ""},
    {FORM, PART("other", "", "x") PART("photo", "", "abc") "--b--", "abc", ""},
    {FORM, PART("photo", "", "first") PART("photo", "", "second") "--b--", "first", ""},
    {"MULTIPART/Form-Data; charset=x; boundary=\"b\"", PART("photo", "", "abc") "--b--", "abc", ""},
    {FORM, "preamble\r\n" PART("photo", "", "abc") "--b--", "abc", ""},
    {FORM, PART("photo", "", "") "--b--", "", ""},
    {FORM, PART("photo", "", "a--b--\r\n--bc\r\n") "--b--", "a--b--\r\n--bc\r\n", ""},
    {FORM, PART("photo", "; filename=\"meal.jpg\"", "abc") "--b--", "abc", "meal.jpg"},
    {FORM, PART("photo", "; filename=\"../../etc/passwd\"", "abc") "--b--", "abc", "passwd"},
    {FORM, PART("photo", "; filename=\"/\"", "abc") "--b--", "abc", ""},
    {FORM, PART("photo", "; filename=\"\xff\"", "abc") "--b--", "abc", ""},
    {FORM, PART("photo", "\r\nContent-Type: image/png", "abc") "--b--", "abc", ""},
    {FORM, PART("photos", "", "abc") "--b--", NULL, NULL},
    {FORM, PART("photo", "", "abc"), NULL, NULL},
    {FORM, PART("photo", "", "abc") "--b", NULL, NULL},
    {FORM, "--b\r\nContent-Disposition: form-data; name=\"photo\"\r\n", NULL, NULL},
    {FORM, "--b--", NULL, NULL},
    {FORM, "--b", NULL, NULL},
    {FORM, "", NULL, NULL},
    {FORM, "x", NULL, NULL},
    {"multipart/form-data", PART("photo", "", "abc") "--b--", NULL, NULL},
    {"multipart/form-data; boundary=", PART("photo", "", "abc") "--b--", NULL, NULL},
    {"application/json; boundary=b", PART("photo", "", "abc") "--b--", NULL, NULL},
    {NULL, PART("photo", "", "abc") "--b--", NULL, NULL},
};

static void finds_parts(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct part part;
        const struct span body = {cases[i].body, strlen(cases[i].body)};
        bool found = multipart_find(cases[i].type, body, "photo", &part);
        if (found != (cases[i].content != NULL))
            fail_msg("case %zu: %s", i, found ? "found" : "not found");
        if (!found)
            continue;
        assert_int_equal(part.len, strlen(cases[i].content));
        assert_memory_equal(part.bytes, cases[i].content, part.len);
        assert_string_equal(part.filename, cases[i].filename);
    }
}

static void long_boundaries(void **state)
{
    char type[200] = "multipart/form-data; boundary=";
    const struct span body = {"--b--", 5};
    struct part part;
    (void)state;
    memset(type + strlen(type), 'x', 71);
    assert_false(multipart_find(type, body, "photo", &part));
}

static const struct CMUnitTest multipart_tests[] = {
    cmocka_unit_test(finds_parts),
    cmocka_unit_test(long_boundaries),
};

UNIT_MAIN(multipart_tests)
