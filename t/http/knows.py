#!/usr/bin/python3
"""What the coach knows, as the README's five minutes show it: a memory used and forgotten, a passage of an earlier
conversation, a source that is cited, a liked answer as an example for another user, a preference from a comment."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

from harness import Uplift  # noqa: E402
from process import wait_for  # noqa: E402
from tap import contains, done, equal, like, ok, run  # noqa: E402

ANN, BOB = ("00000000-0000-4000-8000-0000000000%02d" % n for n in (61, 62))
COACH = "coach_maple_avatar"


def say(message, user=ANN, **more):
    answer = uplift.post("/v1/chat", dict({"message": message, "coach_id": COACH}, **more), user=user)
    equal(answer.status, 200, "said: " + message[:60])
    return answer.json()


def soon(check, name):
    ok(wait_for(check, 20), name)


def row(answer):
    return uplift.row(answer["feedbackId"])


def prompt(answer):
    return row(answer)["personal_prompt"] or ""


def memory():
    first = say("I want to run a half marathon in May. How do I begin?")
    soon(lambda: uplift.get("/v1/memories", user=ANN).json()["data"], "a memory is learnt")
    memory_id = uplift.get("/v1/memories", user=ANN).json()["data"][0]["id"]
    answer = say("What do you know about me?")
    contains(answer["message"], "I want to run a half marathon in May", "memory: the coach knows it")
    equal(row(answer)["memory_ids"], "{%s}" % memory_id, "memory: and the answer says which it used")
    equal(uplift.request("DELETE", "/v1/memories/" + memory_id, user=ANN).status, 204, "memory: forgotten")
    answer = say("What do you know about me?")
    ok("half marathon" not in prompt(answer).split("# Earlier")[0], "memory: and known no longer", prompt(answer))
    return first


def passage(first):
    soon(lambda: uplift.value("select count(*) from uplift.passages p where p.answer_id = %s", first["feedbackId"]), "what was said can be found")
    answer = say("Which shoes should I buy for the half marathon that I train for?")
    contains(answer["message"], "Today you told me", "passage: the coach says when it was said")
    contains(row(answer)["passage_ids"], first["feedbackId"], "passage: and the answer which it was")
    same = say("And what about socks for the half marathon?", conversation_id=first["conversation_id"])
    ok(first["feedbackId"] not in (row(same)["passage_ids"] or ""), "passage: not of the conversation itself, which goes along anyway")
    answer = say("Which shoes should I buy for the half marathon that I train for?", user=BOB)
    ok("you told me" not in answer["message"], "passage: nobody else's")


def citation():
    answer = say("How much protein should my breakfast have?", user=BOB)
    contains(answer["message"], "[1]", "citation: the answer names its source")
    equal([(c["number"], c["title"]) for c in answer["citations"]], [(1, "Protein at breakfast")], "citation: which comes with it")
    anew = uplift.post("/v1/chat", {"regenerate_of": answer["feedbackId"], "coach_id": COACH}, user=BOB)
    equal((anew.status, [c["title"] for c in anew.json()["citations"]]), (200, ["Protein at breakfast"]), "citation: and is found again for a new answer, which the message is not sent for")


def example():
    def asked():
        return say("Do I sleep enough?", user=BOB)
    equal(row(asked())["example_ids"], None, "example: none at first")
    liked = say("How do I sleep better?")
    equal(uplift.request("PUT", "/v1/preferences", {"training_consent": True}, user=ANN).status, 200, "example: its user agrees")
    equal(uplift.post("/v1/feedback/" + liked["feedbackId"], {"helpful": True}, user=ANN).status, 200, "example: and gives a thumb up")
    answer = asked()
    equal(row(answer)["example_ids"], "{%s}" % liked["feedbackId"], "example: the very next similar answer has it")
    contains(answer["message"], "What has helped others", "example: and draws on it")
    ok('helped others: "(Simulated' not in answer["message"], "example: on what it says, and not on its remark that it is simulated", answer["message"])
    ok("How do I sleep" not in prompt(answer), "example: without the other user's words", prompt(answer))
    equal(uplift.post("/v1/feedback/" + liked["feedbackId"], {"helpful": None}, user=ANN).status, 200, "example: the thumb is taken back")
    equal(row(asked())["example_ids"], None, "example: and it is gone from the next")


def preference():
    before = say("How do I get over a bad week of training?", user=BOB)
    equal(uplift.post("/v1/feedback/" + before["feedbackId"], {"feedback_text": "Too long, keep it short please."}, user=BOB).status, 200, "a comment")
    after = say("How do I get over a bad week of training?", user=BOB)
    like(after["message"], "Just this: ", "preference: the next answer is short")
    ok(len(after["message"]) < len(before["message"]) / 2, "preference: much shorter")


def journey():
    first = memory()
    passage(first)


with Uplift(search=True) as uplift:
    soon(lambda: "search" not in uplift.get("/readyz").json(), "the copies are there")
    run(journey, citation, example, preference)
done()
