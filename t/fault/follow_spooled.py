#!/usr/bin/python3
"""An answer that waits in a spool is still to come, however old it is: whoever follows it is told to ask again, by
whichever worker, until it is recorded."""

import os
import sys
import time
import uuid

import psycopg2

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[1:1] = [TOP + "/t/lib"]
from harness import Uplift  # noqa: E402
from process import wait_for  # noqa: E402
from tap import contains, done, equal, ok  # noqa: E402

LIMIT_S = 1  # of an answer, and of a call of Postgres


def follow(answer):
    told = uplift.get("/v1/chat/%s/events" % answer)
    return told.status, told.json().get("status") if told.status == 202 else None


def is_old(answer):
    """Whether it could no longer be under way."""
    return time.time() - (uuid.UUID(answer).int >> 80) / 1000 > 2 * LIMIT_S + 1


with Uplift(UPLIFT_WORKERS="2", UPLIFT_TOTAL_TIMEOUT_MS="%ds" % LIMIT_S, UPLIFT_DB_TIMEOUT_MS="%ds" % LIMIT_S, UPLIFT_DB_LOCK_TIMEOUT_MS="100ms") as uplift:
    with psycopg2.connect(uplift.conninfo()) as somebody:
        somebody.cursor().execute("lock table public.coach_response_feedback in exclusive mode")
        answer = uplift.post("/v1/chat", {"message": "How do I start running?"}).json()["feedbackId"]
        ok(uplift.spool_files(), "an answer that cannot be recorded waits in the spool")
        ok(wait_for(lambda: is_old(answer)), "for longer than an answer may take")
        equal({follow(answer) for _ in range(8)}, {(202, "in_progress")},
              "whoever follows it is told to ask again")
        equal(follow(str(uuid.uuid4()))[0], 404, "of what was never issued there is nothing to come")
        somebody.rollback()
    ok(wait_for(lambda: follow(answer)[0] == 200, 60), "until it is recorded")
    contains(uplift.get("/v1/chat/%s/events" % answer).text, '"done":true', "and told as a whole")
    ok(wait_for(lambda: not uplift.spool_files()), "nothing waits any more")
    uplift.sql("delete from public.coach_response_feedback where id = %s", answer)
    equal(follow(answer)[0], 404, "then one that is not recorded is none")
done()
