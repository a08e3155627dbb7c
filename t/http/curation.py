#!/usr/bin/python3
"""From thumbs to examples by the API, and what people do with them: look, search, validate, reject, edit, write, freeze,
erase."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from harness import Uplift  # noqa: E402
from tap import contains, done, equal, ok  # noqa: E402

MISSING = "01890000-0000-7000-8000-000000000000"
USERS = ["0000000%d-0000-4000-8000-000000000000" % n for n in range(1, 6)]


def said(role, text, **more):
    return {"role": role, "content": text, **more}


def talk(up):
    """Every user asks twice; most like it. The first one tells a secret, the last one says no to training."""
    up.request("PUT", "/v1/preferences", {"training_consent": False}, user=USERS[4])
    answers = {}
    for number, user in enumerate(USERS):
        for turn in range(2):
            message = "What about number %d-%d%s?" % (number, turn, ", mail me at ann%d@example.com" % number if number == 0 else "")
            chat = up.post("/v1/chat", {"message": message, "coach_id": "coach_maple_avatar"}, user=user).json()
            answers[number, turn] = chat["feedbackId"]
            up.post("/v1/feedback/" + chat["feedbackId"], {"helpful": (number, turn) != (3, 1)}, user=user)
    return answers


def learnt(up, answers):
    job = up.job("generate-training-data")
    equal((job["status"], job["result"]["taken"]), ("succeeded", 10), "feedback is looked at")
    sets = {d["type"]: d for d in up.admin("GET", "/admin/datasets").json()["data"]}
    equal(sets["conversation"]["total_examples"], 7, "what was liked is learnt, but not from who said no")
    equal(sets["unpaired"]["total_examples"], 8, "and what was not, where that can be learnt from")
    again = up.job("generate-training-data")
    equal(again["result"]["taken"], 0, "a second run finds nothing to do")
    listed = up.admin("GET", "/admin/datasets/%s/examples" % sets["conversation"]["id"]).json()["data"]
    text = str(listed)
    ok("[email]" in text and "example.com" not in text, "addresses are gone")
    ok(all(e["tags"][0] == "coach:coach_maple_avatar" and e["quality_score"] == 7 for e in listed), "with tags and quality")
    up.post("/v1/feedback/" + answers[1, 0], {"helpful": None}, user=USERS[1])
    equal(up.job("generate-training-data")["result"]["withdrawn"], 2, "a thumb that is taken back takes its examples back")
    up.post("/v1/feedback/" + answers[1, 0], {"helpful": True}, user=USERS[1])
    up.job("generate-training-data")
    return sets


def looking(up, sets, answers):
    path = "/admin/datasets/%s" % sets["conversation"]["id"]
    one = up.admin("GET", path).json()
    equal((one["quality_histogram"], one["total_examples"]), ([{"quality": 7, "examples": 7}], 7), "a dataset is looked at")
    ok({"tag": "coach:coach_maple_avatar", "examples": 7} in one["tags"], "with its tags")
    page = up.admin("GET", path + "/examples?limit=3").json()
    rest = up.admin("GET", path + "/examples?after=" + page["data"][-1]["id"]).json()
    equal((len(page["data"]), page["has_more"], len(rest["data"]), rest["has_more"]), (3, True, 4, False), "examples come in pages")
    equal((page["next_after"], rest["next_after"]), (page["data"][-1]["id"], None), "which say where to go on")
    equal(len(up.admin("GET", path + "/examples?search=NUMBER%202-1").json()["data"]), 1, "and are searched, in either case")
    equal(up.admin("GET", path + "/examples?search=%25").json()["data"], [], "for what stands there")
    found = up.admin("GET", path + "/examples?answer_id=" + answers[2, 1]).json()["data"]
    equal([e["source_id"] for e in found], [answers[2, 1]], "and found by the answer they are of")
    equal(len(up.admin("GET", path + "/examples?tag=coach:coach_maple_avatar&min_quality=7&max_quality=7").json()["data"]), 7, "by tag and quality")
    equal(up.admin("GET", path + "/examples?review=rejected").json()["data"], [], "and review")
    example = up.admin("GET", "/admin/examples/" + found[0]["id"]).json()
    equal(example["sources"], [{"answer_id": answers[2, 1], "user_id": USERS[2]}], "an example names its sources")
    return found[0]["id"]


def reviewing(up, sets, example_id):
    path = "/admin/datasets/%s" % sets["conversation"]["id"]

    def total():
        return up.admin("GET", path).json()["total_examples"]

    rejected = up.admin("POST", "/admin/examples/%s/reject" % example_id, {"note": "too short"}).json()
    equal((rejected["review"], rejected["is_in_set"], rejected["review_note"], total()), ("rejected", False, "too short", 6),
          "an example is rejected, and out of its set")
    up.sql("insert into uplift.training_queue (answer_id) select source_id from ai_training_examples where id = %s", example_id)
    up.job("generate-training-data")
    equal(total(), 6, "and does not come again with the next run")
    validated = up.admin("POST", "/admin/examples/%s/validate" % example_id).json()
    equal((validated["review"], total()), ("validated", 7), "or validated")
    messages = [said("user", "What is best? Call 030 1234567."), said("assistant", "Walk."), said("user", "Why?"), said("assistant", "Try.", weight=1)]
    edited = up.admin("PATCH", "/admin/examples/" + example_id, {"messages": messages, "quality_score": 9, "tags": ["mine"]}).json()
    equal((edited["id"], edited["quality_score"], edited["tags"]), (example_id, 9, ["mine"]), "an example is edited")
    contains(edited["messages"][0]["content"], "[phone]", "and redacted like all")
    up.sql("insert into uplift.training_queue (answer_id) select source_id from ai_training_examples where id = %s", example_id)
    up.job("generate-training-data")
    equal(up.admin("GET", "/admin/examples/" + example_id).json()["messages"], edited["messages"], "what was edited stays so")
    gone = up.admin("DELETE", "/admin/examples/" + example_id)
    equal((gone.status, gone.error().get("code")), (409, "example_from_feedback"), "feedback's own is not deleted, for it would come again")


def writing(up, sets):
    made = up.admin("POST", "/admin/datasets", {"name": "By hand", "type": "preference"})
    equal((made.status, made.json()["total_examples"]), (201, 0), "a dataset is made")
    equal(up.admin("POST", "/admin/datasets", {"name": "By hand"}).error().get("code"), "dataset_exists", "once")
    path = "/admin/datasets/%s/examples" % made.json()["id"]
    good = {"messages": [said("user", "q")], "completion": [said("assistant", "good")], "rejected": [said("assistant", "bad")]}
    example = up.admin("POST", path, {**good, "split": "test"})
    equal((example.status, example.json()["source_type"], example.json()["split"]), (201, "expert_labeled", "test"), "and written into")
    equal(up.admin("DELETE", "/admin/examples/" + example.json()["id"]).json()["deleted"], True, "which is deleted again")
    conversation = "/admin/datasets/%s/examples" % sets["conversation"]["id"]
    for where, body, code in (
            (path, {}, "invalid_messages"), (path, {**good, "rejected": []}, "invalid_rejected"),
            (path, {**good, "messages": [said("user", "q"), said("assistant", "a")]}, "invalid_messages"),
            (path, {**good, "completion": [said("user", "x")]}, "invalid_completion"), (path, {**good, "label": True}, "invalid_label"),
            (path, {**good, "split": "x"}, "invalid_split"), (path, {**good, "quality_score": 11}, "invalid_quality_score"),
            (path, {**good, "tags": "x"}, "invalid_tags"), (path, {**good, "tags": [1]}, "invalid_tags"),
            (path, {**good, "x": 1}, "unknown_argument"),
            (conversation, {"messages": []}, "invalid_messages"), (conversation, {"messages": [said("user", "q")]}, "invalid_messages"),
            (conversation, {"messages": [said("system", None), said("assistant", "a")]}, "invalid_messages"),
            (conversation, {"messages": [said("robot", "q"), said("assistant", "a")]}, "invalid_messages"),
            (conversation, {"messages": [said("user", "q"), said("assistant", "a", weight=0)]}, "invalid_messages"),
            (conversation, {"messages": [said("user", "q", weight=1), said("assistant", "a")]}, "invalid_messages"),
            (conversation, {"messages": [said("user", "q"), said("assistant", "a", name="x")]}, "invalid_messages"),
            (conversation, {"messages": [said("user", " \u00a0\n"), said("assistant", "a")]}, "invalid_messages"),
            (conversation, {"messages": [said("user", "q"), said("assistant", "\u2003")]}, "invalid_messages"),
            (conversation, {"messages": [said("user", "q"), said("assistant", "a"), said("system", "s"), said("user", "q"), said("assistant", "a")]}, "invalid_messages"),
            (conversation, {"messages": [said("system", "s"), said("developer", "s"), said("user", "q"), said("assistant", "a")]}, "invalid_messages"),
            (conversation, {"messages": [said("user", "q"), said("user", "q2"), said("assistant", "a")]}, "invalid_messages"),
            (conversation, {"messages": [said("user", "q"), said("assistant", "a"), said("assistant", "b")]}, "invalid_messages"),
            (conversation, {"messages": [said("system", "s"), said("assistant", "a")]}, "invalid_messages"),
            (conversation, {"messages": [said("user", "q"), said("assistant", "a"), said("user", "r")]}, "invalid_messages"),
            (path, {**good, "messages": [said("system", "s")]}, "invalid_messages"),
            (path, {**good, "rejected": [said("assistant", "GOOD\u00a0")]}, "invalid_rejected"),
            (conversation, {"messages": "x"}, "invalid_messages"), (conversation, {**good, "messages": [said("user", "q"), said("assistant", "a")]}, "invalid_completion"),
            ("/admin/datasets/%s/examples" % MISSING, good, "dataset_not_found"),
            ("/admin/datasets", {}, "invalid_name"), ("/admin/datasets", {"name": "x", "type": "y"}, "invalid_type"),
            ("/admin/datasets/%s/versions" % MISSING, {}, "dataset_not_found"),
            ("/admin/datasets/%s/versions" % sets["conversation"]["id"], {"min_quality": 11}, "invalid_min_quality"),
            ("/admin/examples/%s/reject" % MISSING, {}, "example_not_found"), ("/admin/examples/%s/validate" % MISSING, {"x": 1}, "example_not_found")):
        answer = up.admin("POST", where, body)
        equal(answer.error().get("code"), code, "%s %s" % (where.split("/")[-1], body))
    for messages, reason in (([said("user", "q"), said("assistant", " ")], "messages[1] is blank"),
                             ([said("user", "q"), said("user", "q"), said("assistant", "a")], "messages[1] follows another message of the user"),
                             ([said("user", "q"), said("assistant", "a"), said("system", "s")], "instructions stand once, at the beginning")):
        contains(up.admin("POST", conversation, {"messages": messages}).error().get("message"), reason, "refused with the reason: " + reason)
    for query, code in (("limit=0", "invalid_limit"), ("split=x", "invalid_split"), ("review=x", "invalid_review"), ("search=", "invalid_search"),
                        ("min_quality=x", "invalid_min_quality"), ("answer_id=x", "invalid_answer_id"), ("x=1", "unknown_argument")):
        equal(up.admin("GET", conversation + "?" + query).error().get("code"), code, "examples?" + query)
    for path in ("/admin/datasets/" + MISSING, "/admin/examples/" + MISSING, "/admin/dataset-versions/" + MISSING):
        equal(up.admin("GET", path).status, 404, path)
    equal(up.admin("PATCH", "/admin/examples/" + MISSING, {"tags": []}).status, 404, "nothing to edit")


def versions(up, sets, example_id):
    path = "/admin/datasets/%s/versions" % sets["conversation"]["id"]
    version = up.admin("POST", path, {"note": "before the summer"}).json()
    equal((version["version"], version["total_examples"]), (1, 7), "a dataset is frozen")
    edited = up.admin("PATCH", "/admin/examples/" + example_id, {"messages": [said("user", "q"), said("assistant", "a")]}).json()
    ok(edited["id"] != example_id, "what a version names is not edited, but replaced")
    old = up.admin("GET", "/admin/examples/" + example_id).json()
    equal((old["is_in_set"], old["versions"][0]["version"]), (False, 1), "the old one stays for the version")
    equal(up.admin("PATCH", "/admin/examples/" + example_id, {"tags": []}).error().get("code"), "example_withdrawn", "as it is")
    equal(up.admin("GET", path).json()["data"][0]["id"], version["id"], "versions are listed")
    users = up.admin("GET", "/admin/dataset-versions/%s/users" % version["id"]).json()["data"]
    equal({u["user_id"] for u in users}, set(USERS[:4]), "a version names whose data is in it")
    erased = up.admin("POST", "/admin/users/%s/erase-training-data" % USERS[2]).json()
    ok(erased["examples"] >= 3, "a person is erased")
    after = up.admin("GET", "/admin/dataset-versions/" + version["id"]).json()
    equal((after["missing_examples"], after["users"]), (2, 3), "also from versions, which say how many are gone")
    up.job("generate-training-data")
    equal(up.sql("select count(*) as n from uplift.training_example_sources where user_id = %s", USERS[2])[0]["n"], 0,
          "and nothing of theirs comes again")


def main():
    with Uplift(batch=True) as up:
        answers = talk(up)
        sets = learnt(up, answers)
        example_id = looking(up, sets, answers)
        reviewing(up, sets, example_id)
        writing(up, sets)
        versions(up, sets, example_id)
    done()


main()
