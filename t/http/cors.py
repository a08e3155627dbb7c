#!/usr/bin/python3
"""Preflights: pages of configured origins may send any header, to any path, whoever answers there, and read every error;
pages of other origins may nothing."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

from harness import Uplift  # noqa: E402
from tap import done, equal, ok  # noqa: E402

APP, EVIL = "https://app.example", "https://evil.example"
# What browsers were seen to be refused for, from routers of models, error trackers and tracers.
HEADERS = ["authorization", "content-type", "x-title", "http-referer", "x-requested-with", "sentry-trace", "baggage", "tracestate",
           "traceparent", "cache-control", "x-request-id", "x-client-request-id", "x-stainless-poll-helper", "apikey", "x-my-own.header_1~"]
PATHS = ["/v1/chat", "/v1/chat/completions", "/v1/feedback/01890000-0000-7000-8000-000000000000", "/v1/conversations", "/v1/nothing",
         "/v1/responses", "/v1/", "/rest/v1/coach_response_feedback", "/rest/v1/nothing", "/healthz", "/readyz", "/metrics",
         "/admin/jobs", "/admin/nothing", "/", "/index.html", "/chat/app.js", "/config.json", "/nothing.html", "/chat/completions", "/auth/v1/token"]


def words(header):
    return sorted(word.strip() for word in (header or "").split(",") if word.strip())


def preflight(uplift, path, origin, headers=None, method="POST"):
    asked = {"Origin": origin, "Access-Control-Request-Method": method, "Access-Control-Request-Headers": headers}
    return uplift.request("OPTIONS", path, user=None, headers=asked)


def allowed(uplift, name):
    for path in PATHS:
        for method in ("POST", "DELETE"):
            answer = preflight(uplift, path, APP, ",".join(HEADERS), method)
            h = answer.headers
            equal((answer.status, answer.body, h["Access-Control-Allow-Origin"], words(h["Access-Control-Allow-Headers"])),
                  (204, b"", APP, sorted(HEADERS)), "%sa preflight of %s %s: all that was asked for" % (name, method, path))
            ok(method in words(h["Access-Control-Allow-Methods"]), "and the method", h)
            ok({"Origin", "Access-Control-Request-Headers"} <= set(words(h["Vary"])), "which no cache gives to another", h)
    answer = preflight(uplift, "/v1/models", APP, method="GET")
    equal((answer.status, answer.headers["Access-Control-Allow-Origin"]), (204, APP), name + "a preflight that asks for no header")


def refused(uplift):
    for path in PATHS:
        answer = preflight(uplift, path, EVIL, "x-title")
        h = answer.headers
        equal([h[name] for name in ("Access-Control-Allow-Origin", "Access-Control-Allow-Headers", "Access-Control-Allow-Methods")],
              [None] * 3, "a preflight of %s from elsewhere allows nothing" % path)
    answer = preflight(uplift, "/v1/chat", APP, "x, " * 2000)
    equal((answer.status, answer.headers["Access-Control-Allow-Headers"]), (204, None), "a list of headers without end is not echoed")
    answer = preflight(uplift, "/v1/chat", APP, "x; y=(z)")
    equal((answer.status, answer.headers["Access-Control-Allow-Headers"]), (204, None), "nor is what is no list of headers")


def errors(uplift):
    """Each error can be read by the page that caused it."""
    for method, path, body, user, status in (
            ("POST", "/v1/chat", {}, True, 400), ("POST", "/v1/chat", {"message": "hi"}, None, 401), ("GET", "/admin/jobs", None, True, 403),
            ("GET", "/v1/nothing", None, True, 404), ("GET", "/nothing.html", None, None, 404), ("DELETE", "/v1/chat", None, True, 405),
            ("POST", "/index.html", "x", None, 405), ("POST", "/v1/chat", b"x" * (9 << 20), True, 413)):
        options = {} if user else {"user": None}
        answer = uplift.request(method, path, body, headers={"Origin": APP}, **options)
        equal((answer.status, answer.headers["Access-Control-Allow-Origin"]), (status, APP), "%s %s: %d, and readable" % (method, path, status))


def main():
    with Uplift(batch=True, UPLIFT_CORS_ORIGINS=APP) as uplift:
        allowed(uplift, "")
        refused(uplift)
        errors(uplift)
        uplift.stop_chat()
        uplift.stop_batch()
        allowed(uplift, "while the programs are away: ")


main()
done()
