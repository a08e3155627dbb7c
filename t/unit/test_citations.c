/* Which sources an answer names, and what clients are told of them. */
#include "chat/protocol/citations.h"
#include "chat/protocol/native.h"
#include "chat/protocol/openai.h"
#include "common/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ONE                                                                                        \
    "{\"number\": 1, \"source_id\": \"00000000-0000-7000-8000-000000000001\", \"part\": 0, "       \
    "\"title\": \"Sleep\", \"url\": \"https://example.org/sleep\"}"
#define TWO                                                                                        \
    "{\"number\": 2, \"source_id\": \"00000000-0000-7000-8000-000000000002\", \"part\": 3, "       \
    "\"title\": \"The \\\"FAQ\\\"\", \"url\": null}"
#define THREE                                                                                      \
    "{\"number\": 3, \"source_id\": \"00000000-0000-7000-8000-000000000003\", \"part\": 0, "       \
    "\"title\": \"Walks\", \"url\": \"https://example.org/walks\"}"
#define TRACE(list) "{\"memory_ids\": [], \"citations\": " list ", \"source_ids\": [\"x\"]}"
#define ALL TRACE("[" ONE ", " TWO ", " THREE "]")

static struct chat *chat_with(const char *text, const char *trace)
{
    struct chat *c = chat_new(NULL);
    assert_non_null(c);
    memcpy(c->id_text, "00000000-0000-7000-8000-00000000000a", 37);
    memcpy(c->conversation_text, "00000000-0000-7000-8000-0000000000c1", 37);
    memcpy(c->finish_reason, "stop", 5);
    c->model = strdup("a-model-1");
    c->trace = trace != NULL ? strdup(trace) : NULL;
    assert_true(buf_puts(&c->text, text));
    return c;
}

/* The numbers in a text, as "1 2+3 ". */
static const char *marks(const char *text)
{
    static char out[256];
    struct citation_scan s = {.text = text, .len = strlen(text)};
    struct citation_mark mark;
    size_t len = 0;
    *out = '\0';
    while (citation_next(&s, &mark))
        for (int i = 0; i < mark.count; i++)
            len += (size_t)snprintf(out + len, sizeof out - len, "%d%s", mark.numbers[i],
                                    i + 1 < mark.count ? "+" : " ");
    return out;
}

static void finds_marks(void **state)
{
    (void)state;
    assert_string_equal(marks("Rest well [1], and walk [2, 3].[12]"), "1 2+3 12 ");
    assert_string_equal(marks("[1][2] word[3] [[1]] [1]"), "1 2 3 1 1 ");
    assert_string_equal(marks("[1]: Sleep\n> [2] quoted\n- [3] listed"), "1 2 3 ");
    assert_string_equal(marks("\xe2\x80\x9c[1]\xe2\x80\x9d"), "1 ");
}

static void leaves_others_alone(void **state)
{
    (void)state;
    assert_string_equal(marks(""), "");
    assert_string_equal(marks("[0] [] [x] [1 [1, [1,] [1,2 [-1] [123] [1;2] [1.5] [ 1 ] [^1]"), "");
    assert_string_equal(marks("[1](https://example.org) \\[1] [1, 2](x)"), "");
    assert_string_equal(marks("[1,2,3,4,5,6,7,8,9]"), "");
    assert_string_equal(marks("["), "");
    assert_string_equal(marks("\\"), "");
    assert_string_equal(marks("[1"), "");
}

