#!/usr/bin/python3
"""Answers on /v1/chat that go on without their reader: listed, picked up where they were, followed by several, read
when they have ended, and stopped; by whichever worker the request comes to."""

import json
import os
import re
import sys
import uuid
import zlib

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/../lib")
from harness import Uplift, wait_for  # noqa: E402
from tap import done, equal, like, ok  # noqa: E402

OTHER = "00000000-0000-7000-8000-000000000002"


def events_in(text):
    """[(id or None, data)] of a stream that was read whole, without comments."""
    found = []
    for event in text.split("\n\n"):
        name, data = re.search(r"^id: (.*)$", event, re.M), re.search(r"^data: (.*)$", event, re.M)
        if data:
            found.append((name and name.group(1), json.loads(data.group(1))))
    return found


def events_of(answer):
    return events_in(answer.text)


def said_in(events):
    text = ""
    for _, data in events:
        text = "" if data.get("restart") else text + data.get("delta", "")
    return text


def begin(uplift, message="How do I start running?", **options):
    """Asks, and reads until some text has come; returns the stream and its last event's id."""
    stream = uplift.stream("/v1/chat", {"message": message}, **options)
    seen = ""
    for data in stream:
        seen += data.get("delta", "")
        if len(seen) > 20:
            break
    position = re.findall(rb"^id: (\S+)$", stream.seen, re.M)[-1].decode()
    return stream, position, seen


def follow(uplift, answer, position=None, **options):
    headers = {"Last-Event-ID": position} if position else {}
    return uplift.get("/v1/chat/%s/events" % answer, headers=headers, **options)


def check_position(position, text):
    size, checksum = position.split("-")
    return int(size) <= len(text.encode()) and zlib.crc32(text.encode()[:int(size)]) == int(checksum, 16)


def test_goes_on(uplift):
    name = str(uuid.uuid4())
    stream, position, seen = begin(uplift, headers={"X-Client-Request-Id": name})
    answer, conversation = stream.feedback_id(), stream.headers["X-Conversation-Id"]
    listed = uplift.get("/v1/chat").json()
    equal(listed["object"], "list", "answers under way are a list")
    equal([[a["id"], a["conversation_id"], a["client_request_id"]] for a in listed["data"]], [[answer, conversation, name]],
          "with this one, its conversation, and the client's own name for it")
    equal(uplift.get("/v1/chat", user=OTHER).json()["data"], [], "another user sees none")
    stream.close()

    picked = follow(uplift, answer, position)
    equal((picked.status, picked.headers["Content-Type"]), (200, "text/event-stream"), "the answer goes on without its reader")
    events = events_of(picked)
    equal([events[0][1].get(key) for key in ("started", "feedbackId", "conversation_id", "coach_id", "message")],
          [True, answer, conversation, "coach_decibel_avatar", "How do I start running?"], "a follower is told which it is")
    equal(events[-1][1].get("done"), True, "and when it is done")
    row = uplift.row(answer)
    equal(row["outcome"], "complete", "it is recorded as complete")
    equal(seen + said_in(events), row["ai_response"], "what was read before and what is picked up make the whole answer")
    ok(not any("restart" in data for _, data in events), "without a word twice")
    ok(all(check_position(at, row["ai_response"]) for at, data in events if "delta" in data), "each piece has its position")
    equal(events[-1][1], {**stream_end(uplift, answer), **events[-1][1]}, "the end has all that a chat's end has")
    equal(uplift.get("/v1/chat").json()["data"], [], "nothing is under way any more")
    return answer, position, row["ai_response"]


def stream_end(uplift, answer):
    """What the end of the stream is to say, by its row."""
    row = uplift.row(answer)
    return {"done": True, "feedbackId": answer, "conversation_id": row["conversation_id"], "coach_id": row["coach_id"],
            "severity": float(row["severity"]), "mode": row["mode"], "model": row["model_used"], "finish_reason": "stop",
            "response_time_ms": row["response_time_ms"],
            "usage": {"prompt_tokens": row["prompt_tokens"], "completion_tokens": row["completion_tokens"],
                      "total_tokens": row["prompt_tokens"] + row["completion_tokens"]}}


def test_ended(uplift, answer, position, text):
    whole = events_of(follow(uplift, answer))
    equal(said_in(whole), text, "an answer that has ended is read from its beginning")
    equal({**stream_end(uplift, answer), **whole[-1][1]}, whole[-1][1], "with the same end")
    rest = events_of(follow(uplift, answer, position))
    size = int(position.split("-")[0])
    equal(said_in(rest), text.encode()[size:].decode(), "or from where the reader was")
    for bad in ("5-00000000", "999999-12345678", "nonsense", "-1-00000000", "5-0"):
        events = events_of(follow(uplift, answer, bad))
        equal(said_in(events), text, "a position that is not in this text begins anew (%s)" % bad)
    equal(any("restart" in data for _, data in events_of(follow(uplift, answer, "5-00000000"))), True, "and says so")
    last = whole[-2][0]
    equal([data for _, data in events_of(follow(uplift, answer, last)) if "delta" in data], [],
          "who has all gets no more text")


