#!/usr/bin/python3
"""An answer that was cut by its length is gone on with: POST /v1/chat with regenerate_of and continue."""

import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/../lib")
from harness import Stream, Uplift  # noqa: E402
from knowledge import offer  # noqa: E402
from scripted import Scripted  # noqa: E402
from tap import done, equal, like, ok  # noqa: E402

ANN = "00000000-0000-4000-8000-0000000000a1"
BOB = "00000000-0000-4000-8000-0000000000b1"
CUT = "First rest [1], the"
GIVEN = "First rest [1], "  # the cut may have been within its last word
REST = "then walk a little."
WHOLE = GIVEN + REST


def ask(body, user=ANN, **more):
    return uplift.post("/v1/chat", {"coach_id": "coach_maple_avatar", **body, **more}, user=user)


def said(events):
    return "".join(e.get("delta", "") for e in events)


def cut(stream=True):
    """Has an answer cut by its length; returns its id and its conversation."""
    provider.says, provider.finish_reason = CUT, "length"
    answer = ask({"message": "How do I sleep?", "stream": stream})
    end = answer.events()[-1] if stream else answer.json()
    equal(end["finish_reason"], "length", "an answer is cut")
    provider.says, provider.finish_reason = REST, "stop"
    return end


def messages(conversation, **query):
    return uplift.get("/v1/conversations/" + conversation, user=ANN).json()["messages"]


def in_words():
    first = cut()
    events = ask({"regenerate_of": first["feedbackId"], "continue": True, "stream": True}).events()
    equal(events[0].get("delta"), GIVEN, "what was there comes first, up to its last word")
    equal(said(events), WHOLE, "then what follows")
    asked = provider.last()["messages"]
    equal([m["role"] for m in asked], ["system", "user", "assistant", "user"], "the provider sees what it said")
    equal((asked[1]["content"], asked[2]["content"]), ("How do I sleep?", GIVEN.strip()), "behind what was asked")
    like(asked[3]["content"], "Go on exactly where it stopped", "and is told to go on")
    ok("<knowledge>" not in asked[0]["content"], "nothing is looked for anew, whose numbers would be others")
    row = uplift.row(events[-1]["feedbackId"])
    equal((row["ai_response"], row["user_message"], str(row["regenerate_of"]), row["outcome"], row["finish_reason"]),
          (WHOLE, "How do I sleep?", first["feedbackId"], "complete", "stop"), "the row has the whole answer, in the place of the cut one")
    equal(events[-1].get("citations"), first["citations"], "and cites what that cited")
    equal(row["attempts"][0].get("went_on_from"), len(GIVEN), "and says from where it went on")
    shown = messages(first["conversation_id"])
    equal([m["content"] for m in shown], ["How do I sleep?", WHOLE], "the conversation has it once")
    equal(shown[1]["versions"], [first["feedbackId"], events[-1]["feedbackId"]], "with both versions")
    provider.says = "You are welcome."
    ask({"message": "Thanks", "conversation_id": first["conversation_id"]})
    equal([m["content"] for m in provider.last()["messages"][1:]], ["How do I sleep?", WHOLE, "Thanks"], "and so has its history")


def as_a_whole():
    first = cut(stream=False)
    answer = ask({"regenerate_of": first["feedbackId"], "continue": True})
    equal((answer.status, answer.json()["message"]), (200, WHOLE), "without a stream the answer is whole")
    provider.says = "First rest [1], and so on"
    again = ask({"regenerate_of": answer.json()["feedbackId"], "continue": True, "stream": True}).events()
    equal(said(again), "First rest [1], then walk a First rest [1], and so on", "a text that only begins alike is no repetition")
    first = cut()
    provider.says = WHOLE
    again = ask({"regenerate_of": first["feedbackId"], "continue": True, "stream": True}).events()
    equal(said(again), WHOLE, "a model that says it all again is heard from where it goes on")
    first = cut()
    provider.says = "First rest"
    short = ask({"regenerate_of": first["feedbackId"], "continue": True, "stream": True}).events()
    equal(said(short), GIVEN + "First rest", "what only began to repeat it comes at the end")
    equal(uplift.row(short[-1]["feedbackId"])["ai_response"], GIVEN + "First rest", "and is recorded")


