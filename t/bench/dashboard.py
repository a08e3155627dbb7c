"""How long the server takes for what each page of the dashboard asks first, with --rows answers of a tenth as many users.

Answers are those of t/bench/growth.py, with ratings, costs and times; they are counted by the job, as on any server. Then Chromium opens
each page of the navigation, and of those that are lists the first thing on it, twice, and the second time counts: from when the page asks for the first thing until it has the last of
those that it needs at first.
"""

import json
import os
import subprocess

import growth
import node
from cluster import Cluster
from harness import Uplift

HERE = os.path.dirname(os.path.abspath(__file__))
BROWSER = os.path.join(HERE, "../browser")
WANTED_MS = 300

DAYS = 30  # that they are spread over, until today


def fill(up, rows, say):
    users = rows // growth.TURNS
    since = up.value("select (now() - %s * interval '1 day')::text", DAYS + 1)
    for first in range(1, users + 1, growth.STEP):
        say("making %d answers: %.0f %%" % (rows, 100 * (first - 1) / users))
        growth.fill(up, first, min(first + growth.STEP - 1, users), since, "%f seconds" % (DAYS * 86400 / users))
    growth.vacuum(up)
    up.sql("delete from uplift.usage_state")  # so that all is counted, as where there were answers before


def look(up):
    """What Chromium saw: {page: {"ms", "requests": [{"path", "ms"}]}}."""
    node.install(BROWSER)
    done = subprocess.run(["node", os.path.join(HERE, "dashboard.mjs")], cwd=BROWSER, stdout=subprocess.PIPE, text=True, timeout=1800,
                          env={**os.environ, "PAGE_URL": up.url, "PAGE_TOKEN": up.admin_token(), "PAGE_ANON_KEY": up.anon_key})
    if done.returncode != 0:
        raise SystemExit("bench: the dashboard could not be opened:\n" + done.stdout)
    return json.loads(done.stdout)


def measure(rows, say=lambda text: None):
    """The figures, by name."""
    cluster = Cluster(fsync=True, settings={"shared_buffers": "512MB", "max_wal_size": "8GB", "maintenance_work_mem": "512MB"})
    cluster.start()
    try:
        up = Uplift(cluster=cluster, simulator=None, batch=True, UPLIFT_LOG_LEVEL="warn", expected=".").__enter__()
        try:
            fill(up, rows, say)
            say("counting them")
            job = up.job("roll-up-usage", seconds=3600)
            if job["status"] != "succeeded":
                raise SystemExit("bench: the answers could not be counted: %s" % job)
            say("opening each page")
            return {"rows": rows, "pages": look(up)}
        finally:
            up.stop()
            up.remove()
    finally:
        cluster.remove()


def goals(f):
    """What was wanted: (text, whether it is so, what was wanted)."""
    name, page = max(f["pages"].items(), key=lambda item: item[1]["ms"])
    yield ("the slowest page of the dashboard, %s: %.0f ms" % (name, page["ms"]), page["ms"] <= WANTED_MS, "at most %d ms" % WANTED_MS)


def show(f):
    print("the dashboard with %d answers: ms of the server until a page has what it asks for at first, and its slowest request" % f["rows"])
    for name, page in f["pages"].items():
        slowest = max(page["requests"], key=lambda one: one["ms"], default={"path": "none", "ms": 0})
        print("  %-16s %6.0f   %-60s %6.0f" % (name, page["ms"], slowest["path"][:60], slowest["ms"]))
