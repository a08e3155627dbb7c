"""A bare Debian 12 for a test: the least that mmdebstrap makes, in containers of systemd-nspawn.

    with Bare("newcomer") as machine:
        machine.run("apt-get update && apt-get install -y sudo")
        done = machine.run("./dev up", user="newcomer", cwd="/home/newcomer/uplift")

Packages come from where the machine that runs the test has its own from, by its apt configuration. What is costly is
kept in UPLIFT_BARE_CACHE (/var/cache/uplift-bare): the bare system as an archive, made anew after a week, and packages
that were downloaded. Needs root, mmdebstrap and systemd-container.

Without boot(), each run() is a container of its own on this machine's network, with neither systemd nor a terminal.
After it there is one, with systemd and with a network of its own that leads nowhere.
"""

import atexit
import fcntl
import glob
import os
import re
import shlex
import shutil
import signal
import subprocess
import time

import tap
from build import TOP
from process import children, wait_for

CACHE = os.environ.get("UPLIFT_BARE_CACHE", "/var/cache/uplift-bare")
SUITE = "bookworm"
WEEK = 7 * 86400
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
AUTHORITIES = "/usr/local/share/ca-certificates"
# How registries of packages are reached from this machine.
PASSED_ON = ["http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "npm_config_registry"]


def bail_out(why):
    raise SystemExit("Bail out! " + why)


def checked(command, text=None):
    """What the command printed; text goes to its standard input."""
    done = subprocess.run(command, input=text or "", stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    if done.returncode != 0:
        bail_out("%s failed:\n%s" % (" ".join(command[:4]), done.stdout[-4000:]))
    return done.stdout


def mirrors():
    """Debian's lines of this machine's apt configuration."""
    found = checked(["apt-get", "indextargets", "--format", "deb $(REPO_URI) $(RELEASE) $(COMPONENT)", "Created-By: Packages",
                     "Origin: Debian"])
    lines = sorted({line for line in found.splitlines() if line.split()[2].startswith(SUITE)})
    if not lines:
        bail_out("apt has no lists of Debian 12 (%s) here: run apt-get update" % SUITE)
    return "\n".join(lines) + "\n"


def acquire_options():
    """How this machine's apt reaches its mirrors: proxies, retries, what it does not check."""
    return [line for line in checked(["apt-config", "dump"]).splitlines()
            if line.startswith(("Acquire::http", "Acquire::Check-", "Acquire::Retries"))]


def base_archive():
    """The bare system as a tar file, which is made where there is none of the last week."""
    path = "%s/%s.tar" % (CACHE, SUITE)
    if not os.path.exists(path) or time.time() - os.path.getmtime(path) > WEEK:
        tap.note("making a bare Debian, which is kept as " + path)
        options = ["--aptopt=" + line.rstrip(";") for line in acquire_options()]
        checked(["mmdebstrap", "--quiet", "--mode=root", "--variant=minbase", "--format=tar", *options, SUITE, path + ".part", "-"],
                mirrors())
        os.rename(path + ".part", path)
    return path


class Done:
    """What a command printed, standard output and errors together, and its status."""

    def __init__(self, status, text):
        # Of systemd-nspawn itself, where /run is on a disk.
        self.status, self.text = status, re.sub(r"Attempted to remove disk file system under .*\n", "", text)


class Bare:
    def __init__(self, name):
        for program, package in (("mmdebstrap", "mmdebstrap"), ("systemd-nspawn", "systemd-container")):
            if not shutil.which(program):
                bail_out("%s is missing: apt-get install %s" % (program, package))
        if os.geteuid() != 0:
            bail_out("only root can make a bare system")
        self.root = "%s/roots/%s" % (CACHE, name)
        self.archives = CACHE + "/archives"
        self.container = self.leader = self.lock = None

    def __enter__(self):
        os.makedirs(self.archives + "/partial", exist_ok=True)
        # One at a time: they share the packages, and some take ports.
        self.lock = open(CACHE + "/lock", "w")
        fcntl.flock(self.lock, fcntl.LOCK_EX)
        atexit.register(self.remove)
        archive = base_archive()
        self.remove_tree()
        os.makedirs(self.root)
        checked(["tar", "-xf", archive, "-C", self.root])
        self.write("/etc/apt/apt.conf.d/90machine", "".join(line + "\n" for line in acquire_options()))
        for path in glob.glob(AUTHORITIES + "/*.crt"):
            with open(path) as file:
                self.write(path, file.read())
        return self

    def __exit__(self, kind, *_):
        self.remove()

    def write(self, path, text, mode=0o644):
        """Writes a file in it."""
        place = self.root + path
        os.makedirs(os.path.dirname(place), exist_ok=True)
        with open(place, "w") as file:
            file.write(text)
        os.chmod(place, mode)

    def copy_checkout(self, path):
        """Puts what git knows of the working tree there, as a clone does."""
        listed = checked(["git", "-C", TOP, "ls-files", "-z"]).split("\0")
        names = "\0".join(name for name in listed if name and os.path.lexists(TOP + "/" + name))
        os.makedirs(self.root + path, exist_ok=True)
        packed = subprocess.run(["tar", "-C", TOP, "--null", "--files-from=-", "-cf", "-"], input=names.encode(),
                                stdout=subprocess.PIPE, check=True).stdout
        subprocess.run(["tar", "-C", self.root + path, "--no-same-owner", "-xf", "-"], input=packed, check=True)

    # --- running ---

    def _nspawn(self, *options):
        return ["systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--directory=" + self.root,
                "--bind=%s:/var/cache/apt/archives" % self.archives, *options]

    def run(self, script, user="root", cwd="/root", seconds=1800, text=""):
        """Runs a script by bash -e, as a login of that user, with the text as its standard input."""
        words = ["env", "-i", "--chdir=/", "PATH=" + PATH, "LANG=C.UTF-8"]
        words += ["%s=%s" % (name, os.environ[name]) for name in PASSED_ON if name in os.environ]
        words += ["runuser", "-u", user, "--", "bash", "-ec", "export HOME=~%s; cd %s\n%s" % (user, shlex.quote(cwd), script)]
        if self.leader:
            command = ["nsenter", "--target=%d" % self.leader, "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup",
                       "--root", *words]
        else:
            command = [*self._nspawn("--console=pipe", "--as-pid2"), *words]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        try:
            printed = process.communicate(text.encode(), timeout=seconds)[0]
            return Done(process.returncode, printed.decode(errors="replace"))
        except subprocess.TimeoutExpired:
            process.kill()
            return Done(124, process.communicate()[0].decode(errors="replace") + "\n(not done after %d s)" % seconds)

    def boot(self):
        """Starts systemd in it."""
        log = open(self.root + ".console", "wb")
        self.container = subprocess.Popen(self._nspawn("--boot", "--private-network", "--console=pipe"), stdin=subprocess.DEVNULL,
                                          stdout=log, stderr=log)
        log.close()
        self.leader = wait_for(self._find_systemd, 30)
        if not self.leader or not wait_for(
                lambda: self.run("systemctl is-system-running || true").text.strip() in ("running", "degraded"), 60):
            with open(self.root + ".console", errors="replace") as file:
                bail_out("systemd did not start:\n" + file.read()[-3000:])

    def _find_systemd(self):
        """Its process id here, None before it is there: systemd-nspawn has other children before."""
        for pid in children(self.container.pid):
            with open("/proc/%d/comm" % pid) as file:
                if file.read() == "systemd\n":
                    return pid
        return None

    def remove_tree(self):
        shutil.rmtree(self.root, ignore_errors=True)

    def remove(self):
        if self.container and self.container.poll() is None:
            self.container.send_signal(signal.SIGTERM)
            try:
                self.container.wait(30)
            except subprocess.TimeoutExpired:
                self.container.kill()
                self.container.wait()
        self.container = self.leader = None
        if self.lock is None:
            return
        if os.environ.get("UPLIFT_TEST_KEEP"):
            tap.note("kept: " + self.root)
        else:
            self.remove_tree()
            if os.path.exists(self.root + ".console"):
                os.unlink(self.root + ".console")
        self.lock.close()
        self.lock = None
