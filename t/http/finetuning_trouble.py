#!/usr/bin/python3
"""Every way a trainer with OpenAI's routes may fail, with what an admin gets to read; and what is sent to it."""

import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from harness import Uplift, wait_for  # noqa: E402
from tap import contains, done, equal, ok  # noqa: E402
from trainer import CUT, Trainer, ask, dataset, ended  # noqa: E402


def bad_trainers(up, trainer):
    """Each with what an admin gets to read."""
    data = dataset(up, "Trainers")

    def run(wanted, code, words):
        job = ended(up, ask(up, dataset_id=data, base_model="tiny-1", trainer="openai", force=True).json())
        equal((job["status"], (job["error"] or {}).get("code")), (wanted, code), words)
        return job

    create = "POST /fine_tuning/jobs"
    trainer.reset(**{create: (403, {"error": {"message": "OpenAI is winding down", "type": "invalid_request_error",
                                              "code": "training_not_available", "param": None}})})
    job = run("failed", "training_not_available", "a trainer that trains no more")
    contains(job["error"]["advice"], "2027-01-06", "and what to do about it")
    for status, error, code in ((401, {"message": "bad key", "code": "invalid_api_key"}, "invalid_api_key"),
                                (404, {"message": "no model", "code": "model_not_found"}, "model_not_found"),
                                (400, {"message": "not fine-tunable", "code": "model_not_available", "param": "model"}, "model_not_available"),
                                (429, {"message": "pay", "type": "insufficient_quota", "code": None}, "insufficient_quota"),
                                (400, "just text", "http_400"), (400, {"code": None, "message": None, "param": None}, "http_400"),
                                (422, {}, "http_422")):
        trainer.reset(**{create: (status, {"error": error})})
        run("failed", code, "%d %s" % (status, error))
        equal(trainer.count("POST", "/fine_tuning/jobs"), 1, "which is not tried again")
    trainer.reset(**{create: (200, b"<html>Welcome</html>")})
    contains(run("failed", "not_json", "a web page")["error"]["advice"], "UPLIFT_TRAINER_URL", "is no trainer")
    trainer.reset(**{create: (200, {})})
    run("failed", "invalid_answer", "an answer that names no job")
    trainer.reset(**{"GET /models/tiny-1": (200, {"id": "tiny-1", "shutdown_date": "2020-01-01"})})
    run("failed", "model_shut_down", "a model that is gone")
    equal(trainer.count("POST", "/files"), 0, "is found out before anything is sent")
    up.sql("delete from uplift.base_models where model = 'tiny-1'")

    for error, code in ((None, "training_failed"), ({}, "training_failed"), ({"code": None, "message": None, "param": None}, "training_failed"),
                        ({"code": "invalid_training_file", "message": "line 3 is bad", "param": "training_file"}, "invalid_training_file")):
        trainer.reset()
        trainer.status, trainer.error = "failed", error
        run("failed", code, "a job that failed with %s" % error)
    trainer.reset()
    trainer.status = "cancelled"
    run("failed", "cancelled_at_trainer", "a job that somebody cancelled at the trainer")
    trainer.reset(**{"GET /fine_tuning/jobs/*": (404, {"error": {"message": "no such job"}})})
    run("failed", "job_vanished", "a job that vanished")

    # What passes.
    trainer.reset()
    trainer.status = "paused_by_moonlight"
    job = ask(up, dataset_id=data, base_model="tiny-1", trainer="openai", force=True).json()
    ok(wait_for(lambda: up.admin("GET", job["status_url"]).json()["external_status"] == "paused_by_moonlight", 20),
       "an unknown status is shown")
    trainer.answers["GET /fine_tuning/jobs/*"] = (503, b"<html>busy</html>")
    ok(wait_for(lambda: (up.admin("GET", job["status_url"]).json()["error"] or {}).get("code") == "not_json", 20), "a trainer that is busy is noted")
    trainer.answers.clear()
    trainer.status, trainer.model = "succeeded", None
    ok(wait_for(lambda: (up.admin("GET", job["status_url"]).json()["error"] or {}).get("code") == "no_model", 20), "so is one without a model")
    trainer.model = "ft:tiny:2"
    job = ended(up, job)
    equal((job["status"], job["model_id"], job["error"]), ("succeeded", "ft:tiny:2", None), "and all is well in the end")

    # Done, but the answer was lost.
    trainer.reset(**{"POST /files": CUT})
    job = ask(up, dataset_id=data, base_model="tiny-1", trainer="openai", force=True).json()
    ok(wait_for(lambda: trainer.count("POST", "/files") == 1, 20), "an upload whose answer is lost")
    trainer.answers.clear()
    trainer.answers[create] = CUT
    ok(wait_for(lambda: trainer.count("POST", "/fine_tuning/jobs") == 1, 40), "is found, and so it goes on")
    trainer.answers.clear()
    equal(ended(up, job)["status"], "succeeded", "to a job whose answer is lost, and that is found, too")
    equal((len(trainer.files), len(trainer.jobs)), (2, 1), "nothing was sent twice")

    # Cancelling reaches it.
    trainer.reset()
    trainer.status = "running"
    job = ask(up, dataset_id=data, base_model="tiny-1", trainer="openai", force=True).json()
    ok(wait_for(lambda: up.admin("GET", job["status_url"]).json()["external_status"] == "running", 20), "a job that runs")
    up.admin("POST", job["status_url"] + "/cancel")
    equal((ended(up, job)["status"], trainer.status), ("cancelled", "cancelled"), "is cancelled at the trainer, too")
    keys = {headers.get("Authorization") for _, _, _, headers in trainer.requests}
    equal(keys, {"Bearer sk-of-trainers"}, "the key goes along")
    ok("sk-of-trainers" not in up.read_log("batch"), "and is not logged")
    sent = [json.loads(body) for method, path, body, _ in trainer.requests if (method, path) == ("POST", "/fine_tuning/jobs")][0]
    equal(sent["metadata"], {"uplift_job": job["id"]}, "the job names ours")

    # Also one that nobody has heard of yet.
    trainer.reset(**{create: CUT})
    job = ask(up, dataset_id=data, base_model="tiny-1", trainer="openai", force=True).json()
    ok(wait_for(lambda: len(trainer.jobs) == 1, 20), "a job whose answer is lost")
    trainer.answers.clear()
    trainer.status = "running"
    up.admin("POST", job["status_url"] + "/cancel")
    equal((ended(up, job)["status"], trainer.status), ("cancelled", "cancelled"), "is looked for, and cancelled")

    # Pairs.
    trainer.reset()
    pairs = dataset(up, "Trainers pairs", "preference")
    job = ended(up, ask(up, dataset_id=pairs, base_model="tiny-1", trainer="openai", hyperparameters={"beta": 0.2}).json())
    sent = [json.loads(body) for method, path, body, _ in trainer.requests if (method, path) == ("POST", "/fine_tuning/jobs")][0]
    equal((job["status"], sent["method"]), ("succeeded", {"type": "dpo", "dpo": {"hyperparameters": {"beta": 0.2}}}), "pairs are trained with DPO")
    uploaded = [body for method, path, body, _ in trainer.requests if (method, path) == ("POST", "/files")][0]
    contains(uploaded.decode(), '"non_preferred_output"', "in the format of OpenAI")


