#!/usr/bin/python3
"""A stream of /v1/chat/completions that breaks off is gone on with by another provider that can."""

import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import tap
from harness import Uplift
from playing import HOLD, Gate, Playing, body, chunk, event, events, head, say, usage

DONE = "[DONE]"
USER = {"role": "user", "content": "Say something."}
ROLE = chunk({"role": "assistant", "content": ""})
HOW = {"true": True, "prefix": "prefix", "partial": "partial", "final": "continue_final_message"}
STOP = chunk(finish="stop")


def other(data, model="played-2"):
    """A chunk of the second provider."""
    return {**data, "id": "chatcmpl-other", "model": model, "created": 1762219999, "system_fingerprint": "fp_other"}


def goes_on(*words, finish="stop"):
    return events(other(ROLE), *[other(say(word)) for word in words], other(chunk(finish=finish)), other(usage(20, 3)), DONE)


def ask(uplift, model="m-true", **more):
    return uplift.post("/v1/chat/completions", {"model": model, "stream": True, "messages": [USER], **more})


def row_of(uplift, answer):
    return uplift.row(answer.headers["X-Feedback-Id"])


def one_answer(uplift, first, second):
    first.plays(events(ROLE, say("The capital"), say(" of")))
    second.plays(goes_on(" France", " is Paris."))
    answer = ask(uplift, temperature=0.5)
    chunks = answer.events()
    tap.equal(chunks.pop(), DONE, "the client gets a whole answer")
    tap.equal(answer.said(), "The capital of France is Paris.", "of both parts")
    tap.equal({(c["id"], c["model"], c["feedback_id"]) for c in chunks},
              {("chatcmpl-" + answer.headers["X-Feedback-Id"], "played-1", answer.headers["X-Feedback-Id"])}, "with one id and one model")
    tap.equal(["role" in c["choices"][0]["delta"] for c in chunks if c["choices"]].count(True), 1, "whose role is told once")
    tap.equal([c["choices"][0]["finish_reason"] for c in chunks if c["choices"] and c["choices"][0]["finish_reason"]], ["stop"], "and one end")
    tap.equal(second.seen, [{**first.seen[0], "messages": [USER, {"role": "assistant", "content": "The capital of"}]}],
              "the other one is asked the same, with what was said as the last message")
    row = row_of(uplift, answer)
    tap.equal((row["ai_response"], row["outcome"], row["error_code"], row["finish_reason"]),
              ("The capital of France is Paris.", "complete", None, "stop"), "it is recorded as one")
    tap.equal([(a["provider"], a.get("reason"), a.get("went_on_from")) for a in row["attempts"]],
              [("first", "cut", None), ("true", None, 14)], "and the row says how it came about")
    tap.equal((row["provider"], row["model_used"]), ("true", "played-2"), "and who ended it")


def at_once(uplift, first, second):
    gates = [Gate(), Gate()]
    first.plays([head(), event(say("one")), gates[0]])
    second.plays([head(), event(other(say(", two"))), gates[1], event(other(say(", three"))), event(other(STOP)), event(DONE)])
    stream = uplift.stream("/v1/chat/completions", {"model": "m-true", "messages": [USER]})
    tap.ok(stream.read_until('"one"'), "the first part comes")
    gates[0].open()
    tap.ok(stream.read_until('", two"'), "and each piece of the second at once")
    gates[1].open()
    list(stream)
    tap.equal(uplift.row(stream.feedback_id())["ai_response"], "one, two, three", "to the end")


# what was said, what the other one gets of it, what that says, what there is in the end
SEAMS = [
    ("a space that was said", "Hello ", "Hello", ["world"], "Hello world"),
    ("a space that is said again", "Hello ", "Hello", [" world"], "Hello world"),
    ("a space of its own", "Hello", "Hello", [" world"], "Hello world"),
    ("a word in two", "Hel", "Hel", ["lo world"], "Hello world"),
    ("lines", "One.\n\n", "One.", ["\n\n", "Two."], "One.\n\nTwo."),
    ("lines it begins with", "\nOne.\n", "\nOne.", ["Two."], "\nOne.\nTwo."),
    ("said again at once", "The capital of", "The capital of", ["The capital of France"], "The capital of France"),
    ("said again in pieces", "The capital of", "The capital of", ["The", " capital", " of", " France"], "The capital of France"),
    ("said again behind a blank", "The capital of", "The capital of", [" The capital of France"], "The capital of France"),
    ("said again, with its space", "The capital of ", "The capital of", ["The capital of", " France"], "The capital of France"),
    ("begun alike", "The capital of", "The capital of", ["The", " capital city is"], "The capital ofThe capital city is"),
    ("begun alike, and over", "The capital of", "The capital of", ["The"], "The capital ofThe"),
    ("too short to tell", "Ha", "Ha", ["Ha"], "HaHa"),
    ("nothing more", "That is all.", "That is all.", [], "That is all."),
    ("quotes and beyond", "\"caf\u00e9\" \U0001f600", "\"caf\u00e9\" \U0001f600", [" \"yes\""], "\"caf\u00e9\" \U0001f600 \"yes\""),
]


