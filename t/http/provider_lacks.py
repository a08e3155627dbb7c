#!/usr/bin/python3
"""Providers that refuse a request for a parameter that uplift added: they are asked again without, and all workers
remember it; what the client itself asked for stays."""

import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import tap
from harness import Uplift
from playing import Playing, body, chunk, events, say, usage

DONE = "[DONE]"
GOOD = events(say("Hello"), chunk(finish="stop"), DONE)
WITH_USAGE = events(say("Hello"), chunk(finish="stop"), usage(9, 2), DONE)


def refuse(status, data):
    return body(data, status="%d No" % status)


# How they say that they do not know it: status, body, the words that a client gets.
REFUSALS = {
    "azure": (400, {"error": {"code": None, "message": "Unrecognized request argument supplied: stream_options", "param": None, "type": "invalid_request_error"}},
              "Unrecognized request argument supplied: stream_options"),
    "mistral": (422, {"object": "error", "message": {"detail": [{"type": "extra_forbidden", "loc": ["body", "stream_options"], "msg": "Extra inputs are not permitted", "input": {"include_usage": True}}]},
                      "type": "invalid_request_error", "param": None, "code": None}, "body.stream_options: Extra inputs are not permitted"),
    "mistral-before": (422, {"object": "error", "message": json.dumps({"detail": [{"loc": ["body", "stream_options"], "msg": "Extra inputs are not permitted"}]}), "type": "internal_error_proxy"},
                       "body.stream_options: Extra inputs are not permitted"),
    "fastapi": (422, {"detail": [{"loc": ["body", "stream_options"], "msg": "extra fields not permitted", "type": "value_error.extra"}]}, "body.stream_options: extra fields not permitted"),
    "detail": (400, {"detail": "stream_options is not supported"}, "stream_options is not supported"),
    "gemini": (400, [{"error": {"code": 400, "message": 'Invalid JSON payload received. Unknown name "stream_options": Cannot find field.', "status": "INVALID_ARGUMENT"}}],
               'Invalid JSON payload received. Unknown name "stream_options": Cannot find field.'),
}
OTHERS = ["options", "elsewhere", "seed", "both"]


def picky(refusal, *names):
    """A provider that refuses these parameters, the first that is there first."""
    def script(request):
        for name in names:
            if name in request:
                status, data, _ = refusal
                return refuse(status, json.loads(json.dumps(data).replace("stream_options", name)))
        return GOOD
    return script


def ask(uplift, model, **more):
    return uplift.post("/v1/chat/completions", {
        "model": model, "stream": True, "temperature": 0.5, "messages": [{"role": "user", "content": "Say something."}], **more})


def learnt(uplift, provider):
    for name, refusal in REFUSALS.items():
        part = provider.at(name)
        part.plays(picky(refusal, "stream_options"))
        answer = ask(uplift, "m-" + name)
        tap.equal((answer.status, answer.said(), answer.events()[-1]), (200, "Hello", DONE), name + ": the answer comes")
        tap.equal(["stream_options" in request for request in part.seen], [True, False], name + ": asked again without")
        if len(part.seen) == 2:
            del part.seen[0]["stream_options"]
            tap.equal(part.seen[1], part.seen[0], name + ": and with all else")
        row = uplift.row(answer.headers["X-Feedback-Id"])
        tap.equal([(a["http_status"], a.get("reason")) for a in row["attempts"]], [(refusal[0], "status_%d" % refusal[0]), (200, None)],
                  name + ": both calls are kept")
        tap.ok(row["usage_estimated"] and row["outcome"] == "complete", name + ": the usage is estimated")
        part.plays(part.scripts[0])
        said = [ask(uplift, "m-" + name).said() for _ in range(8)]
        tap.equal((said, len(part.seen)), (["Hello"] * 8, 8), name + ": remembered, by all workers")


