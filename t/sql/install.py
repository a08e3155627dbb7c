#!/usr/bin/python3
"""sql/install.sql on an empty Postgres, again, over tables that exist, and where it must refuse."""

import os
import subprocess
import sys

import psycopg2

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + "/lib")
from cluster import Cluster  # noqa: E402
from installing import ANN, BOB, FIXTURES, INSTALL, connect, install, refused, rows, unchanged_again  # noqa: E402
from tap import done, equal, ok  # noqa: E402

FIRST = "10000000-0000-4000-8000-000000000001"
SECOND = "10000000-0000-4000-8000-000000000002"
PLANNED_TABLES = {
    "coach_response_feedback", "ai_training_datasets", "ai_training_examples", "ai_finetuning_jobs",
    "ai_model_versions", "ai_context_cache", "ai_episodic_memory", "ai_predictions", "ai_experiments",
    "ai_errors", "ai_knowledge_sources", "ai_response_cache", "brand_assets", "food_photo_training_data"}


def test_messages(connection):
    """uplift.conversation_messages leaves out what was given anew, and deleted conversations."""
    rows(connection, "insert into auth.users (id) values (%s), (%s)", ANN, BOB)
    rows(connection, "insert into uplift.conversations (id, user_id) values (md5('talk')::uuid, %s), (md5('bob')::uuid, %s)", ANN, BOB)
    for key, user, text, before in (("a", ANN, "first", None), ("b", ANN, "second", "a"), ("c", ANN, "third", "a"),
                                    ("d", ANN, "", "c"), ("e", BOB, "bob's", "c"), ("f", ANN, "fourth", "f")):
        rows(connection, "insert into coach_response_feedback (id, user_id, user_message, ai_response, conversation_id, regenerate_of, "
             "created_at) values (md5(%s)::uuid, %s, 'q', %s, md5(%s)::uuid, md5(%s)::uuid, clock_timestamp())",
             key, user, text, "bob" if user == BOB else "talk", before if before != "f" else None)
    seen = "select content from uplift.conversation_messages where conversation_id = md5('talk')::uuid and message_type = 'assistant' order by created_at"
    equal(rows(connection, seen), [("third",), ("fourth",)],
          "empty: of an answer given anew twice the last is seen, nothing that came to nothing, nothing another user claims to replace")
    rows(connection, "update uplift.conversations set deleted_at = now()")
    equal(rows(connection, seen), [], "empty: a deleted conversation has no messages")
    rows(connection, "delete from coach_response_feedback; delete from uplift.conversations; delete from auth.users")


