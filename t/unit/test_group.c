/* Writing a group to Postgres when not all of it can be written. Postgres is played by this file.
 */
#include "chat/record/group.h"
#include "common/clock.h"
#include "common/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* --- a Postgres that reads its orders from the rows: {"id":..., "do":"bad"|"lock"|"away"|"full"}
 * --- */

/* Parameters of rows_statement that are looked at, by their places. */
enum { IDS = 0, PROMPTS = 7, PERSONAL = 8, MESSAGES = 9, RESPONSES = 10, MORE = 26, SHARED = 27 };

struct pg {
    const char *sqlstate;
    int calls, rejected;
    int lock_wait_ms;
    bool refuse_reject;
    bool lives;         /* and was only slow, where there was no answer */
    char committed[64]; /* the "n" of each committed row, as letters */
    int rows_first_call;
    const char *refuse_once;         /* SQLSTATE for the next call that records chats */
    const char *refuse_always;       /* and for all of them */
    char arrays[PG_PARAMS_MAX][256]; /* of the last such call: "a;-;" for {a, null} */
    char rejected_row[1024];
};

static enum pg_outcome fake_record(struct pg *pg, const char *json)
{
    struct json_error error;
    cJSON *array = json_parse(json, strlen(json), &error);
    assert_non_null(array); /* each slice must be a whole array */
    if (pg->calls++ == 0)
        pg->rows_first_call = cJSON_GetArraySize(array);
    enum pg_outcome outcome = PG_DONE;
    const cJSON *row;
    cJSON_ArrayForEach (row, array) {
        const char *order = json_string(row, "do");
        if (order == NULL)
            continue;
        outcome = PG_REFUSED;
        if (strcmp(order, "bad") == 0)
            pg->sqlstate = "22P02";
        if (strcmp(order, "full") == 0)
            pg->sqlstate = "53100";
        if (strcmp(order, "slow") == 0)
            pg->sqlstate = "57014";
        if (strcmp(order, "stopping") == 0)
            pg->sqlstate = "57P01";
        if (strcmp(order, "away") == 0)
            outcome = PG_AWAY;
        if (strcmp(order, "lock") == 0) {
            pg->sqlstate = "55P03";
            usleep((useconds_t)pg->lock_wait_ms * 1000);
        }
        break;
    }
    if (outcome == PG_DONE)
        cJSON_ArrayForEach (row, array)
            if (json_string(row, "n") != NULL)
                strncat(pg->committed, json_string(row, "n"), 1);
    cJSON_Delete(array);
    return outcome;
}

void pg_arrays_init(struct pg_arrays *a, size_t max)
{
    a->count = 0;
    buf_init(&a->data, max);
}

void pg_arrays_clear(struct pg_arrays *a, size_t keep)
{
    (void)keep;
    a->count = 0;
    buf_clear(&a->data);
}

void pg_arrays_begin(struct pg_arrays *a, size_t elements)
{
    (void)elements;
    a->offset[a->count++] = a->data.len;
}

void pg_arrays_put(struct pg_arrays *a, const char *text, size_t len)
{
    if (text == NULL)
        buf_puts(&a->data, "-;");
    else
        buf_printf(&a->data, "%.*s;", (int)len, text);
}

bool pg_arrays_end(struct pg_arrays *a)
{
    for (int i = 0; i < a->count; i++) {
        size_t end = i + 1 < a->count ? a->offset[i + 1] : a->data.len;
        a->values[i] = a->data.data + a->offset[i];
        a->lengths[i] = (int)(end - a->offset[i]);
    }
    return !a->data.failed;
}

/* Chats; one that says "bad" cannot be taken. */
enum pg_outcome pg_call_binary(struct pg *pg, const struct pg_statement *statement,
                               const char *const *values, const int *lengths, PGresult **result)
{
    *result = NULL;
    assert_string_equal(statement->name, "record_chats");
    pg->calls++;
    for (int i = 0; i < statement->params; i++)
        snprintf(pg->arrays[i], sizeof pg->arrays[i], "%.*s", lengths[i], values[i]);
    pg->sqlstate = pg->refuse_once;
    pg->refuse_once = NULL;
    if (pg->sqlstate == NULL)
        pg->sqlstate = pg->refuse_always;
    if (pg->sqlstate == NULL && strstr(pg->arrays[MESSAGES], "bad;") != NULL)
        pg->sqlstate = "22P02";
    return pg->sqlstate != NULL ? PG_REFUSED : PG_DONE;
}

