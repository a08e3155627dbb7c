#!/usr/bin/python3
"""What each role may do after sql/install.sql: on plain Postgres, and on Supabase, whose default
privileges grant everything to anon and authenticated."""

import json
import os
import sys

import psycopg2

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, ROOT + "/t/lib")
from cluster import Cluster  # noqa: E402
from tap import done, equal, ok  # noqa: E402

INSTALL = ROOT + "/sql/install.sql"
FIXTURES = ROOT + "/t/sql/fixtures/"
ANN = "00000000-0000-4000-8000-00000000000a"
BOB = "00000000-0000-4000-8000-00000000000b"
DENIED = "42501"
PERSONAL = ["ai_context_cache", "ai_episodic_memory", "ai_errors", "ai_predictions", "coach_response_feedback",
            "experiment_assignments", "experiment_outcomes", "food_photo_training_data",
            "user_coach_preferences", "user_traits"]
# What of an answer is its user's to read, and of a failure; of experiments nothing, unless it was so before.
OWN = {"coach_response_feedback": {
           "id", "user_id", "coach_id", "user_message", "ai_response", "severity", "mode", "helpful", "rating", "feedback_text",
           "feedback_given_at", "conversation_id", "response_time_ms", "tokens_used", "created_at", "outcome", "error_code",
           "model_used", "finish_reason", "regenerate_of", "from_cache", "answers_tools", "citations"},
       "ai_errors": {"id", "user_id", "error_type", "error_code", "user_visible", "auto_recovered", "resolved_at", "answer_id", "created_at"},
       "experiment_assignments": set(), "experiment_outcomes": set()}
# Of the deployment's own clients, who go on reading what uplift does not know.
DEPLOYED = {"user_message_tokens", "ai_response_tokens", "message_sequence", "updated_at", "coach_mode", "user_comment"}
SHARED = ["ai_experiments", "ai_finetuning_jobs", "ai_model_versions", "ai_response_cache",
          "ai_training_datasets", "ai_training_examples"]
INTERNAL = ["conversations", "feedback_events", "model_prices", "prediction_figures", "prediction_queue", "prediction_watch", "thumb_model", "thumb_queue", "thumb_state", "thumb_weights", "rejected_answers", "settings"]


class Asker:
    """Asks as PostgREST does: one transaction with the role and the token's claims set."""

    def __init__(self, cluster, database):
        self.connection = psycopg2.connect(cluster.conninfo(database))

    def ask(self, role, sub, sql, *arguments):
        """Rows, a count, or the SQLSTATE. Nothing is kept."""
        with self.connection.cursor() as cursor:
            try:
                claims = json.dumps({"sub": sub, "role": role}) if sub else ""
                cursor.execute("select set_config('request.jwt.claims', %s, true)", (claims,))
                cursor.execute("set local role %s" % role)
                cursor.execute(sql, arguments or None)
                return cursor.fetchall() if cursor.description else cursor.rowcount
            except psycopg2.Error as error:
                return error.pgcode
            finally:
                self.connection.rollback()

    def admin(self, sql, *arguments):
        with self.connection.cursor() as cursor:
            cursor.execute(sql, arguments or None)
            result = cursor.fetchall() if cursor.description else cursor.rowcount
        self.connection.commit()
        return result


def fill(asker):
    """A row for Ann and one for Bob in every personal table that needs no more than a user."""
    for name, user in (("ann", ANN), ("bob", BOB)):
        asker.admin("insert into auth.users (id) values (%s) on conflict do nothing", user)
        conversation = "20000000-0000-4000-9000-00000000000" + user[-1]
        asker.admin("insert into uplift.conversations (id, user_id) values (%s, %s)", conversation, user)
        asker.admin("insert into coach_response_feedback (id, user_id, user_message, ai_response, conversation_id) "
                    "values (%s, %s, %s, 'a', %s)", "10000000-0000-4000-9000-00000000000" + user[-1], user, name, conversation)
        asker.admin("insert into ai_episodic_memory (user_id, memory_type, memory_text) values (%s, 'goal', %s)", user, name)
        asker.admin("insert into ai_context_cache (user_id, context_type, context_data) values (%s, 'current_goals', '{}')", user)
        asker.admin("insert into ai_errors (user_id, error_type) values (%s, 'x')", user)
        asker.admin("insert into ai_predictions (user_id, prediction_type, model_name, model_version) values (%s, 'meal_plan', 'm', '1')", user)
        asker.admin("insert into user_traits (user_id, trait_key, trait_value) values (%s, 'diet_type', 'vegan')", user)
        asker.admin("insert into user_coach_preferences (user_id) values (%s) on conflict do nothing", user)