def test_empty(cluster):
    cluster.createdb("empty")
    result = install(cluster, "empty")
    equal((result.returncode, result.stdout, result.stderr), (0, "", ""), "empty: installs without a word")
    connection = connect(cluster, "empty")
    tables = {name for name, in rows(connection, "select tablename from pg_tables where schemaname = 'public'")}
    equal(PLANNED_TABLES - tables, set(), "empty: all fourteen tables are there")
    equal(rows(connection, "select nspname from pg_namespace where nspname like 'uplift%%' order by 1"),
          [("uplift",), ("uplift_batch",), ("uplift_chat",), ("uplift_search",)], "empty: no scratch is left")
    equal(rows(connection, """
        select c.relname from pg_class c where c.relkind in ('r', 'v')
            and c.relnamespace in ('public'::regnamespace, 'uplift'::regnamespace)
            and obj_description(c.oid, 'pg_class') is null"""), [], "empty: every table and view has a comment")
    equal(rows(connection, """
        select p.oid::regprocedure::text from pg_proc p
        where p.pronamespace = any ('{public,uplift,uplift_chat,uplift_batch,uplift_search,auth}'::regnamespace[])
            and obj_description(p.oid, 'pg_proc') is null"""), [], "empty: every function has a comment")
    equal(rows(connection, """
        select attname from pg_attribute where attrelid = 'coach_response_feedback'::regclass and attnum > 0
            and col_description(attrelid, attnum) is null"""), [], "empty: every column of an answer has a comment")
    equal(rows(connection, """
        select c.relname from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'user_id'
        where c.relkind = 'r' and not c.relrowsecurity
            and c.relnamespace in ('public'::regnamespace, 'uplift'::regnamespace)"""),
          [], "empty: row level security is on wherever there is a user_id")
    equal(rows(connection, """
        select array_agg(d order by d) from pg_index,
            substring(pg_get_indexdef(indexrelid) from '\\(.*') d
        where indrelid = 'coach_response_feedback'::regclass"""),
          [(["(conversation_id, created_at)", "(conversation_id, created_at) WHERE (regenerate_of IS NOT NULL)", "(id)", "(regenerate_of) WHERE (regenerate_of IS NOT NULL)",
             "(user_id, created_at)"],)], "empty: an answer has three indexes and two small ones, each used by a query")
    equal(rows(connection, """
        select count(*) from pg_attribute where attrelid = 'coach_response_feedback'::regclass
            and attname in ('user_message', 'ai_response', 'system_prompt') and attcompression = 'l'"""),
          [(3,)], "empty: long texts compress with lz4")
    keys = rows(connection, "select uplift.uuid_v7()::text from generate_series(1, 3), pg_sleep(0.002)")
    keys = [key for key, in keys]
    ok(all(key[14] == "7" and key[19] in "89ab" for key in keys) and keys[0][:8] == keys[2][:8],
       "empty: keys are UUIDs of version 7", keys)
    test_messages(connection)
    # HOT: what moves with every answer is in no index.
    rows(connection, "insert into auth.users (id) values (%s)", ANN)
    rows(connection, "insert into uplift.conversations (id, user_id) select uplift.uuid_v7(), %s from generate_series(1, 50)", ANN)
    rows(connection, "select pg_stat_force_next_flush()")
    rows(connection, "select pg_stat_reset()")  # the installation tried updates, too
    rows(connection, "update uplift.conversations set updated_at = now()")
    rows(connection, "select pg_stat_force_next_flush()")
    equal(rows(connection, """
        select n_tup_upd = 50 and n_tup_hot_upd >= 10 from pg_stat_user_tables
        where relid = 'uplift.conversations'::regclass"""), [(True,)],
          "empty: updated_at of a conversation moves without touching an index")
    connection.close()
    unchanged_again(cluster, "empty", "empty")
    # In use: rows of every table are being written.
    writer = psycopg2.connect(cluster.conninfo("empty"))
    for table, in rows(writer, "select format('%%I.%%I', schemaname, tablename) from pg_tables "
                       "where schemaname in ('public', 'uplift', 'auth')"):
        rows(writer, "lock table %s in row exclusive mode" % table)
    result = install(cluster, "empty")
    equal((result.returncode, result.stderr), (0, ""), "empty: a second run waits for no writer")
    writer.close()


