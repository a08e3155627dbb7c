#!/usr/bin/python3
"""fcgi-batch is killed at each step of a fine-tuning run: it goes on, uploads each file once, submits one job, and makes
one model version."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from harness import Uplift, wait_for  # noqa: E402
from tap import done, equal, ok  # noqa: E402
from trainer import CUT, Trainer, dataset  # noqa: E402

STEPS = ("GET /models/tiny-1", "POST /files", "POST /fine_tuning/jobs", "GET /fine_tuning/jobs/*",
         "GET /fine_tuning/jobs/*/events", "GET /fine_tuning/jobs/*/checkpoints")


def killed_at(up, trainer, data, step, when):
    """when: before the trainer does what it is asked, or after, so that nobody hears of it; number: of the request."""
    killed = []

    def kill(path, body):
        if killed:
            return None
        killed.append(path)
        if when == "before":
            trainer.answers[step] = (503, {"error": {"message": "not now"}})
        up.kill_batch()
        return CUT if when == "after" else (503, {"error": {"message": "not now"}})

    trainer.reset(**{step: kill})
    job = up.admin("POST", "/admin/finetuning-jobs", {"dataset_id": data, "base_model": "tiny-1", "trainer": "openai",
                                                      "force": True}).json()
    ok(wait_for(lambda: killed and up.batch is None, 30), "killed %s %s" % (when, step))
    trainer.answers.clear()
    up.start_batch()
    ended = up.await_job(job["batch_job_id"])
    equal(ended["status"], "succeeded", "it is gone on with")
    equal((trainer.count("POST", "/files"), len(trainer.files)), (2 + (step == "POST /files" and when == "before"), 2),
          "each file is there once")
    equal(len(trainer.jobs), 1, "one job was submitted")
    equal(up.sql("select count(*) as n from ai_model_versions where finetuning_job_id = %s", job["id"])[0]["n"], 1,
          "and one model version made")


def main():
    with Trainer() as trainer, Uplift(batch=True, UPLIFT_TRAINER_URL=trainer.url, UPLIFT_BATCH_LEASE_MS="500ms",
                                      expected="upstream|Connection refused") as up:
        data = dataset(up, "Killed")
        for step in STEPS:
            for when in ("before", "after"):
                killed_at(up, trainer, data, step, when)
    done()


main()
