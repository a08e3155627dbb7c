/* The model of thumbs: it finds what made them, says what that is worth, and refuses too little. */
#include "batch/thumbs.h"
#include "common/json.h"
#include "unit.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* The same numbers on every machine: Numerical Recipes' generator. */
static double chance(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return (double)(*seed >> 8) / (1 << 24);
}

/* What is true of the made-up answers. */
static double truth(const struct thumb_answer *a)
{
    double odds = 0.3 - 0.5 * (a->severity - 3.5);
    if (a->levels[THUMB_COACH] != NULL && strcmp(a->levels[THUMB_COACH], "loud") == 0)
        odds -= 1.2;
    return logit_probability(odds);
}

static struct thumb_answer make(uint32_t *seed, int i)
{
    static const char *const coaches[] = {"loud", "calm", NULL};
    struct thumb_answer a = {.levels = {coaches[i % 3], "default", "m-1"},
                             .severity = 1 + 5 * chance(seed),
                             .length = floor(2000 * chance(seed)),
                             .latency_ms = i % 7 == 0 ? -1 : floor(9000 * chance(seed)),
                             .earlier = i % 5,
                             .earlier_up = i % 5 / 2,
                             .part = i % 10};
    a.is_up = chance(seed) < truth(&a);
    return a;
}

static struct thumb_set *some(size_t count, uint32_t seed)
{
    struct thumb_set *set = thumb_set_new(count);
    assert_non_null(set);
    for (size_t i = 0; i < count; i++) {
        struct thumb_answer a = make(&seed, (int)i);
        assert_true(thumb_set_add(set, &a));
    }
    return set;
}

static void found(void **state)
{
    struct thumb_set *set = some(30000, 7);
    struct thumb_model m;
    struct thumb_training t;
    uint32_t seed = 99;
    double worst = 0;
    (void)state;
    assert_null(thumb_train(set, &m, &t));
    assert_int_equal(t.rows[THUMB_TRAIN], 18000);
    assert_int_equal(t.rows[THUMB_CALIBRATE], 6000);
    assert_int_equal(t.scores.rows, 6000);
    assert_int_equal(m.level_counts[THUMB_COACH], 2);
    assert_true(t.scores.log_loss < t.scores.base_log_loss - 0.05);
    assert_true(t.scores.auc > 0.7 && t.scores.ece < 0.03);
    for (int i = 0; i < 1000; i++) {
        struct thumb_answer a = make(&seed, i);
        double far = fabs(thumb_model_probability(&m, &a) - truth(&a));
        worst = far > worst ? far : worst;
    }
    assert_true(worst < 0.08);
    thumb_set_free(set);
}

static void kept(void **state)
{
    struct thumb_set *set = some(3000, 8);
    struct thumb_model m, again;
    struct thumb_training t;
    uint32_t seed = 5;
    (void)state;
    assert_null(thumb_train(set, &m, &t));
    cJSON *json = thumb_model_write(&m);
    assert_non_null(json);
    assert_true(thumb_model_read(json, &again));
    for (int i = 0; i < 100; i++) {
        struct thumb_answer a = make(&seed, i);
        assert_true(fabs(thumb_model_probability(&m, &a) - thumb_model_probability(&again, &a)) <
                    1e-12);
    }
    struct thumb_answer strange = {.levels = {"nobody", "nothing", NULL},
                                   .severity = -1,
                                   .length = 1e9,
                                   .latency_ms = -1,
                                   .earlier = 1e6,
                                   .earlier_up = 1e6};
    double p = thumb_model_probability(&again, &strange);
    assert_true(p >= 0.001 && p <= 0.999);
    cJSON_ReplaceItemInObjectCaseSensitive(json, "prior_rate", cJSON_CreateNumber(1));
    assert_false(thumb_model_read(json, &again));
    assert_false(thumb_model_read(NULL, &again));
    cJSON_Delete(json);
    thumb_set_free(set);
}

static void too_few(void **state)
{
    struct thumb_set *set = thumb_set_new(10000);
    struct thumb_model m;
    struct thumb_training t;
    uint32_t seed = 1;
    (void)state;
    assert_non_null(set);
    assert_non_null(thumb_train(set, &m, &t)); /* none at all */
    for (int i = 0; i < 1000; i++) {
        struct thumb_answer a = make(&seed, i);
        a.part = i % 8; /* nobody to validate with */
        assert_true(thumb_set_add(set, &a));
    }
    assert_non_null(strstr(thumb_train(set, &m, &t), "10 thumbs up"));
    assert_int_equal(t.rows[THUMB_VALIDATE], 0);
    for (int i = 0; i < 1000; i++) { /* nor, of the others, anybody who liked nothing */
        struct thumb_answer a = make(&seed, i);
        a.part = 9;
        a.is_up = true;
        assert_true(thumb_set_add(set, &a));
    }
    assert_non_null(thumb_train(set, &m, &t));
    thumb_set_free(set);
}

static void full(void **state)
{
    struct thumb_set *set = thumb_set_new(3);
    uint32_t seed = 1;
    (void)state;
    assert_non_null(set);
    for (int i = 0; i < 4; i++) {
        struct thumb_answer a = make(&seed, i);
        assert_int_equal(thumb_set_add(set, &a), i < 3);
    }
    assert_int_equal(thumb_set_count(set), 3);
    thumb_set_free(set);
}

static void many_levels(void **state)
{
    /* More than are counted: those that came first, and are frequent, have a feature. */
    struct thumb_set *set = thumb_set_new(10000);
    struct thumb_model m;
    struct thumb_training t;
    uint32_t seed = 3;
    (void)state;
    assert_non_null(set);
    for (int i = 0; i < 10000; i++) {
        char name[2 * THUMBS_NAME];
        struct thumb_answer a = make(&seed, i);
        memset(name, 'x', sizeof name);
        snprintf(name, sizeof name, "model %d", i < 5000 ? i % 25 : i);
        a.levels[THUMB_MODEL] = name;
        assert_true(thumb_set_add(set, &a));
    }
    assert_null(thumb_train(set, &m, &t));
    assert_int_equal(m.level_counts[THUMB_MODEL], THUMB_LEVELS);
    thumb_set_free(set);
}

static void answers(void **state)
{
    static const struct {
        const char *json;
        bool good;
    } rows[] = {
        {"{\"coach\":\"c\",\"severity\":2.5,\"length\":10,\"latency_ms\":null,\"earlier\":2,"
         "\"earlier_up\":1,\"part\":3,\"helpful\":true}",
         true},
        {"{\"length\":10,\"earlier\":1,\"earlier_up\":2,\"part\":3}", false},
        {"{\"length\":10,\"part\":10}", false},
        {"{\"length\":10}", false},
        {"[]", false}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct thumb_answer a;
        cJSON *row = cJSON_Parse(rows[i].json);
        assert_int_equal(thumb_answer_read(row, &a), rows[i].good);
        if (rows[i].good)
            assert_true(a.is_up && a.latency_ms < 0 && a.severity > 2.4 &&
                        strcmp(a.levels[THUMB_COACH], "c") == 0 && a.levels[THUMB_MODE] == NULL);
        cJSON_Delete(row);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(found), cmocka_unit_test(kept),        cmocka_unit_test(too_few),
    cmocka_unit_test(full),  cmocka_unit_test(many_levels), cmocka_unit_test(answers),
};
UNIT_MAIN(tests)