static void leaves_code_alone(void **state)
{
    (void)state;
    assert_string_equal(marks("`a[1]` [2]"), "2 ");
    assert_string_equal(marks("``a[1]` [2]`` [3]"), "3 ");
    assert_string_equal(marks("`not closed [1]"), "1 ");
    assert_string_equal(marks("`not closed [1]\n\nnor here` [2]"), "1 2 ");
    assert_string_equal(marks("```c\na[1]\n```\n[2]"), "2 ");
    assert_string_equal(marks("~~~\na[1]\n```\nb[1]\n~~~~\n[2]"), "2 ");
    assert_string_equal(marks("````\n```\na[1]\n````\n[2]"), "2 ");
    assert_string_equal(marks("   ```\n   a[1]\n   ```\n[2]"), "2 ");
    assert_string_equal(marks("> ```\n> a[1]\n> ```\n[2]"), "2 ");
    assert_string_equal(marks("```\nnever closed [1]\n[2]"), "");
    assert_string_equal(marks("``` a ``` [1]"), "1 ");
    assert_string_equal(marks("x ````````` [1]"), "1 ");
}

static void leaves_code_in_lists_alone(void **state)
{
    (void)state;
    assert_string_equal(marks("- ```\n  a[1]\n  ```\n[2]"), "2 ");
    assert_string_equal(marks("* ~~~\n  a[1]\n  ~~~\n+ ```c\n  b[1]\n  ```\n[2]"), "2 ");
    assert_string_equal(marks("1. ```\n   a[1]\n   ```\n12) ```\n    b[1]\n    ```\n[2]"), "2 ");
    assert_string_equal(marks("> - 1. ```\n> a[1]\n> ```\n[2]"), "2 ");
    assert_string_equal(marks("-```\na``` [1]"), "1 ");             /* no item without a blank */
    assert_string_equal(marks("1234567890. ```\na``` [1]"), "1 ");  /* nor with so many digits */
    assert_string_equal(marks("```\n- ```\na[1]\n```\n[2]"), "2 "); /* a list in code is none */
    assert_string_equal(marks("a ``` b\n```\nc[1]\n```\n[2]"), "2 ");
    assert_string_equal(marks("a ``` b\n- ```\n  c[1]\n  ```\n[2]"), "2 ");
    assert_string_equal(marks("- "), "");
    assert_string_equal(marks("1."), "");
}

/* A mark for each number and what came of it. */
static void settles(const char *text, const char *trace, const char *expected)
{
    struct chat *c = chat_with(text, trace);
    assert_true(citations_settle(c));
    if (expected == NULL)
        assert_null(c->trace);
    else
        assert_string_equal(c->trace, expected);
    chat_free(c);
}

static void keeps_what_is_named(void **state)
{
    (void)state;
    settles("So [3], and so [1].", ALL,
            "{\"memory_ids\":[],\"source_ids\":[\"x\"],\"citations\":[" ONE "," THREE "]}");
    settles("So [9], [2, 9].", ALL,
            "{\"memory_ids\":[],\"source_ids\":[\"x\"],\"citations\":[" TWO "]}");
    settles("Nothing of it.", ALL, "{\"memory_ids\":[],\"source_ids\":[\"x\"]}");
    settles("", ALL, "{\"memory_ids\":[],\"source_ids\":[\"x\"]}");
    settles("[1]", "{\"citations\": [" ONE "]}", "{\"citations\":[" ONE "]}");
    settles("none", "{\"citations\": [" ONE "]}", NULL);
}

#define NAMES(list) "{\"memory_ids\":[],\"source_ids\":[\"x\"],\"citations\":[" list "]}"
#define NAMES_NONE "{\"memory_ids\":[],\"source_ids\":[\"x\"]}"

static void leaves_thoughts_alone(void **state)
{
    (void)state;
    settles("<think>Is it [1]?</think>It is [3].", ALL, NAMES(THREE));
    settles(" \n<thinking>[1]</think></thinking>\n[2]", ALL, NAMES(TWO));
    settles("<think>[1] and on", ALL, NAMES_NONE);
    settles("<think>```</think>So [1]", ALL, NAMES(ONE));
    settles("<think>a</think>```\n[1]\n```\n[2]", ALL, NAMES(TWO));
    settles("So [1] <think>[2]</think>", ALL, NAMES(ONE "," TWO));
    settles("<think", ALL, NAMES_NONE);
    settles("<thinks>[1]</thinks>", ALL, NAMES(ONE));
}

