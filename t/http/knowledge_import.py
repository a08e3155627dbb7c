#!/usr/bin/python3
"""fcgi-batch run import-knowledge: directories, single files, PDF and its bombs, pages of the web and where they must not lead."""

import http.server
import glob
import json
import os
import shutil
import sys
import threading
import zlib

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from harness import Uplift  # noqa: E402
from process import wait_for  # noqa: E402
from tap import contains, done, equal, ok  # noqa: E402

ZERO = {"added": 0, "changed": 0, "restored": 0, "unchanged": 0, "duplicate": 0, "withdrawn": 0, "failed": 0, "pruned": 0}


def pdf(content, encrypted=False, pages=1):
    """A PDF of so many pages with that content stream."""
    stream = zlib.compress(content, 9)
    page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Contents 3 0 R/Resources<</Font<</F 4 0 R>>>>>>"
    objects = [b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[%s]/Count %d>>" % (b" ".join(b"%d 0 R" % (6 + i) for i in range(pages)), pages),
               b"<</Length %d/Filter/FlateDecode>>stream\n%s\nendstream" % (len(stream), stream),
               b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
               b"<</Filter/Standard/V 1/R 2/P -4/O<%s>/U<%s>>>" % (b"ab" * 32, b"cd" * 32)] + [page] * pages
    out, places = b"%PDF-1.4\n", []
    for number, text in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, text)
    at = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1) + b"".join(b"%010d 00000 n \n" % place for place in places)
    return out + b"trailer<</Size %d/Root 1 0 R%s>>\nstartxref\n%d\n%%%%EOF\n" % (
        len(objects) + 1, b"/Encrypt 5 0 R/ID[<00><00>]" if encrypted else b"", at)


def lines(*texts):
    return b"BT /F 12 Tf 50 700 Td 14 TL " + b"".join(b"(%s) Tj T* " % text.encode() for text in texts) + b"ET"


def write(up, name, data):
    path = up.dir + "/" + name
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(data if isinstance(data, bytes) else data.encode())
    return path


def run(up, *words, **options):
    """The result of an import on the command line; what it complained of where it failed."""
    ended = up.batch_run("run", "import-knowledge", *words, **options)
    return json.loads(ended.stdout) if ended.returncode == 0 else ended.stderr


def counts(result):
    if not isinstance(result, dict):
        return result
    return {key: value for key, value in result.items() if key in ZERO and value}


def sources(up):
    return {row["source_name"]: row for row in up.sql("select * from public.ai_knowledge_sources where is_active")}


