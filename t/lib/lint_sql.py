#!/usr/bin/python3
"""Runs plpgsql_check over every function of the schema, in a throw-away database."""

import os
import sys

import psycopg2

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, ROOT + "/t/lib")
from cluster import Cluster  # noqa: E402

# Trigger functions are checked with each table that has them; one that no table has is dead code.
CHECK = """
select f.oid::regprocedure::text, t.tgrelid::regclass::text, c.lineno, c.level, c.sqlstate,
       c.message, c.detail, c.hint, c.context
from pg_catalog.pg_proc f
join pg_catalog.pg_language l on l.oid = f.prolang and l.lanname = 'plpgsql'
left join pg_catalog.pg_trigger t on t.tgfoid = f.oid and not t.tgisinternal
cross join lateral public.plpgsql_check_function_tb(
    f.oid, relid => coalesce(t.tgrelid, 0), oldtable => t.tgoldtable, newtable => t.tgnewtable,
    fatal_errors => false, extra_warnings => true, performance_warnings => false, security_warnings => true) c
where f.pronamespace = any (array['public', 'uplift', 'uplift_chat', 'uplift_batch', 'uplift_search', 'auth']::regnamespace[])
  -- Functions of admin routes have one signature, whatever each makes of it.
  and not (starts_with(f.proname, 'admin_') and c.message like 'unused parameter %')
  and (f.prorettype <> 'trigger'::regtype or t.oid is not null)
  and not exists (select from pg_catalog.pg_depend d where d.objid = f.oid and d.deptype = 'e')
order by 1, 2, 3
"""
DEAD = """
select f.oid::regprocedure::text from pg_catalog.pg_proc f
where f.pronamespace = any (array['public', 'uplift', 'uplift_chat', 'uplift_batch', 'uplift_search', 'auth']::regnamespace[])
  and f.prorettype = 'trigger'::regtype
  and not exists (select from pg_catalog.pg_trigger t where t.tgfoid = f.oid)
  and not exists (select from pg_catalog.pg_depend d where d.objid = f.oid and d.deptype = 'e')
"""
# A definer's function, and a trigger's, which a foreign key's cascade may run as the table's owner, looks
# for names where the session cannot put its own: with an empty path, pg_temp would come first.
CARELESS = """
select f.oid::regprocedure::text from pg_catalog.pg_proc f
where f.pronamespace = any (array['public', 'uplift', 'uplift_chat', 'uplift_batch', 'uplift_search', 'auth']::regnamespace[])
  and (f.prosecdef or f.prorettype = 'trigger'::regtype)
  and not coalesce(f.proconfig @> '{"search_path=pg_catalog, pg_temp"}', false)
  and not exists (select from pg_catalog.pg_depend d where d.objid = f.oid and d.deptype = 'e')
order by 1
"""

# How long a day or a month is, and which day it is, depends on the time zone of whoever's session it is, and how a
# time is written also on DateStyle: hours and UTC do not.
BY_SESSION = r"""
select f.oid::regprocedure::text, m.found[1] from pg_catalog.pg_proc f
cross join lateral regexp_matches(f.prosrc, '(current_date|current_time|localtime|interval ''\d+ (?:day|week|month|year)s?''|'
    || 'make_interval\((?:days|weeks|months|years)|date_trunc\([^,()]*, (?:now\(\)|[a-z.]*_at)\))', 'g') as m(found)
where f.pronamespace = any (array['public', 'uplift', 'uplift_chat', 'uplift_batch', 'uplift_search', 'auth']::regnamespace[])
  -- These add days to a date or a timestamp without a time zone.
  and f.proname not in ('period_end', 'get_daily_cost_report')
  and not exists (select from pg_catalog.pg_depend d where d.objid = f.oid and d.deptype = 'e')
order by 1
"""

# Warnings that are meant to be, as (function, message): limits of
# uplift.prepare_chat are always null; uplift.do_rows gets statements of ours alone, those of uplift.rest_ are made of quoted
# parts, and those of exports, erasures and retention of what
# uplift.personal_data() and uplift.retained_data() list. And neither pg_cron nor pgvector need be there.
MADE = "text type variable is not sanitized"
MEANT = {("uplift.do_rows", MADE), ("uplift.rest_planned", MADE), ("uplift.rest_rows", MADE), ("uplift.rest_total", MADE),
         ("uplift.rest_changed_ids", MADE), ("uplift.erase_rows", MADE), ("uplift_chat.export_rows", MADE), ("uplift_batch.retain", MADE),
         ("uplift.prepare_chat", 'unmodified OUT variable "limits"'),
         ("uplift.sync_schedules", 'schema "cron" does not exist'),
         # What is of pgvector's types is only known where they are.
         ("uplift.index_embeddings", MADE), ("uplift.near_texts", 'OUT variable "text_id" is maybe unmodified'),
         ("uplift.near_texts", 'OUT variable "similarity" is maybe unmodified')}


def mistakes(cursor):
    """What plpgsql_check has to say about the functions of an installed database, one line each; a superuser's cursor."""
    cursor.execute("create extension if not exists plpgsql_check schema public")
    cursor.execute("select uplift.make_training_scratch()")  # tables that functions make for themselves
    cursor.execute(CHECK)
    return ["%s%s, line %s: %s: %s (%s)" % (function, " on " + table if table else "", line, level, message, sqlstate)
            + "".join("\n    " + more for more in (detail, hint, context) if more)
            for function, table, line, level, sqlstate, message, detail, hint, context in cursor.fetchall()
            if (function.split("(")[0], message) not in MEANT]


def main():
    cluster = Cluster()
    cluster.start()
    cluster.createdb("lint")
    result = cluster.psql("lint", file=ROOT + "/sql/install.sql")
    if result.returncode != 0:
        sys.exit("sql/install.sql failed:\n" + result.stderr)
    connection = psycopg2.connect(cluster.conninfo("lint"))
    connection.autocommit = True
    cursor = connection.cursor()
    found = mistakes(cursor)
    cursor.execute(DEAD)
    found += ["%s: a trigger function that no trigger calls" % function for function, in cursor.fetchall()]
    cursor.execute(CARELESS)
    found += ["%s: must say: set search_path = pg_catalog, pg_temp" % function for function, in cursor.fetchall()]
    cursor.execute(BY_SESSION)
    found += ["%s: %s depends on the session's time zone" % row for row in cursor.fetchall()]
    print("".join(line + "\n" for line in found), end="")
    connection.close()
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
