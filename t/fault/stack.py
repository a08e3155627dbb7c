"""A whole uplift for the fault tests: a master with workers, an nginx before it, and clients that write down what they
were told.

    with Simulator() as provider, Stack(cluster, provider.url) as stack:
        clients = Clients(stack, 8)
        ...
        clients.stop()
        clients.compare(cluster)
"""

import base64
import glob
import hashlib
import hmac
import http.client
import json
import os
import pwd
import random
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import uuid

import psycopg2

from build import TOP, program
from provider import free_port
from tap import ok

SECRET = "a secret only for the fault tests, long enough"
DATABASE = "fault"

NGINX = """
%(user)s
daemon off; worker_processes 1;
pid %(dir)s/nginx.pid; error_log %(dir)s/nginx.log warn;
events { worker_connections 4096; }
http {
    access_log off;
    client_body_temp_path %(dir)s/body; proxy_temp_path %(dir)s/proxy;
    fastcgi_temp_path %(dir)s/fastcgi; uwsgi_temp_path %(dir)s/uwsgi; scgi_temp_path %(dir)s/scgi;
    upstream chat { server unix:%(dir)s/s max_fails=0; }
    server {
        listen 127.0.0.1:%(port)d;
        location / {
            include /etc/nginx/fastcgi_params;
            fastcgi_param UPLIFT_REQUEST_ID $request_id;
            fastcgi_read_timeout 60s;
            fastcgi_next_upstream error;
            fastcgi_pass chat;
        }
    }
}
"""


def wait_for(check, seconds=20):
    """What check returns once that is true; its last answer when time is up."""
    end = time.monotonic() + seconds
    while True:
        answer = check()
        if answer or time.monotonic() > end:
            return answer
        time.sleep(0.05)


def make_database(cluster):
    cluster.createdb(DATABASE)
    for file in ("install", "demo"):
        result = cluster.psql(DATABASE, file="%s/sql/%s.sql" % (TOP, file))
        if result.returncode != 0:
            raise SystemExit("Bail out! %s.sql: %s" % (file, result.stderr))


def token(user):
    def part(data):
        return base64.urlsafe_b64encode(data).rstrip(b"=")
    head = part(json.dumps({"alg": "HS256", "typ": "JWT"}).encode())
    body = part(json.dumps({"sub": user, "aud": "authenticated", "role": "authenticated",
                            "exp": int(time.time()) + 36000}).encode())
    mark = part(hmac.new(SECRET.encode(), head + b"." + body, hashlib.sha256).digest())
    return (head + b"." + body + b"." + mark).decode()


def children(pid):
    with open("/proc/%d/task/%d/children" % (pid, pid)) as file:
        return [int(word) for word in file.read().split()]


