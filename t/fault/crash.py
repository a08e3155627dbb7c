#!/usr/bin/python3
"""Kills a recorder at every step it takes to make something durable, and looks afterwards.

One run: Postgres is away, answers and thumbs go to the spool; Postgres is back, the spool is loaded while more answers
come. crashpoint.so kills the process at one of its steps; then two others start on the same spool and race for what it
left. What was acknowledged must be in the table, once and whole; what was not may be. One run for the first, second,
... step of each kind, until there is no such step any more; and all of that once more with the machine losing power
instead, which takes what no fsync has put on the disk."""

import concurrent.futures
import glob
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import uuid

import psycopg2

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, ROOT + "/t/lib")
from build import program  # noqa: E402
from cluster import Cluster  # noqa: E402
from process import sanitizers  # noqa: E402
from tap import done, equal, note, ok  # noqa: E402
from tap import run as run_parts  # noqa: E402

RECORDERD = program("t/fault/recorderd")
CRASHPOINT = program("t/fault/crashpoint.so")
USER = "00000000-0000-7000-8000-0000000000f1"
DATABASE = "crash"

# What the recorder and the loader are known to do.
STEPS = ["before openat", "after openat", "before flock", "after flock", "before write", "in write", "after write",
         "before fsync", "after fsync", "before fdatasync", "after fdatasync", "before rename", "after rename",
         "before unlinkat", "after unlinkat", "before PQsendPrepare", "after PQsendPrepare",
         "before PQsendQueryPrepared", "after PQsendQueryPrepared", "after PQgetResult"]

# Functions that change the disk, lock a file, or send to Postgres, of which a recorder may use only those with steps.
STEPPING = set("""creat fallocate fdatasync flock fsync ftruncate fwrite link linkat lockf openat posix_fallocate pwrite
    pwritev rename renameat renameat2 sync_file_range symlink symlinkat truncate unlink unlinkat write writev PQexec
    PQexecParams PQexecPrepared PQgetResult PQprepare PQputCopyData PQsendPrepare PQsendQuery PQsendQueryParams
    PQsendQueryPrepared""".split())
ONLY_AFTER_FAILURE = {"ftruncate", "unlink"}  # take back what a full disk took half of: t/fault/spool.py
NOT_A_STEP = {"close"}


class Died(Exception):
    pass


class Recorder:
    """A recorderd, and what it has acknowledged."""

    def __init__(self, conninfo, spool, log, crash_at=None, power=False):
        environment = dict(os.environ, CRASHPOINT=crash_at or "", CRASHPOINT_LOG=spool + "/../died")
        if power:
            environment["CRASHPOINT_POWER"] = "1"
        if crash_at:
            environment["LD_PRELOAD"] = CRASHPOINT
            environment.update(sanitizers("verify_asan_link_order=0", "detect_leaks=0"))
        self.process = subprocess.Popen([RECORDERD, conninfo, spool], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=log, env=environment, text=True, bufsize=1)
        self.acknowledged = {}
        self.lines = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.put(line.split())
        self.lines.put(None)

    def say(self, *words):
        try:
            self.process.stdin.write(" ".join(words) + "\n")
        except (BrokenPipeError, ValueError):
            raise Died() from None

    def expect(self, count):
        """Waits for so many acknowledgements."""
        for _ in range(count):
            words = self.lines.get(timeout=30)
            if words is None:
                self.lines.put(None)  # for end()
                raise Died()
            if len(words) > 1:
                self.acknowledged[(words[0] in ("thumb", "nothumb") and "thumb" or "answer", words[1])] = words[0]

    def end(self):
        """Closes its input and waits; also takes what it still says."""
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass
        status = self.process.wait(timeout=30)
        while True:
            words = self.lines.get(timeout=30)
            if words is None:
                return status
            if len(words) > 1:
                self.acknowledged[(words[0] in ("thumb", "nothumb") and "thumb" or "answer", words[1])] = words[0]


def left(spool):
    return glob.glob(spool + "/*.spool")


def run(step, power):
    """One life and death. Returns whether it died, and complaints."""
    top = tempfile.mkdtemp(prefix="uplift-crash.", dir="/tmp")
    spool, link = top + "/spool", top + "/pg"
    conninfo = "host=%s dbname=%s user=uplift_app" % (link, DATABASE)
    answers = [str(uuid.uuid4()) for _ in range(6)]
    conversation = str(uuid.uuid4())
    log = open(top + "/log", "w")

    def say_answer(recorder, i):
        recorder.say("answer", answers[i], USER, conversation, "the whole answer %d" % i)

    os.mkdir(spool)
    recorder = Recorder(conninfo, spool, log, step, power)
    try:
        recorder.expect(1)  # ready
        for i in range(3):
            say_answer(recorder, i)
        recorder.expect(3)
        recorder.say("thumb", USER, answers[0], '{"helpful":true,"rating":4}')
        recorder.say("thumb", USER, answers[1], '{"helpful":false}')
        recorder.expect(2)
        os.symlink(cluster.socket, link)  # Postgres is back
        end = time.monotonic() + 20
        while left(spool) and time.monotonic() < end:
            if recorder.process.poll() is not None:
                raise Died()
            time.sleep(0.02)
        for i in range(3, 6):
            say_answer(recorder, i)
        recorder.expect(3)
    except Died:
        pass
    recorder.end()
    died = os.path.exists(top + "/died")
    if not os.path.islink(link):
        os.symlink(cluster.socket, link)

    # Those who inherit, racing.
    heirs = [Recorder(conninfo, spool, log) for _ in range(2)]
    end = time.monotonic() + 30
    while left(spool) and time.monotonic() < end:
        time.sleep(0.02)
    complaints = ["%s stays" % name for name in left(spool)]
    complaints += ["an heir ended with %d" % status for status in [h.end() for h in heirs] if status != 0]
    log.close()
    complaints += check(answers, recorder.acknowledged)
    if not died and recorder.process.returncode != 0:
        complaints.append("ended with %d" % recorder.process.returncode)
    # A line may only be torn by who died in the middle of writing it.
    if glob.glob(spool + "/*.corrupt") and not step.startswith("in write"):
        complaints.append("a corrupt line without a torn write")
    if complaints:
        with open(top + "/log") as file:
            complaints += file.read().splitlines()[-8:]
    if not os.environ.get("UPLIFT_TEST_KEEP"):
        shutil.rmtree(top)
    return died, complaints


