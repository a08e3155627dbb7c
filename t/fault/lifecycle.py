#!/usr/bin/python3
"""Changing and ending workers while they work: HUP under load, TERM, the drain's deadline, workers that die at their
start, and clients that hang up on an uplift that finishes all the same."""

import concurrent.futures
import json
import os
import signal
import sys
from datetime import datetime

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[1:1] = [TOP + "/t/lib"]
from build import program  # noqa: E402
from clients import Clients, connections_waiting  # noqa: E402
from harness import Uplift  # noqa: E402
from process import paused, sanitizers, wait_for  # noqa: E402
from tap import done, equal, ok, run  # noqa: E402

LONG = {"messages": [{"role": "user", "content": "Say something."}], "model": "sim-pace-200"}


def logged(text):
    """The lines of the log in which this is said."""
    return [json.loads(line) for line in uplift.read_log().splitlines() if text in line and line.startswith("{")]


def reload(**settings):
    """Reloads under load, and waits until all workers of before are gone."""
    before, count = set(uplift.workers()), len(logged("reloaded"))
    uplift.configure(**settings)
    uplift.reload()
    ok(wait_for(lambda: len(logged("reloaded")) > count), "HUP: the configuration is read again")
    ok(wait_for(lambda: not before & set(uplift.workers()), 30), "HUP: the workers of before end")


def model_used():
    return uplift.row(uplift.post("/v1/chat", {"message": "Who are you?"}).headers["X-Feedback-Id"])["model_used"]


def reload_under_load():
    stream = uplift.stream("/v1/chat/completions", dict(LONG, model="sim-pace-20"))
    ok(stream.read_until('"content":"'), "HUP: a stream is open")
    clients = Clients(uplift, 6)
    ok(clients.more(20), "HUP: and others come and go")
    reload(UPLIFT_MODEL="sim-1-mini")
    equal(model_used(), "sim-1-mini", "HUP: the new settings are in force")
    ok(stream.read_until("data: [DONE]\n\n", 30), "HUP: the open stream went on to its end")
    equal(uplift.row(stream.feedback_id())["outcome"], "complete", "HUP: and is recorded")
    reload(UPLIFT_WORKERS="3")
    equal(len(uplift.workers()), 3, "HUP: more workers where more are asked for")
    ok(clients.more(20), "HUP: chats go on")

    workers = uplift.workers()
    uplift.configure(UPLIFT_RETRIES="many")
    uplift.reload()
    ok(wait_for(lambda: logged("nothing changes")), "HUP: a bad file is refused")
    ok(logged("UPLIFT_RETRIES=many"), "HUP: with the reason")
    ok(clients.more(20), "HUP: the old workers go on")
    equal(uplift.workers(), workers, "HUP: the very same")
    uplift.configure(UPLIFT_RETRIES=None)

    clients.stop()
    equal((clients.refused(), clients.total("cut")), ({}, 0), "HUP: no request was lost")
    complaints = clients.compare()
    ok(not complaints, "HUP: the table says what the clients were told", "\n".join(complaints))


def term_under_load():
    clients = Clients(uplift, 6)
    ok(clients.more(20), "TERM: chats come and go")
    equal(uplift.stop_chat(), 0, "TERM: ends in order")
    clients.stop()
    equal(clients.total("cut"), 0, "TERM: no answer that had begun was cut")
    equal(set(clients.refused()) - {"503", "thumb 503"}, set(), "TERM: who comes later is told so by 503")
    complaints = clients.compare()
    ok(not complaints, "TERM: the table says what the clients were told", "\n".join(complaints))
    equal(uplift.spool_files(), [], "TERM: nothing is left on disk")


def term_with_a_queue():
    uplift.start_chat(UPLIFT_WORKERS="1")
    ok(wait_for(lambda: not connections_waiting(uplift)), "queue: no connection is kept")
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        with paused(uplift.workers()):
            waiting = pool.submit(uplift.post, "/v1/chat", {"message": "Am I too late?"})
            ok(wait_for(lambda: connections_waiting(uplift)), "queue: a chat waits to be accepted")
            uplift.chat.send_signal(signal.SIGTERM)
            ok(wait_for(lambda: len(logged("stopping: workers drain")) == 2), "queue: TERM")
            late = uplift.post("/v1/chat", {"message": "Am I?"})
            equal((late.status, late.headers["Retry-After"]), (503, "1"), "queue: who comes later is refused at once")
        equal(waiting.result().status, 200, "queue: who waited is answered")
    equal(uplift.stop_chat(), 0, "queue: all has ended in order")


def deadline():
    uplift.start_chat(UPLIFT_DRAIN_MS="500ms")
    stream = uplift.stream("/v1/chat/completions", LONG)
    ok(stream.read_until('"content":"'), "deadline: a stream is open")
    uplift.chat.send_signal(signal.SIGTERM)
    ok(stream.read_until('"code":"server_shutdown"', 20), "deadline: the client is told of the end")
    row = uplift.row(stream.feedback_id())
    equal((row["outcome"], row["error_code"]), ("partial", "server_shutdown"), "deadline: what was said is recorded")
    equal(uplift.stop_chat(), 0, "deadline: all has ended in order")


def workers_that_die_at_their_start():
    uplift.environment = {"LD_PRELOAD": program("t/fault/crashpoint.so"), "CRASHPOINT": "before PQsendPrepare:1",
                          **sanitizers("verify_asan_link_order=0")}
    begun = len(logged("started worker"))
    uplift.start_chat(wanted=None, UPLIFT_WORKERS="1", UPLIFT_DRAIN_MS="10s")
    ok(wait_for(lambda: len(logged("started worker")) >= begun + 5, 30), "respawn: a worker that dies is started again")
    times = [datetime.fromisoformat(line["time"].rstrip("Z")).timestamp() for line in logged("started worker")[begun:]]
    gaps = [later - earlier for earlier, later in zip(times, times[1:])]
    ok(all(gap >= 0.1 * 2 ** n - 0.01 for n, gap in enumerate(gaps)), "respawn: after a delay that grows", gaps)
    equal(uplift.stop_chat(), 0, "respawn: ends in order while one is due")
    uplift.environment = {}


def hang_up():
    uplift.start_chat(UPLIFT_ON_HANGUP="finish")
    stream = uplift.stream("/v1/chat/completions", dict(LONG, model="sim-pace-10"))
    ok(stream.read_until('"content":"'), "finish: a stream is open")
    answer = stream.feedback_id()
    stream.close()
    row = uplift.row(answer, 30)
    equal((row["outcome"], row["finish_reason"]), ("complete", "stop"),
          "finish: the answer is finished although the client hung up")
    ok(row["completion_tokens"] > 20 and row["ai_response"].rstrip().endswith(")*"), "finish: and recorded whole",
       row["ai_response"])
    equal(uplift.request("PATCH", "/v1/feedback/" + answer, {"helpful": True}).status, 200, "finish: it takes a thumb")


with Uplift(simulator=("--pace", "2"), expected="was ended by signal 9") as uplift:
    run(reload_under_load, term_under_load, term_with_a_queue, deadline, workers_that_die_at_their_start, hang_up)
done()