def test_refused(uplift, answer):
    for name, other in (("another user's", dict(user=OTHER)), ("no token", dict(user=None))):
        refused = follow(uplift, answer, **other)
        equal(refused.status, 404 if other["user"] else 401, "%s: not followed" % name)
    unknown = follow(uplift, str(uuid.uuid4()))
    equal((unknown.status, unknown.error().get("code")), (404, "answer_not_found"), "an id that was never issued is unknown")
    equal(uplift.post("/v1/chat/%s/stop" % answer).error().get("code"), "answer_not_found", "what has ended cannot be stopped")
    equal(follow(uplift, "nonsense").error().get("code"), "invalid_id", "what is no id is refused")
    equal(uplift.request("DELETE", "/v1/chat/%s/events" % answer).status, 405, "other methods are refused")


def test_several(uplift):
    stream, _, _ = begin(uplift, "Tell me about sleep and food and work.")
    answer = stream.feedback_id()
    followers = [uplift.open("GET", "/v1/chat/%s/events" % answer) for _ in range(20)]
    texts = [response.read().decode() for _, response in followers]
    rest = "".join(data.get("delta", "") for data in stream)
    ended = [text for text in texts if '"done":true' in text]
    equal(len(ended), 16, "sixteen may follow an answer at once")
    ok(all("delta" not in text for text in texts if text not in ended), "the others get nothing, and ask again")
    whole = uplift.row(answer)["ai_response"]
    ok(all(said_in(events_in(text)) == whole for text in ended) and whole.endswith(rest),
       "all of them, and who asked, get the same")
    for connection, _ in followers:
        connection.close()


def test_stopped(uplift):
    name = str(uuid.uuid4())
    stream, _, seen = begin(uplift, "And what about stress?", headers={"X-Client-Request-Id": name})
    answer = stream.feedback_id()
    connection, response = uplift.open("GET", "/v1/chat/%s/events" % answer)
    equal(uplift.post("/v1/chat/%s/stop" % answer, user=OTHER).status, 404, "another user cannot stop it")
    stopped = uplift.post("/v1/chat/%s/stop" % name)
    equal((stopped.status, stopped.text), (204, ""), "its user can, also by the client's own name")
    rest = list(stream)
    equal((rest[-1].get("error") or {}).get("code"), "stopped", "who reads it is told")
    like(response.read().decode(), '"code":"stopped"', "and who follows it")
    connection.close()
    row = uplift.row(answer)
    equal((row["outcome"], row["error_code"]), ("cancelled", "stopped"), "it is recorded as cancelled")
    ok(row["ai_response"].startswith(seen), "with what was said")
    events = events_of(follow(uplift, answer))
    equal((said_in(events), events[-1][1]["error"]["code"]), (row["ai_response"], "stopped"), "and read as that later")

    held = uplift.stream("/v1/chat", {"message": "Silence, please."}, headers={"X-Client-Request-Id": name})
    held.close()
    ok(wait_for(lambda: len(uplift.get("/v1/chat").json()["data"]) == 1, 10), "an answer whose client has left is under way")
    answer = uplift.get("/v1/chat").json()["data"][0]["id"]
    equal(uplift.post("/v1/chat/%s/stop" % name).status, 204, "and can be stopped")
    equal(uplift.row(answer)["outcome"] in ("cancelled", "failed"), True, "before it has said anything, too")


def test_completions(uplift):
    stream = uplift.stream("/v1/chat/completions", {"model": "sim-pace-20", "messages": [{"role": "user", "content": "Hello"}]})
    for _ in stream:
        break
    answer = stream.feedback_id()
    equal(uplift.get("/v1/chat").json()["data"], [], "answers of the other protocol are not listed")
    stream.close()
    equal(uplift.row(answer)["outcome"], "cancelled", "and end with their reader, as its clients expect")


def test_reload(uplift):
    stream, position, seen = begin(uplift, "What is a good habit?")
    answer = stream.feedback_id()
    stream.close()
    before = set(uplift.workers())
    uplift.reload()
    ok(wait_for(lambda: set(uplift.workers()) - before, 20), "new workers have come")
    events = events_of(follow(uplift, answer, position))
    equal(seen + said_in(events), uplift.row(answer)["ai_response"], "an answer of a worker that drains is followed through a new one")


with Uplift(UPLIFT_MODEL="sim-pace-20", UPLIFT_WORKERS="2") as uplift:
    test_refused(uplift, test_goes_on(uplift)[0])
    test_ended(uplift, *test_goes_on(uplift))
    test_several(uplift)
    test_stopped(uplift)
    test_completions(uplift)
    test_reload(uplift)
done()
