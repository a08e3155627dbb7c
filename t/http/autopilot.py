#!/usr/bin/python3
"""Autopilot over HTTP: it begins nothing without bounds, tries one thing after another, brings what people like to
production, has a model trained within its money, leaves alone who does not agree, and one switch takes it all back."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from harness import Uplift  # noqa: E402
from tap import contains, done, equal, ok  # noqa: E402
from trainer import dataset  # noqa: E402

PATH = "/admin/autopilot"
USERS = 800
BOUNDS = {"max_usd_per_day": 5, "max_usd_per_month": 50, "max_share": 1, "max_at_once": 1, "min_users": 20, "min_stage_hours": 0}


def user(n):
    return "73000000-0000-4000-8000-%012d" % n


def bad_input(up):
    for method, path, body in (("GET", "", None), ("GET", "/report", None), ("POST", "/start", BOUNDS), ("POST", "/stop", {"reason": "x"}), ("POST", "/dry-run", {})):
        equal(up.request(method, PATH + path, body, user=user(1)).status, 403, "%s %s is for admins only" % (method, path))
    for method, path, body, wanted in (
            ("POST", "/start", {}, (409, "bounds_missing", "max_usd_per_day")), ("POST", "/start", {**BOUNDS, "max_share": 2}, (400, "invalid_max_share", "max_share")),
            ("POST", "/start", {**BOUNDS, "mood": 1}, (400, "unknown_argument", "mood")), ("POST", "/start", {**BOUNDS, "max_at_once": "2"}, (400, "invalid_max_at_once", "max_at_once")),
            ("POST", "/start", {**BOUNDS, "quiet_from": 22}, (400, "invalid_quiet_to", "quiet_to")), ("POST", "/stop", {}, (400, "invalid_reason", "reason")),
            ("POST", "/dry-run", {"x": 1}, (400, "unknown_argument", "x")), ("GET", "?limit=0", None, (400, "invalid_limit", "limit")),
            ("GET", "/report?day=2026-02-30", None, (400, "invalid_day", "day")), ("GET", "/report?day=today", None, (400, "invalid_day", "day"))):
        answer = up.admin(method, PATH + path, body)
        equal((answer.status, answer.error()["code"], answer.error().get("param")), wanted, "refused: %s %s %s" % (method, path, body))
    equal(up.admin("GET", PATH).json()["enabled"], False, "it is off after all that")


def run(up, **arguments):
    job = up.job("autopilot", arguments)
    equal((job["status"], job["error"]), ("succeeded", None), "the job ran")
    return job["result"]


def state(up):
    return up.admin("GET", PATH).json()


def running(up):
    return [("rollout" if t["rollout_id"] else "experiment") for t in state(up)["running"]]


def said(up):
    """What was decided, oldest first."""
    return ["%s %s" % (d["kind"], d["decision"]) for d in reversed(state(up)["decisions"]) if not d["is_dry_run"]]


def answered(up, test, rates):
    """All users in a test get answers; of each variant's thumbs so many are up."""
    up.sql("""
        select count(*) from (
            select uplift_chat.record_answers(json_agg(json_build_object('id', uplift.uuid_v7(), 'user_id', u.id, 'conversation_id', u.id,
                'user_message', 'q', 'ai_response', 'a', 'coach_id', 'coach_decibel_avatar', 'outcome', 'complete', 'protocol', 'chat',
                'response_time_ms', 1000 + u.n, 'trace', json_build_object('exposures', json_build_array(json_build_object(
                'experiment_id', r.id, 'experiment', r.name, 'variant', r.variants[uplift.variant_of(r, u.id)]))))))
            from (select ('73000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid as id, n from generate_series(1, %s) n) u
            cross join generate_series(1, 3) k
            join uplift.running_experiments r on r.id = %s
            where uplift.variant_of(r, u.id) is not null) x""", USERS, test["experiment_id"])
    for variant, rate in rates.items():
        up.sql("""update public.coach_response_feedback a set helpful = uplift.bucket(a.id::text, a.user_id) < %s
            where a.exposures #>> '{0,experiment_id}' = %s and a.exposures #>> '{0,variant}' = %s and a.helpful is null""", rate, test["experiment_id"], variant)


