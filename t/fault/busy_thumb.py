#!/usr/bin/python3
"""Thumbs while Postgres is there but has its hands full: somebody holds what they wait for. They are taken all the same,
and are in their places as soon as it is free, whether their answer is written, is being written, or still streams."""

import contextlib
import os
import sys

import psycopg2

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[1:1] = [TOP + "/t/lib"]
from harness import USER, Uplift  # noqa: E402
from process import wait_for  # noqa: E402
from scripted import Scripted  # noqa: E402
from tap import done, equal, ok, run  # noqa: E402

REST = "/rest/v1/coach_response_feedback?id=eq."


@contextlib.contextmanager
def holding(statement, *values):
    """Somebody who locks what the statement locks, and is in no hurry."""
    connection = psycopg2.connect(uplift.conninfo())
    connection.cursor().execute(statement, values)
    try:
        yield
    finally:
        connection.rollback()
        connection.close()


def said(answer):
    row = uplift.row(answer)
    return row["helpful"], row["rating"], row["feedback_text"]


def comes_to_be(answer, words, name):
    ok(wait_for(lambda: said(answer) == words, 30), name, said(answer))


def while_it_streams():
    provider.hold()
    stream = uplift.stream("/v1/chat", {"message": "Tell me."})
    answer = stream.feedback_id()
    with holding("lock table uplift.feedback_events in exclusive mode"):
        told = uplift.request("PATCH", "/v1/feedback/" + answer, {"helpful": True})
        equal((told.status, told.json(), told.headers["X-Uplift-Degraded"]), (202, {"id": answer, "pending": True}, "database"),
              "a thumb on an answer that streams is taken")
        told = uplift.request("PATCH", REST + answer, {"rating": 4})
        equal(told.status, 204, "so are stars by supabase-js")
    provider.go()
    ok(stream.read_until('"done":true'), "the answer ends")
    comes_to_be(answer, (True, 4, None), "both are on its row")


def when_it_is_written():
    answer = uplift.post("/v1/chat", {"message": "Tell me."}).json()["feedbackId"]
    uplift.row(answer)
    with holding("select from public.coach_response_feedback where id = %s for update", answer):
        told = uplift.request("PATCH", "/v1/feedback/" + answer, {"helpful": False})
        equal((told.status, told.json()), (202, {"id": answer, "pending": True}), "a thumb on a row that somebody holds is taken")
        told = uplift.request("PATCH", REST + answer, {"feedback_text": "meh"}, headers={"Prefer": "return=representation"})
        equal((told.status, told.json()), (200, [{"feedback_text": "meh", "id": answer, "user_id": USER}]), "so is a comment by supabase-js, with what is known")
    comes_to_be(answer, (False, None, "meh"), "both are on it when it is free")
    told = uplift.request("PATCH", "/v1/feedback/" + answer, {"helpful": True})
    equal((told.status, said(answer)[0]), (200, True), "then all is as before")


def what_is_wrong_is_refused():
    answer = uplift.post("/v1/chat", {"message": "Tell me."}).json()["feedbackId"]
    uplift.row(answer)
    with holding("select from public.coach_response_feedback where id = %s for update", answer):
        told = uplift.request("PATCH", "/v1/feedback/" + answer, {"rating": 9})
        equal((told.status, told.error().get("code")), (400, "invalid_rating"), "what is no feedback is none")
        told = uplift.request("PATCH", REST + answer, {"user_id": answer})
        equal((told.status, told.json().get("code")), (403, "42501"), "and other columns are nobody's to change")


with Scripted() as provider, Uplift(simulator=None, UPLIFT_UPSTREAM_URL=provider.url, UPLIFT_DB_LOCK_TIMEOUT_MS="200ms") as uplift:
    run(while_it_streams, when_it_is_written, what_is_wrong_is_refused)
    equal(uplift.spool_files(".corrupt"), [], "nothing was set aside")
    equal(uplift.status(), "ready", "and Postgres never counted as away")
done()
