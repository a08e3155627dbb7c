/* The recorder and its loader against a real Postgres: groups, bad rows, held locks, Postgres away,
 * back and frozen, and a disk that is full. The relay is played by this file, the SQL functions by
 * the few lines below. */
#include "chat/record/recorder.h"
#include "chat/record/spool.h"
#include "chat/relay/relay.h"
#include "chat/snapshot/persona.h"
#include "cluster.h"
#include "common/clock.h"

#include <dirent.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define USER "00000000-0000-7000-8000-000000000001"

static const char schema[] =
    "create schema uplift; create schema uplift_chat;"
    "create table uplift.answers (id uuid primary key, message text, tx bigint default "
    "txid_current());"
    "create table uplift.rejected (answer json, reason text);"
    "create table uplift.thumbs (event_id uuid primary key, answer_id uuid, changes jsonb, known "
    "boolean);"
    "create function uplift_chat.record_chats(p_ids uuid[], p_user_ids uuid[], p_conversation_ids "
    "uuid[], "
    "p_created_at timestamptz[], p_coach_ids text[], p_severities numeric[], p_modes text[], "
    "p_prompt_ids uuid[], p_personal_prompts text[], p_user_messages text[], p_ai_responses "
    "text[], "
    "p_outcomes text[], p_models text[], p_providers text[], p_protocols text[], p_streamed "
    "boolean[], "
    "p_finish_reasons text[], p_prompt_tokens bigint[], p_completion_tokens bigint[], "
    "p_cached_tokens bigint[], p_usage_estimated boolean[], p_first_token_ms bigint[], "
    "p_response_time_ms bigint[], p_attempts jsonb[], p_request_ids text[], p_traces jsonb[], "
    "p_more jsonb[], p_shared_prompts text[]) returns uuid[]"
    " language plpgsql as $$ declare v_all text := concat(p_user_messages); begin"
    "  if v_all like '%pg_sleep%' then perform pg_sleep(0.3); end if;"
    "  if v_all like '%slow row%' then perform pg_sleep(0.6); end if;"
    "  if v_all like '%endless row%' then perform pg_sleep(60); end if;"
    "  if v_all like '%a bad row%' then raise 'bad' using errcode = '22023'; end if;"
    "  insert into uplift.answers (id, message) select x.id, x.m from unnest(p_ids, "
    "p_user_messages) "
    "as x(id, m) on conflict do nothing; return p_ids; end $$;"
    "create function uplift_chat.record_answers(p_answers json) returns table (id uuid, outcome "
    "text)"
    " language sql as $$ select uplift_chat.record_chats(array_agg((a->>'id')::uuid), null, null, "
    "null, "
    "null, null, null, null, null, array_agg(a->>'user_message'), null, null, null, null, null, "
    "null, "
    "null, null, null, null, null, null, null, null, null, null, null, null)"
    " from json_array_elements(p_answers) a; select null::uuid, null limit 0 $$;"
    "create function uplift_chat.reject_answer(p_answer text, p_reason text) returns void language "
    "sql "
    "as"
    " $$ insert into uplift.rejected values (p_answer::json, p_reason) $$;"
    "create function uplift_chat.give_feedback(u uuid, a uuid, c jsonb, i boolean, t timestamptz, "
    "e "
    "uuid)"
    " returns table (pending boolean) language plpgsql as $$ begin"
    "  if c ? 'bad' then raise 'bad' using errcode = 'UP400'; end if;"
    "  insert into uplift.thumbs values (e, a, c, exists (select from uplift.answers x where x.id "
    "= a))"
    "   on conflict do nothing; return query select false; end $$;"
    "create function uplift_chat.list_coaches() returns text language sql as $$ select"
    " '{\"object\":\"list\",\"data\":[{\"id\":\"coach_maple_avatar\",\"name\":\"Maple\","
    "\"default\":true}]}' $$;"
    "create function uplift_chat.list_personas() returns table (coach_id text, name text, "
    "severity_band "
    "int,"
    " mode text, opening text, personality text, rules text, tone text) language sql as $$ select"
    " 'coach_maple_avatar', 'Maple', b, 'default', 'I am ', 'Maple', ', ', ' of ' || b"
    " from generate_series(1, 6) b $$;";

static struct cluster cluster;
static PGconn *db;
static char spool_dir[64];
static struct config config;
static struct pg_breaker *breaker;
static struct personas *personas;
static struct recorder *recorder;
static struct metrics metrics;

