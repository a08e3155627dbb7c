/* One look at an experiment: what is said of it, and why nothing is. */
#include "batch/experiment_look.h"
#include "common/json.h"
#include "unit.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static cJSON *parsed(const char *text)
{
    struct json_error wrong;
    cJSON *value = json_parse(text, strlen(text), &wrong);
    assert_non_null(value);
    return value;
}

/* Sums of so many users, of whom so many gave one thumb, of which so many are up. */
static void put_arm(char *out, size_t size, double users, double thumbs, double up)
{
    snprintf(out, size,
             "{\"users\":%.0f,\"sx\":%.0f,\"sxx\":%.0f,\"sn\":%.0f,\"sxn\":%.0f,\"snn\":%.0f}",
             users, up, up, thumbs, up, thumbs);
}

struct made {
    double users[3], up[3];
    const char *more;    /* members of the whole, each with a comma before it */
    const char *before;  /* of the metric, with a comma before it */
    double worse;        /* milliseconds that the last variant is slower, of 1000 */
    const char *guards;  /* more guardrails, with a comma before them */
    const char *decides; /* NULL: thumbs_up_rate */
    double thumbs;       /* of each variant, by as many of its users; 0: of all */
};

static cJSON *look_at(const struct made *m)
{
    char arms[3][200], text[4000], latency[3][200];
    for (int i = 0; i < 3; i++) {
        double ms = 1000 + (i == 2 ? m->worse : 0), n = m->users[i];
        double thumbs = m->thumbs > 0 ? m->thumbs : n;
        put_arm(arms[i], sizeof arms[i], n, thumbs, n > 0 ? m->up[i] * thumbs / n : 0);
        /* Half of the users at 0.9 of it, half at 1.1. */
        snprintf(latency[i], sizeof latency[i],
                 "{\"users\":%.0f,\"sx\":%.0f,\"sxx\":%.3f,\"sn\":%.0f,\"sxn\":%.0f,\"snn\":%.0f}",
                 n, n * ms, n * ms * ms * 1.01, n, n * ms, n);
    }
    snprintf(
        text, sizeof text,
        "{\"alpha\":0.05,\"min_users\":100,\"success_metric\":\"%s\","
        "\"variants\":[\"a\",\"b\",\"c\"],\"weights\":[1,1,1],\"users\":[%.0f,%.0f,%.0f],"
        "\"guardrails\":[{\"metric\":\"latency\",\"max_worse\":0.1}%s],\"metrics\":["
        "{\"metric\":\"thumbs_up_rate\",\"kind\":\"ratio\",\"better\":1,\"sums\":[%s,%s,%s]%s},"
        "{\"metric\":\"latency\",\"kind\":\"ratio\",\"better\":-1,\"sums\":[%s,%s,%s]}]%s}",
        m->decides != NULL ? m->decides : "thumbs_up_rate", m->users[0], m->users[1], m->users[2],
        m->guards != NULL ? m->guards : "", arms[0], arms[1], arms[2],
        m->before != NULL ? m->before : "", latency[0], latency[1], latency[2],
        m->more != NULL ? m->more : "");
    cJSON *sums = parsed(text);
    cJSON *look = experiment_look(sums);
    cJSON_Delete(sums);
    assert_non_null(look);
    /* Nothing in it is not a number. */
    char *printed = cJSON_PrintUnformatted(look);
    assert_null(strstr(printed, "nan"));
    assert_null(strstr(printed, "inf"));
    cJSON_free(printed);
    return look;
}

static const char *concluded(const cJSON *look, const char *key)
{
    return json_string(cJSON_GetObjectItemCaseSensitive(look, "conclusion"), key);
}

static const cJSON *figures(const cJSON *look, const char *metric, const char *variant)
{
    const cJSON *one;
    cJSON_ArrayForEach (one, cJSON_GetObjectItemCaseSensitive(look, "looks"))
        if (strcmp(json_string(one, "metric"), metric) == 0 &&
            strcmp(json_string(one, "variant"), variant) == 0)
            return cJSON_GetObjectItemCaseSensitive(one, "figures");
    return NULL;
}

static void expect_winner(const struct made *m, const char *winner, const char *text)
{
    cJSON *look = look_at(m);
    const char *found = concluded(look, "winner");
    if (winner == NULL)
        assert_null(found);
    else
        assert_string_equal(found, winner);
    assert_non_null(strstr(concluded(look, "text"), text));
    cJSON_Delete(look);
}

