#!/usr/bin/python3
"""./dev: what it keeps, what it refuses, and what it says. In a copy of the source tree, with the programs that are built
already."""

import functools
import http.server
import json
import os
import re
import shutil
import ssl
import stat
import subprocess
import sys
import tempfile
import threading
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import tap  # noqa: E402
from build import TOP, program  # noqa: E402
from process import wait_for  # noqa: E402
from scripted import Scripted  # noqa: E402

LEFT_OUT = shutil.ignore_patterns("var", ".git", "node_modules", "__pycache__", "build*", "autom4te.cache", "config.status")


def said(done):
    return done.stdout + done.stderr


class Tree:
    """A source tree of its own, whose ./dev builds nothing."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="upd.", dir="/tmp")
        os.chmod(self.dir, 0o755)
        self.top = self.dir + "/uplift"
        shutil.copytree(TOP, self.top, ignore=LEFT_OUT, symlinks=True)
        with open(self.top + "/t/dev/build.sh", "w") as file:
            file.write("build() {\n    rm -rf \"$var/build\"\n    ln -s %s \"$var/build\"\n}\n" % os.path.dirname(program("fcgi-chat")))

    def dev(self, *words, **environment):
        env = {name: value for name, value in os.environ.items()
               if not name.startswith(("UPLIFT_", "OPENAI_", "DATABASE_URL")) and not name.lower().endswith("_proxy")}
        return subprocess.run([self.top + "/dev", *words], env={**env, **environment}, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=300)

    def read(self, path):
        with open(self.top + "/var/" + path) as file:
            return file.read().strip()

    def kept(self):
        """The settings that are kept, by name."""
        directory = self.top + "/var/secrets/settings"
        return {name: self.read("secrets/settings/" + name) for name in os.listdir(directory)}

    def chat(self, message="hello"):
        """What a chat answers, or the error."""
        token = self.dev("token").stdout.strip()
        request = urllib.request.Request("https://127.0.0.1:%s/v1/chat" % self.read("ports"), json.dumps({"message": message}).encode(), {
            "Authorization": "Bearer " + token, "Content-Type": "application/json"})
        context = ssl.create_default_context(cafile=self.top + "/var/tls/ca.pem")
        try:
            return json.load(urllib.request.urlopen(request, context=context, timeout=60))["message"]
        except urllib.error.HTTPError as error:
            return error.read().decode()

    def remove(self):
        self.dev("down")
        shutil.rmtree(self.dir)


def helpful(tree):
    for words in (("check", "--help"), ("bench", "--help"), ("up", "--help"), ("down", "--help"), ("loop", "-h"), ("token", "--help")):
        done = tree.dev(*words)
        tap.ok(done.returncode == 0 and "sage:" in done.stdout, "./dev %s tells" % " ".join(words), said(done))
    for words in (("check", "--no-such"), ("bench", "--only", "nothing"), ("up", "--no-such"), ("down", "now"), ("loop", "--no-such")):
        done = tree.dev(*words)
        tap.ok(done.returncode in (1, 2) and re.search("no-such|nothing|now", done.stderr), "./dev %s is refused" % " ".join(words), said(done))
    tap.ok(not os.path.exists(tree.top + "/var"), "and nothing was installed or built for that")


def provider(tree):
    """Whoever is chosen stays, in whichever shell up is said again."""
    done = tree.dev("up", "--port", "auto")
    tap.ok(done.returncode == 0 and "(provider: simulated)" in done.stderr, "up takes the simulated provider", said(done))
    tap.contains(done.stderr, "NODE_EXTRA_CA_CERTS='%s/var/tls/ca.pem'" % tree.top, "and says whom clients in Node must trust")
    with Scripted() as real:
        real.says = "I am real."
        done = tree.dev("up", UPLIFT_UPSTREAM_URL=real.url, UPLIFT_MODEL="m1", OPENAI_API_KEY="sk-of-real")
        tap.ok(done.returncode == 0 and "(provider: %s)" % real.url in done.stderr, "a server in the environment is the provider", said(done))
        tap.equal(tree.chat(), "I am real.", "and answers")
        started = tree.read("run/chat.pid")
        done = tree.dev("up")
        tap.ok(done.returncode == 0 and "(provider: %s)" % real.url in done.stderr, "and stays that when up is said without it", said(done))
        tap.equal((tree.chat(), real.last()["model"], tree.read("run/chat.pid")), ("I am real.", "m1", started), "with its model, and without a restart")
        tap.equal(tree.dev("down").returncode, 0, "down")
        tap.equal(tree.dev("up").returncode, 0, "and up again")
        tap.equal((tree.chat(), real.last()["model"]), ("I am real.", "m1"), "change nothing of it")
        modes = [stat.S_IMODE(os.stat(tree.top + "/var/secrets/" + name).st_mode) for name in (".", "settings", "settings/OPENAI_API_KEY")]
        tap.equal(modes, [0o700, 0o700, 0o600], "its key is kept where nobody else can read it")
        tap.ok("sk-of-real" not in tree.read("uplift.conf"), "and nowhere else")
        spend_nothing(tree, real)
        switch(tree, real)


def spend_nothing(tree, real):
    asked = len(real.requests)
    done = tree.dev("loop")
    tap.ok(done.returncode == 1 and real.url in done.stderr and "--spend-money" in done.stderr, "loop refuses a provider that may cost money", said(done))
    done = tree.dev("loop", "--spend-money", "--users", "1")
    tap.ok(len(real.requests) > asked, "unless it is told to spend it", said(done))


def switch(tree, real):
    done = tree.dev("up", UPLIFT_MODLE="x")
    tap.ok(done.returncode == 1 and "did you mean UPLIFT_MODEL" in done.stderr, "a misspelt setting is refused", said(done))
    tap.equal(sorted(tree.kept()), ["OPENAI_API_KEY", "UPLIFT_MODEL", "UPLIFT_UPSTREAM_URL"], "and not kept")
    done = tree.dev("up", OPENAI_API_KEY="sk-lies-around")
    tap.ok(done.returncode == 0 and "--openai" in done.stderr, "a key that lies around changes no provider", said(done))
    tap.equal(tree.kept()["OPENAI_API_KEY"], "sk-of-real", "and goes to none")
    done = tree.dev("up", "--simulator")
    tap.ok(done.returncode == 0 and "(provider: simulated)" in done.stderr, "--simulator goes back", said(done))
    tap.equal(tree.kept(), {}, "and forgets key, server and model")
    asked = len(real.requests)
    tap.ok(tree.chat() != "I am real." and len(real.requests) == asked, "the simulated one answers")
    done = tree.dev("up", OPENAI_API_KEY="sk-lies-around")
    tap.equal((done.returncode, tree.kept()), (0, {}), "and stays, whatever key lies around")
    done = tree.dev("up", UPLIFT_SIM_PACE_MS="1", UPLIFT_HEARTBEAT_MS="7s")
    tap.equal(tree.dev("up").returncode, 0, "other settings")
    tap.equal(tree.kept(), {"UPLIFT_SIM_PACE_MS": "1", "UPLIFT_HEARTBEAT_MS": "7s"}, "are kept, too")
    tree.dev("up", UPLIFT_HEARTBEAT_MS="")
    tap.equal(tree.kept(), {"UPLIFT_SIM_PACE_MS": "1"}, "until they are taken back")
    tree.dev("psql", "-c", "insert into uplift.providers (name, base_url) values ('other', '%s')" % real.url)
    asked = len(real.requests)
    done = tree.dev("loop")
    tap.ok(done.returncode == 1 and "other" in done.stderr and len(real.requests) == asked, "loop looks for providers in the database, too", said(done))
    tree.dev("psql", "-c", "delete from uplift.providers")
    done = tree.dev("up", "--openai")
    tap.ok(done.returncode == 1 and "OPENAI_API_KEY" in done.stderr, "--openai wants a key", said(done))
    # By a proxy that is not there, because tests ask nobody outside.
    done = tree.dev("up", "--openai", OPENAI_API_KEY="sk-for-openai", https_proxy="http://127.0.0.1:1")
    tap.ok(done.returncode == 1 and "its provider OpenAI cannot be used" in done.stderr, "with one it is OpenAI", said(done))
    tap.equal(tree.kept()["OPENAI_API_KEY"], "sk-for-openai", "which has the key")


class Refusing(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(401)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def trouble(tree):
    """A provider with which no chat can go well is told of."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
    url = "http://127.0.0.1:%d/v1" % server.server_port
    threading.Thread(target=server.serve_forever, daemon=True).start()
    done = tree.dev("up", UPLIFT_UPSTREAM_URL=url)
    tap.ok(done.returncode == 1 and "it refuses the key (HTTP 401)" in done.stderr, "a provider that refuses the key", said(done))
    tap.ok("OPENAI_API_KEY" not in tree.kept(), "which was not that of another provider")
    server.shutdown()
    server.server_close()
    done = tree.dev("up")
    tap.ok(done.returncode == 1 and url in done.stderr and "connect" in done.stderr, "or connections is told of", said(done))
    tap.ok("uplift is up at https://127.0.0.1:" in done.stderr and "provider: " not in done.stderr, "beside where uplift is", said(done))
    tap.equal(tree.dev("up", "--simulator").returncode, 0, "and can be changed")


