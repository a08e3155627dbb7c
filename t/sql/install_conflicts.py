#!/usr/bin/python3
"""sql/install.sql over columns and tables of odd kinds: what cannot be used is listed, all of it, and what can be is
used and keeps what is in it."""

import os
import re
import sys
from concurrent.futures import ThreadPoolExecutor

import psycopg2

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + "/lib")
from cluster import Cluster  # noqa: E402
from installing import ANN, BOB, connect, install, installed, refused, rows  # noqa: E402
from process import wait_for  # noqa: E402
from tap import contains, done, equal, ok  # noqa: E402

KINDS = """
    create extension citext;
    create type mood as enum ('default', 'roast');
    create domain words as text check (value <> '');
    create domain place as int not null;
    create domain inner_place as place;
    create table coach_response_feedback (id uuid primary key, user_id uuid, user_message citext, ai_response words,
        prompt_tokens int, completion_tokens int, tokens_used int generated always as (prompt_tokens + completion_tokens) stored,
        rating smallint, stars int generated always as (rating * 2) stored, response_time_ms int generated always as identity,
        mode mood, conversation_id text, at_place inner_place);
    create table ai_errors (id uuid, created_at timestamptz, error_type text, primary key (id, created_at))
        partition by range (created_at);
    create table user_traits (id uuid constraint at_last primary key deferrable);
    create table ai_episodic_memory (id uuid primary key);
    create table old_memory () inherits (ai_episodic_memory);
    create table things (asset_name varchar(40));
    create table brand_assets (id uuid primary key) inherits (things);
    """
CONFLICTS = [
    ("table coach_response_feedback, column user_message: is citext, and must be text",
     "alter table coach_response_feedback alter column user_message type text using user_message::text"),
    ("table coach_response_feedback, column ai_response: is words, and must be text",
     "alter table coach_response_feedback alter column ai_response type text using ai_response::text"),
    ("table coach_response_feedback, column tokens_used: is generated, and must be written",
     "alter table coach_response_feedback alter column tokens_used drop expression"),
    ("table coach_response_feedback, column rating: is smallint, must be integer, and cannot be widened because of "
     "column stars of table coach_response_feedback", None),
    ("table coach_response_feedback, column response_time_ms: is an identity column, and must be written",
     "alter table coach_response_feedback alter column response_time_ms drop identity"),
    ("table coach_response_feedback, column mode: is mood, and must be text",
     "alter table coach_response_feedback alter column mode type text using mode::text"),
    ("table coach_response_feedback, column conversation_id: is text, and must be uuid",
     "where every value is one: alter table coach_response_feedback alter column conversation_id type uuid using conversation_id::uuid"),
    ("table coach_response_feedback, column at_place: is inner_place, which may not be null, and uplift has no value for it",
     "alter table coach_response_feedback alter column at_place set default ..."),
    ("table ai_errors: is partitioned by created_at, so that (id) cannot be unique, and it must be", "rename it, install, and copy its rows"),
    ("table user_traits, constraint at_last: is deferrable, and (id) must be unique at once",
     "alter table user_traits drop constraint at_last, add constraint at_last PRIMARY KEY (id)"),
    ("table ai_episodic_memory: has tables that inherit from it, where its keys and triggers do not reach: old_memory",
     "alter table ... no inherit ai_episodic_memory"),
    ("table brand_assets, column asset_name: is character varying(40), must be text, and cannot be widened because of "
     "the table that brand_assets inherits from", None),
]


def test_kinds(cluster):
    cluster.createdb("kinds")
    equal(cluster.psql("kinds", sql=KINDS).stderr, "", "kinds: loads")
    result = refused(cluster, "kinds", "kinds", [], count=len(CONFLICTS))
    for problem, remedy in CONFLICTS:
        contains(result.stderr, problem + (" (%s" % remedy if remedy else ""), "kinds: lists " + problem)
    for problem, remedy in CONFLICTS:
        if remedy and re.search("alter table (coach|user)", remedy):
            equal(cluster.psql("kinds", sql=remedy.replace("where every value is one: ", "").replace("...", "0")).stderr, "", "kinds: " + remedy)
    equal(cluster.psql("kinds", sql="alter table coach_response_feedback drop stars; alter table ai_errors rename to old_errors; "
                       "alter table old_memory no inherit ai_episodic_memory; alter table brand_assets no inherit things").stderr, "",
          "kinds: and what the others ask for")
    installed(cluster, "kinds", "kinds, then")


