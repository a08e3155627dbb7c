#!/usr/bin/python3
"""Answers through the whole of uplift: both protocols, streamed and not, and the row of each."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import tap
from harness import Uplift, wait_for

MESSAGES = [{"role": "user", "content": "Say something."}]


def completion(**more):
    return dict({"model": "sim-1", "messages": MESSAGES}, **more)


def native(uplift):
    whole = uplift.post("/v1/chat", {"message": "hello"})
    tap.equal(whole.status, 200, "native: status")
    body = whole.json()
    row = uplift.row(body["feedbackId"], 0)
    tap.ok(row, "native: the row is there as soon as the answer has ended")
    tap.equal(row["ai_response"], body["message"], "native: the row holds the text")
    tap.equal(whole.headers["X-Feedback-Id"], body["feedbackId"], "native: X-Feedback-Id")
    tap.equal((row["outcome"], row["protocol"], row["streamed"]), ("complete", "chat", False),
              "native: outcome, protocol, streamed")
    tap.equal(row["prompt_tokens"], body["usage"]["prompt_tokens"], "native: usage is the row's")

    streamed = uplift.post("/v1/chat", {"message": "hello", "stream": True})
    tap.contains(streamed.headers["Content-Type"], "text/event-stream", "native stream: its type")
    events = streamed.events()
    done = events[-1]
    tap.equal(done.get("done"), True, "native stream: ends with done")
    text = "".join(e.get("delta", "") for e in events)
    tap.equal(text, body["message"], "native stream: the same text as without")
    row = uplift.row(done["feedbackId"], 0)
    tap.equal(row and row["ai_response"], text, "native stream: and the same as the row")
    tap.ok(row["time_to_first_token_ms"] is not None, "native stream: time to first token")
    tap.equal(row["usage_estimated"], False, "native stream: usage is the provider's")
    tap.equal(streamed.headers["X-Accel-Buffering"], None, "nginx keeps its header for itself")


def openai(uplift):
    whole = uplift.post("/v1/chat/completions", completion())
    body = whole.json()
    row = uplift.row(body["feedback_id"], 0)
    tap.equal(body["id"], "chatcmpl-" + body["feedback_id"], "openai: id")
    tap.equal(body["conversation_id"], row["conversation_id"], "openai: conversation_id")
    tap.equal(body["choices"][0]["message"]["content"], row["ai_response"], "openai: the text")

    streamed = uplift.post("/v1/chat/completions", completion(stream=True))
    events = streamed.events()
    tap.equal(events[-1], "[DONE]", "openai stream: ends with [DONE]")
    chunks = events[:-1]
    tap.equal({c["id"] for c in chunks}, {"chatcmpl-" + streamed.headers["X-Feedback-Id"]},
              "openai stream: one id in all chunks")
    tap.equal({c["feedback_id"] for c in chunks}, {streamed.headers["X-Feedback-Id"]},
              "openai stream: feedback_id in all chunks")
    tap.ok(all(c["choices"] and "usage" not in c for c in chunks),
           "openai stream: no usage for who did not ask")
    text = "".join(c["choices"][0]["delta"].get("content") or "" for c in chunks)
    tap.equal(text, body["choices"][0]["message"]["content"], "openai stream: the text")

    asked = uplift.post("/v1/chat/completions",
                        completion(stream=True, stream_options={"include_usage": True})).events()
    tap.equal(asked[-2]["choices"], [], "openai stream: a chunk of usage for who asked")
    tap.ok(asked[-2]["usage"]["total_tokens"] > 0, "openai stream: with figures")
    tap.equal({c["usage"] for c in asked[:-2]}, {None}, "openai stream: null in all others")


def long_answer(uplift):
    answer = uplift.post("/v1/chat/completions", completion(model="sim-fault-long;bytes=3000000"))
    text = answer.json()["choices"][0]["message"]["content"]
    tap.ok(len(text.encode()) >= 3000000, "a long answer arrives whole")
    tap.equal(uplift.row(answer.headers["X-Feedback-Id"])["ai_response"], text, "and is recorded")


def clients(uplift):
    slow = {"model": "sim-pace-50", "messages": MESSAGES, "stream": True}
    stream = uplift.stream("/v1/chat/completions", slow)
    tap.ok(stream.read_until('"content":"'), "text comes before the answer is whole")
    stream.close()
    row = uplift.row(stream.feedback_id())
    tap.equal((row["outcome"], row["error_code"]), ("cancelled", "client_closed"),
              "a client that goes away: cancelled")
    tap.ok(row["ai_response"], "what was said so far is kept")

    stuck = [uplift.stream("/v1/chat/completions",
                           dict(completion(model="sim-fault-long;bytes=16000000"), stream=True))
             for _ in range(3)]
    tap.equal(uplift.post("/v1/chat", {"message": "hello"}).status, 200,
              "clients that never read hold up nobody")
    tap.ok(wait_for(lambda: uplift.sql(
        "select 1 from coach_response_feedback where error_code in ('client_stalled',"
        "'answer_too_large') having count(*) = 3"), 20), "they are given up, and recorded",
        uplift.sql("select outcome, error_code, count(*) from coach_response_feedback group by 1, 2"))
    for stream in stuck:
        stream.close()


with Uplift(UPLIFT_CLIENT_BUFFER_BYTES=65536) as uplift:
    native(uplift)
    openai(uplift)
    long_answer(uplift)
    clients(uplift)
tap.done()