static void the_better_one_wins(void **state)
{
    (void)state;
    expect_winner(&(struct made){.users = {1000, 1000, 1000}, .up = {500, 650, 500}}, "b",
                  "\"b\" is better: thumbs_up_rate 0.65 against 0.5");
    expect_winner(&(struct made){.users = {1000, 1000, 1000}, .up = {500, 620, 650}}, "c",
                  "\"c\" is better");
    expect_winner(&(struct made){.users = {1000, 1000, 1000}, .up = {650, 500, 500}}, "a",
                  "\"a\" is better than all");
    expect_winner(&(struct made){.users = {1000, 1000, 1000}, .up = {650, 500, 640}}, NULL,
                  "no conclusion yet");
    expect_winner(&(struct made){.users = {1000, 1000, 1000}, .up = {500, 520, 500}}, NULL,
                  "no conclusion yet");
}

static void not_before_there_are_enough(void **state)
{
    (void)state;
    expect_winner(&(struct made){.users = {99, 99, 99}, .up = {10, 90, 50}}, NULL,
                  "not every variant has 100 users");
    expect_winner(&(struct made){.users = {0, 0, 0}, .up = {0, 0, 0}}, NULL, "not every variant");
    expect_winner(&(struct made){.users = {1000, 0, 0}, .up = {500, 0, 0}}, NULL,
                  "sample ratio mismatch");
}

static void edges_have_a_reason(void **state)
{
    (void)state;
    cJSON *look = look_at(&(struct made){.users = {1000, 1000, 1000}, .up = {1000, 1000, 0}});
    assert_string_equal(json_string(figures(look, "thumbs_up_rate", "b"), "reason"),
                        "zero_variance");
    assert_null(cJSON_GetObjectItem(figures(look, "thumbs_up_rate", "b"), "always_valid"));
    /* But where all of one are up and none of the other, there is no doubt. */
    const cJSON *c = figures(look, "thumbs_up_rate", "c");
    assert_null(json_string(c, "reason"));
    assert_true(json_number(cJSON_GetObjectItem(c, "always_valid"), "upper", 0) < -.8);
    cJSON_Delete(look);
    look = look_at(&(struct made){.users = {1, 1, 1}, .up = {1, 0, 1}});
    assert_string_equal(json_string(figures(look, "thumbs_up_rate", "b"), "reason"),
                        "too_few_users");
    cJSON_Delete(look);
}

static void users_who_are_missing_are_noticed(void **state)
{
    (void)state;
    cJSON *look = look_at(&(struct made){.users = {1000, 1000, 600}, .up = {500, 700, 300}});
    assert_true(json_bool(figures(look, "users", ""), "is_mismatch", false));
    assert_null(concluded(look, "winner"));
    cJSON_Delete(look);
    look = look_at(&(struct made){
        .users = {1000, 1000, 600}, .up = {500, 700, 300}, .more = ",\"had_other_weights\":true"});
    assert_string_equal(json_string(figures(look, "users", ""), "reason"), "weights_changed");
    assert_string_equal(concluded(look, "winner"), "b");
    cJSON_Delete(look);
    /* What was found once stays found; and users who were deleted make it begin anew. */
    look =
        look_at(&(struct made){.users = {1000, 1000, 1000},
                               .up = {500, 500, 500},
                               .more = ",\"srm_before\":{\"users\":[900,900,900],\"p\":0.0001}"});
    assert_true(json_number(figures(look, "users", ""), "p", 1) <= 0.0001);
    cJSON_Delete(look);
    /* One in a thousand may be false, not more. */
    look =
        look_at(&(struct made){.users = {1000, 1000, 1000},
                               .up = {500, 500, 500},
                               .more = ",\"srm_before\":{\"users\":[1000,1000,1000],\"p\":0.005}"});
    assert_false(json_bool(figures(look, "users", ""), "is_mismatch", true));
    cJSON_Delete(look);
    look = look_at(&(struct made){.users = {1000, 1000, 1000},
                                  .up = {500, 500, 500},
                                  .more = ",\"srm_before\":{\"users\":[2000,900,900],\"p\":0.5}"});
    assert_false(json_bool(figures(look, "users", ""), "is_mismatch", true));
    cJSON_Delete(look);
}