static void takes_any_trace(void **state)
{
    (void)state;
    settles("[1]", NULL, NULL);
    settles("[1]", "{\"history_turns\": 2}", "{\"history_turns\": 2}");
    settles("[1]", "not JSON \"citations\"", "not JSON \"citations\"");
    settles("[1]", "[\"citations\"]", "[\"citations\"]");
    settles("[1]", TRACE("null"), "{\"memory_ids\":[],\"source_ids\":[\"x\"]}");
    settles("[1]", TRACE("{\"number\":1}"), "{\"memory_ids\":[],\"source_ids\":[\"x\"]}");
    settles("[1]", TRACE("[1, {}, {\"number\":\"1\"}, {\"number\":-1}, {\"number\":1e9}]"),
            "{\"memory_ids\":[],\"source_ids\":[\"x\"]}");
}

/* --- what clients get --- */

static cJSON *parsed(const struct buf *b)
{
    struct json_error error;
    cJSON *o = json_parse(b->data, b->len, &error);
    if (o == NULL)
        fail_msg("%s in %s", error.message, b->data);
    return o;
}

static void native_tells(void **state)
{
    (void)state;
    struct chat *c = chat_with("Rest [1] and ask [2].", ALL);
    struct buf b;
    buf_init(&b, 1 << 16);
    assert_true(citations_settle(c));
    assert_true(native_answer(&b, c));
    cJSON *answer = parsed(&b);
    const cJSON *citations = cJSON_GetObjectItem(answer, "citations");
    assert_int_equal(cJSON_GetArraySize(citations), 2);
    assert_string_equal(json_string(cJSON_GetArrayItem(citations, 1), "title"), "The \"FAQ\"");
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(cJSON_GetArrayItem(citations, 1), "url")));
    cJSON_Delete(answer);
    buf_clear(&b);
    assert_true(native_done(&b, c));
    assert_non_null(strstr(b.data, ",\"citations\":[{"));
    buf_release(&b);
    chat_free(c);
}

static void native_counts_what_was_used(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 1 << 16);
    for (int has = 0; has < 2; has++) {
        struct chat *c =
            chat_with("Rest.", has ? "{\"memory_ids\":[\"a\",\"b\"],\"passage_ids\":[\"c\"]}"
                                   : "{\"memory_ids\":[],\"passage_ids\":null}");
        buf_clear(&b);
        assert_true(native_answer(&b, c));
        cJSON *answer = parsed(&b);
        assert_int_equal(json_number(answer, "memories_used", 0), has ? 2 : 0);
        assert_int_equal(json_number(answer, "passages_used", 0), has ? 1 : 0);
        assert_int_equal(cJSON_HasObjectItem(answer, "memories_used"), has);
        cJSON_Delete(answer);
        chat_free(c);
    }
    buf_release(&b);
}

static void native_says_nothing_without(void **state)
{
    (void)state;
    struct chat *c = chat_with("Rest.", ALL);
    struct buf b;
    buf_init(&b, 1 << 16);
    assert_true(citations_settle(c));
    assert_true(native_answer(&b, c));
    assert_null(strstr(b.data, "citations"));
    buf_release(&b);
    chat_free(c);
}

#define HEAD(object)                                                                               \
    "{\"id\":\"theirs\",\"object\":\"" object "\",\"created\":1,\"model\":\"a-model-1\","
#define MESSAGE(more)                                                                              \
    HEAD("chat.completion")                                                                        \
    "\"citations\":[\"https://theirs.example\"],\"choices\":[{\"index\":0,\"message\":{"           \
    "\"role\":\"assistant\",\"content\":\"\xc3\x9c [1] [3, 2]\"" more "},"                         \
    "\"finish_reason\":\"stop\"}]}"

