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

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, ROOT + "/t/lib")
sys.path.insert(1, ROOT + "/t/fault")
from cluster import Cluster  # noqa: E402
from provider import Simulator  # noqa: E402
from stack import (DATABASE, Clients, Stack, children, make_database, processes_of, restart_cluster,  # noqa: E402
                   signal_cluster, wait_for)
from tap import done, equal, note, ok  # noqa: E402

SOAK = int(os.environ.get("SOAK", "0"))
ROUNDS = SOAK or 1
CLIENTS = 24 if SOAK else 12


def backends():
    """Pids of the server processes that serve uplift."""
    out = cluster.psql(DATABASE, sql="select pid from pg_stat_activity where usename = 'uplift_app'").stdout
    return [int(line) for line in out.split()]


def kill_workers():
    for _ in range(3):
        workers = stack.workers()
        os.kill(random.choice(workers), signal.SIGKILL)
        ok(clients.more(20), "chats go on after a worker was killed")


def kill_backend():
    os.kill(random.choice(backends()), signal.SIGKILL)
    ok(clients.more(20), "chats go on after a backend was killed")
    ok(stack.ready("ready"), "Postgres is back by itself")


def kill_postmaster():
    cluster.kill()
    ok(stack.ready("degraded"), "the state of things is told")
    before = clients.total("degraded")
    ok(clients.more(20) and clients.total("degraded") > before, "chats go on without Postgres")
    ok(clients.more(5, "spooled"), "thumbs are taken without Postgres")
    ok(restart_cluster(cluster), "Postgres starts again")
    ok(stack.ready("ready"), "all is as before, by itself")


def freeze():
    frozen = processes_of(cluster)
    for pid in frozen:
        os.kill(pid, signal.SIGSTOP)
    try:
        ok(stack.ready("degraded"), "a frozen Postgres is seen")
        before = clients.total("degraded")
        ok(clients.more(20) and clients.total("degraded") > before, "chats go on while Postgres is frozen")
    finally:
        for pid in frozen:
            try:
                os.kill(pid, signal.SIGCONT)
            except ProcessLookupError:
                pass
    ok(stack.ready("ready"), "Postgres is taken up again when it thaws")


def kill_workers_while_away():
    cluster.stop("immediate")
    ok(stack.ready("degraded"), "Postgres was stopped")
    for _ in range(2):
        clients.more(10)
        for worker in stack.workers():
            os.kill(worker, signal.SIGKILL)
    ok(clients.more(10), "chats go on in new workers, without Postgres from the start")
    ok(len(stack.waiting()) > 1, "the dead have left spool files")
    ok(restart_cluster(cluster), "Postgres starts again")
    ok(wait_for(lambda: stack.status() == "ready" and clients.more(5), 20), "all is as before")


def kill_everything():
    stack.kill_all()
    cluster.kill()
    ok(restart_cluster(cluster), "Postgres starts again")
    stack.start()
    ok(stack.ready("ready") and clients.more(20), "all is as before after everything was killed")


cluster = Cluster(fsync=True, settings={"max_connections": "100"})
cluster.start()
make_database(cluster)
with Simulator("--pace", "2") as provider, Stack(cluster, provider.url) as stack:
    clients = Clients(stack, CLIENTS)
    ok(clients.more(50), "chats are answered")
    for round_number in range(ROUNDS):
        for fault in (kill_workers, kill_backend, kill_postmaster, freeze, kill_workers_while_away, kill_everything):
            note("%s, round %d" % (fault.__name__, round_number + 1))
            before = clients.refused()
            fault()
            refused = {k: v - before.get(k, 0) for k, v in clients.refused().items() if v != before.get(k, 0)}
            if fault in (kill_backend, kill_postmaster, freeze):
                equal(refused, {}, "%s: no client was refused anything" % fault.__name__)
            else:
                note("refused: " + json.dumps(refused))
            if SOAK:
                time.sleep(random.random() * 5)
    clients.stop()
    note("answers %d, of them without Postgres %d; begun and cut %d; thumbs %d, of them spooled %d; refused %s; "
         "slowest %.1f s" % (clients.total("answers"), clients.total("degraded"), clients.total("cut"),
                             sum(len(c.thumbs) for c in clients.all), clients.total("spooled"),
                             json.dumps(clients.refused()), max(c.slowest for c in clients.all)))
    ok(wait_for(lambda: not stack.waiting(), 30), "the spool is empty in the end", stack.waiting())
    complaints = clients.compare(cluster)
    ok(not complaints, "the table says what the clients were told", "\n".join(complaints))
    ok(clients.total("degraded") > 0 and clients.total("spooled") > 0, "some of it went through the spool")
    torn = [c for c in stack.corrupt() if os.path.getsize(c) > 0]
    note("%d torn lines of processes that were killed" % len(torn))
equal(stack.exit_status, 0, "the master ends in order")
done()
