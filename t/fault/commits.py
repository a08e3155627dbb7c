#!/usr/bin/python3
"""Postgres killed under load at the steps of its commits: a server process dies before or after putting its log on
the disk, all the others with it, and Postgres recovers; again and again. The clients' transcripts tell what must be
there. See crashpoint.c."""

import os
import shutil
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[1:1] = [TOP + "/t/lib"]
from build import program  # noqa: E402
from clients import Clients, own_cluster, robust_uplift  # noqa: E402
from process import wait_for  # noqa: E402
from tap import done, equal, note, ok, run  # noqa: E402

# The number is of the step in each server process's life, and high enough for recovery to come through.
POINTS = ["before pwrite:25", "before fdatasync:15", "after fdatasync:15"]
CRASHES = 2


def crashes():
    with open(cluster.log, errors="replace") as file:
        return file.read().count("was terminated by signal 9")


def start_postgres(point=None):
    """As its user, who may not be able to read where the program was built."""
    environment = {"LD_PRELOAD": library, "CRASHPOINT": point} if point else {}
    os.environ.update(environment)
    try:
        cluster.start()
    finally:
        for name in environment:
            del os.environ[name]


def die_at(point):
    cluster.stop()
    start_postgres(point)
    before = crashes()
    clients = Clients(uplift, 8)
    ok(wait_for(lambda: crashes() >= before + CRASHES and clients.total("answers") > clients.total("degraded"), 60),
       "%s: Postgres dies there and comes back" % point)
    cluster.stop("immediate")
    ok(clients.more(10), "%s: chats go on" % point)
    start_postgres()
    ok(uplift.ready("ready"), "%s: all is as before, by itself" % point)
    clients.stop()
    note("answers %d, of them without Postgres %d" % (clients.total("answers"), clients.total("degraded")))
    equal((clients.refused(), clients.total("cut")), ({}, 0), "%s: no client noticed" % point)
    ok(wait_for(lambda: not uplift.spool_files(), 60), "%s: the spool is loaded" % point, uplift.spool_files())
    complaints = clients.compare()
    ok(not complaints, "%s: the table says what the clients were told" % point, "\n".join(complaints))


def all_points():
    for point in POINTS:
        die_at(point)


cluster = own_cluster(fsync=True)
library = shutil.copy(program("t/fault/crashpoint.so"), cluster.dir + "/crashpoint.so")
os.chmod(library, 0o755)
with robust_uplift(cluster) as uplift:
    run(all_points)
done()
