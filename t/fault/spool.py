#!/usr/bin/python3
"""The spool of whole uplifts: two masters that share one, and one on a disk that is full."""

import os
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, ROOT + "/t/lib")
sys.path.insert(1, ROOT + "/t/fault")
from cluster import Cluster  # noqa: E402
from provider import Simulator  # noqa: E402
from stack import Clients, Stack, make_database, restart_cluster, wait_for  # noqa: E402
from tap import done, equal, note, ok  # noqa: E402


def share(provider):
    directory = tempfile.mkdtemp(prefix="uplift-spool.", dir="/tmp")
    os.chmod(directory, 0o777)
    with Stack(cluster, provider.url, directory + "/spool") as one, \
            Stack(cluster, provider.url, directory + "/spool") as other:
        groups = [Clients(one, 4), Clients(other, 4)]
        cluster.stop("immediate")
        for clients in groups:
            ok(clients.more(40) and clients.more(5, "spooled"), "chats and thumbs go to the shared spool")
        ok(len(one.waiting()) >= 2, "each worker has a file of its own")
        for clients in groups:
            clients.stop()
        ok(restart_cluster(cluster), "Postgres starts again")
        # All four workers now race for all files.
        ok(wait_for(lambda: not one.waiting(), 30), "everything is loaded")
        complaints = groups[0].compare(cluster) + groups[1].compare(cluster)
        ok(not complaints, "the table says what the clients of both were told", "\n".join(complaints))
        equal(one.corrupt(), [], "no line was torn or corrupt")
    subprocess.run(["rm", "-rf", directory], check=True)


def full_disk(provider):
    directory = tempfile.mkdtemp(prefix="uplift-full.", dir="/tmp")
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "none", directory],
                                           stderr=subprocess.DEVNULL).returncode != 0:
        note("no right to mount a small disk: t/unit/test_recorder has a file size limit instead")
        ok(True, "a full disk # SKIP needs the right to mount")
        os.rmdir(directory)
        return
    try:
        with Stack(cluster, provider.url, directory) as stack:
            clients = Clients(stack, 6)
            ok(clients.more(20), "chats are answered")
            cluster.stop("immediate")
            ok(clients.more(10), "chats go on while there is room")
            failed = lambda: clients.total("cut") + sum(clients.refused().values())  # noqa: E731
            before = failed()
            try:
                with open(directory + "/filling", "wb", buffering=0) as file:
                    while True:
                        file.write(b"x" * 512)
            except OSError:
                pass
            ok(wait_for(lambda: failed() > before + 10), "with a full disk clients are told of an error")
            note("refused: %r" % clients.refused())
            os.unlink(directory + "/filling")
            ok(clients.more(10), "with room again chats go on")
            ok(restart_cluster(cluster), "Postgres starts again")
            ok(stack.ready("ready") and clients.more(20), "all is as before")
            clients.stop()
            ok(wait_for(lambda: not stack.waiting(), 30), "the spool is empty in the end", stack.waiting())
            complaints = clients.compare(cluster)
            ok(not complaints, "the table says what the clients were told", "\n".join(complaints))
            equal(stack.corrupt(), [], "a full disk leaves no torn line")
    finally:
        subprocess.run(["umount", directory], check=True)
        os.rmdir(directory)


cluster = Cluster(settings={"max_connections": "100"})
cluster.start()
make_database(cluster)
with Simulator("--pace", "2") as simulator:
    share(simulator)
    full_disk(simulator)
done()
