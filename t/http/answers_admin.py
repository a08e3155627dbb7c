#!/usr/bin/python3
"""Admins search answers, look at one, mark it, export what they found and what is kept of a user; whoever was shown sees that."""

import csv
import io
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

from harness import Uplift, wait_for  # noqa: E402
from tap import contains, done, equal, ok, run  # noqa: E402

ANN, BOB = ("00000000-0000-4000-8000-0000000000%02d" % n for n in (71, 72))
# Thousands of long answers, more than a page of an export has.
MANY = """insert into public.coach_response_feedback (id, user_id, user_message, ai_response, created_at)
    select uplift.first_id_of(now() - interval '20 hours' + n * interval '1 second'), %s, 'Number ' || n, repeat(md5(n::text), 60), now() - interval '20 hours' + n * interval '1 second'
    from generate_series(1, 3000) n"""


def say(user, text, **more):
    return uplift.post("/v1/chat", {"message": text, **more}, user=user).json()["feedbackId"]


def found(query):
    answer = uplift.admin("GET", "/admin/answers" + query)
    equal(answer.status, 200, "answers" + query)
    return [a["user_message"] for a in answer.json()["data"]]


def searching():
    facts["id"] = say(ANN, "How do I sleep, violet otter?")
    say(BOB, "And I?")
    uplift.post("/v1/feedback/" + facts["id"], {"helpful": False, "feedback_text": "too long"}, user=ANN)
    equal(found(""), ["And I?", "How do I sleep, violet otter?"], "searching: the newest first")
    equal(found("?text=VIOLET"), ["How do I sleep, violet otter?"], "searching: by words")
    equal(found("?helpful=false&comment=any&user_id=" + ANN), ["How do I sleep, violet otter?"], "searching: by feedback and user")
    equal(found("?outcome=failed"), [], "searching: by what none has")
    for query, code in (("?rating=9", "invalid_rating"), ("?colour=red", "unknown_argument"), ("?variant=warm", "missing_experiment_id"), ("/x", "invalid_id"), ("/" + BOB, "answer_not_found")):
        equal(uplift.admin("GET", "/admin/answers" + query).error()["code"], code, "searching: " + query)
    equal(uplift.get("/admin/answers", user=ANN).status, 403, "searching: not for users")


def looking():
    one = uplift.admin("GET", "/admin/answers/" + facts["id"]).json()
    contains(one["system_prompt"], "Decibel", "looking: the prompt as it was sent")
    equal([one["outcome"], one["attempts"][0]["provider"] is not None, [e["changes"] for e in one["feedback"]]], ["complete", True, [{"helpful": False, "feedback_text": "too long"}]],
          "looking: how it was made, and its feedback")
    seen = [line["action"] for line in uplift.get("/v1/me/access-log?limit=200", user=ANN).json()["data"]]
    ok("GET /admin/answers/{id}" in seen and "GET /admin/answers" in seen, "looking: its user sees who looked, also in a search", seen)
    actions = [line["action"] for line in uplift.get("/v1/me/access-log?limit=200", user=BOB).json()["data"]]
    equal(set(actions), {"GET /admin/answers"}, "looking: another one what showed theirs alone")
    equal(len(actions), 1, "looking: which the search that found them did, and the one by words did not")


def marking():
    path = "/admin/answers/" + facts["id"]
    uplift.request("PUT", "/v1/preferences", {"training_consent": False}, user=ANN)
    equal(uplift.admin("POST", path + "/mark").error()["code"], "no_training_consent", "marking: not without consent")
    uplift.request("PUT", "/v1/preferences", {"training_consent": True}, user=ANN)
    equal(uplift.admin("POST", path + "/mark", {"note": "a good one"}).json()["training"]["review"], "marked", "marking: with it")
    uplift.job("generate-training-data")
    training = uplift.admin("GET", path).json()["training"]
    equal((training["is_waiting"], [e["dataset"] for e in training["examples"]][:1]), (False, ["User Feedback - Positive Responses"]), "marking: it is an example, though its user did not like it")
    equal(uplift.admin("POST", path + "/reject").json()["training"]["review"], "rejected", "marking: rejected")
    uplift.job("generate-training-data")
    equal([e for e in uplift.admin("GET", path).json()["training"]["examples"] if e["is_in_set"]], [], "marking: it is none any more")
    equal(uplift.admin("DELETE", path + "/review").json()["training"]["review"], None, "marking: taken back")
    equal(uplift.admin("GET", "/admin/log?limit=1").json()["data"][0]["user_id"], ANN, "marking: the log says whose it was")


