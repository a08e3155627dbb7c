/* The last known personas: bands, defaults, and a file that may be missing or broken. */
#include "chat/snapshot/persona.h"
#include "common/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* No test here asks Postgres; test_recorder does. */
enum pg_outcome pg_call(struct pg *pg, const struct pg_statement *statement,
                        const char *const *values, PGresult **result)
{
    (void)pg, (void)statement, (void)values, (void)result;
    return PG_AWAY;
}

const char *pg_sqlstate(const struct pg *pg)
{
    (void)pg;
    return "";
}

const char *pg_message(const struct pg *pg)
{
    (void)pg;
    return "";
}

static char dir[64], path[96];

static int setup(void **state)
{
    (void)state;
    strcpy(dir, "/tmp/uplift-persona-XXXXXX");
    if (mkdtemp(dir) == NULL)
        return 1;
    snprintf(path, sizeof path, "%s/personas.json", dir);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(dir);
}

static struct personas *with_file(const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    struct personas *p = personas_new(dir);
    assert_non_null(p);
    return p;
}

#define ONE(coach, band, mode)                                                                     \
    "{\"coach_id\":\"" coach "\",\"name\":\"N\",\"severity_band\":" #band ",\"mode\":\"" mode      \
    "\",\"opening\":\"" coach " is \",\"personality\":\"kind\",\"rules\":\", \","                  \
    "\"tone\":\" " mode " " #band "\"}"

static const char three_coaches[] =
    "{\"coaches\":{\"object\":\"list\",\"data\":[{\"id\":\"alpha\",\"default\":false},"
    "{\"id\":\"beta\",\"default\":true}]},\"personas\":[" ONE("alpha", 1, "default") "," ONE(
        "alpha", 3,
        "default") "," ONE("alpha", 6,
                           "default") "," ONE("beta", 3,
                                              "default") "," ONE("beta", 3,
                                                                 "roast") "," ONE("beta", 3,
                                                                                  "gym") "]}";

static struct persona_found find(struct personas *p, const struct persona_wish *wish)
{
    struct persona_found found;
    assert_true(personas_find(p, wish, &found));
    return found;
}

static void release(struct persona_found *found)
{
    free(found->coach_id);
    free(found->mode);
    free(found->prompt);
}

/* mode is what is asked for, and what the answer is told to be of where it is another. */
static void assert_finds(struct personas *p, const char *coach, const char *severity,
                         const char *mode, const char *prompt, const char *used_mode)
{
    struct persona_found found =
        find(p, &(struct persona_wish){.coach_id = coach, .severity = severity, .mode = mode});
    assert_string_equal(found.prompt, prompt);
    assert_string_equal(found.mode, used_mode);
    assert_true(found.is_known);
    release(&found);
}

static void assert_nothing_known(struct personas *p)
{
    struct persona_found found = find(p, &(struct persona_wish){.personality = "odd"});
    assert_null(found.coach_id);
    assert_false(found.is_known);
    assert_string_equal(found.mode, "default");
    assert_true(strlen(found.prompt) > 10);
    assert_null(strstr(found.prompt, "odd"));
    release(&found);
}

