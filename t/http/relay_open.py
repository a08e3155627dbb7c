#!/usr/bin/python3
"""Two thousand streams open at once in one worker: the memory they take, and that all of them live.

They are opened on the worker's own FastCGI socket, so that TLS in this script is not what is
measured."""

import json
import os
import select
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import fastcgi
import tap
from harness import Uplift
from process import raise_file_limit, wait_for

COUNT = 2000
BODY = json.dumps({"model": "sim-pace-1000", "stream": True,
                   "messages": [{"role": "user", "content": "Say something. " * 20}]}).encode()


def is_sanitized(pid):
    with open("/proc/%d/maps" % pid) as f:
        return "libasan" in f.read()


def pss_kb(pid):
    with open("/proc/%d/smaps_rollup" % pid) as f:
        return sum(int(line.split()[1]) for line in f if line.startswith("Pss:"))


def count_where(condition, clients, received, seconds):
    """How many of the clients have received bytes that meet the condition, once all have."""
    poll = select.poll()
    for client in clients:
        poll.register(client, select.POLLIN)
    by_fd = {c.fileno(): c for c in clients}
    left = set(by_fd)
    deadline = time.monotonic() + seconds
    while left and time.monotonic() < deadline:
        for fd, _ in poll.poll(200):
            received[fd] = received.get(fd, b"") + by_fd[fd].recv(65536)
            if condition(received[fd]):
                left.discard(fd)
    return len(clients) - len(left)


raise_file_limit()
with Uplift(UPLIFT_WORKERS="1", UPLIFT_FIRST_BYTE_TIMEOUT_MS=60000,
            UPLIFT_IDLE_TIMEOUT_MS=60000) as uplift:
    for _ in range(20):
        uplift.post("/v1/chat", {"message": "hello"})
    worker = uplift.workers()[0]
    before = pss_kb(worker)
    clients, received = [], {}
    data = fastcgi.request("POST", "/v1/chat/completions", BODY, {"Authorization": "Bearer " + uplift.token()})
    for i in range(COUNT):
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(20)
        client.connect(uplift.dir + "/run/chat.sock")
        client.sendall(data)
        clients.append(client)
    begun = count_where(lambda b: b'"content":"' in b, clients, received, 60)
    tap.equal(begun, COUNT, "all %d streams have begun" % COUNT)

    each = (pss_kb(worker) - before) / COUNT
    tap.note("%.1f KB (PSS) for each open chat" % each)
    if is_sanitized(worker):
        tap.ok(True, "memory for each open chat is not measured under a sanitizer")
    else:
        tap.ok(each < 35, "an open chat takes less than 35 KB", "%.1f KB" % each)

    started = time.monotonic()
    answer = uplift.post("/v1/chat", {"message": "hello"})
    tap.equal(answer.status, 200, "another chat is answered meanwhile")
    tap.ok(time.monotonic() - started < 2, "and soon", time.monotonic() - started)

    received.clear()
    again = count_where(lambda b: b'"content":"' in b, clients, received, 60)
    tap.equal(again, COUNT, "all streams go on")

    for client in clients:
        client.close()
    tap.ok(wait_for(lambda: uplift.sql(
        "select count(*) n from coach_response_feedback where outcome = 'cancelled'")[0]["n"] == COUNT,
        60), "all hang up: each is recorded as cancelled", uplift.sql(
            "select outcome, error_code, count(*) from coach_response_feedback group by 1, 2"))
tap.done()
