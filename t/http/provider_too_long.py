#!/usr/bin/python3
"""A request that is too long for one model, or for its tokens a minute, is asked of another one."""

import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import tap
from harness import Uplift
from playing import Playing, body, chunk, events, say

GOOD = events(say("Hello"), chunk(finish="stop"), "[DONE]")
VLLM = body({"object": "error", "type": "BadRequestError", "param": None, "code": 400,
             "message": "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens (4000 in the "
                        "messages, 1000 in the completion). Please reduce the length of the messages or completion."},
            status="400 Bad Request")
GROQ = body({"error": {"message": "Request too large for model `m` on tokens per minute (TPM): Limit 6000, Requested 12328",
                       "type": "tokens", "code": "rate_limit_exceeded"}}, status="413 Payload Too Large")
NAMES = ["one", "two", "three", "four"]


def ask(uplift, model):
    return uplift.post("/v1/chat/completions", {
        "model": model, "stream": True, "messages": [{"role": "user", "content": "Say something."}]})


def seen(provider):
    return [name for name in NAMES for _ in provider.at(name).seen]


def play(provider, **scripts):
    for name in NAMES:
        provider.at(name).plays(scripts.get(name, GOOD))


# name, the model, what the providers say, who is asked, what the client gets
CASES = [
    ("no size is known: a model of the fallbacks", "unknown", {"one": VLLM}, ["one", "two"], 200),
    ("and only one", "unknown", {"one": VLLM, "two": VLLM}, ["one", "two"], 400),
    ("the same model elsewhere is no larger", "elsewhere", {"one": VLLM}, ["one"], 400),
    ("a size is known: the larger one", "larger", {"one": VLLM}, ["one", "three"], 200),
    ("a size is known of the first only: another model", "half", {"one": VLLM}, ["one", "two"], 200),
    ("known to be larger comes besides one that is not known", "besides", {"one": VLLM, "two": VLLM}, ["one", "two", "three"], 200),
    ("too many tokens a minute: another route", "elsewhere", {"one": GROQ}, ["one", "two"], 200),
    ("and nobody else has to leave it alone", "elsewhere", {}, ["one"], 200),
]


def main():
    with Playing() as provider:
        def route(name, tokens=None):
            return {"provider": name, **({"context_tokens": tokens} if tokens else {})}
        models = [("unknown", [route("one")], ["large", "huge"]), ("large", [route("two")], []), ("huge", [route("three")], []),
                  ("elsewhere", [route("one"), route("two")], []),
                  ("larger", [route("one", 1000), route("two", 1000), route("three", 2000)], []),
                  ("half", [route("one", 1000)], ["large", "huge"]),
                  ("besides", [route("one", 1000)], ["large", "vast"]), ("vast", [route("three", 2000)], [])]
        routing = {"providers": [{"name": name, "base_url": provider.at(name).url} for name in NAMES],
                   "models": [{"name": name, "routes": routes, "fallbacks": fallbacks} for name, routes, fallbacks in models]}
        with Uplift(simulator=None, UPLIFT_UPSTREAM_URL=provider.url, UPLIFT_MODEL="m", UPLIFT_RETRIES=0, expected="provider") as uplift:
            with open(uplift.dir + "/routing.json", "w") as file:
                json.dump(routing, file)
            uplift.restart_chat(UPLIFT_ROUTING_FILE=uplift.dir + "/routing.json")
            for name, model, scripts, asked, status in CASES:
                play(provider, **scripts)
                answer = ask(uplift, model)
                tap.equal((answer.status, sorted(seen(provider), key=NAMES.index)), (status, asked), name)
                if status == 400:
                    tap.equal((answer.error()["code"], answer.error()["message"][:28]), ("context_length_exceeded", "This model's maximum context"),
                              name + ": told in OpenAI's code and the provider's words")


main()
tap.done()
