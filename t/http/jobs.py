#!/usr/bin/python3
"""Batch jobs by URL and on the command line: triggering, watching, cancelling, schedules, and who may."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from harness import Uplift, wait_for  # noqa: E402
from tap import contains, done, equal, ok  # noqa: E402

MISSING = "01890000-0000-7000-8000-000000000000"


def triggering(up):
    answer = up.admin("POST", "/admin/jobs/generate-training-data", {})
    job = answer.json()
    equal(answer.status, 202, "a job is triggered by URL")
    equal(job["status_url"], "/admin/jobs/" + job["job_id"], "and says where to look")
    equal(answer.headers["Location"], job["status_url"], "as Location does")
    ended = up.await_job(job["job_id"])
    equal(ended["status"], "succeeded", "it is done")
    equal(ended["name"], "generate-training-data", "the job has its name")
    ok(set(("taken", "added", "changed", "withdrawn", "duplicates")) <= set(ended["result"]), "and a result")
    equal([line["event"] for line in ended["history"]][:2], ["queued", "started"], "its history begins")
    equal(ended["history"][-1]["event"], "succeeded", "and ends")
    ok(ended["requested_by"] and ended["started_at"] and ended["finished_at"], "it says who asked, and when it ran")

    first = up.admin("POST", "/admin/jobs/generate-training-data", {}, headers={"Idempotency-Key": "k1"}).json()
    again = up.admin("POST", "/admin/jobs/generate-training-data", {}, headers={"Idempotency-Key": "k1"}).json()
    equal(again["job_id"], first["job_id"], "the same Idempotency-Key is the same job")
    other = up.admin("POST", "/admin/jobs/generate-training-data", {"chunk": 5}, headers={"Idempotency-Key": "k1"})
    equal((other.status, other.error().get("code")), (409, "idempotency_key_reused"), "but not with other arguments")
    long = up.admin("POST", "/admin/jobs/generate-training-data", {}, headers={"Idempotency-Key": "k" * 256})
    equal(long.error().get("code"), "invalid_idempotency_key", "a key that is too long is refused")
    up.await_job(first["job_id"])


    for chunk in (0, -1, 1000001):
        job = up.job("generate-training-data", {"chunk": chunk})
        equal((job["status"], (job["error"] or {}).get("code")), ("failed", "invalid_argument"), "a chunk of %d is refused" % chunk)


def listing(up):
    answer = up.admin("GET", "/admin/jobs?limit=1").json()
    equal((len(answer["data"]), answer["has_more"]), (1, True), "jobs come in pages")
    following = up.admin("GET", "/admin/jobs?limit=1&after=" + answer["data"][0]["job_id"]).json()
    ok(following["data"][0]["job_id"] < answer["data"][0]["job_id"], "the newest first")
    equal({j["status"] for j in up.admin("GET", "/admin/jobs?status=failed").json()["data"]}, {"failed"}, "by status")
    equal(up.admin("GET", "/admin/jobs?name=fine-tune").json()["data"], [], "by name")
    kinds = {kind["name"]: kind for kind in up.admin("GET", "/admin/job-kinds").json()["data"]}
    for command, lists in (("job", "jobs"), ("watch", "jobs"), ("cancel", "jobs"), ("finetuning", "finetuning"), ("experiments", "experiments")):
        refused = up.batch_run(command, "--help")
        equal((refused.returncode, refused.stderr), (2, "fcgi-batch: %s takes an id, not --help; fcgi-batch %s lists them\n" % (command, lists)),
              command + " of what is no id")
    helped = up.batch_run("kinds").stdout
    equal(sorted(kinds), sorted(line for line in helped.splitlines() if line and not line.startswith(" ")),
          "the program and the database know the same kinds of jobs")
    ok(kinds["generate-training-data"]["one_at_a_time"], "with their limits")
    one = up.batch_run("run", "write-playbooks", "--help")
    ok(one.returncode == 0 and one.stdout.startswith("write-playbooks\n") and "--max-calls" in one.stdout and one.stdout in helped, "run JOB --help tells of one")
    equal(up.batch_run("run", "--help").stdout, helped, "and run --help of all")
    ok(up.batch_run("run", "nonsense", "--help").returncode == 2, "of those that there are")


def refusals(up):
    for method, path, body, status, code in (
            ("POST", "/admin/jobs/nonsense", {}, 404, "unknown_job"),
            ("POST", "/admin/jobs/generate-training-data", {"nonsense": 1}, 400, "unknown_argument"),
            ("POST", "/admin/jobs/generate-training-data", {"chunk": "many"}, 400, "invalid_argument"),
            ("POST", "/admin/jobs/generate-training-data", [], 400, "invalid_json"),
            ("POST", "/admin/jobs/generate-training-data", b"{", 400, "invalid_json"),
            ("GET", "/admin/jobs/" + MISSING, None, 404, "job_not_found"),
            ("GET", "/admin/jobs/" + MISSING + "/events", None, 404, "job_not_found"),
            ("POST", "/admin/jobs/" + MISSING + "/cancel", None, 404, "job_not_found"),
            ("GET", "/admin/jobs/17", None, 400, "invalid_id"),
            ("GET", "/admin/jobs?limit=0", None, 400, "invalid_limit"),
            ("GET", "/admin/jobs?limit=ten", None, 400, "invalid_limit"),
            ("GET", "/admin/jobs?after=x", None, 400, "invalid_after"),
            ("GET", "/admin/jobs?status=x", None, 400, "invalid_status"),
            ("GET", "/admin/jobs?color=x", None, 400, "unknown_argument"),
            ("GET", "/admin/jobs?limit=%zz", None, 400, "invalid_query"),
            ("GET", "/admin/nothing", None, 404, "unknown_url"),
            ("DELETE", "/admin/jobs/" + MISSING, None, 405, "method_not_allowed"),
            ("PUT", "/admin/schedules/x", {"cron": "* * * * *"}, 400, "incomplete_schedule"),
            ("PUT", "/admin/schedules/X_y", {"cron": "* * * * *", "job": "fine-tune"}, 400, "invalid_name"),
            ("PUT", "/admin/schedules/fine-tune", {"cron": "every day"}, 400, "invalid_cron"),
            ("PUT", "/admin/schedules/fine-tune", {"cron": None}, 400, "invalid_cron"),
            ("PUT", "/admin/schedules/fine-tune", {"job": "x"}, 400, "unknown_job"),
            ("PUT", "/admin/schedules/fine-tune", {"arguments": 1}, 400, "invalid_arguments"),
            ("PUT", "/admin/schedules/fine-tune", {"is_enabled": 1}, 400, "invalid_is_enabled"),
            ("PUT", "/admin/schedules/fine-tune", {"color": 1}, 400, "unknown_argument"),
            ("POST", "/admin/schedules/x/run", None, 404, "schedule_not_found")):
        answer = up.admin(method, path, body)
        equal((answer.status, answer.error().get("code")), (status, code), "%s %s %s" % (method, path, body))
    for token, status, code in ((None, 401, "missing_token"), (up.token(), 403, "admin_required"),
                                (up.token(user_metadata={"role": "admin"}), 403, "admin_required")):
        answer = up.request("GET", "/admin/jobs", token=token, user=None)
        equal((answer.status, answer.error().get("code")), (status, code), "%s for who is no admin" % code)
    service = up.token(role="service_role", sub=None, aud=None)
    ok(up.request("GET", "/admin/jobs", token=service).status in (200, 401), "a service_role token is checked like any")


def events(up):
    job = up.job("generate-training-data")
    stream = up.admin("GET", job["events_url"])
    equal(stream.headers["Content-Type"].split(";")[0], "text/event-stream", "progress is a stream of events")
    equal(stream.events()[-1]["status"], "succeeded", "whose last one is the end")
    contains(stream.text, "event: progress\n", "each is called progress")


def waiting_and_cancelling(up):
    up.sql("update uplift.batch_kinds set max_attempts = 1 where name = 'check-models'")
    # Somebody else's runner has one of a kind that is alone.
    up.sql("""insert into uplift.batch_jobs (name, status, max_attempts, time_limit, alone, lease_until, runner, attempts,
        started_at) values ('generate-training-data', 'running', 5, '1 hour', 'generate-training-data', now() + '1 hour',
        'elsewhere:1', 1, now())""")
    waiting = up.admin("POST", "/admin/jobs/generate-training-data", {}).json()
    ok(not wait_for(lambda: up.admin("GET", waiting["status_url"]).json()["status"] != "queued", 1),
       "it waits while another of its kind runs")
    cancelled = up.admin("POST", waiting["status_url"] + "/cancel")
    equal((cancelled.status, cancelled.json()["status"]), (202, "cancelled"), "what waits is cancelled at once")
    equal(up.admin("POST", waiting["status_url"] + "/cancel").status, 202, "again is no mistake")
    done_job = up.admin("GET", "/admin/jobs?status=succeeded&limit=1").json()["data"][0]
    late = up.admin("POST", done_job["status_url"] + "/cancel")
    equal((late.status, late.error().get("code")), (409, "job_has_ended"), "what has ended cannot be")
    # That runner dies: ours goes on with its job.
    up.sql("update uplift.batch_jobs set lease_until = now() - interval '1 s' where runner = 'elsewhere:1'")
    left = up.sql("select id::text from uplift.batch_jobs where name = 'generate-training-data' order by created_at desc limit 2")
    lost = [row["id"] for row in left if row["id"] != waiting["job_id"]][0]
    ended = up.await_job(lost)
    equal((ended["status"], ended["attempts"]), ("succeeded", 2), "a job whose runner died is gone on with")
    equal([e["event"] for e in ended["history"]], ["lost", "resumed", "succeeded"], "and its history says so")
    up.sql("""insert into uplift.batch_jobs (name, status, max_attempts, time_limit, lease_until, runner, attempts, started_at)
        values ('generate-training-data', 'running', 2, '1 hour', now() - interval '1 s', 'elsewhere:2', 2, now())""")
    lost = up.sql("select id::text from uplift.batch_jobs where runner = 'elsewhere:2'")[0]["id"]
    ended = up.await_job(lost)
    equal((ended["status"], ended["error"]["code"]), ("failed", "runner_lost"), "but not for ever")


def schedules(up):
    listed = up.admin("GET", "/admin/schedules").json()
    names = [s["name"] for s in listed["data"]]
    ok({"generate-training-data", "export-dataset", "fine-tune"} <= set(names), "there are schedules")
    changed = up.admin("PUT", "/admin/schedules/generate-training-data", {"cron": "30 1 * * 1-5", "is_enabled": False}).json()
    equal((changed["cron"], changed["is_enabled"]), ("30 1 * * 1-5", False), "a schedule is changed")
    made = up.admin("PUT", "/admin/schedules/mine", {"cron": "0 0 1 1 *", "job": "generate-training-data"})
    equal(made.status, 200, "and made")
    job = up.admin("POST", "/admin/schedules/mine/run")
    equal(job.status, 202, "a timer can run it where there is no pg_cron")
    equal(job.json()["requested_by"], "schedule mine", "as the schedule")
    equal(up.await_job(job.json()["job_id"])["status"], "succeeded", "and it is done")
    mine = [s for s in up.admin("GET", "/admin/schedules").json()["data"] if s["name"] == "mine"][0]
    equal((mine["last_job_id"], mine["last_status"]), (job.json()["job_id"], "succeeded"), "the schedule tells of its last job")


def command_line(up):
    run = up.batch_run("run", "generate-training-data", "--chunk", "100")
    equal(run.returncode, 0, "a job is run on the command line")
    contains(run.stdout, '"taken"', "which prints its result")
    contains(run.stderr, "examples added", "and lines of progress, where there is no terminal")
    ok("\r" not in run.stderr and "\033" not in run.stderr, "without a terminal's signs")
    detached = up.batch_run("run", "generate-training-data", "--detach")
    equal(up.await_job(detached.stdout.strip())["status"], "succeeded", "or only queued, for the service to do")
    contains(up.batch_run("job", detached.stdout.strip()).stdout, "succeeded", "a job is looked at")
    contains(up.batch_run("jobs", "--limit", "2").stdout, "generate-training-data", "jobs are listed")
    contains(up.batch_run("schedules").stdout, "export-dataset", "and schedules")
    equal(up.batch_run("schedule", "mine", "--off").returncode, 0, "a schedule is switched off")
    for words, status in ((("run",), 2), (("run", "nonsense"), 2), (("run", "generate-training-data", "--nonsense", "1"), 2),
                          (("run", "generate-training-data", "--chunk", "x"), 2), (("nonsense",), 2), (("job", "x"), 2), (("job", MISSING), 1),
                          (("schedule", "mine", "--cron", "x"), 1), (("jobs", "--status"), 2)):
        result = up.batch_run(*words)
        ok(result.returncode == status and "fcgi-batch: " in result.stderr, "refused with a reason: " + " ".join(words),
           "%d %s" % (result.returncode, result.stderr))


def main():
    # The log may hold warnings of what these tests do to jobs.
    with Uplift(batch=True, expected="runner_lost|refused: ") as up:
        triggering(up)
        listing(up)
        refusals(up)
        events(up)
        waiting_and_cancelling(up)
        schedules(up)
        command_line(up)
        equal(up.stop_batch(), 0, "fcgi-batch ends when it is told to")
        equal(up.admin("GET", "/admin/jobs").status, 503, "without it nginx says so")
        equal(up.request("GET", "/v1/coaches", token=up.token()).status, 200, "and chats go on")
    done()


main()
