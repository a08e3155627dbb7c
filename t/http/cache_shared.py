#!/usr/bin/python3
"""Identical requests under way: one call of the provider answers them, and none is lost when it fails or its client goes."""

import json
import os
import sys
import threading
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import tap
from harness import Uplift, wait_for
from scripted import Scripted

USERS = [str(uuid.UUID(int=0xc << 64 | n)) for n in range(8)]
TEXT = "One answer for all of you, word by word."


def ask(uplift, answers, message, user, **more):
    """Asks in a thread; the answer is put into answers."""
    def run():
        answers.append(uplift.post("/v1/chat", {"message": message, "cache": {"mode": "on"}, **more}, user=user))
    thread = threading.Thread(target=run)
    thread.start()
    return thread


def join(threads):
    for thread in threads:
        thread.join(60)


def asked(provider, message):
    return [r for r in provider.requests if r["messages"][-1]["content"] == message]


def open_chats(uplift):
    return uplift.get("/readyz", user=None).json()["open_chats"]


def lead(uplift, provider, message, **more):
    """A stream whose first word is there, and no more: the provider is held."""
    provider.hold()
    stream = uplift.stream("/v1/chat", {"message": message, "cache": {"mode": "on"}, **more}, user=USERS[0])
    tap.ok(stream.read_until("One"), "%s the first one's answer has begun" % message)
    return stream


def follow(uplift, message, count=4, **more):
    """Others who ask the same; waits until they are in the relay."""
    answers = []
    before = open_chats(uplift)
    threads = [ask(uplift, answers, message, USERS[1 + n], stream=n % 2 == 0, **more) for n in range(count)]
    tap.ok(wait_for(lambda: open_chats(uplift) == before + count, 20), "%s %d others ask the same" % (message, count))
    return answers, threads


def together(uplift, provider):
    leader = lead(uplift, provider, "Together?")
    answers, threads = follow(uplift, "Together?")
    tap.equal(len(asked(provider, "Together?")), 1, "one call of the provider")
    provider.go()
    list(leader)
    join(threads)
    tap.equal([(a.status, a.said(), a.headers["X-Uplift-Cache"]) for a in answers], [(200, TEXT, "hit")] * 4,
              "answers all, streamed or not")
    tap.equal(len(asked(provider, "Together?")), 1, "and stays the only one")
    rows = uplift.sql("select f.*, s.source_answer_id from coach_response_feedback f"
                      " left join uplift.cache_sources s on s.answer_id = f.id"
                      " where f.user_message = 'Together?' and f.user_id <> %s", USERS[0])
    source = uplift.row(leader.feedback_id())
    tap.equal([(r["from_cache"], r["source_answer_id"], r["cost_usd"], r["saved_usd"], r["ai_response"]) for r in rows],
              [(True, source["id"], 0, source["cost_usd"], TEXT)] * 4, "it is known where they come from and what it saved")
    theirs = [uplift.get("/rest/v1/coach_response_feedback", user=user).text for user in {str(r["user_id"]) for r in rows}]
    theirs += [json.dumps(uplift.sql("select to_jsonb(c) as row from public.conversations c", user=str(r["user_id"])), default=str)
               for r in rows]
    theirs += [a.text + str(a.headers) for a in answers]
    tap.equal([text for text in theirs if str(source["id"]) in text or USERS[0] in text], [],
              "but nothing that their users can read names the answer, or the user, that it was first")
    tap.ok(source["cost_usd"] > 0 and not source["from_cache"], "of the one that was paid for")
    tap.equal(len({a.headers["X-Feedback-Id"] for a in answers}), 4, "each answer has an id of its own")


def tokens_left(uplift, user):
    """In a user's bucket, as it was last filled."""
    return uplift.value("select tokens from uplift.rate_buckets where key = 'user:' || %s", user)


def not_charged(uplift, provider):
    """Whoever is given another one's answer, at once or later, takes no tokens."""
    uplift.sql("insert into uplift.rate_limits (scope, tokens_per_minute) values ('user', 100000)")
    leader = lead(uplift, provider, "Paid?")
    answers, threads = follow(uplift, "Paid?", 2)
    provider.go()
    list(leader)
    join(threads)
    hit = uplift.post("/v1/chat", {"message": "Paid?", "cache": {"mode": "on"}}, user=USERS[6])
    tap.equal([a.headers["X-Uplift-Cache"] for a in answers + [hit]], ["hit"] * 3, "two wait for an answer, and one has it from the cache")
    row = uplift.row(uplift.post("/v1/chat", {"message": "Not shared."}, user=USERS[7]).headers["X-Feedback-Id"])
    used = row["prompt_tokens"] + row["completion_tokens"]
    # One worker tells of all of them at once: with the last one the earlier ones are settled.
    tap.ok(wait_for(lambda: abs(100000 - tokens_left(uplift, USERS[7]) - used) < 1, 10), "who asks a provider pays", tokens_left(uplift, USERS[7]))
    tap.equal([round(tokens_left(uplift, user)) for user in (USERS[1], USERS[2], USERS[6])], [100000] * 3, "the others take no tokens")
    uplift.sql("delete from uplift.rate_limits")


