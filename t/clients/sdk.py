"""Runs the scripts of t/clients and checks streams by the rules of openai-python's decoder.

openai-python's SSE decoder is stricter than the others (seen in its source): after a line "id: x"
every later blank line dispatches an event with empty data, "retry:" and "event:" without data do
the same, and empty data is not JSON; a byte order mark hides the first event; an event without its
blank line at the end is lost. Decoder below is written from those rules, and check_decoding also
says which of them a stream breaks.
"""

import http.client
import json
import os
import re
import ssl
import subprocess
import urllib.parse

import node
import tap

HERE = os.path.dirname(os.path.abspath(__file__))


def run(script, environment):
    """Runs a script and takes its checks over as ours. Returns what it says in a line "# facts {...}"."""
    node.install(HERE)
    done = subprocess.run(["node", script], cwd=HERE, env={**os.environ, **environment},
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300)
    plan = None
    detail = []
    checks = []
    for line in done.stdout.splitlines():
        check = re.match(r"(not )?ok \d+ - (.*)", line)
        if check:
            detail = []
            checks.append((check.group(1) is None, check.group(2), detail))
        elif re.match(r"1\.\.\d+$", line):
            plan = int(line[3:])
        else:
            detail.append(line.lstrip("# "))
    for passed, name, lines in checks:
        tap.ok(passed, "%s: %s" % (script, name), "\n".join(lines))
    tap.ok(plan == len(checks) > 0, "%s ran to its end" % script, done.stdout[-3000:])
    facts = re.search(r"^# facts (.*)$", done.stdout, re.M)
    return json.loads(facts.group(1)) if facts else {}


class Decoder:
    """Events of a stream as openai-python sees them."""

    def __init__(self):
        self.event = self.last_id = self.retry = None
        self.data = []

    def decode(self, line):
        if not line:
            if not self.event and not self.data and not self.last_id and self.retry is None:
                return None
            found = (self.event, "\n".join(self.data))
            self.event, self.data, self.retry = None, [], None  # the last id stays
            return found
        if line.startswith(":"):
            return None
        field, _, value = line.partition(":")
        value = value[1:] if value.startswith(" ") else value
        if field == "event":
            self.event = value
        elif field == "data":
            self.data.append(value)
        elif field == "id":
            self.last_id = value
        elif field == "retry":
            self.retry = value
        return None


def decode(body):
    """The data of all events up to [DONE], as JSON. Raises where openai-python would."""
    decoder = Decoder()
    found = []
    # It cuts its input after blank lines, and loses what comes after the last one.
    whole = body[: body.rfind(b"\n\n") + 2]
    for line in re.split("\r\n|\n|\r", whole.decode("utf-8"))[:-1]:
        event = decoder.decode(line)
        if event is None:
            continue
        if event[1].startswith("[DONE]"):
            return found, True
        found.append(json.loads(event[1]))
        if "error" in found[-1]:
            return found, False
    return found, False


def post(base_url, key, body, context=None):
    url = urllib.parse.urlsplit(base_url)
    kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
    options = {"context": context} if url.scheme == "https" else {}
    connection = kind(url.hostname, url.port, timeout=60, **options)
    connection.request("POST", url.path + "/chat/completions", json.dumps(body),
                       {"Content-Type": "application/json", "Authorization": "Bearer " + key})
    response = connection.getresponse()
    try:
        text = response.read()
        whole = True
    except http.client.IncompleteRead as cut:
        text = cut.partial
        whole = False
    connection.close()
    return response, text, whole


def check_lines(text, name):
    lines = text.split(b"\n")
    tap.ok(not text.startswith(b"\xef\xbb\xbf"), name + ": no byte order mark")
    tap.ok(b"\r" not in text, name + ": LF alone ends a line")
    for field in (b"id", b"retry", b"event"):
        tap.ok(not any(line.split(b":")[0] == field for line in lines), name + ": no %s: line" % field.decode())
    tap.ok(all(line == b"" or line.startswith((b"data: ", b":")) for line in lines),
           name + ": nothing but data lines, comments and blank lines")
    tap.ok(text.endswith(b"\n\n"), name + ": ends with a blank line")


def check_decoding(base_url, key, extra, ca=None):
    """Checks streams of every kind. extra goes into each request's body."""
    context = ssl.create_default_context(cafile=ca) if ca else None
    ask = {"messages": [{"role": "user", "content": "How do I start running? \u00fc\U0001f3c3"}],
           "stream": True, **extra}

    response, text, _ = post(base_url, key, {**ask, "model": "sim-pace-0"}, context)
    tap.equal(response.status, 200, "decoder: a stream is answered")
    tap.ok(response.getheader("Content-Type").startswith("text/event-stream"), "decoder: as text/event-stream")
    check_lines(text, "decoder")
    tap.ok(text.endswith(b"data: [DONE]\n\n"), "decoder: nothing after [DONE]", text[-200:])
    events, done = decode(text)
    tap.ok(done and len(events) > 10, "decoder: all events are JSON, up to [DONE]")
    tap.ok(all(e["choices"] and "usage" not in e or e.get("usage") is None for e in events),
           "decoder: no usage where none was asked for")
    said = "".join(e["choices"][0]["delta"].get("content") or "" for e in events)
    tap.ok(len(said) > 50, "decoder: the text is there")

    _, text, _ = post(base_url, key, {**ask, "model": "sim-pace-0",
                                      "stream_options": {"include_usage": True}}, context)
    events, done = decode(text)
    tap.ok(done and events[-1]["choices"] == [] and events[-1]["usage"]["total_tokens"] > 0,
           "decoder: with include_usage the last event has the usage and no choices")

    _, text, _ = post(base_url, key, {**ask, "model": "sim-fault-error;after=4;pace=0"}, context)
    check_lines(text, "decoder, error in a stream")
    events, done = decode(text)
    error = events[-1].get("error", {})
    tap.ok(not done and set(error) >= {"message", "type", "param", "code"},
           "decoder: an error in a stream is an event with all four fields", text[-300:])
    tap.ok(b"[DONE]" not in text, "decoder: and no [DONE] comes after it")

    _, text, whole = post(base_url, key, {**ask, "model": "sim-fault-cut;after=4;pace=0"}, context)
    events, done = decode(text)
    tap.ok(not done and (not whole or "error" in events[-1]), "decoder: a cut answer never looks whole")