def check(answers, acknowledged):
    complaints = []
    with psycopg2.connect(cluster.conninfo(DATABASE)) as connection, connection.cursor() as cursor:
        cursor.execute("select id::text, ai_response, outcome, helpful, rating from public.coach_response_feedback "
                       "where id = any(%s::uuid[])", (answers,))
        rows = {row[0]: row for row in cursor.fetchall()}
        cursor.execute("select answer_id::text, count(*) from uplift.feedback_events "
                       "where answer_id = any(%s::uuid[]) group by 1", (answers,))
        events = {row[0]: row[1] for row in cursor.fetchall()}
    connection.close()
    for i, answer in enumerate(answers):
        row = rows.get(answer)
        how = acknowledged.get(("answer", answer))
        if how == "lost":
            complaints.append("answer %d was refused" % i)
        if how in ("committed", "spooled") and row is None:
            complaints.append("answer %d was %s and is missing" % (i, how))
        if row and (row[1] != "the whole answer %d" % i or row[2] != "complete"):
            complaints.append("answer %d is not what was said: %r" % (i, row))
        thumb = acknowledged.get(("thumb", answer))
        if thumb == "nothumb":
            complaints.append("thumb %d was refused" % i)
        if thumb == "thumb":
            wanted = (True, 4) if i == 0 else (False, None)
            if row is None or row[3:] != wanted:
                complaints.append("thumb %d is missing: %r" % (i, row))
            if events.get(answer) != 1:
                complaints.append("thumb %d has the events %r" % (i, events.get(answer)))
        elif row and i > 1 and row[3] is not None:
            complaints.append("answer %d has a thumb that nobody gave" % i)
    return complaints


cluster = Cluster(settings={"max_connections": "400"})
cluster.start()
cluster.createdb(DATABASE)
installed = cluster.psql(DATABASE, file=ROOT + "/sql/install.sql")
equal(installed.returncode, 0, "the schema is installed")
equal(cluster.psql(DATABASE, file=ROOT + "/sql/demo.sql").returncode, 0, "there are coaches")


def every(kind, power):
    """Dies at the first, second, ... step of a kind until there is none. Returns how many there were, and what was
    wrong after them."""
    complaints = []
    for n in range(1, 200):
        died, found = run("%s:%d" % (kind, n), power)
        complaints += ["%s:%d: %s" % (kind, n, c) for c in found]
        if not died:
            return n - 1, complaints
    return 200, complaints + ["%s never ends" % kind]


def wrapped():
    """The functions at which crashpoint.so can kill."""
    symbols = subprocess.run(["nm", "-D", "--defined-only", CRASHPOINT], capture_output=True, text=True, check=True)
    return {line.split()[-1] for line in symbols.stdout.splitlines()}


def imported():
    """What a recorder uses of other libraries, without their versions."""
    symbols = subprocess.run(["nm", "-D", "--undefined-only", RECORDERD], capture_output=True, text=True, check=True)
    return {line.split()[-1].split("@")[0] for line in symbols.stdout.splitlines()}


def all_steps_are_known():
    kinds = {step.split()[1] for step in STEPS}
    equal(sorted((imported() & STEPPING) - wrapped() - ONLY_AFTER_FAILURE), [], "a recorder takes no step at which it cannot be killed")
    equal(sorted((imported() & wrapped()) - kinds - ONLY_AFTER_FAILURE - NOT_A_STEP), [], "and is killed at each")


def all_steps():
    lives = [(power, kind) for power in (False, True) for kind in STEPS]
    with concurrent.futures.ThreadPoolExecutor(len(lives)) as pool:
        results = dict(zip(lives, pool.map(lambda life: every(life[1], life[0]), lives)))
    for power in (False, True):
        what = "with all power gone" if power else "killed"
        note("%s: %s" % (what, ", ".join("%s %d" % (kind, results[power, kind][0]) for kind in STEPS)))
        equal([kind for kind in STEPS if results[power, kind][0] == 0], [], "%s: died at each kind of step" % what)
        failures = [c for kind in STEPS for c in results[power, kind][1]]
        ok(not failures, "%s: all that was acknowledged is there, once and whole" % what, "\n".join(failures))


run_parts(all_steps_are_known, all_steps)
with psycopg2.connect(cluster.conninfo(DATABASE)) as c, c.cursor() as q:
    q.execute("select count(*) from uplift.rejected_answers")
    equal(q.fetchone()[0], 0, "no answer was rejected")
c.close()
done()
