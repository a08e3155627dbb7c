#!/usr/bin/python3
"""/v1/chat/completions: what goes to the provider, what comes back, and what is recorded of it."""

import base64
import hashlib
import json
import os
import sys
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

from harness import Uplift
from scripted import Scripted
from tap import contains, done, equal, like, ok

ASK = [{"role": "user", "content": "hello"}]
USUAL = {"id", "object", "created", "model", "choices", "usage", "system_fingerprint", "feedback_id", "conversation_id"}


def ask(uplift, messages=ASK, **more):
    return uplift.post("/v1/chat/completions", {"model": "scripted-1", "messages": messages, **more})


def sent(uplift, provider, **more):
    """What the provider got of a request."""
    answer = ask(uplift, **more)
    equal(answer.status, 200, "answered: %.50s" % json.dumps(more))
    return provider.last()


def refusal(answer):
    return answer.status, answer.error().get("type"), answer.error().get("code"), answer.error().get("param")


def passed_through(uplift, provider):
    extras = {
        "temperature": 0.25, "top_p": 1, "seed": 7, "stop": ["\n", "END"], "logit_bias": {"50256": -100}, "user": "someone",
        "max_completion_tokens": 300, "reasoning_effort": "low", "parallel_tool_calls": False, "store": False,
        "response_format": {"type": "json_schema", "json_schema": {"name": "n", "strict": True, "schema": {"type": "object"}}},
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}],
        "tool_choice": "auto", "prediction": {"type": "content", "content": "x"}, "n": 1,
        "x_of_tomorrow": {"deep": [1, 2.5, None, True, "\U0001f3b8 \" \\ \n"], "empty": {}}}
    got = sent(uplift, provider, **extras)
    equal(got, {"model": "scripted-1", "messages": ASK, **extras}, "a request goes to the provider as it is")
    messages = [
        {"role": "developer", "content": "Be terse."},
        {"role": "user", "name": "sam", "content": [
            {"type": "text", "text": "What is this?"},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo=", "detail": "low"}}]},
        {"role": "assistant", "content": None, "tool_calls": [
            {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{\"a\": 1}"}}]},
        {"role": "tool", "tool_call_id": "call_1", "content": "42"}]
    answer = ask(uplift, messages)
    equal(provider.last()["messages"], messages, "so do messages of all kinds, byte for byte in meaning")
    row = uplift.row(answer.json()["feedback_id"])
    picture = hashlib.sha256(base64.b64decode("iVBORw0KGgo=")).hexdigest()
    messages[1]["content"][1] = {"type": "image_url", "sha256": picture, "bytes": 8}
    equal(row["request_messages"], {"messages": messages}, "and are recorded, a picture by its hash")
    talk = [{"role": "system", "content": "S"}, {"role": "user", "content": "Plan?"}, {"role": "assistant", "content": "1."}]
    recorded = uplift.row(ask(uplift, talk).json()["feedback_id"])
    equal((recorded["user_message"], recorded["request_messages"]), ("Plan?", {"messages": [talk[0], talk[2]], "user_message_at": 1}),
          "and where the user's words stood, when others follow")
    equal(uplift.row(ask(uplift, talk[:2]).json()["feedback_id"])["request_messages"], {"messages": talk[:1]}, "which mostly is the end")
    tools = {name: extras[name] for name in ("response_format", "tools", "tool_choice")}
    recorded = uplift.row(ask(uplift, **tools).json()["feedback_id"])["request_messages"]
    equal({name: recorded.get(name) for name in tools}, tools, "so are tools and the format that was asked for")
    equal(row["user_message"], "What is this?", "the user's words by themselves")
    equal(row["system_prompt"], None, "no coach, no prompt of ours")


def own_fields(uplift, provider):
    conversation = str(uuid.uuid4())
    ours = {"coach_id": "coach_maple_avatar", "severity": 5.0, "mode": "default", "conversation_id": conversation}
    for place, body in (("at the top", ours), ("in metadata", {"metadata": {**ours, "severity": "5.0", "kept": "yes"}})):
        answer = ask(uplift, **body)
        got = provider.last()
        equal(got.get("metadata"), None if place == "at the top" else {"kept": "yes"}, place + ": ours go no further, the rest does")
        ok(not set(ours) & set(got), place + ": nor at the top")
        equal([m["role"] for m in got["messages"]], ["system", "user"], place + ": the coach's prompt goes before the messages")
        contains(got["messages"][0]["content"], "You are Maple", place + ": of that coach")
        contains(got["messages"][0]["content"], "severity 5.0 of 6.0, intense", place + ": as severe as asked")
        equal(answer.json()["conversation_id"], conversation, place + ": in that conversation")
        equal((answer.headers["X-Conversation-Id"], answer.headers["X-Coach-Id"]), (conversation, "coach_maple_avatar"),
              place + ": the headers say so, too")
        row = uplift.row(answer.json()["feedback_id"])
        equal((row["coach_id"], float(row["severity"]), row["mode"], str(row["conversation_id"])),
              ("coach_maple_avatar", 5.0, "default", conversation), place + ": and the row")
        equal(row["system_prompt"], got["messages"][0]["content"], place + ": which has the prompt as it was sent")
    equal(len(provider.last()["messages"]), 2, "clients send their history themselves")
    both = sent(uplift, provider, coach_id="coach_maple_avatar", metadata={"coach_id": "coach_ledger_avatar"})
    contains(both["messages"][0]["content"], "You are Maple", "the top goes before metadata")
    own = sent(uplift, provider, messages=[{"role": "system", "content": "Mine."}] + ASK, coach_id="coach_ledger_avatar")
    equal([m["content"] for m in own["messages"][1:]], ["Mine.", "hello"], "a client's own system message stays, after ours")

    for model in ("coach_ledger_avatar", "uplift/coach_ledger_avatar"):
        got = sent(uplift, provider, model=model)
        equal(got["model"], "sim-1", model + " is answered by the configured model")
        contains(got["messages"][0]["content"], "You are Ledger", model + ": by that coach")
    for body, wanted in (({"model": "coach_nobody"}, (404, "coach_not_found", "coach_id")),
                         ({"coach_id": "nobody"}, (404, "coach_not_found", "coach_id")),
                         ({"severity": 0}, (400, "invalid_severity", "severity")), ({"severity": 9}, (400, "invalid_severity", "severity")),
                         ({"severity": "3"}, (400, "invalid_severity", "severity")),
                         ({"metadata": {"severity": "loud"}}, (400, "invalid_severity", "severity")),
                         ({"mode": "evil"}, (400, "invalid_mode", "mode")), ({"mode": 3}, (400, "invalid_mode", "mode")),
                         ({"conversation_id": "x"}, (400, "invalid_conversation_id", "conversation_id")),
                         ({"metadata": "x"}, (400, "invalid_metadata", "metadata"))):
        got = refusal(ask(uplift, **body))
        equal((got[0],) + got[2:], wanted, "refused: %s" % body)


def tone(uplift, provider):
    names = ["ultra gentle", "supportive", "balanced", "direct", "intense", "savage"]
    prompts = []
    for severity, name in enumerate(names, 1):
        got = sent(uplift, provider, coach_id="coach_decibel_avatar", severity=severity)
        prompts.append(got["messages"][0]["content"])
        contains(prompts[-1], "severity %d.0 of 6.0, %s\n" % (severity, name), "severity %d is %s" % (severity, name))
    equal(len(set(prompts)), 6, "each in words of its own")
    ok(not any("# Mode" in p for p in prompts), "the default mode adds nothing")
    uplift.request("PUT", "/v1/preferences", {"roast_consent": True})
    got = sent(uplift, provider, coach_id="coach_decibel_avatar", severity=3, metadata={"mode": "roast"})
    contains(got["messages"][0]["content"], "# Mode: roast", "roast mode adds its own")


def answers(uplift, provider):
    provider.says = "One two \U0001f3b8 three."
    answer = ask(uplift)
    body = answer.json()
    like(answer.headers["Content-Type"], "^application/json", "an answer is JSON")
    equal(set(body), USUAL, "with OpenAI's fields, the provider's own, and ours")
    equal((body["id"], body["object"], body["model"], body["usage"], body["system_fingerprint"]),
          ("chatcmpl-" + body["feedback_id"], "chat.completion", "scripted-1", provider.usage, "fp_scripted"), "as the provider said it")
    equal(body["choices"], [{"index": 0, "logprobs": None, "finish_reason": "stop",
                             "message": {"role": "assistant", "content": provider.says, "refusal": None}}], "and so its choice")
    equal(answer.headers["X-Feedback-Id"], body["feedback_id"], "the feedback id is in a header, too")
    row = uplift.row(body["feedback_id"])
    wanted = {"protocol": "completions", "streamed": False, "outcome": "complete", "finish_reason": "stop", "ai_response": provider.says,
              "user_message": "hello", "model_used": "scripted-1", "prompt_tokens": 7, "completion_tokens": 3, "cached_tokens": 2,
              "tokens_used": 10, "usage_estimated": False, "error_code": None, "coach_id": None, "degraded": None,
              "request_id": answer.headers["X-Request-Id"], "conversation_id": body["conversation_id"]}
    got = {name: row[name] for name in wanted}
    got["conversation_id"], got["degraded"] = str(got["conversation_id"]), row["degraded"] or None
    equal(got, wanted, "the row says the same")

    provider.message = {"content": None, "tool_calls": [
        {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{\"a\":1}"}}]}
    body = ask(uplift).json()
    equal((body["choices"][0]["finish_reason"], body["choices"][0]["message"]["tool_calls"]), ("tool_calls", provider.message["tool_calls"]),
          "calls of tools come back")
    equal(uplift.row(body["feedback_id"])["response_message"]["tool_calls"], provider.message["tool_calls"], "and are recorded")
    provider.message = {}


def streams(uplift, provider):
    for options, usage in (({}, False), ({"stream_options": {"include_usage": True, "x": 1}}, True), ({"stream_options": None}, False),
                           ({"stream_options": {"include_usage": False}}, False)):
        answer = ask(uplift, stream=True, **options)
        name = "stream, %s: " % json.dumps(options)
        equal(provider.last()["stream_options"].get("include_usage"), True, name + "the provider is asked for usage")
        like(answer.headers["Content-Type"], "^text/event-stream", name + "is a stream of events")
        events = answer.events()
        equal((events[-1], answer.text[-16:]), ("[DONE]", "\n\ndata: [DONE]\n\n"), name + "[DONE] is the end")
        chunks = events[:-1]
        equal({(c["id"], c["feedback_id"], c["conversation_id"]) for c in chunks},
              {("chatcmpl-" + answer.headers["X-Feedback-Id"], answer.headers["X-Feedback-Id"], answer.headers["X-Conversation-Id"])},
              name + "each chunk has the ids")
        equal([c["usage"] for c in chunks if c.get("usage")], [provider.usage] if usage else [], name + "usage comes to who asked")
        equal([c for c in chunks if not c["choices"]], chunks[-1:] if usage else [], name + "in a chunk of its own, the last")
        equal("".join(c["choices"][0]["delta"].get("content", "") for c in chunks if c["choices"]), provider.says, name + "the words")
        row = uplift.row(answer.headers["X-Feedback-Id"])
        equal((row["streamed"], row["ai_response"], row["tokens_used"]), (True, provider.says, 10), name + "and the row")
    equal(sent(uplift, provider, stream=False).get("stream_options"), None, "without a stream nothing is asked for")


def tool_loop(uplift, provider):
    """A client that answers calls of tools sends the question again with the results."""
    call = {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    asked = [{"role": "user", "content": "How many?"}]
    provider.message = {"content": None, "tool_calls": [call]}
    first = uplift.post("/v1/chat/completions", {"model": "scripted-1", "messages": asked})
    conversation = first.headers["X-Conversation-Id"]
    provider.message = {}
    asked += [{"role": "assistant", "content": None, "tool_calls": [call]}, {"role": "tool", "tool_call_id": "call_1", "content": "42"}]
    uplift.post("/v1/chat/completions", {"model": "scripted-1", "conversation_id": conversation, "messages": asked})
    messages = uplift.get("/v1/conversations/" + conversation).json()["messages"]
    equal([(m["role"], m["content"]) for m in messages],
          [("user", "How many?"), ("assistant", ""), ("assistant", provider.says)], "a tool loop shows its question once")


def refused(uplift, provider):
    count = len(provider.requests)
    for body, param, code in (
            ({"n": 2}, "n", "unsupported_n"), ({"n": 0}, "n", "unsupported_n"), ({"model": 7}, "model", "invalid_model"),
            ({"model": ""}, "model", "invalid_model"), ({"model": "m" * 257}, "model", "invalid_model"),
            ({"messages": None}, "messages", "invalid_messages"), ({"messages": []}, "messages", "invalid_messages"),
            ({"messages": ["hi"]}, "messages", "invalid_messages"), ({"messages": [{"content": "hi"}]}, "messages", "invalid_messages"),
            ({"messages": [{"role": "user", "content": 7}]}, "messages", "invalid_messages"),
            ({"messages": ASK * 4097}, "messages", "too_many_messages"), ({"stream": "yes"}, "stream", "invalid_stream"),
            ({"stream_options": []}, "stream_options", "invalid_stream_options")):
        equal(refusal(uplift.post("/v1/chat/completions", {"model": "scripted-1", "messages": ASK, **body})),
              (400, "invalid_request_error", code, param), "refused: %.60s" % json.dumps(body))
    large = ["!" + " " * size for size in (140000, 160000, 180000, 300000) * 10]
    equal([uplift.post("/v1/chat/completions", body).status for body in large], [400] * len(large),
          "a large request that is refused at once is answered, and not with nginx's 502")
    equal(len(provider.requests), count, "and the provider is not asked")


with Scripted() as provider, Uplift(simulator=None, UPLIFT_UPSTREAM_URL=provider.url) as uplift:
    passed_through(uplift, provider)
    own_fields(uplift, provider)
    tone(uplift, provider)
    answers(uplift, provider)
    streams(uplift, provider)
    tool_loop(uplift, provider)
    refused(uplift, provider)
done()
