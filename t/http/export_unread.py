#!/usr/bin/python3
"""Exports that nobody reads wait for their readers, and hold up nobody else: not the admin's other requests, and not the
end of the service."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from harness import Uplift, wait_for  # noqa: E402
from tap import done, equal, ok  # noqa: E402

MANY = """with d as (insert into ai_training_datasets (dataset_name, dataset_type) values ('Many', 'conversation') returning id),
    e as (insert into ai_training_examples (dataset_id, messages, quality_score, split, is_validated, content_hash, tokens)
        select d.id, m, 8, 'train', true, uplift.content_hash(m, null, null, null), 5000
        from d, generate_series(1, 400) n, lateral (select jsonb_build_array(
            jsonb_build_object('role', 'user', 'content', 'q ' || n), jsonb_build_object('role', 'assistant', 'content',
            (select string_agg(md5(n || '.' || k), ' ') from generate_series(1, 600) k))) as m) x)
    select id::text from d"""
UNREAD, MOST = 20, 16


def exports():
    return up.value("select count(*) from pg_stat_activity where application_name = 'uplift export'"
                    " and datname = current_database()")


with Uplift(batch=True, UPLIFT_BATCH_THREADS="4", expected="prematurely closed|export broken off") as up:
    path = "/admin/datasets/%s/export" % up.value(MANY)
    whole = up.admin("GET", path)
    equal((whole.status, len(whole.body.splitlines())), (200, 400), "an export that is read")
    connections = [up.open("GET", path, token=up.admin_token()) for _ in range(UNREAD)]
    told = [response.status for _, response in connections]
    equal((told.count(200), told.count(503)), (MOST, UNREAD - MOST), "as many begin as there is room for")
    refused = next(response for _, response in connections if response.status == 503)
    ok(refused.headers["Retry-After"] and b"too_many_exports" in refused.read(), "the others are told so")
    equal([up.admin("GET", "/admin/datasets").status for _ in range(8)], [200] * 8, "other requests are answered")
    equal(up.admin("POST", "/admin/jobs/trim-cache", {}).status, 202, "jobs are begun")
    job = up.job("trim-cache")
    equal(job["status"], "succeeded", "and done")
    equal(exports(), MOST, "while they wait")
    reader = next(response for _, response in connections if response.status == 200)
    equal(len(reader.read().splitlines()), 400, "one that is read after all is whole")
    for connection, response in connections:
        response.close()
        connection.close()
    ok(wait_for(lambda: exports() == 0), "those that are left end")
    equal(up.admin("GET", path).status, 200, "and there is room again")
    waiting = up.open("GET", path, token=up.admin_token())
    ok(wait_for(lambda: exports() == 1), "one more waits")
    equal(up.stop_batch(), 0, "the service does not wait for it when it ends")
done()
