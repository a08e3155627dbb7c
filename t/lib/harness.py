"""A whole uplift for a test: Postgres, the simulated provider, fcgi-chat and nginx, in directories
of its own. UPLIFT_BUILD says where the programs are, as build.py explains.

    with Uplift(UPLIFT_IDLE_TIMEOUT_MS=500) as uplift:
        answer = uplift.post("/v1/chat", {"message": "hello"})
        answer.status, answer.headers["X-Feedback-Id"], answer.json()
        uplift.row(answer.headers["X-Feedback-Id"])["outcome"]
    # the end has told by TAP whether everything ended well and no log holds an alert

Its directory is kept, and named, when UPLIFT_TEST_KEEP is set or a check failed.
"""

import base64
import hashlib
import hmac
import http.client
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time

import psycopg2
import psycopg2.extras

import tap
from build import TOP, program
from cluster import Cluster
from provider import Simulator, free_port

USER = "00000000-0000-7000-8000-000000000001"
SECRET = "a-secret-of-tests-that-is-long-enough"
ANON_KEY = "public-anon-key-of-tests"


def token(user=USER, **claims):
    """A JWT as Supabase issues it; a claim of None leaves it out."""
    now = int(time.time())
    body = {"sub": user, "aud": "authenticated", "role": "authenticated", "iat": now,
            "exp": now + 3600}
    body.update(claims)
    body = {k: v for k, v in body.items() if v is not None}

    def part(data):
        return base64.urlsafe_b64encode(data).rstrip(b"=")

    text = b".".join(part(json.dumps(p).encode()) for p in ({"alg": "HS256", "typ": "JWT"}, body))
    sign = hmac.new(SECRET.encode(), text, hashlib.sha256).digest()
    return (text + b"." + part(sign)).decode()