def directory(up):
    write(up, "docs/sleep.md", "# Sleep\n\nGo to bed early.\n")
    write(up, "docs/food/oats.html", "<title>Oats</title><nav>no</nav><h1>Oats</h1><p>Fibre.")
    write(up, "docs/food/deep/rye.txt", "Rye is a grain.\r\nIt grows.\r\n")
    write(up, "docs/latin.txt", "caf\xe9 cr\xe8me".encode("latin-1"))
    write(up, "docs/table.pdf", pdf(lines("Protein is made of amino acids.", "It is in beans.")))
    write(up, "docs/copy.md", "# Sleep\n\nGo to bed early.\n")
    write(up, "docs/picture.png", b"\x89PNG")
    write(up, "docs/.hidden.md", "hidden")
    write(up, "secret/outside.md", "what is outside")
    os.symlink("../secret", up.dir + "/docs/linked")
    os.symlink("../secret/outside.md", up.dir + "/docs/linked.md")
    os.mkfifo(up.dir + "/docs/pipe.md")
    for name, data in (("zero.txt", b""), ("nul.txt", b"a\0b"), ("blank.md", b" \n\n"), ("broken.pdf", b"%PDF-1.4 no"), ("locked.pdf", pdf(lines("x"), True)),
                       ("huge.txt", b"x" * ((20 << 20) + 1)), ("long.txt", b"word " * 1000001)):
        write(up, "docs/" + name, data)
    result = run(up, up.dir + "/docs", "--topics", "sleep, food", "--coaches", "coach_maple_avatar", "--audience", "beginners", "--reliability", "7", "--source-type", "faq")
    equal(counts(result), {"added": 5, "duplicate": 1, "failed": 7}, "a directory goes in, but for what is broken or there already")
    equal(result["skipped"], 5, "what is hidden, linked, no file or of another kind is left alone")
    reasons = {problem["name"]: problem["reason"] for problem in result["problems"]}
    for name, words in (("zero.txt", "empty"), ("nul.txt", "NUL"), ("blank.md", "no text"), ("broken.pdf", "damaged"), ("locked.pdf", "encrypted"),
                        ("huge.txt", "larger than 20 MB"), ("long.txt", "bytes of text")):
        contains(reasons.get(name, ""), words, "%s is named, with the reason" % name)
    found = sources(up)
    equal(sorted(found), ["docs/copy.md", "docs/food/deep/rye.txt", "docs/food/oats.html", "docs/latin.txt", "docs/table.pdf"], "names begin with the directory's")
    one = found["docs/food/oats.html"]
    equal([one[k] for k in ("title", "content", "topic_tags", "coach_ids", "target_audience", "reliability_score", "source_type", "source_url")],
          ["Oats", "# Oats\n\nFibre.", ["food", "sleep"], ["coach_maple_avatar"], "beginners", 7, "faq", None], "with what was said of all of them")
    equal((found["docs/latin.txt"]["content"], found["docs/latin.txt"]["title"]), ("caf\xe9 cr\xe8me", "latin"), "text in an older encoding is read")
    contains(found["docs/table.pdf"]["content"].replace("\n", " "), "Protein is made of amino acids. It is in beans.", "and PDF")
    equal(up.value("select count(*) from public.ai_knowledge_sources where content like '%%outside%%'"), 0, "no link leads out of the directory")


def again(up):
    for name in ("zero.txt", "nul.txt", "blank.md", "broken.pdf", "locked.pdf", "huge.txt", "long.txt", "copy.md"):
        os.unlink(up.dir + "/docs/" + name)
    before = up.sql("select * from public.ai_knowledge_sources order by id")
    os.unlink(up.dir + "/docs/sleep.md")
    write(up, "docs/copy.md", "# Sleep\n\nGo to bed early.\n")
    equal(counts(run(up, up.dir + "/docs")), {"unchanged": 5}, "run again it finds all of it unchanged")
    equal(up.sql("select * from public.ai_knowledge_sources order by id"), before, "and changes nothing")
    write(up, "docs/latin.txt", "other words")
    equal(counts(run(up, up.dir + "/docs")), {"unchanged": 4, "changed": 1}, "what changed is taken")
    row = up.sql("select o.is_active, n.content, n.topic_tags from public.ai_knowledge_sources o join public.ai_knowledge_sources n on n.id = o.deprecated_by")
    equal([dict(r) for r in row], [{"is_active": False, "content": "other words", "topic_tags": ["food", "sleep"]}], "as a new version in place of the old one")
    os.rename(up.dir + "/docs/latin.txt", up.dir + "/docs/renamed.txt")
    equal(counts(run(up, up.dir + "/docs")), {"unchanged": 4, "duplicate": 1}, "what is gone stays, unless one says otherwise")
    equal(counts(run(up, up.dir + "/docs", "--prune")), {"unchanged": 4, "added": 1, "pruned": 1}, "--prune withdraws it")
    equal(sorted(sources(up)), ["docs/copy.md", "docs/food/deep/rye.txt", "docs/food/oats.html", "docs/renamed.txt", "docs/table.pdf"], "and nothing else")
    os.rename(up.dir + "/docs/renamed.txt", up.dir + "/docs/latin.txt")
    equal(counts(run(up, up.dir + "/docs", "--prune")), {"unchanged": 4, "restored": 1, "pruned": 1}, "what is there again is in effect again")
    equal(counts(run(up, up.dir + "/docs", "--reliability", "3")), {"changed": 5}, "the same files are taken again where something else is said of them")
    equal({(row["reliability_score"], row["target_audience"]) for row in sources(up).values()}, {(3, "beginners")}, "which they have then, besides what they had")
    up.sql("update public.ai_knowledge_sources set reliability_score = 9 where is_active")
    equal(counts(run(up, up.dir + "/docs", "--reliability", "3")), {"unchanged": 5}, "until then")
    equal({row["reliability_score"] for row in sources(up).values()}, {9}, "what was set by hand stays")
    write(up, "docs/closed/x.md", "closed")
    if up.as_root:  # who becomes www-data, to whom it is closed
        for mode, name in ((0, "closed"), (0o644, "closed/x.md")):
            os.chmod(up.dir + "/docs/closed", mode)
            result = run(up, up.dir + "/docs")
            equal((counts(result), result["problems"], result["documents"]), ({"unchanged": 5, "failed": 1}, [{"name": name, "reason": "Permission denied"}], 6),
                  "a directory of mode %o that cannot be read is named, and the rest goes in" % mode)
            contains(run(up, up.dir + "/docs", "--prune"), "nothing is pruned", "but what is in it is not taken for gone")
    os.chmod(up.dir + "/docs/closed", 0o755)
    os.unlink(up.dir + "/docs/closed/x.md")
    os.rmdir(up.dir + "/docs/closed")
    too_long = "/".join(["d" * 225] * 4)
    write(up, "docs/%s/x.md" % too_long, "too far")
    write(up, "docs/%sx.md" % ("d/" * 33), "too deep")
    result = run(up, up.dir + "/docs")
    equal((counts(result), {p["name"]: p["reason"] for p in result["problems"]}),
          ({"unchanged": 5, "failed": 2}, {too_long: "its name with its directories is too long", ("d/" * 33)[:-1]: "too many directories inside one another"}),
          "a path that is too long, and one that is too deep, are named likewise")
    shutil.rmtree(up.dir + "/docs/" + "d" * 225)
    shutil.rmtree(up.dir + "/docs/d")
    os.mkdir(up.dir + "/empty")
    contains(run(up, up.dir + "/empty", "--collection", "docs", "--prune"), "nothing to import", "an empty directory prunes nothing")
    equal(len(sources(up)), 5, "so that a disk that is not there takes nothing away")


