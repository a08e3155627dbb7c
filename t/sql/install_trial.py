#!/usr/bin/python3
"""The trial at the end of sql/install.sql: what of a deployment would have uplift's answers refused or changed is
found, named, and refused; what would not is left alone; and the trial leaves no trace."""

import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + "/lib")
from cluster import Cluster  # noqa: E402
from installing import ANN, BOB, connect, install, installed, refused, rows  # noqa: E402
from tap import contains, done, equal, ok  # noqa: E402

BASE = """
    create schema auth;
    create table auth.users (id uuid primary key);
    insert into auth.users values ('%s');
    create table coach_response_feedback (id uuid primary key default gen_random_uuid(), user_id uuid not null, coach_id text,
        user_message text not null, ai_response text not null, helpful boolean, rating int, feedback_text text,
        conversation_id uuid, message_sequence int default 1, created_at timestamptz default now());
    create table talks (id uuid primary key)""" % ANN
TRIGGER = """create function {0}() returns trigger language plpgsql as $$ begin {1}; return {2}; end $$;
    create trigger {0} {3} on {4} for each row execute function {0}()"""


def trigger(name, body, what="new", when="before insert", table="coach_response_feedback"):
    return TRIGGER.format(name, body, what, when, table)


FOREIGN_KEY = "alter table coach_response_feedback add constraint of_a_talk foreign key (conversation_id) references talks"
UNIQUE = "alter table coach_response_feedback add constraint in_its_place unique (conversation_id, message_sequence)"
CHECK = "alter table coach_response_feedback add constraint rated check (helpful is not null or rating is not null)"
FILL = trigger("fill_user", "new.user_id := auth.uid()") + """;
    create function auth.uid() returns uuid language sql as
        $$ select (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub')::uuid $$"""

EXAMPLES = "create table ai_training_examples (id uuid primary key default gen_random_uuid(), source_id uuid)"

