/* Variants without Postgres: the hash, who takes part, and what cannot be read. */
#include "chat/snapshot/experiments.h"
#include "common/json.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define USER "00000000-0000-4000-8000-00000000000a"

static char dir[] = "/tmp/experiments.XXXXXX";

static cJSON *parsed(const char *text)
{
    struct json_error wrong;
    cJSON *value = json_parse(text, strlen(text), &wrong);
    assert_non_null(value);
    return value;
}

static void take(struct experiments *e, const char *text)
{
    cJSON *news = parsed(text);
    experiments_take(e, news, "mark");
    cJSON_Delete(news);
}

/* Of an experiment on severity of all users with salt "salt", where USER is at .775: what is in
 * front of its last member. */
#define RUNNING                                                                                    \
    "{\"holdout_share\":0,\"running\":[{\"id\":\"i\",\"name\":\"n\",\"salt\":\"salt\","            \
    "\"share_salt\":\"salt share\",\"share_from\":0,\"share_to\":1,\"variants\":[\"a\",\"b\"],"    \
    "\"bounds\":[0.5,1],\"settings\":[{},{\"severity\":2.5,\"model\":\"m\"}],"                     \
    "\"touches\":[\"severity\",\"model\",\"temperature\"],\"targeting\":"

static void hash_is_as_documented(void **state)
{
    (void)state;
    /* The vectors of EXPERIMENTS.md and t/sql/functions/experiments.sql. */
    assert_true(experiments_bucket("salt", USER) == 0.7754329933800632);
    assert_true(experiments_bucket("uplift holdout", "00000000-0000-4000-8000-00000000000b") ==
                0.2791046856246373);
    assert_true(experiments_bucket("gr\xc3\xb6\xc3\x9f"
                                   "e",
                                   "ffffffff-ffff-4fff-bfff-ffffffffffff") == 0.5454257531761244);
}

static void expect(struct experiments *e, const struct experiment_asker *who, const char *variant)
{
    struct experiment_changes changes;
    assert_true(experiments_assign(e, who, &changes));
    if (variant == NULL) {
        assert_null(changes.exposures);
        assert_null(changes.all);
    } else {
        char wanted[200];
        snprintf(wanted, sizeof wanted,
                 "[{\"experiment_id\":\"i\",\"experiment\":\"n\",\"variant\":\"%s\"}]", variant);
        assert_string_equal(changes.exposures, wanted);
    }
    experiment_changes_release(&changes);
}

static void what_is_asked_for_wins(void **state)
{
    (void)state;
    struct experiments *e = experiments_new(dir);
    assert_non_null(e);
    expect(e, &(struct experiment_asker){.user = USER}, NULL);
    take(e, RUNNING "{}}]}");
    struct experiment_changes changes;
    assert_true(experiments_assign(e, &(struct experiment_asker){.user = USER}, &changes));
    assert_true(json_number(changes.all, "severity", 0) == 2.5);
    assert_string_equal(json_string(changes.all, "model"), "m");
    experiment_changes_release(&changes);
    expect(e, &(struct experiment_asker){.user = USER}, "b");
    expect(e, &(struct experiment_asker){.user = USER, .coach_id = "c", .mode = "default"}, "b");
    expect(e, &(struct experiment_asker){.user = USER, .severity = "5.0"}, NULL);
    expect(e, &(struct experiment_asker){.user = USER, .model = "x"}, NULL);
    expect(e, &(struct experiment_asker){.user = USER, .asked = "[\"temperature\"]"}, NULL);
    expect(e, &(struct experiment_asker){.user = USER, .asked = "[\"top_p\"]"}, "b");
    experiments_free(e);
}

