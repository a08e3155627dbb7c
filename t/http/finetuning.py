#!/usr/bin/python3
"""From a dataset to a model that chats use: the whole arrow against the simulator, how the simulator may fail, and the
way back."""

import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from harness import Uplift  # noqa: E402
from tap import contains, done, equal, ok  # noqa: E402
from trainer import ask, dataset, ended  # noqa: E402

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


def simulated_faults(up):
    data = dataset(up, "Simulated")
    wanted = {"training-not-available": "training_not_available", "not-trainable": "model_not_available",
              "shut-down": "model_shut_down", "job-fails": "server_error", "job-empty-error": "training_failed",
              "job-null-error": "training_failed", "job-lost": "job_vanished", "job-html": "not_json",
              "job-limited": None, "job-cut": None, "job-odd-status": None}
    jobs = {name: ask(up, dataset_id=data, base_model="sim-fault-" + name, force=True).json() for name in wanted}
    for name, code in wanted.items():
        job = ended(up, jobs[name])
        equal((job["status"], (job["error"] or {}).get("code")), ("failed" if code else "succeeded", code), "simulated: " + name)
        ok(not code or job["error"]["message"], "with words")
    equal(up.sql("select count(*) as n, count(distinct external_job_id) as jobs from ai_finetuning_jobs"
                 " where dataset_id = %s and status = 'succeeded'", data)[0], {"n": 3, "jobs": 3}, "each is its own")


with Uplift(batch=True, simulator=("--pace", "0", "--job-time", "1")) as up:
    whole = whole_arrow(up)
    serving(up, *whole)
    refusals(up)
    schedule(up)
    simulated_faults(up)
done()