def batch(tree):
    done = tree.dev("batch", "no-such-command")
    tap.equal((done.returncode, "mistake" in said(done)), (2, False), "a failing batch command says so itself")
    done = tree.dev("batch", "job", "01a2232b-6df5-7fad-8f7a-71c444c1d0ec")
    tap.equal((done.returncode, "mistake" in said(done)), (1, False), "with its own status")


def down(tree):
    for name in ("chat", "simulator", "nginx"):
        pid = int(tree.read("run/%s.pid" % name))
        os.kill(pid, 9)
        wait_for(lambda: not os.path.exists("/proc/%d" % pid))
    done = tree.dev("down")
    tap.equal((done.returncode, re.findall(r"(?m)^(?!stop ).+", said(done))), (0, []), "down is quiet about what is gone already")
    done = tree.dev("down")
    tap.equal((done.returncode, said(done)), (0, ""), "and says nothing where nothing runs")


ENDING = """set -Eeuo pipefail
trap 'echo failed: $BASH_COMMAND >&2' ERR
var=%(top)s/var
. %(top)s/t/dev/processes.sh
for try in {1..100}; do
    /bin/bash -c 'read -t 0.01 <> <(:) || :' "$var/" &
    echo $! >"$var/run/brief.pid"
    while running brief || kill -0 $! 2>/dev/null; do :; done
done
"""