enum pg_outcome pg_call(struct pg *pg, const struct pg_statement *statement,
                        const char *const *values, PGresult **result)
{
    *result = NULL;
    if (strcmp(statement->name, "record_answers") == 0)
        return fake_record(pg, values[0]);
    assert_string_equal(statement->name, "reject_answer");
    struct json_error error;
    cJSON *row = json_parse(values[0], strlen(values[0]), &error);
    assert_non_null(row);
    snprintf(pg->rejected_row, sizeof pg->rejected_row, "%s", values[0]);
    assert_non_null(strstr(values[1], pg->sqlstate));
    cJSON_Delete(row);
    if (pg->refuse_reject) {
        pg->sqlstate = "42883";
        return PG_REFUSED;
    }
    pg->rejected++;
    return PG_DONE;
}

bool pg_only_slow(struct pg *pg)
{
    return pg->lives;
}

const char *pg_sqlstate(const struct pg *pg)
{
    return pg->sqlstate;
}

const char *pg_message_to_log(const struct pg *pg)
{
    (void)pg;
    return "";
}

const char *pg_message(const struct pg *pg)
{
    (void)pg;
    return "as the test wants it";
}

/* --- helpers --- */

/* One letter a row: . good, b bad, l locked, a away, s server stopping, t out of
 * time, f disk full. */
static void fill(struct group *g, const char *rows)
{
    assert_true(group_init(g, 64));
    for (size_t i = 0; rows[i] != '\0'; i++) {
        const char *order = "";
        char json[256];
        switch (rows[i]) {
        case 'b':
            order = ",\"do\":\"bad\"";
            break;
        case 'l':
            order = ",\"do\":\"lock\"";
            break;
        case 'a':
            order = ",\"do\":\"away\"";
            break;
        case 's':
            order = ",\"do\":\"stopping\"";
            break;
        case 't':
            order = ",\"do\":\"slow\"";
            break;
        case 'f':
            order = ",\"do\":\"full\"";
            break;
        }
        int len = snprintf(json, sizeof json,
                           "{\"id\":\"0190b0a0-0000-7000-8000-%012zu\",\"n\":\"%c\"%s}", i,
                           "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"[i], order);
        assert_true(group_add_text(g, json, (size_t)len));
    }
}

/* The states as letters: C committed, R rejected, B busy, S slow, A away, W waiting. */
static void assert_states(const struct group *g, const char *expected)
{
    char states[65] = "";
    for (size_t i = 0; i < g->count; i++)
        states[i] = "WCRBSA"[g->items[i].state];
    assert_string_equal(states, expected);
}

static struct chat *chat_of(const char *id, const char *shared, const char *personal,
                            const char *message, const char *answer)
{
    struct chat *c = chat_new(NULL);
    assert_non_null(c);
    snprintf(c->id_text, sizeof c->id_text, "%s", id);
    assert_true(chat_set_prompt(c, shared, personal));
    c->user_message = strdup(message);
    c->outcome = CHAT_COMPLETE;
    assert_true(buf_puts(&c->text, answer));
    return c;
}

/* What the arrays of the last call have of one column. */
#define assert_array(pg, column, expected) assert_string_equal((pg).arrays[column], expected)

