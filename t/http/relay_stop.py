#!/usr/bin/python3
"""Streams that are open when fcgi-chat is told to stop: one signal lets them end, two do not."""

import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import tap
from harness import Uplift, wait_for

BODY = {"messages": [{"role": "user", "content": "Say something."}], "stream": True}


def begin(uplift, pace):
    stream = uplift.stream("/v1/chat/completions", dict(BODY, model="sim-pace-%d" % pace))
    tap.ok(stream.read_until('"content":"'), "a stream is open")
    return stream


with Uplift(UPLIFT_FIRST_BYTE_TIMEOUT_MS=20000) as uplift:
    open_streams = [begin(uplift, 30) for _ in range(3)]
    uplift.chat.send_signal(signal.SIGTERM)
    for stream in open_streams:
        tap.ok(stream.read_until("data: [DONE]\n\n", 20), "TERM: an open stream goes on to its end")
        row = uplift.row(stream.feedback_id(), 0)
        tap.equal(row and row["outcome"], "complete", "TERM: and is recorded")
    tap.equal(uplift.chat.wait(20), 0, "TERM: fcgi-chat has ended")

    uplift.start_chat()
    stream = begin(uplift, 1000)
    uplift.chat.send_signal(signal.SIGTERM)
    wait_for(lambda: "stopping: workers drain" in uplift.read_log("chat"))
    uplift.chat.send_signal(signal.SIGTERM)  # soon enough that a worker may hear of both at the same time
    tap.ok(stream.read_until('"code":"server_shutdown"', 10), "TERM twice: the client is told")
    tap.ok(b"[DONE]" not in stream.seen, "TERM twice: and not of success")
    row = uplift.row(stream.feedback_id())
    tap.equal((row["outcome"], row["error_code"]), ("partial", "server_shutdown"),
              "TERM twice: what was said is recorded")
    tap.equal(uplift.chat.wait(20), 0, "TERM twice: fcgi-chat has ended")
tap.done()