/* --- the relay: counts what comes back --- */

static pthread_mutex_t back_lock = PTHREAD_MUTEX_INITIALIZER;
static int back[3]; /* by enum chat_recorded */
static int calls;
static int64_t last_back_ms;

static void take_back(void *arg, struct chat *list)
{
    (void)arg;
    pthread_mutex_lock(&back_lock);
    calls++;
    for (struct chat *c = list, *next; c != NULL; c = next) {
        next = c->next;
        back[c->recorded]++;
        chat_free(c);
    }
    last_back_ms = clock_ms();
    pthread_mutex_unlock(&back_lock);
}

static int came_back(void)
{
    pthread_mutex_lock(&back_lock);
    int all = back[0] + back[1] + back[2];
    pthread_mutex_unlock(&back_lock);
    return all;
}

/* Waits until what is 0 no more, at most for ms. */
#define wait_for(what, ms)                                                                         \
    do {                                                                                           \
        int64_t until = clock_ms() + (ms);                                                         \
        while (!(what) && clock_ms() < until)                                                      \
            usleep(5000);                                                                          \
        assert_true(what);                                                                         \
    } while (0)

/* --- helpers --- */

static void submit(const char *id, const char *message)
{
    struct chat *c = chat_new(NULL);
    assert_non_null(c);
    uuid_v7(&c->id);
    uuid_format(&c->id, c->id_text);
    if (id != NULL)
        memcpy(c->id_text, id, UUID_TEXT + 1);
    memcpy(c->user_text, USER, UUID_TEXT + 1);
    c->user_message = strdup(message);
    c->created_us = clock_wall_us();
    assert_true(recorder_submit(recorder, c));
}

static bool thumb(const char *answer_id, const char *changes)
{
    struct uuid event;
    char event_text[UUID_TEXT + 1];
    struct buf line;
    uuid_v7(&event);
    uuid_format(&event, event_text);
    buf_init(&line, 65536);
    assert_true(
        spool_feedback_line(&line, event_text, USER, answer_id, changes, true, clock_wall_us()));
    bool good = recorder_spool_feedback(recorder, line.data);
    buf_release(&line);
    return good;
}

static int files_ending(const char *suffix)
{
    int count = 0;
    DIR *d = opendir(spool_dir);
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        size_t len = strlen(e->d_name), tail = strlen(suffix);
        count += len > tail && strcmp(e->d_name + len - tail, suffix) == 0;
    }
    closedir(d);
    return count;
}

static int spool_files(void)
{
    return files_ending(".spool");
}

static int corrupt_files(void)
{
    return files_ending(".corrupt");
}

static long answers(void)
{
    return cluster_count(db, "select count(*) from uplift.answers");
}

static void reconnect(void)
{
    PQfinish(db);
    db = cluster_connect(&cluster);
}

static int setup(void **state)
{
    (void)state;
    strcpy(spool_dir, "/tmp/uplift-spool-XXXXXX");
    assert_non_null(mkdtemp(spool_dir));
    config.spool_dir = spool_dir;
    config.database_url = cluster.conninfo;
    config.db_timeout_ms = 500;
    config.db_lock_timeout_ms = 100;
    config.group_max = 64;
    config.record_queue_max = 1000;
    memset(back, 0, sizeof back);
    memset(&metrics, 0, sizeof metrics);
    calls = 0;
    cluster_run(db, "truncate uplift.answers, uplift.rejected, uplift.thumbs");
    breaker = pg_breaker_new(200);
    personas = personas_new(spool_dir);
    recorder = recorder_start(&config, breaker, personas, &metrics);
    assert_non_null(recorder);
    recorder_attach(recorder, take_back, NULL);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    char command[128];
    recorder_stop(recorder);
    personas_free(personas);
    pg_breaker_free(breaker);
    snprintf(command, sizeof command, "rm -rf %s", spool_dir);
    return system(command);
}

/* --- tests --- */

static void test_what_waits_is_one_transaction(void **state)
{
    (void)state;
    submit(NULL, "pg_sleep");
    usleep(100000); /* its commit is under way; these gather */
    for (int i = 0; i < 50; i++)
        submit(NULL, "hello");
    wait_for(came_back() == 51, 20000);
    assert_int_equal(back[CHAT_COMMITTED], 51);
    assert_int_equal(answers(), 51);
    assert_int_equal(cluster_count(db, "select count(distinct tx) from uplift.answers"), 2);
    assert_int_equal(calls, 2);
}

