#!/usr/bin/python3
"""Every fault of a provider, with another one to go to: what the client gets, what both providers saw, what is
recorded. The table that comes of it is printed."""

import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import tap
from failing import FAULTS, PATIENCE, STREAMS_ONLY, await_routing, put, put_fault, put_providers
from harness import Uplift
from witness import Witness

WAYS = [(stream, native) for native in (True, False) for stream in (True, False)]

table = []


def model_of(fault, stream, native):
    return "m-%s-%s-%s" % (fault, "stream" if stream else "whole", "native" if native else "openai")


def set_up(uplift, first, second):
    put_providers(uplift, first.url, second.url)
    for fault, *_ in FAULTS:
        for way in WAYS:
            # A model for each, because one that was busy is left alone for a while.
            put_fault(uplift, model_of(fault, *way), "%s;way=%d" % (fault, WAYS.index(way)))
    put(uplift, "/admin/models", {"name": "m-too-small", "routes": [
        {"provider": "first", "model": "sim-fault-context-length", "context_tokens": 1000},
        {"provider": "second", "model": "sim-1-mini", "context_tokens": 1000}]})
    put(uplift, "/admin/models", {"name": "m-both-fail", "routes": [
        {"provider": "first", "model": "sim-fault-status-503"},
        {"provider": "second", "model": "sim-fault-status-400"}]})
    put(uplift, "/admin/models", {"name": "m-cut-then-refused", "routes": [
        {"provider": "first", "model": "sim-fault-cut"},
        {"provider": "second", "model": "sim-fault-status-429"}]})
    await_routing(uplift)


def ask(uplift, model, stream, native):
    if native:  # the model of a coach is the configured one, or what is deployed for it
        uplift.sql("delete from uplift.model_deployments")
        uplift.sql("insert into uplift.model_deployments (model_version_id, model_id, environment)"
                   " select v.id, %s, 'production' from public.ai_model_versions v", model)
        return uplift.post("/v1/chat", {"message": "Say something.", "stream": stream})
    return uplift.post("/v1/chat/completions", {"model": model, "stream": stream, "messages": [
        {"role": "user", "content": "Say something."}]})


def deltas(answer, native):
    """What a client that obeys restarts has in the end, and how often it had to."""
    text, restarts = "", 0
    for event in answer.events():
        if event == "[DONE]":
            continue
        if event.get("restart"):
            text, restarts = "", restarts + 1
        elif native:
            text += event.get("delta") or ""
        elif event.get("choices"):
            text += event["choices"][0]["delta"].get("content") or ""
    return text, restarts


def check_answered(uplift, answer, row, name, stream, native, restarts):
    tap.equal(answer.status, 200, name + ": answered")
    if stream:
        text, seen = deltas(answer, native)
        tap.equal(seen, restarts, name + ": restarts")
    else:
        text = answer.json()["message"] if native else answer.json()["choices"][0]["message"]["content"]
    tap.equal((text, row["outcome"], row["error_code"]), (row["ai_response"], "complete", None),
              name + ": what the client has is what is recorded")
    tap.ok(text, name + ": it is not empty")


def check_failed(answer, row, name, streamed):
    error = answer.events()[-1].get("error") if streamed else answer.error()
    tap.equal(error and error["code"], row["error_code"], name + ": told what is recorded")
    tap.ok(row["outcome"] == ("partial" if streamed else "failed"), name + ": " + row["outcome"])
    if streamed:
        tap.ok("[DONE]" not in answer.events(), name + ": it never looks complete")