static cJSON *completion(struct chat *c, const char *body, bool cites)
{
    struct completion read;
    struct buf b;
    const struct openai_form form = {.parts = OPENAI_ALL | OPENAI_USAGE, .cites = cites};
    buf_init(&b, 1 << 16);
    assert_true(completion_read(&read, body, strlen(body), COMPLETION_WHOLE));
    assert_true(openai_completion(&b, c, &read, &form));
    cJSON *o = parsed(&b);
    buf_release(&b);
    return o;
}

static const cJSON *message_of(const cJSON *completion)
{
    return cJSON_GetObjectItem(cJSON_GetArrayItem(cJSON_GetObjectItem(completion, "choices"), 0),
                               "message");
}

static void assert_annotation(const cJSON *annotation, int from, int end, const char *url)
{
    const cJSON *cited = cJSON_GetObjectItem(annotation, "url_citation");
    assert_string_equal(json_string(annotation, "type"), "url_citation");
    assert_int_equal(json_number(cited, "start_index", -1), from);
    assert_int_equal(json_number(cited, "end_index", -1), end);
    assert_string_equal(json_string(cited, "url"), url);
    assert_true(cJSON_IsString(cJSON_GetObjectItem(cited, "title")));
}

static void openai_annotates(void **state)
{
    (void)state;
    struct chat *c = chat_with("\xc3\x9c [1] [3, 2]", ALL);
    assert_true(citations_settle(c));
    cJSON *o = completion(c, MESSAGE(",\"annotations\":[]"), true);
    const cJSON *annotations = cJSON_GetObjectItem(message_of(o), "annotations");
    assert_int_equal(cJSON_GetArraySize(annotations), 2); /* [2] has no URL */
    assert_annotation(cJSON_GetArrayItem(annotations, 0), 2, 5, "https://example.org/sleep");
    assert_annotation(cJSON_GetArrayItem(annotations, 1), 6, 12, "https://example.org/walks");
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(o, "citations")), 3);
    assert_true(cJSON_IsObject(cJSON_GetArrayItem(cJSON_GetObjectItem(o, "citations"), 0)));
    cJSON_Delete(o);
    chat_free(c);
}

#define THEIRS                                                                                     \
    ",\"annotations\":[{\"type\":\"url_citation\",\"url_citation\":{\"end_index\":1,"              \
    "\"start_index\":0,\"title\":\"\",\"url\":\"https://theirs.example\"}}],\"refusal\":null"

static void openai_keeps_theirs(void **state)
{
    (void)state;
    struct chat *c = chat_with("\xc3\x9c [1] [3, 2]", ALL);
    assert_true(citations_settle(c));
    cJSON *o = completion(c, MESSAGE(THEIRS), true);
    const cJSON *annotations = cJSON_GetObjectItem(message_of(o), "annotations");
    assert_int_equal(cJSON_GetArraySize(annotations), 3);
    assert_annotation(cJSON_GetArrayItem(annotations, 0), 0, 1, "https://theirs.example");
    assert_annotation(cJSON_GetArrayItem(annotations, 1), 2, 5, "https://example.org/sleep");
    cJSON_Delete(o);
    /* Without citations of ours all is the provider's. */
    o = completion(c, MESSAGE(THEIRS), false);
    assert_string_equal(cJSON_GetArrayItem(cJSON_GetObjectItem(o, "citations"), 0)->valuestring,
                        "https://theirs.example");
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(message_of(o), "annotations")), 1);
    cJSON_Delete(o);
    chat_free(c);
}

