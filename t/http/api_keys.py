#!/usr/bin/python3
"""API keys: made once, kept as a hash, with scopes and an end; acting for users; revoked within seconds; known ones go on
while Postgres is away."""

import datetime
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import tap
from harness import Uplift, wait_for

ANN = "00000000-0000-4000-8000-00000000000a"


def make(uplift, status=201, **wish):
    answer = uplift.admin("POST", "/admin/api-keys", wish)
    tap.equal(answer.status, status, "POST /admin/api-keys %s" % (wish.get("name") or wish))
    return answer.json()


def chat(uplift, key, act_for=None, path="/v1/chat", **options):
    return uplift.post(path, {"message": "Hi."}, token=key, headers={"X-Uplift-User": act_for}, **options)


def told(answer):
    return answer.status, None if answer.status < 400 else answer.error()["code"]


def keys_are_secret(uplift, made):
    key = made["key"]
    tap.ok(re.fullmatch(r"upl_[A-Za-z0-9_-]{43}", key), "a key is as the reference says")
    tap.equal(made["prefix"], key[:12], "with the beginning to tell it by")
    listed = uplift.admin("GET", "/admin/api-keys").text + uplift.admin("GET", "/admin/api-keys/" + made["id"]).text
    tap.ok(key not in listed and "key_hash" not in listed, "it is told once")
    rows = repr(uplift.sql("select * from uplift.api_keys"))
    tap.ok(key not in rows, "and not kept")


def acting(uplift, made):
    key = made["key"]
    own = chat(uplift, key)
    tap.equal(str(uplift.row(own.headers["X-Feedback-Id"])["user_id"]), made["user_id"], "its chats are its service user's")
    acted = chat(uplift, key, ANN)
    tap.equal(str(uplift.row(acted.headers["X-Feedback-Id"])["user_id"]), ANN, "or of the user that is named")
    rated = uplift.post("/v1/feedback/" + acted.headers["X-Feedback-Id"], {"helpful": True}, token=key,
                        headers={"X-Uplift-User": ANN})
    tap.equal(rated.status, 200, "whose answers it may rate")
    tap.equal(told(uplift.post("/v1/feedback/" + acted.headers["X-Feedback-Id"], {"helpful": True}, token=key)),
              (404, "answer_not_found"), "but not as itself")
    fresh = chat(uplift, key, "00000000-0000-4000-8000-0000000000f1")
    tap.equal(fresh.status, 200, "a user whom nobody saw before")
    tap.equal(told(chat(uplift, key, "ann")), (400, "invalid_user"), "no user")
    tap.equal(told(uplift.post("/v1/chat", {"message": "Hi."}, user=ANN, headers={"X-Uplift-User": made["user_id"]})),
              (403, "act_not_allowed"), "users act for nobody")


def scopes(uplift):
    reads = make(uplift, name="reads", scopes=["read"])["key"]
    tap.equal(told(chat(uplift, reads)), (403, "scope_missing"), "without scope chat no chats")
    tap.equal(told(uplift.get("/v1/conversations", token=reads)), (200, None), "with read the user's own")
    tap.equal(told(uplift.get("/v1/models", token=reads)), (200, None), "and the models")
    tap.equal(told(uplift.get("/admin/jobs", token=reads)), (403, "admin_required"), "no admin")
    chats = make(uplift, name="chats", scopes=["chat"])
    tap.equal(told(chat(uplift, chats["key"])), (200, None), "with chat chats")
    tap.equal(told(uplift.get("/v1/conversations", token=chats["key"])), (403, "scope_missing"), "and nothing to read")
    tap.equal(told(chat(uplift, chats["key"], ANN)), (403, "act_not_allowed"), "nor acting for users")
    admin = make(uplift, name="admin", scopes=["admin"])["key"]
    tap.equal(told(uplift.get("/admin/jobs", token=admin)), (200, None), "with admin the admin API")
    tap.equal(told(chat(uplift, admin)), (403, "scope_missing"), "and no chats")
    return chats


def ends(uplift, made):
    tap.equal(told(chat(uplift, made["key"][:-1] + ("A" if made["key"][-1] != "A" else "B"))), (401, "invalid_api_key"), "another key")
    for bad in ("upl_", "upl_" + "x" * 42, "upl_" + "x" * 42 + "!", "upl_" + "x" * 5000):
        tap.equal(told(chat(uplift, bad)), (401, "invalid_api_key"), "no key: " + bad[:12])
    path = "/admin/api-keys/" + made["id"]
    tap.equal(uplift.admin("PATCH", path, {"scopes": ["read"], "name": "less"}).json()["scopes"], ["read"], "PATCH takes a scope away")
    tap.ok(wait_for(lambda: chat(uplift, made["key"]).status == 403, 10), "which workers notice")
    tap.equal(uplift.admin("POST", path + "/revoke").json()["state"], "revoked", "revoked")
    tap.ok(wait_for(lambda: told(uplift.get("/v1/conversations", token=made["key"])) == (401, "invalid_api_key"), 10),
           "within seconds it is refused")
    tap.equal(told(uplift.admin("PATCH", path, {"name": "x"})), (409, "api_key_revoked"), "for good")
    soon = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=3)
    short = make(uplift, name="short", scopes=["chat"], expires_at=soon.strftime("%Y-%m-%dT%H:%M:%SZ"))["key"]
    tap.equal(chat(uplift, short).status, 200, "until it ends a key is good")
    tap.ok(wait_for(lambda: told(chat(uplift, short)) == (401, "invalid_api_key"), 10), "then it is not")


