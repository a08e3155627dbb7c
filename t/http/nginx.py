#!/usr/bin/python3
"""What nginx itself refuses, on both ports, and what pages of other origins get to read; nginx full of idle and slow
clients; production.conf."""

import http.client
import os
import re
import select
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

from build import TOP  # noqa: E402
from harness import Answer, Uplift, free_ports  # noqa: E402
from process import raise_file_limit, wait_for  # noqa: E402
from tap import contains, done, equal, like, ok, run, skip  # noqa: E402

APP, LOCAL = "https://app.example", "http://localhost:3000"
OTHERS = ("https://evil.example", "null", "http://app.example", "https://app.example:8443", "https://app.example.evil",
          "https://app", "https://app.example,http://localhost:3000", ",", "*", "\\1")
CHAT, COMPLETIONS, REST = "/v1/chat", "/v1/chat/completions", "/rest/v1/coach_response_feedback"
HELLO = {"message": "hello"}
# What supabase-js and OpenAI's SDKs send, and read, in a browser.
SENT = set("""authorization apikey content-type x-client-info prefer accept-profile content-profile x-retry-count
    x-supabase-api-version x-stainless-lang x-stainless-package-version x-stainless-os x-stainless-arch
    x-stainless-runtime x-stainless-runtime-version x-stainless-retry-count x-stainless-timeout
    x-stainless-helper-method openai-organization openai-project""".split())
READ = set("x-request-id x-feedback-id x-conversation-id retry-after x-should-retry content-range".split())
IDLE, SLOW = 2000, 50
SLOW_HEAD = "POST /v1/chat HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\nContent-Le"
SLOW_BODY = SLOW_HEAD + 'ngth: 100\r\n\r\n{"message":'


class Broken:
    """Programs behind nginx that nginx must answer for: one that never speaks, and one that hangs up."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="upl.", dir="/tmp")
        os.chmod(self.dir, 0o755)
        self.silent, self.cutting = self._listen("silent"), self._listen("cutting")
        threading.Thread(target=self._cut, daemon=True).start()

    def _listen(self, name):
        path = "%s/%s.sock" % (self.dir, name)
        listening = socket.socket(socket.AF_UNIX)
        listening.bind(path)
        os.chmod(path, 0o666)
        listening.listen(64)
        return listening

    def _cut(self):
        while True:
            self.cutting.accept()[0].close()

    def configure(self, text):
        """nginx with these behind both of its ports, and limits that a test can wait for."""
        for name in ("client_header_timeout", "client_body_timeout"):
            text = text.replace(name + " 15s", name + " 4s")
        text = re.sub(r"client_max_body_size (8|64)m", "client_max_body_size 64k", text)
        text = text.replace("http {", "http { limit_req_zone $server_port zone=test:1m rate=1r/m;", 1)
        locations = "".join("location = /%s { fastcgi_read_timeout 1s; fastcgi_pass unix:%s/%s.sock; }\n"
                            % (name, self.dir, name) for name in ("silent", "cutting", "missing"))
        locations += "location = /limited { limit_req zone=test; limit_req_status 429; try_files /nothing =404; }\n"
        locations += "location = /overloaded { return 503; }\nlocation = /failing { return 500; }\n"
        return re.sub(r"include \S*/errors-server\.conf;", lambda found: locations + found.group(), text)

    def remove(self):
        shutil.rmtree(self.dir)


def words(header):
    return {word.strip().lower() for word in (header or "").split(",")}


def spoken(uplift, data, plain=False, tls=True):
    """The Answer to these bytes. plain: on the simulator's port."""
    to = socket.create_connection(("127.0.0.1", uplift.sim_port), 30) if plain else uplift.socket(tls)
    with to as connection:
        connection.sendall(data)
        response = http.client.HTTPResponse(connection)
        response.begin()
        return Answer(response, response.read())