static void guardrails_hold(void **state)
{
    (void)state;
    cJSON *look =
        look_at(&(struct made){.users = {1000, 1000, 1000}, .up = {500, 500, 700}, .worse = 300});
    assert_string_equal(json_string(figures(look, "latency", "c"), "guardrail"), "crossed");
    assert_string_equal(json_string(figures(look, "latency", "b"), "guardrail"), "ok");
    assert_non_null(strstr(concluded(look, "guardrail"),
                           "guardrail latency: variant \"c\" has 1300 against 1000"));
    assert_null(concluded(look, "winner")); /* which it would be */
    cJSON_Delete(look);
    look = look_at(&(struct made){.users = {1000, 1000, 1000}, .up = {500, 500, 700}, .worse = 50});
    assert_string_equal(json_string(figures(look, "latency", "c"), "guardrail"), "ok");
    assert_null(concluded(look, "guardrail"));
    assert_string_equal(concluded(look, "winner"), "c");
    cJSON_Delete(look);
}

/* What only fails in one variant, and never in control, of which there is no share. */
static void a_variant_that_always_fails_is_stopped(void **state)
{
    static const char *const failed[] = {"0", "1000"};
    (void)state;
    for (int all = 0; all < 2; all++) {
        char text[1000];
        snprintf(
            text, sizeof text,
            "{\"min_users\":100,\"success_metric\":\"thumbs_up_rate\",\"variants\":[\"a\",\"b\"],"
            "\"weights\":[1,1],\"users\":[1000,1000],\"guardrails\":[{\"metric\":\"errors\","
            "\"max_worse\":0.5}],\"metrics\":[{\"metric\":\"errors\",\"kind\":\"ratio\","
            "\"better\":-1,\"sums\":[{\"users\":1000,\"sn\":2000,\"snn\":4000},{\"users\":1000,"
            "\"sx\":%s,\"sxx\":%s,\"sn\":1000,\"sxn\":%s,\"snn\":1000}]}]}",
            failed[all], failed[all], failed[all]);
        cJSON *sums = parsed(text), *look = experiment_look(sums);
        const char *guardrail = json_string(figures(look, "errors", "b"), "guardrail");
        assert_string_equal(guardrail, all ? "crossed" : "unknown");
        assert_true((concluded(look, "guardrail") != NULL) == all);
        cJSON_Delete(look);
        cJSON_Delete(sums);
    }
}

/* The more there are, the more each takes: one of them is soon crossed by chance. */
static void guardrails_are_adjusted_for_their_number(void **state)
{
    static const char four[] = ",{\"metric\":\"errors\",\"max_worse\":0.5},"
                               "{\"metric\":\"cost_per_answer\",\"max_worse\":0.5},"
                               "{\"metric\":\"regenerations\",\"max_worse\":0.5}";
    struct made m = {.users = {1000, 1000, 1000}, .up = {500, 500, 500}, .worse = 117.5};
    double lower[2];
    (void)state;
    for (int i = 0; i < 2; i++) {
        m.guards = i == 0 ? NULL : four;
        cJSON *look = look_at(&m);
        const cJSON *c = figures(look, "latency", "c");
        lower[i] = cJSON_GetArrayItem(cJSON_GetObjectItem(c, "guardrail_interval"), 0)->valuedouble;
        assert_string_equal(json_string(c, "guardrail"), i == 0 ? "crossed" : "ok");
        assert_true((concluded(look, "guardrail") != NULL) == (i == 0));
        /* Of one look at one metric nothing changes. */
        double plain =
            cJSON_GetArrayItem(cJSON_GetObjectItem(c, "relative_interval"), 0)->valuedouble;
        assert_true(plain > lower[i]);
        cJSON_Delete(look);
    }
    assert_true(lower[0] > .1 && lower[1] < .1);
}

static void earlier_looks_count(void **state)
{
    (void)state;
    const char *before = ",\"before\":[null,{\"p\":0.001,\"lower\":0.01,\"upper\":0.3},null]";
    cJSON *look = look_at(
        &(struct made){.users = {1000, 1000, 1000}, .up = {500, 520, 500}, .before = before});
    const cJSON *kept = cJSON_GetObjectItem(figures(look, "thumbs_up_rate", "b"), "always_valid");
    assert_true(json_number(kept, "p", 1) == 0.001);
    assert_true(fabs(json_number(kept, "adjusted_p", 1) - 0.002) < 1e-12); /* of two */
    assert_true(json_number(kept, "lower", 0) == 0.01);
    assert_string_equal(concluded(look, "winner"), "b");
    cJSON_Delete(look);
}

static void what_turned_round_wins_nothing(void **state)
{
    (void)state;
    const char *before = ",\"before\":[null,{\"p\":0.001,\"lower\":0.01,\"upper\":0.3},"
                         "{\"p\":0.001,\"lower\":0.01,\"upper\":0.3}]";
    expect_winner(
        &(struct made){.users = {1000, 1000, 1000}, .up = {500, 490, 490}, .before = before}, NULL,
        "no conclusion yet");
    /* Nor what is no more what it was. */
    before = ",\"before\":[null,{\"p\":0.001,\"lower\":0.2,\"upper\":0.3},null]";
    expect_winner(
        &(struct made){.users = {1000, 1000, 1000}, .up = {500, 520, 500}, .before = before}, NULL,
        "no conclusion yet");
}

