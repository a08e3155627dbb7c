/* Values that are what a schema asks for, and values that are not, each for one reason. */
#include "common/schema_check.h"

#include "common/json.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

static const char schema_text[] =
    "{\"type\":\"object\",\"properties\":{\"items\":{\"type\":\"array\",\"maxItems\":2,\"items\":"
    "{\"type\":\"object\",\"properties\":{\"kind\":{\"type\":\"string\",\"enum\":[\"goal\","
    "\"other\"]},"
    "\"text\":{\"type\":\"string\",\"maxLength\":5},"
    "\"n\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":10},"
    "\"x\":{\"type\":\"number\"},\"is\":{\"type\":\"boolean\"}}}}}}";

#define ITEM "{\"kind\":\"goal\",\"text\":\"h\xc3\xa9llo\",\"n\":1,\"x\":0.5,\"is\":true}"

static const struct {
    const char *value;
    const char *wrong; /* part of the complaint, or NULL: it fits */
} cases[] = {
    {"{\"items\":[]}", NULL},
    {"{\"items\":[" ITEM "," ITEM "]}", NULL},
    {"{\"items\":[" ITEM "," ITEM "," ITEM "]}", "items has too many items"},
    {"{\"items\":{}}", "items is no list"},
    {"{}", "items is missing"},
    {"[]", "the answer is no object"},
    {"null", "the answer is no object"},
    {"{\"items\":[],\"more\":1}", "more is not asked for"},
    {"{\"items\":[1]}", "items is no object"},
    {"{\"items\":[{\"kind\":\"goal\",\"text\":\"a\",\"n\":1,\"x\":1}]}", "is is missing"},
    {"{\"items\":[{\"kind\":\"Goal\",\"text\":\"a\",\"n\":1,\"x\":1,\"is\":true}]}",
     "kind is none of its choices"},
    {"{\"items\":[{\"kind\":1,\"text\":\"a\",\"n\":1,\"x\":1,\"is\":true}]}", "kind is no text"},
    {"{\"items\":[{\"kind\":\"goal\",\"text\":\"abcdef\",\"n\":1,\"x\":1,\"is\":true}]}",
     "text is too long"},
    {"{\"items\":[{\"kind\":\"goal\",\"text\":null,\"n\":1,\"x\":1,\"is\":true}]}",
     "text is no text"},
    {"{\"items\":[{\"kind\":\"goal\",\"text\":\"a\",\"n\":1.5,\"x\":1,\"is\":true}]}",
     "n is no whole number"},
    {"{\"items\":[{\"kind\":\"goal\",\"text\":\"a\",\"n\":\"1\",\"x\":1,\"is\":true}]}",
     "n is no whole number"},
    {"{\"items\":[{\"kind\":\"goal\",\"text\":\"a\",\"n\":0,\"x\":1,\"is\":true}]}",
     "n is out of range"},
    {"{\"items\":[{\"kind\":\"goal\",\"text\":\"a\",\"n\":11,\"x\":1,\"is\":true}]}",
     "n is out of range"},
    {"{\"items\":[{\"kind\":\"goal\",\"text\":\"a\",\"n\":1,\"x\":\"1\",\"is\":true}]}",
     "x is no number"},
    {"{\"items\":[{\"kind\":\"goal\",\"text\":\"a\",\"n\":1,\"x\":1,\"is\":1}]}",
     "is is neither true nor false"},
};

static cJSON *parsed(const char *text)
{
    struct json_error error;
    cJSON *value = json_parse(text, strlen(text), &error);
    assert_non_null(value);
    return value;
}

static void test_values(void **state)
{
    (void)state;
    cJSON *schema = parsed(schema_text);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char wrong[100] = "";
        cJSON *value = parsed(cases[i].value);
        bool fits = schema_check(schema, value, wrong, sizeof wrong);
        if (fits != (cases[i].wrong == NULL) || (!fits && strstr(wrong, cases[i].wrong) == NULL))
            fail_msg("%s: %s", cases[i].value, fits ? "fits" : wrong);
        cJSON_Delete(value);
    }
    cJSON_Delete(schema);
}

/* What is wrong is cut where there is no room, and a schema that says nothing lets nothing pass. */
static void test_edges(void **state)
{
    (void)state;
    char wrong[8];
    cJSON *schema = parsed("{}"), *value = parsed("{\"a\":1}");
    assert_false(schema_check(schema, value, wrong, sizeof wrong));
    assert_int_equal(strlen(wrong), 7);
    assert_false(schema_check(NULL, value, wrong, sizeof wrong));
    cJSON_Delete(schema);
    schema = parsed("{\"type\":\"string\"}");
    assert_false(schema_check(schema, NULL, wrong, sizeof wrong));
    cJSON_Delete(schema);
    cJSON_Delete(value);
}

static void test_sent(void **state)
{
    (void)state;
    cJSON *schema = parsed(schema_text), *sent = schema_to_send(schema);
    char *text = cJSON_PrintUnformatted(sent);
    assert_string_equal(
        text,
        "{\"type\":\"object\",\"properties\":{\"items\":{\"type\":\"array\",\"items\":"
        "{\"type\":\"object\",\"properties\":{\"kind\":{\"type\":\"string\",\"enum\":[\"goal\","
        "\"other\"]},\"text\":{\"type\":\"string\"},\"n\":{\"type\":\"integer\"},"
        "\"x\":{\"type\":\"number\"},\"is\":{\"type\":\"boolean\"}},\"required\":[\"kind\","
        "\"text\","
        "\"n\",\"x\",\"is\"],\"additionalProperties\":false}}},\"required\":[\"items\"],"
        "\"additionalProperties\":false}");
    cJSON_free(text);
    cJSON_Delete(sent);
    cJSON_Delete(schema);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_values),
    cmocka_unit_test(test_edges),
    cmocka_unit_test(test_sent),
};
UNIT_MAIN(tests)