def test_first_tables(cluster):
    cluster.createdb("first")
    cluster.psql("first", file=FIXTURES + "first.sql")
    connection = connect(cluster, "first")
    before = rows(connection, "select * from coach_response_feedback order by id")
    memories = rows(connection, "select * from ai_episodic_memory order by id")
    experiments = rows(connection, "select * from ai_experiments")
    result = install(cluster, "first")
    equal((result.returncode, result.stderr), (0, ""), "plan: installs")
    width = len(before[0])
    after = [row[:width] for row in rows(connection, "select * from coach_response_feedback order by id")]
    equal(after, before, "plan: answers are as they were")
    width = len(memories[0])
    equal([row[:width] for row in rows(connection, "select * from ai_episodic_memory order by id")], memories,
          "plan: memories are as they were, an importance of 0.5 among 8.0 too")
    width = len(experiments[0])
    equal([row[:width] for row in rows(connection, "select * from ai_experiments")], experiments, "plan: experiments are as they were")
    equal(rows(connection, "select title, coach_id, updated_at - created_at = interval '1 minute' from uplift.conversations"),
          [("How much should I drink?", "coach_decibel_avatar", True)], "plan: earlier conversations are listed")
    equal(rows(connection, "select message_type, content from conversations order by created_at, message_type desc"),
          [("user", "How much should I drink?"), ("assistant", "Two litres."),
           ("user", "And when it is hot?"), ("assistant", "Three.")], "plan: messages are seen in conversations")
    rows(connection, "select generate_training_examples_from_feedback()")
    equal(rows(connection, "select count(*) from ai_training_examples"), [(0,)], "plan: users who were not asked train no model")
    rows(connection, "update uplift.settings set value = 'true' where key = 'training.consent_default'")
    for _ in range(2):
        rows(connection, "select generate_training_examples_from_feedback()")
    equal(rows(connection, "select source_id::text, quality_score from ai_training_examples where label is null"), [(FIRST, 10)],
          "plan: a liked answer becomes an example, once")
    context = rows(connection, "select get_user_memory_context(%s)", ANN)[0][0]
    ok(context.index("run 10 km") < context.index("mushrooms"), "plan: memories are told by importance", context)
    rows(connection, "select * from uplift_chat.give_feedback(%s, %s, '{\"helpful\": false}', true)", ANN, SECOND)
    equal(rows(connection, "select helpful from coach_response_feedback where id = %s", SECOND), [(False,)],
          "plan: an answer from before takes feedback")
    equal(rows(connection, "select messages ~ 'Three' from uplift.prepare_chat(%s, 'chat', null, null, null, "
               "'20000000-0000-4000-8000-000000000001', null, 'Hi', 4000)", ANN), [(True,)],
          "plan: a conversation from before goes on")
    rows(connection, "select * from uplift_chat.record_answers(json_build_array(json_build_object('id', uplift.uuid_v7(), "
         "'user_id', %s::text, 'user_message', 'q', 'ai_response', 'a', 'conversation_id', '20000000-0000-4000-8000-000000000001')))", ANN)
    equal(rows(connection, "select count(*) from conversations where id = '20000000-0000-4000-8000-000000000001'"), [(6,)],
          "plan: and its next answer is recorded")
    connection.close()
    unchanged_again(cluster, "first", "plan")


def test_refusals(cluster):
    cluster.createdb("conflicts")
    cluster.psql("conflicts", sql="""
        create schema auth; create table auth.users (id uuid primary key);
        insert into auth.users values ('%s');
        create table coach_response_feedback (id text primary key, user_id uuid, created_at timestamp,
            helpful text, rating numeric, request_messages json);
        insert into coach_response_feedback values ('1', null, now(), 'yes', 4.5, '{}');
        create table ai_context_cache (id uuid primary key default gen_random_uuid(), user_id uuid, context_type text);
        insert into ai_context_cache (user_id, context_type) select '%s', 'preferences' from generate_series(1, 2);
        create view ai_predictions as select 1 as id;
        create table brand_assets (name text);
        create table ai_episodic_memory (id uuid primary key, importance_score numeric(3,2));
        create view important as select importance_score from ai_episodic_memory;
        create table user_traits (id uuid, user_id uuid, tenant int not null, primary key (id, tenant));
        create table ai_experiments (id uuid primary key, variant_configs text);
        create function get_user_memory_context(p_user_id uuid) returns jsonb language sql as 'select null::jsonb';
        create function extract_user_memories(a uuid, b uuid) returns void language sql as '';
        """ % (ANN, ANN))
    refused(cluster, "conflicts", "conflicts", [
        "conflict(s)",
        "table coach_response_feedback, column id: is text, and must be uuid",
        "table coach_response_feedback, column created_at: is timestamp without time zone",
        "at time zone 'UTC'",
        "table coach_response_feedback, column helpful: is text, and must be boolean",
        "table coach_response_feedback, column rating: is numeric, and must be integer",
        "table coach_response_feedback, column request_messages: is json, and must be jsonb",
        "table ai_context_cache: has 1 values of (user_id, context_type) more than once",
        "view ai_predictions: is not a table",
        "table brand_assets: has no column id",
        "column importance_score: is on a scale of 0 to 1",
        "view important",
        "table user_traits, column tenant: is part of the primary key",
        "table ai_experiments, column variant_configs: is text, and cannot be kept in step",
        "function get_user_memory_context(uuid): is (p_user_id uuid) returns jsonb",
        "function extract_user_memories(uuid,uuid): is (a uuid, b uuid)",
    ])

    # Nothing may be half done when a step fails for a reason nobody foresaw.
    cluster.createdb("surprise")
    cluster.psql("surprise", sql="""
        create table ai_errors (id uuid primary key default gen_random_uuid(), error_type text);
        create function no() returns event_trigger language plpgsql as $$ begin
            if tg_tag = 'COMMENT' then raise exception 'no comment here'; end if; end $$;
        create event trigger no on ddl_command_start execute function no()""")
    before = cluster.dump("surprise")
    result = install(cluster, "surprise")
    equal(result.returncode, 3, "surprise: a step that fails ends the installation")
    ok(before == cluster.dump("surprise"), "surprise: nothing changed")

    cluster.createdb("weak")
    cluster.psql("weak", sql="create role weak login; grant create on database weak to weak; alter role anon rename to anon_1")
    refused(cluster, "weak", "weak owner", [
        "role anon: is missing, and weak may not create roles",
        "as a superuser: create role anon nologin noinherit",
        "schema public: weak may not create tables in it"], user="weak")
    cluster.psql("weak", sql="alter role anon_1 rename to anon")

    cluster.createdb("others")
    cluster.psql("others", sql="create table user_traits (id uuid primary key, user_id uuid); "
                 "create schema auth; grant usage on schema auth to weak; create table auth.users (id uuid primary key); "
                 "grant create on database others to weak; grant create on schema public to weak")
    refused(cluster, "others", "others' tables", [
        "table user_traits: belongs to postgres, and weak may not change it",
        "table auth.users: weak may not select from it or refer to it",
        "function auth.uid(): is missing, and weak may not create it"], user="weak")


