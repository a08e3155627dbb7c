#!/usr/bin/python3
"""Coaches made, changed, tried, brought back and retired by URL, as users meet them."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

from harness import USER, Uplift  # noqa: E402
from tap import contains, done, equal, ok, run  # noqa: E402

FERN = "/admin/coaches/coach_fern"
PERSONALITY = "You are Fern, who answers like a gardener."


def put(body, path=FERN):
    return uplift.admin("PUT", path, body)


def chat(**more):
    return uplift.post("/v1/chat", {"message": "Hello", "coach_id": "coach_fern", **more})


def made():
    equal(uplift.admin("GET", FERN).error()["code"], "coach_not_found", "made: at first there is none")
    equal(chat().error()["code"], "coach_not_found", "made: and nobody talks to it")
    coach = put({"name": "Fern", "personality": PERSONALITY, "description": "Grows things."})
    equal(coach.status, 200, "made: by URL")
    coach = coach.json()
    equal([coach[k] for k in ("object", "id", "name", "description", "personality", "avatar_url", "is_offered", "is_default")],
          ["coach", "coach_fern", "Fern", "Grows things.", PERSONALITY, None, True, False], "made: as it was said")
    ok("coach_fern" in [c["id"] for c in uplift.get("/v1/coaches").json()["data"]], "made: users may choose it at once")
    answer = chat()
    contains(uplift.row(answer.headers["X-Feedback-Id"])["system_prompt"], PERSONALITY, "made: and its prompt is what was said")
    equal(put({"name": "Iris", "personality": "You are Iris."}, "/admin/coaches/iris").json()["is_offered"], True, "made: its id need not begin with coach_")


def changed():
    put({"personality": PERSONALITY + " Be brief."})
    contains(uplift.row(chat().headers["X-Feedback-Id"])["system_prompt"], "gardener. Be brief.", "changed: from the next chat on")
    equal([put({}).status, put({"personality": PERSONALITY + " Be brief."}).status], [200, 200], "changed: what changes nothing is all right")
    versions = uplift.admin("GET", FERN + "/versions").json()["data"]
    equal([v["personality"][len(PERSONALITY):] for v in versions], [" Be brief.", ""], "changed: what it was like is kept, and nothing that changed nothing")
    page = uplift.admin("GET", FERN + "/versions?limit=1").json()
    equal((len(page["data"]), page["has_more"]), (1, True), "changed: in pages")
    back = put({"version_id": versions[1]["id"], "description": "Back."}).json()
    equal((back["personality"], back["description"]), (PERSONALITY, "Back."), "changed: and can be brought back")
    put({"description": None})
    equal(uplift.admin("GET", FERN).json()["description"], None, "changed: a description can be taken away")
    # One that was there before, made by SQL.
    first = uplift.admin("GET", "/admin/coaches/coach_maple_avatar").json()
    put({"name": "Maple II"}, "/admin/coaches/coach_maple_avatar")
    was = uplift.admin("GET", "/admin/coaches/coach_maple_avatar/versions").json()["data"]
    equal([(v["name"], v["made_by"] is None) for v in was], [("Maple II", False), (first["name"], True)], "changed: also what was there before the first change")


def tried():
    preview = uplift.admin("POST", FERN + "/preview", {"personality": "You are Fern, who shouts.", "severity": 5.0, "mode": "roast"}).json()
    for words in ("You are Fern", "who shouts.", "intense", "# Mode: roast"):
        contains(preview["system_prompt"], words, "tried: its prompt")
    equal(uplift.admin("GET", FERN).json()["personality"], PERSONALITY, "tried: and nothing is changed")
    equal(uplift.admin("POST", "/admin/coaches/nobody/preview", {"name": "N", "personality": "You are N."}).status, 200, "tried: also before there is one")


def retired():
    equal(uplift.admin("DELETE", FERN).json()["is_offered"], False, "retired")
    ok("coach_fern" not in [c["id"] for c in uplift.get("/v1/coaches").json()["data"]], "retired: nobody may choose it")
    equal(chat().error()["code"], "coach_not_found", "retired: nor name it")
    equal([c["id"] for c in uplift.admin("GET", "/admin/coaches?is_offered=false").json()["data"]], ["coach_fern"], "retired: admins see it")
    ok(uplift.sql("select 1 from public.coach_response_feedback where coach_id = 'coach_fern' and user_id = %s", USER), "retired: what it said stays")
    equal(put({"is_offered": True}).json()["is_offered"], True, "retired: and it may come back")
    equal(uplift.admin("DELETE", "/admin/coaches/nobody").error()["code"], "coach_not_found", "retired: not who never was")


def refused():
    uplift.sql("insert into public.brand_assets (asset_name, asset_type) values ('logo', 'image')")
    for path, body, code, param in (
            ("/admin/coaches/coach_new", {"personality": "x"}, "missing_name", "name"), ("/admin/coaches/coach_new", {"name": "x"}, "missing_personality", "personality"),
            (FERN, {"personality": ""}, "invalid_personality", "personality"), (FERN, {"personality": "   "}, "invalid_personality", "personality"),
            (FERN, {"personality": "x" * 20001}, "invalid_personality", "personality"), (FERN, {"name": 5}, "invalid_name", "name"),
            (FERN, {"name": "x" * 101}, "invalid_name", "name"), (FERN, {"description": "x" * 501}, "invalid_description", "description"),
            (FERN, {"avatar_url": "x" * 2001}, "invalid_avatar_url", "avatar_url"), (FERN, {"is_offered": "yes"}, "invalid_is_offered", "is_offered"),
            (FERN, {"version_id": "1"}, "invalid_version_id", "version_id"), (FERN, {"colour": "green"}, "unknown_argument", "colour"),
            (FERN, {"version_id": "01890000-0000-7000-8000-000000000000"}, "version_not_found", "version_id"),
            ("/admin/coaches/.hidden", {"name": "x", "personality": "x"}, "invalid_id", "id"), ("/admin/coaches/logo", {"name": "x", "personality": "x"}, "name_taken", "id")):
        error = put(body, path).error()
        equal((error.get("code"), error.get("param")), (code, param), "refused: %s of %s" % (code, path.rpartition("/")[2]))
    for body, code in (({"severity": 7}, "invalid_severity"), ({"mode": "shout"}, "invalid_mode"), ({"x": 1}, "unknown_argument")):
        equal(uplift.admin("POST", FERN + "/preview", body).error().get("code"), code, "refused: preview, " + code)
    equal(uplift.admin("POST", "/admin/coaches/nobody/preview", {}).error().get("code"), "missing_personality", "refused: preview of nothing")
    equal(uplift.request("PUT", FERN, {"name": "Mine"}).status, 403, "refused: users")


with Uplift(batch=True) as uplift:
    run(made, changed, tried, retired, refused)
done()
