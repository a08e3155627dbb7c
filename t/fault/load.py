#!/usr/bin/python3
"""Under load: workers killed, Postgres killed, stopped and frozen, all at once killed. The clients write down every
answer whose end they saw and every thumb that was acknowledged; afterwards all of it must be in the table, once, whole,
and with the last word on it. SOAK=N goes round N times and takes its time."""

import json
import os
import random
import signal
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[1:1] = [TOP + "/t/lib"]
from clients import Clients, own_cluster, robust_uplift  # noqa: E402
from process import send, wait_for  # noqa: E402
from tap import done, equal, note, ok, run  # noqa: E402

SOAK = int(os.environ.get("SOAK", "0"))
ROUNDS = SOAK or 1
CLIENTS = 24 if SOAK else 12


def backends():
    """Pids of the server processes that serve uplift."""
    return [row["pid"] for row in uplift.sql("select pid from pg_stat_activity where usename = 'uplift_app'")]


def kill_workers():
    for _ in range(3):
        send([random.choice(uplift.workers())], signal.SIGKILL)
        ok(clients.more(20), "chats go on after a worker was killed")


def kill_backend():
    send([random.choice(backends())], signal.SIGKILL)
    ok(clients.more(20), "chats go on after a backend was killed")
    ok(uplift.ready("ready"), "Postgres is back by itself")


def kill_postmaster():
    cluster.kill()
    ok(uplift.ready("degraded"), "the state of things is told")
    before = clients.total("degraded")
    ok(clients.more(20) and clients.total("degraded") > before, "chats go on without Postgres")
    ok(clients.more(5, "spooled"), "thumbs are taken without Postgres")
    ok(cluster.restart(), "Postgres starts again")
    ok(uplift.ready("ready"), "all is as before, by itself")


def freeze():
    with cluster.frozen():
        ok(uplift.ready("degraded"), "a frozen Postgres is seen")
        before = clients.total("degraded")
        ok(clients.more(20) and clients.total("degraded") > before, "chats go on while Postgres is frozen")
    ok(uplift.ready("ready"), "Postgres is taken up again when it thaws")


def kill_workers_while_away():
    cluster.stop("immediate")
    ok(uplift.ready("degraded"), "Postgres was stopped")
    for _ in range(2):
        clients.more(10)
        send(uplift.workers(), signal.SIGKILL)
    ok(clients.more(10), "chats go on in new workers, without Postgres from the start")
    ok(len(uplift.spool_files()) > 1, "the dead have left spool files")
    ok(cluster.restart(), "Postgres starts again")
    ok(wait_for(lambda: uplift.status() == "ready" and clients.more(5), 20), "all is as before")


def kill_everything():
    uplift.kill_chat()
    cluster.kill()
    ok(cluster.restart(), "Postgres starts again")
    uplift.start_chat()
    ok( clients.more(20), "all is as before after everything was killed")


def restart():
    cluster.stop("fast")
    ok(clients.more(10), "chats go on while Postgres is stopped")
    ok(cluster.restart(), "Postgres starts again")
    ok(uplift.ready("ready"), "all is as before, by itself")


FAULTS = (kill_workers, kill_backend, kill_postmaster, restart, freeze, kill_workers_while_away, kill_everything)
HARMLESS = (kill_backend, kill_postmaster, restart, freeze)  # to clients, who see only that an answer is degraded


def suffer(fault):
    before = clients.refused()
    fault()
    refused = {k: v - before.get(k, 0) for k, v in clients.refused().items() if v != before.get(k, 0)}
    if fault in HARMLESS:
        equal(refused, {}, "%s: no client was refused anything" % fault.__name__)
    else:
        note("refused: " + json.dumps(refused))


def go_round():
    ok(clients.more(50), "chats are answered")
    for round_number in range(ROUNDS):
        for fault in FAULTS:
            note("%s, round %d" % (fault.__name__, round_number + 1))
            suffer(fault)
            if SOAK:
                time.sleep(random.random() * 5)


def compare():
    clients.stop()
    note("answers %d, of them without Postgres %d; begun and cut %d; thumbs %d, of them spooled %d; refused %s; "
         "slowest %.1f s" % (clients.total("answers"), clients.total("degraded"), clients.total("cut"),
                             sum(len(c.thumbs) for c in clients.all), clients.total("spooled"),
                             json.dumps(clients.refused()), max(c.slowest for c in clients.all)))
    ok(wait_for(lambda: not uplift.spool_files(), 60), "the spool is empty in the end", uplift.spool_files())
    complaints = clients.compare()
    ok(not complaints, "the table says what the clients were told", "\n".join(complaints))
    ok(clients.total("degraded") > 0 and clients.total("spooled") > 0, "some of it went through the spool")
    torn = [c for c in uplift.spool_files(".corrupt") if os.path.getsize(c) > 0]
    note("%d torn lines of processes that were killed" % len(torn))


cluster = own_cluster(fsync=True)
with robust_uplift(cluster) as uplift:
    clients = Clients(uplift, CLIENTS)
    run(go_round, compare)
done()
