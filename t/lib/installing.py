"""What the installer's tests have in common: install over what exists, and look at what became of it."""

import difflib
import os

import psycopg2

from tap import contains, equal, ok

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
INSTALL = ROOT + "/sql/install.sql"
FIXTURES = ROOT + "/t/sql/fixtures/"
ANN = "00000000-0000-4000-8000-00000000000a"
BOB = "00000000-0000-4000-8000-00000000000b"


def install(cluster, database, user=None):
    return cluster.psql(database, file=INSTALL, user=user)


def difference(a, b):
    return "".join(list(difflib.unified_diff(a.splitlines(True), b.splitlines(True)))[:50])


def rows(connection, sql, *arguments):
    with connection.cursor() as cursor:
        cursor.execute(sql, arguments)
        return cursor.fetchall() if cursor.description else cursor.rowcount


def connect(cluster, database, user=None):
    connection = psycopg2.connect(cluster.conninfo(database, user))
    connection.autocommit = True
    return connection


def installed(cluster, database, name, user=None):
    """Installs without a word, twice, and the second time nothing changes."""
    result = install(cluster, database, user)
    equal((result.returncode, result.stderr), (0, ""), name + ": installs")
    return result.returncode == 0 and unchanged_again(cluster, database, name, user)


def unchanged_again(cluster, database, name, user=None):
    before = cluster.dump(database)
    result = install(cluster, database, user)
    equal(result.returncode, 0, name + ": a second run succeeds")
    after = cluster.dump(database)
    return ok(before == after, name + ": a second run leaves schema and rows as they were, to the byte",
              result.stderr + difference(before, after))


def refused(cluster, database, name, conflicts, user=None, count=None):
    """The installer names every conflict (and no other, where count is given), and neither schema nor rows change."""
    before = cluster.dump(database)
    result = install(cluster, database, user)
    equal(result.returncode, 3, name + ": refused")
    for conflict in conflicts:
        contains(result.stderr, conflict, name + ": lists " + conflict)
    if count:
        contains(result.stderr, "%d conflict(s)" % count, name + ": and nothing else")
    contains(result.stderr, "nothing was changed", name + ": says so")
    after = cluster.dump(database)
    ok(before == after, name + ": nothing changed", difference(before, after))
    return result


# How deployments' tables may differ from uplift's in the types of their columns: the type as uplift has it, to that
# of the deployment.
TYPES = {
    "wide": {"integer": "bigint", "numeric(2,1)": "numeric", "numeric(12,8)": "numeric(30,20)", "numeric": "numeric(30,10)"},
    "narrow": {"integer": "smallint", "numeric": "integer", "numeric(2,1)": "integer", "numeric(12,8)": "bigint",
               "text": "varchar(30)", "text[]": "varchar(20)[]", "timestamp with time zone": "timestamp(0) with time zone"},
    "strict": {},
}


def deployment(installed_database, kind):
    """SQL that makes the tables of schema public, as the connection's database has them, with the types of a kind;
    in the strict one every column must have a value."""
    tables = {}
    for table, column, type_name in rows(installed_database, """
            select c.relname, a.attname, format_type(a.atttypid, a.atttypmod)
            from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
            where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' order by c.relname, a.attnum"""):
        definition = "uuid primary key default gen_random_uuid()" if column == "id" else \
            TYPES[kind].get(type_name, type_name) + (" not null" if kind == "strict" else "")
        tables.setdefault(table, []).append("%s %s" % (column, definition))
    return ";\n".join("create table %s (%s)" % (table, ", ".join(columns)) for table, columns in tables.items())