static void test_group_max_is_kept(void **state)
{
    (void)state;
    submit(NULL, "pg_sleep");
    usleep(100000);
    for (int i = 0; i < 200; i++)
        submit(NULL, "hello");
    wait_for(came_back() == 201, 20000);
    assert_int_equal(
        cluster_count(db,
                      "select max(n) from (select count(*) n from uplift.answers group by tx) x"),
        64);
}

static void test_a_full_queue_refuses(void **state)
{
    (void)state;
    submit(NULL, "pg_sleep");
    usleep(100000);
    config.record_queue_max = 3;
    for (int i = 0; i < 3; i++)
        submit(NULL, "hello");
    struct chat *c = chat_new(NULL);
    assert_false(recorder_submit(recorder, c));
    chat_free(c);
    wait_for(came_back() == 4, 20000);
    submit(NULL, "hello");
    wait_for(came_back() == 5, 20000);
}

static void test_a_bad_row_goes_alone(void **state)
{
    (void)state;
    submit(NULL, "pg_sleep");
    usleep(100000);
    for (int i = 0; i < 10; i++)
        submit(NULL, i == 4 ? "a bad row" : "hello");
    wait_for(came_back() == 11, 20000);
    assert_int_equal(back[CHAT_COMMITTED], 11);
    assert_int_equal(answers(), 10);
    assert_int_equal(
        cluster_count(db, "select count(*) from uplift.rejected where answer->>'user_message' = "
                          "'a bad row' and reason like '22023%'"),
        1);
    assert_int_equal(metrics.counts[M_REJECTED], 1);
    assert_int_equal(spool_files(), 0);
}

static void test_a_held_lock_spools_only_its_row(void **state)
{
    (void)state;
    static const char id[] = "0190b0a0-0000-7000-8000-000000000077";
    char sql[160];
    PGconn *holder = cluster_connect(&cluster);
    snprintf(sql, sizeof sql, "begin; insert into uplift.answers (id) values ('%s')", id);
    cluster_run(holder, sql);
    int64_t began = clock_ms();
    submit(NULL, "pg_sleep");
    usleep(100000);
    submit(id, "locked");
    for (int i = 0; i < 5; i++)
        submit(NULL, "hello");
    wait_for(came_back() == 7, 20000);
    assert_true(clock_ms() - began < 1500);
    assert_int_equal(back[CHAT_COMMITTED], 6);
    assert_int_equal(back[CHAT_SPOOLED], 1);
    assert_false(pg_breaker_open(breaker));
    usleep(300000); /* the loader meets the lock, too */
    cluster_run(holder, "rollback");
    PQfinish(holder);
    wait_for(answers() == 7, 10000);
    wait_for(spool_files() == 0, 20000);
}

static void test_a_locked_table_spools_and_holds_up_nobody_long(void **state)
{
    (void)state;
    PGconn *holder = cluster_connect(&cluster);
    cluster_run(holder, "begin; lock table uplift.answers in exclusive mode");
    int64_t began = clock_ms();
    for (int i = 0; i < 60; i++)
        submit(NULL, "hello");
    wait_for(came_back() == 60, 20000);
    assert_true(clock_ms() - began < 1500);
    assert_int_equal(back[CHAT_SPOOLED], 60);
    began = clock_ms();
    submit(NULL, "hello");
    wait_for(came_back() == 61, 20000);
    assert_true(clock_ms() - began < 80); /* straight to the spool for a second */
    cluster_run(holder, "rollback");
    PQfinish(holder);
    wait_for(answers() == 61, 15000);
}

