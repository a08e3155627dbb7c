#!/usr/bin/python3
"""The spool of whole uplifts: two masters that share one, and one on a disk that is full."""

import contextlib
import os
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[1:1] = [TOP + "/t/lib"]
from clients import Clients, own_cluster, robust_uplift  # noqa: E402
from process import wait_for  # noqa: E402
from tap import done, equal, note, ok, run, skip  # noqa: E402


def two_share_a_spool():
    with robust_uplift(cluster) as one, \
            robust_uplift(cluster, database=one.database, UPLIFT_SPOOL_DIR=one.dir + "/spool") as other:
        groups = [Clients(one, 4), Clients(other, 4)]
        cluster.stop("immediate")
        for clients in groups:
            ok(clients.more(40) and clients.more(5, "spooled"), "chats and thumbs go to the shared spool")
        ok(len(one.spool_files()) >= 2, "each worker has a file of its own")
        for clients in groups:
            clients.stop()
        ok(cluster.restart(), "Postgres starts again")
        # All four workers now race for all files.
        ok(wait_for(lambda: not one.spool_files(), 60), "everything is loaded")
        complaints = groups[0].compare() + groups[1].compare()
        ok(not complaints, "the table says what the clients of both were told", "\n".join(complaints))
        equal(one.spool_files(".corrupt"), [], "no line was torn or corrupt")


def succeeds(*command):
    """Whether a command could be run, and was content."""
    try:
        return subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0
    except OSError:
        return False


@contextlib.contextmanager
def small_disk():
    """A directory with room for 2 MB that anybody may write to; None where there is no right to mount one."""
    directory = tempfile.mkdtemp(prefix="uplift-full.", dir="/tmp")
    mounted = succeeds("mount", "-t", "tmpfs", "-o", "size=2m,mode=0777", "none", directory)
    try:
        writable = mounted and succeeds("runuser", "-u", "www-data", "--", "touch", directory + "/written")
        yield directory if writable else None
    finally:
        if mounted and not succeeds("umount", directory):
            succeeds("umount", "-l", directory)
        with contextlib.suppress(OSError):
            os.rmdir(directory)


def fill(path):
    with contextlib.suppress(OSError), open(path, "wb", buffering=0) as file:
        while True:
            file.write(b"x" * 512)


def a_full_disk():
    with small_disk() as directory:
        if directory is None:
            note("t/unit/test_recorder tests the same with a limit of the size of files")
            skip("a full disk", "needs the right to mount one")
            return
        with robust_uplift(cluster, UPLIFT_SPOOL_DIR=directory) as uplift:
            clients = Clients(uplift, 6)
            ok(clients.more(20), "chats are answered")
            cluster.stop("immediate")
            ok(clients.more(10), "chats go on while there is room")
            failed = lambda: clients.total("cut") + sum(clients.refused().values())  # noqa: E731
            before = failed()
            fill(directory + "/filling")
            ok(wait_for(lambda: failed() > before + 10), "with a full disk clients are told of an error")
            note("refused: %r" % clients.refused())
            os.unlink(directory + "/filling")
            ok(clients.more(10), "with room again chats go on")
            ok(cluster.restart(), "Postgres starts again")
            ok(uplift.ready("ready") and clients.more(20), "all is as before")
            clients.stop()
            ok(wait_for(lambda: not uplift.spool_files(), 60), "the spool is empty in the end", uplift.spool_files())
            complaints = clients.compare()
            ok(not complaints, "the table says what the clients were told", "\n".join(complaints))
            equal(uplift.spool_files(".corrupt"), [], "a full disk leaves no torn line")


cluster = own_cluster()
run(two_share_a_spool)
if not cluster.running:  # where the part before broke off
    cluster.restart()
run(a_full_disk)
done()
