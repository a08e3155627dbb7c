#!/usr/bin/python3
"""The master: its socket, its user, restarts, reload without a gap, drain. The workers are stubs
(master_stub.c), the rest is fcgi-chat's own main and master."""

import atexit
import contextlib
import datetime
import json
import os
import pwd
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import build  # noqa: E402
from process import accepts, sanitizers, wait_for  # noqa: E402
from tap import contains, done, equal, ok  # noqa: E402

PROGRAM = build.program("t/unit/master_stub")
ROOT = os.geteuid() == 0
USER = "nobody"


def alive(pid):
    try:
        with open("/proc/%d/stat" % pid) as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


class Master:
    """One master with its own directory, as an ordinary user or as root that becomes one."""

    def __init__(self, environment=None, start=True, **config):
        self.dir = tempfile.mkdtemp(prefix="upm.", dir="/tmp")
        os.chmod(self.dir, 0o777)
        self.socket = self.dir + "/s"
        self.config_path = self.dir + "/uplift.conf"
        self.log_path = self.dir + "/log"
        self.process = None
        self.wrapper = ()  # words before the program
        self.config = {"DATABASE_URL": "host=/nonexistent", "UPLIFT_JWT_SECRET": "a secret for tests only, of more than 32 bytes",
                       "UPLIFT_LISTEN": "unix:" + self.socket, "UPLIFT_WORKERS": "2",
                       "UPLIFT_MODEL": "one", "UPLIFT_DRAIN_MS": "10s"}
        if ROOT:
            self.config["UPLIFT_RUN_AS"] = USER
        self.environment = {"PATH": os.environ["PATH"], **sanitizers()}
        self.environment.update(environment or {})
        self.configure(**config)
        atexit.register(self.kill)
        if start:
            self.start()

    def configure(self, **config):
        self.config.update(config)
        with open(self.config_path, "w") as file:
            for name, value in self.config.items():
                if value is not None:
                    file.write("%s=%s\n" % (name, value))

    def launch(self):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen([*self.wrapper, PROGRAM, "--config", self.config_path], stderr=log,
                                            stdout=subprocess.DEVNULL, env=self.environment)

    def start(self):
        self.launch()
        if not wait_for(lambda: self.logged("ready: ")):
            raise SystemExit("Bail out! no start:\n" + self.log())

    def log(self):
        with open(self.log_path) as file:
            return file.read()

    def messages(self):
        lines = [line for line in self.log().splitlines() if line.startswith("{")]
        return [json.loads(line) for line in lines]

    def logged(self, part, times=1):
        return sum(part in m["message"] for m in self.messages()) >= times

    def connect(self):
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(10)
        connection.connect(self.socket)
        return connection

    def ask(self, connection=None):
        """Number, pid, model, uid and key of the worker that answers."""
        connection = connection or self.connect()
        with connection, connection.makefile("rb") as file:
            words = file.readline().split()
            connection.sendall(b"x")
            if file.readline() != b"bye\n":
                raise RuntimeError("cut off")
        return [w.decode() for w in words]

    def children(self):
        with open("/proc/%d/task/%d/children" % (self.process.pid, self.process.pid)) as file:
            return [int(pid) for pid in file.read().split()]

    def send(self, signo):
        self.process.send_signal(signo)

    def stop(self, signo=signal.SIGTERM, seconds=15):
        self.send(signo)
        return self.wait(seconds)

    def wait(self, seconds=15):
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def remove(self):
        self.kill()
        for message in self.messages():
            if "Sanitizer" in message["message"]:
                ok(False, "a sanitizer spoke", message["message"])
        if "Sanitizer" in self.log() or "runtime error" in self.log():
            ok(False, "a sanitizer spoke", self.log())
        shutil.rmtree(self.dir, ignore_errors=True)


