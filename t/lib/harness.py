"""A whole uplift for a test, with everything of its own: database, fcgi-chat, simulated provider, nginx, directory.

    with Uplift(UPLIFT_MAX_CHATS="2") as uplift:
        answer = uplift.post("/v1/chat", {"message": "hello"})
        equal(answer.status, 200, "a chat is answered")
        equal(uplift.row(answer.headers["X-Feedback-Id"])["outcome"], "complete", "and recorded")
    done()

Keyword arguments are settings of fcgi-chat; None leaves one out. The configuration of nginx is that of ./dev. At the
end one check says that no sanitizer spoke, nginx raised no alert, and no worker died; what a test provokes on purpose
it names in `expected`. The directory is kept, and named, when a check failed or UPLIFT_TEST_KEEP is set.

t/run starts one Postgres for all tests and names it in UPLIFT_TEST_CLUSTER; each Uplift has a database in it, a copy
of one where the schema is installed. Tests that stop Postgres pass a Cluster of their own.
"""

import atexit
import contextlib
import fcntl
import glob
import http.client
import json
import os
import pwd
import re
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time
import uuid

import psycopg2
import psycopg2.extras

import tap
import tokens
from build import TOP, copy_page, program
from cluster import Cluster, bindir
from process import accepts, children, sanitizers, send, wait_for, wait_until_gone

USER = "00000000-0000-7000-8000-000000000001"  # the demo user
SECRET = "a secret for tests only, of more than 32 bytes"
TEMPLATE = "uplift_template"
BAD_CHAT = re.compile(r"Sanitizer|runtime error:|was ended by signal|ended with status|free\(\): |corrupted")
BAD_NGINX = re.compile(r"\[(alert|emerg)\]")


