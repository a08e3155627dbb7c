#!/usr/bin/python3
"""Connections that nginx keeps: one request after the other on each, whichever way they end; workers that end while
nginx has some open; and clients that do it wrong."""

import json
import os
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

from fastcgi import Connection, record  # noqa: E402
from harness import Uplift  # noqa: E402
from process import wait_for  # noqa: E402
from tap import contains, done, equal, ok, run  # noqa: E402

CHAT = "/v1/chat"
ANSWERED = "select count(*) from public.coach_response_feedback where user_message = 'Say something.'"


def message(text, **more):
    return json.dumps(dict({"message": text}, **more)).encode()


def open_files():
    return sum(len(os.listdir("/proc/%d/fd" % pid)) for pid in uplift.workers())


def each_after_the_other():
    kept = Connection(uplift)
    equal(kept.ask("GET", "/healthz")[0], 200, "kept: a request is answered")
    status, text = kept.ask("POST", CHAT, message("Hello"))
    ok(status == 200 and json.loads(text)["message"], "kept: then a chat")
    status, text = kept.ask("POST", CHAT, message("Hello", stream=True))
    equal(status, 200, "kept: then a stream")
    contains(text, '"done":true', "kept: to its end")
    equal(kept.ask("POST", CHAT, b"{")[0], 400, "kept: an error")
    equal(kept.ask("POST", CHAT, message("Hello"), Authorization="Bearer none")[0], 401, "kept: one whose body nobody wants")
    equal(kept.ask("POST", CHAT, b" " * 300000, Authorization="Bearer none")[0], 401, "kept: a large one")
    equal(kept.ask("GET", "/nowhere")[0], 404, "kept: no route")
    for i in range(20):
        status, text = kept.ask("POST", CHAT, message("Hello %d" % i, stream=i % 2 == 0))
        if status != 200:
            break
    equal(status, 200, "kept: and twenty chats more")
    equal(kept.ask("GET", "/healthz", keep=False)[0], 200, "kept: the last request, after which it is not to be kept")
    ok(kept.is_closed(), "kept: and is not")


def those_not_kept():
    once = Connection(uplift)
    equal(once.ask("POST", CHAT, message("Hello"), keep=False)[0], 200, "not kept: a chat is answered")
    ok(once.is_closed(), "not kept: and its connection closed")


def leave_behind():
    """Fifty connections are kept, then closed, half of them with an answer under way that nobody reads. How many
    files are open meanwhile and, as soon as that is all over, afterwards."""
    connections = [Connection(uplift) for _ in range(50)]
    for c in connections:
        c.ask("GET", "/healthz")
    meanwhile = open_files()
    ended = uplift.value(ANSWERED) + len(connections) // 2
    for i, c in enumerate(connections):
        if i % 2:
            c.send("POST", CHAT, message("Say something.", stream=True))
        c.close()
    wait_for(lambda: uplift.value(ANSWERED) >= ended and open_files() < meanwhile - 20)
    return meanwhile, open_files()


def left_behind():
    _, before = leave_behind()  # with connections to the provider, which stay
    meanwhile, after = leave_behind()
    ok(meanwhile >= before + 50, "left: fifty connections are kept")
    ok(after < before + 20, "left: closed ones are let go of", "%d open files before, %d after" % (before, after))


def done_wrong():
    for name, data in (("no FastCGI", b"GET / HTTP/1.1\r\n\r\n"), ("a record of no request", record(5, b"{}") * 3),
                       ("half a header", b"\1\1"), ("an unknown type", record(77, b"x" * 100))):
        kept = Connection(uplift)
        kept.ask("GET", "/healthz")
        kept.socket.sendall(data)
        kept.socket.shutdown(socket.SHUT_WR)
        kept.socket.settimeout(5)
        try:
            while kept.socket.recv(4096):
                pass
            closed = True
        except ConnectionResetError:
            closed = True
        except TimeoutError:
            closed = False
        ok(closed, "wrong: %s ends the connection" % name)
    equal(Connection(uplift).ask("GET", "/healthz")[0], 200, "wrong: and nothing else")


def ended_by_nginx_only(drain="30s"):
    earlier = set(uplift.workers())
    uplift.configure(UPLIFT_DRAIN_MS=drain)
    uplift.reload()
    ok(wait_for(lambda: not earlier & set(uplift.workers()), 20), "reload: the time to drain is %s" % drain)
    before = set(uplift.workers())
    kept = Connection(uplift)
    kept.ask("GET", "/healthz")
    uplift.reload()
    ok(wait_for(lambda: set(uplift.workers()) - before), "reload: new workers")
    ok(not kept.is_closed(1), "reload: the old ones do not close what nginx keeps")
    kept.socket.settimeout(20)
    equal(kept.ask("GET", "/readyz")[0], 200, "reload: nobody is told that the host is not ready")
    ok(before & set(uplift.workers()), "reload: the old ones wait")  # not after the chat: with no time to drain it may be the last
    status, text = kept.ask("POST", CHAT, message("Hello", stream=True))
    equal(status, 200, "reload: and serve what comes on it")
    contains(text, '"done":true', "reload: to its end")
    kept.close()
    ok(wait_for(lambda: not before & set(uplift.workers()), 10), "reload: and end when it is closed")


def ended_with_no_time_to_drain():
    ended_by_nginx_only(drain="0s")


def ended_at_last():
    kept = Connection(uplift)
    kept.ask("GET", "/healthz")
    uplift.restart_chat()
    ok(kept.is_closed(), "end: a connection that nobody closes is cut when time is up")


with Uplift() as uplift:
    run(each_after_the_other, those_not_kept, left_behind, done_wrong, ended_by_nginx_only, ended_with_no_time_to_drain, ended_at_last)
done()
