#!/usr/bin/python3
"""What chats cost, budgets that stop them or make them cheaper (also while Postgres is away), and the figures of it all,
by URL."""

import datetime
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import tap
from harness import Uplift, wait_for

ANN = "00000000-0000-4000-8000-00000000000a"
BOB = "00000000-0000-4000-8000-00000000000b"


def made(answer, status=201):
    if answer.status != status:
        tap.ok(False, "%s: %s" % (answer.status, answer.text))
    return answer.json()


def chat(uplift, user=ANN, **more):
    return uplift.post("/v1/chat", {"message": "How are you?", **more}, user=user)


def prices(uplift):
    made(uplift.admin("PUT", "/admin/prices", {"model": "sim-1", "input_per_million": 2, "output_per_million": 8}), 200)
    answer = chat(uplift)
    row = uplift.row(answer.headers["X-Feedback-Id"])
    tap.equal(float(row["cost_usd"]), round((row["prompt_tokens"] * 2 + row["completion_tokens"] * 8) / 1e6, 8),
              "an answer costs what its tokens cost")
    made(uplift.admin("PUT", "/admin/prices", {"model": "sim-1", "provider": row["provider"], "input_per_million": 0,
                                               "output_per_million": 0}), 200)
    row = uplift.row(chat(uplift).headers["X-Feedback-Id"])
    tap.equal(row["cost_usd"], 0, "a provider's own price counts from then on")
    listed = uplift.admin("GET", "/admin/prices?model=sim-1&current=true").json()["data"]
    tap.equal([(p["provider"], p["input_per_million"]) for p in listed], [(None, 2), (row["provider"], 0)], "GET tells both")
    path = "/admin/prices?model=sim-1&provider=%s&valid_from=%s" % (row["provider"], listed[1]["valid_from"].replace("+", "%2B"))
    tap.equal(uplift.admin("DELETE", path).status, 200, "DELETE takes it away")
    failed = uplift.post("/v1/chat/completions", {"model": "sim-fault-status-400", "messages": [
        {"role": "user", "content": "x"}]}, user=ANN)
    tap.equal(uplift.row(failed.headers["X-Feedback-Id"])["completion_tokens"], 0, "what failed is not billed")
    answer = uplift.admin("PUT", "/admin/prices", {"model": "sim-1", "input_per_million": -2, "output_per_million": 8})
    tap.equal((answer.status, answer.error()["code"]), (400, "invalid_input_per_million"), "no negative prices")


def budgets(uplift):
    budget = made(uplift.admin("POST", "/admin/budgets", {
        "scope": "user", "key": ANN, "period": "month", "limit_usd": 0.000001}))
    refused = chat(uplift)
    tap.equal((refused.status, refused.error()["code"], refused.error()["type"]),
              (429, "budget_exceeded", "rate_limit_error"), "a user's budget is used up: refused")
    tap.ok(int(refused.headers["Retry-After"]) > 0, "until the month is over")
    tap.equal(uplift.post("/v1/chat/completions", {"model": "sim-1", "messages": [{"role": "user", "content": "x"}]},
                          user=ANN).status, 429, "on both routes")
    tap.equal(chat(uplift, BOB).status, 200, "nobody else is")

    seen = wait_for(lambda: uplift.admin("GET", "/admin/budgets").json()["data"][0]["spent"][0]["state"] == "exhausted", 10)
    tap.ok(seen, "GET /admin/budgets says so")
    everybody = made(uplift.admin("POST", "/admin/budgets", {"scope": "user", "period": "day", "limit_usd": 0.000001}))
    figures = ["uplift_budget_used_up{scope=\"user\",key=\"\",period=\"day\"} 2",
               "uplift_budget_limit_usd{scope=\"user\",key=\"\",period=\"day\"} 0.000001",
               "uplift_budget_spent_usd{scope=\"user\",key=\"%s\",period=\"month\",state=\"exhausted\"}" % ANN]
    told = wait_for(lambda: all(f in uplift.get("/metrics", user=None).text for f in figures), 30)
    tap.ok(told, "GET /metrics says how many have used theirs up", uplift.get("/metrics", user=None).text)
    tap.equal(uplift.admin("DELETE", "/admin/budgets/" + everybody["id"]).status, 200, "a budget of each user goes again")
    made(uplift.admin("PATCH", "/admin/budgets/" + budget["id"], {"action": "cheaper", "cheaper_model": "sim-1-mini"}), 200)
    tap.equal(chat(uplift).json()["model"], "sim-1-mini", "or a cheaper model answers")
    answer = uplift.post("/v1/chat/completions", {"model": "sim-1", "messages": [{"role": "user", "content": "x"}]}, user=ANN)
    tap.equal(answer.json()["model"], "sim-1-mini", "in place of one that was asked for, too")
    answer = uplift.admin("POST", "/admin/budgets", {"scope": "user", "key": ANN, "period": "month", "limit_usd": 1})
    tap.equal((answer.status, answer.error()["code"]), (409, "overlapping_budget"), "a second one for the same is refused")
    return budget