def is_own_error(answer, status, code, name, origin=None, retry=False):
    """Checks that nginx's own error is like all others, and readable for pages of the origin alone."""
    h = answer.headers
    exposed = words(h["Access-Control-Expose-Headers"])
    wrong = [what for what, good in {
        "status": answer.status == status, "code": answer.error().get("code") == code,
        "shape": sorted(answer.error()) == ["code", "message", "param", "type"] and list(answer.json()) == ["error"],
        "type": h["Content-Type"] == "application/json", "X-Request-Id": re.fullmatch("[0-9a-f]{32}", h["X-Request-Id"] or ""),
        "once": all(len(h.get_all(n, [])) < 2 for n in h), "Retry-After": (h["Retry-After"] == "1") == retry,
        "Allow": (h["Allow"] is not None) == (status == 405), "Cache-Control": h["Cache-Control"] == "no-store",
        "Vary": h["Vary"] == "Origin", "origin": h["Access-Control-Allow-Origin"] == origin,
        "credentials": h["Access-Control-Allow-Credentials"] is None,
        "exposed": exposed == ({"x-request-id", "retry-after"} if origin else {""}),
    }.items() if not good]
    ok(not wrong, name, "wrong: %s\n%s %s%s" % (", ".join(wrong), answer.status, h, answer.text[:300]))


def own_errors(uplift, plain):
    port = "simulator: " if plain else ""
    more = "Host: localhost\r\nOrigin: %s\r\n" % APP

    def raw(line, headers=""):
        return spoken(uplift, (line + "\r\n" + more + headers + "\r\n").encode(), plain)

    def get(path, method="GET", body=None):
        return uplift.request(method, path, body, headers={"Origin": APP}, user=None, plain=plain)

    for line in (b"nonsense\r\n\r\n", b"GET / HTTP/1.x\r\n\r\n", b"\x16\x03\x01\r\n\r\n", b"GET /\0 HTTP/1.1\r\n\r\n"):
        is_own_error(spoken(uplift, line, plain), 400, "bad_request", port + "a bad request line, %r" % line[:12])
    is_own_error(raw("GET / HTTP/9.9"), 505, "http_not_supported", port + "HTTP/9.9")
    for name, headers, status, code in (
            ("a bad length", "Content-Length: x\r\n", 400, "bad_request"), ("two Hosts", "Host: again\r\n", 400, "bad_request"),
            ("an encoding", "Transfer-Encoding: gzip\r\n", 501, "http_not_supported"),
            ("a large header", "X: %s\r\n" % ("x" * 20000), 431, "headers_too_large"),
            ("many headers", "".join("X-%d: %s\r\n" % (i, "x" * 8000) for i in range(9)), 431, "headers_too_large")):
        is_own_error(raw("POST /v1/chat HTTP/1.1", headers), status, code, port + name, APP)
    is_own_error(raw("GET /%s HTTP/1.1" % ("x" * 20000)), 414, "url_too_long", port + "a long URL")
    for path in ("/_error/500", "/_error/", "/reset" if plain else "/nothing.html"):
        is_own_error(get(path), 404, "not_found", port + "there is nothing at " + path, APP)
    is_own_error(get("/", "TRACE"), 405, "method_not_allowed", port + "a method that nginx does not take", APP)
    is_own_error(get("/v1/x", "POST", b"x" * 65537), 413, "request_too_large", port + "a large body", APP)
    is_own_error(get("/failing"), 500, "internal_error", port + "a failure", APP)
    is_own_error(get("/cutting", "POST", b"{}"), 502, "bad_gateway", port + "a program that breaks off", APP, True)
    is_own_error(get("/missing", "POST", b"{}"), 503, "service_unavailable", port + "a program that is away", APP, True)
    is_own_error(get("/overloaded"), 503, "overloaded", port + "no room", APP, True)
    is_own_error(get("/silent", "POST", b"{}"), 504, "gateway_timeout", port + "a program that never answers", APP, True)
    get("/limited")
    is_own_error(get("/limited"), 429, "rate_limit_exceeded", port + "too many requests", APP, True)


def hung_up_on(connections):
    """Whether the server has, of all, without a word."""
    for connection in connections:
        try:
            if connection.recv(1) != b"":
                return False
        except ConnectionError:
            pass
        finally:
            connection.close()
    return True