FITS = """
    create schema auth; create table auth.users (id uuid primary key);
    insert into auth.users values ('{ann}');
    create unlogged table coach_response_feedback (id uuid, user_id uuid, user_message text, ai_response text, severity int,
        cost_usd bigint, saved_usd numeric(10,2), created_at timestamptz(0), conversation_id uuid, helpful boolean default false not null,
        mode text, primary key (id));
    insert into coach_response_feedback (id, user_id, user_message, ai_response, severity, cost_usd, saved_usd, created_at, conversation_id)
        values ('10000000-0000-4000-8000-000000000001', '{ann}', 'q', 'a', 50, 123456789, 12345678.25, '2026-01-01Z',
            '20000000-0000-4000-8000-000000000001'),
        ('10000000-0000-4000-8000-000000000002', '{bob}', 'of nobody we know', 'a', 3, 1, 1, null, '20000000-0000-4000-8000-000000000002'),
        ('10000000-0000-4000-8000-000000000003', null, 'of nobody', null, 3, 1, 1, null, '20000000-0000-4000-8000-000000000003'),
        ('10000000-0000-4000-8000-000000000004', '{ann}', null, null, 3, 1, 1, null, '20000000-0000-4000-8000-000000000004');
    alter table coach_response_feedback add constraint modes check (mode is null or mode in ('default')) not valid;
    create table ai_response_cache (id uuid primary key, severity numeric(3,0), cost_saved_usd numeric(4,3));
    create table user_coach_preferences (id uuid primary key, user_id uuid unique, severity numeric(2,0));
    """.format(ann=ANN, bob=BOB)


def test_fits(cluster):
    """Values that a narrower type of ours would not take stay, and what is too narrow for ours is widened."""
    cluster.createdb("fits")
    equal(cluster.psql("fits", sql=FITS).stderr, "", "fits: loads")
    connection = connect(cluster, "fits")
    query = ("select id::text, severity::text, trim_scale(cost_usd::numeric)::text, trim_scale(saved_usd)::text, helpful "
             "from coach_response_feedback order by id")
    before = rows(connection, query)
    installed(cluster, "fits", "fits")
    equal(rows(connection, query), before, "fits: every value is as it was, too large ones too")
    types = dict(rows(connection, "select attrelid::regclass || '.' || attname, format_type(atttypid, atttypmod) from pg_attribute "
                      "where attrelid = any ('{coach_response_feedback,ai_response_cache,user_coach_preferences}'::regclass[])"))
    equal([types[c] for c in ("coach_response_feedback.severity", "coach_response_feedback.cost_usd", "coach_response_feedback.saved_usd",
                              "coach_response_feedback.created_at", "ai_response_cache.severity", "ai_response_cache.cost_saved_usd",
                              "user_coach_preferences.severity")],
          ["numeric", "numeric", "numeric", "timestamp with time zone", "numeric", "numeric", "numeric"],
          "fits: what had too few digits, or cut times, takes all")
    equal(rows(connection, "select relpersistence from pg_class where oid = 'coach_response_feedback'::regclass"), [("p",)],
          "fits: answers outlive a crash")
    equal(rows(connection, "select convalidated from pg_constraint where conname = 'modes'"), [(False,)],
          "fits: a check of new rows alone stays one")
    equal(rows(connection, "select id::text, title, created_at is not null from uplift.conversations order by id"),
          [("20000000-0000-4000-8000-000000000001", "q", True), ("20000000-0000-4000-8000-000000000004", None, True)],
          "fits: conversations of people who are there are listed, without a time too")
    rows(connection, "select * from uplift_chat.record_answers(json_build_array(json_build_object('id', uplift.uuid_v7(), 'user_id', %s::text, "
         "'user_message', 'How?', 'ai_response', 'So.', 'severity', 3.5, 'mode', 'roast', "
         "'conversation_id', '20000000-0000-4000-8000-000000000004')))", ANN)
    equal(rows(connection, "select severity::text, mode, helpful from coach_response_feedback where user_message = 'How?'"), [("3.5", "roast", None)],
          "fits: an answer is recorded, and nobody has rated it")
    equal(rows(connection, "select messages ~ 'So' from uplift.prepare_chat(%s, 'chat', null, null, null, "
               "'20000000-0000-4000-8000-000000000004', null, 'Hi', 4000)", ANN), [(True,)], "fits: a conversation with empty rows goes on")
    connection.close()


