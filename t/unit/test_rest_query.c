/* PostgREST's query strings and headers, as they are told to Postgres. */
#include "chat/routes/rest_query.h"
#include "common/buf.h"
#include "common/json.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define USER "00000000-0000-4000-8000-00000000000a"

static struct api_error error;

static bool read_with(struct rest_query *q, const char *method, const char *query,
                      const char *const *headers)
{
    struct request r = {.method = method, .query = query, .fcgi = {.envp = (char **)headers}};
    return rest_query_read(q, &r, &error);
}

static bool read_query(struct rest_query *q, const char *query)
{
    static const char *const none[] = {NULL};
    return read_with(q, "GET", query, none);
}

static void assert_told(const char *query, const char *json)
{
    struct rest_query q;
    struct json_error wrong;
    if (!read_query(&q, query))
        fail_msg("%s: %s", query, error.message);
    if (strcmp(q.json.data, json) != 0)
        fail_msg("%s\nis told as  %s\ninstead of %s", query, q.json.data, json);
    cJSON *parsed = json_parse(q.json.data, q.json.len, &wrong);
    assert_non_null(parsed);
    cJSON_Delete(parsed);
    rest_query_release(&q);
}

static void assert_refused(const char *query, const char *code)
{
    struct rest_query q;
    if (read_query(&q, query))
        fail_msg("%s is taken: %s", query, q.json.data);
    assert_string_equal(error.code, code);
}

static void filters(void **state)
{
    (void)state;
    assert_told("", "{\"where\":[],\"offset\":0}");
    assert_told("rating=eq.5&select=*&order=",
                "{\"where\":[{\"column\":\"rating\",\"op\":\"eq\",\"value\":\"5\"}],\"offset\":0}");
    assert_told("rating=not.is.null",
                "{\"where\":[{\"column\":\"rating\",\"op\":\"is\",\"not\":true,"
                "\"value\":\"null\"}],\"offset\":0}");
    assert_told("a=eq.not.b,c)\"&%22b%20c%22=eq.",
                "{\"where\":[{\"column\":\"a\",\"op\":\"eq\",\"value\":\"not.b,c)\\\"\"},"
                "{\"column\":\"b c\",\"op\":\"eq\",\"value\":\"\"}],\"offset\":0}");
    assert_told("a=like(any).{x*,y}",
                "{\"where\":[{\"column\":\"a\",\"op\":\"like\",\"any\":\"any\","
                "\"value\":\"{x*,y}\"}],\"offset\":0}");
    assert_told("a=in.(1,\"b,\\\"c\\\\\",)",
                "{\"where\":[{\"column\":\"a\",\"op\":\"in\",\"values\":"
                "[\"1\",\"b,\\\"c\\\\\",\"\"]}],\"offset\":0}");
    assert_told("a=in.()", "{\"where\":[{\"column\":\"a\",\"op\":\"in\",\"values\":[]}],"
                           "\"offset\":0}");
}

static void trees(void **state)
{
    (void)state;
    assert_told("or=(a.eq.1,b.is.null)",
                "{\"where\":[{\"or\":[{\"column\":\"a\",\"op\":\"eq\",\"value\":\"1\"},"
                "{\"column\":\"b\",\"op\":\"is\",\"value\":\"null\"}]}],\"offset\":0}");
    assert_told(
        "not.and=(a.not.in.(1,2),or(b.eq.\"x),y\",c.eq(all).{1,2}))",
        "{\"where\":[{\"not\":true,\"and\":[{\"column\":\"a\",\"op\":\"in\",\"not\":true,"
        "\"values\":[\"1\",\"2\"]},{\"or\":[{\"column\":\"b\",\"op\":\"eq\",\"value\":"
        "\"x),y\"},{\"column\":\"c\",\"op\":\"eq\",\"any\":\"all\",\"value\":\"{1,2}\"}]}]}],"
        "\"offset\":0}");
    /* A column may begin as such a word does. */
    assert_told(
        "order_id=eq.1&or=(orders.eq.1,android.eq.2)",
        "{\"where\":[{\"column\":\"order_id\",\"op\":\"eq\",\"value\":\"1\"},{\"or\":["
        "{\"column\":\"orders\",\"op\":\"eq\",\"value\":\"1\"},{\"column\":\"android\",\"op\":"
        "\"eq\",\"value\":\"2\"}]}],\"offset\":0}");
}

static void columns(void **state)
{
    (void)state;
    assert_told(
        "select=id,stars:rating::text,\"a b\"&order=rating.desc.nullslast,id",
        "{\"where\":[],\"select\":[{\"column\":\"id\"},{\"column\":\"rating\",\"as\":"
        "\"stars\",\"cast\":\"text\"},{\"column\":\"a b\"}],\"order\":[{\"column\":\"rating\","
        "\"desc\":true,\"nulls\":\"last\"},{\"column\":\"id\"}],\"offset\":0}");
    assert_told("order=a.asc.nullsfirst,b.nullslast",
                "{\"where\":[],\"order\":[{\"column\":\"a\",\"nulls\":\"first\"},{\"column\":\"b\","
                "\"nulls\":\"last\"}],\"offset\":0}");
    assert_told("limit=3&offset=4", "{\"where\":[],\"limit\":3,\"offset\":4}");
}