static void test_away_and_back(void **state)
{
    (void)state;
    static const char id[] = "0190b0a0-0000-7000-8000-000000000078";
    submit(NULL, "before");
    wait_for(came_back() == 1, 20000);
    assert_true(cluster_stop(&cluster, "immediate"));
    submit(id, "hello");
    for (int i = 0; i < 20; i++)
        submit(NULL, i == 3 ? "a bad row" : "hello");
    wait_for(came_back() == 22, 20000);
    assert_int_equal(back[CHAT_SPOOLED], 21);
    assert_true(pg_breaker_open(breaker));
    assert_true(thumb(id, "{\"helpful\":true}"));
    assert_true(thumb(id, "{\"bad\":true}"));
    assert_true(recorder_spool_bytes(recorder) > 0);

    assert_true(cluster_restart(&cluster));
    reconnect();
    wait_for(answers() == 21, 10000);
    wait_for(cluster_count(db, "select count(*) from uplift.thumbs") == 1, 20000);
    assert_int_equal(cluster_count(db, "select count(*) from uplift.thumbs where known"), 1);
    assert_int_equal(cluster_count(db, "select count(*) from uplift.rejected"), 1);
    assert_int_equal(metrics.counts[M_REJECTED], 1);
    wait_for(!pg_breaker_open(breaker), 20000);
    submit(NULL, "after");
    wait_for(came_back() == 23, 20000);
    assert_int_equal(back[CHAT_COMMITTED], 2);
    /* What is left is the thumb that can never be applied. */
    wait_for(spool_files() == 0, 20000);
    assert_int_equal(corrupt_files(), 1);
}

static void test_frozen_and_thawed(void **state)
{
    (void)state;
    submit(NULL, "before");
    wait_for(came_back() == 1, 20000);
    cluster_signal(&cluster, SIGSTOP);
    int64_t began = clock_ms();
    for (int i = 0; i < 20; i++)
        submit(NULL, "hello");
    wait_for(came_back() == 21, 20000);
    assert_true(clock_ms() - began < 1500); /* one db_timeout_ms */
    assert_int_equal(back[CHAT_SPOOLED], 20);
    began = clock_ms();
    submit(NULL, "hello");
    wait_for(came_back() == 22, 20000);
    assert_true(clock_ms() - began < 100); /* nobody waits for the frozen again */
    cluster_signal(&cluster, SIGCONT);
    wait_for(answers() == 22, 10000);
    wait_for(spool_files() == 0, 20000);
    assert_int_equal(answers(), 22); /* the frozen commit went on, and is the same rows */
}

/* A line of the spool, as a process that died has left it. */
static void put_line(struct buf *b, int number, const char *message)
{
    struct chat *c = chat_new(NULL);
    assert_non_null(c);
    snprintf(c->id_text, sizeof c->id_text, "0190b0a0-0000-7000-8000-%012d", number);
    c->user_message = strdup(message);
    assert_true(spool_answer_line(b, c));
    chat_free(c);
}

static void test_left_behind_by_the_dead(void **state)
{
    (void)state;
    struct spool *dead = spool_open(spool_dir, 1 << 20);
    struct buf b;
    buf_init(&b, 1 << 20);
    for (int i = 0; i < 300; i++)
        put_line(&b, i, "x");
    assert_true(buf_puts(&b, "0badc0de {\"kind\":\"answer\",\"answer\":{\"id\":"));
    assert_true(spool_append(dead, b.data, b.len));
    buf_release(&b);
    spool_close(dead);
    wait_for(answers() == 300, 10000);
    wait_for(spool_files() == 0, 20000);
    assert_int_equal(corrupt_files(), 1); /* the torn line */
}

/* What takes longer than db_timeout_ms gets more time bit by bit; what never ends is set aside, so
 * that all the others get through. */
static void test_rows_that_take_too_long(void **state)
{
    (void)state;
    recorder_stop(recorder);
    config.db_timeout_ms = 150;
    struct spool *dead = spool_open(spool_dir, 1 << 20);
    struct buf b;
    buf_init(&b, 1 << 20);
    static const char *const messages[] = {"one", "a slow row", "two", "an endless row", "three"};
    for (int i = 0; i < 5; i++)
        put_line(&b, i, messages[i]);
    assert_true(spool_append(dead, b.data, b.len));
    buf_release(&b);
    spool_close(dead);
    recorder = recorder_start(&config, breaker, personas, &metrics);
    assert_non_null(recorder);
    recorder_attach(recorder, take_back, NULL);
    wait_for(answers() == 4, 60000);
    wait_for(spool_files() == 0, 20000);
    assert_int_equal(corrupt_files(), 1); /* the endless one */
    assert_false(pg_breaker_open(breaker));
    assert_int_equal(cluster_count(db, "select count(*) from uplift.rejected"), 0);
}

