#!/usr/bin/python3
"""Which provider answers for a model: weights, breakers that workers share, limits, what is set by URL and by file, and
what stays while Postgres is away."""

import concurrent.futures
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import tap
from harness import USER, Uplift, program, wait_for
from witness import Witness

FAILURES = 3
BOB = "00000000-0000-7000-8000-0000000000b0"


def put(uplift, path, body):
    answer = uplift.admin("PUT", path, body)
    if answer.status != 200:
        tap.ok(False, "PUT %s: %s" % (path, answer.text))
    return answer


def follow(uplift):
    """Waits until all workers know the last change."""
    revision = uplift.value("select revision from uplift.routing_state")
    tap.ok(wait_for(lambda: uplift.read_log().count("revision %d\"" % revision) >= len(uplift.workers()), 20),
           "all workers follow the change")


def ask(uplift, model, user=USER):
    return uplift.post("/v1/chat/completions", {
        "model": model, "messages": [{"role": "user", "content": "Hello."}]}, user=user)


def ask_many(uplift, model, count):
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        return list(pool.map(lambda _: ask(uplift, model), range(count)))


def weights(uplift, first, second):
    put(uplift, "/admin/models", {"name": "shared", "routes": [
        {"provider": "first", "model": "sim-1", "position": 1, "weight": 3},
        {"provider": "second", "model": "sim-1-mini", "position": 1, "weight": 1}]})
    follow(uplift)
    answers = ask_many(uplift, "shared", 200)
    tap.equal({a.status for a in answers}, {200}, "all chats are answered")
    # 150 of 200 with a standard deviation of 6.1: seven of those away happens once in 10^11.
    tap.ok(107 < len(first.seen) < 193, "three quarters go where the weight is 3", len(first.seen))
    tap.equal(len(first.seen) + len(second.seen), 200, "and each goes to one")
    named = {(a.headers["X-Feedback-Id"], a.json()["model"]) for a in answers}
    rows = uplift.sql("select id::text, provider, model_used from coach_response_feedback")
    tap.equal(named - {(row["id"], row["model_used"]) for row in rows}, set(), "the answer names the model that gave it")
    listed = [model["id"] for model in uplift.get("/v1/models").json()["data"]]
    tap.ok("shared" in listed, "GET /v1/models has the model")
    tap.equal(uplift.get("/v1/models/shared").status, 200, "and GET /v1/models/{id}")


def breaker(uplift, first, second):
    """One provider fails: after so many failures nobody asks it; one chat tries it; then all do again."""
    put(uplift, "/admin/models", {"name": "guarded", "routes": [
        {"provider": "first", "model": "sim-1"}, {"provider": "second", "model": "sim-1-mini"}]})
    put(uplift, "/admin/models", {"name": "alone", "routes": [{"provider": "first", "model": "sim-1"}]})
    follow(uplift)
    first.is_down = True
    first.seen.clear(), second.seen.clear()
    answers = [ask(uplift, "guarded", user) for user in (USER, BOB) * 6]
    tap.equal({a.status for a in answers}, {200}, "the clients notice nothing")
    tap.equal(len(first.seen), FAILURES, "after %d failures in a row neither worker asks it" % FAILURES)
    tap.equal(len(second.seen), 12, "the other one answers all")
    alone = ask(uplift, "alone")
    tap.equal((alone.status, alone.error()["code"]), (503, "provider_unavailable"), "without another: refused at once")
    tap.ok(alone.headers["Retry-After"], "with Retry-After")
    tap.equal(len(first.seen), FAILURES, "and without a call")
    row = uplift.row(alone.headers["X-Feedback-Id"])
    tap.equal((row["outcome"], row["error_code"], row["attempts"]), ("failed", "provider_unavailable", []),
              "and recorded, without an attempt")

    def told():
        ask(uplift, "guarded")  # a probe, which fails, where the breaker was about to be tried
        ready = uplift.get("/readyz", user=None)
        return ready.status == 200 and ready.json()["status"] == "degraded" and ready.json()["models"]
    tap.equal(wait_for(told, 20), [{"provider": "first", "model": "sim-1"}], "/readyz is degraded, and names it")

    first.is_down = False
    tap.ok(wait_for(lambda: ask(uplift, "guarded").json()["model"] == "sim-1", 20), "once it is back, it is asked again")
    tap.equal(len(uplift.sql("select from coach_response_feedback where outcome <> 'complete'"
                             " and error_code is distinct from 'provider_unavailable'")), 0, "and nobody saw it fail")
    tap.contains(uplift.read_log(), "answers again", "the log says so")
    tap.ok(uplift.ready(), "and /readyz")


def crowded(uplift, first, second):
    put(uplift, "/admin/providers/narrow", {"base_url": first.url, "max_open": 1})
    put(uplift, "/admin/models", {"name": "narrow", "routes": [
        {"provider": "narrow", "model": "sim-fault-slow-first-token;ms=1500"}, {"provider": "second", "model": "sim-1"}]})
    follow(uplift)
    second.seen.clear()
    answers = ask_many(uplift, "narrow", 6)
    tap.equal({a.status for a in answers}, {200}, "a provider with room for few: all are answered")
    tap.ok(len(second.seen) >= 4, "those beyond the first of each worker elsewhere", len(second.seen))


