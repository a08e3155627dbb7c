#!/usr/bin/python3
"""What servers that follow OpenAI's API really send, one habit a line: it is asked for in each of the four ways, by
/v1/chat and /v1/chat/completions, streamed and whole, and each client gets the same text as is recorded.

Where it comes from: [O] OpenRouter's documentation of errors and streaming, [M] Mistral's of reasoning, [P] Perplexity,
[G] Gemini's endpoint for OpenAI's clients, [D] DeepSeek's of rate limits and context caching, [X] xAI's of consumption,
[K] Moonshot, [A] Azure, [L] llama.cpp's server (its pull request 16109), [V] vLLM, [T] Together and TGI, [Z] Zhipu,
[B] MiniMax, [Q] Groq, [C] Cohere, [N] Anthropic, [-] seen at gateways of no great name."""

import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import tap
from harness import Uplift
from playing import Playing, body, chunk, event, events, head, say, usage, whole, zipped

DONE = "[DONE]"
HELLO = {"content": "Hello"}
THINKING = {"type": "thinking", "thinking": [{"type": "text", "text": "6 times 7"}]}
ANSWER = {"type": "text", "text": "The answer is 42."}


def only(**members):
    """A chunk of these members alone."""
    return members


def call(call_id, name, arguments, **index):
    return {**index, "id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def part(arguments, **index):
    return {**index, "function": {"arguments": arguments}}


def calls(*each, finish=None):
    return chunk({"tool_calls": list(each)}, finish)


# name, what the provider sends, the text, what else is so: finish (of the record; "stop" otherwise), usage (tokens in,
# out, cached), calls ([(name, arguments)] in the record), thought (in the record), ways (fewer than all)
ANSWERS = [
    ("as OpenAI has it", events(chunk({"role": "assistant", "content": ""}), say("Hel"), say("lo"), chunk(finish="stop"),
                                usage(9, 2, prompt_tokens_details={"cached_tokens": 4}), DONE), "Hello", {"usage": (9, 2, 4)}),
    ("a whole answer", body(whole(HELLO, usage={"prompt_tokens": 9, "completion_tokens": 2})), "Hello", {"usage": (9, 2, 0)}),

    # where the text is
    ("[-] an empty delta behind the message", body({"choices": [{"message": {"content": "Paris"}, "delta": {}, "finish_reason": "stop"}]}), "Paris", {}),
    ("[-] an empty delta before the message", body({"choices": [{"delta": {}, "message": {"content": "Paris"}, "finish_reason": "stop"}]}), "Paris", {}),
    ("[-] an empty message beside the delta", events(only(choices=[{"delta": {"content": "Paris"}, "message": {}, "finish_reason": None}]), chunk(finish="stop"), DONE), "Paris", {}),
    ("[-] an empty message before the delta", events(only(choices=[{"message": {"content": ""}, "delta": {"content": "Paris"}}]), chunk(finish="stop"), DONE), "Paris", {}),
    ("[-] a whole answer in the delta", body({"choices": [{"delta": {"content": "Paris"}, "finish_reason": "stop"}]}), "Paris", {}),
    ("[-] a stream of messages", events(only(choices=[{"message": {"content": "Pa"}}]), only(choices=[{"message": {"content": "ris"}, "finish_reason": "stop"}]), DONE), "Paris", {}),
    ("[P] all so far beside each delta", events(chunk({"content": "Pa"}, message={"content": "Pa"}), chunk({"content": "ris"}, message={"content": "Paris"}),
                                                chunk({"content": ""}, "stop", message={"content": "Paris"})), "Paris", {}),
    ("[-] all so far in messages", events(only(choices=[{"message": {"content": "Pa"}}]), only(choices=[{"message": {"content": "Paris"}, "finish_reason": "stop"}]), DONE), "Paris", {}),
    ("[-] text beside an empty message", body({"choices": [{"text": "Paris", "message": {}, "finish_reason": "stop"}]}), "Paris", {}),
    ("[-] text of the older API", events(only(choices=[{"text": "Pa", "index": 0}]), only(choices=[{"text": "ris", "index": 0, "finish_reason": "stop"}]), DONE), "Paris", {}),
    ("[-] the only choice has index 1", events(chunk({"content": "Paris"}, index=1), chunk(finish="stop", index=1), DONE), "Paris", {}),
    ("[M] parts, one of them thought", body(whole({"content": [THINKING, ANSWER]})), "The answer is 42.", {"thought": "6 times 7"}),
    ("[M] parts as deltas", events(chunk({"content": [THINKING]}), chunk({"content": [ANSWER]}), chunk(finish="stop"), DONE), "The answer is 42.", {"thought": "6 times 7"}),
    ("[M] parts, then texts", events(chunk({"content": [THINKING]}), say("The answer "), say("is 42."), chunk(finish="stop"), DONE), "The answer is 42.", {"thought": "6 times 7"}),
    ("[N] a thought that is a text", body(whole({"content": [{"type": "thinking", "thinking": "6 times 7", "signature": "x"}, ANSWER]})), "The answer is 42.", {"thought": "6 times 7"}),
    ("[-] texts in a list", body(whole({"content": ["The answer ", "is 42."]})), "The answer is 42.", {}),
    ("[C] a part by itself", body(whole({"content": ANSWER})), "The answer is 42.", {}),
    ("[D] thought beside the text", events(chunk({"reasoning_content": "6 times 7", "content": None}), say("42"), chunk(finish="stop"), DONE), "42", {"thought": "6 times 7"}),

    # how it ends
    ("[-] finish_reason on every chunk", events(say("He", "stop"), say("ll", "stop"), say("o", "stop"), DONE), "Hello", {}),
    ("[-] finish_reason before the text", events(chunk({"role": "assistant"}, "stop"), say("Hel"), say("lo"), DONE), "Hello", {}),
    ("[-] finish_reason before the text, and no [DONE]", events(chunk({"role": "assistant"}, "stop"), say("Hel"), say("lo")), "Hello", {}),
    ("[-] something else behind it, and no [DONE]", events(say("Hello", "stop"), chunk({"provider_specific_fields": {"a": 1}})), "Hello", {}),
    ("[-] finish_reason in the middle", events(say("Hel"), chunk(finish="length"), say("lo"), chunk(finish="stop")), "Hello", {}),
    ("[G] finish_reason with the last text", events(say("Hel"), say("lo", "stop"), DONE), "Hello", {}),
    ("[-] no [DONE]", events(say("Hello"), chunk(finish="stop")), "Hello", {}),
    ("[-] no finish_reason", events(say("Hello"), DONE), "Hello", {}),
    ("[L] [DONE] without an end of its line", events(say("Hello"), chunk(finish="stop"), b"data: [DONE]"), "Hello", {}),
    ("[-] [DONE] in quotes", events(say("Hello"), b'data: "[DONE]"\n\n'), "Hello", {}),
    ("[T] eos", events(say("Hello"), chunk(finish="eos"), DONE), "Hello", {}),
    ("[N] end_turn", body(whole(HELLO, "end_turn")), "Hello", {}),
    ("[C] COMPLETE", body(whole(HELLO, "COMPLETE")), "Hello", {}),
    ("[N] max_tokens", events(say("Hello"), chunk(finish="max_tokens"), DONE), "Hello", {"finish": "length"}),
    ("[M] model_length", body(whole(HELLO, "model_length")), "Hello", {"finish": "length"}),
    ("[Z] sensitive", events(say("Hello"), chunk(finish="sensitive"), DONE), "Hello", {"finish": "content_filter"}),
    ("[-] a reason nobody knows", body(whole(HELLO, "full_moon")), "Hello", {"finish": "full_moon"}),
    ("[-] null as a text until the end", events(say("Hel", "null"), say("lo", "null"), chunk(finish="stop"), DONE), "Hello", {}),
    ("[-] an empty reason until the end", events(say("Hel", ""), say("lo", ""), chunk(finish="stop"), DONE), "Hello", {}),

    # around the text
    ("[A] filter results before and behind", events(only(id="", object="", created=0, model="", choices=[], prompt_filter_results=[{"prompt_index": 0}]), say("Hello"), chunk(finish="stop"),
                                                    only(id="", object="", created=0, model="", choices=[{"index": 0, "finish_reason": None, "content_filter_offsets": {"check_offset": 5}}]), DONE), "Hello", {}),
    ("[O] comments", events(b": OPENROUTER PROCESSING\n\n", say("Hel"), b": OPENROUTER PROCESSING\n\n", say("lo"), chunk(finish="stop"), DONE), "Hello", {}),
    ("[D] blank lines before a whole answer", body(b"\n\n\n\n" + body(whole(HELLO)).split(b"\r\n\r\n")[1]), "Hello", {}),
    ("[-] no space behind data:", events(*[event(data).replace(b": ", b":", 1) for data in (say("Hello"), chunk(finish="stop"), DONE)]), "Hello", {}),
    ("[-] one line end an event", events(*[event(data)[:-1] for data in (say("Hel"), say("lo"), chunk(finish="stop"), DONE)]), "Hello", {}),
    ("[-] CR LF", events(*[event(data).replace(b"\n", b"\r\n") for data in (say("Hello"), chunk(finish="stop"), DONE)]), "Hello", {}),
    ("[-] JSON over several lines", events(b'data: {"choices":\ndata: [{"delta": {"content": "Hello"}}]}\n\n', chunk(finish="stop"), DONE), "Hello", {}),
    ("[-] a byte order mark", head() + b"\xef\xbb\xbf" + event(say("Hello")) + event(chunk(finish="stop")), "Hello", {}),
    ("[-] a ping", events(event({"type": "ping"}, "ping"), say("Hello"), chunk(finish="stop"), DONE), "Hello", {}),
    ("[-] one bad chunk", events(say("Hel"), b"data: {\"choices\":[{\"del\n\n", say("lo"), chunk(finish="stop"), DONE), "Hello", {}),
    ("[-] a stream that says it is JSON", events(say("Hello"), chunk(finish="stop"), DONE, kind="application/json"), "Hello", {}),
    ("[-] a stream that says it is text", events(say("Hello"), chunk(finish="stop"), DONE, kind="text/plain"), "Hello", {}),
    ("[-] JSON that says it is a stream", body(whole(HELLO), "text/event-stream"), "Hello", {}),
    ("[-] a compressed stream", zipped(events(say("Hello"), chunk(finish="stop"), DONE).split(b"\r\n\r\n", 1)[1], "text/event-stream"), "Hello", {}),
    ("[-] a compressed body", zipped(body(whole(HELLO)).split(b"\r\n\r\n", 1)[1], "application/json"), "Hello", {}),
    ("[-] bare", body({"choices": [{"message": {"content": "Hello"}}]}), "Hello", {}),
    ("[M] flags of the message", events(chunk({"role": "assistant", "prefix": False}), say("Hello"), chunk({"prefix": False}, "stop"), chunk({"prefix": False})), "Hello", {"nothing_more": True}),
    ("[B] base_resp of a success", body(whole(HELLO, base_resp={"status_code": 0, "status_msg": ""})), "Hello", {}),
    ("[-] an error that is none", body(whole(HELLO, error={"code": None, "message": ""})), "Hello", {}),
    ("[-] nothing, on purpose", events(chunk({"role": "assistant", "content": ""}), chunk(finish="stop"), DONE), "", {}),

    # calls of tools
    ("calls as OpenAI has them", events(calls(call("a", "f", "", index=0)), calls(part('{"x":', index=0)), calls(part("1}", index=0)),
                                        calls(call("b", "g", "{}", index=1)), chunk(finish="tool_calls"), DONE), "", {"finish": "tool_calls", "calls": [("f", '{"x":1}'), ("g", "{}")]}),
    ("[G] all with index 0", events(calls(call("a", "f", '{"x":1}', index=0)), calls(call("b", "f", '{"x":2}', index=0)), chunk(finish="tool_calls"), DONE), "",
     {"finish": "tool_calls", "calls": [("f", '{"x":1}'), ("f", '{"x":2}')]}),
    ("[G] all with index 0, in one chunk", events(calls(call("a", "f", "{}", index=0), call("b", "g", "{}", index=0)), chunk(finish="tool_calls"), DONE), "",
     {"finish": "tool_calls", "calls": [("f", "{}"), ("g", "{}")]}),
    ("[G] no index", events(calls(call("a", "f", "{}")), calls(call("b", "g", "{}")), chunk(finish="tool_calls"), DONE), "", {"finish": "tool_calls", "calls": [("f", "{}"), ("g", "{}")]}),
    ("[G] no ids, and index 0", events(calls(call("", "f", '{"x":1}', index=0)), calls(call("", "f", '{"x":2}', index=0)), chunk(finish="tool_calls"), DONE), "",
     {"finish": "tool_calls", "calls": [("f", '{"x":1}'), ("f", '{"x":2}')]}),
    ("[-] no index, in parts", events(calls(call("a", "f", "")), calls(part('{"x":')), calls(part("1}")), chunk(finish="tool_calls"), DONE), "", {"finish": "tool_calls", "calls": [("f", '{"x":1}')]}),
    ("[-] id and name in each part", events(*[calls(call("a", "f", p, index=0)) for p in ('{"x":', "1", "}", "")], chunk(finish="tool_calls"), DONE), "", {"finish": "tool_calls", "calls": [("f", '{"x":1}')]}),
    ("[V] two parts in one chunk", events(calls(call("a", "f", "", index=0), part('{"x":1}', index=0)), chunk(finish="tool_calls"), DONE), "", {"finish": "tool_calls", "calls": [("f", '{"x":1}')]}),
    ("[-] a whole answer's calls", body(whole({"content": None, "tool_calls": [call("a", "f", "{}"), call("b", "g", "{}")]}, "tool_calls")), "", {"finish": "tool_calls", "calls": [("f", "{}"), ("g", "{}")]}),
    ("[N] tool_use", body(whole({"content": "Look:", "tool_calls": [call("a", "f", "{}")]}, "tool_use")), "Look:", {"finish": "tool_calls", "calls": [("f", "{}")]}),

    # what it took
    ("[K] usage in the last choice", events(say("Hello"), chunk(finish="stop", usage={"prompt_tokens": 9, "completion_tokens": 2, "cached_tokens": 4}), DONE), "Hello", {"usage": (9, 2, 4)}),
    ("[Q] usage in x_groq", events(say("Hello"), {**chunk(finish="stop"), "x_groq": {"id": "r", "usage": {"prompt_tokens": 9, "completion_tokens": 2}}}, DONE), "Hello", {"usage": (9, 2, 0)}),
    ("[V] usage in each chunk", events(*[{**say(w), "usage": {"prompt_tokens": 9, "completion_tokens": i, "total_tokens": 9 + i}} for i, w in enumerate(("He", "ll", "o"))], chunk(finish="stop"), DONE), "Hello", {"usage": (9, 2, 0)}),
    ("[-] zeros behind the usage", events(say("Hello"), chunk(finish="stop"), usage(9, 2), usage(0, 0), DONE), "Hello", {"usage": (9, 2, 0)}),
    ("[D] cache hits", body(whole(HELLO, usage={"prompt_tokens": 9, "completion_tokens": 2, "prompt_cache_hit_tokens": 4, "prompt_cache_miss_tokens": 5})), "Hello", {"usage": (9, 2, 4)}),
    ("[X] reasoning beside the completion", events(say("Hello"), chunk(finish="stop"), usage(1000, 100, total_tokens=3100, completion_tokens_details={"reasoning_tokens": 2000}), DONE), "Hello", {"usage": (1000, 2100, 0)}),
    ("[G] reasoning in the total only", body(whole(HELLO, usage={"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 3100})), "Hello", {"usage": (1000, 2100, 0)}),
    ("reasoning within the completion", body(whole(HELLO, usage={"prompt_tokens": 9, "completion_tokens": 90, "total_tokens": 99, "completion_tokens_details": {"reasoning_tokens": 80}})), "Hello", {"usage": (9, 90, 0)}),
    ("[-] names of the Responses API", body(whole(HELLO, usage={"input_tokens": 9, "output_tokens": 2, "input_tokens_details": {"cached_tokens": 4}})), "Hello", {"usage": (9, 2, 4)}),
    ("[N] what was read from the cache, beside", body(whole(HELLO, usage={"input_tokens": 9, "output_tokens": 2, "cache_read_input_tokens": 100, "cache_creation_input_tokens": 10})), "Hello", {"usage": (119, 2, 100)}),
    ("[-] figures with a point", body(whole(HELLO, usage={"prompt_tokens": 9.0, "completion_tokens": 2.0})), "Hello", {"usage": (9, 2, 0)}),
    ("[-] three billion tokens", body(whole(HELLO, usage={"prompt_tokens": 3000000000, "completion_tokens": 2})), "Hello", {"usage": None}),
    ("[-] tokens below zero", body(whole(HELLO, usage={"prompt_tokens": -1, "completion_tokens": 2})), "Hello", {"usage": None}),
    ("[-] more cached than sent", body(whole(HELLO, usage={"prompt_tokens": 9, "completion_tokens": 2, "cached_tokens": 100})), "Hello", {"usage": (9, 2, 9)}),
    ("[-] no usage", events(say("Hello"), chunk(finish="stop"), DONE), "Hello", {"usage": None}),
]

FAILURE = {"code": 502, "message": "no instance"}

# name, what the provider sends, status and code that a client gets that heard nothing, the text before it fails
FAILURES = [
    ("[O] finish_reason error", body({"choices": [{"finish_reason": "error", "error": FAILURE, "message": {"content": ""}}]}), 502, "provider_error", ""),
    ("[O] the same as a chunk", events(chunk({"content": ""}, "error", error=FAILURE), DONE), 502, "provider_error", ""),
    ("[O] an error and a choice", events(say("Hal"), {**chunk({"content": ""}, "error"), "error": FAILURE}, DONE), 502, "provider_error", "Hal"),
    ("[-] an error of the choice alone", body({"choices": [{"message": {"content": ""}, "error": FAILURE, "finish_reason": "stop"}]}), 502, "provider_error", ""),
    ("[M] finish_reason error, no more", events(say("Hal"), chunk(finish="error"), DONE), 502, "provider_error", "Hal"),
    ("[D] insufficient_system_resource", events(say("Hal"), chunk(finish="insufficient_system_resource"), DONE), 502, "provider_error", "Hal"),
    ("[Z] network_error", body(whole({"content": ""}, "network_error")), 502, "provider_error", ""),
    ("[V] abort", events(chunk(finish="abort"), DONE), 502, "provider_error", ""),
    ("[M] object error", events({"object": "error", "message": "m", "code": 50001}, DONE), 502, "provider_error", ""),
    ("[V] object error behind some text", events(say("Hal"), {"object": "error", "message": "m", "type": "InternalServerError", "code": 500}, DONE), 502, "provider_error", "Hal"),
    ("[-] only [DONE]", events(DONE), 502, "provider_error", ""),
    ("[V] only a role and [DONE]", events(chunk({"role": "assistant", "content": ""}), DONE), 502, "provider_error", ""),
    ("[-] only bad chunks and [DONE]", events(b"data: {\"choi\n\n", DONE), 502, "provider_error", ""),
    ("[-] nothing", events(), 502, "provider_error", ""),
    ("[-] an empty body", body(b""), 502, "provider_error", ""),
    ("[-] no choice", body({"choices": []}), 502, "provider_error", ""),
    ("[-] a choice without a word or an end", body({"choices": [{"message": {"content": ""}, "finish_reason": None}]}), 502, "provider_error", ""),
    ("[-] a page", body(b"<html>bad gateway", "text/html"), 502, "provider_error", ""),
    ("[-] ends within the text", events(say("Hal")), 502, "provider_cut", "Hal"),
    ("[O] a numeric code: 429", body({"error": {"code": 429, "message": "m"}}), 429, "rate_limit_exceeded", ""),
    ("[O] a numeric code: 402", events({"error": {"code": 402, "message": "m"}}), 429, "insufficient_quota", ""),
    ("[O] a numeric code: 401", body({"error": {"code": 401, "message": "m"}}), 502, "provider_auth", ""),
    ("[-] digits", events({"error": {"code": "503", "message": "m"}}), 503, "provider_error", ""),
    ("[-] a text", events({"error": "out of memory"}), 502, "provider_error", ""),
    ("[-] true", body({"error": True, "message": "m"}), 502, "provider_error", ""),
    ("[G] a list", body([{"error": {"code": 503, "message": "m", "status": "UNAVAILABLE"}}]), 503, "provider_error", ""),
    ("[N] overloaded", events(event({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}, "error")), 502, "provider_error", ""),
    ("[-] an event called error", events(say("Hal"), event("it broke", "error")), 502, "provider_error", "Hal"),
    ("[L] a line called error", events(say("Hal"), b'error: {"code":500,"message":"m","type":"server_error"}\n\n', DONE), 502, "provider_error", "Hal"),
    ("[L] and the context with it", events(b'error: {"code":400,"message":"the request exceeds the available context size","type":"x"}\n\n', DONE), 400, "context_length_exceeded", ""),
    ("[B] base_resp", body({"choices": None, "base_resp": {"status_code": 1008, "status_msg": "insufficient balance"}}), 429, "insufficient_quota", ""),
    ("[-] detail", body({"detail": "Internal error"}), 502, "provider_error", ""),
    ("[-] code and msg", body({"code": 1, "msg": "m"}), 502, "provider_error", ""),
]

WAYS = [(native, stream) for native in (True, False) for stream in (True, False)]


def ask(uplift, native, stream, model="m"):
    if native:
        return uplift.post("/v1/chat", {"message": "Say something.", "stream": stream})
    return uplift.post("/v1/chat/completions", {
        "model": model, "stream": stream, "messages": [{"role": "user", "content": "Say something."}]})


def told_finish(answer, native, stream):
    """The finish_reason that the client got; of a stream, all of them."""
    if not stream:
        return answer.json()["finish_reason"] if native else answer.json()["choices"][0]["finish_reason"]
    if native:
        return answer.events()[-1]["finish_reason"]
    reasons = [c["finish_reason"] for e in answer.events() if e != DONE for c in e["choices"] if c["finish_reason"]]
    return reasons[0] if len(reasons) == 1 else tuple(reasons)


def told_calls(answer, stream):
    """The calls of tools as a client of completions puts them together, by their index."""
    if not stream:
        return [(c["function"]["name"], c["function"]["arguments"]) for c in answer.json()["choices"][0]["message"].get("tool_calls", [])]
    found = {}
    for chunk_ in answer.events()[:-1]:
        for choice in chunk_["choices"]:
            for item in choice["delta"].get("tool_calls") or []:
                known = found.setdefault(item["index"], ["", ""])
                known[0] = item["function"].get("name") or known[0]
                known[1] += item["function"].get("arguments") or ""
    return [tuple(found[index]) for index in sorted(found)]


def check_answer(uplift, provider, name, script, text, more):
    got, kept, finishes, figures = set(), set(), set(), set()
    for native, stream in WAYS:
        provider.plays(script)
        answer = ask(uplift, native, stream)
        way = "%s: %s, %s" % (name, "/v1/chat" if native else "completions", "streamed" if stream else "whole")
        row = uplift.row(answer.headers["X-Feedback-Id"])
        if answer.status != 200:
            tap.ok(False, way, answer.text)
            continue
        got.add((answer.said() or "", stream and answer.events()[-1] == DONE or native or not stream))
        kept.add((row["ai_response"], row["outcome"], row["error_code"]))
        finishes.update((row["finish_reason"], told_finish(answer, native, stream)))
        figures.add(None if row["usage_estimated"] else (row["prompt_tokens"], row["completion_tokens"], row["cached_tokens"]))
        message = row["response_message"] or {}
        if "calls" in more:
            recorded = [(c["function"]["name"], c["function"]["arguments"]) for c in message.get("tool_calls", [])]
            tap.equal(recorded, more["calls"], way + ": calls in the record")
            if not native:
                tap.equal(told_calls(answer, stream), more["calls"], way + ": calls for the client")
        if "nothing_more" in more:
            tap.equal(row["response_message"], None, way + ": nothing more in the record")
        if "thought" in more:
            tap.equal(message.get("reasoning_content"), more["thought"], way + ": thought in the record")
    tap.equal(got, {(text, True)}, name + ": what all clients got")
    tap.equal(kept, {(text, "complete", None)}, name + ": what is recorded")
    tap.equal(finishes, {more.get("finish", "stop")}, name + ": how it ended, for all")
    if "usage" in more:
        tap.equal(figures, {more["usage"]}, name + ": what it took")


def check_failure(uplift, provider, name, script, status, code, text):
    for native, stream in WAYS:
        provider.plays(script)
        answer = ask(uplift, native, stream)
        way = "%s: %s, %s" % (name, "/v1/chat" if native else "completions", "streamed" if stream else "whole")
        row = uplift.row(answer.headers["X-Feedback-Id"])
        if stream and text:
            error = answer.events()[-1].get("error") or {}
            tap.equal((answer.said(), error.get("code"), DONE in answer.events()), (text, code, False), way + ": text, then the error")
        else:
            tap.equal((answer.status, answer.error().get("code")), (status, code), way + ": told")
        tap.equal((row["ai_response"], row["outcome"], row["error_code"]), (text, "partial" if text else "failed", code),
                  way + ": recorded")
        tap.ok(row["attempts"] and row["attempts"][0].get("reason"), way + ": the attempt failed", row["attempts"])


def another_route(uplift, provider):
    """Each of the failures is one like any other: where there is another provider, it answers."""
    second = provider.at("second")
    for number, (name, script, _, code, _) in enumerate(FAILURES):
        for native, stream in WAYS[:1] + WAYS[3:]:
            provider.plays(script)
            second.plays(events(say("Hello"), chunk(finish="stop"), DONE))
            if native:
                uplift.sql("update uplift.model_deployments set model_id = %s", "m%d" % number)
            answer = ask(uplift, native, stream, "m%d" % number)
            row = uplift.row(answer.headers["X-Feedback-Id"])
            wanted = ("Hello", "complete", "second") if code != "context_length_exceeded" else ("", "failed", "first")
            tap.equal((row["ai_response"], row["outcome"], row["provider"]), wanted,
                      "another provider answers: %s, %s" % (name, "/v1/chat, streamed" if native else "completions, whole"))


def usage_for_who_asks(uplift, provider):
    """A client that asked for usage gets it in OpenAI's place, wherever the provider had it."""
    for name, script, figures in [
            ("OpenAI's", events(say("Hello"), chunk(finish="stop"), usage(9, 2), DONE), 11),
            ("[K] in the choice", events(say("Hello"), chunk(finish="stop", usage={"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11}), DONE), 11),
            ("with the last text", events({**say("Hello", "stop"), "usage": {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11}}, DONE), 11),
            ("before there is a word", events(usage(9, 1), {**say("Hello", "stop"), "usage": {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11}}, usage(9, 2), DONE), None),
            ("a whole body", body(whole(HELLO, usage={"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11})), 11)]:
        provider.plays(script)
        answer = uplift.post("/v1/chat/completions", {
            "model": "m", "stream": True, "stream_options": {"include_usage": True},
            "messages": [{"role": "user", "content": "Say something."}]})
        told = [e["usage"]["total_tokens"] for e in answer.events() if e != DONE and e.get("usage")]
        tap.equal((answer.said(), told if figures else told[-1:]), ("Hello", [figures or 11]), "usage, once: " + name)
    provider.plays(events(say("Hello"), chunk(finish="stop"), DONE))
    answer = uplift.post("/v1/chat/completions", {
        "model": "m", "stream": True, "stream_options": {"include_usage": True},
        "messages": [{"role": "user", "content": "Say something."}]})
    tap.ok(answer.events()[-2]["usage"]["completion_tokens"] > 0, "usage, where the provider had none: as estimated")


with Playing() as provider, Uplift(simulator=None, UPLIFT_UPSTREAM_URL=provider.url, UPLIFT_MODEL="m", UPLIFT_RETRIES=0,
                                   expected="provider") as uplift:
    for line in ANSWERS:
        check_answer(uplift, provider, *line)
    for line in FAILURES:
        check_failure(uplift, provider, *line)
    usage_for_who_asks(uplift, provider)
    tap.equal([line for line in provider.headers if line.lower().startswith("accept-encoding:")], ["Accept-Encoding: identity"],
              "what comes compressed was not asked for")
    # A model for each line, because one that was busy is left alone for a while.
    routing = {"providers": [{"name": "first", "base_url": provider.url}, {"name": "second", "base_url": provider.at("second").url}],
               "models": [{"name": "m%d" % number, "routes": [{"provider": "first"}, {"provider": "second"}]} for number in range(len(FAILURES))]}
    with open(uplift.dir + "/routing.json", "w") as file:
        json.dump(routing, file)
    uplift.restart_chat(UPLIFT_ROUTING_FILE=uplift.dir + "/routing.json")
    uplift.sql("insert into public.ai_model_versions (model_name, version, model_id) values ('any', '1', 'any')")
    uplift.sql("insert into uplift.model_deployments (model_version_id, model_id, environment)"
               " select v.id, 'any', 'production' from public.ai_model_versions v")
    another_route(uplift, provider)
tap.done()