def away(uplift, budget):
    made(uplift.admin("PATCH", "/admin/budgets/" + budget["id"], {"action": "refuse", "cheaper_model": None}), 200)
    uplift.synced()  # what they were told last is what holds
    with uplift.database_away():
        tap.ok(uplift.ready("degraded"), "Postgres is away")
        refused = chat(uplift)
        tap.equal((refused.status, refused.error()["code"]), (429, "budget_exceeded"), "the budget holds as it was last known")
        tap.equal(chat(uplift, BOB).status, 200, "and others are answered")
    tap.ok(uplift.ready("ready"), "Postgres is back")
    tap.equal(uplift.admin("DELETE", "/admin/budgets/" + budget["id"]).status, 200, "DELETE takes a budget away")
    tap.equal(chat(uplift).status, 200, "and the user is answered again")


def figures(uplift):
    for number, rating in enumerate([{"helpful": True}, {"helpful": False}, {"rating": 4}]):
        answer = chat(uplift, BOB, stream=number == 0)
        uplift.post("/v1/feedback/" + answer.headers["X-Feedback-Id"], rating, user=BOB)
    job = uplift.job("roll-up-usage")
    tap.equal(job["status"], "succeeded", "roll-up-usage counts the hours")
    # The day before, too, when it is just over.
    tap.ok(job["result"]["days"] >= 1 and "days counted" in job["message"], "and the days")
    rows = uplift.sql("select count(*) as requests, sum(cost_usd) as cost, count(*) filter (where outcome = 'failed') as failed,"
                      " sum(prompt_tokens) as prompt from coach_response_feedback")[0]
    stats = uplift.admin("GET", "/admin/stats").json()
    tap.equal(len(stats["data"]), 24, "GET /admin/stats: a day by the hour")
    total = stats["total"]
    tap.equal((total["requests"], total["failed"], total["prompt_tokens"], total["cost_usd"]),
              (rows["requests"], rows["failed"], rows["prompt"], float(rows["cost"])), "its total is what the rows say")
    tap.equal((total["thumbs_up"], total["thumbs_down"], total["average_rating"]), (1, 1, 4), "with feedback")
    tap.ok(total["response_ms"]["p50"] is not None and total["response_ms"]["p99"] >= total["response_ms"]["p50"],
           "with percentiles")
    models = uplift.admin("GET", "/admin/stats?group_by=model&step=day&from=%s" % datetime.datetime.now(
        datetime.timezone.utc).date()).json()["data"]
    tap.ok("sim-1" in {point["model"] for point in models}, "by model")
    costs = uplift.admin("GET", "/admin/costs").json()
    tap.equal(costs["total"]["cost_usd"], float(rows["cost"]), "GET /admin/costs: this month")
    tap.equal(round(sum(part["cost_usd"] for part in costs["by_coach"]), 8), float(rows["cost"]), "by coach it adds up")
    report = uplift.sql("select sum(requests)::int as requests, sum(cost_usd) as cost from get_daily_cost_report()")[0]
    tap.equal((report["requests"], report["cost"]), (rows["requests"], rows["cost"]), "get_daily_cost_report() says the same")
    for path, code in [("/admin/stats?step=week", "invalid_step"), ("/admin/stats?group_by=user", "invalid_group_by"),
                       ("/admin/stats?from=yesterday", "invalid_from"), ("/admin/costs?to=2020-13-45", "invalid_to"),
                       ("/admin/stats?from=2026-02-01&to=2026-01-01", "invalid_from")]:
        answer = uplift.admin("GET", path)
        tap.equal((answer.status, answer.error()["code"]), (400, code), "refused: " + path)
    tap.equal(uplift.get("/admin/costs").status, 403, "users may not see it")


with Uplift(batch=True, expected="Postgres|database") as uplift:
    prices(uplift)
    figures(uplift)
    away(uplift, budgets(uplift))
tap.done()