def wildcard(uplift, second):
    put(uplift, "/admin/models", {"name": "*", "routes": [{"provider": "second"}]})
    follow(uplift)
    second.seen.clear()
    ask(uplift, "a/model,\"of\" some name")
    tap.equal(second.seen[-1].body["model"], "a/model,\"of\" some name", "* is every other model, asked for as it is")
    tap.equal(uplift.admin("DELETE", "/admin/models?name=*").status, 200, "DELETE takes it back")
    follow(uplift)
    second.seen.clear()
    ask(uplift, "sim-1-mini")
    tap.equal(second.seen, [], "and the configured provider answers")


def away(uplift, second):
    """Routing is known to workers that were born while Postgres is away."""
    uplift.stop_chat()
    settings = uplift.settings["DATABASE_URL"]
    uplift.start_chat("degraded", DATABASE_URL="host=/nonexistent dbname=none user=uplift_app")
    second.seen.clear()
    answer = ask(uplift, "guarded-by-second")
    tap.equal((answer.status, len(second.seen)), (200, 1), "without Postgres the last known routes serve")
    uplift.stop_chat()
    uplift.start_chat(DATABASE_URL=settings)


def configured(uplift, first, second):
    """The same from a file; what is set by URL takes the place of the same name."""
    path = uplift.dir + "/routing.json"
    with open(path, "w") as file:
        json.dump({"providers": [{"name": "filed", "base_url": first.url}],
                   "models": [{"name": "filed", "routes": [{"provider": "filed", "model": "sim-1"}]},
                              {"name": "both", "routes": [{"provider": "filed", "model": "sim-1"}]}]}, file, indent=1)
    put(uplift, "/admin/models", {"name": "both", "routes": [{"provider": "second", "model": "sim-1-mini"}]})
    uplift.stop_chat()
    uplift.start_chat(UPLIFT_ROUTING_FILE=path)
    follow(uplift)
    first.seen.clear(), second.seen.clear()
    tap.equal(ask(uplift, "filed").json()["model"], "sim-1", "a route of the file")
    tap.equal(ask(uplift, "both").json()["model"], "sim-1-mini", "a route set by URL beats it")
    tap.equal((len(first.seen), len(second.seen)), (1, 1), "each at its provider")


def bad_files(uplift):
    good = {"providers": [{"name": "p", "base_url": "http://127.0.0.1:1/v1"}]}
    for name, routing, complaint in [
            ("no JSON", "{", "not a JSON object"),
            ("a list", "[]", "not a JSON object"),
            ("a provider without URL", {"providers": [{"name": "p"}]}, "needs a name"),
            ("a provider called default", {"providers": [{"name": "default", "base_url": "http://x/v1"}]}, "choose another"),
            ("a URL that is none", {"providers": [{"name": "p", "base_url": "ftp://x"}]}, "base_url must begin with http"),
            ("a limit that is none", {"providers": [{"name": "p", "base_url": "http://x", "idle_timeout_ms": 0}]},
             "idle_timeout_ms must be a whole number"),
            ("a route to nobody", {"models": [{"name": "m", "routes": [{"provider": "q"}]}]}, "there is no provider q"),
            ("no route", {"models": [{"name": "m"}]}, "neither routes nor fallbacks"),
            ("a weight of nothing", {**good, "models": [{"name": "m", "routes": [{"provider": "p", "weight": 0}]}]},
             "weight must be a whole number"),
            ("an unknown fallback", {"models": [{"name": "m", "fallbacks": ["x"]}]}, "falls back to x"),
            ("a circle", {"models": [{"name": "a", "fallbacks": ["b"]}, {"name": "b", "fallbacks": ["a"]}]},
             "go round in a circle"),
            ("the same model twice", {**good, "models": [{"name": "m", "routes": [{"provider": "p"}]}] * 2}, "twice")]:
        text = routing if isinstance(routing, str) else json.dumps(routing)
        path = uplift.dir + "/bad.json"
        with open(path, "w") as file:
            file.write(text)
        result = subprocess.run([program("fcgi-chat"), "--check"], capture_output=True, text=True, env={
            "DATABASE_URL": "dbname=x", "UPLIFT_JWT_SECRET": "a secret for tests only, of more than 32 bytes", "UPLIFT_ROUTING_FILE": path})
        tap.ok(result.returncode == 1 and complaint in result.stderr, "refused at the start: " + name, result.stderr)