def bad_dates(up, trainer):
    """What a trainer says of one base model keeps none from being asked about."""
    dates = {"tiny-1": "2026-99-99", "tiny-2": "2027-02-30", "tiny-3": "soon", "tiny-4": "2026-06-30", "tiny-5": 7}
    up.sql("update ai_model_versions set base_model = null")
    for model in dates:
        up.sql("insert into ai_model_versions (model_name, version, base_model) values ('checked', %s, %s)", model, model)
    trainer.reset(**{"GET /models/" + model: (200, {"id": model, "shutdown_date": date}) for model, date in dates.items()})
    job = up.job("check-models")
    equal((job["status"], job["result"]["checked"]), ("succeeded", len(dates)), "check-models asks about all of them")
    rows = up.sql("select model, shutdown_date::text from uplift.base_models where model like 'tiny-_' and checked_at is not null order by 1")
    equal({row["model"]: row["shutdown_date"] for row in rows},
          {"tiny-1": None, "tiny-2": None, "tiny-3": None, "tiny-4": "2026-06-30", "tiny-5": None}, "and keeps the dates that there are")


with Trainer() as trainer, Uplift(batch=True, UPLIFT_TRAINER_URL=trainer.url, UPLIFT_CONNECT_TIMEOUT_MS="2s") as up:
    bad_trainers(up, trainer)
    bad_dates(up, trainer)
done()