def ending(tree):
    """Processes that end while they are looked at."""
    done = subprocess.run(["bash", "-c", ENDING % {"top": tree.top}], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300)
    tap.equal((done.returncode, done.stdout), (0, ""), "a process that ends while it is looked at has ended")


BUILDING = r"""set -Eeuo pipefail
here=%(dir)s/source var=%(dir)s/var as_root=false
for part in telling packages processes; do . %(top)s/t/dev/$part.sh; done
. %(build)s
mkdir -p "$here" "$var/log"
touch "$here/Makefile.in"
cat >"$here/configure" <<'END'
#!/bin/sh
echo "$@" >>configured-with
echo 'all:' >Makefile
END
chmod +x "$here/configure"
installed_versions() { echo "$versions"; }
versions=one
build "$var/build" "--option" all
build "$var/build" "--option" all
versions=two
build "$var/build" "--option" all
wc -l <"$var/build/configured-with"
touch "$here/config.status"
build "$var/build" "--option" all
"""


def building(tree):
    """Configures again when packages have changed, and only then."""
    script = BUILDING % {"dir": tree.dir + "/b", "top": TOP, "build": TOP + "/t/dev/build.sh"}
    os.mkdir(tree.dir + "/b")
    done = subprocess.run(["bash", "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60)
    tap.equal(done.stdout.strip(), "2", "configure runs again when other packages are installed, and only then") or tap.note(done.stderr)
    tap.ok(done.returncode == 1 and "make distclean" in done.stderr, "a tree that is configured itself is told apart", done.stderr)


# By a clock of its own: each look of the watcher's is half of the time after which it says something.
PATIENCE = r"""set -Eeuo pipefail
. %(top)s/t/dev/telling.sh
cd %(dir)s
unset SECONDS
SECONDS=0
looks=0
sleep() {
    until grep -q two log; do command sleep 0.01; done
    looks=$((looks + 1)) SECONDS=$((SECONDS + 10))
    [ $looks != 4 ] || touch told
    [ $looks -lt 4 ] || until false; do command sleep 0.01; done
}
work() {
    printf 'cc one.c\ncc two.c\n'
    until [ -e told ]; do command sleep 0.01; done
    return 3
}
patiently log work || echo "status $?"
"""


def patience(tree):
    """What takes long, where nobody sees its output."""
    os.mkdir(tree.dir + "/p")
    done = subprocess.run(["bash", "-c", PATIENCE % {"dir": tree.dir + "/p", "top": TOP}], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=60)
    tap.equal((done.stdout, done.stderr), ("status 3\n", "           20 s: cc two.c\n"),
              "what takes 20 seconds says what it is at, and ends with its own status")


def main():
    tree = Tree()
    try:
        for part in (helpful, building, patience, provider, trouble, batch, ending, down):
            tap.run(functools.update_wrapper(functools.partial(part, tree), part))
    finally:
        tree.remove()
    tap.done()


main()
