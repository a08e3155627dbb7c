#!/usr/bin/python3
"""When an answer is over, and that none of it waits: the provider goes on only when the client has what it sent before.
Where time must pass, it is counted in the server's own heartbeats."""

import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import tap
from harness import Uplift
from playing import HOLD, RESET, Gate, Playing, chunk, event, events, head, say, usage

DONE = "[DONE]"
BODIES = {"/v1/chat": {"message": "Say something."},
          "/v1/chat/completions": {"model": "m", "messages": [{"role": "user", "content": "Say something."}]}}
ROLE = chunk({"role": "assistant", "content": ""})

# name, the events of which each must reach the client before the next is sent, and how many of these say nothing to it
LIVE = [
    ("as OpenAI has it", [event(ROLE) + event(say("one")), event(say("two")), event(say("three"))]),
    ("finish_reason on every chunk", [event(say(word, "stop")) for word in ("one", "two", "three")]),
    ("finish_reason before the text", [event(chunk({"role": "assistant"}, "stop")) + event(say("one")), event(say("two")), event(say("three"))]),
    ("usage in every chunk", [event({**say(word), "usage": {"prompt_tokens": 1, "completion_tokens": 1}}) for word in ("one", "two", "three")]),
    ("the blank line comes late", [event(say("one"))[:-1], b"\n" + event(say("two"))[:-1], b"\n" + event(say("three"))]),
    ("one line end an event", [event(say(word))[:-1] for word in ("one", "two", "three")]),
    ("in a list of parts", [event(chunk({"content": [{"type": "text", "text": word}]})) for word in ("one", "two", "three")]),
]


def open_stream(uplift, path):
    return uplift.stream(path, BODIES[path])


def row_of(uplift, stream):
    row = uplift.row(stream.feedback_id())
    return row["ai_response"], row["outcome"], row["error_code"]


def each_at_once(uplift, provider):
    for name, parts in LIVE:
        for path in BODIES:
            gates = [Gate() for _ in parts]
            script = [head()]
            for part, gate in zip(parts, gates):
                script += [part, gate]
            provider.plays(script + [event(chunk(finish="stop")), event(DONE)])
            stream = open_stream(uplift, path)
            came = []
            for word, gate in zip(("one", "two", "three"), gates):
                came.append(stream.read_until('"%s"' % word))
                gate.open()
            list(stream)
            tap.equal(came, [True] * 3, "each piece comes at once: %s, %s" % (name, path))
            tap.equal(row_of(uplift, stream), ("onetwothree", "complete", None), "and is recorded: %s, %s" % (name, path))


def beats(stream, count):
    """Waits for so many heartbeats more."""
    wanted = stream.seen.count(b": keep-alive") + count
    while stream.seen.count(b": keep-alive") < wanted:
        if not stream.line():
            return False
    return True


def text_after_a_pause(uplift, provider):
    """More comes three seconds after a finish_reason."""
    for path in BODIES:
        gate = Gate()
        provider.plays([head(), event(say("one", "stop")), gate, event(say(", two", "stop")), event(DONE)])
        stream = open_stream(uplift, path)
        tap.ok(stream.read_until('"one"') and beats(stream, 3), "a pause after a finish_reason: %s" % path)
        gate.open()
        events_seen = list(stream)
        tap.equal(row_of(uplift, stream), ("one, two", "complete", None), "what comes after it belongs to the answer: %s" % path)
        tap.ok(events_seen[-1] == DONE or events_seen[-1].get("done"), "and the client gets its end")


def ends_without_an_end(uplift, provider):
    """The connection stays open."""
    for name, said, rest in [("behind the usage", [say("one"), chunk(finish="stop"), usage(9, 2)], HOLD),
                             ("behind the finish_reason", [say("one"), chunk(finish="stop")], HOLD),
                             ("behind [DONE]", [say("one"), chunk(finish="stop"), DONE], HOLD),
                             ("broken behind the finish_reason", [say("one"), chunk(finish="stop")], RESET)]:
        for path in BODIES:
            gate = Gate()
            provider.plays([events(*said), gate, rest])
            stream = open_stream(uplift, path)
            stream.read_until('"one"')  # a reset takes back what was not read
            gate.open()
            last = list(stream)[-1]
            tap.ok(last == DONE or last.get("done"), "it is whole: %s, %s" % (name, path))
            tap.equal(row_of(uplift, stream), ("one", "complete", None), "and recorded so: %s, %s" % (name, path))