def test_answers(asker, where):
    """Identical everywhere: what a user's token may do with answers."""
    ann = "10000000-0000-4000-9000-00000000000a"
    bob = "10000000-0000-4000-9000-00000000000b"

    def as_ann(sql, *arguments):
        return asker.ask("authenticated", ANN, sql, *arguments)

    equal(as_ann("select distinct user_id::text from coach_response_feedback"), [(ANN,)], where + "a user sees own answers only")
    equal(as_ann("update coach_response_feedback set helpful = true, rating = 5, feedback_text = 'x' where id = %s", ann), 1,
          where + "a user may change helpful, rating and feedback_text of an own answer")
    equal(as_ann("update coach_response_feedback set helpful = true where id = %s returning id::text, helpful", ann),
          [(ann, True)], where + "and have the row returned")
    equal(as_ann("update coach_response_feedback set helpful = true where id = %s", bob), 0, where + "but not of another's")
    equal(as_ann("update coach_response_feedback set rating = 6 where id = %s", ann), "23514", where + "and no six stars")
    columns = [c for c, in asker.admin("""
        select attname from pg_attribute where attrelid = 'coach_response_feedback'::regclass and attnum > 0
            and not attisdropped and attname not in ('helpful', 'rating', 'feedback_text', 'user_comment')""")]
    allowed = [c for c in columns if as_ann("update coach_response_feedback set %s = %s where id = '%s'" % (c, c, ann)) != DENIED]
    ok(len(columns) > 30 and not allowed, where + "no other column", allowed)
    equal(as_ann("insert into coach_response_feedback (user_id, user_message, ai_response) values (%s, 'q', 'a')", ANN),
          DENIED, where + "no insert")
    equal(as_ann("delete from coach_response_feedback where id = %s", ann), DENIED, where + "no delete")
    equal(as_ann("truncate coach_response_feedback"), DENIED, where + "no truncate")
    equal(asker.ask("authenticated", None, "select count(*) from coach_response_feedback"), [(0,)],
          where + "a token without a user sees nothing")
    equal(asker.ask("anon", None, "select 1 from coach_response_feedback"), DENIED, where + "anon sees nothing")
    equal(asker.ask("anon", None, "update coach_response_feedback set helpful = true"), DENIED, where + "anon changes nothing")
    equal(asker.ask("service_role", None, "select count(*) >= 2 from coach_response_feedback"), [(True,)],
          where + "trusted backends see all")
    equal(asker.ask("service_role", None, "insert into coach_response_feedback (user_id, user_message, ai_response) "
                    "values (%s, 'q', 'a')", ANN), 1, where + "and may record answers")
    equal([asker.ask("service_role", None, sql) for sql in ("delete from coach_response_feedback", "truncate coach_response_feedback")],
          [DENIED] * 2, where + "but delete none: answers are kept")
    equal(as_ann("select message_type, content from conversations where id = '20000000-0000-4000-9000-00000000000a' "
                 "order by message_type desc"), [("user", "ann"), ("assistant", "a")], where + "a user reads own conversations")
    equal(as_ann("select count(*) from conversations where id = '20000000-0000-4000-9000-00000000000b'"), [(0,)],
          where + "and not another's")
    equal(asker.ask("anon", None, "select * from conversations"), DENIED, where + "anon reads none")


