#!/usr/bin/python3
"""sql/install.sql over tables of every type that it says it leaves, relaxes or widens: no function of uplift is wrong
for them, and the types are as they should be. t/http/deployed.py runs the programs over them."""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + "/lib")
from cluster import Cluster  # noqa: E402
from installing import TYPES, connect, deployment, install, installed, rows  # noqa: E402
from lint_sql import mistakes  # noqa: E402
from tap import done, equal  # noqa: E402

# Of the types there, what becomes of each.
LEFT = {"wide": {"bigint", "numeric", "numeric(30,20)", "numeric(30,10)"}}
COLUMNS = """
    select format_type(a.atttypid, a.atttypmod) as type, array_agg(c.relname || '.' || a.attname order by c.relname, a.attname)
    from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' group by 1 order by 1"""


def types(connection):
    return dict(rows(connection, COLUMNS))


def main():
    cluster = Cluster()
    cluster.start()
    cluster.createdb("fresh")
    equal(install(cluster, "fresh").stderr, "", "fresh: installs")
    fresh = connect(cluster, "fresh")
    ours = types(fresh)
    for kind in TYPES:
        cluster.createdb(kind)
        equal(cluster.psql(kind, sql=deployment(fresh, kind)).stderr, "", kind + ": loads")
        connection = connect(cluster, kind)
        before = types(connection)
        installed(cluster, kind, kind)
        after = types(connection)
        if kind == "wide":
            equal(after, before, "wide: wider types are left")
        else:
            equal(after, ours, kind + ": narrower types become uplift's")
        if kind == "strict":
            equal(rows(connection, """
                select c.relname || '.' || a.attname from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnotnull and a.attnum > 0
                where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' order by 1"""),
                  rows(fresh, """
                select c.relname || '.' || a.attname from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnotnull and a.attnum > 0
                where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' order by 1"""),
                  "strict: what may be null with uplift may be null")
        with connection.cursor() as cursor:
            equal(mistakes(cursor), [], kind + ": every function fits them")
        connection.close()
    done()


main()