def leader_goes(uplift, provider):
    leader = lead(uplift, provider, "Gone?")
    answers, threads = follow(uplift, "Gone?")
    leader.close()
    provider.go()
    join(threads)
    tap.equal([(a.status, a.said()) for a in answers], [(200, TEXT)] * 4, "the first one goes: the others get their answer")
    tap.equal(len(asked(provider, "Gone?")), 1, "of the same call")
    row = uplift.row(leader.feedback_id())
    tap.equal((row["outcome"], row["ai_response"]), ("complete", TEXT), "whose answer is recorded whole")


def follower_goes(uplift, provider):
    leader = lead(uplift, provider, "Left?")
    before = open_chats(uplift)
    gone = uplift.socket()
    body = b'{"message":"Left?","cache":{"mode":"on"}}'
    gone.sendall(b"POST /v1/chat HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s"
                 % (uplift.token(USERS[5]).encode(), len(body), body))
    tap.ok(wait_for(lambda: open_chats(uplift) == before + 1, 20), "one who waits")
    answers, threads = follow(uplift, "Left?", 2)
    gone.close()
    provider.go()
    list(leader)
    join(threads)
    tap.equal([a.said() for a in answers], [TEXT] * 2, "may go: the others get their answer")
    tap.ok(wait_for(lambda: uplift.sql("select 1 from coach_response_feedback where user_id = %s and outcome = 'complete'"
                                       " and ai_response = %s and from_cache", USERS[5], TEXT), 20), "and its own is recorded, to be read later")


def leader_fails(uplift, provider):
    leader = lead(uplift, provider, "Fails?")
    answers, threads = follow(uplift, "Fails?")
    provider.breaks = True
    provider.go()
    events = list(leader)
    join(threads)
    tap.ok("error" in events[-1], "the first one fails", events)
    tap.equal([(a.status, a.said()) for a in answers], [(200, TEXT)] * 4, "the others get an answer all the same")
    tap.equal(len(asked(provider, "Fails?")), 2, "of one call more")


def apart(uplift, provider):
    leader = lead(uplift, provider, "Apart?")
    answers, threads = [], []
    for n, cache in enumerate(({"mode": "off"}, {"mode": "write-only"}, {"mode": "on", "max_age_s": 0})):
        threads.append(ask(uplift, answers, "Apart?", USERS[1 + n], **{"cache": cache}))
    tap.ok(wait_for(lambda: len(asked(provider, "Apart?")) == 4, 20), "who wants no earlier answer asks", len(asked(provider, "Apart?")))
    provider.go()
    list(leader)
    join(threads)
    tap.equal({a.headers["X-Uplift-Cache"] for a in answers}, {"off", "miss"}, "and gets an answer of its own")


def worker_ends(uplift, provider):
    leader = lead(uplift, provider, "Ends?")
    answers, threads = follow(uplift, "Ends?", 2)
    uplift.configure(UPLIFT_DRAIN_MS="0")
    status = uplift.restart_chat()
    provider.go()
    list(leader)
    join(threads)
    tap.equal(status, 0, "a server that ends with some waiting ends well")
    tap.ok(all(a.status == 503 or "error" in a.events()[-1] for a in answers), "and tells them", [(a.status, a.text) for a in answers])


class Breaking(Scripted):
    """Breaks off, once, what it was held in."""
    breaks = False

    def chunk(self, body, delta, finish=None):
        if self.breaks and delta.get("content", "").strip() == "answer":
            self.breaks = False
            raise OSError("breaks off")
        return super().chunk(body, delta, finish)


with Breaking() as provider, Uplift(simulator=None, UPLIFT_UPSTREAM_URL=provider.url, UPLIFT_WORKERS="1", UPLIFT_RETRIES="0",
                                    UPLIFT_DRAIN_MS="0") as uplift:
    provider.says = TEXT
    uplift.sql("insert into uplift.model_prices (model, input_per_million, output_per_million) values ('sim-1', 1, 1) on conflict do nothing")
    together(uplift, provider)
    not_charged(uplift, provider)
    leader_goes(uplift, provider)
    follower_goes(uplift, provider)
    leader_fails(uplift, provider)
    apart(uplift, provider)
    worker_ends(uplift, provider)
tap.done()