def promoted(up, stages):
    """People like what is rolled out, at each of its stages."""
    rollout = state(up)["running"][0]["rollout_id"]
    for _ in range(stages):
        answered(up, state(up)["running"][0], {"production": 0.4, "candidate": 0.9})
        job = up.job("watch-rollouts")
        equal((job["status"], job["error"]), ("succeeded", None), "watched")
    steps = up.admin("GET", "/admin/rollouts/" + rollout).json()["steps"]
    ok([(s["step"], s["who"]) for s in steps] == [(step, "autopilot") for step in ["started"] + ["advanced"] * (stages - 1) + ["promoted"]], "stage by stage to production",
       str([(s["step"], s["who"], s["reason"]) for s in steps]))


def severities(up, count=40):
    return {up.post("/v1/chat", {"message": "hi"}, user=user(n)).json()["severity"] for n in range(1, count + 1)}


def bounds(up):
    equal(run(up), {"done": 0, "refused": 0, "proposed": 0, "enabled": False}, "while it is off, it does nothing")
    planned = up.admin("POST", PATH + "/dry-run", {}).json()
    equal([(d["kind"], d["decision"]) for d in planned["decisions"]], [("bound", "refused")], "without bounds it would do nothing")
    started = up.admin("POST", PATH + "/start", {**BOUNDS, "quiet_from": 0, "quiet_to": 23})
    equal((started.status, started.json()["enabled"], started.json()["settings"]["max_share"]), (200, True, 1), "switched on, with bounds")
    # Whatever the time is, one of the two has it.
    up.admin("POST", PATH + "/start", {"quiet_from": 12, "quiet_to": 0})
    one = run(up)["done"]
    up.admin("POST", PATH + "/start", {"quiet_from": 0, "quiet_to": 12})
    other = run(up)["done"]
    equal(one + other, 1, "in quiet hours nothing begins, in others one test does")
    contains(up.admin("GET", PATH + "/report").json()["markdown"], "nothing is done in quiet hours", "which the report tells")
    up.admin("POST", PATH + "/start", {"quiet_from": None, "quiet_to": None})
    run(up)
    equal(running(up), ["experiment"], "one at once, however often it looks")
    equal(said(up).count("candidate begun"), 1, "it began once")


def dry_run(up):
    up.sql("update ai_experiments set status = 'completed' where status = 'running'")
    up.admin("POST", PATH + "/start", {"max_at_once": 2})
    before = state(up)
    planned = up.admin("POST", PATH + "/dry-run", {}).json()["decisions"]
    equal([d["name"] for d in planned if d["decision"] == "begun"], ["severity 4.0", "prompt: shorter"], "what it would begin")
    ok(all(d["reason"] and d["subject_id"] is None for d in planned if d["decision"] == "begun"), "with reasons, and nothing that is there")
    equal(state(up), before, "nothing has changed")
    job = up.job("autopilot", {"dry_run": True})
    equal((job["result"]["done"], job["message"]), (2, "2 would be done"), "the same by the job")
    equal(state(up)["running"], before["running"], "which changes nothing else")
    equal(sum(d["is_dry_run"] for d in state(up)["decisions"]), len(planned), "but keeps what it said")
    all_of_them = state(up)["decisions"]
    first = up.admin("GET", PATH + "?limit=1").json()
    rest = up.admin("GET", PATH + "?limit=200&after=%d" % first["decisions"][0]["id"]).json()
    equal((first["has_more"], rest["has_more"], first["decisions"] + rest["decisions"]), (True, False, all_of_them), "older ones are to be had page by page")
    equal(up.admin("GET", PATH + "?after=x").error()["code"], "invalid_after", "by nothing but an id")
    up.admin("POST", PATH + "/start", {"max_at_once": 1})


def crash(up):
    """A runner that dies half-way did nothing, and the next one does it once."""
    before = said(up)
    ids = [up.admin("POST", "/admin/jobs/autopilot", {}).json()["job_id"] for _ in range(2)]
    up.kill_batch()
    up.start_batch()
    equal([up.await_job(job)["status"] for job in ids], ["succeeded"] * 2, "two runs go on after a crash")
    equal(running(up), ["experiment"], "one test runs")
    equal(said(up)[len(before):].count("candidate begun"), 1, "which began once")
    up.sql("begin; select uplift_batch.autopilot_step(false); rollback")
    equal(running(up), ["experiment"], "what was rolled back did nothing")