def followed():
    first = cut()
    provider.hold()
    provider.says = "slowly to"
    stream = uplift.stream("/v1/chat", {"regenerate_of": first["feedbackId"], "continue": True, "coach_id": "coach_maple_avatar"}, user=ANN)
    ok(stream.read_until("slowly"), "an answer goes on")
    follower = Stream(*uplift.open("GET", "/v1/chat/%s/events" % stream.feedback_id(), user=ANN))
    ok(follower.read_until("slowly"), "who follows it has it from its beginning")
    provider.go()
    list(follower)
    equal(said(json.loads(line[6:]) for line in follower.seen.splitlines() if line.startswith(b"data: ")), GIVEN + "slowly to", "to its end")
    list(stream)


def failing():
    first = cut()
    provider.refusals = [(400, {}, {"message": "no", "type": "invalid_request_error", "code": "nope"})]
    answer = ask({"regenerate_of": first["feedbackId"], "continue": True, "stream": True})
    equal(answer.status, 400, "one that fails at once is refused")
    row = uplift.row(answer.headers["X-Feedback-Id"])
    equal((row["outcome"], row["ai_response"]), ("failed", ""), "and recorded without words")
    equal([m["content"] for m in messages(first["conversation_id"])], ["How do I sleep?", CUT], "so that the cut one stays")


def refused():
    first = cut()
    for body, code, what in (
            ({"continue": True, "message": "x"}, "invalid_continue", "without an answer to go on with"),
            ({"continue": True, "message": "x", "regenerate_of": first["feedbackId"]}, "invalid_continue", "with another message"),
            ({"continue": "yes", "regenerate_of": first["feedbackId"]}, "invalid_continue", "that is no boolean"),
            ({"continue": True, "regenerate_of": "00000000-0000-4000-8000-00000000dead"}, "answer_not_found", "of no answer"),
            ({"continue": True, "regenerate_of": first["feedbackId"], "conversation_id": "00000000-0000-4000-8000-00000000dead"}, "answer_not_found", "of another conversation")):
        equal(ask(body).error().get("code"), code, "continue %s" % what)
    equal(ask({"continue": True, "regenerate_of": first["feedbackId"]}, user=BOB).error().get("code"), "answer_not_found", "continue: another user's answer")
    provider.refusals = [(400, {}, {"message": "no", "type": "invalid_request_error", "code": "nope"})]
    failed = ask({"message": "x"})
    equal(ask({"continue": True, "regenerate_of": failed.headers["X-Feedback-Id"]}).error().get("code"), "invalid_continue", "continue: an answer without text")
    equal(ask({"continue": False, "message": "x"}).status, 200, "continue false is nothing")


def by_the_provider():
    uplift.restart_chat(UPLIFT_MODEL="m", UPLIFT_ROUTING=json.dumps({
        "providers": [{"name": "own", "base_url": provider.url, "continues": "prefix"}], "models": [{"name": "m", "routes": [{"provider": "own"}]}]}))
    first = cut()
    ask({"regenerate_of": first["feedbackId"], "continue": True})
    equal(provider.last()["messages"][-1], {"role": "assistant", "content": GIVEN.strip(), "prefix": True}, "a provider that can continue is asked its own way")


with Scripted() as provider, Uplift(simulator=None, search=True, UPLIFT_UPSTREAM_URL=provider.url) as uplift:
    offer(uplift, {"title": "Sleep", "text": "Sleep at regular times.", "url": "https://example.org/sleep"})
    in_words()
    as_a_whole()
    followed()
    failing()
    refused()
    by_the_provider()
done()