def test_importance(cluster):
    """Scaled only where it is sure that it ran from 0 to 1, and once."""
    cases = [
        ("numeric(3,2)", "", "0.85", "8.5"),
        ("numeric(3,2) default 0.5 check (importance_score between 0 and 1)", "", "0.85", "8.5"),
        ("numeric default 0.5 check (importance_score <= 1)", "", "0.85", "8.5"),
        ("numeric default 0.5", "", "0.85", "8.5"),
        ("numeric default 0.5", "insert into ai_episodic_memory (importance_score) values (8)", "0.85", "0.85"),
        ("numeric", "", "0.85", "0.85"),
        ("numeric default 5", "", "0.85", "0.85"),
        ("numeric(4,2) default 5 check (importance_score between 0 and 10)", "", "0.85", "0.85"),
        ("int", "", "3", "3"),
    ]
    for number, (column, more, value, wanted) in enumerate(cases):
        name = "importance_%d" % number
        cluster.createdb(name)
        cluster.psql(name, sql="""create table ai_episodic_memory (id uuid primary key default gen_random_uuid(), user_id uuid,
            importance_score %s); insert into ai_episodic_memory (importance_score) values (%s); %s""" % (column, value, more))
        results = [install(cluster, name) for _ in range(2)]
        equal([(r.returncode, r.stderr) for r in results], [(0, "")] * 2, "importance %s: installs twice" % column)
        got = cluster.psql(name, sql="select trim_scale(min(importance_score)) from ai_episodic_memory").stdout.strip()
        equal(got, wanted, "importance %s %s: %s becomes %s" % (column, "with an 8" if more else "", value, wanted))
        fits = cluster.psql(name, sql="insert into ai_episodic_memory (user_id, memory_type, memory_text, importance_score) "
                            "values ('%s', 'goal', 'x', 10)" % ANN)
        equal(fits.returncode, 0, "importance %s: 10 fits" % column)


