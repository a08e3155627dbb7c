#!/usr/bin/python3
"""An admin tries a provider out: it is asked as chats ask it, with its key, which nobody gets to see, and what goes wrong
is told by the codes that clients get. And what workers know of those that fail is seen, too."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import tap  # noqa: E402
from harness import Uplift, wait_for  # noqa: E402
from playing import HOLD, Playing, body, whole  # noqa: E402

KEY = "sk-of-environment"


def error(status, **error):
    return body({"error": {"message": "m", **error}}, status="%d No" % status)


def try_out(uplift, name="far", **arguments):
    answer = uplift.admin("POST", "/admin/providers/%s/test" % name, arguments)
    tap.ok(KEY not in answer.text, "the key is not told")
    return answer.json() if answer.status == 200 else (answer.status, answer.error()["code"])


def failed(result):
    return result["is_good"], result["http_status"], result["error"]["code"]


def good(uplift, provider):
    provider.plays(body(whole({"content": "ready"}, model="sim-1-snapshot")))
    result = try_out(uplift)
    tap.equal((result["is_good"], result["answer"], result["http_status"], result["error"]), (True, "ready", 200, None), "a provider that answers is good")
    tap.equal((result["model"], result["answered_by"]), ("sim-1", "sim-1-snapshot"), "it is asked for the model of its route")
    tap.equal((provider.seen[-1]["max_tokens"], len(provider.seen[-1]["messages"])), (16, 1), "and for little")
    try_out(uplift, model="other")
    tap.equal(provider.seen[-1]["model"], "other", "or for one that is named")
    provider.plays(error(400, param="max_tokens", message="Use max_completion_tokens instead of max_tokens"), body(whole({"content": "ready"})))
    tap.equal((try_out(uplift)["is_good"], "max_tokens" in provider.seen[-1]), (True, False), "one that knows no such limit is asked without")
    provider.plays(body(whole({"content": "your key is " + KEY})))
    tap.equal(try_out(uplift)["answer"], None, "what says the key back is not shown")


def bad(uplift, provider):
    for script, expected in ((error(401, message="wrong key " + KEY), (False, 401, "provider_auth")),
                             (error(429, code="insufficient_quota"), (False, 429, "insufficient_quota")),
                             (error(429), (False, 429, "rate_limit_exceeded")), (error(404), (False, 404, "model_not_found")),
                             (error(400), (False, 400, "provider_refused")), (error(500), (False, 500, "provider_error")),
                             (body(b"<html>"), (False, 200, "provider_error")), ([HOLD], (False, None, "provider_timeout"))):
        provider.plays(script)
        tap.equal(failed(try_out(uplift)), expected, "as clients are told: %s" % expected[2])
    uplift.sql("insert into uplift.providers (name, base_url) values ('gone', 'http://127.0.0.1:1/v1'), ('inner', 'http://169.254.169.254/v1')")
    uplift.sql("insert into uplift.providers (name, base_url, api_key) values ('thief', 'http://127.0.0.1:1/v1', 'env:FAR_API_KEY'), ('bare', %s, 'env:NO_API_KEY')",
               provider.url)
    tap.equal(failed(try_out(uplift, "gone")), (False, None, "provider_unreachable"), "nobody is there")
    tap.equal(failed(try_out(uplift, "inner")), (False, None, "provider_unreachable"), "what chats may not reach is not reached")
    tap.equal(failed(try_out(uplift, "thief")), (False, None, "key_not_bound"), "a key goes to its server alone")
    tap.equal(failed(try_out(uplift, "bare")), (False, None, "key_not_found"), "a key that is not there is told by its name")
    tap.equal(try_out(uplift, "nobody"), (404, "provider_not_found"), "an unknown provider")
    tap.equal(try_out(uplift, messages=[]), (400, "unknown_argument"), "what is not known in a body")
    tap.equal(try_out(uplift, model=7), (400, "invalid_model"), "a model that is none")


def known(uplift):
    """The breaker that a test opened is not open: only chats open it, and then all admins see it."""
    def open_breakers():
        hosts = uplift.admin("GET", "/admin/breakers").json()["data"]
        return [(b["provider"], b["state"]) for host in hosts if host["is_current"] for b in host["breakers"] if b["state"] != "closed"]
    tap.equal(open_breakers(), [], "a test that fails opens no breaker")
    uplift.admin("PUT", "/admin/models", {"name": "nowhere", "routes": [{"provider": "gone"}]})
    tap.ok(wait_for(lambda: uplift.post("/v1/chat/completions", {"model": "nowhere", "messages": [{"role": "user", "content": "Hello."}]}).error().get("code")
                    == "provider_unavailable", 20), "chats find that nobody is there")
    tap.ok(wait_for(lambda: ("gone", "open") in open_breakers(), 10), "and admins see it")


def main():
    with Playing() as provider, Uplift(batch=True, environment={"FAR_API_KEY": KEY}, expected="provider|routing", UPLIFT_TOTAL_TIMEOUT_MS=1000,
                                       UPLIFT_BREAKER_FAILURES=2) as uplift:
        uplift.give_keys("env:FAR_API_KEY@" + provider.url, "env:NO_API_KEY@" + provider.url)
        tap.equal(uplift.admin("PUT", "/admin/providers/far", {"base_url": provider.url, "api_key": "env:FAR_API_KEY"}).status, 200, "a provider")
        uplift.admin("PUT", "/admin/models", {"name": "near", "routes": [{"provider": "far", "model": "sim-1"}]})
        good(uplift, provider)
        bad(uplift, provider)
        tap.equal(uplift.admin("POST", "/admin/providers/default/test").json()["answer"] is not None, True, "the configured provider is tested, too")
        known(uplift)


main()
tap.done()
