#!/usr/bin/python3
"""Sixteen large bodies at once, made of as many values as there is room for: the server goes on answering, takes no
more memory than it was given for them, and gives it back."""

import concurrent.futures
import os
import sys
import threading

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[1:1] = [TOP + "/t/lib"]
from harness import Uplift  # noqa: E402
from process import wait_for  # noqa: E402
from tap import done, equal, note, ok  # noqa: E402

MB = 1 << 20
SIZE = 8 * MB
MEMORY = 64 * MB
CLIENTS = 16


def zeros():
    return b'{"z":[' + b"0," * ((SIZE - 10) // 2) + b"0]}"


def names():
    return b"{" + b",".join(b'"%07x":0' % n for n in range(SIZE // 13)) + b"}"


def picture():
    """What is a good request: one message with a picture."""
    head = b'{"model":"sim-1","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,'
    tail = b'"}}]}]}'
    return head + b"A" * ((SIZE - len(head) - len(tail)) // 4 * 4) + tail


def memory(name):
    """Of the worker, in bytes; name VmRSS or VmHWM, the most there ever was."""
    with open("/proc/%d/status" % uplift.workers()[0]) as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith(name))


def is_sanitized():
    with open("/proc/%d/maps" % uplift.workers()[0]) as file:
        return "libasan" in file.read()


def send(body):
    answer = uplift.post("/v1/chat/completions", body, timeout=120)
    return answer.status, answer.error().get("code"), answer.headers["Retry-After"]


def at_once(make, allowed):
    """Many of them, while somebody looks whether the server is alive and somebody else talks."""
    body, stop, alive = make(), threading.Event(), []

    def look():
        while not stop.is_set():
            alive.append((uplift.get("/healthz", user=None, timeout=30).status,
                          uplift.post("/v1/chat", {"message": "hi"}, timeout=30).status))

    with concurrent.futures.ThreadPoolExecutor(CLIENTS + 1) as pool:
        looking = pool.submit(look)
        told = [pool.submit(send, body) for _ in range(CLIENTS)]
        got = {each.result() for each in told}
        stop.set()
        looking.result()
    ok(got and got <= allowed, "%s: each is answered, or told to come again" % make.__name__, got)
    ok(alive and set(alive) == {(200, 200)}, "%s: meanwhile the server is alive, and answers others" % make.__name__, set(alive))


with Uplift(UPLIFT_WORKERS="1", UPLIFT_REQUEST_MEMORY_BYTES=str(MEMORY)) as uplift:
    full = (503, "overloaded", "1")
    equal(send(names()), (400, "invalid_json", None), "there are too many values in it")
    equal(send(picture()), (200, None, None), "not in a picture")
    before = memory("VmRSS")
    for make, usual in ((zeros, (400, "invalid_json", None)), (names, (400, "invalid_json", None)), (picture, (200, None, None))):
        at_once(make, {usual, full})
    note("before %d MB, most %d MB, after %d MB" % tuple(n // MB for n in (before, memory("VmHWM"), memory("VmRSS"))))
    if is_sanitized():
        ok(True, "memory is not measured under a sanitizer")
    else:
        ok(memory("VmHWM") < before + 2 * MEMORY, "there is an end to the memory they take", memory("VmHWM"))
        ok(wait_for(lambda: memory("VmRSS") < before + 16 * MB), "which goes back", memory("VmRSS"))
done()
