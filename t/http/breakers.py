#!/usr/bin/python3
"""Whom a failure is held against: the provider's model where several users meet it, the provider as a whole only for
what concerns all of it, and nobody for what a client causes by its own request."""

import json
import os
import socket
import sys
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import tap
from harness import Uplift, wait_for
from playing import RESET, Playing, body, chunk, events, say

ANN, BEN, CLEO = (str(uuid.UUID(int=0xa << 64 | i)) for i in (10, 11, 12))
FAILURES = 4
GOOD = events(say("Hello"), chunk(finish="stop"), "[DONE]")
PROVIDERS = ["one-user", "two-users", "refuses", "denies", "no-credit", "probed", "comes-back"]


def status(number, **error):
    return body({"error": {"message": "m", **error}}, status="%d No" % number)


def ask(uplift, model, user, **more):
    return uplift.post("/v1/chat/completions", {
        "model": model, "stream": True, "messages": [{"role": "user", "content": "Say something."}], **more}, user=user)


def ask_often(uplift, model, user, times=3 * FAILURES, **more):
    return {ask(uplift, model, user, **more).status for _ in range(times)}


def is_asked(uplift, part, model, user):
    """Whether a chat of the user reaches the provider."""
    before = len(part.seen)
    ask(uplift, model, user)
    return len(part.seen) > before


def states(uplift):
    """The breakers that GET /metrics shows as open: (provider, model)."""
    found = set()
    for line in uplift.get("/metrics", user=None).text.splitlines():
        if line.startswith("uplift_breaker_state{") and line.endswith(" 2"):
            labels = dict(pair.split("=") for pair in line[line.index("{") + 1:line.index("}")].split(","))
            found.add((labels["provider"].strip('"'), labels.get("model", "").strip('"')))
    return found


def ready(uplift):
    told = uplift.get("/readyz", user=None).json()
    return told["status"], told.get("providers"), told.get("models")


def one_user(uplift, provider):
    """Calls of one user that fail, however many, leave the others alone."""
    part = provider.at("one-user")
    for name, script, more in [("500s", status(500), {}), ("resets", [RESET], {}), ("answers that are none", body(b"x"), {}),
                               ("errors in streams", events({"error": {"message": "m"}}), {}),
                               ("errors of a choice", body({"choices": [{"finish_reason": "error", "message": {"content": ""}}]}), {}), ("403s", status(403), {}),
                               ("500s for an odd parameter", status(500), {"top_k": "many"})]:
        part.plays(script)
        ask_often(uplift, "one-user", ANN, **more)
        tap.equal(len(part.seen), FAILURES, "%s: after %d the user is not let through" % (name, FAILURES))
        answer = ask(uplift, "one-user", ANN)
        tap.equal((answer.status, answer.error()["code"], bool(answer.headers["Retry-After"])), (503, "provider_unavailable", True), name + ": and told so")
        tap.equal((ready(uplift), states(uplift)), (("ready", None, None), set()), name + ": nobody else is concerned")
        part.plays(GOOD)
        tap.equal(ask(uplift, "one-user-other", ANN).status, 200, name + ": another model of the provider answers the same user")
        tap.equal([ask(uplift, "one-user", user).status for user in (BEN, CLEO, ANN)], [200] * 3, name + ": and the same model others, which tells that it is well")