def start_and_user():
    m = Master()
    st = os.stat(m.socket)
    equal(stat.S_IMODE(st.st_mode), 0o660, "the socket has the mode that was asked for")
    if ROOT:
        user = pwd.getpwnam(USER)
        equal((st.st_uid, st.st_gid), (user.pw_uid, user.pw_gid), "and belongs to UPLIFT_RUN_AS")
        with open("/proc/%d/status" % m.process.pid) as file:
            status = file.read()
        uids = re.search(r"^Uid:\s+(.*)", status, re.M).group(1).split()
        equal(set(uids), {str(user.pw_uid)}, "the master is that user for good")
        equal(re.search(r"^CapEff:\s+(\S+)", status, re.M).group(1).strip("0"), "",
              "without a capability")
        equal(m.ask()[3], str(user.pw_uid), "and so are the workers")
    workers = m.children()
    equal(len(workers), 2, "there are as many workers as configured")
    with open("/proc/%d/limits" % workers[0]) as file:
        soft, hard = re.search(r"^Max open files\s+(\S+)\s+(\S+)", file.read(), re.M).groups()
    equal(soft, hard, "the limit of open files is raised to the hard one")
    answers = {m.ask()[4] for _ in range(20)}
    equal(len(answers), 1, "without UPLIFT_ID_KEY, all workers share one random key")
    ok(m.logged("UPLIFT_ID_KEY is not set"), "and the log says so")

    second = Master(start=False, UPLIFT_LISTEN="unix:" + m.socket)
    second.launch()
    equal(second.wait(), 1, "a second master on the same socket does not start")
    ok(second.logged("in use by another process"), "and says why")
    equal(m.ask()[2], "one", "the first one answers still")
    second.remove()

    m.process.kill()
    m.process.wait()
    ok(wait_for(lambda: not any(alive(p) for p in workers)), "workers go when the master dies")
    ok(os.path.exists(m.socket), "a master that is killed leaves its socket")
    m.process = None
    open(m.log_path, "w").close()
    m.start()
    equal(m.ask()[2], "one", "the next one replaces the stale socket")
    equal(m.stop(), 0, "TERM stops it")
    ok(not os.path.exists(m.socket) or ROOT, "and removes the socket")
    ok(m.logged("stopped"), "the log says so")
    m.remove()


def refusals():
    m = Master(start=False)
    with open(m.socket, "w") as file:
        file.write("precious")
    m.launch()
    equal(m.wait(), 1, "a file that is no socket is not replaced")
    with open(m.socket) as file:
        equal(file.read(), "precious", "and left as it is")
    ok(m.logged("is no socket"), "the log says why")
    m.remove()

    m = Master(start=False, UPLIFT_RUN_AS=None if ROOT else "root")
    m.launch()
    equal(m.wait(), 1, "it does not run as root" if ROOT else "only root becomes another")
    contains(m.log(), "UPLIFT_RUN_AS", "and says what to do")
    m.remove()

    m = Master(start=False, UPLIFT_RUN_AS="no-such-user")
    m.launch()
    equal(m.wait(), 1, "it does not start for a user who does not exist")
    m.remove()

    m = Master(start=False, UPLIFT_RETRIES="many")
    m.launch()
    equal(m.wait(), 1, "it does not start with a bad configuration")
    contains(m.log(), "UPLIFT_RETRIES=many: not a number", "and says what is bad")
    m.remove()


def open_files():
    """Two for each chat, 512 for the mailboxes of workers, and 64 more."""
    for most, chats, warns in ((1536, "480", False), (1535, "480", True)):
        m = Master(start=False, UPLIFT_MAX_CHATS=chats)
        m.wrapper = ("prlimit", "--nofile=256:%d" % most)
        m.start()
        with open("/proc/%d/limits" % m.children()[0]) as file:
            limits = re.search(r"^Max open files +(\d+) +(\d+)", file.read(), re.M).groups()
        equal(limits, (str(most), str(most)), "workers may open as many files as the hard limit says")
        equal(m.logged("UPLIFT_MAX_CHATS=%s takes 1536" % chats), warns,
              "UPLIFT_MAX_CHATS=%s and %d files: %s" % (chats, most, "a warning" if warns else "no warning"))
        ok(not m.logged("could not"), "there are enough for all that it opens itself")
        m.stop()
        m.remove()
    m = Master(start=False)
    m.wrapper = ("prlimit", "--nofile=256:512")
    m.launch()
    equal(m.wait(), 1, "it does not start where its own do not fit")
    contains(m.log(), "only 512 files open, and 578 are needed", "and says how many it needs")
    m.remove()


