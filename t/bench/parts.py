"""What ./dev bench measures with: a provider that costs next to nothing, the load, and what processes took."""

import atexit
import json
import os
import re
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, TOP + "/t/lib")

from build import program  # noqa: E402
import node  # noqa: E402
from harness import free_ports  # noqa: E402
from process import children, wait_for  # noqa: E402

TICKS = os.sysconf("SC_CLK_TCK")
WORDS = "Walk for ten minutes after the next meal, and tie it to something that you do anyway."
USAGE = {"prompt_tokens": 400, "completion_tokens": 20, "total_tokens": 420}
MODULES = "/usr/lib/nginx/modules"


def chunk(delta, finish=None, **more):
    return "data: " + json.dumps({"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "bench", "choices": [
        {"index": 0, "delta": delta, "finish_reason": finish}], **more}, separators=(",", ":"))


LAST = [chunk({}, "stop"), 'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"bench","choices":[],"usage":%s}'
        % json.dumps(USAGE), "data: [DONE]"]


def whole_answer():
    return json.dumps({"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "bench", "choices": [
        {"index": 0, "message": {"role": "assistant", "content": WORDS}, "finish_reason": "stop"}], "usage": USAGE})


def canned_stream():
    return "\n\n".join([chunk({"role": "assistant"})] + [chunk({"content": w + " "}) for w in WORDS.split()] + LAST) + "\n\n"


def paced(count, seconds):
    """nginx's commands for a stream of so many tokens, each with the time it was sent at."""
    lines = []
    for _ in range(count):
        lines += ["echo '%s';" % chunk({"content": "$msec "}), "echo '';", "echo_flush;", "echo_sleep %g;" % seconds]
    for line in LAST:
        lines += ["echo '%s';" % line, "echo '';"]
    return "\n            ".join(lines)


class Provider:
    """An nginx of its own. Paths: /whole and /canned answer at once, /quick sends 50 tokens 20 ms apart, /slow a token
    a second for a minute; each followed by /v1/chat/completions."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="upb.", dir="/tmp")
        os.chmod(self.dir, 0o755)
        self.port = free_ports(1)[0]
        self.process = None

    def __enter__(self):
        location = "location /%s/ { default_type %s; %s }"
        places = [location % ("whole", "application/json", "return 200 '%s';" % whole_answer()),
                  location % ("canned", "text/event-stream", "return 200 '%s';" % canned_stream()),
                  location % ("quick", "text/event-stream", paced(50, 0.02)),
                  location % ("slow", "text/event-stream", paced(60, 1))]
        with open(self.dir + "/nginx.conf", "w") as file:
            file.write("""load_module %s/ngx_http_echo_module.so;
%s
worker_processes 2;
worker_rlimit_nofile 20000;
pid %s/pid;
error_log %s/error.log;
events { worker_connections 16384; }
http {
    access_log off;
    keepalive_requests 10000000;
    client_body_temp_path %s/body; proxy_temp_path %s/proxy; fastcgi_temp_path %s/fastcgi;
    uwsgi_temp_path %s/uwsgi; scgi_temp_path %s/scgi;
    server {
        listen 127.0.0.1:%d backlog=8192;
        tcp_nodelay on;
        %s
    }
}
""" % (MODULES, "user www-data;" if os.geteuid() == 0 else "", self.dir, self.dir, *[self.dir] * 5, self.port, "\n        ".join(places)))
        self.process = subprocess.Popen(["/usr/sbin/nginx", "-e", self.dir + "/error.log", "-c", self.dir + "/nginx.conf",
                                         "-g", "daemon off;"])
        # Also when what comes after it cannot begin: whoever reads our output would wait for it.
        atexit.register(self.stop)
        if not wait_for(lambda: os.path.exists(self.dir + "/pid") or self.process.poll() is not None) or self.process.poll():
            raise SystemExit("bench: the provider did not start: see %s/error.log" % self.dir)
        return self

    def __exit__(self, *error):
        self.stop()

    def stop(self):
        self.process.terminate()
        self.process.wait()
        subprocess.run(["rm", "-rf", self.dir])

    def base(self, kind):
        return "http://127.0.0.1:%d/%s/v1" % (self.port, kind)


def plain_front(port):
    """What a configuration of uplift's own nginx becomes, that listens on this port, too, without TLS."""
    def opened(text):
        return re.sub(r"( *)(listen 127\.0\.0\.1:\d+ ssl http2[^\n]*)", r"\1\2\n\1listen 127.0.0.1:%d backlog=8192;" % port, text)
    return opened


class Portkey:
    """The gateway of that name, from npm; it stores nothing."""

    here = os.path.dirname(os.path.abspath(__file__))
    server = "node_modules/@portkey-ai/gateway/build/start-server.js"

    def __init__(self):
        self.port = free_ports(1)[0]
        self.process = None

    @classmethod
    def install(cls):
        """From npm, where that was not done before."""
        if not os.path.exists(cls.here + "/" + cls.server):
            node.install(cls.here)

    def __enter__(self):
        if not os.path.exists(self.here + "/" + self.server):
            raise SystemExit("it is not installed")
        self.process = subprocess.Popen(["node", self.server, "--headless", "--port=%d" % self.port], cwd=self.here,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, "NODE_ENV": "production"})
        url = "http://127.0.0.1:%d/" % self.port
        if not wait_for(lambda: subprocess.run(["curl", "-s", "-o", "/dev/null", url]).returncode == 0, 30):
            raise SystemExit("bench: the Portkey gateway did not start")
        return self

    def __exit__(self, *error):
        self.process.terminate()
        self.process.wait()


