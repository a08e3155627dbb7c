#!/usr/bin/python3
"""How well the rules for memories do: measured on the labelled sentences of t/sql/memory.

Prints precision and recall of each kind, in each of the two files by itself. With --misses it also prints what went wrong in
tuned.txt; held_out.txt is not to be looked at.
"""

import collections
import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, ROOT + "/t/lib")
import psycopg2  # noqa: E402
from cluster import Cluster  # noqa: E402
from tap import done, note, ok  # noqa: E402

KINDS = ("goal", "preference", "achievement", "struggle", "milestone")
# Of a hundred sentences: those that are remembered and should be so, as that kind; and those that should be, and are.
FLOORS = {"tuned.txt": (95, 85), "held_out.txt": (90, 72)}


def read(name):
    """Kind, subject and sentence of each line."""
    with open("%s/t/sql/memory/%s" % (ROOT, name), encoding="utf-8") as file:
        return [line.rstrip("\n").split("\t") for line in file if not line.startswith("#")]


def find(cursor, text):
    """The kind and subject that the rules see, ("none", "") for nothing."""
    cursor.execute("select memory_type, coalesce(subject, '') from uplift.find_memories(%s)", (text,))
    found = cursor.fetchall()
    return found[0] if found else ("none", "")


def percent(part, whole):
    return 100.0 * part / whole if whole else 0.0


def measure(cursor, name, shows):
    wanted, found, right, subjects = (collections.Counter() for _ in range(4))
    lines = read(name)
    for kind, subject, text in lines:
        got = find(cursor, text)
        wanted[kind] += 1
        found[got[0]] += 1
        right[kind] += got[0] == kind
        subjects[got[1] == subject] += got[0] == kind != "none"
        if shows and got != (kind, subject):
            note("%s %s, not %s %s: %s" % (kind, subject, got[0], got[1], text))
    for kind in KINDS + ("none",):
        note("%-12s %-11s %3d sentences   precision %5.1f %%   recall %5.1f %%" % (
            name, kind, wanted[kind], percent(right[kind], found[kind]), percent(right[kind], wanted[kind])))
    hits = sum(right[k] for k in KINDS)
    precision, recall = percent(hits, sum(found[k] for k in KINDS)), percent(hits, sum(wanted[k] for k in KINDS))
    note("%-12s all kinds   %3d sentences   precision %5.1f %%   recall %5.1f %%" % (name, len(lines), precision, recall))
    least = FLOORS[name]
    ok(precision >= least[0] and recall >= least[1], "%s: precision %.1f %%, recall %.1f %%" % (name, precision, recall),
       "wanted: at least %d and %d" % least)
    ok(subjects[True] >= 9 * subjects[False], "%s: whom a sentence is about is right in %d of %d" % (
        name, subjects[True], subjects[True] + subjects[False]))
    return len(lines)


def main():
    cluster = Cluster(fsync=False)
    cluster.start()
    try:
        cluster.createdb("memory")
        installed = cluster.psql("memory", file=ROOT + "/sql/install.sql")
        ok(installed.returncode == 0, "the schema is installed", installed.stderr)
        with psycopg2.connect(cluster.conninfo("memory")) as connection, connection.cursor() as cursor:
            count = sum(measure(cursor, name, "--misses" in sys.argv and name == "tuned.txt") for name in FLOORS)
            ok(count >= 300, "%d labelled sentences" % count)
    finally:
        cluster.remove()
    done()


main()
