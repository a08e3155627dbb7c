#!/usr/bin/python3
"""Workers that die at a chosen step of making answers durable, again and again, under load: after a commit of which
nobody knows yet, before an fsync, after one. See crashpoint.c; crash.py goes through all steps of a recorder alone."""

import os
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[1:1] = [TOP + "/t/lib"]
from build import program  # noqa: E402
from clients import Clients, own_cluster, robust_uplift  # noqa: E402
from process import sanitizers, wait_for  # noqa: E402
from tap import done, ok, run  # noqa: E402

# (step and its number in each worker's life, whether Postgres is away)
POINTS = [("after PQgetResult:60", False), ("after PQsendQueryPrepared:60", False), ("before fdatasync:10", True),
          ("after fdatasync:10", True), ("in write:10", True)]


def die_at(point, away):
    uplift.environment = {"LD_PRELOAD": program("t/fault/crashpoint.so"), "CRASHPOINT": point,
                          **sanitizers("verify_asan_link_order=0")}
    uplift.start_chat()
    clients = Clients(uplift, 8)
    if away:
        clients.more(3)
        cluster.stop("immediate")
    seen = set(uplift.workers())
    ok(wait_for(lambda: seen.update(uplift.workers()) or len(seen) >= 5, 60),
       "%s: workers die there and are replaced" % point)
    if away:
        ok(cluster.restart(), "%s: Postgres starts again" % point)
    ok(clients.more(10), "%s: chats go on" % point)
    clients.stop()
    uplift.kill_chat()
    uplift.environment = {}
    uplift.start_chat()
    ok(wait_for(lambda: not uplift.spool_files(), 60), "%s: what is left is loaded" % point, uplift.spool_files())
    complaints = clients.compare()
    ok(not complaints, "%s: the table says what the clients were told" % point, "\n".join(complaints))
    uplift.stop_chat()


def all_points():
    for point, away in POINTS:
        die_at(point, away)


cluster = own_cluster()
with robust_uplift(cluster) as uplift:
    uplift.stop_chat()
    run(all_points)
done()
