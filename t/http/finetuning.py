#!/usr/bin/python3
"""From a dataset to a model that chats use: the whole arrow against the simulator, every way a trainer may fail,
and the way back."""

import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from harness import Uplift, wait_for  # noqa: E402
from tap import contains, done, equal, ok  # noqa: E402
from trainer import CUT, Trainer, ask, dataset, ended  # noqa: E402

MISSING = "01890000-0000-7000-8000-000000000000"


def whole_arrow(up):
    data = dataset(up, "Arrow")
    answer = ask(up, dataset_id=data, base_model="sim-1", suffix="arrow", hyperparameters={"n_epochs": 2})
    job = answer.json()
    equal(answer.status, 202, "a fine-tuning run is asked for by URL")
    equal((job["status"], job["method"]), ("pending", "supervised"), "with the method that fits the examples")
    ok(job["estimated_tokens"] > 0 and job["estimated_cost"] is None, "tokens are estimated, costs only where a price is known")
    up.sql("insert into uplift.training_prices (model, per_million_tokens) values ('sim-1', 10)")
    job = ended(up, job)
    equal((job["status"], job["external_status"], job["progress_percentage"]), ("succeeded", "succeeded", 100), "it is trained")
    ok(job["model_id"].startswith("ft:sim-1:simulated:arrow:"), "and has a name")
    ok(job["actual_cost"] > 0 and job["trained_tokens"] > 0, "and what it cost")
    curve = job["loss_curve"]
    ok(len(curve) > 3 and curve[0]["training_loss"] > curve[-1]["training_loss"], "its loss curve falls")
    ok(job["final_metrics"]["train_loss"] > 0, "with metrics of the last checkpoint")
    events = up.admin("GET", job["status_url"] + "/events").json()["data"]
    contains(" ".join(e["message"] for e in events), "successfully completed", "what the trainer said is kept")
    page = up.admin("GET", job["status_url"] + "/events?limit=2&after=%d" % events[0]["id"]).json()
    equal([e["id"] for e in page["data"]], [e["id"] for e in events[1:3]], "in pages")
    version = up.admin("GET", "/admin/model-versions/" + job["model_version_id"]).json()
    equal((version["model_name"], version["version"], version["deployment_environment"], version["is_deployed"]),
          ("arrow", "v1", "staging", False), "a model version is made, in staging")
    equal((version["finetuning_job_id"], version["dataset_version_id"], version["base_model"]),
          (job["id"], job["dataset_version_id"], "sim-1"), "with its lineage")
    ok(job["id"] in [j["id"] for j in up.admin("GET", "/admin/finetuning-jobs?status=succeeded").json()["data"]], "it is listed")

    equal(ask(up, dataset_id=data, base_model="sim-1").error().get("code"), "not_ready", "another one so soon is refused")
    contains(ask(up, dataset_id=data, base_model="sim-1").error().get("message"), "30 days", "with the reasons")
    again = ended(up, ask(up, dataset_id=data, base_model="sim-1", suffix="arrow", force=True).json())
    second = up.admin("GET", "/admin/model-versions/" + again["model_version_id"]).json()
    equal((second["version"], again["is_forced"]), ("v2", True), "unless it is forced")
    ok(abs(again["estimated_cost"] - again["estimated_tokens"] * 3 * 10 / 1e6) < 1e-3, "the estimate is tokens x passes x price")
    return version, second


