#!/usr/bin/python3
"""What clients are told, and what is recorded, when the provider fails in each way it can."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import tap
from harness import Uplift

# model, status, code, outcome: before any byte of the answer, streamed or not
REFUSALS = [
    ("sim-fault-status-500", 502, "provider_error", "failed"),
    ("sim-fault-status-503", 503, "provider_error", "failed"),
    ("sim-fault-status-401", 502, "provider_auth", "failed"),
    ("sim-fault-status-429;retry-after=30", 429, "rate_limit_exceeded", "failed"),
    ("sim-fault-context-length", 400, "context_length_exceeded", "failed"),
    ("sim-fault-reset", 502, "provider_error", "failed"),
]


def ask(uplift, model, stream=True, path="/v1/chat/completions"):
    return uplift.post(path, {"model": model, "stream": stream,
                              "messages": [{"role": "user", "content": "Say something."}]})


def check_row(uplift, answer, name, outcome, code):
    row = uplift.row(answer.headers["X-Feedback-Id"], 0)
    tap.equal(row and (row["outcome"], row["error_code"]), (outcome, code), name + ": recorded")
    return row or {"attempts": [], "ai_response": ""}


def refusals(uplift):
    for model, status, code, outcome in REFUSALS:
        for stream in (True, False):
            name = "%s %s" % (model, "streamed" if stream else "whole")
            answer = ask(uplift, model, stream)
            tap.equal((answer.status, answer.error()["code"]), (status, code), name + ": told")
            tap.contains(answer.headers["Content-Type"], "application/json", name + ": as JSON")
            tap.ok("sk-of-tests" not in answer.text, name + ": without our key")
            check_row(uplift, answer, name, outcome, code)
            if status == 429:
                tap.equal(answer.headers["Retry-After"], "30", name + ": Retry-After is passed on")


def cut_answers(uplift):
    for model, code, outcome in [("sim-fault-cut", "provider_cut", "partial"),
                                 ("sim-fault-end", "provider_cut", "partial"),
                                 ("sim-fault-stall", "provider_timeout", "partial")]:
        answer = ask(uplift, model)
        tap.equal(answer.status, 200, model + ": had begun")
        events = answer.events()
        tap.equal(events[-1].get("error", {}).get("code"), code, model + ": ends with an error")
        tap.ok("[DONE]" not in events, model + ": never with success")
        said = "".join(e["choices"][0]["delta"].get("content") or "" for e in events[:-1])
        row = check_row(uplift, answer, model, outcome, code)
        tap.equal(row["ai_response"], said, model + ": what was said is what is kept")


def tolerated(uplift):
    for model, finish in [("sim-fault-malformed-chunk", "stop"), ("sim-fault-no-done", "stop"),
                          ("sim-fault-content-filter", "content_filter")]:
        answer = ask(uplift, model)
        events = answer.events()
        tap.equal(events[-1], "[DONE]", model + ": a whole answer")
        tap.equal(events[-2]["choices"][0]["finish_reason"], finish, model + ": " + finish)
        check_row(uplift, answer, model, "complete", None)


def retries(uplift):
    answer = ask(uplift, "sim-fault-flap;times=1")
    tap.equal((answer.status, answer.events()[-1]), (200, "[DONE]"), "one failure is tried again")
    row = check_row(uplift, answer, "one failure", "complete", None)
    tap.equal([(a["http_status"], a.get("reason")) for a in row["attempts"]],
              [(503, "status_503"), (200, None)], "one failure: both attempts are kept")


def silence(uplift):
    answer = ask(uplift, "sim-fault-silence")
    tap.equal((answer.status, answer.error()["code"]), (504, "provider_timeout"),
              "silence: a real status")
    row = check_row(uplift, answer, "silence", "failed", "provider_timeout")
    tap.equal(row["attempts"][0]["reason"], "timeout_first_byte", "silence: the reason is kept")

    answer = uplift.post("/v1/chat", {"message": "hello"})
    tap.equal(answer.status, 200, "and the next chat is answered")


def heartbeats(uplift):
    answer = ask(uplift, "sim-fault-slow-first-token;ms=2500")
    tap.contains(answer.text, ": keep-alive\n\n", "heartbeats while the first token is awaited")
    tap.equal(answer.events()[-1], "[DONE]", "and then the answer")


with Uplift(UPLIFT_FIRST_BYTE_TIMEOUT_MS=1500, UPLIFT_IDLE_TIMEOUT_MS=1000) as uplift:
    refusals(uplift)
    cut_answers(uplift)
    tolerated(uplift)
    retries(uplift)
    silence(uplift)
    uplift.stop_chat()
    uplift.start_chat(UPLIFT_HEARTBEAT_MS=1000, UPLIFT_FIRST_BYTE_TIMEOUT_MS=5000)
    heartbeats(uplift)
tap.done()