def preflight(uplift, path, origin, method="POST"):
    return uplift.request("OPTIONS", path, user=None, headers={
        "Origin": origin, "Access-Control-Request-Method": method, "Access-Control-Request-Headers": ",".join(sorted(SENT))})


def readable(answer, status, origin, name):
    """Checks that pages of the origin, and only they, get to read what fcgi-chat answered."""
    h = answer.headers
    equal((answer.status, h["Access-Control-Allow-Origin"], "origin" in words(h["Vary"]), READ <= words(h["Access-Control-Expose-Headers"]),
           h["Access-Control-Allow-Credentials"]), (status, origin, True, origin is not None, None), name)


def preflights(uplift):
    for origin in (APP, LOCAL):
        for path, method in ((CHAT, "POST"), (COMPLETIONS, "POST"), (REST, "PATCH"), ("/v1/preferences", "PUT")):
            answer = preflight(uplift, path, origin, method)
            readable(answer, 204, origin, "a preflight for %s from %s" % (path, origin))
            h = answer.headers
            ok(method.lower() in words(h["Access-Control-Allow-Methods"]) and SENT <= words(h["Access-Control-Allow-Headers"])
               and int(h["Access-Control-Max-Age"] or 0) > 0 and not answer.body, "allows all that SDKs send", h)
    for origin in OTHERS:
        answer = preflight(uplift, CHAT, origin)
        h = answer.headers
        equal((h["Access-Control-Allow-Origin"], h["Access-Control-Allow-Methods"], h["Access-Control-Allow-Headers"],
               "origin" in words(h["Vary"])), (None, None, None, True), "a preflight from %s allows nothing" % origin)
        is_own_error(uplift.get("/nothing", user=None, headers={"Origin": origin}), 404, "not_found",
                     "nor does nginx, from %s" % origin)
    is_own_error(uplift.get("/nothing", user=None), 404, "not_found", "nor without an origin")


def answers(uplift):
    for origin, allowed in ((APP, APP), (LOCAL, LOCAL), ("https://evil.example", None), ("null", None)):
        def asked(path, body=None, method="POST", **more):
            return uplift.request(method, path, body, headers={"Origin": origin}, **more)
        question = {"model": "sim-1", "messages": [{"role": "user", "content": "hello"}], "stream": True}
        readable(asked(CHAT, HELLO), 200, allowed, "an answer, for %s" % origin)
        readable(asked(CHAT, {**HELLO, "stream": True}), 200, allowed, "a stream")
        readable(asked(COMPLETIONS, question), 200, allowed, "a stream of OpenAI's shape")
        readable(asked(CHAT, {}), 400, allowed, "an error")
        readable(asked(CHAT, HELLO, user=None), 401, allowed, "a refusal")
        readable(asked(CHAT, {**HELLO, "stream": True}, method="DELETE"), 405, allowed, "a wrong method")
        readable(asked("/v1/nothing", method="GET"), 404, allowed, "an unknown path")
        readable(asked(REST, method="GET"), 200, allowed, "what supabase-js reads")


def away(uplift):
    """While fcgi-chat is down, browsers still get to see that it is."""
    uplift.stop_chat()
    for path in (CHAT, REST, "/v1/models", "/readyz"):
        is_own_error(uplift.post(path, HELLO, headers={"Origin": LOCAL}), 503, "service_unavailable",
                     "fcgi-chat is down: %s" % path, LOCAL, True)
    for path in (CHAT, "/limited", "/cutting", "/silent", "/overloaded"):
        answer = preflight(uplift, path, APP)
        h = answer.headers
        equal((answer.status, answer.body, h["Access-Control-Allow-Origin"], "post" in words(h["Access-Control-Allow-Methods"]),
               SENT <= words(h["Access-Control-Allow-Headers"]), h["Retry-After"]), (204, b"", APP, True, True, None),
              "a preflight for %s passes, for the request to be told" % path)
    is_own_error(preflight(uplift, CHAT, "https://evil.example"), 503, "service_unavailable", "but not from elsewhere", retry=True)
    uplift.start_chat()
    equal(uplift.post(CHAT, HELLO).status, 200, "chats are answered as soon as it is back")


