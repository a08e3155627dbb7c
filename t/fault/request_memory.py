#!/usr/bin/python3
"""What large requests hold is bounded, also while their answers are awaited: one too many is told to come again, small
ones go on, and there is room again for what a provider has taken and is not sent again, and when the others have ended."""

import os
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[1:1] = [TOP + "/t/lib"]
from harness import Uplift  # noqa: E402
from process import wait_for  # noqa: E402
from scripted import Scripted  # noqa: E402
from tap import done, equal, ok  # noqa: E402

SIZE = 4 << 20
PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * SIZE}}
LARGE = {"model": "scripted-1", "messages": [{"role": "user", "content": [{"type": "text", "text": "What is this?"}, PICTURE]}]}


def large():
    answer = uplift.post("/v1/chat/completions", LARGE)
    return answer.status, answer.error().get("code"), answer.headers["Retry-After"]


with Scripted() as provider, Uplift(simulator=None, UPLIFT_WORKERS="1", UPLIFT_UPSTREAM_URL=provider.url,
                                    UPLIFT_REQUEST_MEMORY_BYTES=str(4 * SIZE)) as uplift:
    equal(large(), (200, None, None), "one that takes all there is goes through when it is alone")
    provider.hold()
    stream = uplift.stream("/v1/chat/completions", LARGE)
    ok(stream.read_until("Well"), "one is open")
    asked = len(provider.requests)
    equal({large() for _ in range(3)}, {(503, "overloaded", "1")}, "another one has no room")
    equal(len(provider.requests), asked, "and no provider is asked")
    answers = [uplift.post("/v1/chat", {"message": "x" * 60000, "stream": False}).status,
               uplift.get("/v1/coaches").status, uplift.get("/healthz", user=None).status]
    equal(answers, [200, 200, 200], "small requests go on")
    provider.go()
    ok(stream.read_until("[DONE]", 30), "the one that is open comes to its end")
    ok(wait_for(lambda: large()[0] == 200), "and then there is room again")
    equal(uplift.value("select count(*) from public.coach_response_feedback where request_messages is not null"), 3,
          "all that were answered are recorded")

# Room for one whole, but not beside what was sent to the provider of another.
with Scripted() as provider, Uplift(simulator=None, UPLIFT_WORKERS="1", UPLIFT_UPSTREAM_URL=provider.url,
                                    UPLIFT_REQUEST_MEMORY_BYTES=str(4 * SIZE + SIZE // 2)) as uplift:
    provider.hold()
    stream = uplift.stream("/v1/chat/completions", LARGE)
    ok(stream.read_until("Well"), "a provider has begun to answer")
    equal(large(), (200, None, None), "what it was sent is no longer held: another request has room")
    provider.go()
    ok(stream.read_until("[DONE]", 30), "and the first comes to its end")
done()
