/* Budgets that are used up, as a worker knows them: what they demand of a chat. */
#include "chat/snapshot/budgets.h"
#include "unit.h"

#include <string.h>

static const char *cheaper(const char *json, char *model, size_t size)
{
    struct api_error error;
    struct budgets *b = budgets_new();
    cJSON *list = cJSON_Parse(json);
    assert_non_null(list);
    budgets_take(b, list);
    assert_true(
        budgets_allow(b, "00000000-0000-4000-8000-00000000000a", "a-coach", model, size, &error));
    cJSON_Delete(list);
    budgets_free(b);
    return model;
}

#define BUDGET                                                                                     \
    "{\"scope\":\"total\",\"key\":\"\",\"period\":\"day\",\"action\":\"cheaper\","                 \
    "\"ends_at\":32503680000,\"cheaper_model\":"

static void the_first_names_the_cheaper_model(void **state)
{
    char model[16];
    (void)state;
    assert_string_equal(cheaper("[" BUDGET "\"one\"}," BUDGET "\"two\"}]", model, sizeof model),
                        "one");
    assert_string_equal(cheaper("[]", model, sizeof model), "");
}

static void a_long_name_is_cut_between_characters(void **state)
{
    char model[4];
    (void)state;
    assert_string_equal(cheaper("[" BUDGET "\"\xc3\xa9\xc3\xa9\"}]", model, sizeof model),
                        "\xc3\xa9");
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(the_first_names_the_cheaper_model),
    cmocka_unit_test(a_long_name_is_cut_between_characters),
};

UNIT_MAIN(tests)