static void only_those_it_is_for(void **state)
{
    (void)state;
    struct experiments *e = experiments_new(dir);
    assert_non_null(e);
    take(e, RUNNING "{\"coaches\":[\"c\"]}}]}");
    expect(e, &(struct experiment_asker){.user = USER}, NULL);
    expect(e, &(struct experiment_asker){.user = USER, .coach_id = "c"}, "b");
    take(e, RUNNING "{\"coaches\":[\"coach_decibel_avatar\"]}}]}");
    expect(e, &(struct experiment_asker){.user = USER}, "b");
    /* All of the users are held out. */
    cJSON *news = parsed(RUNNING "{}}]}");
    cJSON_ReplaceItemInObject(news, "holdout_share", cJSON_CreateNumber(1));
    experiments_take(e, news, "other");
    cJSON_Delete(news);
    expect(e, &(struct experiment_asker){.user = USER}, NULL);
    char mark[EXPERIMENTS_MARK];
    experiments_mark(e, mark);
    assert_string_equal(mark, "other");
    experiments_free(e);
}

/* The same with what its variants change, of which USER has the second one. */
#define VARIANTS(settings)                                                                         \
    "{\"holdout_share\":0,\"running\":[{\"id\":\"i\",\"name\":\"n\",\"salt\":\"salt\","            \
    "\"share_salt\":\"salt share\",\"share_from\":0,\"share_to\":1,\"variants\":[\"a\",\"b\"],"    \
    "\"bounds\":[0.5,1],\"settings\":" settings ",\"touches\":[\"severity\"],\"targeting\":{}}]}"

static void what_no_chat_has_is_not_felt(void **state)
{
    static const struct {
        const char *news;
        bool is_exposed;
        const char *personality;
        double severity;
    } cases[] = {
        {VARIANTS("[{},{\"personality\":\"P\"}]"), true, "P", 0},
        {VARIANTS("[{},{\"memory\":\"off\"}]"), false, NULL, 0},
        {VARIANTS("[{},{\"knowledge\":{\"max_tokens\":5}}]"), false, NULL, 0},
        {VARIANTS("[{},{\"examples\":\"off\",\"severity\":2}]"), true, NULL, 2},
        {VARIANTS("[{\"memory\":\"on\"},{\"memory\":\"off\",\"personality\":\"P\"}]"), true, "P",
         0},
        /* Of another variant: those of this one would be compared with nobody. */
        {VARIANTS("[{\"memory\":\"off\"},{\"severity\":2}]"), false, NULL, 2},
        {VARIANTS("[{\"memory\":\"off\",\"top_p\":1},{\"severity\":2,\"examples\":\"on\"}]"), true,
         NULL, 2},
    };
    (void)state;
    struct experiments *e = experiments_new(dir);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct experiment_changes changes;
        take(e, cases[i].news);
        assert_true(experiments_assign(e, &(struct experiment_asker){.user = USER}, &changes));
        assert_int_equal(changes.exposures != NULL, cases[i].is_exposed);
        assert_non_null(changes.all);
        assert_string_equal(json_text(changes.all, "personality"),
                            cases[i].personality != NULL ? cases[i].personality : "");
        assert_true(json_number(changes.all, "severity", 0) == cases[i].severity);
        experiment_changes_release(&changes);
    }
    experiments_free(e);
}

static void expect_mode(struct experiments *e, const struct experiment_asker *who, const char *mode)
{
    struct experiment_changes changes;
    assert_true(experiments_assign(e, who, &changes));
    assert_string_equal(json_text(changes.all, "mode"), mode);
    experiment_changes_release(&changes);
}

static void production_is_for_all_but_roast_for_none(void **state)
{
    (void)state;
    struct experiments *e = experiments_new(dir);
    take(
        e,
        "{\"production\":[{\"coach_id\":null,\"changes\":{\"mode\":\"gym\",\"personality\":\"P\"}},"
        "{\"coach_id\":\"c\",\"changes\":{\"mode\":\"roast\"}}]}");
    expect_mode(e, &(struct experiment_asker){.user = USER}, "gym");
    expect_mode(e, &(struct experiment_asker){.user = USER, .mode = "default"}, "");
    expect_mode(e, &(struct experiment_asker){.user = USER, .coach_id = "d"}, "gym");
    /* As with Postgres, of a user who did not agree: what is under it is not there either. */
    expect_mode(e, &(struct experiment_asker){.user = USER, .coach_id = "c"}, "");
    take(e, RUNNING "{}}],\"production\":[{\"coach_id\":null,\"changes\":{\"mode\":\"gym\"}}]}");
    const struct experiment_asker guest = {.user = USER, .is_guest = true};
    struct experiment_changes changes;
    assert_true(experiments_assign(e, &guest, &changes));
    assert_string_equal(json_text(changes.all, "mode"), "gym");
    assert_true(json_number(changes.all, "severity", 0) == 0);
    assert_null(changes.exposures);
    experiment_changes_release(&changes);
    experiments_free(e);
}