# By database, so that each is found although others are there: what there is, and what is said of it, namely the
# thing, what it stands in the way of, and what helps.
TRAPS = {
    "constraints": [
        (FOREIGN_KEY, "table coach_response_feedback, constraint of_a_talk", "an answer",
         "alter table coach_response_feedback drop constraint of_a_talk"),
        (UNIQUE, "table coach_response_feedback, constraint in_its_place", "a second answer of a conversation", "drop constraint in_its_place"),
        (CHECK, "table coach_response_feedback, constraint rated", "an answer", "drop constraint rated"),
        ("alter table coach_response_feedback add constraint one exclude using btree (conversation_id with =)",
         "table coach_response_feedback, constraint one", "a second answer of a conversation", "drop constraint one"),
        ("alter table coach_response_feedback add regenerate_of uuid constraint first check (regenerate_of is null)",
         "table coach_response_feedback, constraint first", "an answer given anew", "drop constraint first"),
        ("alter table coach_response_feedback add constraint talking check (conversation_id is not null)",
         "table coach_response_feedback, constraint talking", "an answer without a conversation and a coach", "drop constraint talking"),
        ("create unique index once on coach_response_feedback (user_id, md5(user_message))",
         "table coach_response_feedback, index once", "an answer given anew", "drop index once"),
        ("create index of_words on coach_response_feedback (user_message)", "index of_words", "a very long answer", "drop index of_words"),
        ("create index of_lexemes on coach_response_feedback using gin (to_tsvector('simple', ai_response))",
         "index of_lexemes", "a very long answer", "drop index of_lexemes")],
    "triggers": [
        (FILL, "trigger fill_user of table coach_response_feedback", "an answer", "disable trigger fill_user"),
        (trigger("shout", "new.user_message := upper(new.user_message)"), "trigger shout of table coach_response_feedback",
         "user_message was stored otherwise than given", "disable trigger shout"),
        (trigger("a_harmless_one", "null"), None, "", ""),
        (trigger("tell", "perform pg_notify('answers', new.ai_response)", when="after insert"),
         "trigger tell of table coach_response_feedback", "a very long answer: payload string too long", "disable trigger tell"),
        ("create table audit (id bigserial primary key);" + trigger("audit", "insert into audit default values", when="after insert"),
         "trigger audit of table coach_response_feedback", "an answer: relation \"audit\" does not exist",
         "(alter function audit() set search_path = public)"),
        (trigger("final", "if old.helpful is not null then raise 'feedback is final'; end if", when="before update"),
         "trigger final of table coach_response_feedback", "feedback is final", "disable trigger final")],
    "more triggers": [
        (trigger("stamp", "new.created_at := '2026-01-01'"), "trigger stamp of table coach_response_feedback",
         "created_at was stored otherwise than given", "disable trigger stamp"),
        (trigger("like_some", "if new.regenerate_of is not null then new.helpful := true; end if"),
         "trigger like_some of table coach_response_feedback", "an answer given anew: helpful was stored", "disable trigger like_some"),
        (trigger("undo", "new.rating := old.rating", when="before update"), "trigger undo of table coach_response_feedback",
         "feedback: it was stored otherwise than given", "disable trigger undo"),
        (trigger("swallow", "if new.outcome = 'failed' then return null; end if"), "trigger swallow of table coach_response_feedback",
         "an answer that failed: it was not stored", "disable trigger swallow"),
        (trigger("greet", "insert into public.talks select null", when="after insert", table="auth.users") + "; truncate auth.users cascade",
         "trigger greet of table auth.users", "preferences", "disable trigger greet")],
    "deferred": [
        (FOREIGN_KEY + " deferrable initially deferred", "table coach_response_feedback, constraint of_a_talk", "an answer", "drop constraint")],
    "rules": [
        ("create table log (x int); create rule log_it as on insert to coach_response_feedback do also insert into log values (1)",
         "rule log_it of table coach_response_feedback", "an answer", "drop rule log_it"),
        ("alter table coach_response_feedback enable row level security; create policy nobody on coach_response_feedback "
         "as restrictive using (false)", "policy nobody of table coach_response_feedback", "feedback through supabase-js", "drop policy nobody")],
    "hidden": [
        ("alter table coach_response_feedback enable row level security, force row level security; "
         "create policy nobody on coach_response_feedback as restrictive using (false)",
         "policy nobody of table coach_response_feedback", "an answer", "drop policy nobody")],
    "tables": [
        (EXAMPLES + "; alter table ai_training_examples add constraint none_of_ours check (source_id is null)",
         "table ai_training_examples, constraint none_of_ours", "the making of training examples", "drop constraint none_of_ours"),
        ("create table ai_errors (id uuid primary key default gen_random_uuid(), error_type text constraint known check (error_type = 'crash'))",
         "table ai_errors, constraint known", "an answer that failed", "drop constraint known"),
        ("create table ai_response_cache (id uuid primary key default gen_random_uuid(), cache_key text constraint short check "
         "(length(cache_key) < 3))", "table ai_response_cache, constraint short", "an answer", "drop constraint short"),
        ("create table user_coach_preferences (id uuid primary key default gen_random_uuid(), user_id uuid unique, timezone text "
         "constraint somewhere check (timezone is not null and timezone <> ''))",
         "table user_coach_preferences, constraint somewhere", "preferences", "drop constraint somewhere"),
        ("create table ai_episodic_memory (id uuid primary key default gen_random_uuid());"
         + trigger("forget", "new.is_active := false", table="ai_episodic_memory"),
         "trigger forget of table ai_episodic_memory", "the making of memories", "disable trigger forget"),
        ("create table ai_finetuning_jobs (id uuid primary key default gen_random_uuid(), provider text constraint theirs check "
         "(provider = 'azure'))", "table ai_finetuning_jobs, constraint theirs", "a fine-tuning job", "drop constraint theirs"),
        ("create table ai_model_versions (id uuid primary key default gen_random_uuid(), version text constraint numbers check "
         "(version ~ '^[0-9.]+$'))", "table ai_model_versions, constraint numbers", "a model version", "drop constraint numbers")],
    "lost examples": [
        (EXAMPLES + ";" + trigger("lose", "null", "null", table="ai_training_examples"), "trigger lose of table ai_training_examples",
         "the making of training examples: a liked answer became none", "disable trigger lose")],
}

