#!/usr/bin/python3
"""That no role can have code of its own run as the owner of our functions.

A session's temporary types and tables hide those of other schemas where a function looks for names in pg_temp first.
Each role that may call functions, or set off triggers, gets the right to make temporary objects, as any database that
was made before the schema gives it; hides each type that the functions name behind a domain that tells who evaluates
it; and then calls all that it may.
"""

import json
import os
import re
import sys

import psycopg2

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, ROOT + "/t/lib")
from cluster import Cluster  # noqa: E402
from tap import done, equal, ok  # noqa: E402

ANN = "00000000-0000-4000-8000-00000000000a"
ANSWER = "10000000-0000-7000-8000-00000000000a"
CONVERSATION = "20000000-0000-7000-8000-00000000000a"
TYPES = ("bool", "bytea", "date", "float8", "int4", "int8", "interval", "json", "jsonb", "name", "numeric", "oid",
         "regclass", "text", "timestamptz", "uuid", "varchar", "xid8")
# What a function is called with: the first value that its type fits, JSON as rich as any function wants.
VALUES = {"uuid": ANN, "text": "x", "integer": "1", "bigint": "1", "numeric": "1", "boolean": "true", "date": "2026-11-01",
          "timestamp with time zone": "2026-11-01T00:00:00Z", "name": "x", "double precision": "1"}
ANSWERS = [{"id": ANSWER, "user_id": ANN, "user_message": "q", "ai_response": "a", "conversation_id": CONVERSATION,
            "created_at": "2026-11-01T00:00:00Z", "model": "m", "provider": "p", "outcome": "complete",
            "prompt_tokens": 1, "completion_tokens": 1, "attempts": [{"provider": "p", "http_status": 200}]}]
RICH = {"limit": 5, "since": "2026-11-01", "until": "2026-11-02", "helpful": True, "rating": 5, "name": "x",
        "severity": 3, "id": "eq." + ANSWER}


def connect(cluster, user):
    connection = psycopg2.connect(cluster.conninfo("doors", user))
    connection.autocommit = True
    return connection


def hide_types(cursor):
    """Puts a domain in the way of each type, and tables in the way of those that functions make for themselves."""
    cursor.execute("""
        create function pg_temp.tell(anyelement) returns boolean language plpgsql as $$
        begin
            raise warning 'evaluated by %', current_user;
            return true;
        end $$""")
    for name in TYPES:
        cursor.execute("create domain pg_temp.%s as pg_catalog.%s check (pg_temp.tell(value))" % (name, name))
    for name in ("training_turns", "training_found", "training_wanted", "batch_jobs", "settings", "pg_class"):
        cursor.execute("create table pg_temp.%s (id pg_catalog.int4)" % name)


def value_for(kind, name, document):
    """A literal for a parameter."""
    if kind in ("json", "jsonb"):
        return "'%s'" % json.dumps(ANSWERS if kind == "json" else document).replace("'", "''")
    if kind.endswith("[]"):
        return "array['%s']" % VALUES.get(kind[:-2], "x")
    if name == "p_answer_id":
        return "'%s'" % ANSWER
    return "'%s'" % VALUES.get(kind, "x")


def calls_of(cluster, role):
    """Calls of each of our functions that the role may execute, with an empty and with a rich document."""
    admin = connect(cluster, None)
    cursor = admin.cursor()
    cursor.execute("""
        select p.oid::regprocedure::text, n.nspname || '.' || p.proname,
            array(select format_type(t, null) from unnest(p.proargtypes) with ordinality u(t, at) order by at),
            coalesce(p.proargnames, '{}')
        from pg_proc p join pg_namespace n on n.oid = p.pronamespace
        where n.nspname in ('uplift', 'uplift_chat', 'uplift_batch', 'uplift_search', 'public') and p.prokind = 'f' and p.prorettype <> 'trigger'::regtype
            and has_function_privilege(%s, p.oid, 'execute') and has_schema_privilege(%s, n.oid, 'usage')
            and not exists (select from pg_depend d where d.objid = p.oid and d.deptype = 'e')""", (role, role))
    calls = []
    for signature, name, kinds, names in cursor.fetchall():
        names = list(names) + [""] * len(kinds)
        for document in ({}, RICH) if "jsonb" in kinds else ({},):
            arguments = ", ".join("%s::pg_catalog.%s" % (value_for(kind, names[i], document), spelt(kind))
                                  for i, kind in enumerate(kinds))
            calls.append((signature, "select %s(%s)" % (name, arguments)))
    admin.close()
    return calls


