/* Each allocation of the common modules fails in turn: they must say so, leak nothing and go on. */
#include "common/buf.h"
#include "common/json.h"
#include "common/query.h"
#include "common/sse.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Linked with --wrap for these, so that all calls of our own code come here. */
void *__real_malloc(size_t size);
void *__real_realloc(void *memory, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_realloc(void *memory, size_t size);

static int left = -1; /* allocations until one fails; -1: none does */

static bool fails(void)
{
    return left >= 0 && left-- == 0;
}

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_realloc(void *memory, size_t size)
{
    return fails() ? NULL : __real_realloc(memory, size);
}

/* cJSON is a shared library of its own: it gets the same malloc by its hooks. */
static int hook_cjson(void **state)
{
    (void)state;
    cJSON_Hooks hooks = {.malloc_fn = __wrap_malloc, .free_fn = free};
    cJSON_InitHooks(&hooks);
    return 0;
}

/* Calls work with the 1st, 2nd, ... allocation failing, until it gets by without a failure. */
static int count_failures(bool (*work)(void))
{
    int n = 0;
    for (;; n++) {
        left = n;
        bool ok = work();
        bool failed = left < 0;
        left = -1;
        if (!failed) {
            assert_true(ok);
            return n;
        }
        assert_false(ok);
        assert_true(n < 1000);
    }
}

static bool build_text(void)
{
    struct buf b;
    buf_init(&b, 1 << 20);
    for (int i = 0; i < 100; i++) {
        buf_printf(&b, "%d:", i);
        buf_json_string(&b, "a \"quoted\" text", 15);
    }
    bool failed = b.failed;
    char *text = buf_steal(&b);
    assert_true((text == NULL) == failed);
    assert_null(b.data);
    free(text);
    return !failed;
}

static bool read_json(void)
{
    /* More keys than need no allocation, one of them with an escape. */
    char text[2048] = "{\"\\u0061\":[1,{\"b\":\"text\"},null]";
    size_t len = strlen(text);
    for (int i = 0; i < 60; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, ",\"k%d\":%d", i, i);
    text[len++] = '}';
    struct json_error error;
    cJSON *tree = json_parse(text, len, &error);
    assert_true((tree == NULL) == (error.message[0] != '\0'));
    if (tree == NULL)
        assert_non_null(strstr(error.message, "out of memory"));
    cJSON_Delete(tree);
    return tree != NULL;
}

static bool read_query(void)
{
    struct query q;
    if (!query_parse(&q, "a=1&b=%20"))
        return false;
    query_release(&q);
    return true;
}

static bool ignore(void *arg, const char *event, const char *data, size_t len)
{
    (void)arg, (void)event, (void)data, (void)len;
    return true;
}

static bool read_events(void)
{
    static const char head[] = "data: the first half, ", tail[] = "the second\n\n";
    struct sse_parser p;
    sse_init(&p, 10000);
    bool ok = sse_feed(&p, head, sizeof head - 1, ignore, NULL) &&
              sse_feed(&p, tail, sizeof tail - 1, ignore, NULL) && sse_end(&p, ignore, NULL);
    sse_release(&p);
    return ok;
}

static void buffers_fail(void **state)
{
    (void)state;
    assert_true(count_failures(build_text) >= 4);
}

static void json_fails(void **state)
{
    (void)state;
    assert_true(count_failures(read_json) >= 10);
}

static void queries_fail(void **state)
{
    (void)state;
    assert_int_equal(count_failures(read_query), 1);
}

static void events_fail(void **state)
{
    (void)state;
    assert_int_equal(count_failures(read_events), 2);
}

static const struct CMUnitTest no_memory_tests[] = {
    cmocka_unit_test(buffers_fail),
    cmocka_unit_test_setup(json_fails, hook_cjson),
    cmocka_unit_test(queries_fail),
    cmocka_unit_test(events_fail),
};
UNIT_MAIN(no_memory_tests)