class Target:
    """Who is asked, and how: base URL, body and headers. kinds: URL for each kind of the provider's answers."""

    def __init__(self, name, url, body, headers, expect):
        self.name, self.url, self.headers, self.expect = name, url, dict(headers, **{"Content-Type": "application/json"}), expect
        self.body = body
        self.counted = 0
        self.distinct = None  # how many messages take turns at @N@ in the body; 0: each is another
        self.messages = None  # a list of those that take turns; a dict is more of the body than the message
        self.people = None  # and who says them, in turn: values of Authorization

    def saturate(self, seconds, connections=64):
        """wrk's figures: per_second, p50 and p99 in ms, done, failed."""
        with tempfile.NamedTemporaryFile("w", suffix=".lua", delete=False) as script:
            script.write('wrk.method = "POST"\nwrk.body = [==[%s]==]\n' % json.dumps(dict(self.body, stream=False)))
            for name, value in self.headers.items():
                script.write("wrk.headers[%s] = %s\n" % (json.dumps(name), json.dumps(value)))
            script.write("local people = {%s}\n" % ", ".join(json.dumps(value) for value in self.people or [self.headers.get("Authorization", "")]))
            if self.messages is not None:
                bodies = ",\n".join("[==[%s]==]" % json.dumps(dict(self.body, **(m if isinstance(m, dict) else {"message": m}), stream=False)) for m in self.messages)
                script.write("""local bodies, all, n = {%s}, {}, 0
function init()
    for i = 1, math.max(#bodies, #people) do
        wrk.headers["Authorization"] = people[i %% #people + 1]
        all[i] = wrk.format(nil, nil, nil, bodies[i %% #bodies + 1])
    end
end
function request() n = n + 1 return all[n %% #all + 1] end
""" % bodies)
            if self.distinct is not None:
                # The load generator shares the machine: requests are made once, and the number put in.
                script.write("""local n, heads, tails = %d, {}, {}
function init()
    for i, person in ipairs(people) do
        wrk.headers["Authorization"] = person
        local whole = wrk.format(nil, nil, nil, (wrk.body:gsub("@N@", "000000000")))
        local at = whole:find("000000000", 1, true)
        heads[i], tails[i] = whole:sub(1, at - 1), whole:sub(at + 9)
    end
end
function request()
    n = n + 1
    local i = n %% #people + 1
    return heads[i] .. string.format("%%09d", %s) .. tails[i]
end
""" % (self.counted, "n %% %d" % self.distinct if self.distinct else "n"))
                self.counted += 10000000  # the next run begins elsewhere
            script.write("""done = function(summary, latency)
    local e = summary.errors
    io.write(string.format('RESULT {"done":%d,"seconds":%f,"failed":%d,"p50":%f,"p99":%f}\\n', summary.requests,
        summary.duration / 1e6, e.connect + e.read + e.write + e.status + e.timeout,
        latency:percentile(50) / 1000, latency:percentile(99) / 1000))
end
""")
        found = subprocess.run(["wrk", "-t1", "-c%d" % connections, "-d%gs" % seconds, "--timeout", "10s", "-s", script.name,
                                self.url("whole")], stdout=subprocess.PIPE, text=True, check=True).stdout
        os.unlink(script.name)
        result = json.loads(re.search(r"RESULT (.*)", found).group(1))
        result["per_second"] = (result["done"] - result["failed"]) / result["seconds"]
        return result

    def load(self, kind, seconds, watch=None, **how):
        """The figures of t/bench/load; watch is called with each of its reports."""
        with tempfile.NamedTemporaryFile("w", suffix=".json", delete=False) as body:
            json.dump(dict(self.body, stream=True), body)
        words = [program("t/bench/load"), "--url", self.url(kind), "--body", body.name, "--expect", self.expect, "--seconds",
                 "%g" % seconds]
        for name, value in self.headers.items():
            if name != "Authorization" or not self.people:
                words += ["--header", "%s: %s" % (name, value)]
        if self.people:
            with tempfile.NamedTemporaryFile("w", suffix=".txt", delete=False) as people:
                people.write("".join("Authorization: %s\n" % value for value in self.people))
            words += ["--turns", people.name]
        for name, value in how.items():
            words += ["--" + name, "%g" % value]
        process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        result = None
        for line in process.stdout:
            found = json.loads(line)
            if "started" in found:
                result = found
            elif watch:
                watch(found)
        os.unlink(body.name)
        if self.people:
            os.unlink(people.name)
        if process.wait() != 0 or result is None:
            raise SystemExit("bench: the load generator failed")
        return result


def family(pid):
    return [pid] + children(pid)


def cpu_seconds(pids):
    """Of all of them, and of those of their children that have ended."""
    ticks = 0
    for pid in pids:
        try:
            with open("/proc/%d/stat" % pid, errors="replace") as file:
                ticks += sum(int(word) for word in file.read().rpartition(")")[2].split()[11:15])
        except OSError:
            pass
    return ticks / TICKS


def pss_bytes(pids):
    """Proportional set size: memory that processes share is divided among them."""
    total = 0
    for pid in pids:
        with open("/proc/%d/smaps_rollup" % pid) as file:
            total += int(re.search(r"^Pss: +(\d+)", file.read(), re.M).group(1)) * 1024
    return total