class Stack:
    """Options are settings of fcgi-chat. environment goes to the program as it is."""

    def __init__(self, cluster, provider, spool=None, environment=None, **settings):
        self.dir = tempfile.mkdtemp(prefix="upf.", dir="/tmp")
        os.chmod(self.dir, 0o777)
        self.spool = spool or self.dir + "/spool"
        self.port = free_port()
        self.environment = environment or {}
        self.master = self.nginx = None
        self.settings = {
            "DATABASE_URL": cluster.conninfo(DATABASE, "uplift_app"), "UPLIFT_LISTEN": "unix:%s/s" % self.dir,
            "UPLIFT_LISTEN_MODE": "0666", "UPLIFT_WORKERS": "2", "UPLIFT_UPSTREAM_URL": provider,
            "UPLIFT_MODEL": "sim-pace-2", "UPLIFT_JWT_SECRET": SECRET, "UPLIFT_ID_KEY": SECRET,
            "UPLIFT_SPOOL_DIR": self.spool, "UPLIFT_DB_TIMEOUT_MS": "1s", "UPLIFT_DB_LOCK_TIMEOUT_MS": "300ms",
            "UPLIFT_DRAIN_MS": "10s"}
        self.root = os.geteuid() == 0
        if self.root:
            self.settings["UPLIFT_RUN_AS"] = "nobody"
        self.settings.update(settings)

    def __enter__(self):
        if not os.path.isdir(self.spool):
            os.mkdir(self.spool, 0o700)
        if self.root:
            nobody = pwd.getpwnam("nobody")
            os.chown(self.spool, nobody.pw_uid, nobody.pw_gid)
        with open(self.dir + "/uplift.conf", "w") as file:
            file.writelines("%s=%s\n" % item for item in self.settings.items())
        with open(self.dir + "/nginx.conf", "w") as file:
            file.write(NGINX % {"dir": self.dir, "port": self.port, "user": "user root;" if self.root else ""})
        self.start()
        self.nginx = subprocess.Popen(["/usr/sbin/nginx", "-e", self.dir + "/nginx.log", "-c",
                                       self.dir + "/nginx.conf"], stderr=subprocess.DEVNULL)
        if not self.ready("ready"):
            self.__exit__(1)
            raise SystemExit("Bail out! fcgi-chat is not ready: see %s/log" % self.dir)
        return self

    def start(self):
        with open(self.dir + "/log", "ab") as log:
            self.master = subprocess.Popen([program("fcgi-chat"), "--config", self.dir + "/uplift.conf"], stderr=log,
                                           env=dict({"PATH": os.environ["PATH"]}, **self.environment))

    def workers(self):
        return children(self.master.pid)

    def kill_all(self):
        """The master and its workers at once, as when a machine fails."""
        everybody = [self.master.pid] + self.workers()
        for pid in everybody:
            os.kill(pid, signal.SIGKILL)
        self.master.wait()
        wait_for(lambda: not any(os.path.exists("/proc/%d" % pid) for pid in everybody), 10)

    def status(self):
        try:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
            connection.request("GET", "/readyz")
            return json.loads(connection.getresponse().read()).get("status")
        except (OSError, ValueError, http.client.HTTPException):
            return None

    def ready(self, wanted, seconds=20):
        return wait_for(lambda: self.status() == wanted, seconds)

    def waiting(self):
        return glob.glob(self.spool + "/*.spool")

    def corrupt(self):
        return glob.glob(self.spool + "/*.corrupt")

    def log(self):
        with open(self.dir + "/log", errors="replace") as file:
            return file.read()

    def __exit__(self, *error):
        self.exit_status = None
        for process in (self.master, self.nginx):
            if process is not None and process.poll() is None:
                process.send_signal(signal.SIGTERM)
        if self.master is not None:
            try:
                self.exit_status = self.master.wait(20)
            except subprocess.TimeoutExpired:
                self.kill_all()
        if self.nginx is not None:
            self.nginx.wait(10)
        spoken = [line for line in self.log().splitlines() if "Sanitizer" in line or "runtime error" in line]
        ok(not spoken, "no sanitizer spoke", "\n".join(spoken))
        if (error and error[0]) or spoken or os.environ.get("UPLIFT_TEST_KEEP"):
            print("# kept: " + self.dir, flush=True)
        else:
            shutil.rmtree(self.dir, ignore_errors=True)


class Client(threading.Thread):
    """One user who chats and gives thumbs without a pause, and writes down what was acknowledged."""

    def __init__(self, stack, number, stopping):
        super().__init__(daemon=True)
        self.stack, self.stopping = stack, stopping
        self.user = str(uuid.uuid4())
        self.token = token(self.user)
        self.random = random.Random(number)
        self.conversation = str(uuid.uuid4())
        self.answers = {}     # id: text of those whose end was seen
        self.cut = set()      # ids of those that began and did not end
        self.thumbs = {}      # id: list of (changes, acknowledged)
        self.degraded = 0     # answers without Postgres
        self.spooled = 0      # thumbs without Postgres
        self.refused = {}     # status: how many
        self.slowest = 0.0

    def request(self, method, path, body):
        connection = http.client.HTTPConnection("127.0.0.1", self.stack.port, timeout=30)
        connection.request(method, path, json.dumps(body), {
            "Content-Type": "application/json", "Authorization": "Bearer " + self.token, "apikey": "none"})
        return connection, connection.getresponse()

    def chat(self):
        stream = self.random.random() < 0.7
        if self.random.random() < 0.2:
            self.conversation = str(uuid.uuid4())
        connection, response = self.request("POST", "/v1/chat", {
            "message": "What now? " + str(self.random.random()), "stream": stream,
            "conversation_id": self.conversation})
        try:
            if response.status != 200:
                response.read()
                self.refused[response.status] = self.refused.get(response.status, 0) + 1
                time.sleep(0.05)
                return None
            answer = response.getheader("X-Feedback-Id")
            degraded = response.getheader("X-Uplift-Degraded") == "database"
            self.cut.add(answer)
            text = self.read_stream(response) if stream else json.loads(response.read())["message"]
            if text is None:
                return None
            self.cut.discard(answer)
            self.answers[answer] = text
            self.degraded += degraded
            return answer
        finally:
            connection.close()

    @staticmethod
    def read_stream(response):
        """The text of a stream that said it was done, else None."""
        text = ""
        for line in response:
            if not line.startswith(b"data: "):
                continue
            event = json.loads(line[6:])
            if "delta" in event:
                text += event["delta"]
            if event.get("done"):
                return text
            if "error" in event:
                return None
        return None

    def thumb(self, answer):
        changes = {"helpful": self.random.random() < 0.5, "rating": self.random.randint(1, 5)}
        said = self.thumbs.setdefault(answer, [])
        said.append([changes, False])
        connection, response = self.request("PATCH", "/v1/feedback/" + answer, changes)
        response.read()
        connection.close()
        said[-1][1] = response.status in (200, 202)
        self.spooled += response.status == 202
        if response.status not in (200, 202):
            self.refused["thumb %d" % response.status] = self.refused.get("thumb %d" % response.status, 0) + 1

    def run(self):
        while not self.stopping.is_set():
            began = time.monotonic()
            try:
                answer = self.chat()
                if answer and self.random.random() < 0.6:
                    self.thumb(answer)
                if self.answers and self.random.random() < 0.2:  # another word on an older one
                    self.thumb(self.random.choice(list(self.answers)))
            except (OSError, http.client.HTTPException, ValueError):
                self.refused["connection"] = self.refused.get("connection", 0) + 1
                time.sleep(0.05)
            self.slowest = max(self.slowest, time.monotonic() - began)
            time.sleep(0.01)