def exporting():
    uplift.sql(MANY, BOB)
    lines = uplift.admin("GET", "/admin/answers/export?user_id=" + BOB)
    equal((lines.status, lines.headers["Content-Type"], lines.whole), (200, "application/x-ndjson", True), "exporting: lines of JSON")
    rows = [json.loads(line) for line in lines.body.splitlines()]
    equal((len(rows), len({row["id"] for row in rows}), len(rows[-1]["ai_response"])), (3001, 3001, 1920), "exporting: all of them, once, whole, over many pages")
    uplift.sql("update public.coach_response_feedback set feedback_text = '=HYPERLINK(\"x\"), and\r\nmore' where user_id = %s and user_message = 'Number 7'", BOB)
    table = uplift.admin("GET", "/admin/answers/export?format=csv&text=Number%207&comment=any")
    row = next(csv.DictReader(io.StringIO(table.body.decode(), newline="")))
    equal((table.headers["Content-Type"], row["user_message"], row["feedback_text"]), ("text/csv; charset=utf-8", "Number 7", "'=HYPERLINK(\"x\"), and\r\nmore"), "exporting: CSV without formulas")
    for query, code in (("?format=xml", "invalid_format"), ("?limit=5", "unknown_argument"), ("?rating=9", "invalid_rating")):
        equal(uplift.admin("GET", "/admin/answers/export" + query).error()["code"], code, "exporting: " + query)
    equal(uplift.admin("HEAD", "/admin/answers/export").status, 200, "exporting: HEAD")
    connection, response = uplift.open("GET", "/admin/answers/export", token=uplift.admin_token())
    response.close()
    connection.close()
    ok(wait_for(lambda: uplift.value("select count(*) from pg_stat_activity where application_name = 'uplift export' and datname = current_database()") == 0),
       "exporting: one that is not read ends")


def users():
    mine = uplift.get("/v1/me/export", user=ANN).json()
    theirs = uplift.admin("GET", "/admin/users/%s/export" % ANN).json()
    equal((theirs["complete"], theirs["sections"]), (True, mine["sections"]), "users: an admin exports what they get themselves")
    equal(uplift.admin("GET", "/admin/users").json()["data"][0]["object"], "user", "users: those of the last answers")
    one = uplift.admin("GET", "/admin/users/" + ANN).json()
    equal((one["preferences"]["training_consent"], one["conversations"]), (True, 1), "users: one of them")
    equal(uplift.admin("PATCH", "/admin/users/%s/consent" % ANN, {"training_consent": True}).error()["code"], "invalid_training_consent", "users: nobody agrees in another's place")
    equal(uplift.admin("PATCH", "/admin/users/%s/consent" % ANN, {"training_consent": False}).json()["training_consent"], False, "users: consent is withdrawn")
    equal(uplift.get("/v1/preferences", user=ANN).json()["training_consent"], False, "users: which they see")
    equal(len(uplift.admin("GET", "/admin/users/%s/conversations" % ANN).json()["data"]), 1, "users: their conversations")
    equal(uplift.admin("GET", "/admin/users/%s/memories" % ANN).status, 200, "users: their memories")
    ok("PATCH /admin/users/{id}/consent" in [line["action"] for line in uplift.get("/v1/me/access-log", user=ANN).json()["data"]], "users: and that it was done")
    equal(uplift.admin("GET", "/admin/users/" + facts["id"]).error()["code"], "user_not_found", "users: nobody")


def settings():
    changed = uplift.admin("PATCH", "/admin/settings", {"retention.answers_days": 365, "memory.health": "refuse"})
    equal({s["name"]: s["value"] for s in changed.json()["data"] if not s["is_default"] and s["name"] in ("retention.answers_days", "memory.health")}, {"retention.answers_days": 365, "memory.health": "refuse"}, "settings: changed")
    line = uplift.admin("GET", "/admin/log?limit=1").json()["data"][0]
    equal((line["route"], line["named"]), ("/admin/settings", ["memory.health", "retention.answers_days"]), "settings: and noted")
    equal(uplift.admin("PATCH", "/admin/settings", {"memory.health": 1}).error()["code"], "invalid_setting", "settings: what it cannot be")
    privacy = uplift.admin("GET", "/admin/privacy").json()
    answers = next(store for store in privacy["stores"] if store["name"] == "answers")
    equal((answers["table"], answers["retention"]["days"]), ("public.coach_response_feedback", 365), "settings: what is stored where, for how long")
    equal(privacy["looked_last"][0]["route"], "/admin/settings", "settings: and who looked")


facts = {}
with Uplift(batch=True, expected="prematurely closed|export of answers broken off") as uplift:
    run(searching, looking, marking, exporting, users, settings)
done()