static void openai_whole_and_chunk(void **state)
{
    (void)state;
    struct chat *c = chat_with("[1] \xf0\x9f\x98\x80[1]", ALL);
    struct buf b;
    buf_init(&b, 1 << 16);
    c->response_message = strdup("{\"role\":\"assistant\",\"annotations\":[{\"type\":\"other\"}]}");
    assert_true(citations_settle(c));
    assert_true(openai_whole(&b, c));
    cJSON *o = parsed(&b);
    const cJSON *annotations = cJSON_GetObjectItem(message_of(o), "annotations");
    assert_int_equal(cJSON_GetArraySize(annotations), 3);
    assert_annotation(cJSON_GetArrayItem(annotations, 2), 5, 8, "https://example.org/sleep");
    cJSON_Delete(o);
    buf_clear(&b);
    assert_true(openai_citations_chunk(&b, c, NULL));
    assert_memory_equal(b.data, "data: {", 7);
    assert_string_equal(b.data + b.len - 2, "\n\n");
    buf_consume(&b, 6);
    o = parsed(&b);
    const cJSON *choice = cJSON_GetArrayItem(cJSON_GetObjectItem(o, "choices"), 0);
    annotations = cJSON_GetObjectItem(cJSON_GetObjectItem(choice, "delta"), "annotations");
    assert_int_equal(cJSON_GetArraySize(annotations), 2);
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(choice, "finish_reason")));
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(o, "citations")), 1);
    cJSON_Delete(o);
    buf_release(&b);
    chat_free(c);
}

static void openai_without_addresses(void **state)
{
    (void)state;
    struct chat *c = chat_with("Ask [2].", ALL);
    struct buf b;
    buf_init(&b, 1 << 16);
    assert_true(citations_settle(c));
    assert_true(openai_citations_chunk(&b, c, NULL));
    assert_non_null(strstr(b.data, "\"delta\":{},"));
    assert_non_null(strstr(b.data, ",\"citations\":[{\"number\": 2,"));
    buf_release(&b);
    chat_free(c);
    c = chat_with("Ask.", ALL);
    assert_true(citations_settle(c));
    assert_true(openai_citations_chunk(&b, c, NULL));
    assert_int_equal(b.len, 0);
    buf_release(&b);
    chat_free(c);
}

static void annotations_are_limited(void **state)
{
    (void)state;
    struct chat *c = chat_with("", ALL);
    struct buf b;
    int count = 0;
    for (int i = 0; i < 10000; i++)
        assert_true(buf_puts(&c->text, "[1]"));
    buf_init(&b, 1 << 20);
    assert_true(citations_settle(c));
    citations_put_annotations(&b, c, &count);
    assert_int_equal(count, CITATION_ANNOTATIONS);
    assert_false(b.failed);
    buf_release(&b);
    chat_free(c);
}

/* What a provider may say to keep the worker busy: each is read in a time that grows with its
 * length. That it ends at all is what is looked at. */
static void ends_on_any_text(void **state)
{
    (void)state;
    static const char *const pieces[] = {"`",     "``x`", "[",    "[1,",   "\\",
                                         "```\n", "~~~",  "\n> ", "[1][(", "``` ` `` ```` ````` "};
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        struct chat *c = chat_with("", ALL);
        for (int n = 0; n < 100000; n++)
            assert_true(buf_puts(&c->text, pieces[i]));
        assert_true(citations_settle(c));
        chat_free(c);
    }
}

int main(void)
{
    cmocka_set_message_output(CM_OUTPUT_TAP);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_marks),
        cmocka_unit_test(leaves_others_alone),
        cmocka_unit_test(leaves_code_alone),
        cmocka_unit_test(leaves_code_in_lists_alone),
        cmocka_unit_test(leaves_thoughts_alone),
        cmocka_unit_test(keeps_what_is_named),
        cmocka_unit_test(takes_any_trace),
        cmocka_unit_test(native_tells),
        cmocka_unit_test(native_counts_what_was_used),
        cmocka_unit_test(native_says_nothing_without),
        cmocka_unit_test(openai_annotates),
        cmocka_unit_test(openai_keeps_theirs),
        cmocka_unit_test(openai_whole_and_chunk),
        cmocka_unit_test(openai_without_addresses),
        cmocka_unit_test(annotations_are_limited),
        cmocka_unit_test(ends_on_any_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