static void test_neither_postgres_nor_disk(void **state)
{
    (void)state;
    struct rlimit before, none;
    signal(SIGXFSZ, SIG_IGN);
    submit(NULL, "before");
    wait_for(came_back() == 1, 20000);
    assert_true(cluster_stop(&cluster, "immediate"));
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    none = before;
    none.rlim_cur = 1000; /* one answer and one thumb */
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
    char large[3000];
    memset(large, 'x', sizeof large - 1);
    large[sizeof large - 1] = '\0';
    submit(NULL, large);
    submit(NULL, "small enough for what is left");
    wait_for(came_back() == 3, 20000);
    bool thumb_taken = thumb(USER, "{\"helpful\":true}");
    for (int i = 0; i < 3; i++)
        submit(NULL, "no room");
    wait_for(came_back() == 6, 20000);
    bool second = thumb(
        USER, "{\"feedback_text\":\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
              "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
              "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
              "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
              "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
              "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"}");
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_true(cluster_restart(&cluster));
    reconnect();
    assert_int_equal(back[CHAT_NOT_RECORDED], 4);
    assert_int_equal(back[CHAT_SPOOLED], 1);
    assert_true(thumb_taken);
    assert_false(second);
    wait_for(answers() == 2, 10000);
    wait_for(cluster_count(db, "select count(*) from uplift.thumbs") == 1, 20000);
}

static void test_a_huge_answer_goes_through_the_spool(void **state)
{
    (void)state;
    size_t len = 9 * 1024 * 1024;
    char *huge = malloc(len + 1);
    assert_non_null(huge);
    memset(huge, 'x', len);
    huge[len] = '\0';
    submit(NULL, "small");
    submit(NULL, huge);
    submit(NULL, "small");
    free(huge);
    wait_for(came_back() == 3, 20000);
    assert_int_equal(back[CHAT_SPOOLED], 1);
    assert_int_equal(back[CHAT_COMMITTED], 2);
    wait_for(answers() == 3, 15000);
}

static void test_stop_writes_what_waits(void **state)
{
    (void)state;
    submit(NULL, "pg_sleep");
    for (int i = 0; i < 300; i++)
        submit(NULL, "hello");
    recorder_stop(recorder);
    assert_int_equal(came_back(), 301);
    assert_int_equal(answers(), 301);
    recorder = recorder_start(&config, breaker, personas, &metrics);
    assert_non_null(recorder);
}

static void test_personas_are_fetched_and_kept(void **state)
{
    (void)state;
    char path[128];
    struct persona_found found;
    snprintf(path, sizeof path, "%s/personas.json", spool_dir);
    wait_for(access(path, R_OK) == 0, 20000);
    struct personas *reread = personas_new(spool_dir);
    assert_true(personas_find(reread, &(struct persona_wish){.severity = "5.7"}, &found));
    assert_string_equal(found.coach_id, "coach_maple_avatar");
    assert_string_equal(found.prompt, "I am Maple, 5.7 of 6");
    free(found.coach_id);
    free(found.mode);
    free(found.prompt);
    char *json = personas_coaches_json(reread);
    assert_non_null(strstr(json, "\"Maple\""));
    free(json);
    personas_free(reread);
}

static int start(void **state)
{
    (void)state;
    if (!cluster_start(&cluster))
        return 1;
    db = cluster_connect(&cluster);
    cluster_run(db, schema);
    return 0;
}

static int finish(void **state)
{
    (void)state;
    PQfinish(db);
    cluster_remove(&cluster);
    return 0;
}

int main(void)
{
#define recorder_test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    static const struct CMUnitTest tests[] = {
        recorder_test(test_what_waits_is_one_transaction),
        recorder_test(test_group_max_is_kept),
        recorder_test(test_a_full_queue_refuses),
        recorder_test(test_a_bad_row_goes_alone),
        recorder_test(test_a_held_lock_spools_only_its_row),
        recorder_test(test_a_locked_table_spools_and_holds_up_nobody_long),
        recorder_test(test_away_and_back),
        recorder_test(test_frozen_and_thawed),
        recorder_test(test_left_behind_by_the_dead),
        recorder_test(test_rows_that_take_too_long),
        recorder_test(test_neither_postgres_nor_disk),
        recorder_test(test_a_huge_answer_goes_through_the_spool),
        recorder_test(test_stop_writes_what_waits),
        recorder_test(test_personas_are_fetched_and_kept),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, start, finish);
}
