#!/usr/bin/python3
"""One more thumb costs the same however many there were before it: on an answer, and on one that still streams. Counted
are the rows and pages that it looks at, not the time it takes."""

import json
import os
import sys

import psycopg2

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, ROOT + "/t/lib")
from cluster import Cluster  # noqa: E402
from explain import Explained, pages_of, rows_of  # noqa: E402
from tap import done, equal, note, ok  # noqa: E402

FEW, MANY = 10, 3000
# Beside what a thumb needs, a page may hold old versions of a row that nobody has cleared away yet.
MORE_PAGES = 20


def id_of(n):
    return "10000000-0000-4000-8000-%012d" % n


def user_of(n):
    """Each answer is of a user of its own: in so small a table the planner may go by the user instead of the answer."""
    return "00000000-0000-4000-8000-%012d" % n


def sql(text, *values):
    with connection.cursor() as cursor:
        cursor.execute(text, values or None)
        return cursor.fetchall() if cursor.description else []


def thumb(n, up):
    return ("select * from uplift_chat.take_feedback('%s', '%s', '{\"helpful\": %s, \"rating\": %d}', true, clock_timestamp(), uplift.uuid_v7(), "
            "'192.0.2.1', null)" % (user_of(n), id_of(n), str(up).lower(), 5 if up else 1))


def give(n, times):
    for i in range(times):
        sql(thumb(n, i % 2 == 0))


cluster = Cluster(settings={"autovacuum": "off"})
cluster.start()
cluster.createdb("cost")
for script in ("install.sql", "demo.sql"):
    result = cluster.psql("cost", file=ROOT + "/sql/" + script)
    equal((result.returncode, result.stderr), (0, ""), script + " is loaded")
connection = psycopg2.connect(cluster.conninfo("cost"))
connection.autocommit = True
sql("delete from uplift.rate_limits")
sql("insert into uplift.rate_limits (scope, feedback_per_minute) values ('user', 1000000)")
sql("select * from uplift_chat.record_answers(%s::json)", json.dumps([
    {"id": id_of(n), "user_id": user_of(n), "conversation_id": id_of(100 + n), "user_message": "q", "ai_response": "a"}
    for n in (1, 2)]))

explained = Explained(cluster, "cost")
explained.begin()
for few, many, name in ((1, 2, "an answer"), (3, 4, "an answer that still streams")):
    give(few, FEW)
    give(many, MANY)
    plans = {n: explained.plans(thumb(n, True)) for n in (few, many)}
    rows = {n: rows_of(plans[n]) for n in plans}
    pages = {n: pages_of(plans[n]) for n in plans}
    note("%s: rows %r, pages %r" % (name, rows, pages))
    ok(rows[few] > 0, "%s: a thumb looks at rows" % name, plans[few])
    equal(rows[many], rows[few], "%s: after %d words as many as after %d" % (name, MANY, FEW))
    ok(pages[many] <= pages[few] + MORE_PAGES, "%s: and as many pages" % name, pages)

# What waits is applied by the group that records the answer, in one go.
answers = {n: json.dumps([{"id": id_of(n), "user_id": user_of(n), "conversation_id": id_of(100 + n), "user_message": "q",
                           "ai_response": "a"}]) for n in (3, 4)}
plans = {n: explained.plans("select * from uplift_chat.record_answers('%s'::json)" % answers[n]) for n in answers}
equal(rows_of(plans[4]), rows_of(plans[3]), "to record an answer costs the same after %d words as after %d" % (MANY, FEW))
sql("select * from uplift_chat.record_answers(%s::json)", answers[4])
equal(sql("select helpful, rating from public.coach_response_feedback where id = %s", id_of(4)), [(False, 1)],
      "and the last word is there")
done()
