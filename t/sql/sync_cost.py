#!/usr/bin/python3
"""What a worker asks every second costs the same however many users there are: with a budget for each of USERS users, of
whom many have used theirs up, it looks at no more rows and pages than with a few. And what a budget asks of a chat is read
by its key."""

import os
import sys

import psycopg2

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, ROOT + "/t/lib")
from cluster import Cluster  # noqa: E402
from explain import Explained, nodes, pages_of, rows_of  # noqa: E402
from tap import done, equal, note, ok  # noqa: E402

USERS = int(os.environ.get("USERS", "100000"))
FEW = 2000  # of whom more have used theirs up than workers are told of
MOST_TOLD = 1000

FILL = """
insert into uplift.budget_spend (budget_id, period_start, key, shard, cost_usd)
    select b.id, uplift.period_start('day', now()), md5('user ' || n)::uuid, s.shard, 0.5
    from uplift.budgets b, generate_series(%(begin)s, %(end)s) n, generate_series(0, n %% 3) as s(shard);
insert into uplift.budgets_used_up (budget_id, period_start, key)
    select b.id, uplift.period_start('day', now()), md5('user ' || n)::uuid
    from uplift.budgets b, generate_series(%(begin)s, %(end)s) n where n %% 3 > 0;
insert into uplift.rate_buckets (key, requests, tokens, filled_at, rpm, tpm, took, took_tokens)
    select 'user:' || md5('user ' || n)::uuid, 1, 1, now(), 1, 0, 1, 1 from generate_series(%(begin)s, %(end)s) n;
analyze;
"""
CALLS = {
    "a sync that hears of all that is used up": "select uplift_chat.worker_sync('{}')",
    "a sync that knows": "select uplift_chat.worker_sync(jsonb_build_object('budgets', uplift.used_up_mark()))",
    "a sync with gauges": "select uplift_chat.worker_sync('{\"gauges\": true}')",
    "a sync that tells what was spent":
        "select uplift_chat.worker_sync(jsonb_build_object('budgets', uplift.used_up_mark(), 'tokens', "
        "jsonb_build_object('user:' || md5('user 7')::uuid, 5)))",
    "a chat": "select * from uplift.check_budgets(md5('user 7')::uuid, null)",
}


def sql(text, values=None):
    with connection.cursor() as cursor:
        cursor.execute(text, values)
        return cursor.fetchall() if cursor.description else []


def read_whole(plans, *tables):
    """Which of these tables were read from end to end."""
    return [node["Relation Name"] for plan in plans for node in nodes(plan["Plan"])
            if node["Node Type"] == "Seq Scan" and node["Relation Name"] in tables and node.get("Actual Loops", 1) > 0]


def costs():
    found = {}
    for name, call in CALLS.items():
        plans = explained.plans(call)
        found[name] = (rows_of(plans), pages_of(plans), read_whole(plans, "budget_spend", "rate_buckets"))
    return found


cluster = Cluster(settings={"autovacuum": "off", "shared_buffers": "128MB"})
cluster.start()
cluster.createdb("sync")
result = cluster.psql("sync", file=ROOT + "/sql/install.sql")
equal((result.returncode, result.stderr), (0, ""), "install.sql is loaded")
connection = psycopg2.connect(cluster.conninfo("sync"))
connection.autocommit = True
sql("insert into uplift.budgets (scope, period, limit_usd) values ('user', 'day', 1)")
explained = Explained(cluster, "sync")
sql(FILL, {"begin": 1, "end": FEW})
sql("vacuum analyze")
explained.begin()
few = costs()
sql(FILL, {"begin": FEW + 1, "end": USERS})
sql("vacuum analyze")
many = costs()
note("%d rows of spending" % sql("select count(*) from uplift.budget_spend")[0][0])
told = sql("select jsonb_array_length(uplift_chat.worker_sync('{}') -> 'budgets')")
equal(told, [(MOST_TOLD,)], "as many as that are told")
for name in CALLS:
    note("%s: of %d users %r, of %d users %r" % (name, FEW, few[name], USERS, many[name]))
    equal(many[name][2], [], "%s: by an index" % name)
    # Counted for metrics are up to 10,000.
    most = few[name][0] + (10000 if "gauges" in name else 0)
    ok(0 < many[name][0] <= most, "%s: no more rows" % name, (few[name], many[name]))
    ok(many[name][1] <= few[name][1] + (200 if "gauges" in name else 20), "%s: no more pages" % name, (few[name], many[name]))

# What is over is forgotten, step by step.
sql("update uplift.budget_spend set period_start = period_start - 1 where shard = 0")
sql("vacuum analyze")
steps = 0
while sql("select uplift_batch.trim_spent(10000)") == [(10000,)]:
    steps += 1
equal((steps, sql("select count(*) from uplift.budget_spend where period_start < uplift.period_start('day', now())")),
      (USERS // 10000, [(0,)]), "and in the end all of it is gone")
sql("vacuum analyze")
equal(read_whole(explained.plans("select uplift_batch.trim_spent(10000)"), "budget_spend"), [],
      "where nothing is over, what is spent is not read to find that out")
done()
