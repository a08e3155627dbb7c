#!/usr/bin/python3
"""How much each route takes: what fits is read, one byte more is refused by nginx, and without nginx by fcgi-chat; and a
message is as long on one protocol as on the other."""

import json
import os
import sys
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

from harness import USER, Uplift
from tap import done, equal, ok

KIB = 1024
SMALL = 16 * KIB
MESSAGE = 32 * KIB
WHOLE = 1024 * KIB
REST = "/rest/v1/coach_response_feedback"
COMPLETIONS = "/v1/chat/completions"
NOBODY = str(uuid.uuid4())
PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 4 * MESSAGE}}


def padded(body, size):
    """As JSON of so many bytes."""
    text = json.dumps(body)
    return (text[:-1] + " " * (size - len(text)) + text[-1]).encode()


ROUTES = [
    ("PUT", "/v1/preferences", {"severity": 3.0}, SMALL, 200), ("POST", "/v1/feedback/" + NOBODY, {"helpful": True}, SMALL, 404),
    ("PATCH", "/v1/feedback/" + NOBODY, {"helpful": True}, SMALL, 404), ("PATCH", REST + "?id=eq." + NOBODY, {"helpful": True}, SMALL, 204),
    ("GET", "/v1/coaches", {}, SMALL, 200), ("GET", "/v1/preferences", {}, SMALL, 200), ("GET", REST, {}, SMALL, 200),
    ("DELETE", "/v1/conversations/" + NOBODY, {}, SMALL, 404), ("GET", "/v1/models", {}, SMALL, 200),
    ("POST", "/v1/chat", {"message": "hi"}, 6 * MESSAGE + SMALL, 200),
    ("POST", COMPLETIONS, {"model": "sim-1", "messages": [{"role": "user", "content": "hi"}]}, WHOLE, 200),
]


def sizes(uplift, who):
    for method, path, body, most, status in ROUTES:
        name = "%s: %s %s: " % (who, method, path[:28])
        equal(uplift.request(method, path, padded(body, most)).status, status, name + "%d bytes are taken" % most)
        answer = uplift.request(method, path, padded(body, most + 1))
        code = answer.json().get("code") if path.startswith("/rest") and who != "nginx" else answer.error().get("code")
        wanted = "PGRST102" if path.startswith("/rest") and who != "nginx" else "request_too_large"
        equal((answer.status, code), (413, wanted), name + "and not one more")
    equal(uplift.get("/healthz", user=None).status, 200, who + ": the server is alive")


def strangers(uplift):
    """A body is not even read for whom nobody knows."""
    answer = uplift.post(COMPLETIONS, b"[" * WHOLE, user=None)
    equal((answer.status, answer.error().get("code")), (401, "missing_token"), "without a token nothing is looked at")
    answer = uplift.post(COMPLETIONS, b"[" * WHOLE)
    equal((answer.status, answer.error().get("code")), (400, "invalid_json"), "with one it is")


def completion(uplift, *messages):
    answer = uplift.post(COMPLETIONS, {"model": "sim-1", "messages": [*messages, {"role": "user", "content": "And now?"}]})
    return answer.status, answer.error().get("code"), answer.error().get("param")


def messages(uplift):
    answer = uplift.post("/v1/chat", {"message": "é" * (MESSAGE // 2)})
    equal(answer.status, 200, "a message of the longest length is taken on /v1/chat")
    answer = uplift.post("/v1/chat", {"message": "é" * (MESSAGE // 2) + "!"})
    equal((answer.status, answer.error().get("code")), (400, "message_too_long"), "and no longer one")
    refused = (400, "message_too_long", "messages")
    for role in ("system", "user", "assistant", "tool"):
        fits, over = ({"role": role, "tool_call_id": "x", "content": "é" * (size // 2)} for size in (MESSAGE - 128, MESSAGE))
        equal(completion(uplift, fits), (200, None, None), "so on /v1/chat/completions, of a " + role)
        equal(completion(uplift, over), refused, "and no longer one of a " + role)
    half = {"type": "text", "text": "x" * (MESSAGE // 2)}
    equal(completion(uplift, {"role": "user", "content": [half, half]}), refused, "parts are counted together")
    equal(completion(uplift, {"role": "user", "content": [half, PICTURE, PICTURE]}), (200, None, None), "pictures are not counted")
    equal(completion(uplift, {"role": "user", "content": [{"type": "text", "text": "x", "more": "y" * MESSAGE}]}), refused,
          "what else is in a part is")
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "x" * MESSAGE}}
    equal(completion(uplift, {"role": "assistant", "content": None, "tool_calls": [call]}), refused, "so are calls of tools")
    equal(completion(uplift, *[{"role": "user", "content": "x" * (MESSAGE - 128)}] * 8)[0], 200, "many may be much together")


SETTINGS = {"UPLIFT_MAX_BODY_BYTES": str(WHOLE), "UPLIFT_MAX_MESSAGE_BYTES": str(MESSAGE)}


def as_fcgi_chat(text):
    """nginx without limits of its own."""
    return text.replace("client_max_body_size 8m", "client_max_body_size 64m").replace("client_max_body_size 16k", "client_max_body_size 64m")


with Uplift(nginx=as_fcgi_chat, **SETTINGS) as uplift:
    sizes(uplift, "fcgi-chat")
    strangers(uplift)
    messages(uplift)
    large = uplift.value("select max(octet_length(request_messages::text)) from public.coach_response_feedback where user_id = %s", USER)
    ok(large < WHOLE, "what is recorded has no pictures in it", large)
with Uplift(nginx=lambda text: text.replace("client_max_body_size 8m", "client_max_body_size 1m"),
            **{**SETTINGS, "UPLIFT_MAX_MESSAGE_BYTES": str((WHOLE - SMALL) // 6)}) as uplift:
    ROUTES[-2] = ("POST", "/v1/chat", {"message": "hi"}, WHOLE, 200)
    sizes(uplift, "nginx")
done()
