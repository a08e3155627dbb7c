#!/usr/bin/python3
"""/metrics: the text is as Prometheus reads it, and the figures are those of what was done, over all workers, also after
one of them died."""

import os
import re
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import tap
from harness import Uplift, wait_for

ANN = "00000000-0000-4000-8000-00000000000a"
SAMPLE = re.compile(r'^([a-z_]+)(?:\{((?:[a-z]+="(?:[^"\\\n]|\\.)*",?)*)\})? (-?[0-9.e+]+)$')


def scrape(uplift):
    """{(name, frozenset of labels): value}, checked on the way."""
    answer = uplift.get("/metrics", user=None)
    found, kinds, wrong = {}, {}, []
    for line in answer.text.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            if name in kinds:
                wrong.append("twice: " + line)
            kinds[name] = kind
        elif not line.startswith("# HELP "):
            match = SAMPLE.match(line)
            if not match:
                wrong.append(line)
                continue
            name, labels, value = match.groups()
            key = (name, frozenset(re.findall(r'([a-z]+)="((?:[^"\\]|\\.)*)"', labels or "")))
            if key in found:
                wrong.append("again: " + line)
            if name not in kinds and re.sub("_(bucket|sum|count)$", "", name) not in kinds:
                wrong.append("no type: " + line)
            found[key] = float(value)
    return answer, found, wrong


def value(found, name, **labels):
    return found.get((name, frozenset(labels.items())), 0)


def total(found, name, **labels):
    return sum(v for (n, l), v in found.items() if n == name and set(labels.items()) <= l)


def completion(uplift, model, stream=False, **more):
    return uplift.post("/v1/chat/completions", {"model": model, "stream": stream, **more, "messages": [
        {"role": "user", "content": "x"}]}, user=ANN)


def scripted(uplift):
    for _ in range(10):
        uplift.post("/v1/chat", {"message": "Hi."}, user=ANN)
    for _ in range(5):
        completion(uplift, "sim-1-mini", True)
    completion(uplift, "sim-fault-status-503")
    completion(uplift, "sim-fault-cut", True)
    completion(uplift, "sim-1", True, cache={"mode": "on"})
    completion(uplift, "sim-1", True, cache={"mode": "on"})
    answer = uplift.post("/v1/chat", {"message": "Rate me."}, user=ANN)
    for said in ({"helpful": True}, {"helpful": False}, {"rating": 5, "feedback_text": "Nice."}, {"helpful": None}):
        uplift.post("/v1/feedback/" + answer.headers["X-Feedback-Id"], said, user=ANN)
    uplift.get("/v1/nothing", user=ANN)


def check(uplift, found):
    rows = uplift.sql("select protocol, outcome, count(*) as n from coach_response_feedback group by 1, 2")
    for row in rows:
        tap.equal(value(found, "uplift_answers_total", protocol=row["protocol"], outcome=row["outcome"]), row["n"],
                  "answers: %(protocol)s %(outcome)s" % row)
    tap.equal(value(found, "uplift_requests_total", route="POST /v1/chat", status="2xx"), 11, "requests by route and status")
    tap.equal(value(found, "uplift_requests_total", route="POST /v1/feedback/{id}", status="2xx"), 4, "routes with an id are one")
    tap.equal(value(found, "uplift_requests_total", route="other", status="4xx"), 1, "what is no route is other")
    for kind, count in [("prompt", "prompt_tokens"), ("completion", "completion_tokens")]:
        wanted = uplift.value("select sum(%s) from coach_response_feedback where not coalesce(from_cache, false)" % count)
        tap.equal(total(found, "uplift_tokens_total", kind=kind), wanted, "tokens: " + kind)
    cost = float(uplift.value("select sum(cost_usd) from coach_response_feedback"))
    tap.ok(abs(total(found, "uplift_cost_usd_total") - cost) < 1e-6, "the cost is that of the rows",
           (total(found, "uplift_cost_usd_total"), cost))
    tap.equal(total(found, "uplift_provider_calls_total", model="sim-fault-status-503", end="status_5xx"), 2, "both calls that failed")
    tap.equal(total(found, "uplift_provider_calls_total", end="cut"), 1, "one that was cut")
    tap.equal((value(found, "uplift_cache_lookups_total", result="miss"), value(found, "uplift_cache_lookups_total", result="hit")),
              (1, 1), "a miss and a hit of the cache")
    tap.equal([value(found, "uplift_feedback_total", kind=kind) for kind in ("thumb_up", "thumb_down", "rating", "comment")],
              [1, 1, 1, 1], "feedback; what is taken back is none")
    answers = total(found, "uplift_answers_total")
    for name in ("uplift_response_seconds", "uplift_overhead_seconds"):
        tap.equal(value(found, name + "_count"), answers, name + " has every answer")
        buckets = sorted((float(dict(l)["le"]), v) for (n, l), v in found.items() if n == name + "_bucket")
        tap.ok([v for _, v in buckets] == sorted(v for _, v in buckets) and buckets[-1] == (float("inf"), answers),
               name + ": buckets add up")
    tap.ok(value(found, "uplift_overhead_seconds_sum") <= value(found, "uplift_response_seconds_sum") + 1,
           "overhead is a part of the time")


def main():
    with Uplift(expected="provider|signal|Postgres|database", UPLIFT_CACHE="off",
                UPLIFT_MODELS="sim-1-mini,sim-fault-status-503,sim-fault-cut") as uplift:
        scripted(uplift)
        answer, found, wrong = scrape(uplift)
        tap.equal(answer.headers["Content-Type"], "text/plain; version=0.0.4; charset=utf-8", "the type Prometheus asks for")
        tap.equal(wrong, [], "each line is as the format has it")
        # Workers know the prices a second after their start; what came before cost nothing.
        check(uplift, found)
        tap.ok(wait_for(lambda: value(scrape(uplift)[1], "uplift_queue_depth", queue="training") > 0, 20),
               "queues of Postgres are told")
        os.kill(uplift.workers()[0], signal.SIGKILL)
        tap.ok(wait_for(lambda: len(uplift.workers()) == 2 and uplift.status() == "ready", 20), "a worker dies, another one comes")
        tap.equal(total(scrape(uplift)[1], "uplift_answers_total"), total(found, "uplift_answers_total"), "no figure is lost")

        with uplift.database_away():
            tap.ok(wait_for(lambda: value(scrape(uplift)[1], "uplift_workers_without_database") == 2, 20), "Postgres is away: told")
            uplift.post("/v1/chat", {"message": "Hi."}, user=ANN)
            found = scrape(uplift)[1]
            tap.equal((value(found, "uplift_degraded_answers_total"), value(found, "uplift_spooled_answers_total")), (1, 1),
                      "an answer made and kept without it")
        tap.ok(wait_for(lambda: value(scrape(uplift)[1], "uplift_workers_without_database") == 0, 20), "and back")


main()
tap.done()
