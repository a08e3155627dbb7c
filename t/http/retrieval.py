#!/usr/bin/python3
"""The copies of what is searched: the builder makes them and keeps them up to date, whatever becomes of it, of them, and of
Postgres; and chats go on. What a worker finds is looked at through t/unit/describe, which is a worker's search."""

import contextlib
import json
import os
import signal
import subprocess
import sys

import psycopg2

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

from build import program  # noqa: E402
from harness import Uplift  # noqa: E402
from process import sanitizers, send, wait_for, wait_until_gone  # noqa: E402
from tap import contains, done, equal, ok, run  # noqa: E402

STRANGE_ORIGIN = "7000000000000000001/5"
EXPECTED = r"is of no use|could not write the copy|was ended by signal 9|Postgres is away"


class Search:
    """What a worker says of messages, with the copies in a directory."""

    def __init__(self, directory):
        self.process = subprocess.Popen([program("t/unit/describe"), directory], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, text=True, bufsize=1)

    def describe(self, message):
        print(json.dumps(message), file=self.process.stdin, flush=True)
        return json.loads(self.process.stdout.readline())

    def copy(self, message, shelf="knowledge"):
        """Ids that the copies alone have; None without copies."""
        found = self.describe(message).get("search", {}).get(shelf)
        return found and json.loads(found["ids"])

    def close(self):
        self.process.stdin.close()
        equal(self.process.wait(), 0, "a worker's search ends well")


def hits(described, shelf="knowledge"):
    """Ids, as a chat gets them that a worker described so."""
    return [row["id"] for row in uplift.sql("select t.id from uplift.search_hits(%s, %s::jsonb -> 'search') h, unnest(h.ids) with ordinality x(id, n)"
                                            " join uplift.search_texts t on t.id = x.id and t.is_active order by x.n", shelf, json.dumps(described))]


def add(*bodies, shelf="knowledge", title=None):
    """Adds texts in one statement; their ids."""
    return [row["id"] for row in uplift.sql("insert into uplift.search_texts (shelf, ref, title, body)"
                                            " select %s, gen_random_uuid(), %s, b from unnest(%s::text[]) b returning id", shelf, title, list(bodies))]


def in_copies(word):
    """How many texts a word is in, in both files of the shelf."""
    result = subprocess.run([program("t/unit/describe"), DIRECTORY, "--count", "knowledge", word], capture_output=True, text=True)
    return int(result.stdout) if result.returncode == 0 else None


def soon(check, name):
    ok(wait_for(check, 60), name)


def builder():
    return uplift.builders()[-1]


def log_lines(text):
    return [line for line in uplift.read_log().splitlines() if text in line]


def follows():
    """Inserts, withdrawals, weights and deletions: at once by the log, soon by the copy."""
    soon(lambda: search.copy("running") == [], "there is an empty copy")
    old = search.describe("How do I start running?")
    first, second = add("Running starts slowly.", "Swimmers float.")
    equal(hits(old), [first], "a text is found at once by who has an older copy")
    soon(lambda: search.copy("How do I start running?") == [first], "and soon in the copy")
    equal(hits(search.describe("How do I start running?")), [first], "once")
    many = add(*["Text %d of many on juggling and nothing else" % i for i in range(250)])
    soon(lambda: len(search.copy("juggling")) == 40, "of many in one statement forty are found")
    uplift.sql("update uplift.search_texts set is_active = false where id = %s", first)
    soon(lambda: search.copy("running") == [], "a withdrawn text is soon gone from the copy")
    found = search.describe("running")
    uplift.sql("update uplift.search_texts set is_active = true where id = %s", first)
    equal(hits(found), [first], "it comes back at once")
    found = search.describe("juggling")
    uplift.sql("update uplift.search_texts set weight = 50 where id = %s", many[77])
    equal(hits(found)[0], many[77], "another weight counts at once")
    soon(lambda: search.copy("running") == [first] and search.copy("juggling")[0] == many[77], "and soon both in the copy")
    found = search.describe("swimmers juggling")
    uplift.sql("delete from uplift.search_texts where id = any(%s)", [second] + many)
    equal(hits(found), [], "deleted texts are gone at once")
    one, = add("Läufer fangen langsam an und trinken viel.", title="Übungen")
    two, = add("Rest days matter", shelf="examples")
    soon(lambda: search.copy("Was trinken die Läufer?") == [one], "texts are found by their language")
    equal(search.copy("swimmers juggling"), [], "and those that were deleted are gone from the copy, too")
    equal(search.copy("die Übung"), [one], "and by their title")
    soon(lambda: search.copy("rest days", "examples") == [two], "each shelf has its own")
    equal(search.copy("rest days"), [], "and not the other's")