def test_steps(cluster):
    """What fails only when it is done is listed with all else that does."""
    cluster.createdb("steps")
    equal(cluster.psql("steps", sql="""
        create table brand_assets (id uuid primary key default gen_random_uuid(), asset_name text);
        insert into brand_assets (asset_name) select string_agg(md5(i::text), '') from generate_series(1, 1000) i;
        create table ai_errors (id uuid primary key default gen_random_uuid(), created_at timestamptz);
        create table ai_episodic_memory (id uuid primary key default gen_random_uuid(), importance_score numeric);
        insert into ai_episodic_memory (importance_score) values (5);
        alter table ai_episodic_memory add check (importance_score <= 1) not valid""").stderr, "", "steps: loads")
    refused(cluster, "steps", "steps", ["create index on brand_assets USING btree (asset_name): failed: index row",
                                        "alter table ai_episodic_memory alter column importance_score drop default",
                                        "violated by some row"], count=2)


def test_users(cluster):
    """auth.users as others have it."""
    for name, sql, conflict in (
            ("view", "create view auth.users as select gen_random_uuid() as id", "auth.users: is not a table"),
            ("text", "create table auth.users (id text primary key)", "table auth.users: has no column id of type uuid"),
            ("hidden", "create table auth.users (id uuid primary key); alter table auth.users enable row level security; "
             "grant references, select on auth.users to uplift_owner",
             "table auth.users: hides all users from uplift_owner (as its owner: create policy uplift_functions on auth.users"),
            ("uid", "create table auth.users (id uuid primary key); create function auth.uid() returns text language sql as 'select null'",
             "function auth.uid(): returns text, and must return uuid")):
        cluster.createdb("users_" + name, owner="uplift_owner")
        equal(cluster.psql("users_" + name, sql="create schema auth; grant all on schema auth to uplift_owner with grant option;" + sql).stderr, "", name + ": loads")
        user = "uplift_owner" if name == "hidden" else None
        result = refused(cluster, "users_" + name, "users: " + name, [conflict], user=user, count=1)
        for policy in re.findall(r"create policy [^)]*\(true\)", result.stderr):
            equal(cluster.psql("users_" + name, sql=policy).stderr, "", "users: " + policy)
            cluster.psql("users_" + name, sql="insert into auth.users values ('%s')" % ANN)
            installed(cluster, "users_" + name, "users: then", user=user)
    cluster.createdb("users_named", owner="uplift_owner")
    cluster.psql("users_named", sql="create schema auth; create table auth.users (id uuid primary key, email text not null)", user="uplift_owner")
    cluster.psql("users_named", sql="insert into auth.users values ('%s', 'ann@example.test')" % ANN)
    installed(cluster, "users_named", "users: of whom more must be known", user="uplift_owner")
    equal(cluster.psql("users_named", sql="select value from uplift.settings where key = 'auth.makes_users'").stdout.strip(), "false",
          "users: are then not made")


def test_at_once(cluster):
    """Roles are of the whole server: another installation in it makes them at the same time."""
    cluster.createdb("other")
    cluster.createdb("at_once")
    other = psycopg2.connect(cluster.conninfo("other"))
    rows(other, "create role uplift_app login noinherit")
    with ThreadPoolExecutor(1) as pool:
        result = pool.submit(install, cluster, "at_once")
        watch = connect(cluster, "other")
        ok(wait_for(lambda: rows(watch, "select 1 from pg_stat_activity where datname = 'at_once' and wait_event_type = 'Lock'"), 60),
           "at once: one waits for the other")
        other.commit()
        result = result.result()
    equal((result.returncode, result.stderr), (0, ""), "at once: and goes on with the role that the other made")
    other.close()
    watch.close()


def main():
    cluster = Cluster()
    cluster.start()
    test_at_once(cluster)
    cluster.psql("template1", sql="create role uplift_owner login createrole")
    test_kinds(cluster)
    test_fits(cluster)
    test_steps(cluster)
    test_users(cluster)
    done()


main()
