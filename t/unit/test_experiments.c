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
        cmocka_unit_test(hash_is_as_documented),    cmocka_unit_test(what_is_asked_for_wins),
        cmocka_unit_test(only_those_it_is_for),     cmocka_unit_test(a_file_keeps_them),
        cmocka_unit_test(nonsense_changes_nothing),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