def finish_reasons_that_mean_nothing(uplift, provider):
    """Where each chunk has one, only the end of the stream is the end."""
    for name, rest, code in [("breaks", RESET, "provider_cut"), ("goes silent", HOLD, "provider_timeout")]:
        for path in BODIES:
            gate = Gate()
            provider.plays([events(say("one", "stop"), say(", two", "stop")), gate, rest])
            stream = open_stream(uplift, path)
            stream.read_until('", two"')
            gate.open()
            last = list(stream)[-1]
            tap.equal((last.get("error") or {}).get("code"), code, "with a finish_reason on each chunk, a stream that %s is cut: %s" % (name, path))
            tap.equal(row_of(uplift, stream), ("one, two", "partial", code), "and recorded so: %s, %s" % (name, path))


def signs_of_life(uplift, provider):
    """Comments before the first chunk, for longer than the first byte may take."""
    for name, first, between, end in [
            ("comments", head() + b": processing\n\n", b": processing\n\n", event(say("one")) + event(DONE)),
            ("blank lines", head("application/json") + b"\n", b"\n", b'{"choices":[{"message":{"content":"one"}}]}')]:
        gates = [Gate() for _ in range(4)]
        script = [first]
        for gate in gates:
            script += [gate, between]
        provider.plays(script + [end])
        stream = open_stream(uplift, "/v1/chat")
        for gate in gates:
            beats(stream, 1)
            gate.open()
        list(stream)
        tap.equal(row_of(uplift, stream), ("one", "complete", None), name + " are a sign of life")
    provider.plays([head() + b": processing\n\n", HOLD])
    stream = open_stream(uplift, "/v1/chat")
    list(stream)
    tap.equal(row_of(uplift, stream), ("", "failed", "provider_timeout"), "but without one the wait has its end")


def first_token(uplift, provider):
    """Comments are no token: where another route is at hand, it is asked."""
    second = provider.at("second")
    with open(uplift.dir + "/routing.json", "w") as file:
        json.dump({"providers": [{"name": "first", "base_url": provider.url, "first_token_timeout_ms": 500, "first_byte_timeout_ms": 3600000},
                                 {"name": "second", "base_url": second.url}],
                   "models": [{"name": "m", "routes": [{"provider": "first"}, {"provider": "second"}]}]}, file)
    uplift.restart_chat(UPLIFT_ROUTING_FILE=uplift.dir + "/routing.json")
    provider.plays([head() + b": processing\n\n", HOLD])
    second.plays(events(say("one"), chunk(finish="stop"), DONE))
    stream = open_stream(uplift, "/v1/chat/completions")
    list(stream)
    row = uplift.row(stream.feedback_id())
    tap.equal((row["ai_response"], [a.get("reason") for a in row["attempts"]]), ("one", ["timeout_first_token", None]),
              "comments are no token: the next route is asked")


with Playing() as provider, Uplift(simulator=None, UPLIFT_UPSTREAM_URL=provider.url, UPLIFT_MODEL="m", UPLIFT_RETRIES=0,
                                   expected="provider", UPLIFT_HEARTBEAT_MS="1s", UPLIFT_FIRST_BYTE_TIMEOUT_MS="1600ms",
                                   UPLIFT_IDLE_TIMEOUT_MS="10s") as uplift:
    each_at_once(uplift, provider)
    text_after_a_pause(uplift, provider)
    uplift.restart_chat(UPLIFT_IDLE_TIMEOUT_MS="1600ms")
    ends_without_an_end(uplift, provider)
    finish_reasons_that_mean_nothing(uplift, provider)
    signs_of_life(uplift, provider)
    first_token(uplift, provider)
tap.done()