# What looks like it, and does no harm.
HARMLESS = {
    "harmless": [
        "create table audit (id bigserial primary key, at timestamptz); "
        + trigger("note", "insert into public.audit (at) values (now())", when="after insert"),
        trigger("count_words", "new.message_sequence := length(new.user_message)"),
        trigger("swallow", "null", "null") + "; alter table coach_response_feedback disable trigger swallow",
        "alter table coach_response_feedback enable row level security, force row level security",
        "create policy alive on coach_response_feedback as restrictive using (created_at is not null)",
        "alter table coach_response_feedback alter helpful set default false, alter helpful set not null",
        "alter table coach_response_feedback add a int", "alter table coach_response_feedback add b int",
        "alter table coach_response_feedback drop a",
        "alter table coach_response_feedback add constraint \"%s\" check (length(user_message) < 100), add \"%s\" text not null"
        % ("A 'long' name, " * 4 + "abc", "ü" * 30)],
    "of other people": [
        "create table people (id uuid primary key); insert into people values ('%s')" % BOB,
        "alter table coach_response_feedback add foreign key (user_id) references people"],
    "by hash": [
        "drop table coach_response_feedback",
        "create table coach_response_feedback (id uuid primary key, user_id uuid, user_message text, ai_response text, "
        "created_at timestamptz) partition by hash (id)",
        "create table part_0 partition of coach_response_feedback for values with (modulus 2, remainder 0)",
        "create table part_1 partition of coach_response_feedback for values with (modulus 2, remainder 1)"],
}


def create(cluster, name, sql):
    database = name.replace(" ", "_")
    cluster.createdb(database, owner="uplift_owner")
    result = cluster.psql(database, sql=BASE + ";" + sql, user="uplift_owner")
    equal(result.stderr, "", name + ": loads")
    return database


def said_of(thing, text):
    """The line about a thing in what the installer says."""
    return "".join(line for line in text.splitlines() if line.replace("DETAIL:  ", "").startswith(thing + ": "))


def test_traps(cluster):
    for name, traps in TRAPS.items():
        database = create(cluster, name, ";".join(sql for sql, *_ in traps))
        traps = [trap for trap in traps if trap[1]]
        result = refused(cluster, database, name, [], user="uplift_owner", count=len(traps))
        for _, thing, stands_in_the_way, remedy in traps:
            line = said_of(thing, result.stderr)
            ok(": stands in the way of " in line and stands_in_the_way in line and remedy in line, "%s: %s is found" % (name, thing), result.stderr)


def test_remedies(cluster):
    """With all of them gone it installs."""
    database = create(cluster, "all", ";".join([FOREIGN_KEY, UNIQUE, CHECK, FILL]))
    result = refused(cluster, database, "all", [], user="uplift_owner", count=4)
    for remedy in re.findall(r"\((alter table [^,)]*)(?:, or [^)]*)?\)$", result.stderr, re.M):
        equal(cluster.psql(database, sql=remedy, user="uplift_owner").stderr, "", "all: " + remedy)
    installed(cluster, database, "all, after its remedies", user="uplift_owner")
    # What comes later is found later.
    cluster.psql(database, sql=CHECK, user="uplift_owner")
    refused(cluster, database, "all, and a constraint since", ["constraint rated"], user="uplift_owner", count=1)


def test_harmless(cluster):
    for name, parts in HARMLESS.items():
        installed(cluster, create(cluster, name, ";".join(parts)), name, user="uplift_owner")