/* Chats go as arrays, and a prompt that they share once, until it is there. */
static void test_chats(void **state)
{
    (void)state;
    struct group g;
    struct pg pg = {0};
    struct chat *a = chat_of("a", "You are Maple.", " She runs.", "why?", "because");
    struct chat *b = chat_of("b", "You are Maple.", NULL, "how?", "so");
    struct chat *c = chat_of("c", "You are Decibel.", NULL, "when?", "");
    c->degraded = true;
    c->attempt_count = 2;
    assert_true(group_init(&g, 64));
    assert_true(group_add_chat(&g, a));
    assert_true(group_add_chat(&g, b));
    assert_int_equal(g.bytes, strlen("You are Maple. She runs.why?because") +
                                  strlen("You are Maple.how?so"));
    assert_int_equal(group_store(&g, &pg, 1000, NULL, NULL), PG_DONE);
    assert_states(&g, "CC");
    assert_array(pg, IDS, "a;b;");
    assert_array(pg, PERSONAL, " She runs.;-;");
    assert_array(pg, MESSAGES, "why?;how?;");
    assert_array(pg, RESPONSES, "because;so;");
    assert_array(pg, MORE, "-;-;");
    assert_array(pg, SHARED, "You are Maple.;");
    /* The first half of: printf 'You are Maple.' | sha256sum */
    assert_array(pg, PROMPTS,
                 "63ec0ac7-5c84-7b48-384b-e1e1e59ef0d1;63ec0ac7-5c84-7b48-384b-e1e1e59ef0d1;");

    group_clear(&g);
    assert_true(group_add_chat(&g, b));
    assert_true(group_add_chat(&g, c));
    assert_int_equal(group_store(&g, &pg, 1000, NULL, NULL), PG_DONE);
    assert_array(pg, SHARED, "You are Decibel.;");
    assert_array(pg, MORE, "-;{\"degraded\":true,\"tries\":2};");

    /* Another database than before, which lacks them. */
    pg.refuse_once = "UX001";
    pg.calls = 0;
    assert_int_equal(group_store(&g, &pg, 1000, NULL, NULL), PG_DONE);
    assert_int_equal(pg.calls, 2);
    assert_states(&g, "CC");
    assert_array(pg, SHARED, "You are Maple.;You are Decibel.;");
    group_release(&g);
    chat_free(a);
    chat_free(b);
    chat_free(c);
}

/* One that cannot be taken is kept whole for an administrator. */
static void test_bad_chat(void **state)
{
    (void)state;
    struct group g;
    struct pg pg = {0};
    struct chat *a = chat_of("a", "You are Maple.", " She runs.", "bad", "because");
    struct chat *b = chat_of("b", "You are Maple.", NULL, "how?", "so");
    assert_true(group_init(&g, 64));
    assert_true(group_add_chat(&g, a));
    assert_true(group_add_chat(&g, b));
    assert_int_equal(group_store(&g, &pg, 1000, NULL, NULL), PG_DONE);
    assert_states(&g, "RC");
    assert_non_null(strstr(pg.rejected_row, "\"shared_prompt\":\"You are Maple.\","
                                            "\"personal_prompt\":\" She runs.\""));
    assert_non_null(strstr(pg.rejected_row, "\"ai_response\":\"because\""));
    group_release(&g);
    chat_free(a);
    chat_free(b);
}

/* A budget that is deleted while what was spent of it is written down. */
static void test_what_it_refers_to_is_gone(void **state)
{
    (void)state;
    struct group g;
    struct pg pg = {.refuse_once = "23503"};
    struct chat *a = chat_of("a", "You are Maple.", NULL, "how?", "because");
    assert_true(group_init(&g, 64));
    assert_true(group_add_chat(&g, a));
    assert_int_equal(group_store(&g, &pg, 1000, NULL, NULL), PG_DONE);
    assert_states(&g, "C");
    assert_int_equal(pg.rejected, 0);

    pg.calls = 0;
    pg.refuse_always = "23503";
    group_clear(&g);
    assert_true(group_add_chat(&g, a));
    assert_int_equal(group_store(&g, &pg, 1000, NULL, NULL), PG_DONE);
    assert_states(&g, "R");
    assert_int_equal(pg.calls, 2);
    group_release(&g);
    chat_free(a);
}

static void test_good_group_is_one_call(void **state)
{
    (void)state;
    struct group g;
    struct pg pg = {0};
    fill(&g, ".....");
    assert_int_equal(group_store(&g, &pg, 1000, NULL, NULL), PG_DONE);
    assert_states(&g, "CCCCC");
    assert_int_equal(pg.calls, 1);
    assert_string_equal(pg.committed, "abcde");
    group_clear(&g);
    assert_int_equal(group_store(&g, &pg, 1000, NULL, NULL), PG_DONE);
    assert_int_equal(pg.calls, 1);
    group_release(&g);
}

