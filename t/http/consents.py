#!/usr/bin/python3
"""The switches of a user's consent, memory, training and experiments: by route, and in effect on the very next request."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from harness import Uplift, wait_for  # noqa: E402
from tap import done, equal, ok  # noqa: E402

ANN, BOB, CLEO = ("00000000-0000-4000-8000-0000000000%s1" % c for c in "abc")
COACH = "coach_maple_avatar"


def say(message, user=ANN):
    return uplift.post("/v1/chat", {"message": message, "coach_id": COACH}, user=user).json()


def row(answer):
    return uplift.row(answer["feedbackId"])


def choose(user=ANN, **choice):
    answer = uplift.request("PUT", "/v1/preferences", choice, user=user)
    equal([answer.json().get(name) for name in choice], list(choice.values()), "chosen: %s" % choice)


def remembered():
    return [memory["text"] for memory in uplift.get("/v1/memories", user=ANN).json()["data"]]


def memory():
    say("I want to run a marathon in May.")
    ok(wait_for(remembered), "memory: what is said is remembered")
    ok(row(say("How do I train for a marathon?"))["memory_ids"], "memory: and used")
    choose(memory_enabled=False)
    off = row(say("How do I train for a marathon?"))
    equal((off["memory_ids"], off["passage_ids"]), (None, None), "memory: off, and the next answer is made without")
    say("I hate running in the rain.")
    choose(memory_enabled=True)
    ok(row(say("How do I train for a marathon?"))["memory_ids"], "memory: on, and the next has it again")
    say("I want to sleep eight hours.")
    ok(wait_for(lambda: "I want to sleep eight hours" in remembered()), "memory: what is said later is remembered")
    equal(sorted(remembered()), ["I want to run a marathon in May", "I want to sleep eight hours"], "memory: what was said while it was off is not learnt")


def experiments():
    made = uplift.admin("POST", "/admin/experiments", {
        "experiment_name": "Warmer", "success_metric": "thumbs_up_rate", "min_users": 2,
        "control_variant": {"variant_name": "as it is"}, "test_variants": [{"variant_name": "warm", "prompt_suffix": "Be warm."}]})
    equal(uplift.admin("POST", "/admin/experiments/%s/start" % made.json()["id"], {}).status, 200, "experiments: one runs")
    ok(row(say("Hello."))["exposures"], "experiments: and the user is in it")
    choose(experiments_enabled=False)
    equal(row(say("Hello."))["exposures"], None, "experiments: off, and the next answer is in none")
    choose(experiments_enabled=True)
    ok(row(say("Hello."))["exposures"], "experiments: on, and the next is")


def training():
    def examples():
        return uplift.value("select count(*) from public.ai_training_examples where source_id = %s and withdrawn_at is null", liked["feedbackId"])

    choose(CLEO, training_consent=True)
    liked = say("How do I sleep better?", user=CLEO)
    equal(uplift.post("/v1/feedback/" + liked["feedbackId"], {"helpful": True}, user=CLEO).status, 200, "training: a thumb up")
    equal(row(say("Do I sleep enough?", user=BOB))["example_ids"], "{%s}" % liked["feedbackId"], "training: what is liked serves others")
    uplift.job("generate-training-data")
    ok(examples() > 0, "training: and may train models")
    choose(CLEO, training_consent=False)
    equal(row(say("Do I sleep enough?", user=BOB))["example_ids"], None, "training: off, and the next answer is made without")
    uplift.job("generate-training-data")
    equal(examples(), 0, "training: nor does it train any more")


with Uplift(search=True) as uplift:
    ok(wait_for(lambda: "search" not in uplift.get("/readyz").json()), "the copies are there")
    uplift.start_batch()
    memory()
    training()
    experiments()
done()