def restarts():
    m = Master()
    key = m.ask()[4]
    for pid in m.children():
        os.kill(pid, signal.SIGKILL)
    ok(wait_for(lambda: m.logged("started worker", 4)), "workers that die are started again")
    equal(m.ask()[4], key, "with the same key")
    ok(m.logged("ended by signal 9"), "the log says how they died")
    m.remove()

    m = Master(start=False, UPLIFT_MODEL="die", UPLIFT_WORKERS="1")
    m.launch()
    wait_for(lambda: m.logged("started worker", 5))
    times = []
    for message in m.messages():
        if "started worker" in message["message"]:
            times.append(datetime.datetime.fromisoformat(message["time"].replace("Z", "+00:00")))
    gaps = [(b - a) // datetime.timedelta(milliseconds=1) for a, b in zip(times, times[1:])]
    # The log's times are cut to milliseconds.
    ok(gaps[0] >= 99 and gaps[1] >= 199 and gaps[2] >= 399 and gaps[3] >= 799,
       "the delay grows while deaths follow one another", gaps)
    ok(not m.logged("ready:"), "it is not ready before its workers are")
    equal(m.stop(), 0, "and stops while a restart is due")
    m.remove()


def open_sockets(pid):
    """Paths of the Unix sockets that a process has open, and its pipes."""
    with open("/proc/net/unix") as file:
        paths = {words[6]: words[7] for words in map(str.split, file) if len(words) == 8}
    links = []
    for name in os.listdir("/proc/%d/fd" % pid):
        with contextlib.suppress(FileNotFoundError):
            links.append(os.readlink("/proc/%d/fd/%s" % (pid, name)))
    return {paths.get(link[8:-1]) for link in links if link.startswith("socket:[")}, [link for link in links if link.startswith("pipe:")]


def the_builder_of_copies():
    """It has no part in listening: a socket that it kept would let clients wait for nobody."""
    m = Master(start=False, UPLIFT_SEARCH_DATABASE_URL="host=/nonexistent", UPLIFT_WORKERS="1")
    m.configure(UPLIFT_SEARCH_DIR=m.dir + "/search")
    m.start()
    first = m.socket
    m.socket = m.dir + "/t"
    m.configure(UPLIFT_LISTEN="unix:" + m.socket)
    m.send(signal.SIGHUP)
    ok(wait_for(lambda: accepts(m.socket) and len(m.children()) == 2 and m.logged("building copies in " + m.dir, 2)), "with a database for it there is a builder")
    builder = int(re.findall(r"started the builder of copies, pid (\d+)", m.log())[-1])
    worker, = set(m.children()) - {builder}
    ok(m.socket in open_sockets(worker)[0], "the worker has the socket open")
    equal(open_sockets(builder)[0] & {first, m.socket}, set(), "the builder has neither this one nor the one before")
    equal(open_sockets(builder)[1], [], "nor the pipe in which workers say that they are ready")
    equal(m.stop(), 0, "it stops")
    m.remove()


def reload_without_a_gap():
    m = Master(environment={"UPLIFT_JWT_AUDIENCE": "a"})
    open_before = m.connect()
    greeting = open_before.recv(200)
    failures, answers, stopping = [], [], threading.Event()

    def hammer():
        while not stopping.is_set():
            try:
                answers.append(m.ask()[2])
            except Exception as error:
                failures.append(error)

    threads = [threading.Thread(target=hammer) for _ in range(4)]
    for thread in threads:
        thread.start()
    for model in ("two", "slow", "three"):
        count = len([1 for x in m.messages() if "reloaded" in x["message"]])
        m.configure(UPLIFT_MODEL=model)
        m.send(signal.SIGHUP)
        ok(wait_for(lambda: m.logged("reloaded", count + 1)), "HUP changes to %s" % model)
        ok(wait_for(lambda: answers and answers[-1] == model), "new workers answer with it")
    stopping.set()
    for thread in threads:
        thread.join()
    ok(not failures and len(answers) > 100, "no request is lost by three reloads",
       "%d answers, failures: %s" % (len(answers), failures[:5]))
    open_before.sendall(b"x")
    equal(open_before.recv(10), b"bye\n", "what was open before goes on to its end")
    open_before.close()
    ok(wait_for(lambda: len(m.children()) == 2), "old workers are gone then")
    ok(int(greeting.split()[1]) not in m.children(), "all of them")

    m.configure(UPLIFT_MODEL="bad", UPLIFT_RETRIES="many")
    before = m.children()
    m.send(signal.SIGHUP)
    ok(wait_for(lambda: m.logged("nothing changes")), "a bad file is refused")
    ok(m.logged("UPLIFT_RETRIES=many: not a number"), "with the reason in the log")
    equal((m.children(), m.ask()[2]), (before, "three"), "and nothing changes")

    m.configure(UPLIFT_MODEL="die", UPLIFT_RETRIES="1")
    m.send(signal.SIGHUP)
    ok(wait_for(lambda: m.logged("died at its start")), "workers that die at their start, too")
    ok(wait_for(lambda: m.children() == before) and m.ask()[2] == "three", "change nothing")

    m.configure(UPLIFT_MODEL="four")
    for _ in range(5):
        m.send(signal.SIGHUP)
        time.sleep(0.01)
    ok(wait_for(lambda: m.ask()[2] == "four"), "many HUPs at once end with the last file")
    ok(wait_for(lambda: len(m.children()) == 2), "and with the right number of workers")

    other = m.dir + "/t"
    m.configure(UPLIFT_LISTEN="unix:" + other, UPLIFT_WORKERS="1")
    m.socket = other
    m.send(signal.SIGHUP)
    ok(wait_for(lambda: accepts(other)) and m.ask()[2] == "four",
       "a reload may change the socket")
    ok(wait_for(lambda: len(m.children()) == 1), "and the number of workers")
    equal(m.stop(), 0, "it stops")
    m.remove()


def drain():
    m = Master()
    connection = m.connect()
    connection.recv(200)
    m.send(signal.SIGTERM)
    ok(wait_for(lambda: m.logged("draining", 2)), "TERM makes workers drain")
    ok(m.process.poll() is None, "the master waits for what is open")
    connection.sendall(b"x")
    equal(connection.recv(10), b"bye\n", "which ends as it should")
    equal(m.wait(), 0, "then all is over")
    m.remove()

    m = Master(UPLIFT_MODEL="stubborn")
    m.send(signal.SIGINT)
    ok(wait_for(lambda: m.logged("draining", 2)), "INT does the same")
    equal(m.stop(seconds=3), 0, "a second signal ends at once")
    m.remove()

    m = Master(UPLIFT_MODEL="stubborn", UPLIFT_DRAIN_MS="100")
    equal(m.stop(seconds=12), 0, "so does the end of UPLIFT_DRAIN_MS")
    m.remove()

    m = Master(UPLIFT_MODEL="deaf", UPLIFT_WORKERS="1")
    m.send(signal.SIGTERM)
    wait_for(lambda: m.logged("draining"))
    equal(m.stop(seconds=20), 0, "a worker that hears nothing is killed")
    ok(m.logged("killing worker 0"), "and the log says so")
    m.remove()


def supervisors():
    directory = tempfile.mkdtemp(prefix="upn.", dir="/tmp")
    os.chmod(directory, 0o777)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    listener.bind(directory + "/notify")
    os.chmod(directory + "/notify", 0o777)
    listener.settimeout(10)
    m = Master(environment={"NOTIFY_SOCKET": directory + "/notify"})
    contains(listener.recv(1000).decode(), "READY=1", "systemd is told when it is ready")
    with open("/proc/%d/environ" % m.children()[0]) as file:
        ok(file.read().startswith("") and m.ask()[2] == "one", "and it works")
    m.send(signal.SIGHUP)
    told = listener.recv(1000).decode()
    contains(told, "RELOADING=1\nMONOTONIC_USEC=", "when it reloads")
    contains(listener.recv(1000).decode(), "READY=1", "and has reloaded")
    m.send(signal.SIGTERM)
    contains(listener.recv(1000).decode(), "STOPPING=1", "and when it stops")
    m.wait()
    m.remove()
    listener.close()
    shutil.rmtree(directory)

    m = Master(UPLIFT_LISTEN="127.0.0.1:0")
    port = re.search(r"listening on 127.0.0.1 port (\d+)", m.log()).group(1)
    connection = socket.create_connection(("127.0.0.1", int(port)), 10)
    equal(m.ask(connection)[2], "one", "it listens on TCP as well")
    m.stop()
    m.remove()

    m = Master(UPLIFT_MODEL="silent", UPLIFT_WORKERS="1")
    ok(m.logged("ready: 1"), "a worker that does not say that it is ready is so after a while")
    m.stop()
    m.remove()

    m = Master(start=False)
    reader, writer = os.pipe()
    m.process = subprocess.Popen([PROGRAM, "--config", m.config_path], stderr=writer,
                                 env=m.environment)
    os.close(writer)
    wait_for(lambda: accepts(m.socket))
    m.ask()
    os.close(reader)
    open(m.log_path, "w").close()
    before = m.children()
    os.kill(before[0], signal.SIGKILL)
    ok(wait_for(lambda: before[0] not in m.children() and len(m.children()) == 2) and m.ask(),
       "a log reader that goes away does not end it")
    equal(m.stop(), 0, "and it still stops in order")
    m.remove()


for test in (start_and_user, refusals, open_files, restarts, reload_without_a_gap, drain, supervisors, the_builder_of_copies):
    test()
done()