def one_fault(uplift, first, second, fault, reason, calls, goes_on, has_begun, stream, native):
    model = model_of(fault, stream, native)
    name = "%s, %s, %s" % (fault, "/v1/chat" if native else "completions", "streamed" if stream else "whole")
    if not stream and fault in STREAMS_ONLY + PATIENCE:
        return
    if not stream and fault == "cut":
        reason, calls, has_begun = "reset", 2, False  # the simulator hangs up before the head
    first.seen.clear(), second.seen.clear()
    began = time.monotonic()
    answer = ask(uplift, model, stream, native)
    took = time.monotonic() - began
    row = uplift.row(answer.headers["X-Feedback-Id"])
    unsays = goes_on and has_begun and not native and stream
    tap.equal((len(first.seen), len(second.seen)), (calls, 1 if goes_on and not unsays else 0),
              name + ": what both providers saw")
    reasons = [a.get("reason") for a in row["attempts"]]
    if unsays:
        tap.equal(reasons, [reason], name + ": attempts")
        check_failed(answer, row, name, True)
    elif goes_on:
        tap.equal(reasons, [reason] * calls + [None], name + ": attempts")
        check_answered(uplift, answer, row, name, stream, native, 1 if has_begun and stream else 0)
        tap.equal((row["provider"], row["model_used"]), ("second", "sim-1-mini"), name + ": who answered")
        tap.equal(row["attempts"][0]["provider"], "first", name + ": who did not")
        tap.ok(not row["usage_estimated"] and row["completion_tokens"] > 0, name + ": with that one's usage")
    elif reason:
        tap.equal(reasons, [reason], name + ": attempts")
        check_failed(answer, row, name, False)
        tap.equal(row["completion_tokens"], 0, name + ": billed nothing")
    else:
        tap.equal(reasons, [None], name + ": attempts")
        check_answered(uplift, answer, row, name, stream, native, 0)
    told = "answer" if answer.status == 200 else str(answer.status)
    if unsays:
        told = "text, then error"
    elif goes_on and has_begun and stream:
        told = "text, restart, answer"
    table.append((name, told if answer.status == 200 else "%s %s" % (told, answer.error()["code"]),
                  " ".join(r or "ok" for r in reasons), took))


def ends_of_the_road(uplift, first, second):
    answer = ask(uplift, "m-too-small", True, False)
    tap.equal((answer.status, answer.error()["code"]), (400, "context_length_exceeded"),
              "too long for all: the client is told so")
    first.seen.clear(), second.seen.clear()
    answer = ask(uplift, "m-both-fail", True, False)
    tap.equal((answer.status, answer.error()["code"]), (503, "provider_error"),
              "both fail: the client is told what failed first")
    tap.equal((len(first.seen), len(second.seen)), (2, 1), "both fail: and both were asked")
    answer = ask(uplift, "m-cut-then-refused", True, True)
    events = answer.events()
    tap.equal(events[-1].get("error", {}).get("code"), "provider_cut",
              "cut, and the fallback refuses: the client is told of the cut")
    tap.ok(any(event.get("restart") for event in events), "cut, and the fallback refuses: the text was taken back")


def keys(first, second):
    tap.equal(first.seen[-1].headers["Authorization"], "Bearer sk-first-of-environment", "a key of the environment")
    tap.equal(second.seen[-1].headers["Authorization"], "Bearer sk-second-of-file", "a key of a file")


def main():
    environment = {"FIRST_API_KEY": "sk-first-of-environment"}
    with Uplift(batch=True, environment=environment, expected="provider|cannot be read") as uplift:
        keys_dir = uplift.dir + "/keys"
        os.mkdir(keys_dir)
        with open(keys_dir + "/second.key", "w") as file:
            file.write("sk-second-of-file\n")
        uplift.stop_chat()
        uplift.start_chat(UPLIFT_KEY_DIR=keys_dir, UPLIFT_TOTAL_TIMEOUT_MS="20s")
        uplift.sql("insert into public.ai_model_versions (model_name, version, model_id) values ('any', '1', 'any')")
        with Witness(uplift.sim_port) as first, Witness(uplift.sim_port) as second:
            set_up(uplift, first, second)
            for fault in FAULTS:
                for way in WAYS:
                    one_fault(uplift, first, second, *fault, *way)
            ends_of_the_road(uplift, first, second)
            keys(first, second)
    tap.note("%-50s %-34s %-28s %s" % ("fault", "the client got", "attempts", "seconds"))
    for name, told, attempts, took in table:
        tap.note("%-50s %-34s %-28s %.2f" % (name, told, attempts, took))


main()
tap.done()