static void what_cannot_be_read(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "a=1",           "a=eq",       "a=eq1",          "a=EQ.1",          "a=not.",
        "a=in.1",        "a=in.(1",    "a=in.(\"1)",     "a=in.(1)x",       "a=in(any).(1)",
        "=eq.1",         "or=",        "or=a.eq.1",      "or=()",           "or=(a.eq.1",
        "or=(a.eq.1)x",  "or=(a)",     "or=(a.eq.1,)",   "or=(.eq.1)",      "or=(a.eq.{1)",
        "or=(\"a.eq.1)", "select=a,",  "select=,a",      "select=a::evil",  "select=:a",
        "select=a b",    "select=\"a", "order=a.",       "order=a.desc.up", "order=,",
        "limit=x",       "offset=1e3", "limit=",         "offset= 1",       "limit=9999999999",
        "a=match.^x",    "a=fts.x",    "a=eq(some).{1}", "a=%zz",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_refused(wrong[i], "PGRST100");
    assert_refused("select=other(*)", "PGRST200");
    assert_refused("select=o:other!inner(*)", "PGRST200");
    assert_refused("limit=-1", "PGRST103");
    assert_int_equal(error.status, 416);
    assert_true(strlen(error.param) > 0); /* its details */
}

static void how_much_there_may_be(void **state)
{
    (void)state;
    struct rest_query q;
    struct buf text, deeper;
    buf_init(&text, 65536);
    buf_init(&deeper, 65536);
    buf_puts(&text, "or=");
    for (int i = 0; i < REST_DEPTH_MAX; i++)
        buf_puts(&text, i > 0 ? "and(" : "(");
    buf_puts(&text, "a.eq.1");
    for (int i = 0; i < REST_DEPTH_MAX; i++)
        buf_putc(&text, ')');
    assert_false(text.failed);
    assert_true(read_query(&q, text.data));
    rest_query_release(&q);
    assert_true(buf_printf(&deeper, "or=(and%s)", text.data + strlen("or=")));
    assert_refused(deeper.data, "PGRST100");

    buf_clear(&text);
    buf_puts(&text, "a=in.(1");
    for (int i = 2; i < REST_CONDITIONS_MAX; i++)
        buf_puts(&text, ",1");
    assert_true(buf_putc(&text, ')'));
    assert_true(read_query(&q, text.data));
    rest_query_release(&q);
    assert_true(buf_puts(&text, "&b=eq.1"));
    assert_refused(text.data, "PGRST100");
    buf_release(&text);
    buf_release(&deeper);
}

static void headers(void **state)
{
    (void)state;
    struct rest_query q;
    struct buf out;
    const char *const all[] = {"HTTP_PREFER=return=representation, count=exact",
                               "HTTP_ACCEPT=application/vnd.pgrst.object+json;nulls=stripped",
                               "HTTP_RANGE=2-4", NULL};
    assert_true(read_with(&q, "GET", "offset=1&limit=9", all));
    assert_string_equal(q.json.data, "{\"where\":[],\"limit\":3,\"offset\":2,\"count\":\"exact\","
                                     "\"one\":true,\"strip\":true,\"representation\":true}");
    buf_init(&out, 1000);
    rest_query_applied(&q, &out);
    assert_string_equal(out.data, "Preference-Applied: return=representation, count=exact\r\n");
    buf_release(&out);
    rest_query_release(&q);
    const char *const strict[] = {"HTTP_PREFER=handling=strict, max-affected=7",
                                  "HTTP_ACCEPT=application/json", NULL};
    assert_true(read_with(&q, "PATCH", "id=eq.1", strict));
    assert_int_equal(q.most, 7);
    assert_false(q.one || q.strip || q.representation);
    rest_query_release(&q);
    assert_false(read_with(&q, "PATCH", "id=eq.1&limit=1", strict));
    const char *const csv[] = {"HTTP_ACCEPT=text/csv", NULL};
    assert_false(read_with(&q, "GET", "", csv));
    assert_int_equal(error.status, 406);
    assert_string_equal(error.code, "PGRST107");
    const char *const backwards[] = {"HTTP_RANGE=4-2", NULL};
    assert_false(read_with(&q, "GET", "", backwards));
    assert_string_equal(error.code, "PGRST103");
}

static void the_one_id(void **state)
{
    (void)state;
    static const struct {
        const char *query, *id;
    } cases[] = {{"id=eq.7", "7"},
                 {"id=eq.7&user_id=eq." USER "&select=a&order=b&columns=c", "7"},
                 {"id=eq.7&user_id=eq.x", NULL},
                 {"id=eq.7&rating=is.null", NULL},
                 {"id=in.(7)", NULL},
                 {"id=eq.7&id=eq.8", NULL},
                 {"id=not.eq.7", NULL},
                 {"user_id=eq." USER, NULL},
                 {"or=(id.eq.7)", NULL}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct rest_query q;
        assert_true(read_query(&q, cases[i].query));
        const char *id = rest_query_only_id(&q, USER);
        if (cases[i].id == NULL)
            assert_null(id);
        else
            assert_string_equal(id, cases[i].id);
        rest_query_release(&q);
    }
}

static const struct CMUnitTest rest_query_tests[] = {
    cmocka_unit_test(filters),
    cmocka_unit_test(trees),
    cmocka_unit_test(columns),
    cmocka_unit_test(what_cannot_be_read),
    cmocka_unit_test(how_much_there_may_be),
    cmocka_unit_test(headers),
    cmocka_unit_test(the_one_id),
};
UNIT_MAIN(rest_query_tests)