def test_everything_else(asker, where, old_tables):
    for table in PERSONAL:
        users = asker.ask("authenticated", ANN, "select distinct user_id::text from %s" % table)
        closed = table not in old_tables and OWN.get(table) == set()
        ok(users == DENIED if closed else users in ([(ANN,)], []), where + "of %s a user sees own rows only" % table, users)
        if table == "ai_episodic_memory":
            mine = "insert into ai_episodic_memory (user_id, memory_type, memory_text) values (%s, 'goal', 'I want to swim')"
            equal([asker.ask("authenticated", ANN, mine, ANN), asker.ask("authenticated", ANN, mine, BOB),
                   asker.ask("authenticated", ANN, "delete from ai_episodic_memory where user_id <> %s", ANN)],
                  [1, DENIED, 0], where + "and may write own memories")
        elif table == "ai_predictions" and table not in old_tables:
            mine = "insert into ai_predictions (user_id, prediction_type, model_name, model_version) values (%s, 'meal_plan', %s, '1')"
            outcome = "update ai_predictions set user_accepted = true where user_id = %s"
            equal([asker.ask("authenticated", ANN, mine, ANN, "m"), asker.ask("authenticated", ANN, mine, BOB, "m"), asker.ask("authenticated", ANN, mine, ANN, "uplift-thumbs"),
                   asker.ask("authenticated", ANN, outcome, ANN), asker.ask("authenticated", ANN, outcome, BOB),
                   asker.ask("authenticated", ANN, "update ai_predictions set confidence_score = 1"), asker.ask("authenticated", ANN, "delete from ai_predictions")],
                  [1, DENIED, "PT400", 1, 0, DENIED, DENIED], where + "and may record own predictions, and their outcomes")
        elif table not in old_tables and table != "coach_response_feedback":
            equal([asker.ask("authenticated", ANN, sql) for sql in (
                "insert into %s default values" % table, "update %s set user_id = user_id" % table, "delete from %s" % table)],
                [DENIED] * 3, where + "and may not write " + table)
        equal([asker.ask("anon", None, "select 1 from %s" % table), asker.ask("anon", None, "delete from %s" % table)],
              [DENIED] * 2, where + "anon may nothing on " + table)
    for table in SHARED + ["uplift." + t for t in INTERNAL if t != "conversations"]:
        equal([asker.ask(role, ANN, "select 1 from %s" % table) for role in ("anon", "authenticated")],
              [DENIED] * 2, where + "nobody but trusted programs reads " + table)
    for table in ("brand_assets", "ai_knowledge_sources"):
        equal([asker.ask(role, ANN, "delete from %s" % table) for role in ("anon", "authenticated")],
              [DENIED] * 2, where + "users do not write " + table)
    equal([asker.ask("authenticated", ANN, sql) for sql in (
        "insert into uplift.conversations (id, user_id) values (gen_random_uuid(), '%s')" % ANN,
        "update uplift.conversations set title = 'x'", "delete from uplift.conversations")], [DENIED] * 3,
        where + "users do not write uplift.conversations")
    equal(asker.ask("authenticated", ANN, "select distinct user_id::text from uplift.conversations"), [(ANN,)],
          where + "and see their own there")
    # Of functions: by name, so that a new one is caught too.
    equal(asker.admin("""
        select p.oid::regprocedure::text, r from pg_proc p, unnest('{anon,authenticated}'::name[]) r
        where has_function_privilege(r, p.oid, 'execute') and p.prokind = 'f'
            and (p.oid, r) <> ('uplift.uuid_v7()'::regprocedure, 'authenticated') and (
            p.pronamespace = any ('{uplift,uplift_chat,uplift_batch,uplift_search}'::regnamespace[]) and has_schema_privilege(r, 'uplift', 'usage')
            or p.pronamespace = 'public'::regnamespace and p.proname in ('generate_training_examples_from_feedback',
                'export_training_dataset_openai_format', 'extract_user_memories', 'get_user_memory_context',
                'build_coach_system_prompt'))"""), [], where + "neither anon nor authenticated may execute our functions")
    equal(asker.admin("select has_schema_privilege('anon', 'uplift', 'usage')"), [(False,)],
          where + "anon does not even see schema uplift")
    equal(asker.admin("""
        select c.oid::regclass::text from pg_class c, unnest('{select,insert,update,delete,truncate,references,trigger}'::text[]) p
        where c.relkind in ('r', 'v') and c.relnamespace in ('public'::regnamespace, 'uplift'::regnamespace)
            and has_table_privilege('uplift_app', c.oid, p)"""), [], where + "uplift_app may do nothing with any table")


def columns(asker, table, role="authenticated"):
    """Those that the role may read, as it finds out itself."""
    names = asker.admin("select attname from pg_attribute where attrelid = %s::regclass and attnum > 0 and not attisdropped", table)
    return {name for name, in names if asker.ask(role, ANN, 'select "%s" from %s limit 1' % (name, table)) != DENIED}


def test_columns(asker, where, more=()):
    """A user is shown what concerns the user, not how answers are made."""
    for table, own in OWN.items():
        if table.startswith("experiment") and more:
            continue  # as the deployment has it
        theirs = set(more) if table == "coach_response_feedback" else set()
        equal(sorted(columns(asker, table)), sorted(own | theirs), where + "of %s a user reads what concerns the user, and what clients read before" % table)
        if own:
            equal(asker.ask("authenticated", ANN, "select * from " + table), DENIED, where + "not all of " + table)
    for hidden in ("system_prompt", "attempts", "provider", "cost_usd", "saved_usd", "exposures", "cache_source_id", "example_ids",
                   "request_messages", "request_id", "memory_ids", "passage_ids", "withheld"):
        equal(asker.ask("authenticated", ANN, "select %s from coach_response_feedback" % hidden), DENIED, where + hidden + " is not shown")
        equal(asker.ask("authenticated", ANN, "update coach_response_feedback set helpful = true returning " + hidden), DENIED, where + "nor returned")
        equal(asker.ask("authenticated", ANN, "select count(*) from coach_response_feedback where %s is null" % hidden), DENIED, where + "nor guessed by a filter")
    changed = asker.ask("authenticated", ANN, "update coach_response_feedback set helpful = true where user_id = %s returning ai_response is null", ANN)
    ok(changed and set(changed) == {(False,)}, where + "what was said is returned with a change", changed)
    ok(len(columns(asker, "coach_response_feedback", "service_role")) > 40, where + "trusted backends read all")


