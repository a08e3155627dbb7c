#!/usr/bin/python3
"""More than there is room for: each queue has an end, and whoever finds it full is told at once to try again, while
those inside come through."""

import concurrent.futures
import contextlib
import os
import socket
import sys

import psycopg2

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[1:1] = [TOP + "/t/lib"]
from clients import connections_waiting  # noqa: E402
from harness import Uplift  # noqa: E402
from process import paused, raise_file_limit, wait_for  # noqa: E402
from tap import done, equal, note, ok, run, skip  # noqa: E402

CHATS = 3
ASK = {"message": "What is next?"}


def ask(_=None):
    return uplift.post("/v1/chat", ASK)


def refusal(answer):
    return answer.status, answer.error().get("code"), answer.headers["Retry-After"]


def open_chats():
    return uplift.get("/readyz", user=None).json()["open_chats"]


def too_many_chats():
    streams = []
    for _ in range(CHATS):
        streams.append(uplift.stream("/v1/chat", ASK))
        ok(streams[-1].read_until('"delta"'), "a chat is open")
    with paused([uplift.simulator.pid]):  # so that no chat ends
        refused = [ask() for _ in range(5)]
        equal([refusal(answer) for answer in refused], [(503, "overloaded", "1")] * 5, "one chat more is refused")
        equal(open_chats(), CHATS, "while the others are still open")
    ok(all(stream.read_until('"done":true', 30) for stream in streams), "these go on to their ends")
    equal(outcomes([stream.feedback_id() for stream in streams]), ["complete"] * CHATS, "and are recorded")
    equal(recorded(), CHATS, "and nothing else is")
    ok(wait_for(lambda: open_chats() == 0) and ask().status == 200, "then there is room again")


def outcomes(ids):
    rows = [uplift.row(answer) for answer in ids]
    return [row and row["outcome"] for row in rows]


def recorded():
    return uplift.value("select count(*) from public.coach_response_feedback")


def too_many_answers_to_record():
    uplift.restart_chat(UPLIFT_MAX_CHATS="100", UPLIFT_GROUP_MAX="1", UPLIFT_RECORD_QUEUE_MAX="2",
                        UPLIFT_DB_TIMEOUT_MS="60s", UPLIFT_DB_LOCK_TIMEOUT_MS="50s")
    before = recorded()
    lock = psycopg2.connect(uplift.conninfo())
    lock.cursor().execute("lock table public.coach_response_feedback in exclusive mode")  # who only reads may pass
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(ask)]
        ok(wait_for(lambda: uplift.value("select count(*) from pg_locks where not granted")),
           "the recorder waits for Postgres with one answer")
        asked += [pool.submit(ask) for _ in range(7)]
        full = wait_for(lambda: sum(a.done() for a in asked) == 5, 30)
        ok(full, "two more may wait, and for the rest there is no room", [a.done() for a in asked])
        lock.rollback()
        answers = [a.result() for a in asked]
    lock.close()
    refused = [refusal(answer) for answer in answers if answer.status != 200]
    equal(refused, [(503, "not_recorded", "1")] * 5, "whose clients are told to try again, and get no answer")
    kept = [answer.headers["X-Feedback-Id"] for answer in answers if answer.status == 200]
    equal(outcomes(kept), ["complete"] * 3, "those who waited are answered and recorded")
    equal(recorded(), before + 3, "and nothing else is")
    equal(ask().status, 200, "then there is room again")


def fill_the_socket(stack):
    """Connects until the kernel takes no more; False when this process may not have so many open files."""
    while True:
        try:
            connection = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
            connection.setblocking(False)
            connection.connect(uplift.dir + "/run/chat.sock")
        except BlockingIOError:
            return True
        except OSError as error:
            note("could not fill the socket: %s" % error)
            return False


def too_many_connections():
    """The intake's queue is that of the socket."""
    uplift.restart_chat(UPLIFT_RECORD_QUEUE_MAX=None, UPLIFT_GROUP_MAX=None)
    raise_file_limit()
    ok(wait_for(lambda: not connections_waiting(uplift)), "no connection is kept")
    with concurrent.futures.ThreadPoolExecutor(1) as pool, contextlib.ExitStack() as stack:
        with paused(uplift.workers()):
            first = pool.submit(ask)
            ok(wait_for(lambda: connections_waiting(uplift)), "a chat waits in the socket's queue")
            if not fill_the_socket(stack):
                skip("a full socket", "needs more open files")
            else:
                equal(refusal(ask()), (503, "service_unavailable", "1"), "where no connection is taken any more: 503")
            stack.close()
        equal(first.result().status, 200, "who waited before is answered")
    equal(ask().status, 200, "then there is room again")


with Uplift(simulator=("--pace", "20"), UPLIFT_WORKERS="1", UPLIFT_MAX_CHATS=str(CHATS)) as uplift:
    run(too_many_chats, too_many_answers_to_record, too_many_connections)
done()
