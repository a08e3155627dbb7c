#!/usr/bin/python3
"""The access log: a line for each request, with what it took, and nothing of what was said or who said it."""

import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import tap
from harness import Uplift
from process import wait_for

ANN = "00000000-0000-4000-8000-00000000000a"
BOB = "00000000-0000-4000-8000-00000000000b"
NOBODY = "01a209cd-5aa2-733b-93ef-4bd8489de291"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SECRET = "a secret that nobody shall read"


class Log:
    """The access lines of a program, as they come."""

    def __init__(self, uplift, name="chat"):
        self.uplift, self.name = uplift, name
        self.seen = len(self.all())

    def all(self):
        found = [json.loads(line) for line in self.uplift.read_log(self.name).splitlines() if line.startswith("{") and line.endswith("}")]
        return [line for line in found if "route" in line]

    def next(self, name):
        """The line that was written since the last look; there must be one."""
        wait_for(lambda: len(self.all()) > self.seen, 5)
        lines = self.all()[self.seen:]
        self.seen += len(lines)
        tap.equal(len(lines), 1, "%s: one line" % name)
        return lines[0] if lines else {}


def parts(line, *names):
    return tuple(line.get(name) for name in names)


def lines(uplift):
    log = Log(uplift)
    answer = uplift.post("/v1/chat", {"message": SECRET}, user=ANN, headers={"traceparent": "00-%s-00f067aa0ba902b7-01" % TRACE})
    line = log.next("a chat")
    tap.equal(parts(line, "level", "method", "route", "status", "outcome", "code"), ("info", "POST", "/v1/chat", 200, "complete", None),
              "what was asked, and how it ended")
    tap.equal(parts(line, "object", "trace_id", "answer"), (answer.headers["X-Request-Id"], TRACE, answer.headers["X-Feedback-Id"]),
              "by the ids that its client knows")
    usage = answer.json()["usage"]
    tap.equal(parts(line, "prompt_tokens", "completion_tokens"), (usage["prompt_tokens"], usage["completion_tokens"]), "with its tokens")
    tap.ok(0 <= line["provider_ms"] <= line["ms"], "and times: in all, and waited for the provider", line)
    ann = line["user"]
    tap.like(ann, "^[0-9a-f]{16}$", "the user is a hash")
    uplift.post("/v1/chat/completions", {"model": "sim-1", "stream": True, "messages": [{"role": "user", "content": SECRET}]}, user=ANN)
    line = log.next("a stream")
    tap.equal(parts(line, "route", "status", "outcome", "user"), ("/v1/chat/completions", 200, "complete", ann), "the same for the same user")
    uplift.get("/v1/conversations", user=BOB)
    line = log.next("a list")
    tap.equal(parts(line, "method", "route", "status", "answer"), ("GET", "/v1/conversations", 200, None), "has no answer")
    tap.ok(line["user"] != ann, "another user is another hash", line)
    uplift.post("/v1/chat/completions", {"model": "sim-fault-status-503", "messages": [{"role": "user", "content": "x"}]}, user=ANN)
    line = log.next("a provider that fails")
    tap.equal(parts(line, "status", "outcome", "code"), (503, "failed", "provider_error"), "is told with the code of the error")
    uplift.get("/v1/conversations/" + NOBODY, user=ANN)
    line = log.next("what is not there")
    tap.equal(parts(line, "route", "status", "code"), ("/v1/conversations/{id}", 404, "conversation_not_found"), "is told by its route, without the id")
    uplift.get("/v1/conversations", user=None)
    tap.equal(parts(log.next("a stranger"), "status", "user"), (401, None), "has no user")
    uplift.get("/v1/" + SECRET.replace(" ", "-"), user=ANN)
    tap.equal(parts(log.next("a path that is none"), "route", "status"), ("other", 404), "is not repeated")
    uplift.get("/healthz", user=None)
    uplift.get("/v1/coaches", user=ANN)
    tap.equal(log.next("after a health check").get("route"), "/v1/coaches", "which is not logged")
    tap.ok(SECRET not in uplift.read_log() and ANN not in uplift.read_log(), "nothing of what was said, and nobody's id, is in the log")


def settings(uplift):
    for value, wanted in (("anonymous", None), ("off", None)):
        uplift.stop_chat()
        uplift.start_chat(UPLIFT_ACCESS_LOG=value)
        log = Log(uplift)
        uplift.get("/v1/coaches", user=ANN)
        if value == "off":
            tap.equal(len(log.all()), log.seen, "off: none")
        else:
            tap.equal(parts(log.next(value), "route", "user"), ("/v1/coaches", wanted), "without users")


def batch(uplift):
    log = Log(uplift, "batch")
    uplift.admin("GET", "/admin/jobs")
    tap.equal(parts(log.next("an admin"), "program", "method", "route", "status"), ("fcgi-batch", "GET", "/admin/jobs", 200), "fcgi-batch does so, too")


with Uplift(simulator=("--pace", "0"), batch=True, expected="provider") as uplift:
    lines(uplift)
    batch(uplift)
    settings(uplift)
tap.done()
