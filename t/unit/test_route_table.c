/* Which route a request is for, and what is said where it is none. */
#include "common/route_table.h"
#include "unit.h"

#include <string.h>

#define ID "0190B0A0-0000-7000-8000-00000000000a"

static const struct {
    struct route_key key;
    int more; /* programs have members of their own */
} routes[] = {
    {{"GET", "/things"}, 1},           {{"PUT", "/things"}, 2},
    {{"POST", "/things/{name}"}, 3},   {{"GET", "/things/{id}"}, 4},
    {{"POST", "/things/{id}/do"}, 5},  {{"GET", "/models/{+name}"}, 6},
    {{"GET", "/models/{+name}/x"}, 7},
};
#define COUNT (sizeof routes / sizeof routes[0])
static const struct route_table table = {routes, COUNT, sizeof routes[0]};

static struct route_match found(const char *method, const char *path)
{
    struct route_match match;
    struct request r = {.method = method, .path = path};
    route_find(&table, &r, &match);
    return match;
}

static void assert_found(const char *method, const char *path, size_t index, const char *variable)
{
    struct route_match match = found(method, path);
    assert_int_equal(match.index, index);
    if (variable == NULL) {
        assert_null(match.variable);
        return;
    }
    assert_int_equal(match.variable_len, strlen(variable));
    assert_memory_equal(match.variable, variable, match.variable_len);
}

static void test_paths(void **state)
{
    (void)state;
    assert_found("GET", "/things", 0, NULL);
    assert_found("HEAD", "/things", 0, NULL);
    assert_found("PUT", "/things", 1, NULL);
    assert_found("POST", "/things/a%20b", 2, "a%20b");
    assert_found("POST", "/things/" ID "/do", 4, ID);
    assert_found("GET", "/models/openai/gpt-4.1", 5, "openai/gpt-4.1");
    assert_found("GET", "/models/x", 5, "x");
    static const char *const none[] = {"",         "/",           "/thing",      "/things/",
                                       "/things/", "/things//do", "/things/a/b", "/models/"};
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
        assert_int_equal(found("GET", none[i]).index, COUNT);
}

static void test_ids(void **state)
{
    (void)state;
    struct route_match match = found("GET", "/things/" ID);
    assert_int_equal(match.index, 3);
    assert_false(match.is_bad_id);
    assert_string_equal(match.id, "0190b0a0-0000-7000-8000-00000000000a");
    struct api_error error;
    static const char *const bad[] = {"/things/1", "/things/" ID "0",
                                      "/things/x-0190b0a0-0000-7000-8000-00000000000a"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        match = found("GET", bad[i]);
        assert_int_equal(match.index, 3);
        assert_true(match.is_bad_id);
        assert_string_equal(match.id, "");
        assert_false(route_bad_id(&match, &error));
        assert_int_equal(error.status, 400);
        assert_string_equal(error.code, "invalid_id");
    }
}

static void test_unknown(void **state)
{
    (void)state;
    struct api_error error;
    char room[ROUTE_ALLOWED + 16];
    struct route_match match = found("DELETE", "/things");
    struct request r = {.method = "DELETE", .path = "/things"};
    assert_int_equal(match.index, COUNT);
    assert_string_equal(match.allowed, "GET, PUT");
    assert_string_equal(route_unknown(&r, &match, NULL, &error, room), "Allow: GET, PUT\r\n");
    assert_int_equal(error.status, 405);
    match = found("GET", "/nothing");
    r = (struct request){.method = "GET", .path = "/nothing"};
    assert_null(route_unknown(&r, &match, "use /things", &error, room));
    assert_int_equal(error.status, 404);
    assert_string_equal(error.code, "unknown_url");
    assert_string_equal(error.message, "there is no GET /nothing here; use /things");
}

static const struct CMUnitTest route_table_tests[] = {
    cmocka_unit_test(test_paths),
    cmocka_unit_test(test_ids),
    cmocka_unit_test(test_unknown),
};
UNIT_MAIN(route_table_tests)
