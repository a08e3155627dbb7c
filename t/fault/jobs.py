#!/usr/bin/python3
"""Runners that are killed, stopped, told to end or race with others: each job is done, and nothing of it twice."""

import os
import signal
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from build import program  # noqa: E402
from harness import Uplift, wait_for  # noqa: E402
from process import sanitizers  # noqa: E402
from tap import contains, done, equal, ok  # noqa: E402

# In place of the real function: takes units of work one by one, each in a transaction of its own, slowly enough
# to be disturbed. done_by has a row for each time that a unit was done.
WORK = """
create table uplift.units (n int primary key, done_by int[] not null default '{}');
grant select on uplift.units to uplift_owner;
alter table uplift.units owner to uplift_owner;
create or replace function uplift_batch.generate_training_examples(p_limit int)
returns table (taken int, remaining bigint, added int, changed int, withdrawn int, duplicates int, failed int)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    perform pg_sleep(0.02);
    with next as (select u.n from uplift.units u where u.done_by = '{}' order by u.n limit p_limit for update skip locked)
    update uplift.units u set done_by = u.done_by || pg_backend_pid() from next where u.n = next.n;
    get diagnostics taken = row_count;
    select count(*) into remaining from uplift.units u where u.done_by = '{}';
    added := taken;
    changed := 0; withdrawn := 0; duplicates := 0; failed := 0;
    return next;
end $$;
"""


class Second:
    """Another fcgi-batch on the same database."""

    def __init__(self, up):
        path = up.dir + "/second.conf"
        with open(up.dir + "/uplift.conf") as file:
            text = file.read().replace("/run/batch.sock", "/run/second.sock")
        with open(path, "w") as file:
            file.write(text)
        self.log = open(up.dir + "/log/second.log", "ab")
        self.process = subprocess.Popen([program("fcgi-batch"), "--config", path], stdin=subprocess.DEVNULL,
                                        stdout=self.log, stderr=self.log,
                                        env={"PATH": os.environ["PATH"], **sanitizers()})

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(20)
        self.log.close()
        return status


def units(up, count):
    up.sql("delete from uplift.units")
    up.sql("insert into uplift.units (n) select generate_series(1, %s)", count)


def twice(up):
    """How many units were not done once."""
    return up.sql("select count(*) as n from uplift.units where cardinality(done_by) <> 1")[0]["n"]


def begin(up, count=100, **arguments):
    """A job that is under way; its id."""
    units(up, count)
    job = up.admin("POST", "/admin/jobs/generate-training-data", {"chunk": 1, **arguments}).json()
    ok(wait_for(lambda: up.sql("select count(*) as n from uplift.units where done_by <> '{}'")[0]["n"] > 5, 20), "it is under way")
    return job["job_id"]


def events(job):
    return [line["event"] for line in job["history"] if line["event"] != "log"]


def turns(job):
    """Its events without turns that a runner gave back, as one does that was too slow to say that it lives."""
    found = events(job)
    while "released" in found:
        at = found.index("released")
        del found[at:at + 2]  # and "started" after it
    return found


def killed(up):
    job_id = begin(up)
    up.kill_batch()
    up.start_batch()
    job = up.await_job(job_id)
    equal((job["status"], job["attempts"]), ("succeeded", 2), "a job whose runner was killed is gone on with")
    equal(events(job), ["queued", "started", "lost", "resumed", "succeeded"], "as its history tells")
    equal(twice(up), 0, "and each unit of it was done once")
    job_id = begin(up)
    other = Second(up)
    up.kill_batch()
    ok(wait_for(lambda: up.sql("select status from uplift.batch_jobs where id = %s", job_id)[0]["status"] == "succeeded", 30),
       "by another host's runner, too")
    equal(twice(up), 0, "and nothing was done twice")
    equal(other.stop(), 0, "which ends when it is told to")
    up.start_batch()


def stopped(up):
    """A runner that hangs for longer than its lease, and then wakes up."""
    job_id = begin(up, 300)
    other = Second(up)
    up.batch.send_signal(signal.SIGSTOP)
    ok(wait_for(lambda: "lost" in [r["event"] for r in up.sql("select event from uplift.batch_job_events where job_id = %s", job_id)],
                30), "a runner that hangs loses its job")
    up.batch.send_signal(signal.SIGCONT)
    job = up.await_job(job_id)
    equal(events(job), ["queued", "started", "lost", "resumed", "succeeded"], "another does it, and the first one keeps out")
    equal(twice(up), 0, "nothing was done twice")
    ok(wait_for(lambda: "lost" in up.read_log("batch"), 10), "it notices")
    equal(other.stop(), 0, "the other ends")