def wins(up):
    test = state(up)["running"][0]
    variant = [v["variant_name"] for v in up.admin("GET", "/admin/experiments/" + test["experiment_id"]).json()["test_variants"]][0]
    answered(up, test, {"as it is": 0.4, variant: 0.9})
    up.job("measure-experiments")
    equal((run(up)["done"], running(up)), (1, ["rollout"]), "what people like is rolled out")
    decision = state(up)["decisions"][0] if state(up)["decisions"][0]["decision"] == "rolled_out" else state(up)["decisions"][1]
    equal((decision["kind"], decision["decision"]), ("experiment", "rolled_out"), "by a decision")
    ok(decision["numbers"]["variants"][variant]["difference"] > 0.3, "with its numbers", str(decision))
    promoted(up, 1)  # as many users as it has at the last stage had it in the experiment
    run(up)
    ok("rollout promoted" in said(up), "to production", str(said(up)))
    return up.sql("select changes from uplift.production_changes where ended_at is null")[0]["changes"]


def trains(up):
    data = dataset(up, "Autopilot data")
    up.admin("POST", PATH + "/start", {"fine_tunes": True, "dataset": "Autopilot data", "base_model": "sim-1", "max_usd_per_day": 0.01})
    up.sql("insert into uplift.training_prices (model, per_million_tokens) values ('sim-1', 10)")
    run(up)
    equal(up.sql("select count(*) as n from ai_finetuning_jobs")[0]["n"], 0, "no training without money")
    contains(" ".join(d["reason"] for d in state(up)["decisions"]), "training would cost more than is left of the day's money", "which is told")
    up.admin("POST", PATH + "/start", {"max_usd_per_day": 5})
    run(up)
    job = up.admin("GET", "/admin/finetuning-jobs").json()["data"][0]
    equal((job["requested_by"], job["dataset_id"]), ("autopilot", data), "within the money it has a model trained")
    equal(up.await_job(job["batch_job_id"])["status"], "succeeded", "by the trainer")
    run(up)
    ok(state(up)["bounds"]["usd_today"] > 0, "what it cost is counted")
    # The test that runs meanwhile makes room.
    up.sql("update ai_experiments set status = 'completed' where id = any (%s::uuid[])", [t["experiment_id"] for t in state(up)["running"]])
    run(up)
    equal(running(up), ["rollout"], "and the model is tried on users")
    rollout = up.admin("GET", "/admin/rollouts/" + state(up)["running"][0]["rollout_id"]).json()
    version = rollout["changes"]["model_version_id"]
    promoted(up, 3)
    served = up.admin("GET", "/admin/model-versions/" + version).json()
    equal((served["is_deployed"], served["deployment_environment"]), (True, "production"), "it is better, and serves")
    return served["model_id"]


def main():
    with Uplift(batch=True) as up:
        up.sql("insert into auth.users (id) select ('73000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid from generate_series(1, %s) n", USERS)
        bad_input(up)
        bounds(up)

        equal(severities(up), {2.5, 3.0}, "some users get what is tried")
        for n in range(1, 41):
            up.request("PUT", "/v1/preferences", {"experiments_enabled": False}, user=user(n))
        equal(severities(up), {3.0}, "none of those who do not agree to it")
        for n in range(1, 41):
            up.request("PUT", "/v1/preferences", {"experiments_enabled": None}, user=user(n))

        dry_run(up)
        crash(up)
        configured = up.post("/v1/chat", {"message": "hi"}).json()["model"]
        changes = wins(up)
        ok(changes, "production has changed", str(changes))
        model = trains(up)
        equal(up.post("/v1/chat", {"message": "hi"}).json()["model"], model, "chats are answered by the new model")
        run(up)
        equal(running(up), ["experiment"], "and it goes on to the next")

        report = up.admin("GET", PATH + "/report").json()
        for words in ("# Autopilot, ", "rolled out", "promoted", "submitted", "of 5 US dollars on the day", "- experiment "):
            contains(report["markdown"], words, "the report tells: " + words)
        equal(up.admin("GET", PATH + "/report?day=2020-01-01").json()["decisions"], [], "that of another day does not")

        stopped = up.admin("POST", PATH + "/stop", {"reason": "enough"})
        equal((stopped.status, stopped.json()["enabled"], len(stopped.json()["stopped"])), (200, False, 1), "one switch")
        equal(running(up), [], "stops what runs")
        equal(up.sql("select count(*) as n from uplift.production_changes where ended_at is null")[0]["n"], 0, "production is as people had it")
        answer = up.post("/v1/chat", {"message": "hi"}).json()
        equal((answer["model"], answer["severity"]), (configured, 3.0), "from the next chat on")
        equal(run(up)["done"], 0, "and nothing begins any more")
        equal(up.admin("POST", PATH + "/stop", {"reason": "again"}).json()["production_restored"], [], "again it does nothing")
    done()


main()