static double chance_of(const struct made *m, const char *metric, const char *variant)
{
    cJSON *look = look_at(m);
    double chance = json_number(figures(look, metric, variant), "chance_to_prove", -1);
    cJSON_Delete(look);
    return chance;
}

/* Of the metric that decides, and as long as there is time. */
static void a_chance_is_told_while_there_is_time(void **state)
{
    struct made m = {.users = {1000, 1000, 1000}, .up = {500, 510, 550}, .worse = 5};
    (void)state;
    assert_true(chance_of(&m, "thumbs_up_rate", "b") == -1);
    m.more = ",\"elapsed\":1";
    assert_true(chance_of(&m, "thumbs_up_rate", "b") == -1);
    m.more = ",\"elapsed\":0.5";
    assert_true(chance_of(&m, "thumbs_up_rate", "a") == -1);
    assert_true(chance_of(&m, "latency", "b") == -1);
    double few = chance_of(&m, "thumbs_up_rate", "b"), many = chance_of(&m, "thumbs_up_rate", "c");
    assert_true(few > 0 && few < .1 && many > few && many < 1);
    /* Where less is better, more is the less likely to be proven. */
    m.decides = "latency";
    assert_true(chance_of(&m, "thumbs_up_rate", "b") == -1);
    assert_true(chance_of(&m, "latency", "c") < chance_of(&m, "latency", "b"));
    m.decides = NULL;
    /* What says nothing of who wins says nothing of this. */
    m.users[2] = 600;
    assert_true(chance_of(&m, "thumbs_up_rate", "b") == -1);
}

/* As many thumbs as users have to be there. */
static void few_answers_conclude_nothing(void **state)
{
    (void)state;
    struct made m = {.users = {1000, 1000, 1000}, .up = {300, 950, 300}, .thumbs = 90};
    expect_winner(&m, NULL, "not every variant has 100 of what thumbs_up_rate is a share of");
    m.thumbs = 100;
    expect_winner(&m, "b", "is better");
}

/* What Postgres gives back as it was written, digit by digit. */
static void overwhelming_evidence_is_short(void **state)
{
    (void)state;
    cJSON *look = look_at(&(struct made){.users = {2000, 2000, 2000}, .up = {1000, 1600, 1000}});
    const cJSON *valid =
        cJSON_GetObjectItemCaseSensitive(figures(look, "thumbs_up_rate", "b"), "always_valid");
    assert_true(fabs(json_number(valid, "p", 1) - 1e-30) < 1e-40);
    assert_string_equal(concluded(look, "winner"), "b");
    cJSON_Delete(look);
}

static void nonsense_is_refused(void **state)
{
    static const char *const odd[] = {"{}", "{\"variants\":[]}", "{\"variants\":[\"a\"]}",
                                      "{\"variants\":7}", "[]"};
    (void)state;
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        cJSON *sums = parsed(odd[i]);
        assert_null(experiment_look(sums));
        cJSON_Delete(sums);
    }
    cJSON *sums =
        parsed("{\"variants\":[1,2],\"users\":[\"x\",null],\"weights\":5,\"metrics\":[3,{},{"
               "\"metric\":\"m\",\"kind\":\"ratio\","
               "\"sums\":[{\"users\":-1,\"sx\":1e300,\"sxx\":-5},7]}],\"guardrails\":[8]}");
    cJSON *look = experiment_look(sums);
    assert_non_null(look);
    assert_null(concluded(look, "winner"));
    cJSON_Delete(look);
    cJSON_Delete(sums);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_better_one_wins),
        cmocka_unit_test(not_before_there_are_enough),
        cmocka_unit_test(edges_have_a_reason),
        cmocka_unit_test(users_who_are_missing_are_noticed),
        cmocka_unit_test(guardrails_hold),
        cmocka_unit_test(a_variant_that_always_fails_is_stopped),
        cmocka_unit_test(guardrails_are_adjusted_for_their_number),
        cmocka_unit_test(earlier_looks_count),
        cmocka_unit_test(what_turned_round_wins_nothing),
        cmocka_unit_test(few_answers_conclude_nothing),
        cmocka_unit_test(a_chance_is_told_while_there_is_time),
        cmocka_unit_test(overwhelming_evidence_is_short),
        cmocka_unit_test(nonsense_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