def seams(uplift, first, second):
    for name, said, sent, more, wanted in SEAMS:
        first.plays(events(ROLE, say(said)))
        second.plays(goes_on(*more))
        answer = ask(uplift)
        tap.equal((answer.said(), answer.events()[-1]), (wanted, DONE), "seam: " + name)
        tap.equal((row_of(uplift, answer)["ai_response"], second.seen[0]["messages"][-1]["content"]), (wanted, sent), "recorded: " + name)


def ways_to_ask(uplift, provider, first):
    for name in HOW:
        part = provider.at(name)
        first.plays(events(say("Hel")))
        part.plays(goes_on("lo"))
        tap.equal(ask(uplift, "m-" + name).said(), "Hello", "goes on: " + name)
        last, request = part.seen[0]["messages"][-1], part.seen[0]
        tap.equal({k: v for k, v in last.items() if k not in ("role", "content")}, {} if name in ("true", "final") else {name: True}, "the last message: " + name)
        tap.equal((request.get("continue_final_message"), request.get("add_generation_prompt")),
                  (True, False) if name == "final" else (None, None), "the request: " + name)


def what_it_takes(uplift, first, second):
    first.plays(events(say("Hello"), usage(9, 2, prompt_tokens_details={"cached_tokens": 4})))
    second.plays(goes_on(" world"))
    answer = ask(uplift, stream_options={"include_usage": True}, max_tokens=50)
    row = row_of(uplift, answer)
    tap.equal((row["prompt_tokens"], row["completion_tokens"], row["cached_tokens"], row["usage_estimated"]), (29, 5, 4, False), "the usage of both is added")
    told = [c["usage"] for c in answer.events() if c != DONE and c.get("usage")]
    tap.equal([(u["prompt_tokens"], u["completion_tokens"]) for u in told], [(29, 5)], "and told once")
    tap.equal(second.seen[0]["max_tokens"], 48, "what was said comes off what the client wants at most")
    first.plays(events(say("Hello")))
    row = row_of(uplift, ask(uplift))
    tap.ok(row["usage_estimated"] and row["prompt_tokens"] > 20 and row["completion_tokens"] > 3, "without usage of the first it is estimated")


def begun_by_the_client(uplift, first, second):
    begun = {"role": "assistant", "content": "Once"}
    first.plays(events(say(" upon")))
    second.plays(goes_on(" a time"))
    answer = ask(uplift, messages=[USER, begun])
    tap.equal((answer.said(), second.seen[0]["messages"]), (" upon a time", [USER, {"role": "assistant", "content": "Once upon"}]),
              "an answer that the client began is one message")


def again_and_again(uplift, provider, first):
    second, third = provider.at("true"), provider.at("prefix")
    first.plays(events(say("one")))
    second.plays(events(other(say(", two"))))
    third.plays(events(other(say(", three"), "played-3"), other(STOP, "played-3"), DONE))
    answer = ask(uplift, "m-both")
    tap.equal((answer.said(), third.seen[0]["messages"][-1]["content"]), ("one, two, three", "one, two"), "it may break more than once")
    tap.equal([a.get("went_on_from") for a in row_of(uplift, answer)["attempts"]], [None, 3, 8], "all of it is in the row")
    second.plays(body({"error": {"message": "no prefill"}}, status="400 No"))
    first.plays(events(say("one")))
    answer = ask(uplift, "m-both")
    tap.equal(answer.said(), "one, three", "who refuses to go on is passed over")
    third.plays(events(DONE))
    tap.equal(ask(uplift, "m-both").events()[-1].get("error", {}).get("code"), "provider_cut", "who says nothing at all has not gone on")
    third.plays(body({"error": {"message": "no prefill"}}, status="400 No"))
    answer = ask(uplift, "m-both")
    tap.equal((answer.said(), answer.events()[-1].get("error", {}).get("code")), ("one", "provider_cut"), "and when all do, the client is told what broke")
    row = row_of(uplift, answer)
    tap.equal((row["ai_response"], row["outcome"], len(row["attempts"])), ("one", "partial", 3), "and it is recorded so")


def ways_to_break(uplift, first, second):
    for name, script in [("too busy to go on", events(say("Hel"), {"error": {"message": "m", "code": 429}})),
                         ("silence", [events(say("Hel")), HOLD]),
                         ("an error", events(say("Hel"), {"error": {"message": "m", "code": 502}}, DONE)),
                         ("an error of the choice", events(say("Hel"), chunk(finish="error"), DONE))]:
        first.plays(script)
        second.plays(goes_on("lo"))
        # A route that is busy is left alone for a while.
        tap.equal(ask(uplift, "m-busy" if "busy" in name else "m-true").said(), "Hello", "goes on after " + name)
    first.plays(events(say("Hel")))
    second.plays([events(ROLE), HOLD])
    third = ask(uplift, "m-first-token")
    tap.equal(third.said(), "Hello", "and past one that does not begin to go on")


