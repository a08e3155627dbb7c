"""A private Postgres cluster for a test: Unix socket only, its own directory, gone at the end.

    cluster = Cluster()
    cluster.start()
    cluster.createdb("a")
    result = cluster.psql("a", file="sql/install.sql")
    connection = psycopg2.connect(cluster.conninfo("a"))

Runs as the user postgres when started by root, because Postgres refuses to run as root. The
directory is kept, and named, when UPLIFT_TEST_KEEP is set.
"""

import atexit
import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile

from process import children, paused, wait_for

BINDIRS = ["/usr/lib/postgresql/%d/bin" % v for v in (17, 16, 15)]


def bindir():
    for directory in [os.environ.get("PG_BINDIR", "")] + BINDIRS:
        if directory and os.path.exists(directory + "/initdb"):
            return directory
    found = shutil.which("initdb")
    if not found:
        raise RuntimeError("cannot find initdb: install postgresql-15 or set PG_BINDIR")
    return os.path.dirname(os.path.realpath(found))


class Cluster:
    def __init__(self, superuser="postgres", fsync=False, settings=None, bin=None):
        """bin: the directory of another server's programs."""
        self.superuser = superuser
        self.bin = bin or bindir()
        self.as_root = os.geteuid() == 0
        # Short, because a socket's path has at most 107 bytes.
        self.dir = tempfile.mkdtemp(prefix="upg.", dir="/tmp")
        self.data = self.dir + "/data"
        self.socket = self.dir
        self.running = False
        if self.as_root:
            user = pwd.getpwnam("postgres")
            os.chown(self.dir, user.pw_uid, user.pw_gid)
        os.chmod(self.dir, 0o755)
        atexit.register(self.remove)
        self._run("initdb", "-D", self.data, "-U", superuser, "-A", "trust", "-E", "UTF8",
                  "--locale=C.UTF-8", "--no-sync", "--no-instructions")
        lines = {
            "listen_addresses": "''",
            "unix_socket_directories": "'%s'" % self.socket,
            "fsync": "on" if fsync else "off",
            "shared_buffers": "32MB",
            "max_connections": "50",
            "log_line_prefix": "'%m [%p] %u@%d '",
        }
        lines.update(settings or {})
        text = "".join("%s = %s\n" % item for item in lines.items())
        subprocess.run(self._as_user(["tee", "-a", self.data + "/postgresql.conf"]),
                       input=text.encode(), stdout=subprocess.DEVNULL, check=True)

    def _as_user(self, command):
        return ["runuser", "-u", "postgres", "--"] + command if self.as_root else command

    def _run(self, program, *arguments):
        done = subprocess.run(self._as_user([self.bin + "/" + program] + list(arguments)),
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd="/")
        if done.returncode != 0:
            raise RuntimeError("%s failed: %s" % (program, done.stdout.decode(errors="replace")))

    @property
    def log(self):
        return self.dir + "/log"

    def start(self):
        self._run("pg_ctl", "start", "-D", self.data, "-l", self.log, "-w", "-s", "-t", "60")
        self.running = True

    def stop(self, mode="fast"):
        self._run("pg_ctl", "stop", "-D", self.data, "-m", mode, "-w", "-s", "-t", "60")
        self.running = False

    def pid(self):
        with open(self.data + "/postmaster.pid") as file:
            return int(file.readline())

    def kill(self):
        """Ends it as a crash does: SIGKILL to the postmaster, whose children follow."""
        os.kill(self.pid(), signal.SIGKILL)
        self.running = False

    def restart(self, seconds=30):
        """After a crash, whose processes may still be on their way out. True when it runs."""
        def try_once():
            try:
                self.start()
            except RuntimeError:
                return False
            return True
        return wait_for(try_once, seconds)

    @contextlib.contextmanager
    def frozen(self):
        """All its processes stand still: connections to it stay open, and nothing answers."""
        postmaster = self.pid()
        with paused([postmaster]), paused(children(postmaster)):
            yield

    def remove(self):
        if self.running:
            try:
                self.stop("immediate")
            except RuntimeError:
                pass
        if os.environ.get("UPLIFT_TEST_KEEP"):
            print("# kept: " + self.dir, flush=True)
        else:
            shutil.rmtree(self.dir, ignore_errors=True)

    def conninfo(self, database, user=None):
        return "host=%s dbname=%s user=%s" % (self.socket, database, user or self.superuser)

    def createdb(self, name, owner=None, template=None):
        command = 'create database "%s"' % name
        if owner:
            command += ' owner "%s"' % owner
        if template:
            # Through the log a sequence is copied without the numbers that were reserved before, and gives
            # some of them again after a crash.
            command += ' template "%s" strategy file_copy' % template
        done = self.psql("template1", sql=command)
        if done.returncode != 0:
            raise RuntimeError("create database failed: " + done.stderr)

    def psql(self, database, sql=None, file=None, user=None):
        """Runs SQL or a file; returns subprocess's result with text in stdout and stderr."""
        command = [self.bin + "/psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1",
                   "-d", self.conninfo(database, user)]
        command += ["-f", file] if file else ["-c", sql]
        return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def dump(self, database, *options):
        """pg_dump as text, without the random key that newer versions print."""
        done = subprocess.run([self.bin + "/pg_dump", "-d", self.conninfo(database)] + list(options),
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if done.returncode != 0:
            raise RuntimeError("pg_dump failed: " + done.stderr)
        return "".join(line for line in done.stdout.splitlines(True)
                       if not line.startswith(("\\restrict", "\\unrestrict")))


def run_program(program):
    """Runs a test program with PG_CONNINFO naming a database of a new cluster, as the server's own user, who may freeze
    server processes. Returns its status."""
    cluster = Cluster()
    cluster.start()
    cluster.createdb("calls")
    command = cluster._as_user(["env", "PG_CONNINFO=" + cluster.conninfo("calls"), program])
    return subprocess.run(command, cwd="/").returncode