def await_true(check, seconds=10):
    """Whether check() came true within so many seconds."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if check():
            return True
        time.sleep(0.02)
    return bool(check())


class Answer:
    """A response, read whole."""

    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()
        self.text = self.body.decode("utf-8", "replace")

    def json(self):
        return json.loads(self.body)

    def error(self):
        return self.json()["error"]

    def events(self):
        """The data of each server-sent event: parsed, apart from "[DONE]"."""
        found = re.findall(r"^data: (.*)$", self.text, re.M)
        return [d if d == "[DONE]" else json.loads(d) for d in found]


class Stream:
    """A request whose answer is read bit by bit, over a connection of its own."""

    def __init__(self, uplift, path, body, headers):
        raw = socket.create_connection(("127.0.0.1", uplift.port), 10)
        self.socket = uplift.tls.wrap_socket(raw, server_hostname="127.0.0.1")
        lines = ["POST %s HTTP/1.1" % path, "Host: 127.0.0.1", "Content-Length: %d" % len(body)]
        lines += ["%s: %s" % item for item in headers.items()]
        self.socket.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        self.seen = b""

    def read_until(self, text, seconds=10):
        self.socket.settimeout(seconds)
        while text.encode() not in self.seen:
            data = self.socket.recv(65536)
            if not data:
                return False
            self.seen += data
        return True

    def feedback_id(self):
        return re.search(rb"(?i)\r\nx-feedback-id: (\S+)", self.seen).group(1).decode()

    def close(self):
        self.socket.close()


class Uplift:
    def __init__(self, options=(), **settings):
        self.options = options
        self.settings = settings

    def __enter__(self):
        self.dir = tempfile.mkdtemp(prefix="upl.", dir="/tmp")
        os.chmod(self.dir, 0o755)
        for name in ("run", "spool", "log", "html"):
            os.mkdir(self.dir + "/" + name)
        self.as_root = os.geteuid() == 0
        if self.as_root:
            for name in ("run", "spool"):
                shutil.chown(self.dir + "/" + name, "www-data", "www-data")
        self._start_postgres()
        self.simulator = Simulator("--pace", "0").__enter__()
        self.provider_url = self.settings.get("UPLIFT_UPSTREAM_URL", self.simulator.url)
        self.port = free_port()
        self.url = "https://127.0.0.1:%d" % self.port
        self._start_nginx()
        self.start_chat()
        self.failed_before = tap._failed
        return self

    # --- starting ---

    def _start_postgres(self):
        self.cluster = Cluster()
        self.cluster.start()
        self.cluster.psql("template1", sql="create role uplift_owner login createrole")
        self.cluster.createdb("uplift", owner="uplift_owner")
        for name in ("install", "demo"):
            done = self.cluster.psql("uplift", file="%s/sql/%s.sql" % (TOP, name),
                                     user="uplift_owner")
            if done.returncode != 0:
                raise SystemExit("Bail out! %s.sql failed: %s" % (name, done.stderr))
        self.database_url = self.cluster.conninfo("uplift", "uplift_app")
        self.db = psycopg2.connect(self.cluster.conninfo("uplift"))
        self.db.autocommit = True

    def _start_nginx(self):
        d = self.dir
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:P-256", "-nodes", "-keyout", d + "/key.pem", "-out",
                        d + "/cert.pem", "-days", "2", "-subj", "/CN=127.0.0.1", "-addext",
                        "subjectAltName=IP:127.0.0.1"], check=True, stderr=subprocess.DEVNULL)
        self.tls = ssl.create_default_context(cafile=d + "/cert.pem")
        with open(TOP + "/nginx/uplift.conf.in") as f:
            text = f.read()
        for name, value in {
                "USER_LINE": "user www-data;" if self.as_root else "", "RUN": d + "/run",
                "LOG": d + "/log", "HTTPS_PORT": self.port, "SIM_PORT": free_port(),
                "TLS_CERT": d + "/cert.pem", "TLS_KEY": d + "/key.pem",
                "CHAT_UPSTREAM": "unix:%s/run/chat.sock" % d,
                "SIMULATOR_SOCKET": self.simulator.dir + "/simulator.sock", "HTML": d + "/html",
                "CONFIG_JSON": d + "/config.json"}.items():
            text = text.replace("@%s@" % name, str(value))
        with open(d + "/nginx.conf", "w") as f:
            f.write("daemon off;\n" + text)
        self.nginx = subprocess.Popen(
            ["/usr/sbin/nginx", "-p", d, "-e", d + "/log/nginx-error.log", "-c", d + "/nginx.conf"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def start_chat(self, **settings):
        """Starts fcgi-chat and waits until it is ready."""
        values = {
            "DATABASE_URL": self.database_url, "UPLIFT_LISTEN": "unix:%s/run/chat.sock" % self.dir,
            "UPLIFT_UPSTREAM_URL": self.provider_url, "UPLIFT_MODEL": "sim-1",
            "UPLIFT_JWT_SECRET": SECRET, "UPLIFT_ANON_KEY": ANON_KEY, "UPLIFT_WORKERS": "1",
            "UPLIFT_ID_KEY": "id-key-of-tests-that-is-long-enough", "OPENAI_API_KEY": "sk-of-tests",
            "UPLIFT_SPOOL_DIR": self.dir + "/spool"}
        if self.as_root:
            values["UPLIFT_RUN_AS"] = "www-data"
        values.update({k: str(v) for k, v in dict(self.settings, **settings).items()})
        environment = {k: v for k, v in os.environ.items()
                       if not k.startswith(("UPLIFT_", "OPENAI_", "DATABASE_"))}
        environment.update(values)
        self.log = open(self.dir + "/log/chat.log", "ab")
        self.chat = subprocess.Popen([program("fcgi-chat"), *self.options], env=environment,
                                     stdout=self.log, stderr=self.log)
        if not await_true(self._is_ready, 20):
            self.keep()
            raise SystemExit("Bail out! fcgi-chat is not ready: see " + self.dir)

    def _is_ready(self):
        if self.chat.poll() is not None or not os.path.exists(self.dir + "/run/chat.sock"):
            return False  # nginx would log it as critical
        try:
            return self.get("/readyz").status == 200
        except OSError:
            return False

    def stop_chat(self, sig=signal.SIGTERM):
        self.chat.send_signal(sig)
        try:
            return self.chat.wait(40)
        except subprocess.TimeoutExpired:
            self.chat.kill()
            return "killed"

    # --- asking ---

    def request(self, method, path, body=None, headers=None, user=USER):
        """body is sent as JSON unless it is bytes. user None sends no token."""
        sent = {"Content-Type": "application/json"} if body is not None else {}
        if user is not None:
            sent["Authorization"] = "Bearer " + token(user)
        sent.update(headers or {})
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=30,
                                                 context=self.tls)
        try:
            connection.request(method, path, body, sent)
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def get(self, path, **more):
        return self.request("GET", path, **more)

    def post(self, path, body, **more):
        return self.request("POST", path, body, **more)

    def stream(self, path, body, user=USER, **headers):
        sent = {"Content-Type": "application/json", "Authorization": "Bearer " + token(user)}
        sent.update(headers)
        return Stream(self, path, json.dumps(body).encode(), sent)

    # --- looking ---

    def sql(self, text, *values):
        """All rows of a query, run as superuser, as dictionaries."""
        with self.db.cursor(cursor_factory=psycopg2.extras.RealDictCursor) as cursor:
            cursor.execute(text, values)
            return [dict(r) for r in cursor.fetchall()] if cursor.description else []

    def row(self, feedback_id, seconds=5):
        """An answer's row, waited for; None when it does not come."""
        found = []

        def look():
            found[:] = self.sql("select * from public.coach_response_feedback where id = %s",
                                feedback_id)
            return bool(found)

        await_true(look, seconds)
        return found[0] if found else None

    def read_log(self, name="chat.log"):
        with open(self.dir + "/log/" + name, errors="replace") as f:
            return f.read()

    # --- the end ---

    def keep(self):
        os.environ["UPLIFT_TEST_KEEP"] = "1"

    def __exit__(self, *error):
        status = self.stop_chat() if self.chat.poll() is None else self.chat.returncode
        self.nginx.send_signal(signal.SIGQUIT)
        try:
            self.nginx.wait(10)
        except subprocess.TimeoutExpired:
            self.nginx.kill()
        self.simulator.__exit__(*error)
        self.db.close()
        self.log.close()
        tap.equal(status, 0, "fcgi-chat ended well")
        said = self.read_log()
        bad = re.findall(r"^.*(?:Sanitizer|runtime error|assert).*$", said, re.M)
        tap.ok(not bad, "no sanitizer spoke in fcgi-chat", "\n".join(bad))
        alerts = re.findall(r"^.*\[(?:alert|emerg|crit)\].*$", self.read_log("nginx-error.log"), re.M)
        tap.ok(not alerts, "nginx logged no alert", "\n".join(alerts))
        if tap._failed > self.failed_before or error[0] is not None:
            self.keep()
        if os.environ.get("UPLIFT_TEST_KEEP"):
            tap.note("kept: " + self.dir)
        else:
            shutil.rmtree(self.dir, ignore_errors=True)
        self.cluster.remove()
