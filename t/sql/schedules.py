#!/usr/bin/python3
"""Schedules and pg_cron: its jobs follow the table, and what they run queues a job."""

import json
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import psycopg2  # noqa: E402
from cluster import Cluster  # noqa: E402
from harness import TOP  # noqa: E402
from tap import done, equal, ok  # noqa: E402


# Each a schedule, and whether it is one.
FIELDS = [(cron, True) for cron in (
    "0 2 * * SUN", "0 2 * * sun", "0 2 * JAN *", "0 2 * jan-mar,DEC *", "0 2 * * MON-FRI", "0 2 * * MON-FRI/2", "0 2 * * MON,WED,5", "0 2 * * 7",
    "0 2 * * 0-7", "*/5 * * * *", "1-50/2,55 */3 1,15 * *", "0  2\t* * * ", "00 02 01 * *", "59 23 31 12 6", "0 0 * * */2", "*/61 * * * *")] + [
    (cron, False) for cron in (
    "", " ", "* * * *", "* * * * * *", "@daily", "60 * * * *", "0 24 * * *", "0 0 0 * *", "0 0 32 * *", "0 0 * 0 *", "0 0 * 13 *", "0 0 * * 8",
    "*/0 * * * *", "5/2 * * * *", "5-1 * * * *", "0 2 * * FRI-SUN", "1,,2 * * * *", "1, * * * *", "-1 * * * *", "+1 * * * *", "*5 * * * *",
    "*-5 * * * *", "1-2-3 * * * *", "1~5 * * * *", "0 2 * * MONDAY", "0 2 * * L", "0 2 ? * *", "0 2 15W * *", "0 2 * * 1#2", "JAN 2 * * *",
    "0 2 * SUN *", "0 2 1-$ * *", "0 2 $,1 * *", "$ 2 * * *", "0 seconds", "60 seconds", "5 minutes", "1" * 300 + " * * * *", "0 2 * * *; drop")]


def fields(ask):
    """What is taken, and that the pg_cron there takes it, too; the rest with a reason."""
    version = [int(n) for n in re.match(r"(\d+)\.(\d+)", ask("select extversion from pg_extension where extname = 'pg_cron'")[0][0]).groups()]
    for cron, good in FIELDS + [(cron, version >= [1, 5]) for cron in ("0 2 $ * *", "0 2 $ FEB MON", "30 seconds")]:
        try:
            ask("select uplift_batch.admin_put_schedule('fields', %s, 'test')",
                json.dumps({"job": "trim-errors", "cron": cron, "is_enabled": True}))
            found = ask("select schedule from cron.job where jobname = 'uplift fields'")[0][0] == " ".join(cron.split())
        except psycopg2.Error as error:
            found = False
            equal((error.pgcode, error.diag.message_detail, error.diag.message_hint, bool(error.diag.message_primary)),
                  ("UP400", "invalid_cron", "cron", True), "%r is refused with a reason" % cron[:40])
        equal(found, good, "%r is %s" % (cron[:40], "a schedule, also to pg_cron" if good else "none"))
    ask("select uplift_batch.admin_put_schedule('fields', '{\"is_enabled\": false}', 'test')")


def main():
    cluster = Cluster(settings={"shared_preload_libraries": "pg_cron", "cron.database_name": "cron",
                                "cron.use_background_workers": "on"})
    cluster.start()
    try:
        cluster.psql("template1", sql="create role uplift_owner login createrole")
        cluster.createdb("cron", owner="uplift_owner")
        cluster.psql("cron", sql="create extension pg_cron")
        equal(cluster.psql("cron", file=TOP + "/sql/install.sql", user="uplift_owner").returncode, 0, "it installs beside pg_cron")
        connection = psycopg2.connect(cluster.conninfo("cron", "uplift_owner"))
        connection.autocommit = True
        cursor = connection.cursor()

        def ask(text, *values):
            cursor.execute(text, values or None)
            return cursor.fetchall()

        ok(ask("select uplift.sync_schedules()")[0][0].startswith("uplift_owner may not use pg_cron"), "which it may not use unasked")
        cluster.psql("cron", sql="grant usage on schema cron to uplift_owner")
        equal(ask("select uplift.sync_schedules()"), [("ok",)], "once it may, it does")
        jobs = "select jobname, schedule, command from cron.job order by jobname"
        equal(ask(jobs), ask("select 'uplift ' || name, cron, 'select uplift.run_schedule(' || quote_literal(name) || ')'"
                             " from uplift.batch_schedules where is_enabled order by 1"), "every schedule is a job of pg_cron")
        ids = ask("select jobid from cron.job order by jobname")
        ask("select uplift.sync_schedules()")
        equal(ask("select jobid from cron.job order by jobname"), ids, "again it changes nothing")
        ask("select uplift_batch.admin_put_schedule('fine-tune', '{\"cron\": \"5 4 2 * *\"}', 'test')")
        equal(ask("select schedule from cron.job where jobname = 'uplift fine-tune'"), [("5 4 2 * *",)], "a change reaches it")
        ask("select uplift_batch.admin_put_schedule('fine-tune', '{\"is_enabled\": false}', 'test')")
        equal(ask("select count(*) from cron.job where jobname = 'uplift fine-tune'"), [(0,)], "so does switching off")
        try:
            ask("select uplift_batch.admin_put_schedule('fine-tune', '{\"cron\": \"99 99 99 99 99\", \"is_enabled\": true}', 'test')")
            ok(False, "what pg_cron does not understand is refused")
        except psycopg2.Error as error:
            equal((error.pgcode, error.diag.message_detail), ("UP400", "invalid_cron"), "what pg_cron does not understand is refused")
        equal(ask("select cron from uplift.batch_schedules where name = 'fine-tune'"), [("5 4 2 * *",)], "and changes nothing")
        fields(ask)
        command = ask("select command from cron.job where jobname = 'uplift generate-training-data'")[0][0]
        ask(command)
        ask(command)
        equal(ask("select name, status, requested_by from uplift.batch_jobs"),
              [("generate-training-data", "queued", "schedule generate-training-data")], "what it runs queues a job, and not twice")
        equal(cluster.psql("cron", file=TOP + "/sql/install.sql", user="uplift_owner").returncode, 0, "a later install")
        equal(ask("select count(*) from cron.job where jobname = 'uplift fine-tune'"), [(0,)], "leaves switched off what is")
        connection.close()
    finally:
        cluster.remove()
    done()


main()
