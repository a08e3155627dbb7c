#!/usr/bin/python3
"""A statement of one user takes for ever, again and again, from sixteen connections: that is this user's affair. Postgres
is not away for that, and everybody else talks, reads and rates as before."""

import concurrent.futures
import os
import sys
import threading
import time
import uuid

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[1:1] = [TOP + "/t/lib"]
from harness import Uplift  # noqa: E402
from process import wait_for  # noqa: E402
from tap import done, equal, note, ok  # noqa: E402

SLOW = str(uuid.uuid4())
OTHERS = [str(uuid.uuid4()) for _ in range(4)]
ROUNDS = 15
SLEEPS = """create or replace function uplift_chat.get_preferences(p_user_id uuid) returns json
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$ begin
    if p_user_id = '%s' then
        perform pg_sleep(600);
    end if;
    return json '{"severity": 3.0}';
end $$""" % SLOW


def nag(stop):
    """What the slow user is told, until it stops."""
    told = set()
    while not stop.is_set():
        answer = uplift.get("/v1/preferences", user=SLOW)
        told.add((answer.status, answer.error().get("code"), answer.headers["Retry-After"]))
    return told


def talk(user):
    """What another one is told meanwhile, and how long it took at most."""
    told, slowest, conversation = set(), 0, str(uuid.uuid4())
    for n in range(ROUNDS):
        began = time.monotonic()
        answer = uplift.post("/v1/chat", {"message": "Number %d." % n, "conversation_id": conversation}, user=user)
        told.add(("chat", answer.status, answer.headers["X-Uplift-Degraded"]))
        for method, path, body in (("PATCH", "/v1/feedback/" + answer.json()["feedbackId"], {"helpful": True}),
                                   ("GET", "/v1/conversations/" + conversation, None), ("GET", "/v1/preferences", None)):
            answer = uplift.request(method, path, body, user=user)
            told.add((method, answer.status, answer.headers["X-Uplift-Degraded"]))
        slowest = max(slowest, time.monotonic() - began)
    return told, slowest


with Uplift(UPLIFT_WORKERS="1") as uplift:
    uplift.sql(SLEEPS)
    waiting = "select count(*) from pg_stat_activity where usename = 'uplift_app' and wait_event = 'PgSleep'"
    stop = threading.Event()
    with concurrent.futures.ThreadPoolExecutor(24) as pool:
        nagging = [pool.submit(nag, stop) for _ in range(16)]
        ok(wait_for(lambda: uplift.value(waiting)), "a statement sleeps")
        talking = [pool.submit(talk, user) for user in OTHERS]
        states = set()
        while not all(each.done() for each in talking):
            states.add(uplift.status())
        stop.set()
        told = set().union(*(each.result() for each in nagging))
        others = [each.result() for each in talking]
    equal(set().union(*(each[0] for each in others)),
          {("chat", 200, None), ("PATCH", 200, None), ("GET", 200, None)}, "everybody else is answered, with all they know")
    equal(states, {"ready"}, "and Postgres never counts as away")
    equal(told, {(503, "database_busy", "1")}, "the user whose statement it is is told to try again")
    equal(uplift.value("select count(*) from public.coach_response_feedback where degraded or helpful is not true"), 0,
          "each answer has its thumb, and was made with Postgres")
    note("the slowest of %d rounds took %.2f s" % (ROUNDS * len(OTHERS), max(each[1] for each in others)))
done()
