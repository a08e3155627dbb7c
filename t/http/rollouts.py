#!/usr/bin/python3
"""Rollouts over HTTP: a candidate that people like goes all the way by itself, one that they do not goes back, two
runners take each step once, and without Postgres production is what it was last."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from harness import Uplift  # noqa: E402
from scripted import Scripted  # noqa: E402
from tap import done, equal, ok  # noqa: E402

PATH = "/admin/rollouts"
MISSING = "01890000-0000-7000-8000-000000000000"


def bad_input(up):
    for body, wanted in (({}, (400, "invalid_candidate", "changes")), ({"changes": {"severity": 2}}, (400, "missing_name", "name")),
                         ({"name": "x", "changes": {"mood": 1}}, (400, "invalid_experiment", "changes.mood")),
                         ({"name": "x", "changes": {"severity": 2}, "stages": "half"}, (400, "invalid_stages", "stages")),
                         ({"name": "x", "model_version_id": "1"}, (400, "invalid_model_version_id", "model_version_id")),
                         ({"name": "x", "changes": {"severity": 2}, "mood": 1}, (400, "unknown_argument", "mood"))):
        answer = up.admin("POST", PATH, body)
        equal((answer.status, answer.error()["code"], answer.error().get("param")), wanted, "refused: %s" % body)
    for method, path in (("GET", ""), ("POST", "/advance"), ("POST", "/promote"), ("POST", "/rollback")):
        answer = up.admin(method, "%s/%s%s" % (PATH, MISSING, path), None if method == "GET" else {"reason": "x"})
        equal((answer.status, answer.error()["code"]), (404, "rollout_not_found"), "%s%s of none that there is" % (method, path))
    equal(up.request("POST", PATH, {"name": "x", "changes": {"severity": 2}}, user="70000001-0000-4000-8000-000000000001").status, 403, "for admins only")


def begin(up, name, changes, **more):
    made = up.admin("POST", PATH, {"name": name, "changes": changes, "stages": [0.25, 0.5], "min_stage_hours": 0, "min_users": 100, **more})
    equal((made.status, made.json()["status"], made.json()["share"]), (201, "running", 0.25), "%s begins" % name)
    return made.json()


def answered(up, rollout, rate):
    """800 users get an answer; of the candidate's thumbs so many are up, of production's half."""
    up.sql("""
        select count(*) from (
            select uplift_chat.record_answers(json_agg(json_build_object('id', uplift.uuid_v7(), 'user_id', u.id, 'conversation_id', u.id,
                'user_message', 'q', 'ai_response', 'a', 'coach_id', 'coach_decibel_avatar', 'outcome', 'complete', 'protocol', 'chat',
                'response_time_ms', 1000 + u.n, 'trace', json_build_object('exposures', json_build_array(json_build_object(
                'experiment_id', r.id, 'experiment', r.name, 'variant', r.variants[uplift.variant_of(r, u.id)]))))))
            from (select ('72000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid as id, n from generate_series(1, 800) n) u
            cross join generate_series(1, 3) k
            join uplift.running_experiments r on r.id = %s
            where uplift.variant_of(r, u.id) is not null) x""", rollout["experiment_id"])
    up.sql("""update public.coach_response_feedback a
        set helpful = uplift.bucket(a.id::text, a.user_id) < case a.exposures #>> '{0,variant}' when 'candidate' then %s else 0.5 end
        where a.exposures #>> '{0,experiment_id}' = %s and a.helpful is null""", rate, rollout["experiment_id"])


def watched(up, rollout):
    job = up.job("watch-rollouts")
    equal((job["status"], job["error"]), ("succeeded", None), "watched")
    return up.admin("GET", "%s/%s" % (PATH, rollout["id"])).json()


def main():
    with Scripted() as provider, Uplift(simulator=None, batch=True, UPLIFT_UPSTREAM_URL=provider.url, expected="database|Postgres|degraded") as up:
        provider.says = "Well."
        up.sql("insert into auth.users (id) select ('72000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid from generate_series(1, 800) n")
        bad_input(up)

        good = begin(up, "warmer", {"prompt_suffix": "Be warm."})
        equal(watched(up, good)["steps"][-1]["step"], "held", "nobody was asked yet")
        answer = up.admin("PATCH", "/admin/experiments/" + good["experiment_id"], {"traffic_share": 0.9})
        equal((answer.status, answer.error()["code"], answer.error()["param"]), (409, "belongs_to_rollout", "traffic_share"), "its experiment keeps the share of its stage")
        answer = up.admin("POST", PATH, {"name": "warm, too", "changes": {"severity": 2, "prompt_suffix": "Be."}})
        equal((answer.status, answer.error()["param"]), (400, "name"), "what is wrong is told by the names that were sent")
        answer = up.admin("POST", PATH, {"name": "too", "changes": {"prompt_suffix": "Be."}})
        equal((answer.status, answer.error()["code"], answer.error()["param"]), (400, "invalid_experiment", "changes"), "so is what clashes")
        answered(up, good, 0.85)
        now = watched(up, good)
        equal((now["stage"], now["share"], [s["step"] for s in now["steps"]]), (2, 0.5, ["started", "held", "advanced"]), "half of the users now")
        answered(up, good, 0.85)
        # Two at once: one waits for the other.
        jobs = [up.admin("POST", "/admin/jobs/watch-rollouts", {}).json()["job_id"] for _ in range(2)]
        equal([up.await_job(job)["status"] for job in jobs], ["succeeded"] * 2, "two runners")
        now = up.admin("GET", "%s/%s" % (PATH, good["id"])).json()
        equal((now["status"], [s["step"] for s in now["steps"]]), ("promoted", ["started", "held", "advanced", "promoted"]), "take each step once")
        ok(now["steps"][-1]["evidence"]["metrics"]["thumbs_up_rate"]["always_valid"]["lower"] > 0, "with the evidence", str(now["steps"][-1]))
        up.post("/v1/chat", {"message": "hi"})
        ok("\n\nBe warm." in provider.last()["messages"][0]["content"], "everybody has it")

        up.synced()
        with up.database_away():
            ok(up.ready("degraded"), "Postgres is away")
            up.post("/v1/chat", {"message": "still?"})
            ok(provider.last()["messages"][0]["content"].endswith("\n\nBe warm."), "also without Postgres")
        ok(up.ready(), "it is back")

        bad = begin(up, "rude", {"severity": 6})
        answered(up, bad, 0.15)
        now = watched(up, bad)
        equal((now["status"], now["stage"]), ("rolled_back", 1), "what people dislike goes back at the first stage")
        ok("worse than production" in now["reason"], "with the reason", now["reason"])
        equal(up.admin("POST", "%s/%s/rollback" % (PATH, good["id"]), {"reason": "enough"}).json()["status"], "rolled_back", "by hand")
        up.post("/v1/chat", {"message": "hi"})
        ok("Be warm." not in provider.last()["messages"][0]["content"], "as it was before")
        equal([r["name"] for r in up.admin("GET", PATH + "?status=rolled_back").json()["data"]], ["rude", "warmer"], "they are listed")
    done()


main()
