#!/usr/bin/python3
"""What admins do and look at is noted before it is done: for admins to search, and for the users whose data it was."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

from harness import Uplift  # noqa: E402
from tap import done, equal, ok, run  # noqa: E402
from trainer import dataset  # noqa: E402

ANN, BOB = ("00000000-0000-4000-8000-0000000000%02d" % n for n in (91, 92))
ADAM = "00000000-0000-4000-8000-0000000000ad"


def log(query=""):
    answer = uplift.admin("GET", "/admin/log" + query)
    equal(answer.status, 200, "log" + query)
    return answer.json()["data"]


def mine(user, query=""):
    return uplift.get("/v1/me/access-log" + query, user=user).json()


def as_adam(method, path, body=None):
    return uplift.request(method, path, body, token=uplift.token(ADAM, app_metadata={"role": "admin"}))


def changes():
    as_adam("PUT", "/admin/coaches/coach_fern", {"name": "Fern", "personality": "You are Fern, a secret."})
    as_adam("GET", "/admin/coaches/coach_fern")
    as_adam("GET", "/admin/datasets")
    line = log()[0]
    equal([line[k] for k in ("object", "who", "method", "route", "subject", "user_id", "named")],
          ["admin_action", ADAM, "PUT", "/admin/coaches/{name}", "coach_fern", None, ["name", "personality"]], "changes: who changed what, not to what")
    ok(line["request_id"], "changes: and in which request")
    equal(len(log()), 1, "changes: looking at what nobody said is no matter")
    equal(as_adam("PUT", "/admin/coaches/coach_fern", {"name": ""}).status, 400, "changes: one that is refused")
    equal(len(log()), 2, "changes: is noted, too")
    as_adam("POST", "/admin/coaches/coach_fern/preview", "no JSON")
    equal(log()[0]["named"], [], "changes: also one that cannot be read")
    equal(uplift.request("PUT", "/admin/coaches/coach_fern", {"name": "Mine"}, user=BOB).status, 403, "changes: users may do none")
    equal(len(log()), 3, "changes: and fill no log")


def reading():
    data = dataset(uplift, "Read")
    example = uplift.value("select id from public.ai_training_examples where dataset_id = %s limit 1", data)
    uplift.sql("insert into auth.users (id) values (%s), (%s) on conflict do nothing", ANN, BOB)
    uplift.sql("insert into uplift.training_example_sources (example_id, position, answer_id, user_id) values (%s, 9, gen_random_uuid(), %s)", example, ANN)
    equal(mine(ANN), {"object": "list", "data": [], "has_more": False}, "reading: nobody looked at Ann's yet")
    as_adam("GET", "/admin/examples/" + example)
    as_adam("GET", "/admin/datasets/%s/examples" % data)
    as_adam("GET", "/admin/datasets/%s/export?format=openai" % data)
    told = mine(ANN)["data"]
    equal([(line["who"], line["action"]) for line in told],
          [(ADAM, "GET " + path) for path in ("/admin/datasets/{id}/export", "/admin/datasets/{id}/examples", "/admin/examples/{id}")],
          "reading: Ann sees who looked at an example, a set and an export with something of hers")
    uplift.job("export-dataset", {"dataset": "Read", "name": "read.jsonl"})
    equal((mine(ANN)["data"][0]["action"], log()[0]["about"]), ("POST /admin/jobs/{name}", data), "reading: also by a job, that names the set in its arguments")
    told = mine(ANN)["data"]
    equal(mine(BOB)["data"], [], "reading: Bob, of whom nothing is in it, does not")
    page = mine(ANN, "?limit=1")
    equal((len(page["data"]), page["has_more"]), (1, True), "reading: in pages")
    equal([line["id"] for line in mine(ANN, "?before=" + page["data"][0]["id"])["data"]], [line["id"] for line in told[1:]], "reading: which go on")
    for query, code in (("?limit=0", "invalid_limit"), ("?before=x", "invalid_before")):
        equal(uplift.get("/v1/me/access-log" + query, user=ANN).error()["code"], code, "reading: " + query)


def about_somebody():
    as_adam("POST", "/admin/api-keys", {"name": "k", "scopes": ["chat"], "user_id": BOB})
    as_adam("POST", "/admin/users/%s/erase-training-data" % BOB)
    equal([line["action"] for line in mine(BOB)["data"]], ["POST /admin/users/{id}/erase-training-data", "POST /admin/api-keys"], "about somebody: who is named sees it")
    equal(len(log("?user_id=" + BOB)), 2, "about somebody: and admins find it")
    equal({line["who"] for line in log("?who=%s&method=post&route=/admin/users&limit=10" % ADAM)}, {ADAM}, "about somebody: by who, how and what")
    equal(len(log("?subject=coach_fern&limit=2")), 2, "about somebody: or by its subject")
    first = log("?limit=1")[0]
    ok(first["id"] not in [line["id"] for line in log("?after=" + first["id"])], "about somebody: in pages")
    equal(log("?until=2000-01-01T00:00:00Z"), [], "about somebody: of some time")
    for query, code in (("?limit=x", "invalid_limit"), ("?after=x", "invalid_after"), ("?since=x", "invalid_since"), ("?colour=x", "unknown_argument")):
        equal(uplift.admin("GET", "/admin/log" + query).error()["code"], code, "about somebody: " + query)
    as_adam("DELETE", "/admin/users/" + BOB)
    equal((mine(BOB)["data"], log("?user_id=" + BOB)), ([], []), "about somebody: an erasure takes the name out")
    ok(all(BOB not in str(line) for line in log("?limit=200")), "about somebody: everywhere")
    ok("DELETE" in [line["method"] for line in log("?limit=5")], "about somebody: and itself stays noted")


def kept():
    for statement in ("delete from uplift.admin_log", "update uplift.admin_log set who = 'nobody'"):
        ok("permission denied" in uplift.cluster.psql(uplift.database, sql=statement, user="uplift_batch").stderr, "kept: no program can " + statement)
    uplift.sql("alter table uplift.admin_log rename to elsewhere")
    equal(as_adam("DELETE", "/admin/coaches/coach_fern").status, 500, "kept: what cannot be noted is not done")
    uplift.sql("alter table uplift.elsewhere rename to admin_log")
    equal(as_adam("GET", "/admin/coaches/coach_fern").json()["is_offered"], True, "kept: it was not")


with Uplift(batch=True, expected="note_admin|admin_log") as uplift:
    run(changes, reading, about_somebody, kept)
done()