class Clients:
    def __init__(self, stack, count):
        self.stopping = threading.Event()
        self.all = [Client(stack, n, self.stopping) for n in range(count)]
        for client in self.all:
            client.start()

    def total(self, what):
        return sum(getattr(c, what) if isinstance(getattr(c, what), int) else len(getattr(c, what)) for c in self.all)

    def refused(self):
        sums = {}
        for client in self.all:
            for status, count in client.refused.items():
                sums[str(status)] = sums.get(str(status), 0) + count
        return sums

    def more(self, count, what="answers", seconds=20):
        """Waits until there are so many more."""
        wanted = self.total(what) + count
        return wait_for(lambda: self.total(what) >= wanted, seconds)

    def stop(self):
        self.stopping.set()
        for client in self.all:
            client.join(40)

    def compare(self, cluster):
        """What the table says otherwise than the clients were told."""
        with psycopg2.connect(cluster.conninfo(DATABASE)) as connection, connection.cursor() as cursor:
            cursor.execute("select id::text, user_id::text, ai_response, outcome, helpful, rating "
                           "from public.coach_response_feedback")
            rows = cursor.fetchall()
            cursor.execute("select count(*) from uplift.rejected_answers")
            rejected = cursor.fetchone()[0]
            cursor.execute("select count(*) from uplift.feedback_events where state <> 'applied'")
            not_applied = cursor.fetchone()[0]
        connection.close()
        table = {row[0]: row for row in rows}
        complaints = []
        if len(table) != len(rows):
            complaints.append("%d answers are there twice" % (len(rows) - len(table)))
        if rejected:
            complaints.append("%d answers were rejected" % rejected)
        # A thumb is for an answer whose end was seen, so there is a row for each.
        if not_applied:
            complaints.append("%d thumbs still wait" % not_applied)
        for client in self.all:
            for answer, text in client.answers.items():
                row = table.get(answer)
                if row is None:
                    complaints.append("%s is missing" % answer)
                elif row[1] != client.user or row[2] != text or row[3] != "complete":
                    complaints.append("%s is not what was said: %r instead of %r" % (answer, row, text))
            for answer, said in client.thumbs.items():
                row = table.get(answer)
                # The last acknowledged word counts, unless a later one was not acknowledged and yet heard.
                last = max((i for i, (_, heard) in enumerate(said) if heard), default=-1)
                allowed = [(c["helpful"], c["rating"]) for c, _ in said[max(last, 0):]]
                if last < 0:
                    allowed.append((None, None))
                if row is None or row[4:] not in allowed:
                    complaints.append("thumb on %s: %r, not one of %r" % (answer, row and row[4:], allowed))
        return complaints


def processes_of(cluster):
    parent = cluster.pid()
    return [parent] + children(parent)


def signal_cluster(cluster, number):
    for pid in processes_of(cluster):
        os.kill(pid, number)


def restart_cluster(cluster):
    """After a crash: its children may still be on their way out."""
    def try_once():
        try:
            cluster.start()
            return True
        except RuntimeError:
            return False
    return wait_for(try_once, 30)
