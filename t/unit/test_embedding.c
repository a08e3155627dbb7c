/* What a server with /embeddings is asked, and which of its answers are taken. */
#include "common/embedding.h"
#include "unit.h"

#include <stdio.h>
#include <string.h>

static void a_request_has_model_texts_and_dimensions(void **state)
{
    const char *const texts[] = {"Run \"far\"\n", "\xff"};
    struct buf out;
    (void)state;
    buf_init(&out, 1024);
    assert_true(embedding_request("m", 0, texts, 2, &out));
    assert_string_equal(out.data,
                        "{\"model\":\"m\",\"input\":[\"Run \\\"far\\\"\\n\",\"\xef\xbf\xbd"
                        "\"]}");
    buf_clear(&out);
    assert_true(embedding_request("m", 256, texts, 1, &out));
    assert_string_equal(out.data, "{\"model\":\"m\",\"dimensions\":256,\"input\":[\"Run \\\"far\\\""
                                  "\\n\"]}");
    buf_release(&out);
}

/* The vectors of an answer for so many texts, parted by blanks, or why there are none. */
static const char *read_answer(const char *text, size_t count)
{
    static char out[1024];
    struct embeddings e;
    if (!embeddings_read(text, text != NULL ? strlen(text) : 0, count, &e, out))
        return out;
    assert_int_equal(e.count, count);
    snprintf(out, sizeof out, "%d", e.dimensions);
    for (size_t i = 0; i < count; i++)
        snprintf(out + strlen(out), sizeof out - strlen(out), " %s", e.vectors[i]);
    embeddings_release(&e);
    return out;
}

static void vectors_are_taken_by_their_index(void **state)
{
    (void)state;
    assert_string_equal(read_answer("{\"object\":\"list\",\"data\":[{\"object\":\"embedding\","
                                    "\"index\":0,\"embedding\":[1,-0.5]}],\"usage\":{}}",
                                    1),
                        "2 [1,-0.5]");
    assert_string_equal(read_answer("{\"data\":[{\"index\":1,\"embedding\":[0,1]},"
                                    "{\"embedding\":[ 0.12345678901 , 1e-3 ],\"index\":0}]}",
                                    2),
                        "2 [0.1234568,0.001] [0,1]");
    assert_string_equal(read_answer("{\"data\":[{\"embedding\":[1]},{\"embedding\":[2]}]}", 2),
                        "1 [1] [2]");
}

#define ONE(vector) "{\"data\":[{\"index\":0,\"embedding\":" vector "}]}"

static void anything_else_is_refused(void **state)
{
    static const struct {
        const char *text;
        size_t count;
        const char *why;
    } cases[] = {
        {NULL, 1, "the answer is not JSON"},
        {"", 1, "the answer is not JSON"},
        {"{\"data\":[{\"index\":0,\"embedding\":[1,", 1, "the answer is not JSON"},
        {"[]", 1, "the answer has no list of data"},
        {"{\"error\":{\"message\":\"no\"}}", 1, "the answer has no list of data"},
        {"{\"data\":{}}", 1, "the answer has no list of data"},
        {"{\"data\":[]}", 1, "there are 0 embeddings for 1 texts"},
        {ONE("[1]"), 2, "there are 1 embeddings for 2 texts"},
        {"{\"data\":[{\"embedding\":[1]},{\"embedding\":[1]}]}", 1,
         "there are more embeddings than the 1 texts"},
        {"{\"data\":[{\"index\":0,\"embedding\":[1]},{\"index\":0,\"embedding\":[1]}]}", 2,
         "text 0 has two embeddings"},
        {"{\"data\":[{\"index\":1,\"embedding\":[1]}]}", 1,
         "an embedding is for no text that was sent"},
        {"{\"data\":[{\"index\":-1,\"embedding\":[1]}]}", 1,
         "an embedding is for no text that was sent"},
        {"{\"data\":[{\"index\":\"0\",\"embedding\":[1]}]}", 1,
         "an embedding is for no text that was sent"},
        {"{\"data\":[7]}", 1, "an embedding is not a list of numbers"},
        {ONE("\"AACAPw==\""), 1, "an embedding is not a list of numbers"},
        {ONE("{}"), 1, "an embedding is not a list of numbers"},
        {ONE("[]"), 1, "an embedding is empty"},
        {ONE("[0,0.0,-0]"), 1, "an embedding is all zeros"},
        {ONE("[1e-60]"), 1, "an embedding is all zeros"},
        {ONE("[1e-30,1e-30]"), 1, "the numbers of an embedding are too small"},
        {ONE("[1e30,1]"), 1, "the numbers of an embedding are too large"},
        {ONE("[1,null]"), 1, "an embedding has something else than a finite number"},
        {ONE("[1,\"2\"]"), 1, "an embedding has something else than a finite number"},
        {ONE("[1,[2]]"), 1, "an embedding has something else than a finite number"},
        {ONE("[1,1e39]"), 1, "an embedding has something else than a finite number"},
        {ONE("[1,-1e999]"), 1, "an embedding has something else than a finite number"},
        {ONE("[NaN]"), 1, "the answer is not JSON"},
        {"{\"data\":[{\"embedding\":[1]},{\"embedding\":[1,2]}]}", 2,
         "one embedding has 1 numbers, another 2"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_string_equal(read_answer(cases[i].text, cases[i].count), cases[i].why);
}

static void a_vector_has_a_limit(void **state)
{
    struct buf text;
    struct embeddings e;
    char why[EMBEDDING_REASON];
    (void)state;
    for (int extra = 0; extra < 2; extra++) {
        buf_init(&text, 1 << 20);
        buf_puts(&text, "{\"data\":[{\"embedding\":[-1.2345678e-18");
        for (int i = 1; i < EMBEDDING_DIMENSIONS_MAX + extra; i++)
            buf_puts(&text, ",-1.2345678e-18");
        buf_puts(&text, "]}]}");
        if (extra == 0) {
            assert_true(embeddings_read(text.data, text.len, 1, &e, why));
            assert_int_equal(e.dimensions, EMBEDDING_DIMENSIONS_MAX);
            assert_true(strlen(e.vectors[0]) <=
                        (size_t)EMBEDDING_DIMENSIONS_MAX * EMBEDDING_NUMBER_MAX + 1);
            embeddings_release(&e);
        } else {
            assert_false(embeddings_read(text.data, text.len, 1, &e, why));
            assert_string_equal(why, "an embedding has more than 4096 numbers");
        }
        buf_release(&text);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_request_has_model_texts_and_dimensions),
    cmocka_unit_test(vectors_are_taken_by_their_index),
    cmocka_unit_test(anything_else_is_refused),
    cmocka_unit_test(a_vector_has_a_limit),
};

UNIT_MAIN(tests)
