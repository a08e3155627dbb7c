#!/usr/bin/python3
"""Workers that die at a chosen step of making answers durable, again and again, under load: after a commit of which
nobody knows yet, before an fsync, after one. See crashpoint.c; crash.py goes through all steps of a recorder alone."""

import os
import shutil
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, ROOT + "/t/lib")
sys.path.insert(1, ROOT + "/t/fault")
from build import program  # noqa: E402
from cluster import Cluster  # noqa: E402
from provider import Simulator  # noqa: E402
from stack import Clients, Stack, make_database, restart_cluster, wait_for  # noqa: E402
from tap import done, ok  # noqa: E402

# (step and its number in each worker's life, whether Postgres is away)
POINTS = [("after PQgetResult:60", False), ("after PQsendQueryPrepared:60", False), ("before fdatasync:10", True),
          ("after fdatasync:10", True), ("in write:10", True)]

cluster = Cluster(settings={"max_connections": "100"})
cluster.start()
make_database(cluster)
with Simulator("--pace", "2") as provider:
    for point, away in POINTS:
        environment = {"LD_PRELOAD": program("t/fault/crashpoint.so"), "CRASHPOINT": point,
                       "ASAN_OPTIONS": "verify_asan_link_order=0"}
        directory = tempfile.mkdtemp(prefix="uplift-spool.", dir="/tmp")
        os.chmod(directory, 0o777)
        with Stack(cluster, provider.url, directory + "/spool", environment) as stack:
            clients = Clients(stack, 8)
            if away:
                clients.more(3)
                cluster.stop("immediate")
            seen = set(stack.workers())
            ok(wait_for(lambda: seen.update(stack.workers()) or len(seen) >= 5, 30),
               "%s: workers die there and are replaced" % point)
            if away:
                ok(restart_cluster(cluster), "%s: Postgres starts again" % point)
            ok(clients.more(10), "%s: chats go on" % point)
            clients.stop()
            stack.kill_all()
        with Stack(cluster, provider.url, directory + "/spool") as heir:
            ok(wait_for(lambda: not heir.waiting(), 30), "%s: what is left is loaded" % point, heir.waiting())
            complaints = clients.compare(cluster)
            ok(not complaints, "%s: the table says what the clients were told" % point, "\n".join(complaints))
        shutil.rmtree(directory)
done()