def free_ports(count):
    """Ports that nobody has, below those that the kernel gives to connections, so that none is taken meanwhile."""
    with open("/proc/sys/net/ipv4/ip_local_port_range") as file:
        top = int(file.read().split()[0])
    ports = []
    start = int.from_bytes(os.urandom(2), "big")
    for i in range(4096):
        port = 10000 + (start + i * 7) % max(top - 10000, 1000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        ports.append(port)
        if len(ports) == count:
            return ports
    raise SystemExit("Bail out! no free port")


def jwt(claims, secret=SECRET, header=None):
    """A token signed by HS256, whatever its header says."""
    return tokens.jwt(claims, secret, header)


class SharedCluster:
    """The Postgres that t/run started for all tests; directory as in UPLIFT_TEST_CLUSTER."""

    def __init__(self, directory):
        self.dir = self.socket = directory
        self.bin = bindir()
        self.superuser = "postgres"

    conninfo = Cluster.conninfo
    createdb = Cluster.createdb
    psql = Cluster.psql
    dump = Cluster.dump


_own = []


def shared_cluster():
    """That of t/run; without it, when a test is run by hand, one of its own."""
    directory = os.environ.get("UPLIFT_TEST_CLUSTER")
    if directory:
        return SharedCluster(directory)
    if not _own:
        _own.append(Cluster())
        _own[0].start()
    return _own[0]


def install(cluster, name, template=None, sql=None):
    """A database with schema and demo data, installed by an owner who is no superuser; sql is run before."""
    cluster.psql("template1", sql="create role uplift_owner login createrole")  # may be there
    cluster.createdb(name, owner="uplift_owner", template=template)
    if sql:
        result = cluster.psql(name, sql=sql, user="uplift_owner")
        if result.returncode != 0:
            raise SystemExit("Bail out! " + result.stderr)
    for file in () if template else ("install", "demo"):
        result = cluster.psql(name, file="%s/sql/%s.sql" % (TOP, file), user="uplift_owner")
        if result.returncode != 0:
            raise SystemExit("Bail out! %s.sql: %s" % (file, result.stderr))
    cluster.psql("template1", sql="alter role uplift_owner nocreaterole")  # as ./dev up and the README do


def copy_database(cluster):
    """The name of a new database with schema and demo data."""
    with open(cluster.dir + "/lock", "a") as lock:  # several tests may want the template at once
        fcntl.flock(lock, fcntl.LOCK_EX)
        found = cluster.psql("template1", sql="select 1 from pg_database where datname = '%s'" % TEMPLATE)
        if not found.stdout.strip():
            made = TEMPLATE + "_" + uuid.uuid4().hex[:12]  # of what fails halfway nothing is taken for whole
            install(cluster, made)
            # Tests are faster than users, name models that nobody configured, have users who need not be asked, and
            # want each chat to be like the last.
            cluster.psql(made, sql="delete from uplift.rate_limits")
            cluster.psql(made, sql="insert into uplift.model_rules (scope, allow) values ('user', '{*}')")
            cluster.psql(made, sql="update uplift.settings set value = 'true' where key = 'training.consent_default'")
            cluster.psql(made, sql="update uplift.settings set value = '0' where key = 'context.withheld_share'")
            cluster.psql(made, sql="delete from uplift.training_queue")
            cluster.psql("template1", sql="alter database %s rename to %s" % (made, TEMPLATE))
        name = "t" + uuid.uuid4().hex[:12]
        install(cluster, name, TEMPLATE)
    return name


class Answer:
    """An HTTP answer, read whole: status, headers["Name"] (None without it), body (bytes), text."""

    def __init__(self, response, body, whole=True):
        self.status = response.status
        self.headers = response.headers
        self.body = body
        self.whole = whole  # False: the connection was cut

    @property
    def text(self):
        return self.body.decode("utf-8", "replace")

    def json(self):
        return json.loads(self.body)

    def error(self):
        """The error object of OpenAI's shape, {} where there is none."""
        try:
            found = self.json()["error"]
        except (ValueError, TypeError, KeyError):
            return {}
        return found if isinstance(found, dict) else {}

    def events(self):
        """The data of each event of a stream; JSON is decoded."""
        found = []
        for event in self.text.split("\n\n"):
            data = "\n".join(line[6:] for line in event.split("\n") if line.startswith("data: "))
            if data:
                found.append(data if data == "[DONE]" else json.loads(data))
        return found

    def said(self):
        """The text of a whole answer or a stream, of /v1/chat or of OpenAI's shape."""
        if not (self.headers["Content-Type"] or "").startswith("text/event-stream"):
            body = self.json()
            return body["message"] if "message" in body else body["choices"][0]["message"]["content"]
        words = []
        for event in self.events():
            if isinstance(event, dict):
                words.append(event.get("delta") or "".join(
                    choice["delta"].get("content") or "" for choice in event.get("choices", [])))
        return "".join(words)


class Stream:
    """An answer that is read as it comes: iterating gives the data of each event. seen is all that was read."""

    def __init__(self, connection, response):
        self.connection, self.response = connection, response
        self.status, self.headers = response.status, response.headers
        self.seen = b""

    def feedback_id(self):
        return self.headers["X-Feedback-Id"]

    def line(self):
        """The next line, b"" at the end."""
        line = self.response.readline()
        self.seen += line
        return line

    def read_until(self, text, seconds=10):
        """Whether the text came within so many seconds of silence."""
        if self.connection.sock is not None:
            self.connection.sock.settimeout(seconds)
        while text.encode() not in self.seen:
            if not self.line():
                return False
        return True

    def __iter__(self):
        return self

    def __next__(self):
        data = []
        while True:
            line = self.line()
            if not line:
                self.close()
                raise StopIteration
            line = line.rstrip(b"\n")
            if line.startswith(b"data: "):
                data.append(line[6:].decode())
            elif not line and data:
                text = "\n".join(data)
                return text if text == "[DONE]" else json.loads(text)

    def close(self):
        """Hangs up."""
        self.response.close()
        self.connection.close()


class Uplift:
    def __init__(self, cluster=None, database=None, environment=None, simulator=("--pace", "0"), expected=None,
                 nginx=None, batch=False, search=False, page_config=None, **settings):
        """cluster: a running Cluster, else the shared one. database: one that is installed, else a new one.
        environment: more for fcgi-chat. simulator: its options; None starts none. expected: a regular expression of
        complaints in logs that are not failures. nginx: a function that changes the text of its configuration.
        batch: starts fcgi-batch, too. search: with retrieval. page_config: what /config.json tells the page, else that
        it is the demo user's."""
        self.cluster = cluster or shared_cluster()
        self.database = database or copy_database(self.cluster)
        self.drops_database = database is None
        self.environment = environment or {}
        self.simulator_options = simulator
        self.expected = expected and re.compile(expected)
        self.change_nginx = nginx
        self.wrapper = ()  # words before fcgi-chat: a program that runs it, such as valgrind
        self.with_batch = batch
        self.page_config = page_config
        self.chat = self.nginx = self.simulator = self.batch = None
        self.as_root = os.geteuid() == 0
        self.user = "www-data" if self.as_root else None
        self.failures_before = tap.failures()
        # Short, because a socket's path has at most 107 bytes.
        self.dir = tempfile.mkdtemp(prefix="upl.", dir="/tmp")
        os.chmod(self.dir, 0o755)
        for name in ("run", "spool", "search", "log", "simulator", "batch", "exports", "photos"):
            os.mkdir(self.dir + "/" + name)
            if self.as_root:
                owner = pwd.getpwnam(self.user)
                os.chown(self.dir + "/" + name, owner.pw_uid, owner.pw_gid)
        self.ca = self.dir + "/ca.pem"
        self._certificate()
        self.context = ssl.create_default_context(cafile=self.ca)
        self.anon_key = jwt({"iss": "test", "role": "anon", "exp": int(time.time()) + 86400})
        self.settings = {
            "DATABASE_URL": self.conninfo("uplift_app"), "UPLIFT_LISTEN": "unix:%s/run/chat.sock" % self.dir,
            "UPLIFT_WORKERS": "2", "OPENAI_API_KEY": "sk-of-tests", "UPLIFT_MODEL": "sim-1", "UPLIFT_MODELS": "sim-1-mini",
            "UPLIFT_JWT_SECRET": SECRET, "UPLIFT_ANON_KEY": self.anon_key, "UPLIFT_ID_KEY": SECRET,
            "UPLIFT_BATCH_DATABASE_URL": self.conninfo("uplift_batch"),
            "UPLIFT_BATCH_LISTEN": "unix:%s/run/batch.sock" % self.dir, "UPLIFT_BATCH_DIR": self.dir + "/batch",
            "UPLIFT_EXPORT_DIR": self.dir + "/exports", "UPLIFT_PHOTO_DIR": self.dir + "/photos", "UPLIFT_BATCH_POLL_MS": "50ms", "UPLIFT_BATCH_LEASE_MS": "2s",
            "UPLIFT_TRAINER_POLL_MS": "100ms", "UPLIFT_TRAINER_API_KEY": "sk-of-trainers",
            "UPLIFT_SPOOL_DIR": self.dir + "/spool", "UPLIFT_CORS_ORIGINS": "*", "UPLIFT_DRAIN_MS": "10s",
            # Tests make one provider fail again and again, and want to see each failure.
            "UPLIFT_BREAKER_FAILURES": "0"}
        if search:
            self.settings.update(UPLIFT_SEARCH_DATABASE_URL=self.conninfo("uplift_search"), UPLIFT_SEARCH_DIR=self.dir + "/search")
        if self.as_root:
            self.settings["UPLIFT_RUN_AS"] = self.user
        self.settings.update(settings)
        atexit.register(self.kill)

    def __enter__(self):
        if self.simulator_options is not None:
            self.start_simulator()
        self.start_nginx()
        self.start_chat()
        if self.with_batch:
            self.start_batch()
        return self

    def __exit__(self, kind, error, trace):
        complaints = self.stop()
        if kind is None:
            tap.ok(not complaints, "nothing is wrong in the logs, and all ended as it should", "\n".join(complaints))
        if kind or complaints or tap.failures() > self.failures_before or os.environ.get("UPLIFT_TEST_KEEP"):
            tap.note("kept: " + self.dir)
            return
        self.remove()

    # --- parts ---

    def _certificate(self):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
                        "-keyout", self.dir + "/key.pem", "-out", self.ca],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def _open_log(self, name):
        return open("%s/log/%s.log" % (self.dir, name), "ab")

    def start_simulator(self):
        path = self.dir + "/run/simulator.sock"
        if os.path.exists(path):
            os.unlink(path)
        become = {"user": self.user, "group": self.user, "extra_groups": []} if self.as_root else {}
        with self._open_log("simulator") as log:
            self.simulator = subprocess.Popen(
                [program("fcgi-simulator"), "--socket", path, "--mode", "0666", "--state", self.dir + "/simulator",
                 *self.simulator_options], stdin=subprocess.DEVNULL, stdout=log, stderr=log, **become)
        if not wait_for(lambda: accepts(path) or self.simulator.poll() is not None, 20) or self.simulator.poll():
            self._bail("fcgi-simulator did not start", "simulator")

    def start_nginx(self):
        self.nginx_path = self.dir + "/nginx.conf"
        for attempt in range(5):
            self.port, self.sim_port = free_ports(2)
            self._configure_nginx()
            with self._open_log("nginx") as log:
                self.nginx = subprocess.Popen(
                    ["/usr/sbin/nginx", "-p", self.dir, "-e", self.dir + "/log/nginx-error.log", "-c", self.nginx_path,
                     "-g", "daemon off;"], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            if wait_for(lambda: self.nginx.poll() is not None or self._listens(), 20) and self.nginx.poll() is None:
                break
            if "Address already in use" not in self.read_log("nginx"):
                self._bail("nginx did not start", "nginx")
            for name in ("nginx", "nginx-error"):
                os.truncate("%s/log/%s.log" % (self.dir, name), 0)
        self.url = "https://127.0.0.1:%d" % self.port
        self.sim_url = "http://127.0.0.1:%d/v1" % self.sim_port

    def _configure_nginx(self):
        with open(TOP + "/nginx/uplift.conf.in") as file:
            text = file.read()
        for name, value in {
                "USER_LINE": "user %s;" % self.user if self.user else "", "RUN": self.dir + "/run",
                "LOG": self.dir + "/log", "HTTPS_PORT": self.port, "SIM_PORT": self.sim_port, "TLS_CERT": self.ca,
                "TLS_KEY": self.dir + "/key.pem", "CHAT_UPSTREAM": self.settings["UPLIFT_LISTEN"],
                "BATCH_UPSTREAM": self.settings["UPLIFT_BATCH_LISTEN"],
                "SIMULATOR_SOCKET": self.dir + "/run/simulator.sock", "HTML": self._html(),
                "CONFIG_JSON": json.dumps(self.page_config or {
                    "simulated": True, "apikey": self.anon_key, "user": USER, "token": self.token()}), "PHOTOS": self.dir + "/photos", "NGINX": TOP + "/nginx",
                "CORS_ORIGINS": self.settings["UPLIFT_CORS_ORIGINS"] or ""}.items():
            text = text.replace("@%s@" % name, str(value))
        text = text.replace("worker_processes auto;", "worker_processes 2;")
        if self.change_nginx:
            text = self.change_nginx(text)
        with open(self.nginx_path, "w") as file:
            file.write(text)

    def _html(self):
        """The page, where nginx may read it: a checkout may lie where only root may go."""
        if not os.path.exists(self.dir + "/html"):
            copy_page(self.dir + "/html")
        return self.dir + "/html"

    def _listens(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
            return True
        except OSError:
            return False

    def configure(self, **settings):
        """Writes uplift.conf with these settings changed; reload() or restart_chat() makes them count. None leaves one
        out."""
        self.settings.update(settings)
        with open(self.dir + "/uplift.conf", "w") as file:
            for name, value in {"UPLIFT_UPSTREAM_URL": self.sim_url, "UPLIFT_TRAINER_URL": self.sim_url,
                                **self.settings}.items():
                if value is not None:
                    file.write("%s=%s\n" % (name, value))

    def start_chat(self, wanted="ready", **settings):
        """Starts fcgi-chat, with these settings changed, and waits until /readyz says so; wanted=None does not."""
        self.configure(**settings)
        with self._open_log("chat") as log:
            self.chat = subprocess.Popen(
                [*self.wrapper, program("fcgi-chat"), "--config", self.dir + "/uplift.conf"], stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, env={"PATH": os.environ["PATH"], **sanitizers(), **self.environment})
        if wanted and not self.ready(wanted, 30):
            self._bail("fcgi-chat is not %s" % wanted, "chat")

    def start_batch(self, wait=True, **settings):
        """Starts fcgi-batch, with these settings changed, and waits until it listens."""
        self.configure(**settings)
        path = self.settings["UPLIFT_BATCH_LISTEN"][len("unix:"):]
        with self._open_log("batch") as log:
            self.batch = subprocess.Popen(
                [program("fcgi-batch"), "--config", self.dir + "/uplift.conf"], stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, env={"PATH": os.environ["PATH"], **sanitizers(), **self.environment})
        if wait and not wait_for(lambda: accepts(path) or self.batch.poll() is not None, 30) or self.batch.poll():
            self._bail("fcgi-batch did not start", "batch")

    def stop_batch(self, seconds=20):
        """Its exit status, "hung" where it had to be killed."""
        if self.batch is None:
            return 0
        if self.batch.poll() is None:
            self.batch.send_signal(signal.SIGTERM)
        status = self._wait(self.batch, seconds)
        self.batch = None
        return status

    def kill_batch(self):
        """As when its machine fails."""
        self.batch.send_signal(signal.SIGKILL)
        self.batch.wait()
        self.batch = None

    def batch_run(self, *words, seconds=60):
        """fcgi-batch on the command line, done."""
        self.configure()
        return subprocess.run(
            [program("fcgi-batch"), "--config", self.dir + "/uplift.conf", *words], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True, timeout=seconds,
            env={"PATH": os.environ["PATH"], **sanitizers(), **self.environment})

    def give_keys(self, *bindings):
        """Lets providers' keys go where these say, KEY@URL each: once the ports of providers are known."""
        origins = ",".join("/".join(binding.split("/")[:3]) for binding in bindings)
        self.restart_chat(UPLIFT_PROVIDER_KEYS=origins)
        self.stop_batch()
        self.start_batch()

    def admin_token(self):
        return self.token(app_metadata={"role": "admin"})

    def admin(self, method, path, body=None, **options):
        """A request as an admin."""
        return self.request(method, path, body, token=self.admin_token(), **options)

    def job(self, name, body=None, seconds=60, **options):
        """Triggers a batch job by URL and waits until it has ended: the job."""
        answer = self.admin("POST", "/admin/jobs/" + name, body or {}, **options)
        if answer.status != 202:
            raise AssertionError("%s: %d %s" % (name, answer.status, answer.text))
        return self.await_job(answer.json()["job_id"], seconds)

    def await_job(self, job_id, seconds=60):
        found = {}

        def ended():
            found.update(self.admin("GET", "/admin/jobs/" + job_id).json())
            return found["status"] not in ("queued", "running")
        wait_for(ended, seconds)
        return found

    def _bail(self, why, log):
        text = self.read_log(log)[-3000:]
        tap.note("kept: " + self.dir)
        raise SystemExit("%s\nBail out! %s" % ("".join("# %s\n" % line for line in text.splitlines()), why))

    def reload(self):
        self.chat.send_signal(signal.SIGHUP)

    def workers(self):
        """Their process ids."""
        builders = self.builders()
        return [pid for pid in children(self.chat.pid) if pid not in builders]

    def builders(self):
        """Process ids of all builders of copies that were started."""
        return [int(pid) for pid in re.findall(r"started the builder of copies, pid (\d+)", self.read_log())]

    def synced(self, seconds=20):
        """Waits until each worker knows what is in the database now. What the first of two questions was told has been
        taken when the second is asked."""
        for _ in range(2):
            since = self.value("select clock_timestamp()")
            asked = wait_for(lambda: self.value(
                "select count(*) from pg_stat_activity where application_name = 'uplift sync' and datname = current_database() "
                "and query_start > %s", since) == len(self.workers()), seconds)
            if not asked:
                self._bail("the workers do not ask what has changed", "chat")

    def stop_chat(self, number=signal.SIGTERM, seconds=20):
        """Its exit status, "hung" where it had to be killed."""
        if self.chat is None:
            return 0
        if self.chat.poll() is None:
            self.chat.send_signal(number)
        return self._wait(self.chat, seconds)

    def kill_chat(self):
        """The master and its workers at once, as when a machine fails."""
        everybody = [self.chat.pid] + self.workers()
        send(everybody, signal.SIGKILL)
        self.chat.wait()
        self.chat = None
        wait_until_gone(everybody)

    def spool_files(self, ending=".spool"):
        """What waits on disk; or, ending in .corrupt, what was set aside."""
        return glob.glob(self.settings["UPLIFT_SPOOL_DIR"] + "/*" + ending)

    def restart_chat(self, **settings):
        status = self.stop_chat()
        self.start_chat(**settings)
        return status

    @staticmethod
    def _wait(process, seconds):
        try:
            return process.wait(seconds)
        except subprocess.TimeoutExpired:
            send(children(process.pid) + [process.pid], signal.SIGKILL)
            process.wait()
            return "hung"

    def stop(self):
        """Ends everything; returns what is wrong in the logs or at the end, a line each."""
        complaints = []
        status = self.stop_chat()
        if status != 0:
            complaints.append("fcgi-chat ended with %s" % status)
        status = self.stop_batch()
        if status != 0:
            complaints.append("fcgi-batch ended with %s" % status)
        for name, process, number in (("nginx", self.nginx, signal.SIGTERM),
                                      ("simulator", self.simulator, signal.SIGTERM)):
            if process is None:
                continue
            if process.poll() is None:
                process.send_signal(number)
            status = self._wait(process, 20)
            if status != 0:
                complaints.append("%s ended with %s" % (name, status))
        for name, bad in (("chat", BAD_CHAT), ("batch", BAD_CHAT), ("simulator", BAD_CHAT), ("nginx", BAD_NGINX),
                          ("nginx-error", BAD_NGINX)):
            lines = self.read_log(name).splitlines()
            for at, line in enumerate(lines):
                if bad.search(line) and not (self.expected and self.expected.search(line)):
                    more = lines[at:at + 25] if "Sanitizer" in line else [line]
                    complaints += ["%s.log: %s" % (name, text) for text in more]
        self.chat = self.nginx = self.simulator = self.batch = None
        return complaints[:60]

    def kill(self):
        """What is left of it at the end of a test that died."""
        for process in (self.chat, self.batch, self.nginx, self.simulator):
            if process is not None and process.poll() is None:
                process.terminate()
                self._wait(process, 5)

    def remove(self):
        if not os.environ.get("UPLIFT_TEST_KEEP"):
            shutil.rmtree(self.dir, ignore_errors=True)
            if self.drops_database:
                self.cluster.psql("template1", sql='drop database if exists "%s" with (force)' % self.database)

    def read_log(self, name="chat"):
        """The text of a log: chat, batch, simulator, nginx, nginx-error, nginx-access."""
        try:
            with open("%s/log/%s.log" % (self.dir, name), errors="replace") as file:
                return file.read()
        except OSError:
            return ""

    # --- who asks ---

    def token(self, user=USER, secret=SECRET, **claims):
        """A user's token; claims are added, or taken away by None."""
        now = int(time.time())
        all_claims = {"iss": "test", "sub": user, "aud": "authenticated", "role": "authenticated", "iat": now,
                      "exp": now + 36000, "is_anonymous": False, "session_id": str(uuid.uuid4()),
                      "app_metadata": {"provider": "email", "providers": ["email"]}, "user_metadata": {}}
        all_claims.update(claims)
        return jwt({name: value for name, value in all_claims.items() if value is not None}, secret)

    # --- HTTP ---

    def open(self, method, path, body=None, headers=None, user=USER, token=None, timeout=60, plain=False):
        """Sends a request; returns the connection and the response, whose head was read. body: bytes or text as they
        are, anything else as JSON. user or token None: no Authorization. plain: to the simulator's port."""
        sent = {}
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
            sent["Content-Type"] = "application/json"
        if isinstance(body, str):
            body = body.encode()
        if token or user:
            sent["Authorization"] = "Bearer " + (token or self.token(user))
        sent.update(headers or {})
        if plain:
            connection = http.client.HTTPConnection("127.0.0.1", self.sim_port, timeout=timeout)
        else:
            connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=timeout, context=self.context)
        connection.request(method, path, body, {k: v for k, v in sent.items() if v is not None})
        return connection, connection.getresponse()

    def request(self, method, path, body=None, **options):
        """The whole Answer; options as of open()."""
        connection, response = self.open(method, path, body, **options)
        try:
            return Answer(response, response.read())
        except http.client.IncompleteRead as cut:
            return Answer(response, cut.partial, False)
        finally:
            connection.close()

    def get(self, path, **options):
        return self.request("GET", path, **options)

    def post(self, path, body=None, **options):
        return self.request("POST", path, body, **options)

    def stream(self, path, body, **options):
        """A Stream of POST path: its head was read, the rest comes as it is asked for."""
        return Stream(*self.open("POST", path, {"stream": True, **body}, **options))

    def socket(self, tls=True, timeout=30, alpn=None):
        """A connection to speak on by hand."""
        raw = socket.create_connection(("127.0.0.1", self.port), timeout)
        if not tls:
            return raw
        context = self.context
        if alpn:
            context = ssl.create_default_context(cafile=self.ca)
            context.set_alpn_protocols(alpn)
        return context.wrap_socket(raw, server_hostname="localhost")

    def raw(self, data, tls=True, timeout=30):
        """Sends these bytes and returns all that comes back until the server hangs up, or timeout."""
        with self.socket(tls, timeout) as connection:
            found = b""
            try:
                connection.sendall(data)
                while True:
                    more = connection.recv(65536)
                    if not more:
                        return found
                    found += more
            except OSError:
                return found

    def status(self):
        """What /readyz says, or None."""
        try:
            return self.get("/readyz", user=None, timeout=5).json().get("status")
        except (OSError, ValueError, http.client.HTTPException):
            return None

    def ready(self, wanted="ready", seconds=20):
        return wait_for(lambda: (self.chat.poll() is not None and "ended") or self.status() == wanted, seconds) is True

    # --- the database ---

    def conninfo(self, user=None):
        return self.cluster.conninfo(self.database, user)

    @contextlib.contextmanager
    def database_away(self):
        """Within it this database lets nobody of fcgi-chat in; others in the same Postgres notice nothing."""
        name = self.value("select current_database()")
        self.sql("grant connect on database %s to uplift_batch" % name)
        self.sql("revoke connect on database %s from public" % name)
        self.sql("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'uplift_app' and datname = current_database()")
        try:
            yield
        finally:
            self.sql("grant connect on database %s to public" % name)

    def sql(self, text, *values, user=None):
        """The rows, as dictionaries, as a superuser; or under row level security, as PostgREST does it for a user.
        Changes are committed."""
        connection = psycopg2.connect(self.conninfo())
        try:
            with connection, connection.cursor(cursor_factory=psycopg2.extras.RealDictCursor) as cursor:
                if user:
                    claims = json.dumps({"sub": user, "role": "authenticated"})
                    cursor.execute("select set_config('request.jwt.claims', %s, true),"
                                   " set_config('role', 'authenticated', true)", (claims,))
                cursor.execute(text, values or None)
                return [dict(row) for row in cursor.fetchall()] if cursor.description else []
        finally:
            connection.close()

    def value(self, text, *values, user=None):
        """The first column of the first row, None without one."""
        rows = self.sql(text, *values, user=user)
        return next(iter(rows[0].values())) if rows else None

    def row(self, feedback_id, seconds=5):
        """An answer's row, waited for, with the whole prompt; None when it does not come."""
        found = wait_for(lambda: self.sql("select a.*, p.system_prompt from public.coach_response_feedback a"
                                          " join uplift.answer_prompts p on p.answer_id = a.id where a.id = %s", feedback_id), seconds)
        return found[0] if found else None