def test_odd(cluster):
    """Tables that are half one, half the other."""
    cluster.createdb("odd")
    loaded = cluster.psql("odd", sql="""
        create table conversations (id uuid, user_id uuid, message_type text, content text);
        insert into conversations values (null, null, 'user', 'kept');
        create table ai_experiments (id uuid primary key default gen_random_uuid(), experiment_name text,
            status text not null default 'draft', is_active boolean default false);
        create table coach_response_feedback (user_id uuid not null, id uuid, user_message varchar(20), ai_response text not null,
            created_at timestamptz, mode text, coach_mode text, cost_usd bigint, check (length(ai_response) > 0), check (rating < 9),
            rating smallint, note text not null);
        insert into coach_response_feedback values ('%s', gen_random_uuid(), 'q', 'a', now(), 'roast', 'default', 1, 4, 'n');
        """ % ANN)
    equal(loaded.stderr, "", "odd: loads")
    equal(install(cluster, "odd").stderr, "", "odd: installs")
    connection = connect(cluster, "odd")
    equal(rows(connection, "select content from conversations"), [("kept",)], "odd: a table conversations stays as it is")
    equal(rows(connection, "select mode, coach_mode from coach_response_feedback"), [("roast", "default")],
          "odd: two columns that were there both keep what they say")
    rows(connection, "insert into auth.users (id) values (%s)", ANN)
    equal(rows(connection, "insert into coach_response_feedback (user_id, user_message, ai_response, mode, cost_usd) "
               "values (%s, %s, '', 'roast', 0.001) returning id is not null, coach_mode, cost_usd::text, created_at is not null",
               ANN, "long " * 100), [(True, "roast", "0.001", True)],
          "odd: a failed answer with a long question and a small price is recorded, and has a key")
    equal(rows(connection, "insert into ai_experiments (experiment_name, is_active) values ('x', true) returning status"),
          [("running",)], "odd: a default does not hide what was said under the other name")
    equal(rows(connection, "insert into ai_experiments (experiment_name) values ('y') returning status"),
          [("draft",)], "odd: and saying nothing is a draft")
    connection.close()
    unchanged_again(cluster, "odd", "odd")


def test_together(cluster):
    """Two installers at once: one waits for the other."""
    cluster.createdb("together")
    command = [cluster.bin + "/psql", "-X", "-q", "-d", cluster.conninfo("together"), "-f", INSTALL]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) for _ in range(2)]
    equal([(p.communicate()[0], p.returncode) for p in both], [(b"", 0)] * 2, "together: both succeed")


def test_owner(cluster):
    """A plain owner of the database suffices when the roles are there."""
    cluster.psql("template1", sql="create role uplift_owner login")
    cluster.createdb("owned", owner="uplift_owner")
    result = install(cluster, "owned", user="uplift_owner")
    equal((result.returncode, result.stderr), (0, ""), "owner: no superuser is needed")
    unchanged_again(cluster, "owned", "owner", user="uplift_owner")
    unchanged_again(cluster, "owned", "owner, then a superuser")
    connection = connect(cluster, "owned")
    equal(rows(connection, """
        select distinct proowner::regrole::text from pg_proc
        where pronamespace = any ('{public,uplift,uplift_chat,uplift_batch,uplift_search}'::regnamespace[])"""),
          [("uplift_owner",)], "owner: all functions are the owner's")
    equal(rows(connection, """
        select p.oid::regprocedure::text from pg_proc p
        where p.pronamespace = any ('{public,uplift,uplift_chat,uplift_batch,uplift_search}'::regnamespace[])
            and p.prosecdef and (p.proconfig is null or not exists (
                select from unnest(p.proconfig) s where s = 'search_path=pg_catalog, pg_temp'))"""),
          [], "owner: no definer's function goes by the caller's search path")
    equal(rows(connection, """
        select c.oid::regclass::text from pg_class c
        where c.relkind in ('r', 'v', 'S') and c.relnamespace in ('public'::regnamespace, 'uplift'::regnamespace)
            and (has_table_privilege('uplift_app', c.oid, 'select') or has_table_privilege('uplift_app', c.oid, 'insert')
                or has_table_privilege('uplift_app', c.oid, 'update') or has_table_privilege('uplift_app', c.oid, 'delete'))
            and c.relkind <> 'S'"""), [], "owner: uplift_app may touch no table")
    connection.close()


def main():
    cluster = Cluster()
    cluster.start()
    test_empty(cluster)
    test_first_tables(cluster)
    test_refusals(cluster)
    test_importance(cluster)
    test_odd(cluster)
    test_together(cluster)
    test_owner(cluster)
    done()


main()