static void test_bad_rows_are_rejected_alone(void **state)
{
    (void)state;
    static const struct {
        const char *rows, *states, *committed;
    } cases[] = {{"b", "R", ""},
                 {"b....", "RCCCC", "bcde"},
                 {"....b", "CCCCR", "abcd"},
                 {".b..b.", "CRCCRC", "acdf"},
                 {"bbb", "RRR", ""}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct group g;
        struct pg pg = {0};
        fill(&g, cases[i].rows);
        char *before = strdup(g.text.data);
        assert_int_equal(group_store(&g, &pg, 1000, NULL, NULL), PG_DONE);
        assert_states(&g, cases[i].states);
        assert_string_equal(pg.committed, cases[i].committed);
        assert_string_equal(g.text.data, before); /* slices were put back */
        free(before);
        group_release(&g);
    }
}

static void test_one_bad_row_costs_a_logarithm(void **state)
{
    (void)state;
    struct group g;
    struct pg pg = {0};
    fill(&g, "................b...............");
    assert_int_equal(group_store(&g, &pg, 1000, NULL, NULL), PG_DONE);
    assert_int_equal(pg.rejected, 1);
    assert_in_range(pg.calls, 1, 11);
    group_release(&g);
}

static void test_a_row_that_cannot_even_be_rejected_waits(void **state)
{
    (void)state;
    struct group g;
    struct pg pg = {.refuse_reject = true};
    fill(&g, ".b.");
    assert_int_equal(group_store(&g, &pg, 1000, NULL, NULL), PG_DONE);
    assert_states(&g, "CBC");
    group_release(&g);
}

static void count_progress(void *arg)
{
    ++*(int *)arg;
}

static void test_a_locked_row_is_left_for_later(void **state)
{
    (void)state;
    struct group g;
    struct pg pg = {.lock_wait_ms = 1};
    int progress = 0;
    fill(&g, "..l..");
    assert_int_equal(group_store(&g, &pg, 1000, count_progress, &progress), PG_DONE);
    assert_states(&g, "CCBCC");
    assert_int_equal(progress, 1);
    assert_int_equal(pg.calls, 6);
    group_release(&g);
}

static void test_patience_with_locks_ends(void **state)
{
    (void)state;
    struct group g;
    struct pg pg = {.lock_wait_ms = 30};
    fill(&g, "llllllllllllllllllllllllllllllll");
    int64_t began = clock_ms();
    assert_int_equal(group_store(&g, &pg, 60, NULL, NULL), PG_DONE);
    assert_states(&g, "BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB");
    assert_in_range(pg.calls, 2, 6);
    assert_true(clock_ms() - began < 500);
    group_release(&g);
}

static void test_away_in_the_middle(void **state)
{
    (void)state;
    struct group g;
    struct pg pg = {0};
    fill(&g, "..b.a...");
    /* The first half is decided before the second half meets the end of the connection. */
    assert_int_equal(group_store(&g, &pg, 1000, NULL, NULL), PG_AWAY);
    assert_states(&g, "CCRCAAAA");
    group_release(&g);

    struct pg stopping = {0};
    fill(&g, ".s.");
    assert_int_equal(group_store(&g, &stopping, 1000, NULL, NULL), PG_AWAY);
    assert_states(&g, "AAA");
    group_release(&g);
}

/* The server ended it, or lets others in and did not answer: it is not away, and the rest is not
 * tried, which would take as long again. */
static void test_what_takes_too_long_is_not_away(void **state)
{
    (void)state;
    struct group g;
    struct pg pg = {0};
    fill(&g, "..t..");
    assert_int_equal(group_store(&g, &pg, 1000, NULL, NULL), PG_REFUSED);
    assert_states(&g, "SSSSS");
    assert_int_equal(pg.calls, 1);
    group_release(&g);

    struct pg silent = {.lives = true};
    fill(&g, ".b.a....");
    assert_int_equal(group_store(&g, &silent, 1000, NULL, NULL), PG_REFUSED);
    assert_states(&g, "CRSSSSSS");
    group_release(&g);
}

