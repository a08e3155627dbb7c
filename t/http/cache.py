#!/usr/bin/python3
"""The response cache: what hits look like, what they leave in the database, which requests share them, and feedback."""

import os
import sys
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import tap
from harness import Uplift
from scripted import Scripted

ANN, BOB = str(uuid.UUID(int=0xa << 64 | 0xa)), str(uuid.UUID(int=0xa << 64 | 0xb))
ON = {"mode": "on"}
TEXT = "Well, drink some water — and then go for a long walk, wherever you like, because it helps."


def chat(uplift, message, user=ANN, **more):
    return uplift.post("/v1/chat", {"message": message, **more}, user=user)


def completion(uplift, text, user=ANN, messages=None, **more):
    body = {"model": "sim-1", "messages": (messages or []) + [{"role": "user", "content": text}], **more}
    return uplift.post("/v1/chat/completions", body, user=user)


def cache(answer):
    return answer.headers["X-Uplift-Cache"]


def native(uplift, provider):
    off = chat(uplift, "Off?")
    tap.equal((cache(off), cache(chat(uplift, "Off?"))), ("off", "off"), "who does not ask for it has no cache")
    tap.equal(len(provider.requests), 2, "and the provider is asked")

    first = chat(uplift, "How are you?", cache=ON)
    asked = len(provider.requests)
    again = chat(uplift, "  How   are you?\n", user=BOB, cache=ON)
    tap.equal((cache(first), cache(again)), ("miss", "hit"), "native: the same question again is a hit, for any user")
    tap.equal(len(provider.requests), asked, "native: which asks no provider")
    one, two = first.json(), again.json()
    same = ("message", "usage", "model", "finish_reason", "severity", "mode", "coach_id")
    tap.equal({k: two[k] for k in same}, {k: one[k] for k in same}, "native: and says the same")
    tap.ok(two["feedbackId"] != one["feedbackId"] and two["conversation_id"] != one["conversation_id"],
           "native: as an answer of its own")
    tap.equal((one.get("from_cache"), two.get("from_cache")), (None, True), "native: and says that it is from the cache")
    row = uplift.row(two["feedbackId"], 0)
    tap.equal((row["from_cache"], row["cache_source_id"], row["cost_usd"], row["tokens_used"], row["attempts"]),
              (True, None, 0, 0, []), "native: its row has no cost, tokens or attempts, and does not name another user's answer")
    tap.equal((row["ai_response"], row["outcome"], row["provider"], row["model_used"], row["finish_reason"]),
              (TEXT, "complete", uplift.row(one["feedbackId"])["provider"], "sim-1", "stop"), "native: and is whole otherwise")

    streamed = chat(uplift, "How are you?", cache=ON, stream=True)
    events = streamed.events()
    tap.equal((cache(streamed), streamed.said()), ("hit", TEXT), "native: a hit can be streamed")
    tap.ok(len([e for e in events if "delta" in e]) >= 3, "native: in several pieces", events)
    tap.equal({k: events[-1].get(k) for k in ("done", "from_cache", "usage", "finish_reason")},
              {"done": True, "from_cache": True, "usage": one["usage"], "finish_reason": "stop"}, "native: with the same end")

    history = chat(uplift, "How are you?", cache=ON, conversation_id=one["conversation_id"])
    tap.equal(cache(history), "miss", "native: what was said before makes another question of it")
    for more in ({"coach_id": "coach_maple_avatar"}, {"severity": 5.5}):
        tap.equal(cache(chat(uplift, "How are you?", cache=ON, **more)), "miss", "native: so does another %s" % list(more)[0])
    anew = chat(uplift, "How are you?", cache=ON, regenerate_of=one["feedbackId"])
    tap.equal((anew.status, cache(anew)), (200, "off"), "native: an answer given anew is a new one")
    after = chat(uplift, "How are you?", cache=ON)
    tap.equal(uplift.row(after.json()["feedbackId"])["cache_source_id"], anew.json()["feedbackId"],
              "native: and takes the other's place")


def anew(uplift):
    """An answer given anew, without the question, takes the other's place, however long the question is."""
    for size in (8192, 8193, 60000):
        question = "é" + "x" * (size - 2)
        first = chat(uplift, question, cache=ON)
        again = uplift.post("/v1/chat", {"regenerate_of": first.json()["feedbackId"], "cache": ON}, user=ANN)
        tap.equal((cache(first), again.status, cache(again)), ("miss", 200, "off"), "%d bytes: an answer is given anew" % size)
        after = chat(uplift, question, cache=ON)
        tap.equal((cache(after), uplift.row(after.json()["feedbackId"])["cache_source_id"]), ("hit", again.json()["feedbackId"]),
                  "%d bytes: and is what is given from then on" % size)


