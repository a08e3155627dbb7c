#!/usr/bin/python3
"""W3C traceparent: passed on to the provider with a span of its own, and in the log of the request; what is none is not."""

import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import tap
from harness import Uplift
from witness import Witness

ANN = "00000000-0000-4000-8000-00000000000a"
TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


def ask(uplift, traceparent, model="sim-1"):
    return uplift.post("/v1/chat/completions", {"model": model, "messages": [{"role": "user", "content": "x"}]}, user=ANN,
                       headers={"traceparent": traceparent})


with Uplift(simulator=("--pace", "0"), expected="provider") as uplift, Witness(uplift.sim_port) as provider:
    uplift.stop_chat()
    uplift.start_chat(UPLIFT_UPSTREAM_URL=provider.url)
    answer = ask(uplift, "00-%s-%s-01" % (TRACE, PARENT))
    passed = provider.seen[-1].headers["traceparent"].split("-")
    tap.equal((answer.status, passed[0], passed[1], passed[3]), (200, "00", TRACE, "01"), "the trace goes on, with its flags")
    tap.ok(passed[2] != PARENT and len(passed[2]) == 16 and passed[2] == answer.headers["X-Feedback-Id"].replace("-", "")[16:],
           "as a span of its own, which the answer's id ends with", passed)
    ask(uplift, "00-%s-%s-00" % (TRACE, PARENT), "sim-fault-status-503")
    lines = [json.loads(line) for line in uplift.read_log().splitlines() if TRACE in line]
    tap.ok(lines and all(line["trace_id"] == TRACE for line in lines), "what is logged of the request has the trace", lines)
    tap.equal(ask(uplift, "cc-%s-%s-01-more" % (TRACE, PARENT)).status, 200, "a later version")
    tap.equal(provider.seen[-1].headers["traceparent"].split("-")[1], TRACE, "is understood as far as it is known")
    for name, bad in [("no trace", "0" * 32), ("too short", TRACE[:-1]), ("capitals", TRACE.upper()), ("text", "x" * 32)]:
        answer = ask(uplift, "00-%s-%s-01" % (bad, PARENT))
        tap.equal((answer.status, provider.seen[-1].headers["traceparent"]), (200, None), "ignored: " + name)
    for bad in ("00-%s-%s-01-more" % (TRACE, PARENT), "ff-%s-%s-01" % (TRACE, PARENT), "00-%s-%s-01" % (TRACE, "0" * 16), "00", ""):
        ask(uplift, bad)
        tap.equal(provider.seen[-1].headers["traceparent"], None, "ignored: %r" % bad[:8])
tap.done()
