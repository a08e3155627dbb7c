#!/usr/bin/python3
"""A provider that fails only for one variant: a rollout of it is rolled back by itself, an experiment with it paused."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from harness import Uplift  # noqa: E402
from tap import done, equal, ok  # noqa: E402

FAILING = "sim-fault-status-404"  # a model that the provider does not have, say
USERS = ["74000000-0000-4000-8000-%012d" % n for n in range(1, 161)]


def chat(up):
    """Every user asks once; how many were answered."""
    return sum(up.post("/v1/chat", {"message": "How do I go on?"}, user=user).status == 200 for user in USERS)


def rolled_back(up):
    made = up.admin("POST", "/admin/rollouts", {"name": "another model", "changes": {"model": FAILING}, "stages": [0.5], "min_stage_hours": 0, "min_users": 10})
    equal(made.status, 201, "a rollout begins")
    answered = chat(up)
    ok(50 <= answered <= 110, "half of the users are not answered", answered)
    equal(up.job("watch-rollouts")["status"], "succeeded", "it is looked at")
    rollout = up.admin("GET", "/admin/rollouts/" + made.json()["id"]).json()
    equal((rollout["status"], rollout["reason"]), ("rolled_back", "the guardrail is crossed for errors"), "and rolled back, though nobody of production was failed")
    equal(chat(up), len(USERS), "then all are answered")


def paused(up):
    made = up.admin("POST", "/admin/experiments", {
        "experiment_name": "Another model", "success_metric": "thumbs_up_rate", "min_users": 10, "control_variant": {"variant_name": "as it is"},
        "test_variants": [{"variant_name": "another", "model": FAILING}], "guardrails": [{"metric": "errors", "max_worse": 0.5}]}).json()
    own = "/admin/experiments/" + made["id"]
    equal(up.admin("POST", own + "/start", {}).json()["status"], "running", "an experiment begins")
    chat(up)
    up.job("measure-experiments")
    found = up.admin("GET", own).json()
    equal((found["status"], found["status_reason"][:37]), ("paused", "guardrail errors: variant \"another\" has"[:37]), "and is paused")
    equal(chat(up), len(USERS), "then all are answered")


def main():
    with Uplift(batch=True, expected="404|no_such|fault|provider") as up:
        rolled_back(up)
        paused(up)
    done()


main()