def test_write_policies_of_old(cluster):
    """Where clients wrote their rows before, they still can, and only theirs."""
    asker = Asker(cluster, "deployed")
    equal(asker.ask("authenticated", ANN, "update user_coach_preferences set severity = 2.0"), 1,
          "deployed: a client that writes preferences still can, its own")
    equal(asker.ask("authenticated", ANN, "insert into user_traits (user_id, trait_key) values (%s, 'x')", ANN), 1,
          "deployed: a table that had no row level security takes own rows as before")
    equal(asker.ask("authenticated", ANN, "insert into user_traits (user_id, trait_key) values (%s, 'x')", BOB), DENIED,
          "deployed: and no other's")
    equal(asker.ask("authenticated", ANN, "update coach_response_feedback set user_comment = 'x'"),
          asker.admin("select count(*) from coach_response_feedback where user_id = %s", ANN)[0][0],
          "deployed: user_comment, the old name of feedback_text, may be changed")
    equal(asker.ask("authenticated", ANN, "select count(*) from brand_assets"), [(2,)], "deployed: coaches can be read as before")


def main():
    plain = Cluster()
    plain.start()
    plain.psql("template1", sql="create role uplift_owner login createrole")
    plain.createdb("plain", owner="uplift_owner")
    result = plain.psql("plain", file=INSTALL, user="uplift_owner")
    equal((result.returncode, result.stderr), (0, ""), "plain: installs, and makes the roles")
    asker = Asker(plain, "plain")
    fill(asker)
    test_answers(asker, "plain: ")
    test_everything_else(asker, "plain: ", [])
    test_columns(asker, "plain: ")
    plain.stop("immediate")

    supabase = Cluster(superuser="supabase_admin")
    supabase.start()
    supabase.createdb("fresh")
    supabase.psql("fresh", file=FIXTURES + "supabase.sql")
    result = supabase.psql("fresh", file=INSTALL, user="postgres")
    equal((result.returncode, result.stderr), (0, ""), "supabase: installs")
    asker = Asker(supabase, "fresh")
    supabase.createdb("elevated")
    # The roles are the cluster's and there already; the rest loads.
    supabase.psql("elevated", sql="create schema auth authorization supabase_auth_admin; grant usage on schema auth to anon, authenticated; "
                  "create table auth.users (id uuid primary key); alter table auth.users owner to supabase_auth_admin")
    result = supabase.psql("elevated", file=INSTALL)
    equal((result.returncode, result.stderr), (0, ""), "supabase: installs as a superuser")
    equal(supabase.psql("elevated", sql="select value from uplift.settings where key = 'auth.makes_users'").stdout.strip(), "false",
          "supabase: even then no users are made")
    fill(asker)
    test_answers(asker, "supabase: ")
    test_everything_else(asker, "supabase: ", [])
    test_columns(asker, "supabase: ")
    again = supabase.psql("elevated", file=INSTALL)
    equal((again.returncode, again.stderr), (0, ""), "supabase: a second run")
    test_columns(asker, "supabase, again: ")
    supabase.stop("immediate")

    deployed = Cluster(superuser="supabase_admin")
    deployed.start()
    deployed.createdb("deployed")
    deployed.psql("deployed", file=FIXTURES + "supabase.sql")
    deployed.psql("deployed", file=FIXTURES + "deployed.sql", user="postgres")
    result = deployed.psql("deployed", file=INSTALL, user="postgres")
    equal((result.returncode, result.stderr), (0, ""), "deployed: installs")
    asker = Asker(deployed, "deployed")
    fill(asker)
    test_answers(asker, "deployed: ")
    test_everything_else(asker, "deployed: ", PERSONAL)
    test_columns(asker, "deployed: ", DEPLOYED)
    again = deployed.psql("deployed", file=INSTALL, user="postgres")
    equal((again.returncode, again.stderr), (0, ""), "deployed: a second run")
    test_columns(asker, "deployed, again: ", DEPLOYED)
    test_write_policies_of_old(deployed)
    done()


main()
