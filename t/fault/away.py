#!/usr/bin/python3
"""Postgres away and back: stopped, unreachable, or frozen. Chats still answer, with the coach but without memory and
history; thumbs are taken; and when it is back all is as before, by itself, with every answer in its place once."""

import contextlib
import os
import sys

import psycopg2

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[1:1] = [TOP + "/t/lib"]
from clients import own_cluster, robust_uplift  # noqa: E402
from process import wait_for  # noqa: E402
from tap import done, equal, ok, run  # noqa: E402

COACH = "coach_maple_avatar"
PERSONA = "retired orchard keeper"  # of that coach
KNOWN = "<user_facts>"


def ask(conversation, message):
    answer = uplift.post("/v1/chat", {"message": message, "coach_id": COACH, "conversation_id": conversation})
    return answer, answer.headers["X-Uplift-Degraded"]


@contextlib.contextmanager
def stopped():
    cluster.stop("fast")
    try:
        yield
    finally:
        cluster.restart()


@contextlib.contextmanager
def unreachable():
    """No way there: the socket has gone and what was connected is cut."""
    path = cluster.socket + "/.s.PGSQL.5432"
    connection = psycopg2.connect(uplift.conninfo())
    os.rename(path, path + ".gone")
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'uplift_app'")
        connection.close()
        yield
    finally:
        os.rename(path + ".gone", path)


def go_through(how, being_away):
    first, degraded = ask(None, "I want to run.")
    conversation = first.headers["X-Conversation-Id"]
    equal((first.status, degraded), (200, None), "%s: before, all is well" % how)

    with being_away():
        answers = [ask(conversation, "And today?"), ask(conversation, "And tomorrow?")]
        equal([(a.status, d) for a, d in answers], [(200, "database")] * 2, "%s: chats go on, and say so" % how)
        equal([a.headers["X-Coach-Id"] for a, _ in answers], [COACH] * 2, "%s: with the same coach" % how)
        ids = [a.headers["X-Feedback-Id"] for a, _ in answers]
        stream = uplift.stream("/v1/chat", {"message": "And then?", "coach_id": COACH, "conversation_id": conversation})
        ok(stream.read_until('"done":true'), "%s: streams, too" % how)
        equal(stream.response.headers["X-Uplift-Degraded"], "database", "%s: which say so" % how)
        ids.append(stream.feedback_id())
        words = [(ids[0], {"helpful": False}), (first.headers["X-Feedback-Id"], {"rating": 5}),
                 (ids[0], {"helpful": True, "rating": 4}), (ids[2], {"feedback_text": "good"})]
        equal([uplift.request("PATCH", "/v1/feedback/" + answer, changes).status for answer, changes in words],
              [202] * 4, "%s: thumbs are taken" % how)
        equal(uplift.post("/v1/chat", {"message": "x", "coach_id": "coach_nobody"}).status, 404,
              "%s: an unknown coach is still none" % how)
        listed = uplift.get("/v1/conversations")
        equal((listed.status, listed.error().get("code"), bool(listed.headers["Retry-After"])),
              (503, "database_unavailable", True), "%s: what needs Postgres is refused, with a time to try again" % how)
        equal(uplift.status(), "degraded", "%s: /readyz tells it" % how)

    ok(uplift.ready("ready"), "%s: it is ready again by itself" % how)
    ok(wait_for(lambda: not uplift.spool_files(), 60), "%s: the spool is loaded" % how, uplift.spool_files())
    rows = uplift.sql("select a.id::text, a.outcome, a.degraded, a.ai_response, p.system_prompt, a.helpful, a.rating,"
                      " a.feedback_text, a.prompt_tokens from public.coach_response_feedback a"
                      " join uplift.answer_prompts p on p.answer_id = a.id where a.conversation_id = %s"
                      " order by a.created_at", conversation)
    equal([row["id"] for row in rows], [first.headers["X-Feedback-Id"]] + ids, "%s: each answer is there once" % how)
    equal([row["outcome"] for row in rows], ["complete"] * 4, "%s: and whole" % how)
    equal([row["degraded"] for row in rows], [False, True, True, True], "%s: marked where Postgres was away" % how)
    equal([row["ai_response"] for row in rows[:3]], [first.said()] + [a.said() for a, _ in answers],
          "%s: as the client was told" % how)
    equal([PERSONA in row["system_prompt"] for row in rows], [True] * 4, "%s: the coach was still the coach" % how)
    equal([KNOWN in row["system_prompt"] for row in rows], [True, False, False, False], "%s: without memory" % how)
    ok(rows[2]["prompt_tokens"] < rows[0]["prompt_tokens"], "%s: and without history" % how)
    equal([(row["helpful"], row["rating"], row["feedback_text"]) for row in rows],
          [(None, 5, None), (True, 4, None), (None, None, None), (None, None, "good")],
          "%s: the last words are there" % how)

    after, degraded = ask(conversation, "And now?")
    equal((after.status, degraded), (200, None), "%s: after, all is as before" % how)
    row = uplift.row(after.headers["X-Feedback-Id"])
    ok(KNOWN in row["system_prompt"], "%s: with memory" % how)
    ok(row["prompt_tokens"] > rows[0]["prompt_tokens"] + 100, "%s: and history" % how)
    turns = uplift.get("/v1/conversations/" + conversation).json()["messages"]
    equal([turn["content"] for turn in turns if turn["role"] == "user"],
          ["I want to run.", "And today?", "And tomorrow?", "And then?", "And now?"], "%s: in one conversation" % how)


def when_stopped():
    go_through("stopped", stopped)


def when_unreachable():
    go_through("unreachable", unreachable)


def when_frozen():
    go_through("frozen", cluster.frozen)


cluster = own_cluster()
with robust_uplift(cluster, simulator=("--pace", "0")) as uplift:
    run(when_stopped, when_unreachable, when_frozen)
    equal(uplift.spool_files(".corrupt"), [], "nothing was set aside")
    equal(uplift.value("select count(*) from uplift.rejected_answers"), 0, "or rejected")
done()