def what_the_client_asked_for(uplift, provider):
    for name, refusal in REFUSALS.items():
        part = provider.at(name)
        part.plays(picky(refusal, "stream_options"))
        answer = ask(uplift, "m-" + name, stream_options={"include_usage": True})
        tap.equal((answer.status, answer.error().get("message")), (refusal[0], refusal[2]), name + ": the client's own is refused, in the provider's words")
        tap.equal([request["stream_options"] for request in part.seen], [{"include_usage": True}], name + ": and never left out")
    part = provider.at("options")
    part.plays(lambda request: refuse(400, {"detail": "include_usage?"}) if "include_usage" in request["stream_options"] else GOOD)
    answer = ask(uplift, "m-options", stream_options={"include_obfuscation": False})
    tap.equal((answer.status, [request["stream_options"] for request in part.seen]),
              (200, [{"include_obfuscation": False, "include_usage": True}, {"include_obfuscation": False}]),
              "of options that the client has, only ours is left out")


def refused_for_something_else(uplift, provider):
    """The refusal quotes the whole request, as FastAPI does."""
    part = provider.at("elsewhere")
    part.plays(lambda request: refuse(422, {"detail": [{"loc": ["body", "temperature"], "msg": "too warm", "input": request}]}))
    answer = ask(uplift, "m-elsewhere")
    tap.equal((answer.status, answer.error().get("message")), (422, "body.temperature: too warm"), "refused for something else: told so")
    tap.equal(len(part.seen), 2, "and asked no more than once again")
    part.plays(WITH_USAGE)
    answer = ask(uplift, "m-elsewhere")
    tap.ok("stream_options" in part.seen[0], "nothing is learnt from it")
    tap.ok(not uplift.row(answer.headers["X-Feedback-Id"])["usage_estimated"], "and the usage is the provider's")


def seed(uplift, provider):
    part = provider.at("seed")
    part.plays(GOOD)
    first = uplift.post("/v1/chat", {"message": "hello"})
    for stream in (False, True):
        part.plays(picky(REFUSALS["gemini"], "seed"))
        answer = uplift.post("/v1/chat", {"regenerate_of": first.headers["X-Feedback-Id"], "stream": stream})
        wanted = [True, False] if not stream else [False]
        tap.equal((answer.status, ["seed" in request for request in part.seen]), (200, wanted), "a seed, %s" % ("remembered" if stream else "learnt"))
    tap.ok("stream_options" in part.seen[0], "the provider gets what it does know")


def both(uplift, provider):
    uplift.restart_chat(UPLIFT_MODEL="m-both")
    part = provider.at("both")
    part.plays(GOOD)
    first = uplift.post("/v1/chat", {"message": "hello"})
    part.plays(picky(REFUSALS["azure"], "seed", "stream_options"))
    answer = uplift.post("/v1/chat", {"regenerate_of": first.headers["X-Feedback-Id"], "stream": True})
    tap.equal((answer.said(), [("seed" in r, "stream_options" in r) for r in part.seen]),
              ("Hello", [(True, True), (False, True), (False, False)]), "one after the other")


def main():
    with Playing() as provider:
        names = [*REFUSALS, *OTHERS]
        routing = {"providers": [{"name": name, "base_url": provider.at(name).url} for name in names],
                   "models": [{"name": "m-" + name, "routes": [{"provider": name}]} for name in names]}
        with Uplift(simulator=None, UPLIFT_UPSTREAM_URL=provider.url, UPLIFT_MODEL="m-seed", UPLIFT_RETRIES=0) as uplift:
            with open(uplift.dir + "/routing.json", "w") as file:
                json.dump(routing, file)
            uplift.restart_chat(UPLIFT_ROUTING_FILE=uplift.dir + "/routing.json")
            learnt(uplift, provider)
            what_the_client_asked_for(uplift, provider)
            refused_for_something_else(uplift, provider)
            seed(uplift, provider)
            both(uplift, provider)


main()
tap.done()
