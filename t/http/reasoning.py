#!/usr/bin/python3
"""What a model thinks before it answers: told in both protocols, under whatever name its provider gives it; recorded with the answer,
and read again when somebody asks for it."""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/../lib")
from harness import Uplift  # noqa: E402
from scripted import Scripted  # noqa: E402
from tap import done, equal, ok  # noqa: E402

ANN = "00000000-0000-4000-8000-0000000000a1"
BOB = "00000000-0000-4000-8000-0000000000b1"
THOUGHT = 'She asks "how"; \u00fcben.'


def native(name, thinks):
    provider.thinks = thinks
    events = uplift.post("/v1/chat", {"message": "How?", "stream": True}, user=ANN).events()
    equal("".join(e.get("reasoning_content", "") for e in events), THOUGHT, name + ": a stream of /v1/chat tells it")
    equal("".join(e.get("delta", "") for e in events), "Well said.", name + ": apart from the answer")
    first = next(i for i, e in enumerate(events) if "delta" in e)
    ok(all("reasoning_content" not in e for e in events[first:]), name + ": before it")
    return events[-1]


def read_again(end):
    answer = end["feedbackId"]
    row = uplift.row(answer)
    equal((row["ai_response"], row["response_message"].get("reasoning_content")), ("Well said.", THOUGHT), "recorded with the answer, and not in its text")
    messages = uplift.get("/v1/conversations/" + end["conversation_id"], user=ANN).json()["messages"]
    equal((messages[1]["has_reasoning"], "reasoning_content" in messages[1]), (True, False), "a conversation that is read says that there is some, and spares it")
    equal(uplift.get("/v1/answers/%s/context" % answer, user=ANN).json()["reasoning_content"], THOUGHT, "who wants it asks for it")
    equal(uplift.get("/v1/answers/%s/context" % answer, user=BOB).status, 404, "and gets nobody else's")
    provider.thinks = []
    uplift.post("/v1/chat", {"message": "And?", "conversation_id": end["conversation_id"]}, user=ANN)
    ok(THOUGHT not in provider.texts[-1] and "ben." not in provider.texts[-1], "it is no part of the history")
    export = uplift.get("/v1/me/export", user=ANN).json()
    ok(any((a.get("response_message") or {}).get("reasoning_content") == THOUGHT for a in export["sections"]["answers"]), "it is the user's to take away")
    plain = uplift.post("/v1/chat", {"message": "How?"}, user=ANN).json()
    ok("reasoning_content" not in plain, "an answer without has none")


def whole(name, message):
    provider.message = message
    answer = uplift.post("/v1/chat", {"message": "How?"}, user=ANN).json()
    equal((answer.get("reasoning_content"), answer["message"]), (THOUGHT, "Well said."), name + ": the whole answer has it")
    provider.message = {}


def openai():
    provider.thinks = [{"content": [{"type": "thinking", "thinking": [{"type": "text", "text": THOUGHT}]}]}]
    events = uplift.post("/v1/chat/completions", {"model": "m", "stream": True, "messages": [{"role": "user", "content": "How?"}]}, user=ANN).events()
    equal("".join(e["choices"][0]["delta"].get("reasoning_content") or "" for e in events[:-1] if e["choices"]), THOUGHT, "a stream of /v1/chat/completions tells it where others do")


with Scripted() as provider, Uplift(simulator=None, UPLIFT_UPSTREAM_URL=provider.url) as uplift:
    half = len(THOUGHT) // 2
    end = native("reasoning_content", [{"reasoning_content": THOUGHT[:half]}, {"reasoning_content": THOUGHT[half:]}])
    read_again(end)
    native("reasoning", [{"reasoning": THOUGHT}])
    native("both, as newer vLLM had it", [{"reasoning": THOUGHT, "reasoning_content": THOUGHT}])
    native("parts of the content", [{"content": [{"type": "thinking", "thinking": [{"type": "text", "text": THOUGHT}]}]}])
    provider.thinks = []
    whole("reasoning_content", {"reasoning_content": THOUGHT})
    whole("reasoning", {"reasoning": THOUGHT})
    openai()
done()
