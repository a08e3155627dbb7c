#!/usr/bin/python3
"""Schedules and pg_cron: its jobs follow the table, and what they run queues a job."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import psycopg2  # noqa: E402
from cluster import Cluster  # noqa: E402
from harness import TOP  # noqa: E402
from tap import done, equal, ok  # noqa: E402


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
        ask("select uplift.admin_put_schedule('fine-tune', '{\"cron\": \"5 4 2 * *\"}', 'test')")
        equal(ask("select schedule from cron.job where jobname = 'uplift fine-tune'"), [("5 4 2 * *",)], "a change reaches it")
        ask("select uplift.admin_put_schedule('fine-tune', '{\"is_enabled\": false}', 'test')")
        equal(ask("select count(*) from cron.job where jobname = 'uplift fine-tune'"), [(0,)], "so does switching off")
        try:
            ask("select uplift.admin_put_schedule('fine-tune', '{\"cron\": \"99 99 99 99 99\", \"is_enabled\": true}', 'test')")
            ok(False, "what pg_cron does not understand is refused")
        except psycopg2.Error as error:
            equal((error.pgcode, error.diag.message_detail), ("UP400", "invalid_cron"), "what pg_cron does not understand is refused")
        equal(ask("select cron from uplift.batch_schedules where name = 'fine-tune'"), [("5 4 2 * *",)], "and changes nothing")
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