static void expect_exposed(struct experiments *e, const char *coach, bool is_exposed)
{
    const struct experiment_asker who = {.user = USER, .coach_id = coach};
    struct experiment_changes changes;
    assert_true(experiments_assign(e, &who, &changes));
    assert_int_equal(changes.exposures != NULL, is_exposed);
    experiment_changes_release(&changes);
}

/* What somebody gets with a coach, as JSON with the names in order of the expected one. */
static void expect_changes(struct experiments *e, const char *coach, const char *expected)
{
    const struct experiment_asker who = {.user = USER, .coach_id = coach};
    struct experiment_changes changes;
    cJSON *wanted = parsed(expected);
    assert_true(experiments_assign(e, &who, &changes));
    assert_true(cJSON_Compare(changes.all, wanted, true));
    cJSON_Delete(wanted);
    experiment_changes_release(&changes);
}

static void what_a_coach_has_of_its_own_is_not_tried_on_all(void **state)
{
#define PRODUCTION                                                                                 \
    "\"production\":[{\"coach_id\":null,\"changes\":{\"severity\":4,\"model\":\"all\"}},"          \
    "{\"coach_id\":\"c\",\"changes\":{\"severity\":2}},"                                           \
    "{\"coach_id\":\"d\",\"changes\":{\"guidelines\":\"G\"}},"                                     \
    "{\"coach_id\":\"f\",\"changes\":{\"severity\":3,\"model\":\"mine\"}}],"                       \
    "\"deployed\":[{\"coach_id\":null,\"model\":\"ft:all\"},"                                      \
    "{\"coach_id\":\"e\",\"model\":\"ft:e\"}]}"
    (void)state;
    struct experiments *e = experiments_new(dir);
    take(e, RUNNING "{}}]," PRODUCTION);
    expect_exposed(e, NULL, true);
    expect_exposed(e, "d", true);
    /* Of several changes the others are tried. */
    expect_exposed(e, "c", true);
    expect_changes(e, "c", "{\"severity\":2,\"model\":\"m\"}");
    expect_exposed(e, "e", true);
    expect_changes(e, "e", "{\"severity\":2.5,\"model\":\"ft:e\"}");
    /* Where nothing is left of them, nothing is. */
    expect_exposed(e, "f", false);
    expect_changes(e, "f", "{\"severity\":3,\"model\":\"mine\"}");
    take(e, RUNNING "{\"coaches\":[\"f\",\"e\"]}}]," PRODUCTION);
    expect_exposed(e, "f", true);
    expect_changes(e, "e", "{\"severity\":2.5,\"model\":\"m\"}");
    expect_exposed(e, "d", false);
    expect_changes(e, "d", "{\"severity\":4,\"model\":\"all\",\"guidelines\":\"G\"}");
    experiments_free(e);
}

static void what_is_deployed_serves_where_nothing_says_another(void **state)
{
    (void)state;
    struct experiments *e = experiments_new(dir);
    struct experiment_changes changes;
    take(e, "{\"deployed\":[{\"coach_id\":null,\"model\":\"ft:all\"},{\"coach_id\":\"e\","
            "\"model\":\"ft:e\"}]}");
    expect_changes(e, NULL, "{\"model\":\"ft:all\"}");
    expect_changes(e, "e", "{\"model\":\"ft:e\"}");
    const struct experiment_asker named = {.user = USER, .model = "mine"};
    assert_true(experiments_assign(e, &named, &changes));
    assert_null(changes.all);
    experiment_changes_release(&changes);
    take(e, "{\"deployed\":[1,{\"model\":2},{\"coach_id\":7}],\"production\":[3,{\"changes\":["
            "\"x\"]}]}");
    assert_true(experiments_assign(e, &(struct experiment_asker){.user = USER}, &changes));
    assert_null(changes.all);
    experiment_changes_release(&changes);
    experiments_free(e);
}

