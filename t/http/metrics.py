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

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
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


def learns(uplift):
    """Experiments, rollouts and autopilot: what Postgres knows of them."""
    found = scrape(uplift)[1]
    tap.equal((value(found, "uplift_autopilot_enabled"), ("uplift_autopilot_limit_usd", frozenset({("period", "day")})) in found,
               ("uplift_autopilot_last_look_timestamp_seconds", frozenset()) in found), (0, False, False), "autopilot is off, has no bounds and never looked")
    begun = uplift.admin("POST", "/admin/rollouts", {"name": "warm", "changes": {"temperature": 0.5}})
    tap.equal(begun.status, 201, "a rollout begins")
    bounds = {"max_usd_per_day": 5, "max_usd_per_month": 50, "max_share": 0.2, "max_at_once": 2}
    tap.equal(uplift.admin("POST", "/admin/autopilot/start", bounds).status, 200, "autopilot is switched on")
    tap.equal(uplift.job("autopilot")["status"], "succeeded", "and looks")
    uplift.sql("insert into uplift.autopilot_spending (subject_id, day, usd) values (gen_random_uuid(), (now() at time zone 'UTC')::date, 1.25)")
    uplift.sql("insert into uplift.experiment_looks (experiment_id, metric, variant, figures)"
               " values (%s, 'users', '', '{\"is_mismatch\": true}')", begun.json()["experiment_id"])
    wanted = {("uplift_autopilot_enabled",): 1, ("uplift_autopilot_tests", "kind", "experiment"): 2, ("uplift_autopilot_tests", "kind", "rollout"): 0,
              ("uplift_autopilot_tests_limit",): 2, ("uplift_autopilot_users_ratio",): 0.2, ("uplift_autopilot_users_limit_ratio",): 0.2,
              ("uplift_autopilot_spent_usd", "period", "day"): 1.25, ("uplift_autopilot_spent_usd", "period", "month"): 1.25,
              ("uplift_autopilot_limit_usd", "period", "day"): 5, ("uplift_autopilot_limit_usd", "period", "month"): 50,
              ("uplift_rollouts", "status", "running"): 1, ("uplift_rollouts", "status", "promoted"): 0, ("uplift_rollouts_running", "stage", "1"): 1,
              ("uplift_experiments", "status", "running"): 3, ("uplift_experiments", "status", "draft"): 0, ("uplift_experiments_mismatched",): 1,
              ("uplift_autopilot_winners_left",): 0}

    def told():
        found = scrape(uplift)[1]
        return {name: value(found, name[0], **({name[1]: name[2]} if len(name) > 1 else {})) for name in wanted}
    tap.ok(wait_for(lambda: told() == wanted, 30), "what runs, and what is used of its bounds, is told", told())
    found, wrong = scrape(uplift)[1:]
    tap.equal(wrong, [], "each line is as the format has it")
    rows = uplift.sql("select kind, decision, count(*) as n, extract(epoch from max(at))::bigint as at from uplift.autopilot_decisions where not is_dry_run group by 1, 2")
    tap.equal({name: count for name, count in found.items() if name[0] == "uplift_autopilot_decisions_total"},
              {("uplift_autopilot_decisions_total", frozenset({("kind", r["kind"]), ("decision", r["decision"])})): r["n"] for r in rows}, "its decisions by kind")
    looked, decided = (value(found, "uplift_autopilot_last_%s_timestamp_seconds" % what) for what in ("look", "decision"))
    tap.ok(abs(decided - max(r["at"] for r in rows)) <= 1 and abs(looked - decided) < 60, "and when it looked and decided last", (looked, decided))
    tap.equal(uplift.admin("POST", "/admin/autopilot/dry-run", {}).status, 200, "what it would do")
    tap.equal(uplift.value("select sum(count)::int from uplift.autopilot_tally"), sum(r["n"] for r in rows), "is not counted")
    with open(ROOT + "/src/chat/API.md") as file:
        text = file.read()
    names = {name for name in re.findall(r"^# TYPE (\S+)", scrape(uplift)[0].text, re.M) if "`%s`" % name not in text and name != "uplift_info"}
    tap.equal(names, set(), "all are in API.md")


def main():
    with Uplift(batch=True, expected="provider|signal|Postgres|database", UPLIFT_CACHE="off",
                UPLIFT_MODELS="sim-1-mini,sim-fault-status-503,sim-fault-cut") as uplift:
        scripted(uplift)
        answer, found, wrong = scrape(uplift)
        tap.equal(answer.headers["Content-Type"], "text/plain; version=0.0.4; charset=utf-8", "the type Prometheus asks for")
        tap.equal(wrong, [], "each line is as the format has it")
        # Workers know the prices a second after their start; what came before cost nothing.
        check(uplift, found)
        learns(uplift)
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