def serving(up, first, second):
    """Who answers chats."""
    def model():
        return up.post("/v1/chat", {"message": "hi"}).json()["model"]

    def deploy(version, **arguments):
        return up.admin("POST", "/admin/model-versions/%s/deploy" % version["id"], arguments)

    configured = model()
    equal(deploy(first, environment="staging").json()["is_deployed"], True, "a version serves in staging")
    equal(model(), configured, "which chats do not see")
    equal(deploy(first, environment="production").status, 200, "in production")
    equal(model(), first["model_id"], "chats ask it")
    completion = up.post("/v1/chat/completions", {"model": "coach_maple_avatar", "messages": [{"role": "user", "content": "hi"}]})
    equal(completion.json()["model"], first["model_id"], "also those of SDKs that name a coach")
    completion = up.post("/v1/chat/completions", {"model": "sim-1", "messages": [{"role": "user", "content": "hi"}]})
    equal(completion.json()["model"], "sim-1", "but not those that name a model")
    deploy(second, environment="production", coach_id="coach_ledger_avatar")
    equal(up.post("/v1/chat", {"message": "hi", "coach_id": "coach_ledger_avatar"}).json()["model"], second["model_id"],
          "a coach may have its own")
    equal(model(), first["model_id"], "while others do not")
    after = deploy(second, environment="production").json()
    equal((after["previous_version_id"], model()), (first["id"], second["model_id"]), "the next one takes its place")
    job = up.job("refresh-model-metrics")
    ok(job["result"]["refreshed"] >= 1, "figures are worked out")
    metrics = up.admin("GET", "/admin/model-versions/" + first["id"]).json()["production_metrics"]
    ok(metrics["answers"] >= 3 and metrics["latency_ms_p50"] >= 0 and metrics["error_rate"] == 0, "of how it did")
    answer = up.admin("POST", "/admin/model-versions/%s/rollback" % second["id"], {"reason": "too loud"})
    equal(answer.json()["serves_now"]["id"], first["id"], "and is rolled back")
    equal(model(), first["model_id"], "to the one before")
    kept = up.admin("GET", "/admin/model-versions/" + second["id"]).json()
    equal(kept["rollback_reason"], "too loud", "the reason is kept")
    equal([d["reason"] for d in kept["deployments"] if d["coach_id"] is None], ["rolled back: too loud"], "with where it served")
    answer = up.admin("POST", "/admin/model-versions/%s/rollback" % first["id"], {"reason": "also"})
    equal((answer.json()["serves_now"], model()), (None, configured), "without one before, to the configured model")
    for path, body, status, code in (
            ("%s/deploy" % MISSING, {"environment": "production"}, 404, "model_version_not_found"),
            ("%s/deploy" % first["id"], {}, 400, "invalid_environment"),
            ("%s/deploy" % first["id"], {"environment": "moon"}, 400, "invalid_environment"),
            ("%s/deploy" % first["id"], {"environment": "staging", "coach_id": "nobody"}, 404, "coach_not_found"),
            ("%s/deploy" % first["id"], {"environment": "staging", "x": 1}, 400, "unknown_argument"),
            ("%s/rollback" % first["id"], {}, 400, "invalid_reason"),
            ("%s/rollback" % MISSING, {"reason": "x"}, 404, "model_version_not_found")):
        answer = up.admin("POST", "/admin/model-versions/" + path, body)
        equal((answer.status, answer.error().get("code")), (status, code), "%s %s" % (path, body))
    up.sql("update ai_model_versions set base_model = 'gpt-3.5-turbo' where id = %s", first["id"])
    equal(deploy(first, environment="production").error().get("code"), "model_shut_down", "a model that is gone is not deployed")
    up.sql("insert into uplift.base_models (model, shutdown_date) values ('soon', current_date + 7)")
    up.sql("update ai_model_versions set base_model = 'soon' where id = %s", first["id"])
    contains(deploy(first, environment="staging").json()["warning"], "in 7 days", "one that goes soon comes with a warning")