static void test_bands(void **state)
{
    (void)state;
    static const struct {
        double severity;
        int band;
    } cases[] = {{1.0, 1}, {1.5, 1}, {1.6, 2}, {2.5, 2}, {2.6, 3}, {3.0, 3}, {3.5, 3}, {3.6, 4},
                 {4.5, 4}, {4.6, 5}, {5.5, 5}, {5.6, 6}, {6.0, 6}, {0.0, 1}, {99, 6}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(persona_band(cases[i].severity), cases[i].band);
}

static void test_nothing_known(void **state)
{
    (void)state;
    struct personas *p = personas_new(dir);
    assert_nothing_known(p);
    struct persona_found found =
        find(p, &(struct persona_wish){.coach_id = "any", .severity = "3.0", .mode = "gym"});
    assert_string_equal(found.coach_id, "any");
    assert_string_equal(found.mode, "default");
    release(&found);
    assert_null(personas_coaches_json(p));
    personas_free(p);
}

static void test_finds(void **state)
{
    (void)state;
    struct personas *p = with_file(three_coaches);
    assert_finds(p, NULL, NULL, NULL, "beta is kind, 3.0 default 3", "default");
    assert_finds(p, "alpha", NULL, NULL, "alpha is kind, 3.0 default 3", "default");
    assert_finds(p, "alpha", "5.6", "default", "alpha is kind, 5.6 default 6", "default");
    assert_finds(p, "alpha", "1.0", "default", "alpha is kind, 1.0 default 1", "default");
    assert_finds(p, "alpha", "not a number", "default", "alpha is kind, 3.0 default 3", "default");
    assert_finds(p, "beta", "6", "gym", "beta is kind, 6.0 gym 3", "gym");
    assert_finds(p, "alpha", "3", "gym", "alpha is kind, 3.0 default 3", "default");
    struct persona_found found;
    assert_false(personas_find(p, &(struct persona_wish){.coach_id = "gamma"}, &found));
    assert_null(found.coach_id);
    assert_null(found.mode);
    assert_null(found.prompt);
    personas_free(p);
}

static void test_another_personality(void **state)
{
    (void)state;
    struct personas *p = with_file(three_coaches);
    struct persona_found found = find(
        p, &(struct persona_wish){
               .coach_id = "beta", .severity = "2.5", .mode = "gym", .personality = "a % pirate"});
    assert_string_equal(found.prompt, "beta is a % pirate, 2.5 gym 3");
    release(&found);
    personas_free(p);
}

static void test_roast_needs_a_consent_that_nobody_can_check(void **state)
{
    (void)state;
    struct personas *p = with_file(three_coaches);
    assert_finds(p, "beta", "3.0", "roast", "beta is kind, 3.0 default 3", "default");
    personas_free(p);
}

static void test_default_coach(void **state)
{
    (void)state;
    struct personas *p = with_file("{\"coaches\":null,\"personas\":[" ONE(
        "alpha", 3, "default") "," ONE("coach_decibel_avatar", 3, "default") "]}");
    assert_finds(p, NULL, NULL, NULL, "coach_decibel_avatar is kind, 3.0 default 3", "default");
    personas_free(p);
    p = with_file("{\"coaches\":null,\"personas\":[" ONE("alpha", 3, "default") "]}");
    assert_finds(p, NULL, NULL, NULL, "alpha is kind, 3.0 default 3", "default");
    personas_free(p);
}

static void test_broken_files_are_as_none(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "{",
        "[]",
        "{\"personas\":[]}",
        "{\"personas\":3}",
        "null",
        ("{\"personas\":[{\"coach_id\":\"a\",\"name\":\"A\",\"severity_band\":3,"
         "\"mode\":\"default\",\"personality\":\"kind\"}]}")};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct personas *p = with_file(texts[i]);
        assert_nothing_known(p);
        personas_free(p);
    }
}

static void test_away_keeps_what_is_known(void **state)
{
    (void)state;
    struct personas *p = with_file(three_coaches);
    assert_int_equal(personas_refresh(p, NULL), PG_AWAY);
    assert_finds(p, NULL, NULL, NULL, "beta is kind, 3.0 default 3", "default");
    char *json = personas_coaches_json(p);
    assert_non_null(strstr(json, "\"beta\""));
    free(json);
    personas_free(p);
}

int main(void)
{
#define persona_test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    static const struct CMUnitTest tests[] = {
        persona_test(test_bands),
        persona_test(test_nothing_known),
        persona_test(test_finds),
        persona_test(test_another_personality),
        persona_test(test_roast_needs_a_consent_that_nobody_can_check),
        persona_test(test_default_coach),
        persona_test(test_broken_files_are_as_none),
        persona_test(test_away_keeps_what_is_known),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