def late_commits():
    """Transactions that commit in another order than they began in: none is missed, by the log or the copy."""
    with contextlib.closing(psycopg2.connect(uplift.conninfo())) as early:
        cursor = early.cursor()
        cursor.execute("insert into uplift.search_texts (shelf, ref, body) values ('knowledge', gen_random_uuid(), 'zither early') returning id")
        first, = cursor.fetchone()
        second, = add("zither late")
        soon(lambda: search.copy("zither") == [second], "the later one, which is committed, is in the copy")
        found = search.describe("zither")
        equal(hits(found), [second], "the earlier one is not found")
        early.commit()
    equal(sorted(hits(found)), [first, second], "it is as soon as it is committed")
    soon(lambda: sorted(search.copy("zither")) == [first, second], "and soon in the copy")
    path = uplift.dir + "/late.sql"
    with open(path, "w") as file:
        file.write("\\set ms random(0, 200)\nbegin;\ninsert into uplift.search_texts (shelf, ref, body) values ('knowledge', gen_random_uuid(), 'glockenspiel '"
                   " || :client_id || ' ' || random());\n\\sleep :ms ms\ncommit;\n")
    result = subprocess.run([uplift.cluster.bin + "/pgbench", "-n", "-f", path, "-c", "8", "-t", "15", uplift.conninfo()], capture_output=True, text=True)
    equal(result.returncode, 0, "many write side by side, and commit in any order")
    soon(lambda: in_copies("glockenspiel") == 120, "none of them is missed by the copy")
    horizon = int(search.describe("glockenspiel")["search"]["knowledge"]["horizon"])
    soon(lambda: uplift.value("select count(*) from uplift.search_log where tx >= %s::text::xid8",
                              search.describe("glockenspiel")["search"]["knowledge"]["horizon"]) == 0,
         "and in the end chats have nothing to look at beside it")
    ok(int(search.describe("glockenspiel")["search"]["knowledge"]["horizon"]) >= horizon, "the horizon goes on")


def builder_dies():
    """Killed in the middle of its work, it is started again, and goes on."""
    for attempt in range(3):
        pid = builder()
        send([pid], signal.SIGSTOP)
        ids = add(*["Attempt %d, text %d about xylophones" % (attempt, i) for i in range(3000)])
        with contextlib.closing(psycopg2.connect(uplift.conninfo())) as other:
            if attempt > 0:
                # While it builds anew, for there is much: it cannot read the texts.
                other.cursor().execute("lock table uplift.search_texts in access exclusive mode")
                send([pid], signal.SIGCONT)
                soon(lambda: uplift.value("select count(*) from pg_stat_activity where usename = 'uplift_search' and wait_event_type = 'Lock'"
                                          " and datname = current_database()") > 0, "a builder is in the middle of reading")
            send([pid], signal.SIGKILL)
            soon(lambda: builder() != pid, "a builder that was killed is started again")
        soon(lambda: in_copies("xylophon") == len(ids), "and takes in what came meanwhile")
        uplift.sql("delete from uplift.search_texts where id = any(%s)", ids)
        soon(lambda: search.copy("xylophones") == [], "and takes out what went")
    equal(uplift.post("/v1/chat", {"message": "hi"}).status, 200, "chats go on")