def not_gone_on_with(uplift, provider, first, second):
    call = {"index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": "{"}}
    form = {"type": "json_schema", "json_schema": {"name": "n", "schema": {}}}
    for name, model, script, more in [
            ("a call of a tool", "m-true", events(say("Look:"), chunk({"tool_calls": [call]})), {}),
            ("a refusal", "m-true", events(chunk({"refusal": "No"})), {}),
            ("a given form", "m-true", events(say("{")), {"response_format": form}),
            ("no provider that can", "m-not", events(say("Hel")), {})]:
        first.plays(script)
        second.plays(goes_on("lo"))
        provider.at("not").plays(goes_on("lo"))
        answer = ask(uplift, model, **more)
        tap.equal(answer.events()[-1].get("error", {}).get("code"), "provider_cut", "not gone on with: " + name)
        tap.equal((second.seen, provider.at("not").seen), ([], []), "nobody is asked: " + name)
    first.plays(events(say("Hel")))
    second.plays(goes_on("Hello"))
    answer = uplift.post("/v1/chat", {"message": "hi", "stream": True})
    tap.ok(any(e.get("restart") for e in answer.events()) and "Hello" == row_of(uplift, answer)["ai_response"], "on /v1/chat it begins again")
    first.plays(events(chunk({"reasoning_content": "hm"})))
    second.plays(goes_on("Hello"))
    answer = ask(uplift)
    tap.equal((answer.said(), second.seen[0]["messages"]), ("Hello", [USER]), "a thought alone is gone on with by the whole answer")


def settings(uplift, provider):
    for how in (True, "prefix", "partial", "continue_final_message", False):
        answer = uplift.admin("PUT", "/admin/providers/set", {"base_url": provider.url, "continues": how})
        tap.equal((answer.status, answer.json().get("continues")), (200, how), "PUT /admin/providers: continues %s" % how)
        tap.equal(uplift.value("select uplift.routing() -> 'providers' -> 0 ->> 'continues'"), str(how).lower(), "and workers get to know it")
    uplift.admin("PUT", "/admin/providers/set", {"continues": "prefix"})
    tap.equal(uplift.admin("PUT", "/admin/providers/set", {"note": "x"}).json()["continues"], "prefix", "what is not named stays")
    for how in ("yes", 1, []):
        answer = uplift.admin("PUT", "/admin/providers/set", {"continues": how})
        tap.equal((answer.status, answer.error().get("code")), (400, "invalid_continues"), "refused: continues %s" % json.dumps(how))
    metrics = uplift.get("/metrics", user=None).text
    tap.ok("uplift_continuations_total 0" not in metrics and "uplift_continuations_total" in metrics, "GET /metrics counts")


def main():
    with Playing() as provider:
        first, second = provider.at("first"), provider.at("true")
        limits = {"first_token_timeout_ms": 700, "idle_timeout_ms": 900}
        routing = {
            "providers": [{"name": "first", "base_url": first.url, **limits}, {"name": "not", "base_url": provider.at("not").url}] +
                         [{"name": name, "base_url": provider.at(name).url, "continues": how, **limits} for name, how in HOW.items()],
            "models": [{"name": "m-" + name, "routes": [{"provider": "first"}, {"provider": name, "model": "m-" + name}]} for name in (*HOW, "not")] +
                      [{"name": "m-both", "routes": [{"provider": "first"}, {"provider": "not"}, {"provider": "true"}, {"provider": "prefix"}]},
                       {"name": "m-busy", "routes": [{"provider": "first"}, {"provider": "true"}]},
                       {"name": "m-first-token", "routes": [{"provider": "first"}, {"provider": "true"}, {"provider": "prefix"}]}]}
        with Uplift(simulator=None, batch=True, UPLIFT_UPSTREAM_URL=provider.url, UPLIFT_MODEL="m-true", UPLIFT_RETRIES=0, expected="provider") as uplift:
            with open(uplift.dir + "/routing.json", "w") as file:
                json.dump(routing, file)
            uplift.restart_chat(UPLIFT_ROUTING_FILE=uplift.dir + "/routing.json")
            one_answer(uplift, first, second)
            at_once(uplift, first, second)
            seams(uplift, first, second)
            ways_to_ask(uplift, provider, first)
            what_it_takes(uplift, first, second)
            begun_by_the_client(uplift, first, second)
            again_and_again(uplift, provider, first)
            provider.at("prefix").plays(goes_on("lo"))
            ways_to_break(uplift, first, second)
            not_gone_on_with(uplift, provider, first, second)
            settings(uplift, provider)


main()
tap.done()