def test_no_trace(cluster):
    """Numbers of sequences come back, and so does the membership in the programs' roles."""
    database = create(cluster, "trace", HARMLESS["harmless"][0])
    cluster.psql(database, sql="insert into coach_response_feedback (user_id, user_message, ai_response) values ('%s', 'q', 'a')" % ANN)
    equal(install(cluster, database, "uplift_owner").stderr, "", "trace: installs")
    connection = connect(cluster, database)
    equal(rows(connection, "select last_value, is_called from audit_id_seq"), [(1, True)], "trace: the deployment's own sequence goes on where it was")
    equal(rows(connection, "select distinct last_value, is_called from pg_class c, lateral (select last_value, is_called from "
               "uplift.feedback_events_id_seq) s where relname = 'feedback_events_id_seq'"), [(1, False)], "trace: uplift's begins at one")
    equal(rows(connection, "select count(*) from audit"), [(1,)], "trace: no row is left")
    equal(rows(connection, "select count(*) from auth.users"), [(1,)], "trace: no user is made")
    equal(rows(connection, "select count(*) from pg_auth_members where member = 'uplift_owner'::regrole and roleid in "
               "('uplift_app'::regrole, 'uplift_batch'::regrole, 'authenticated'::regrole)"), [(0,)], "trace: the owner is in no other role")
    # Whoever uses a sequence meanwhile is not waited for.
    cluster.psql(database, sql="select uplift_chat.give_feedback('%s', (select id from coach_response_feedback limit 1), '{\"rating\": 3}', true)" % ANN)
    writer = connect(cluster, database)
    writer.autocommit = False
    rows(writer, "select nextval('uplift.feedback_events_id_seq'), pg_advisory_xact_lock(uplift.training_lock())")
    result = install(cluster, database, "uplift_owner")
    equal((result.returncode, result.stderr), (0, ""), "trace: it waits for nobody who gives feedback or makes training examples")
    writer.rollback()
    rows(writer, "select nextval('uplift.feedback_events_id_seq')")
    ok(rows(writer, "select max(id) from uplift.feedback_events")[0][0] < rows(writer, "select currval('uplift.feedback_events_id_seq')")[0][0],
       "trace: and no number is given twice")
    writer.close()
    # Whoever holds what it cannot do without is told from what is wrong for good.
    rows(connection, "begin; lock table user_coach_preferences in share mode")
    refused(cluster, database, "trace, a table is held", ["somebody who holds a lock: stands in the way of preferences", "install again when"],
            user="uplift_owner", count=1)
    connection.close()


def test_money(cluster):
    """What it makes up uses up no budget, and so refuses no chat of its own."""
    cluster.psql("trace", sql="insert into uplift.budgets (scope, period, limit_usd) values ('total', 'month', 0.01)", user="uplift_owner")
    installed(cluster, "trace", "with a small budget", user="uplift_owner")
    connection = connect(cluster, "trace")
    equal(rows(connection, "select is_enabled, (select count(*) from uplift.budget_spend) from uplift.budgets"), [(True, 0)], "which stays, with nothing spent of it")
    connection.close()


def test_choices(cluster):
    """It tries with a user who wants nothing remembered or trained on, where one memory is kept of each, and leaves all of that."""
    cluster.psql("trace", user="uplift_owner", sql="""
        insert into user_coach_preferences (user_id, memory_enabled, memory_since, training_consent) values ('%s', false, 'infinity', false);
        insert into ai_episodic_memory (user_id, memory_type, memory_text, importance_score) values ('%s', 'goal', 'Run a marathon', 10);
        update uplift.settings set value = '1' where key = 'memory.max_per_user'""" % (ANN, ANN))
    installed(cluster, "trace", "with a user who said no", user="uplift_owner")
    connection = connect(cluster, "trace")
    equal(rows(connection, "select p.memory_enabled, p.memory_since::text, p.training_consent, (select s.value::text from uplift.settings s "
               "where s.key = 'memory.max_per_user'), (select string_agg(m.memory_text, ',') from ai_episodic_memory m) from user_coach_preferences p"),
          [(False, "infinity", False, "1", "Run a marathon")], "whose choices and memories stay")
    connection.close()


def test_nobody(cluster):
    """Without any user, and where none can be made, it says that nothing was tried."""
    database = create(cluster, "nobody", "create table people (id uuid primary key); alter table coach_response_feedback "
                      "add foreign key (user_id) references people")
    result = install(cluster, database, "uplift_owner")
    equal(result.returncode, 0, "nobody: installs")
    contains(result.stderr, "could not try out the recording of answers: there is no user yet", "nobody: says that it could not try")


def main():
    cluster = Cluster()
    cluster.start()
    cluster.psql("template1", sql="create role uplift_owner login createrole")
    test_traps(cluster)
    test_remedies(cluster)
    test_harmless(cluster)
    test_no_trace(cluster)
    test_money(cluster)
    test_choices(cluster)
    test_nobody(cluster)
    done()


main()