def refusals(up):
    data, pairs, unpaired = dataset(up, "Bad"), dataset(up, "Bad pairs", "preference"), dataset(up, "Bad unpaired", "unpaired")
    few = dataset(up, "Bad few", count=5)
    good = {"dataset_id": data, "base_model": "sim-1"}
    for arguments, status, code in (
            ({}, 400, "missing_dataset"), ({"base_model": "sim-1"}, 400, "missing_dataset"),
            ({"dataset_id": MISSING, "base_model": "sim-1"}, 404, "dataset_not_found"),
            ({"dataset_id": "x", "base_model": "sim-1"}, 400, "invalid_dataset_id"),
            ({"dataset_version_id": MISSING, "base_model": "sim-1"}, 404, "version_not_found"),
            ({"dataset_id": data}, 400, "invalid_base_model"), ({**good, "base_model": ""}, 400, "invalid_base_model"),
            ({**good, "trainer": "magic"}, 400, "invalid_trainer"), ({**good, "method": "magic"}, 400, "invalid_method"),
            ({**good, "method": "dpo"}, 400, "method_does_not_fit"),
            ({"dataset_id": pairs, "base_model": "m", "method": "supervised"}, 400, "method_does_not_fit"),
            ({"dataset_id": unpaired, "base_model": "m", "trainer": "openai"}, 400, "method_not_available"),
            ({**good, "suffix": ""}, 400, "invalid_suffix"), ({**good, "suffix": "a" * 65}, 400, "invalid_suffix"),
            ({**good, "suffix": "a b"}, 400, "invalid_suffix"), ({**good, "seed": -1}, 400, "invalid_seed"),
            ({**good, "seed": "x"}, 400, "invalid_seed"), ({**good, "seed": 1.5}, 400, "invalid_seed"),
            ({**good, "force": 1}, 400, "invalid_force"),
            ({**good, "hyperparameters": 1}, 400, "invalid_hyperparameters"),
            ({**good, "hyperparameters": {"n_epochs": 51}}, 400, "invalid_hyperparameters"),
            ({**good, "hyperparameters": {"batch_size": "x"}}, 400, "invalid_hyperparameters"),
            ({**good, "hyperparameters": {"beta": 1}}, 400, "unknown_hyperparameter"),
            ({**good, "hyperparameters": {"color": 1}}, 400, "unknown_hyperparameter"),
            ({**good, "base_model": "gpt-3.5-turbo"}, 400, "model_shut_down"),
            ({**good, "colour": 1}, 400, "unknown_argument"),
            ({"dataset_id": few, "base_model": "sim-1"}, 409, "not_ready"),
            ({"dataset_id": few, "base_model": "sim-1", "force": True}, 400, "too_few_examples")):
        answer = ask(up, **arguments)
        equal((answer.status, answer.error().get("code")), (status, code), "asked for with %s" % arguments)
    equal(up.sql("select count(*) as n from ai_finetuning_jobs where dataset_id = any (%s::uuid[])", [data, pairs, unpaired, few])[0]["n"],
          0, "nothing of that leaves a trace")
    first = up.admin("POST", "/admin/finetuning-jobs", good, headers={"Idempotency-Key": "once"}).json()
    again = up.admin("POST", "/admin/finetuning-jobs", good, headers={"Idempotency-Key": "once"}).json()
    equal(again["id"], first["id"], "an Idempotency-Key makes it one job")
    other = up.admin("POST", "/admin/finetuning-jobs", {**good, "seed": 7}, headers={"Idempotency-Key": "once"})
    equal(other.error().get("code"), "idempotency_key_reused", "with the same arguments")
    ended(up, first)
    for method, path, code in (("GET", "", "finetuning_job_not_found"), ("GET", "/events", "finetuning_job_not_found"),
                               ("POST", "/cancel", "finetuning_job_not_found")):
        answer = up.admin(method, "/admin/finetuning-jobs/" + MISSING + path)
        equal((answer.status, answer.error().get("code")), (404, code), "no such job" + path)
    equal(up.admin("POST", "/admin/finetuning-jobs/%s/cancel" % first["id"]).error().get("code"), "job_has_ended", "too late to cancel")


def schedule(up):
    job = up.job("fine-tune", {"dataset": "Nothing of the kind", "if_ready": True})
    equal((job["status"], job["result"]["submitted"]), ("succeeded", False), "the monthly job finds nothing to do")
    contains(json.dumps(job["result"]["missing"]), "dataset", "and says what is missing")
    dataset(up, "Monthly")
    job = up.job("fine-tune", {"dataset": "Monthly", "if_ready": True, "submit": False})
    equal((job["result"]["submitted"], job["result"]["ready"]), (False, True), "it tells that all is ready")
    job = up.job("fine-tune", {"dataset": "Monthly", "if_ready": True, "submit": True, "base_model": "sim-1"})
    ok(job["status"] == "succeeded" and job["result"]["model_version_id"], "and submits, where it is to")
    job = up.job("fine-tune", {"dataset": "Monthly", "base_model": "sim-1"})
    equal((job["status"], job["error"]["code"]), ("failed", "not_ready"), "without if_ready it fails")
    job = up.job("check-models")
    equal((job["status"], job["result"]["failed"]), ("succeeded", 0), "base models are asked about")
    ok(any("in 7 days" in w for w in job["result"]["warnings"]), "and warned of")


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

    # Pairs.
    trainer.reset()
    pairs = dataset(up, "Trainers pairs", "preference")
    job = ended(up, ask(up, dataset_id=pairs, base_model="tiny-1", trainer="openai", hyperparameters={"beta": 0.2}).json())
    sent = [json.loads(body) for method, path, body, _ in trainer.requests if (method, path) == ("POST", "/fine_tuning/jobs")][0]
    equal((job["status"], sent["method"]), ("succeeded", {"type": "dpo", "dpo": {"hyperparameters": {"beta": 0.2}}}), "pairs are trained with DPO")
    uploaded = [body for method, path, body, _ in trainer.requests if (method, path) == ("POST", "/files")][0]
    contains(uploaded.decode(), '"non_preferred_output"', "in the format of OpenAI")


def main():
    with Trainer() as trainer:
        with Uplift(batch=True, simulator=("--pace", "0", "--job-time", "1")) as up:
            first, second = whole_arrow(up)
            serving(up, first, second)
            refusals(up)
            schedule(up)
        with Uplift(batch=True, UPLIFT_TRAINER_URL=trainer.url, UPLIFT_CONNECT_TIMEOUT_MS="2s") as up:
            bad_trainers(up, trainer)
    done()


main()