def told_to_end(up):
    job_id = begin(up)
    equal(up.stop_batch(), 0, "fcgi-batch ends in the middle of a job")
    job = up.sql("select status, attempts from uplift.batch_jobs where id = %s", job_id)[0]
    equal((job["status"], job["attempts"]), ("queued", 0), "gives it back, which is no failed attempt")
    up.start_batch()
    job = up.await_job(job_id)
    equal(events(job), ["queued", "started", "released", "started", "succeeded"], "and goes on with it at the next start")
    equal(twice(up), 0, "with nothing done twice")


def cancelled(up):
    job_id = begin(up, 5000)
    answer = up.admin("POST", "/admin/jobs/%s/cancel" % job_id)
    equal(answer.json()["status"], "running", "a job that runs hears of it from its runner")
    job = up.await_job(job_id)
    equal(job["status"], "cancelled", "and is cancelled")
    equal(events(job), ["queued", "started", "cancel_requested", "cancelled"], "as its history tells")
    up.sql("update uplift.batch_kinds set time_limit = '1 second' where name = 'generate-training-data'")
    units(up, 5000)
    job = up.job("generate-training-data", {"chunk": 1})
    equal((job["status"], job["error"]["code"]), ("failed", "time_limit"), "a job that takes too long has failed")
    up.sql("update uplift.batch_kinds set time_limit = '1 hour' where name = 'generate-training-data'")


def disturbed(up):
    job_id = begin(up, 300)
    up.sql("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'uplift job'"
           " and datname = current_database()")
    job = up.await_job(job_id)
    equal((job["status"], job["attempts"]), ("succeeded", 2), "a lost connection is tried again")
    ok("retry" in events(job), "after a pause")
    equal(twice(up), 0, "and nothing is done twice")
    up.sql("update uplift.batch_schedules set arguments = '{\"chunk\": \"x\"}' where name = 'generate-training-data'")
    job = up.await_job(up.admin("POST", "/admin/schedules/generate-training-data/run").json()["job_id"])
    equal((job["status"], job["error"]["code"]), ("failed", "invalid_argument"), "a schedule with bad arguments says so")
    contains(job["error"]["message"], "chunk", "and which")


def most_at_once(up, ids):
    """How many of these jobs ran at once, by their histories: a job's started_at is that of its first turn, and one that
    was given back waits while others run. Events are numbered as they happen."""
    running, most = set(), 0
    for row in up.sql("select job_id, event from uplift.batch_job_events where job_id = any (%s::uuid[]) order by id", ids):
        if row["event"] in ("started", "resumed"):
            running.add(row["job_id"])
        elif row["event"] in ("succeeded", "failed", "cancelled", "retry", "released", "lost"):
            running.discard(row["job_id"])
        most = max(most, len(running))
    return most


def interrupt(up, other, ids):
    """Lets the process that runs one of the jobs end, which gives it back, and starts another in its place. Returns the
    second process."""
    def runner():
        return up.value("select runner from uplift.batch_jobs where id = any (%s::uuid[]) and status = 'running'", ids)
    name = wait_for(runner, 20) or ""
    if name.endswith(":%d" % up.batch.pid):
        up.stop_batch()
        up.start_batch()
    else:
        other.stop()
        other = Second(up)
    ok(up.value("select count(*) from uplift.batch_job_events where job_id = any (%s::uuid[]) and event = 'released'", ids) > 0,
       "a runner that ends gives its job back, and others come first")
    return other


def racing(up):
    for alone in (False, True):
        up.sql("update uplift.batch_kinds set one_at_a_time = %s where name = 'generate-training-data'", alone)
        units(up, 40)
        other = Second(up)
        ids = [up.admin("POST", "/admin/jobs/generate-training-data", {"chunk": 1}).json()["job_id"] for _ in range(20)]
        if alone:
            other = interrupt(up, other, ids)
        jobs = [up.await_job(job_id) for job_id in ids]
        equal({job["status"] for job in jobs}, {"succeeded"}, "runners of two processes do all jobs")
        equal({tuple(turns(job)) for job in jobs}, {("queued", "started", "succeeded")}, "each once")
        equal(twice(up), 0, "and nothing twice")
        most = most_at_once(up, ids)
        ok(most == 1 if alone else most > 1, "where it matters, one at a time" if alone else "side by side", "at once: %d" % most)
        equal(other.stop(), 0, "the other ends")


def main():
    with Uplift(batch=True, UPLIFT_BATCH_LEASE_MS="1s") as up:
        up.sql(WORK)
        killed(up)
        stopped(up)
        told_to_end(up)
        cancelled(up)
        disturbed(up)
        racing(up)
    done()


main()