def bad_input(uplift):
    url = {"base_url": "http://127.0.0.1:1/v1"}
    for name, path, body, code in [
            ("a provider without URL", "/admin/providers/p", {}, "missing_base_url"),
            ("no URL", "/admin/providers/p", {"base_url": "x"}, "invalid_base_url"),
            ("a key in the URL", "/admin/providers/p", {"base_url": "https://u:sk-1@x.org/v1"}, "invalid_base_url"),
            ("a key in place of where it is", "/admin/providers/p", {**url, "api_key": "sk-123"}, "invalid_api_key"),
            ("any other variable", "/admin/providers/p", {**url, "api_key": "env:DATABASE_URL"}, "invalid_api_key"),
            ("any other file", "/admin/providers/p", {**url, "api_key": "file:../secret"}, "invalid_api_key"),
            ("a header with a line end", "/admin/providers/p", {**url, "key_header": "X-\r\n-Key"}, "invalid_key_header"),
            ("a limit of no time", "/admin/providers/p", {**url, "idle_timeout_ms": 0}, "invalid_idle_timeout_ms"),
            ("a limit as text", "/admin/providers/p", {**url, "max_open": "3"}, "invalid_max_open"),
            ("a flag as text", "/admin/providers/p", {**url, "is_enabled": "no"}, "invalid_is_enabled"),
            ("the configured one", "/admin/providers/default", url, "invalid_name"),
            ("an unknown member", "/admin/providers/p", {**url, "colour": "red"}, "unknown_argument"),
            ("no name", "/admin/models", {"routes": []}, "missing_name"),
            ("no route", "/admin/models", {"name": "m"}, "no_route"),
            ("routes that are no list", "/admin/models", {"name": "m", "routes": {}}, "invalid_routes"),
            ("a route twice", "/admin/models", {"name": "m", "routes": [{"provider": "default", "position": 1}] * 2},
             "invalid_routes"),
            ("a route to nobody", "/admin/models", {"name": "m", "routes": [{"provider": "nobody"}]}, "unknown_provider"),
            ("a negative weight", "/admin/models", {"name": "m", "routes": [{"provider": "default", "weight": -1}]},
             "invalid_weight"),
            ("too many routes", "/admin/models", {"name": "m", "routes": [{"provider": "default"}] * 9}, "invalid_routes"),
            ("an unknown fallback", "/admin/models", {"name": "m", "fallbacks": ["x"]}, "unknown_fallback"),
            ("fallbacks that are no list", "/admin/models", {"name": "m", "fallbacks": "x"}, "invalid_fallbacks"),
            ("itself", "/admin/models", {"name": "m", "routes": [{"provider": "default"}], "fallbacks": ["m"]},
             "fallback_loop"),
            ("a circle", "/admin/models", {"name": "guarded", "fallbacks": ["c2"]}, "fallback_loop")]:
        if name == "a circle":
            put(uplift, "/admin/models", {"name": "c2", "fallbacks": ["guarded"]})
        answer = uplift.admin("PUT", path, body)
        tap.equal((answer.status, answer.error()["code"]), (400, code), "refused: " + name)
    tap.equal(uplift.value("select count(*) from uplift.gateway_models where name = 'm'"), 0, "and nothing of it stays")
    for path, code, status in [("/admin/providers/second", "provider_in_use", 409), ("/admin/providers/x", "provider_not_found", 404),
                               ("/admin/models?name=guarded", "model_in_use", 409), ("/admin/models?name=x", "model_not_found", 404)]:
        answer = uplift.admin("DELETE", path)
        tap.equal((answer.status, answer.error()["code"]), (status, code), "DELETE " + path)
    tap.equal(uplift.request("PUT", "/admin/providers/p", url).status, 403, "users may not")
    answer = uplift.admin("GET", "/admin/providers/first").json()
    tap.equal((answer["api_key"], answer["models"]), ("env:FIRST_API_KEY", ["alone", "guarded", "shared"]),
              "GET tells where the key is, and who uses the provider")
    tap.ok("sk-first" not in uplift.read_log() and "sk-first" not in uplift.read_log("batch"), "no log has the key")


def main():
    with Uplift(batch=True, environment={"FIRST_API_KEY": "sk-first"}, expected="provider|database|Postgres",
                UPLIFT_BREAKER_FAILURES=FAILURES, UPLIFT_BREAKER_OPEN_MS="1s", UPLIFT_RETRIES=0) as uplift:
        with Witness(uplift.sim_port) as first, Witness(uplift.sim_port) as second:
            uplift.give_keys("env:FIRST_API_KEY@" + first.url)
            put(uplift, "/admin/providers/first", {"base_url": first.url, "api_key": "env:FIRST_API_KEY"})
            put(uplift, "/admin/providers/second", {"base_url": second.url})
            weights(uplift, first, second)
            breaker(uplift, first, second)
            crowded(uplift, first, second)
            wildcard(uplift, second)
            bad_input(uplift)
            bad_files(uplift)
            put(uplift, "/admin/models", {"name": "guarded-by-second", "routes": [{"provider": "second", "model": "sim-1"}]})
            follow(uplift)
            away(uplift, second)
            configured(uplift, first, second)


main()
tap.done()
