#!/usr/bin/python3
"""fcgi-batch is killed while feedback becomes examples, and two of them race for it: the examples are those of a run that
nobody disturbed."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from harness import Uplift, wait_for  # noqa: E402
from tap import done, equal, ok  # noqa: E402

# 600 users with five answers each; four of them liked, one not; every conversation with words of its own.
TALK = """
create function pg_temp.word(seed text) returns text language sql as $$
    select translate(left(md5(seed), 10), '0123456789', 'ghijklmnop')
$$;
insert into auth.users (id) select lpad(to_hex(n), 32, '0')::uuid from generate_series(1, 600) n on conflict do nothing;
insert into coach_response_feedback (user_id, coach_id, user_message, ai_response, conversation_id, helpful, created_at, outcome)
select lpad(to_hex(n), 32, '0')::uuid, 'coach_maple_avatar', 'Question ' || pg_temp.word(n || '/' || t),
    (select string_agg(pg_temp.word(n || '-' || t || '-' || w), ' ') from generate_series(1, 12) w), md5(n::text)::uuid, t <> 4,
    now() - interval '1 day' + t * interval '1 minute', 'complete'
from generate_series(1, 600) n, generate_series(1, 5) t;
"""
EXAMPLES = """
select d.dataset_name, e.source_id::text, md5(e.messages::text || coalesce(e.completion::text, '')) as content, e.label, e.split,
    (select count(*) from uplift.training_example_sources s where s.example_id = e.id) as sources
from ai_training_examples e join ai_training_datasets d on d.id = e.dataset_id order by 1, 2, 3
"""


def counts(up):
    return up.sql("select count(*) as n from ai_training_examples")[0]["n"]


def examples(up):
    return [tuple(row.values()) for row in up.sql(EXAMPLES)]


def forget(up):
    """As if nothing had been learnt yet."""
    up.sql("delete from ai_training_examples")
    up.sql("delete from uplift.training_queue")
    up.sql("insert into uplift.training_queue (answer_id) select id from coach_response_feedback")


def main():
    with Uplift(batch=True, UPLIFT_BATCH_LEASE_MS="500ms") as up:
        up.sql(TALK)
        equal(up.job("generate-training-data")["status"], "succeeded", "a run that nobody disturbs")
        wanted = examples(up)
        # One conversation of three, one answer alone, and all five unpaired, of each user.
        equal(len(wanted), 600 * 7, "makes examples")
        for number in range(3):
            forget(up)
            job = up.admin("POST", "/admin/jobs/generate-training-data", {"chunk": 50}).json()
            ok(wait_for(lambda: counts(up) > 500 * (number + 1), 30), "another is under way")
            up.kill_batch()
            ok(counts(up) < len(wanted), "and killed in the middle")
            up.start_batch()
            equal(up.await_job(job["job_id"])["status"], "succeeded", "it is gone on with")
            equal(examples(up), wanted, "to the same examples")
        forget(up)
        # Side by side, which the kind usually does not allow, and in SQL at the same time.
        up.sql("update uplift.batch_kinds set one_at_a_time = false where name = 'generate-training-data'")
        jobs = [up.admin("POST", "/admin/jobs/generate-training-data", {"chunk": 70}).json()["job_id"] for _ in range(2)]
        up.sql("select generate_training_examples_from_feedback()")
        equal({up.await_job(job)["status"] for job in jobs}, {"succeeded"}, "three at once")
        equal(examples(up), wanted, "make them once, too")
    done()


main()