def two_users(uplift, provider):
    """The same of two users is held against the model, for all."""
    part = provider.at("two-users")
    part.plays(status(500))
    for user in (ANN, BEN) * (FAILURES // 2):
        ask(uplift, "two-users", user)
    tap.equal(len(part.seen), FAILURES, "failures of two users")
    tap.equal([ask(uplift, "two-users", CLEO).status for _ in range(6)], [503] * 6, "open the breaker for everybody, in all workers")
    tap.equal(len(part.seen), FAILURES, "who are not let through")
    tap.equal(ready(uplift), ("degraded", None, [{"provider": "two-users", "model": "two-users"}]), "/readyz names provider and model")
    tap.equal(states(uplift), {("two-users", "two-users")}, "and so does /metrics")
    part.plays(GOOD)
    tap.equal(ask(uplift, "two-users-other", CLEO).status, 200, "other models of the provider are as they were")


def made_up(uplift, provider):
    """Names of models that clients make up are shown nowhere, however many fail."""
    provider.plays(status(500))
    for number in range(FAILURES):
        for user in (ANN, BEN) * (FAILURES // 2):
            ask(uplift, "made-up-%d" % number, user)
    tap.equal(len(provider.seen), FAILURES * FAILURES, "models that nobody configured are held apart from each other")
    tap.ok(("default", "other") in states(uplift), "and shown as one", states(uplift))
    shown = uplift.get("/metrics", user=None).text + uplift.get("/readyz", user=None).text
    tap.ok("made-up" not in shown, "their names are not", [line for line in shown.splitlines() if "made-up" in line])


def refused(uplift, provider):
    """What is the client's own doing never counts, whoever does it."""
    part = provider.at("refuses")
    for code, error in [(400, {}), (422, {}), (413, {}), (404, {}), (400, {"code": "content_filter"}), (400, {"code": "context_length_exceeded"}),
                        (400, {"message": "Unrecognized request argument supplied: invalid api key"}), (400, {"message": "No such thing: insufficient balance"}), (413, {"code": "rate_limit_exceeded"}), (403, {"message": "Your input was flagged"})]:
        part.plays(status(code, **error))
        for user in (ANN, BEN, CLEO):
            ask_often(uplift, "refuses", user, FAILURES)
        tap.equal(len(part.seen), 3 * FAILURES, "%d %s counts for nothing" % (code, json.dumps(error)))


def whole(uplift, provider):
    """What concerns the provider as a whole counts for it as a whole, even if one user met it."""
    for name, code in [("denies", 401), ("no-credit", 402)]:
        part = provider.at(name)
        part.plays(status(code))
        ask_often(uplift, name, ANN)
        tap.equal(len(part.seen), FAILURES, "%d: after %d nobody is let through" % (code, FAILURES))
        tap.equal([ask(uplift, name + more, CLEO).status for more in ("", "-other")], [503] * 2, "%d: with no model" % code)
        tap.equal((name in (ready(uplift)[1] or []), (name, "") in states(uplift)), (True, True), "%d: shown as the provider's" % code)
    seen = {ask(uplift, "nowhere", ANN).error()["code"] for _ in range(FAILURES)}
    tap.equal((seen, ask(uplift, "nowhere-other", CLEO).error()["code"]), ({"provider_unreachable"}, "provider_unavailable"), "no connection: all models are left alone")
    tap.ok(("nowhere", "") in states(uplift), "no connection: shown as the provider's")


def open_it(uplift, part, model):
    part.plays(status(500))
    for user in (ANN, BEN) * FAILURES:
        ask(uplift, model, user)


def probes(uplift, provider):
    """A breaker that was opened: a chat finds out, and one that the provider refuses finds out nothing."""
    part = provider.at("probed")
    open_it(uplift, part, "probed")
    part.plays(status(400))
    tap.ok(wait_for(lambda: is_asked(uplift, part, "probed", CLEO), 20), "after a while one chat is let through")
    part.plays(status(400))
    tap.ok(wait_for(lambda: is_asked(uplift, part, "probed", CLEO), 20), "that it was refused says nothing: the next one is, too")
    part = provider.at("comes-back")
    open_it(uplift, part, "comes-back")
    part.plays(GOOD)
    tap.ok(wait_for(lambda: ask(uplift, "comes-back", CLEO).status == 200, 20), "a good answer closes it")
    tap.equal([ask(uplift, "comes-back", user).status for user in (ANN, BEN, CLEO)], [200] * 3, "for all")


def main():
    with Playing() as provider, socket.create_server(("127.0.0.1", 0)) as closed:
        routing = {"providers": [{"name": name, "base_url": provider.at(name).url} for name in PROVIDERS] +
                                [{"name": "nowhere", "base_url": "http://127.0.0.1:%d/v1" % closed.getsockname()[1]}],
                   "models": [{"name": name + more, "routes": [{"provider": name}]} for name in (*PROVIDERS, "nowhere") for more in ("", "-other")]}
        closed.close()
        with Uplift(simulator=None, UPLIFT_UPSTREAM_URL=provider.url, UPLIFT_MODEL="one-user", UPLIFT_RETRIES=0, expected="provider",
                    UPLIFT_BREAKER_FAILURES=FAILURES, UPLIFT_BREAKER_OPEN_MS="1h") as uplift:
            with open(uplift.dir + "/routing.json", "w") as file:
                json.dump(routing, file)
            uplift.restart_chat(UPLIFT_ROUTING_FILE=uplift.dir + "/routing.json")
            one_user(uplift, provider)
            two_users(uplift, provider)
            whole(uplift, provider)
            refused(uplift, provider)
            made_up(uplift, provider)
            uplift.restart_chat(UPLIFT_BREAKER_OPEN_MS="100ms")
            probes(uplift, provider)


main()
tap.done()
