#!/usr/bin/python3
"""sql/install.sql where functions of its names are there with other arguments: after it every call works as it did,
or it refuses and says why."""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + "/lib")
from cluster import Cluster  # noqa: E402
from installing import connect, install, installed, refused, rows  # noqa: E402
from tap import done, equal, like  # noqa: E402

# The seed's calls.
CALLS = ["generate_training_examples_from_feedback()",
         "export_training_dataset_openai_format('00000000-0000-4000-8000-000000000001')",
         "extract_user_memories('00000000-0000-4000-8000-000000000001', '00000000-0000-4000-8000-000000000002')",
         "get_user_memory_context('00000000-0000-4000-8000-000000000001')",
         "build_coach_system_prompt('00000000-0000-4000-8000-000000000001')"]

REFUSED = {
    "defaults": ("""create function generate_training_examples_from_feedback(p_min_rating int default 4, p_days int default 30)
        returns void language sql as ''""",
        ["function generate_training_examples_from_feedback(integer,integer): can be called with as many arguments as uplift's "
         "generate_training_examples_from_feedback(), so that a call could mean either",
         "alter routine generate_training_examples_from_feedback(integer,integer) rename to "
         "generate_training_examples_from_feedback_before_uplift"]),
    "text": ("create function export_training_dataset_openai_format(p_dataset_id text) returns jsonb language sql as 'select null::jsonb'",
             ["function export_training_dataset_openai_format(text): can be called with as many arguments"]),
    "fewer": ("create function build_coach_system_prompt(p_user_id uuid, p_coach text default null) returns text language sql as 'select null'",
              ["function build_coach_system_prompt(uuid,text): can be called with as many arguments"]),
    "variadic": ("create function extract_user_memories(variadic p_users uuid[]) returns void language sql as ''",
                 ["function extract_user_memories(uuid[]): can be called with as many arguments"]),
    "procedure": ("create procedure generate_training_examples_from_feedback(int default 4) language sql as ''",
                  ["generate_training_examples_from_feedback(integer): can be called with as many arguments",
                   "alter routine generate_training_examples_from_feedback(integer) rename"]),
    "default": ("create function get_user_memory_context(p_user_id uuid default null) returns text language sql as 'select null'",
                ["function get_user_memory_context(uuid): can be called without all of its arguments, and uplift's"]),
    "result": ("create function get_user_memory_context(p_user_id uuid) returns jsonb language sql as 'select null::jsonb'",
               ["function get_user_memory_context(uuid): is (p_user_id uuid) returns jsonb, and must be (p_user_id uuid) returns text"]),
}

# These are told apart by how many arguments a call has, or are the same but for their body.
LEFT = """
    create function get_user_memory_context(p_user_id uuid, p_limit int) returns int language sql as 'select 2';
    create function extract_user_memories(p_user_id uuid) returns int language sql as 'select 1';
    create function export_training_dataset_openai_format() returns int language sql as 'select 0';
    create function extract_user_memories(uuid, uuid) returns void language sql as '';
    create function get_daily_cost_report(p_from date, p_to date default null) returns int language sql as 'select 7';
    create function build_coach_system_prompt() returns int language sql as 'select 5'"""
THEIR_CALLS = {"get_user_memory_context(null, 3)": 2, "extract_user_memories(null)": 1, "export_training_dataset_openai_format()": 0,
               "build_coach_system_prompt()": 5, "get_daily_cost_report('2026-01-01')": 7, "get_daily_cost_report('2026-01-01', '2026-01-02')": 7}


def test_refused(cluster):
    for name, (sql, conflicts) in REFUSED.items():
        cluster.createdb(name)
        equal(cluster.psql(name, sql=sql).stderr, "", name + ": loads")
        refused(cluster, name, name, conflicts, count=1)


def test_remedy(cluster):
    cluster.createdb("remedy")
    cluster.psql("remedy", sql=REFUSED["defaults"][0] + ";" + REFUSED["text"][0])
    result = refused(cluster, "remedy", "remedy", [], count=2)
    for line in result.stderr.splitlines():
        if "(alter routine" in line:
            command = line[line.index("(alter routine") + 1:line.index(", and call it so)")]
            equal(cluster.psql("remedy", sql=command).stderr, "", "remedy: " + command)
    installed(cluster, "remedy", "remedy")


def test_left(cluster):
    cluster.createdb("left")
    equal(cluster.psql("left", sql=LEFT).stderr, "", "left: loads")
    installed(cluster, "left", "left")
    connection = connect(cluster, "left")
    for call, wanted in THEIR_CALLS.items():
        equal(rows(connection, "select " + call), [(wanted,)], "left: the deployment's %s means what it did" % call)
    for call in CALLS:
        equal(len(rows(connection, "select " + call)), 1, "left: the seed's %s works" % call)
    like(rows(connection, "select build_coach_system_prompt('00000000-0000-4000-8000-000000000001')")[0][0], "coach",
         "left: and is uplift's")
    connection.close()


def test_foreign_schema(cluster):
    """What else may have a name of ours."""
    cluster.createdb("names")
    cluster.psql("names", sql="""
        create schema uplift; create table uplift.orders (id int);
        create schema uplift_batch; create table uplift_batch.orders (id int);
        create type ai_experiments as enum ('a');
        create table coaching (id int); create index ai_errors_created_at_idx on coaching (id);
        create view ai_predictions as select 1 as id""")
    refused(cluster, "names", "names", [
        "schema uplift: is there already, and is not uplift's",
        "schema uplift_batch: is there already, and is not uplift's",
        "type public.ai_experiments: has the name of a table that is needed",
        "view ai_predictions: is not a table"], count=4)
    cluster.psql("names", sql="drop schema uplift cascade; create schema uplift; drop schema uplift_batch cascade; drop type ai_experiments; drop view ai_predictions")
    installed(cluster, "names", "names, of them only an index and an empty schema")
    connection = connect(cluster, "names")
    equal(rows(connection, "select indrelid::regclass::text from pg_index where indexrelid = 'ai_errors_created_at_idx'::regclass"),
          [("coaching",)], "names: an index of the deployment keeps its name")
    equal(rows(connection, "select count(*) from pg_indexes where tablename = 'ai_errors' and indexdef like '%%(created_at)'"), [(1,)],
          "names: and the one of uplift has another")
    connection.close()

    cluster.psql("template1", sql="create database latin encoding 'LATIN1' lc_collate 'C' lc_ctype 'C' template template0")
    result = install(cluster, "latin")
    like(result.stderr, "database latin: is encoded as LATIN1, and must take every character", "latin: an encoding of few characters is refused")


def main():
    cluster = Cluster()
    cluster.start()
    test_refused(cluster)
    test_remedy(cluster)
    test_left(cluster)
    test_foreign_schema(cluster)
    done()


main()