def odd_names(up):
    """Names that are no UTF-8 are left out: they could be kept nowhere."""
    for name in (b"caf\xe9.txt", b"caf\xe8.txt", b"caf.txt", b"d\xff/x.md", b"\xff.png"):
        path = os.path.join(up.dir.encode(), b"odd", name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(b"In " + name.hex().encode())
    result = run(up, up.dir + "/odd", "--prune")
    equal((counts(result), result["documents"], result["skipped"]), ({"added": 1, "failed": 3}, 4, 1), "names that are no UTF-8 are left out, and the rest goes in")
    equal({p["name"]: p["reason"] for p in result["problems"]},
          {name: "its name is not UTF-8: rename it" for name in ("caf\\xe9.txt", "caf\\xe8.txt", "d\\xff")}, "each is named")
    equal(sources(up)["odd/caf.txt"]["content"], "In " + b"caf.txt".hex(), "and none stands for another")
    os.unlink(up.dir + "/odd/caf.txt")
    contains(run(up, up.dir + "/odd"), "its name is not UTF-8", "where there is nothing else, the first is told")
    list_of = write(up, "lists/odd.txt", b"http://127.0.0.1/caf\xe9\n")
    contains(run(up, "--urls", list_of), "caf\\xe9: it is not UTF-8", "and so are addresses")
    contains(run(up, "--urls", write(up, "lists/large.txt", "#" * ((4 << 20) + 1))), "it is larger than 4 MB", "or a list that is too large")
    for path in ("#https://example.com/", " https"+"://", "#://\n#://"):
        contains(run(up, path), "nothing to import" if path[0] == "#" else "no address of a page", "%r is nothing to import" % path)


def single(up):
    equal(counts(run(up, write(up, "one/plan.md", "# Plan\nRun."))), {"added": 1}, "a single file is taken")
    contains(sources(up), "plan.md", "under its name")
    for name, data, words in (("one/x.exe", b"MZ", "are taken"), ("one/none.md", b"", "empty"), ("one/e.pdf", pdf(lines("x"), True), "encrypted")):
        contains(run(up, write(up, name, data)), words, "%s is refused" % name)
    contains(run(up, up.dir + "/one/nothing.md"), "No such file", "and what is not there")
    contains(run(up), "one of path and urls", "or was not said")
    contains(run(up, up.dir + "/one", "--reliability", "11"), "0 to 10", "or makes no sense")
    contains(run(up, up.dir + "/one/plan.md", "--prune"), "prune goes with", "one file prunes nothing")


def bombs(up):
    os.chmod(up.dir + "/one", 0o777)
    for name, program, words in (("fills", "exec yes 'words without end'", "bytes of text"), ("waits", "ulimit -t 1; while :; do :; done", "too long"),
                                 ("crashes", "kill -SEGV $$", "by a signal"), ("eats", "exec /usr/bin/python3 -c 'print(len(bytes(2 << 30)))'", "damaged"),
                                 ("writes", "trap '' XFSZ; echo x >>%s/one/written || exit 1" % up.dir, "damaged")):
        path = write(up, "programs/" + name, "#!/bin/sh\n%s\n" % program)
        os.chmod(path, 0o755)
        up.configure(UPLIFT_PDFTOTEXT=path)
        contains(run(up, write(up, "one/%s.pdf" % name, pdf(lines(name)))), words, "a PDF whose reading %s is named" % name)
    os.chmod(up.dir + "/one", 0o755)
    equal(os.path.exists(up.dir + "/one/written") and os.path.getsize(up.dir + "/one/written") > 0, False, "it may write no file")
    up.configure(UPLIFT_PDFTOTEXT="/nonexistent/pdftotext")
    contains(run(up, write(up, "one/y.pdf", pdf(lines("y")))), "install poppler-utils", "without the program it is told what to install")
    up.configure(UPLIFT_PDFTOTEXT=None)
    bomb = pdf(lines(*("line %d of a page that repeats itself again and again" % i for i in range(50))), pages=3000)
    ok(len(bomb) < 1 << 20, "a file of less than a megabyte that becomes much more")
    result = run(up, write(up, "one/bomb.pdf", bomb), seconds=120)
    contains(result if isinstance(result, str) else "", "bytes of text", "is named, and harms nothing")


def running(words):
    """Whether a program with these words on its command line runs."""
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        try:
            with open(path, "rb") as file:
                if words.encode() in file.read().replace(b"\0", b" "):
                    return True
        except OSError:  # it has ended
            pass
    return False


def lingering(up):
    """Programs that close their pipes and run on, or leave something behind, are ended, with all that they started."""
    waits = "sleep 8%d.25" % os.getpid()
    path = write(up, "programs/lingers", "#!/bin/sh\nexec >&- 2>&-\n%s &\nexec %s\n" % (waits, waits))
    os.chmod(path, 0o755)
    up.start_batch(UPLIFT_PDFTOTEXT=path)
    job = up.admin("POST", "/admin/jobs/import-knowledge", {"path": write(up, "many/lingers.pdf", pdf(lines("x")))}).json()["job_id"]
    ok(wait_for(lambda: running(waits), 20), "a program runs on that has closed its pipes")
    up.admin("POST", "/admin/jobs/%s/cancel" % job)
    equal(up.await_job(job)["status"], "cancelled", "it keeps no job from being stopped")
    ok(wait_for(lambda: not running(waits), 20), "and is ended, with what it started")
    write(up, "programs/lingers", "#!/bin/sh\n%s >&- 2>&- &\necho Some words.\n" % waits)
    equal(counts(up.job("import-knowledge", {"path": up.dir + "/many/lingers.pdf"})["result"]), {"added": 1}, "one that has ended is read")
    ok(wait_for(lambda: not running(waits), 20), "and what it left behind is ended")
    os.unlink(up.dir + "/many/lingers.pdf")
    up.stop_batch()
    up.configure(UPLIFT_PDFTOTEXT=None)


def many(up):
    """A directory of 10,000 files, five of each text, of which one is broken. Its import is cancelled, asked for again, stopped
    with the service, and gone on with by the next one."""
    os.makedirs(up.dir + "/many", exist_ok=True)
    for i in range(10000):
        with open(up.dir + "/many/%05d.txt" % i, "w") as file:
            file.write("File %d of many.\n" % (i // 5))
    write(up, "many/05000.txt", b"a\0b")

    def taken():
        return up.value("select count(*) from public.ai_knowledge_sources where source_name like 'many/0%%'")
    job = up.admin("POST", "/admin/jobs/import-knowledge", {"path": up.dir + "/many"}).json()["job_id"]
    ok(wait_for(lambda: taken() > 100, 60), "files go in one by one")
    up.admin("POST", "/admin/jobs/%s/cancel" % job)
    ended = up.await_job(job)
    before = taken()
    equal(ended["status"], "cancelled", "it is stopped")
    ok(100 < before < 2000, "and what is in stays")
    job = up.admin("POST", "/admin/jobs/import-knowledge", {"path": up.dir + "/many"}).json()["job_id"]
    ok(wait_for(lambda: taken() > before + 100, 60), "run again it goes on")
    up.stop_batch()
    halfway = taken()
    ok(before < halfway < 2000, "and is stopped once more, with the service")
    up.start_batch()
    ended = up.await_job(job, 400)
    equal((ended["status"], counts(ended["result"])), ("succeeded", {"added": 2000 - before, "unchanged": before, "duplicate": 7999, "failed": 1}),
          "the next one goes on with it, and each file is counted once")
    equal([p["name"] for p in ended["result"]["problems"]], ["05000.txt"], "the one that is broken is named")
    equal((ended["done"], ended["total"]), (10000, 10000), "with progress")
    equal(taken(), 2000, "the rest is in")


def by_url(up):
    """Admins import by URL what is in UPLIFT_KNOWLEDGE_DIR, and nothing else."""
    os.symlink("/etc", up.dir + "/many/etc")
    for path in ("/etc/passwd", up.dir + "/docs", up.dir + "/many/../docs", up.dir + "/many/etc/hostname", up.dir + "/manyother", "many"):
        job = up.job("import-knowledge", {"path": path})
        equal((job["status"], job["error"]["code"]), ("failed", "invalid_argument" if path == "many" else "cannot_read"), "%s is not imported by URL" % path.replace(up.dir, ""))
        equal("root:" in json.dumps(job), False, "nor shown")
    job = up.job("import-knowledge", {"path": "http://127.0.0.1:1/"})
    contains(job["error"]["message"], "not public", "nor does an address that an admin names lead inside")
    up.admin("PUT", "/admin/schedules/files", {"job": "import-knowledge", "arguments": {"path": "/etc/passwd"}, "cron": "0 0 1 1 *"})
    ended = up.await_job(up.admin("POST", "/admin/schedules/files/run").json()["job_id"])
    equal(ended["error"]["code"], "cannot_read", "nor by a schedule")
    up.stop_batch()
    up.start_batch(UPLIFT_KNOWLEDGE_DIR=None)
    job = up.job("import-knowledge", {"path": up.dir + "/many/00001.txt"})
    equal(job["error"]["code"], "path_not_allowed", "without that directory no file is")


class Site(http.server.BaseHTTPRequestHandler):
    """Pages, redirects into private networks, and what has no end. asked: (address, path)."""

    asked = []
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        here = self.server.server_address[1]
        Site.asked.append((self.connection.getsockname()[0], self.path))
        to = {"/moved": "/page.html", "/loop": "/loop", "/local": "http://127.0.0.1:%d/page.html" % here, "/name": "http://localhost:%d/page.html" % here,
              "/six": "http://[::1]:%d/page.html" % here, "/mapped": "http://[::ffff:127.0.0.1]:%d/page.html" % here, "/private": "http://10.0.0.1/",
              "/metadata": "http://169.254.169.254/latest/", "/decimal": "http://2130706433:%d/page.html" % here, "/zero": "http://0.0.0.0:%d/page.html" % here,
              "/file": "file:///etc/passwd", "/ftp": "ftp://127.0.0.2/x", "/password": "http://a:b@127.0.0.2:%d/page.html" % here}.get(self.path)
        if to:
            self.answer(302, "text/html", b"<p>moved", Location=to)
        elif self.path == "/page.html":
            self.answer(200, "text/html; charset=utf-8", "<title>A page</title><h1>Caf\xe9</h1><p>Words of a page.".encode())
        elif self.path == "/plain":
            self.answer(200, "text/plain", b"Plain words.")
        elif self.path == "/doc":
            self.answer(200, "application/pdf", pdf(lines("A PDF of the web.")))
        elif self.path == "/picture":
            self.answer(200, "image/png", b"\x89PNG")
        elif self.path == "/nothing":
            self.answer(404, "text/html", b"<p>nothing here")
        elif self.path == "/announced":
            self.answer(200, "text/plain", b"x", **{"Content-Length": str(30 << 20)})
        else:  # /endless
            self.send_response(200)
            self.send_header("Content-Type", "text/plain")
            self.send_header("Connection", "close")
            self.end_headers()
            try:
                while True:
                    self.wfile.write(b"word " * 13107)
            except OSError:
                self.close_connection = True

    def answer(self, status, kind, body, **headers):
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = True

    def log_message(self, *_):
        pass


def web(up):
    server = http.server.ThreadingHTTPServer(("0.0.0.0", 0), Site)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    site = "http://127.0.0.2:%d" % server.server_address[1]
    up.configure(UPLIFT_KNOWLEDGE_ADDRESSES=None)
    contains(run(up, site + "/page.html"), "not public", "by default no private address is asked")
    equal(Site.asked, [], "not at all")
    up.configure(UPLIFT_KNOWLEDGE_ADDRESSES="127.0.0.2")
    bad = {"local": "not public", "name": "not public", "six": "not public", "mapped": "not public", "private": "not public", "metadata": "not public",
           "decimal": "not public", "zero": "not public", "file": "no page of the web", "ftp": "no page of the web", "password": "no page of the web",
           "loop": "more than 5 times", "picture": "image/png", "nothing": "status 404", "announced": "larger than 20 MB", "endless": "larger than 20 MB"}
    pages = ["%s/%s" % (site, name) for name in ("page.html", "moved", "plain", "doc", *bad)] + [site + "/page.html", "gopher://x/", "http://a:b@127.0.0.2/"]
    result = run(up, "--urls", write(up, "lists/pages.txt", "# pages\r\n\r\n" + "\r\n".join(pages)), seconds=120)
    equal(counts(result), {"added": 3, "duplicate": 1, "failed": len(bad) + 2}, "a list of pages goes in, each page once")
    reasons = {problem["name"].replace(site + "/", ""): problem["reason"] for problem in result["problems"]}
    for name, words in bad.items():
        contains(reasons.get(name, ""), words, "/%s is refused: %s" % (name, words))
    equal({address for address, path in Site.asked}, {"127.0.0.2"}, "no other address was ever asked")
    equal([path for address, path in Site.asked].count("/loop"), 6, "redirects end")
    rows = {row["source_url"].replace(site, ""): row for row in up.sql("select * from public.ai_knowledge_sources where source_url is not null and is_active")}
    first = rows.get("/page.html") or rows["/moved"]
    equal((first["title"], first["content"]), ("A page", "# Caf\xe9\n\nWords of a page."), "a page is read")
    contains(rows["/doc"]["content"], "A PDF of the web.", "and a PDF")
    equal(counts(run(up, "--urls", write(up, "lists/pages.txt", site + "/plain\n" + site + "/doc\n"), "--prune")), {"unchanged": 2, "pruned": 1}, "a list is pruned likewise")
    contains(run(up, "ftp://example.com/x"), "no address of a page", "other schemes are refused")
    server.shutdown()
    up.configure(UPLIFT_KNOWLEDGE_ADDRESSES=None)


with Uplift(batch=True, UPLIFT_KNOWLEDGE_DIR="/tmp") as up:
    up.sql("delete from public.ai_knowledge_sources")  # the demo's
    up.stop_batch()
    up.start_batch(UPLIFT_KNOWLEDGE_DIR=up.dir + "/many")
    directory(up)
    again(up)
    single(up)
    odd_names(up)
    # The service would do these with the settings that it has.
    up.stop_batch()
    bombs(up)
    web(up)
    lingering(up)
    up.start_batch()
    many(up)
    by_url(up)
done()