def bad_files():
    """A truncated copy, one of another version, a damaged one: refused, while what is in use stays so."""
    text, = add("Bassoons are low")
    soon(lambda: search.copy("bassoons") == [text], "a text is there")
    with open(DIRECTORY + "/knowledge.base", "rb") as file:
        whole = file.read()
    with open(DIRECTORY + "/examples.base", "rb") as file:
        other = file.read()
    for at, (name, content) in enumerate((("truncated", whole[:len(whole) // 2]), ("of another version", whole[:8] + b"\x63\0\0\0" + whole[12:]),
                                          ("damaged", whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:]), ("empty", b""), ("of another shelf", other))):
        with open(DIRECTORY + "/other", "wb") as file:
            file.write(content)
        os.chmod(DIRECTORY + "/other", 0o644)
        os.rename(DIRECTORY + "/other", DIRECTORY + "/knowledge.base")
        soon(lambda: len(log_lines("knowledge.base is of no use")) >= (at + 1) * len(uplift.workers()), "a copy that is %s: workers refuse it, and say so" % name)
        equal(search.copy("bassoons"), [text], "and go on with the one they have")
    pid = builder()
    send([pid], signal.SIGKILL)
    soon(lambda: builder() != pid, "the builder is started again")
    soon(lambda: os.path.getsize(DIRECTORY + "/knowledge.base") not in (0, len(other)) and in_copies("bassoon") == 1, "and makes a new one")
    text, = add("Oboes are high")
    soon(lambda: search.copy("oboes") == [text], "which is used")


def one_shelf_fails():
    """What keeps one shelf's copy from being written keeps no other back, and does not pass for being up to date."""
    os.mkdir(DIRECTORY + "/knowledge.recent.new")  # in the way
    # Both come in one round, the first shelf before the other.
    send([builder()], signal.SIGSTOP)
    text, = add("Violas are deep")
    other, = add("Gongs are loud", shelf="examples")
    send([builder()], signal.SIGCONT)
    soon(lambda: log_lines("could not write the copy " + DIRECTORY + "/knowledge.recent"), "a copy that cannot be written is told")
    alive = os.stat(DIRECTORY + "/alive").st_mtime
    soon(lambda: search.copy("gongs", "examples") == [other], "the other shelf is kept up to date")
    equal((search.copy("violas"), os.stat(DIRECTORY + "/alive").st_mtime), ([], alive), "the first is not, and does not pass for it")
    os.rmdir(DIRECTORY + "/knowledge.recent.new")
    send([builder()], signal.SIGKILL)  # another one begins at once; this one would in five seconds
    soon(lambda: search.copy("violas") == [text], "until it can be written")
    soon(lambda: os.stat(DIRECTORY + "/alive").st_mtime > alive, "which counts as up to date again")


def two_builders():
    """The builder of a second master, and that of a new configuration, wait for the one before to end."""
    first = builder()
    uplift.reload()
    soon(lambda: builder() != first, "a reload starts another builder")
    wait_until_gone([first])
    text, = add("Harps are tall")
    soon(lambda: search.copy("harps") == [text], "which goes on in place of the one before")
    config = uplift.dir + "/second.conf"
    with open(uplift.dir + "/uplift.conf") as file, open(config, "w") as other:
        other.write(file.read().replace("/run/chat.sock", "/run/second.sock").replace(uplift.dir + "/spool", uplift.dir + "/run/spool"))
    with open(DIRECTORY + "/lock") as file:
        equal(file.read(), uplift.value("select uplift.search_origin()"), "a builder says in the lock's file which database its copies are of")
    with open(DIRECTORY + "/lock", "w") as file:
        file.write("7000000000000000000/5")
    with open(uplift.dir + "/log/second.log", "w") as log:
        second = subprocess.Popen([program("fcgi-chat"), "--config", config], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                  env={"PATH": os.environ["PATH"], **sanitizers()})
    try:
        soon(lambda: "another builder is at work" in uplift.read_log("second"), "the builder of a second master waits")
        soon(lambda: "is that of another database" in uplift.read_log("second"), "and says so where the first builder's copies are of no use to it")
        text, = add("Lutes are old")
        soon(lambda: search.copy("lutes") == [text], "while the first goes on")
        equal("building copies" in uplift.read_log("second"), False, "alone")
        uplift.stop_chat()
        soon(lambda: "building copies" in uplift.read_log("second"), "once that has ended, it begins")
        text, = add("Flutes are thin")
        soon(lambda: search.copy("flutes") == [text], "and the copies are kept")
    finally:
        second.terminate()
        equal(second.wait(20), 0, "a second master ends as it should")
    uplift.start_chat()


def postgres_away():
    """Copies stay as they are; and are brought up to date when it is back."""
    text, = add("Cellos are warm")
    soon(lambda: search.copy("cellos") == [text], "a text is there")
    name = uplift.value("select current_database()")
    uplift.sql('revoke connect on database "%s" from public' % name)
    uplift.sql("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'uplift_search' and datname = current_database()")
    soon(lambda: log_lines("Postgres is away: copies stay"), "the builder notices that Postgres is away")
    equal(search.copy("cellos"), [text], "the copies are used")
    more, = add("Cellos are large")
    uplift.sql('grant connect on database "%s" to public' % name)
    soon(lambda: sorted(search.copy("cellos")) == [text, more], "and follow when it is back")


def restored():
    """Of a restored dump the log means nothing: it is emptied, and copies are built anew."""
    text, = add("Trombones slide")
    soon(lambda: search.copy("trombones") == [text], "a text is there")
    uplift.stop_chat()
    # As pg_restore leaves it: texts and log as they were, of another cluster, whose transactions were far ahead; and a text
    # that no log tells of.
    uplift.sql("update uplift.search_origin set origin = '7000000000000000000/5'")
    uplift.sql("insert into uplift.search_texts (shelf, ref, body) values ('knowledge', gen_random_uuid(), 'Trombones are loud')")
    uplift.sql("delete from uplift.search_log")
    uplift.sql("insert into uplift.search_log (tx, text_id, shelf) values ('9000000000000', %s, 'knowledge')", text)
    for shelf in ("knowledge", "examples"):
        restamp(DIRECTORY + "/%s.base" % shelf)
        restamp(DIRECTORY + "/%s.recent" % shelf)
    soon(lambda: search.describe("trombones")["search"]["knowledge"]["origin"] == STRANGE_ORIGIN, "workers have a copy of another database")
    equal((search.copy("trombones"), hits(search.describe("trombones"))), ([text], []), "nothing of it is found for chats")
    uplift.start_chat()
    soon(lambda: len(log_lines("is of another database: removing it")) == 2, "the builder removes the copies of another database, and says so")
    soon(lambda: len(search.copy("trombones")) == 2, "and builds another one")
    equal(uplift.value("select count(*) from uplift.search_log where tx >= '9000000000000'"), 0, "the log is emptied")
    text, = add("Trombones are brass")
    soon(lambda: len(search.copy("trombones")) == 3, "and followed from there")


def restamp(path):
    """A copy as if it were of another database: its header's origin, and its checksum, others."""
    import zlib
    with open(path, "rb") as file:
        content = bytearray(file.read())
    at = content.index(uplift.value("select uplift.search_origin()").encode())
    content[at:at + 44] = STRANGE_ORIGIN.encode().ljust(44, b"\0")
    content[164:168] = zlib.crc32(bytes(content[:164])).to_bytes(4, sys.byteorder)
    owner = os.stat(path)
    with open(path + ".other", "wb") as file:
        file.write(content)
    os.chown(path + ".other", owner.st_uid, owner.st_gid)
    os.rename(path + ".other", path)


def told():
    """/readyz and /metrics say how it is."""
    equal(uplift.get("/readyz", user=None).json().get("search"), None, "nothing is said while all is well")
    text = uplift.get("/metrics", user=None).text
    contains(text, 'uplift_search_texts{shelf="knowledge"} ', "how many texts there are")
    contains(text, "uplift_search_age_seconds ", "how old the copies are")
    contains(text, "uplift_searches_total ", "how many searches there were")
    send([builder()], signal.SIGSTOP)
    try:
        os.utime(DIRECTORY + "/alive", (1, 1))
        soon(lambda: uplift.get("/readyz", user=None).json().get("search") == "stale", "a builder that is not heard of is told")
        equal(uplift.get("/readyz", user=None).json()["status"], "ready", "as a remark")
        soon(lambda: search.copy("cellos") is None, "copies that are too old for the log are not used")
    finally:
        send([builder()], signal.SIGCONT)
    soon(lambda: "search" not in uplift.get("/readyz", user=None).json(), "until it is heard of again")
    uplift.restart_chat(UPLIFT_SEARCH_DATABASE_URL=uplift.conninfo("uplift_app"), UPLIFT_SEARCH_DIR=uplift.dir + "/search/new")
    soon(lambda: log_lines("is UPLIFT_SEARCH_DATABASE_URL for role uplift_search"), "a wrong role is told")
    equal(uplift.get("/readyz", user=None).json().get("search"), "missing", "and that there is no copy")
    equal(uplift.post("/v1/chat", {"message": "hi"}).status, 200, "chats are answered")
    uplift.restart_chat(UPLIFT_SEARCH_DATABASE_URL=None)
    equal(uplift.get("/readyz", user=None).json().get("search"), None, "without a database of its own there is no retrieval")
    equal("uplift_search_age" in uplift.get("/metrics", user=None).text, False, "nor figures of it")


with Uplift(search=True, expected=EXPECTED + "|UPLIFT_SEARCH_DATABASE_URL|of another database") as uplift:
    uplift.sql("delete from public.ai_knowledge_sources")  # the demo's
    DIRECTORY = uplift.settings["UPLIFT_SEARCH_DIR"]
    search = Search(DIRECTORY)
    run(follows, late_commits, builder_dies, bad_files, one_shelf_fails, two_builders, postgres_away, restored, told)
    search.close()
done()
