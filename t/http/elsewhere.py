#!/usr/bin/python3
"""Paths that clients of other APIs call by default, or with a wrong base URL: the error says what to call instead. And
what OpenAI's own clients may leave out."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

from harness import Uplift  # noqa: E402
from tap import contains, done, equal  # noqa: E402

CHATS = "POST /v1/chat/completions"
PATHS = [
    ("POST", "/v1/responses", "openai.chat(model)"), ("GET", "/v1/responses/resp_1", CHATS), ("POST", "/v1/completions", "messages"),
    ("POST", "/v1/engines/gpt-4/completions", CHATS), ("POST", "/v1/embeddings", "no embeddings"), ("POST", "/v1/assistants", "coach_id"),
    ("POST", "/v1/threads", "conversation_id"), ("POST", "/v1/threads/t/runs", "conversation_id"), ("POST", "/v1/messages", "Anthropic"),
    ("POST", "/v1/moderations", "directly"), ("POST", "/v1/audio/speech", "directly"), ("POST", "/v1/images/generations", "directly"),
    ("GET", "/v1/realtime", "stream"), ("POST", "/v1/files", "/admin/finetuning-jobs"), ("POST", "/v1/fine_tuning/jobs", "/admin/finetuning-jobs"),
    ("POST", "/v1/batches", CHATS), ("GET", "/v1/vector_stores", CHATS), ("POST", "/v1/v1/chat/completions", "twice"),
    ("POST", "/v1/chat/completions/", "leave out"), ("POST", "/chat/completions", "and /v1"), ("GET", "/models", "and /v1"),
    ("POST", "/responses", "and /v1"), ("POST", "/openai/deployments/gpt/chat/completions", "Azure"), ("POST", "/api/chat", "Ollama"),
    ("POST", "/api/generate", "Ollama"), ("POST", "/v1beta/models/gemini:generateContent", "Google"),
]
MESSAGES = [{"role": "user", "content": "Hello."}]


def main():
    with Uplift(UPLIFT_MODEL="sim-1-mini", UPLIFT_MODELS="sim-1") as uplift:
        for method, path, advice in PATHS:
            answer = uplift.request(method, path, {} if method == "POST" else None, user=None)
            equal((answer.status, answer.error().get("code"), sorted(answer.error())),
                  (404, "unknown_url", ["code", "message", "param", "type"]), "%s %s is not here" % (method, path))
            contains(answer.error().get("message", ""), advice, "and it is said what is")
        for path in ("/v1/responsesx", "/v1/embedding", "/v1/nothing"):
            answer = uplift.post(path, {})
            equal(answer.error().get("code"), "unknown_url", path + " is like none of them")
            contains(answer.error().get("message", ""), "API reference", "and has no advice")

        for body in ({"messages": MESSAGES}, {"messages": MESSAGES, "model": None}, {"messages": MESSAGES, "coach_id": "coach_maple_avatar"}):
            answer = uplift.post("/v1/chat/completions", body)
            equal((answer.status, answer.json().get("model")), (200, "sim-1-mini"), "without a model the configured one answers: %s" % sorted(body))
            equal(uplift.row(answer.headers["X-Feedback-Id"])["model_used"], "sim-1-mini", "and is recorded")
        equal(uplift.post("/v1/chat/completions", {"messages": MESSAGES, "model": ""}).error()["code"], "invalid_model", "an empty one is none")


main()
done()