def bad_input(uplift):
    for wish, code in [({"scopes": ["chat"]}, "missing_name"), ({"name": "x"}, "invalid_scopes"), ({"name": "x", "scopes": []}, "invalid_scopes"),
                       ({"name": "x", "scopes": ["chat", "everything"]}, "invalid_scopes"), ({"name": "x", "scopes": "chat"}, "invalid_scopes"),
                       ({"name": "x", "scopes": ["chat"], "expires_at": "2020-01-01"}, "invalid_expires_at"),
                       ({"name": "x", "scopes": ["chat"], "user_id": "me"}, "invalid_user_id"), ({"name": 5, "scopes": ["chat"]}, "invalid_name")]:
        answer = uplift.admin("POST", "/admin/api-keys", wish)
        tap.equal(told(answer), (400, code), "refused: %s" % wish)
    tap.equal(told(uplift.post("/admin/api-keys", {"name": "x", "scopes": ["admin"]}, user=ANN)), (403, "admin_required"), "users make none")
    tap.equal(told(uplift.admin("GET", "/admin/api-keys/" + ANN)), (404, "api_key_not_found"), "none of that id")
    tap.equal(told(uplift.admin("GET", "/admin/api-keys?limit=0")), (400, "invalid_limit"), "no page of nothing")
    tap.equal(told(uplift.admin("GET", "/admin/api-keys?after=x")), (400, "invalid_after"), "nor after what is no id")


def pages(uplift):
    everyone = [key["id"] for key in uplift.admin("GET", "/admin/api-keys").json()["data"]]
    seen, after = [], ""
    while after is not None:
        page = uplift.admin("GET", "/admin/api-keys?limit=2" + after).json()
        seen += [key["id"] for key in page["data"]]
        after = "&after=" + seen[-1] if page["has_more"] else None
    tap.ok(len(everyone) > 2, "there are several keys", len(everyone))
    tap.equal(seen, everyone, "page by page all are seen, each once")


def limits(uplift, made):
    uplift.admin("PUT", "/admin/rate-limits", {"scope": "api_key", "key": made["id"], "requests_per_minute": 2})
    tap.equal([chat(uplift, made["key"], ANN).status for _ in range(3)], [200, 200, 429], "a key has a rate of its own, whoever it acts for")
    uplift.admin("DELETE", "/admin/rate-limits?scope=api_key&key=" + made["id"])


def away(uplift, made):
    for _ in range(20):  # so that both workers know it
        chat(uplift, made["key"])
    gone = make(uplift, name="gone", scopes=["chat"])
    for _ in range(20):
        chat(uplift, gone["key"])
    uplift.admin("POST", "/admin/api-keys/" + gone["id"] + "/revoke")
    tap.ok(wait_for(lambda: all(chat(uplift, gone["key"]).status == 401 for _ in range(20)), 15), "all workers know that a key was revoked")
    stranger = make(uplift, name="stranger", scopes=["chat"])["key"]
    with uplift.database_away():
        tap.ok(uplift.ready("degraded"), "Postgres is away")
        tap.equal(told(chat(uplift, made["key"], ANN)), (200, None), "a key that is known goes on")
        tap.equal({told(chat(uplift, gone["key"])) for _ in range(20)}, {(401, "invalid_api_key")}, "one that was revoked stays so")
        tap.equal(told(chat(uplift, stranger)), (503, "database_unavailable"), "one that is not has to wait")
        tap.equal(uplift.post("/v1/chat", {"message": "Hi."}, user=ANN).status, 200, "tokens need nobody")
    tap.ok(uplift.ready("ready"), "Postgres is back")
    tap.ok(wait_for(lambda: chat(uplift, stranger).status == 200, 10), "and so are all keys")


def main():
    with Uplift(batch=True, expected="Postgres|database") as uplift:
        made = make(uplift, name="website", scopes=["chat", "feedback", "read", "act"])
        keys_are_secret(uplift, made)
        acting(uplift, made)
        limits(uplift, made)
        tap.ok(wait_for(lambda: uplift.admin("GET", "/admin/api-keys/" + made["id"]).json()["last_used_at"], 10), "its last use is noted")
        chats = scopes(uplift)
        bad_input(uplift)
        pages(uplift)
        away(uplift, made)
        ends(uplift, chats)
        logs = uplift.read_log() + uplift.read_log("batch") + uplift.read_log("nginx")
        tap.ok(made["key"] not in logs and chats["key"] not in logs, "no log has a key")


main()
tap.done()