static void another_coach_brings_its_own_persona(void **state)
{
#define COACHES                                                                                    \
    "{\"running\":[{\"id\":\"i\",\"name\":\"n\",\"salt\":\"salt\",\"share_salt\":\"s\","           \
    "\"share_from\":0,\"share_to\":1,\"variants\":[\"a\",\"b\"],\"bounds\":[0,1],"                 \
    "\"targeting\":{\"coaches\":[\"coach_decibel_avatar\"]},\"touches\":[\"coach_id\"],"           \
    "\"settings\":[{},{\"coach_id\":\"m\""
    (void)state;
    struct experiments *e = experiments_new(dir);
    take(e, COACHES "}]}],\"production\":[{\"coach_id\":\"coach_decibel_avatar\",\"changes\":{"
                    "\"guidelines\":\"D\",\"personality\":\"d\",\"severity\":2}},"
                    "{\"coach_id\":\"m\",\"changes\":{\"guidelines\":\"M\",\"severity\":5}}]}");
    expect_changes(e, NULL, "{\"coach_id\":\"m\",\"guidelines\":\"M\",\"severity\":2}");
    take(e, COACHES ",\"personality\":\"p\"}]}],\"production\":[{\"coach_id\":"
                    "\"coach_decibel_avatar\",\"changes\":{\"personality\":\"d\"}}]}");
    expect_changes(e, NULL, "{\"coach_id\":\"m\",\"personality\":\"p\"}");
    /* As promoted, it is what was tried. */
    take(e, "{\"production\":[{\"coach_id\":\"coach_decibel_avatar\",\"changes\":{\"coach_id\":"
            "\"m\"}},{\"coach_id\":\"m\",\"changes\":{\"guidelines\":\"M\"}}]}");
    expect_changes(e, NULL, "{\"coach_id\":\"m\",\"guidelines\":\"M\"}");
    /* Also where that one answers for all coaches; not for who asks for the first. */
    take(e, "{\"production\":[{\"coach_id\":null,\"changes\":{\"coach_id\":\"m\"}},{\"coach_id\":"
            "\"coach_decibel_avatar\",\"changes\":{\"personality\":\"d\",\"severity\":2}}]}");
    expect_changes(e, NULL, "{\"coach_id\":\"m\",\"severity\":2}");
    expect_changes(e, "coach_decibel_avatar", "{\"personality\":\"d\",\"severity\":2}");
    experiments_free(e);
}

/* Texts of 20,000 characters of four bytes each, in 11 variants of so many experiments. */
#define LONGEST 20000
#define MANY 9

static char *longest_text(void)
{
    char *text = malloc(LONGEST * 4 + 1);
    assert_non_null(text);
    for (size_t i = 0; i < LONGEST; i++)
        memcpy(text + i * 4, "\xf0\x9f\x98\x80", 4);
    text[(size_t)LONGEST * 4] = '\0';
    return text;
}

static void add_long_experiment(cJSON *all, const char *text, int place)
{
    cJSON *one = parsed("{\"name\":\"n\",\"salt\":\"salt\",\"share_salt\":\"salt share\","
                        "\"share_from\":0,\"share_to\":1,\"touches\":[],\"targeting\":{}}");
    cJSON *settings = cJSON_AddArrayToObject(one, "settings"),
          *variants = cJSON_AddArrayToObject(one, "variants"),
          *bounds = cJSON_AddArrayToObject(one, "bounds");
    char id[24];
    snprintf(id, sizeof id, "%d", place);
    cJSON_AddStringToObject(one, "id", id);
    for (int i = 0; i < 11; i++) {
        cJSON *variant = cJSON_CreateObject();
        cJSON_AddStringToObject(variant, "personality", text);
        cJSON_AddItemToArray(settings, variant);
        cJSON_AddItemToArray(variants, cJSON_CreateString("v"));
        cJSON_AddItemToArray(bounds, cJSON_CreateNumber((i + 1) / 11.0));
    }
    cJSON_AddItemToArray(all, one);
}