static void test_a_full_server_disk_is_no_fault_of_the_rows(void **state)
{
    (void)state;
    struct group g;
    struct pg pg = {0};
    fill(&g, ".f.");
    assert_int_equal(group_store(&g, &pg, 1000, NULL, NULL), PG_DONE);
    assert_states(&g, "BBB");
    assert_int_equal(pg.calls, 1);
    group_release(&g);
}

static void test_full_by_bytes_and_by_count(void **state)
{
    (void)state;
    struct group g;
    assert_true(group_init(&g, 2));
    assert_true(group_add_text(&g, "{}", 2));
    assert_false(group_full(&g));
    assert_true(group_add_text(&g, "{}", 2));
    assert_true(group_full(&g));
    group_clear(&g);
    assert_false(group_full(&g));
    char *large = malloc(GROUP_BYTES);
    assert_non_null(large);
    memset(large, ' ', GROUP_BYTES);
    large[0] = '{';
    large[GROUP_BYTES - 1] = '}';
    assert_true(group_add_text(&g, large, GROUP_BYTES));
    assert_true(group_full(&g));
    struct pg pg = {0};
    free(large);
    group_release(&g);
    (void)pg;
}

static void test_a_row_beyond_the_limit_leaves_the_group_whole(void **state)
{
    (void)state;
    struct group g;
    struct pg pg = {0};
    fill(&g, "..");
    size_t len = GROUP_ROW_MAX + 1;
    char *huge = calloc(1, len);
    assert_non_null(huge);
    assert_false(group_add_text(&g, huge, len));
    free(huge);
    assert_int_equal(g.count, 2);
    assert_int_equal(group_store(&g, &pg, 1000, NULL, NULL), PG_DONE);
    assert_states(&g, "CC");
    group_release(&g);
}

static void test_classes(void **state)
{
    (void)state;
    static const struct {
        const char *sqlstate;
        enum group_error error;
    } cases[] = {
        {"22P02", GROUP_ERROR_DATA}, {"23503", GROUP_ERROR_DATA}, {"P0001", GROUP_ERROR_DATA},
        {"UP403", GROUP_ERROR_DATA}, {"55P03", GROUP_ERROR_LOCK}, {"40P01", GROUP_ERROR_LOCK},
        {"40001", GROUP_ERROR_LOCK}, {"57P01", GROUP_ERROR_AWAY}, {"57P03", GROUP_ERROR_AWAY},
        {"53300", GROUP_ERROR_AWAY}, {"08006", GROUP_ERROR_AWAY}, {"57014", GROUP_ERROR_SLOW},
        {"53100", GROUP_ERROR_BUSY}, {"25006", GROUP_ERROR_BUSY}, {"42883", GROUP_ERROR_BUSY},
        {"58030", GROUP_ERROR_BUSY}, {"", GROUP_ERROR_BUSY},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(group_classify(cases[i].sqlstate), cases[i].error);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_group_is_one_call),
        cmocka_unit_test(test_chats),
        cmocka_unit_test(test_bad_chat),
        cmocka_unit_test(test_what_it_refers_to_is_gone),
        cmocka_unit_test(test_bad_rows_are_rejected_alone),
        cmocka_unit_test(test_one_bad_row_costs_a_logarithm),
        cmocka_unit_test(test_a_row_that_cannot_even_be_rejected_waits),
        cmocka_unit_test(test_a_locked_row_is_left_for_later),
        cmocka_unit_test(test_patience_with_locks_ends),
        cmocka_unit_test(test_away_in_the_middle),
        cmocka_unit_test(test_what_takes_too_long_is_not_away),
        cmocka_unit_test(test_a_full_server_disk_is_no_fault_of_the_rows),
        cmocka_unit_test(test_full_by_bytes_and_by_count),
        cmocka_unit_test(test_a_row_beyond_the_limit_leaves_the_group_whole),
        cmocka_unit_test(test_classes),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