def refusals():
    broken = Broken()
    with Uplift(nginx=broken.configure, UPLIFT_CORS_ORIGINS="%s, %s" % (APP, LOCAL)) as uplift:
        halves = [uplift.socket(), uplift.socket(), socket.create_connection(("127.0.0.1", uplift.sim_port), 30)]
        for connection, half in zip(halves, (SLOW_HEAD, SLOW_BODY, SLOW_BODY)):
            connection.settimeout(30)
            connection.sendall((half % uplift.token()).encode())
        for plain in (False, True):
            own_errors(uplift, plain)
        is_own_error(uplift.post("/", b"x", headers={"Origin": APP}), 405, "method_not_allowed", "a file takes no POST", APP)
        is_own_error(spoken(uplift, ("GET / HTTP/1.1\r\nHost: x\r\nOrigin: %s\r\n\r\n" % APP).encode(), tls=False), 400,
                     "https_required", "plain HTTP on the port of HTTPS", APP)
        preflights(uplift)
        answers(uplift)
        away(uplift)
        ok(hung_up_on(halves), "who stops halfway is hung up on")
        ok(wait_for(lambda: uplift.read_log("nginx-access").count('"status":408') >= 2, 20), "which is in the log as 408",
           uplift.read_log("nginx-access")[-1000:])
        ids = re.findall(r'"request_id":"([0-9a-f]{32})"', uplift.read_log("nginx-access"))
        equal(len(set(ids)), len(ids), "each request has an id of its own")
        dashboard(uplift)
        production(uplift)
    broken.remove()


def dashboard(uplift):
    """The dashboard is files, and all else below /admin/ is the admin API, which does not run here."""
    for path, kind in (("/admin/", "text/html"), ("/admin/index.html", "text/html"), ("/admin/ui/app.js", "text/javascript"),
                       ("/admin/ui/style.css", "text/css"), ("/admin/ui/pages/overview.js", "text/javascript")):
        answer = uplift.get(path, user=None)
        equal((answer.status, (answer.headers["Content-Type"] or "").split(";")[0], "script-src 'self'" in (answer.headers["Content-Security-Policy"] or ""),
               answer.headers["X-Content-Type-Options"]), (200, kind, True, "nosniff"), path + " is a file")
    answer = uplift.get("/admin", user=None)
    equal((answer.status, answer.headers["Location"]), (301, "/admin/"), "/admin leads to it, on whichever port it was asked for")
    for path in ("/admin/ui/nothing.js", "/admin/ui/pages/"):
        ok(uplift.get(path, user=None).status in (403, 404), path + " is nothing")
    for path in ("/admin/jobs", "/admin/uis", "/admin/index.htm", "/admin/datasets/x/export"):
        is_own_error(uplift.get(path, user=None), 503, "service_unavailable", path + " is of the API", retry=True)