static void the_longest_texts_come_back_from_the_file(void **state)
{
    (void)state;
    struct experiments *e = experiments_new(dir);
    cJSON *news = cJSON_CreateObject(), *running = cJSON_AddArrayToObject(news, "running");
    char *text = longest_text();
    for (int i = 0; i < MANY; i++) /* what uplift.known_experiments() has room for */
        add_long_experiment(running, text, i);
    experiments_take(e, news, "mark");
    cJSON_Delete(news);
    experiments_free(e);
    e = experiments_new(dir);
    struct experiment_changes changes;
    assert_true(experiments_assign(e, &(struct experiment_asker){.user = USER}, &changes));
    assert_string_equal(json_string(changes.all, "personality"), text);
    cJSON *exposures = parsed(changes.exposures);
    assert_int_equal(cJSON_GetArraySize(exposures), MANY);
    cJSON_Delete(exposures);
    experiment_changes_release(&changes);
    experiments_free(e);
    free(text);
}

static void a_file_keeps_them(void **state)
{
    (void)state;
    struct experiments *e = experiments_new(dir);
    take(e, RUNNING "{}}]}");
    experiments_free(e);
    e = experiments_new(dir);
    expect(e, &(struct experiment_asker){.user = USER}, "b");
    char mark[EXPERIMENTS_MARK];
    experiments_mark(e, mark);
    assert_string_equal(mark, ""); /* so that it is asked for anew */
    experiments_free(e);
    char path[100];
    snprintf(path, sizeof path, "%s/experiments.json", dir);
    FILE *file = fopen(path, "w");
    fputs("{\"running\":[{\"id\":", file);
    fclose(file);
    e = experiments_new(dir);
    assert_non_null(e);
    expect(e, &(struct experiment_asker){.user = USER}, NULL);
    experiments_free(e);
}

static void nonsense_changes_nothing(void **state)
{
    static const char *const odd[] = {
        "{}",
        "{\"running\":5}",
        "{\"running\":[5,null,{},{\"salt\":1}]}",
        "{\"running\":[{\"id\":\"i\",\"name\":\"n\",\"salt\":\"s\",\"share_salt\":\"s\",\"share_"
        "to\":1}]}",
        "{\"running\":[{\"id\":\"i\",\"name\":\"n\",\"salt\":\"s\",\"share_salt\":\"s\",\"share_"
        "to\":1,"
        "\"bounds\":[1],\"variants\":[7],\"settings\":[8],\"touches\":[9],\"targeting\":10}]}",
    };
    (void)state;
    struct experiments *e = experiments_new(dir);
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        take(e, odd[i]);
        expect(e, &(struct experiment_asker){.user = USER}, NULL);
    }
    take(e, RUNNING "{}}]}");
    cJSON *text = cJSON_CreateString("x");
    experiments_take(e, text, "mark"); /* logged; what is known stays */
    cJSON_Delete(text);
    experiments_take(e, NULL, NULL);
    expect(e, &(struct experiment_asker){.user = USER}, "b");
    experiments_free(e);
    experiments_free(NULL);
}

static int remove_dir(void **state)
{
    char path[100];
    (void)state;
    snprintf(path, sizeof path, "%s/experiments.json", dir);
    unlink(path);
    return rmdir(dir);
}

static int make_dir(void **state)
{
    (void)state;
    return mkdtemp(dir) == NULL;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hash_is_as_documented),
        cmocka_unit_test(what_is_asked_for_wins),
        cmocka_unit_test(only_those_it_is_for),
        cmocka_unit_test(a_file_keeps_them),
        cmocka_unit_test(nonsense_changes_nothing),
        cmocka_unit_test(what_no_chat_has_is_not_felt),
        cmocka_unit_test(production_is_for_all_but_roast_for_none),
        cmocka_unit_test(what_a_coach_has_of_its_own_is_not_tried_on_all),
        cmocka_unit_test(what_is_deployed_serves_where_nothing_says_another),
        cmocka_unit_test(another_coach_brings_its_own_persona),
        cmocka_unit_test(the_longest_texts_come_back_from_the_file),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