def spelt(kind):
    """The type's name in pg_catalog, for a cast that no domain is in the way of."""
    names = {"integer": "int4", "bigint": "int8", "boolean": "bool", "timestamp with time zone": "timestamptz",
             "double precision": "float8"}
    base = kind[:-2] if kind.endswith("[]") else kind
    return names.get(base, base) + kind[len(base):]


def try_doors(cluster, role, calls):
    """The functions in which something was evaluated by another than the role, and those of which a call succeeded."""
    connection = connect(cluster, role if role.startswith("uplift") else None)
    cursor = connection.cursor()
    if not role.startswith("uplift"):
        cursor.execute("select set_config('request.jwt.claims', %s, false)", (json.dumps({"sub": ANN, "role": role}),))
        cursor.execute("set role " + role)
    hide_types(cursor)
    through, good = set(), set()
    for signature, call in calls:
        del connection.notices[:]
        try:
            cursor.execute(call)
            good.add(signature)
        except psycopg2.Error:
            pass
        for notice in connection.notices:
            found = re.search(r"evaluated by (\w+)", notice)
            if found and found.group(1) != role:
                through.add(signature)
    connection.close()
    return sorted(through), len(good)


def main():
    cluster = Cluster()
    cluster.start()
    cluster.psql("template1", sql="create role uplift_owner login createrole")
    cluster.createdb("doors", owner="uplift_owner")
    for file in ("install", "demo"):
        result = cluster.psql("doors", file="%s/sql/%s.sql" % (ROOT, file), user="uplift_owner")
        equal((result.returncode, result.stderr), (0, ""), file + ".sql is installed")
    admin = connect(cluster, None)
    cursor = admin.cursor()
    for role in ("uplift_app", "uplift_batch", "uplift_search", "authenticated", "anon", "service_role"):
        cursor.execute("select has_database_privilege(%s, 'doors', 'temporary')", (role,))
        equal(cursor.fetchone(), (False,), role + " may make nothing temporary after the installation")
    cursor.execute("select has_database_privilege('uplift_owner', 'doors', 'temporary')")
    equal(cursor.fetchone(), (True,), "the owner may")

    cursor.execute("grant temporary on database doors to public")
    cursor.execute("insert into auth.users (id) values (%s) on conflict do nothing", (ANN,))
    cursor.execute("select * from uplift_chat.record_answers(%s)", (json.dumps(ANSWERS),))
    for role, least in (("uplift_app", 15), ("uplift_batch", 15), ("uplift_search", 5)):
        calls = calls_of(cluster, role)
        through, good = try_doors(cluster, role, calls)
        functions = len({signature for signature, _ in calls})
        ok(functions > least and good > functions / 3, "%s calls each of its functions, and many succeed" % role,
           "%d of %d succeeded" % (good, functions))
        equal(through, [], "nothing of %s is evaluated by the owner" % role)
    update = [("update of an answer", "update public.coach_response_feedback set helpful = not coalesce(helpful, false), "
               "rating = 4, feedback_text = 'x' where id = '%s'::pg_catalog.uuid" % ANSWER)]
    through, good = try_doors(cluster, "authenticated", update)
    equal((through, good), ([], 1), "authenticated gives feedback, and nothing of theirs is evaluated by the owner")
    through, good = try_doors(cluster, "service_role", update + [
        ("insert of an answer", "insert into public.coach_response_feedback (user_id, user_message, ai_response) values ('%s'::pg_catalog.uuid, 'q', 'a')" % ANN),
        ("delete of an example", "delete from public.ai_training_examples"),
        ("change of a price", "update uplift.model_prices set model = model")])
    equal(through, [], "nor anything of service_role")

    cursor.execute("""
        select distinct t.tgfoid::regprocedure::text from pg_trigger t join pg_proc p on p.oid = t.tgfoid
        where not t.tgisinternal and p.pronamespace in ('uplift'::regnamespace, 'public'::regnamespace)
            and not coalesce(p.proconfig @> '{"search_path=pg_catalog, pg_temp"}', false)""")
    equal(cursor.fetchall(), [], "no trigger goes by the path of the session that sets it off")
    admin.close()
    done()


main()