def production(uplift):
    """production.conf, with the names of this test in it, is a configuration to nginx, which lets a browser have the pages."""
    etc = uplift.dir + "/etc"
    os.makedirs(etc)
    with open(TOP + "/nginx/production.conf") as file:
        text = file.read()
    ports = dict(zip(("80", "443"), map(str, free_ports(2))))
    text = re.sub(r"listen (\[::\]:)?(80|443)\b", lambda found: "listen %s%s" % (
        "[::1]:" if found.group(1) else "127.0.0.1:", ports[found.group(2)]), text)
    if not os.path.exists("/proc/net/if_inet6"):
        text = re.sub(r".*listen \[::1\].*\n", "", text)
    for path, ours in (("/etc/letsencrypt/live/chat.example.com/fullchain.pem", uplift.ca), ("/var/log/nginx", uplift.dir + "/log"),
                       ("/usr/local/share/uplift/html", uplift.dir + "/html"),
                       ("/usr/local/share/uplift/nginx", TOP + "/nginx"),
                       ("/etc/letsencrypt/live/chat.example.com/privkey.pem", uplift.dir + "/key.pem")):
        contains(text, path, "production.conf names " + path)
        text = text.replace(path, ours)
    with open(etc + "/uplift.conf", "w") as file:
        file.write(text)
    temporary = "".join("%s_temp_path %s/%s;" % (name, etc, name) for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    with open(etc + "/nginx.conf", "w") as file:
        # Without a log of its own, a server writes to one that only root may open.
        file.write("pid %s/nginx.pid;\nevents {}\nhttp { access_log off; %s include uplift.conf; }\n" % (etc, temporary))
    nginx = ["/usr/sbin/nginx", "-p", etc, "-e", etc + "/error.log", "-c", etc + "/nginx.conf"]
    result = subprocess.run([*nginx, "-t"], capture_output=True, text=True)
    equal(result.returncode, 0, "production.conf passes nginx -t")
    like(result.stderr, r"^nginx: the configuration file \S* syntax is ok\nnginx: [^\n]* is successful\n$", "without a warning")
    running = subprocess.Popen([*nginx, "-g", "daemon off;"])
    try:
        haste(uplift.dir + "/html", int(ports["443"]))
    finally:
        running.terminate()
        running.wait()


def haste(html, port):
    """Files come as fast as a browser asks for them, calls of the API do not."""
    ok(wait_for(lambda: accepts(("127.0.0.1", port))), "production.conf: nginx runs with it")
    connection = http.client.HTTPSConnection("127.0.0.1", port, context=ssl._create_unverified_context())

    def status(path):
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        return answer.status
    files = [os.path.join(path, name)[len(html):] for path, _, names in os.walk(html) for name in names]
    equal([path for path in files * 2 if status(path) != 200], [], "the pages can be opened twice in a row, with all of their files")
    statuses = [status("/v1/models") for _ in range(100)]
    ok(429 in statuses and 429 not in statuses[:40], "but the API is not called so often", statuses)
    connection.close()


def accepts(address):
    try:
        socket.create_connection(address, 1).close()
        return True
    except OSError:
        return False


def crowd():
    """Who only holds a connection holds up nobody."""
    most = raise_file_limit()
    if most < IDLE + SLOW + 200:
        skip("a crowd of idle and slow clients", "may open only %d files" % most)
        return
    def patient(text):
        """nginx that does not hang up on them before the test is done."""
        return re.sub("(client_(header|body)_timeout) 15s", r"\1 300s", text)

    with Uplift(nginx=patient) as uplift:
        is_own_error(uplift.get("/nothing", headers={"Origin": "null"}), 404, "not_found", "* is every origin to nginx", "null")
        readable(uplift.post(CHAT, HELLO, headers={"Origin": "null"}), 200, "null", "as to fcgi-chat")
        readable(preflight(uplift, CHAT, LOCAL), 204, LOCAL, "in preflights, too")
        slow = [uplift.socket() for _ in range(SLOW)]
        idle = [socket.create_connection(("127.0.0.1", uplift.port), 30) for _ in range(IDLE)]
        for i, connection in enumerate(slow):
            connection.sendall(((SLOW_BODY if i % 2 else SLOW_HEAD) % uplift.token()).encode())
        statuses = [uplift.post(CHAT, HELLO).status for _ in range(10)]
        equal(statuses, [200] * 10, "chats are answered among %d idle and %d half-sent requests" % (IDLE, SLOW))
        ok(uplift.stream(CHAT, HELLO).read_until('"done":true'), "and streamed")
        equal(uplift.status(), "ready", "and uplift is ready")
        watch = select.poll()
        for connection in slow + idle:
            watch.register(connection, select.POLLRDHUP)
        equal(len(watch.poll(0)), 0, "while none of them was hung up on to make room")
        for connection in slow + idle:
            connection.close()


def main():
    run(refusals, crowd)
    done()


if __name__ == "__main__":
    main()