def openai(uplift, provider):
    first = completion(uplift, "What now?", cache=ON, temperature=0.5, user_field=None)
    again = completion(uplift, "What now? ", user_field=None, temperature=0.5, cache=ON, safety_identifier="who")
    tap.equal((cache(first), cache(again)), ("miss", "hit"), "openai: the order of members does not matter, nor who asks for them")
    tap.ok("cache" not in provider.last(), "openai: the provider does not see the member cache")
    one, two = first.json(), again.json()
    tap.equal(two["choices"], one["choices"], "openai: the same choice")
    tap.equal((two["usage"]["total_tokens"], two["model"], two["object"]), (10, "sim-1", "chat.completion"), "openai: usage, model, object")
    tap.equal(two["id"], "chatcmpl-" + two["feedback_id"], "openai: and ids of its own")
    asked = {"temperature": 0.5, "user_field": None, "cache": ON}
    tap.equal(cache(completion(uplift, "What now?", user=BOB, **asked)), "miss", "openai: another user's is another's")
    for name, value in (("temperature", 0.6), ("model", "sim-1-mini"), ("max_tokens", 5), ("seed", 1)):
        tap.equal(cache(completion(uplift, "What now?", **{**asked, name: value})), "miss", "openai: another %s, another answer" % name)
    tap.equal(cache(completion(uplift, "What now?", messages=[{"role": "system", "content": "Be brief."}], **asked)), "miss",
              "openai: so with other messages")
    tap.equal(cache(completion(uplift, "What now?", logprobs=True, **asked)), "off", "openai: no cache for more than text")

    plain = completion(uplift, "What now?", stream=True, **asked)
    chunks = plain.events()
    tap.equal((cache(plain), plain.said(), chunks[-1]), ("hit", TEXT, "[DONE]"), "openai: a hit can be streamed")
    tap.ok(all(c["choices"] and "usage" not in c for c in chunks[:-1]), "openai: without usage for who did not ask")
    tap.equal([c["choices"][0]["finish_reason"] for c in chunks[-3:-1]], [None, "stop"], "openai: the finish_reason in the last")
    tap.ok(len(chunks) > 5, "openai: in several chunks")
    with_usage = completion(uplift, "What now?", stream=True, stream_options={"include_usage": True}, **asked).events()
    tap.equal((with_usage[-2]["choices"], with_usage[-2]["usage"]["total_tokens"]), ([], 10), "openai: and with usage for who did")
    tap.equal({c["usage"] for c in with_usage[:-2]}, {None}, "openai: null in all others")

    provider.message = {"reasoning_content": "Hm."}
    completion(uplift, "Think.", cache=ON)
    thought = completion(uplift, "Think.", cache=ON)
    tap.equal((cache(thought), thought.json()["choices"][0]["message"]["reasoning_content"]), ("hit", "Hm."),
              "openai: what else a message held comes along")
    deltas = [c["choices"][0]["delta"] for c in completion(uplift, "Think.", cache=ON, stream=True).events()[:-1]]
    tap.equal([d["reasoning_content"] for d in deltas if "reasoning_content" in d], ["Hm."], "openai: in a stream, too")
    provider.message = {"content": None, "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]}
    completion(uplift, "Call.", cache=ON)
    tap.equal(cache(completion(uplift, "Call.", cache=ON)), "miss", "openai: calls of tools are not kept")
    provider.message = {}


def modes(uplift):
    chat(uplift, "Modes?", cache={"mode": "read-only"})
    tap.equal(cache(chat(uplift, "Modes?", cache=ON)), "miss", "read-only keeps nothing")
    tap.equal(cache(chat(uplift, "Modes?", cache={"mode": "read-only"})), "hit", "but reads")
    tap.equal(cache(chat(uplift, "Modes?", cache={"mode": "write-only"})), "off", "write-only reads nothing")
    chat(uplift, "Written?", cache={"mode": "write-only"})
    tap.equal(cache(chat(uplift, "Written?", cache=ON)), "hit", "but keeps")
    tap.equal(cache(chat(uplift, "Written?", cache={"mode": "on", "max_age_s": 0})), "miss", "no answer is young enough for max_age_s 0")
    uplift.sql("update public.ai_response_cache set created_at = created_at - interval '50 s'")
    tap.equal(cache(chat(uplift, "Written?", cache={"mode": "read-only", "max_age_s": 49})), "miss", "an answer too old for the request is none")
    tap.equal(cache(chat(uplift, "Written?", cache={"mode": "read-only", "max_age_s": 500})), "hit", "one that is young enough is")
    for bad, param in ((True, "cache"), ([], "cache"), ({"mod": "on"}, "cache"), ({"mode": "yes"}, "cache.mode"),
                       ({"max_age_s": -1}, "cache.max_age_s"), ({"max_age_s": 1.5}, "cache.max_age_s"),
                       ({"max_age_s": "5"}, "cache.max_age_s"), ({"max_age_s": 1e12}, "cache.max_age_s")):
        for answer in (chat(uplift, "x", cache=bad), completion(uplift, "x", cache=bad)):
            tap.equal((answer.status, answer.error().get("code"), answer.error().get("param")), (400, "invalid_cache", param),
                      "cache %r is refused" % (bad,))


def feedback(uplift):
    source = chat(uplift, "Good?", cache=ON).json()["feedbackId"]
    hit = chat(uplift, "Good?", cache=ON, user=BOB)
    tap.equal(cache(hit), "hit", "an answer is given again")
    rated = uplift.post("/v1/feedback/" + hit.json()["feedbackId"], {"rating": 2}, user=BOB)
    tap.equal((rated.status, cache(chat(uplift, "Good?", cache=ON))), (200, "miss"), "two stars for it count at once")
    tap.equal(cache(chat(uplift, "Good?", cache=ON)), "miss", "and the question stays out")
    uplift.post("/v1/feedback/" + hit.json()["feedbackId"], {"rating": None}, user=BOB)
    tap.equal(cache(chat(uplift, "Good?", cache=ON)), "hit", "until they are taken back")
    uplift.post("/v1/feedback/" + source, {"helpful": False}, user=ANN)
    tap.equal(cache(chat(uplift, "Good?", cache=ON)), "miss", "a thumb down for the source does the same")


def personal(uplift):
    uplift.sql("insert into public.user_traits (user_id, trait_key, trait_value) values (%s, 'diet_type', 'vegan')", BOB)
    chat(uplift, "Personal?", cache=ON)
    tap.equal(cache(chat(uplift, "Personal?", cache=ON, user=BOB)), "miss", "what is known of a user makes it the user's own question")
    tap.equal(cache(chat(uplift, "Personal?", cache=ON, user=BOB)), "hit", "which has an answer of its own")


def trimmed(uplift):
    uplift.start_batch(UPLIFT_CACHE_MAX_ENTRIES="3")
    entries = "select count(*) from public.ai_response_cache"
    before = uplift.value(entries)
    uplift.sql("insert into uplift.search_log (tx, text_id, shelf) values ('3', -1, 'knowledge')")
    uplift.sql("insert into uplift.search_marks (horizon, marked_at) values ('4', now() - interval '73 hours')")
    job = uplift.job("trim-cache")
    tap.equal((job["status"], job["result"]["entries"], uplift.value(entries)), ("succeeded", 3, 3), "trim-cache keeps the cache within its size")
    tap.ok(before > 3 and job["result"]["least_useful"] > 0, "of more that there were", before)
    tap.ok(job["result"]["hits_counted"] > 0 and uplift.value("select count(*) from uplift.cache_hits") == 0, "and counts the hits")
    tap.equal((job["result"]["search_log"], uplift.value("select count(*) from uplift.search_log where text_id = -1")), (1, 0),
              "and the log of texts that are searched is trimmed, though nothing else does so here")


with Scripted() as provider, Uplift(simulator=None, UPLIFT_UPSTREAM_URL=provider.url) as uplift:
    provider.says = TEXT
    uplift.sql("insert into uplift.model_prices (model, input_per_million, output_per_million) values ('sim-1', 1, 1) on conflict do nothing")
    native(uplift, provider)
    anew(uplift)
    openai(uplift, provider)
    modes(uplift)
    feedback(uplift)
    personal(uplift)
    uplift.restart_chat(UPLIFT_CACHE="on", UPLIFT_CACHE_TTL_S="100")
    tap.equal(cache(chat(uplift, "Default?")), "miss", "by default: on")
    tap.equal(cache(chat(uplift, "Default?")), "hit", "for who says nothing")
    tap.equal(cache(chat(uplift, "Default?", cache={"mode": "off"})), "off", "and off for who says so")
    tap.equal(uplift.value("select extract(epoch from expires_at - created_at)::int from public.ai_response_cache order by created_at desc limit 1"),
              100, "for as long as is configured")
    trimmed(uplift)
    uplift.sql("update public.ai_response_cache set created_at = created_at - interval '90 s', expires_at = expires_at + interval '1 day'")
    uplift.restart_chat(UPLIFT_CACHE_TTL_S="80")
    tap.equal(cache(chat(uplift, "Default?")), "miss", "a shorter time counts for what is there already")
tap.done()
