#!/usr/bin/python3
"""Failures as admins see them: what is recorded of each, how they are grouped, searched and resolved."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import tap
from harness import Uplift

ANN = "00000000-0000-4000-8000-00000000000a"
SECRET = "my-very-private-words"


def ask(uplift, model, stream=False):
    return uplift.post("/v1/chat/completions", {"model": model, "stream": stream, "messages": [
        {"role": "user", "content": SECRET}]}, user=ANN)


def groups(uplift, query=""):
    answer = uplift.admin("GET", "/admin/errors" + query)
    return answer.json()["data"] if answer.status == 200 else answer.text


def main():
    with Uplift(batch=True, expected="provider") as uplift:
        for _ in range(2):
            ask(uplift, "sim-fault-status-503")  # each is tried twice
        recovered = ask(uplift, "sim-fault-flap;times=1")
        cut = ask(uplift, "sim-fault-cut", True)
        ask(uplift, "sim-fault-status-401")
        tap.equal(recovered.status, 200, "one chat was answered after a failure")
        tap.equal(ask(uplift, "sim-1").status, 200, "and one without any")

        rows = uplift.sql("select * from ai_errors order by created_at, attempt")
        tap.equal([(r["error_type"], r["model_name"], r["attempt"], r["http_status"], r["user_visible"], r["auto_recovered"])
                   for r in rows],
                  [("status_503", "sim-fault-status-503", 1, 503, False, False),
                   ("status_503", "sim-fault-status-503", 2, 503, True, False)] * 2 + [
                      ("status_503", "sim-fault-flap;times=1", 1, 503, False, True),
                      ("cut", "sim-fault-cut", 1, 200, True, False),
                      ("status_401", "sim-fault-status-401", 1, 401, True, False)], "each call that failed is a row")
        tap.ok(all(r["provider"] and r["answer_id"] and r["request_id"] and str(r["user_id"]) == ANN for r in rows),
               "with provider, answer, request and user")
        tap.ok(rows[-1]["manual_intervention_required"] and not rows[0]["manual_intervention_required"],
               "a key that is refused needs somebody")
        text = repr([list(map(str, r.values())) for r in rows])
        tap.ok(SECRET not in text and "sk-of-tests" not in text, "nothing that was said, and no key")

        found = {(g["error_type"], g["model"]): g for g in groups(uplift)}
        busy = found[("status_503", "sim-fault-status-503")]
        tap.equal((busy["count"], busy["users"], busy["user_visible"], busy["recovered"], busy["is_resolved"]), (4, 1, 2, 0, False),
                  "those that are alike are one group, counted")
        tap.equal(len(found), 4, "others are others")
        request = cut.headers["X-Request-Id"]
        tap.equal([g["error_type"] for g in groups(uplift, "?q=" + request)], ["cut"], "a request id finds its failure")
        tap.equal([g["error_type"] for g in groups(uplift, "?type=cut")], ["cut"], "so does the type")
        tap.equal(groups(uplift, "?provider=nobody"), [], "and a provider")
        tap.equal(groups(uplift, "?q=%25"), [], "what stands for any text in a pattern is looked for as it is")
        one = uplift.admin("GET", "/admin/errors/%s?limit=3" % busy["fingerprint"]).json()
        tap.equal((len(one["occurrences"]["data"]), one["occurrences"]["has_more"]), (3, True), "one by one, in pages")
        more = uplift.admin("GET", "/admin/errors/%s?after=%s" % (busy["fingerprint"], one["occurrences"]["data"][-1]["id"])).json()
        tap.equal(len(more["occurrences"]["data"]), 1, "to the last")

        path = "/admin/errors/%s/" % busy["fingerprint"]
        tap.equal(uplift.admin("POST", path + "resolve", {"note": "more capacity"}).json()["is_resolved"], True, "resolved")
        tap.equal([g["note"] for g in groups(uplift, "?resolved=true")], ["more capacity"], "and listed so")
        ask(uplift, "sim-fault-status-503")
        tap.equal(groups(uplift, "?resolved=true"), [], "what happens again is open again")
        uplift.admin("POST", path + "resolve")
        tap.equal(uplift.admin("POST", path + "reopen").json()["is_resolved"], False, "or when somebody says so")
        for query, code in [("?resolved=maybe", "invalid_resolved"), ("?since=x", "invalid_since"), ("?limit=0", "invalid_limit"),
                            ("?q=" + "x" * 300, "invalid_q"), ("?colour=red", "unknown_argument")]:
            answer = uplift.admin("GET", "/admin/errors" + query)
            tap.equal((answer.status, answer.error()["code"]), (400, code), "refused: " + query[:20])
        for method, path in [("GET", "/admin/errors/0123"), ("POST", "/admin/errors/0123/resolve")]:
            answer = uplift.admin(method, path)
            tap.equal((answer.status, answer.error()["code"]), (404, "error_not_found"), "%s %s" % (method, path))
        uplift.sql("update ai_errors set created_at = now() - interval '91 days' where error_type = 'cut'")
        before = uplift.value("select count(*) from ai_errors")
        job = uplift.job("trim-errors")
        tap.equal((job["status"], job["result"]), ("succeeded", {"deleted": 1, "failed": 0}), "trim-errors forgets what is old")
        tap.equal(uplift.value("select count(*) from ai_errors"), before - 1, "and nothing else")
        tap.equal(uplift.get("/admin/errors").status, 403, "users may not see them")


main()
tap.done()
