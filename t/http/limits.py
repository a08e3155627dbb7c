#!/usr/bin/python3
"""Rate limits as clients meet them: refusals, OpenAI's headers, tokens settled to what was used, many at once, and what
holds while Postgres is away."""

import concurrent.futures
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import tap
from harness import Uplift, wait_for

ANN = "00000000-0000-4000-8000-00000000000a"
BOB = "00000000-0000-4000-8000-00000000000b"
CAT = "00000000-0000-4000-8000-00000000000c"
DAN = "00000000-0000-4000-8000-00000000000d"
EVE = "00000000-0000-4000-8000-00000000000e"
FAY = "00000000-0000-4000-8000-00000000000f"
GUS = "00000000-0000-4000-8000-000000000010"
NOBODYS = "01890000-0000-7000-8000-000000000000"
HAL = "00000000-0000-4000-8000-000000000011"
MESSAGES = [{"role": "user", "content": "x"}]


def put(uplift, **limit):
    answer = uplift.admin("PUT", "/admin/rate-limits", limit)
    if answer.status != 200:
        tap.ok(False, answer.text)


def chat(uplift, user=ANN, **more):
    return uplift.post("/v1/chat", {"message": "Hi.", **more}, user=user)


def left(uplift, key, scope="user"):
    """The tokens in a user's bucket, as it was last filled; or in another one's."""
    return uplift.value("select tokens from uplift.rate_buckets where key = %s", "%s:%s" % (scope, key))


def requests(uplift):
    put(uplift, scope="user", requests_per_minute=3)
    first = chat(uplift)
    tap.equal([first.headers["x-ratelimit-%s-requests" % name] for name in ("limit", "remaining", "reset")],
              ["3", "2", "20s"], "OpenAI's headers tell what is left")
    tap.equal(first.headers["x-ratelimit-limit-tokens"], None, "of limits that there are")
    stream = uplift.post("/v1/chat/completions", {"model": "sim-1", "stream": True, "messages": MESSAGES}, user=ANN)
    tap.equal(stream.headers["x-ratelimit-remaining-requests"], "1", "on streams, too")
    tap.equal(chat(uplift).status, 200, "up to the limit chats are answered")
    refused = chat(uplift)
    tap.equal((refused.status, refused.error()["code"], refused.error()["type"]), (429, "rate_limit_exceeded", "requests"),
              "beyond it they are refused")
    tap.contains(refused.error()["message"], "3 requests a minute for this user", "with the limit")
    tap.ok(1 <= int(refused.headers["Retry-After"]) <= 20 and int(refused.headers["retry-after-ms"]) <= 20000,
           "and for how long")
    tap.equal(refused.headers["x-ratelimit-remaining-requests"], "0", "with the headers")
    exposed = uplift.post("/v1/chat", {"message": "x"}, user=ANN, headers={"Origin": "https://app.example"})
    tap.contains(exposed.headers["Access-Control-Expose-Headers"], "x-ratelimit-remaining-requests", "which pages may read")
    tap.equal(chat(uplift, BOB).status, 200, "another user is not")
    rows = uplift.value("select count(*) from coach_response_feedback where user_id = %s", ANN)
    tap.equal(rows, 3, "what is refused is no answer")


def in_vain(uplift):
    """What ends in an error costs as well, or it could be had without end."""
    put(uplift, scope="user", requests_per_minute=3)
    statuses = [chat(uplift, EVE, conversation_id="00000000-0000-4000-8000-0000000000%02x" % n, regenerate_of=ANN).status
                for n in range(4)]
    tap.equal(statuses, [404, 404, 404, 429], "a chat that is not found is a chat")
    refused = chat(uplift, EVE, coach_id="coach_nobody")
    tap.equal((refused.status, refused.error()["type"]), (429, "requests"), "and who has none left is not looked up anything for")


def tokens_in_vain(uplift):
    """One worker tells in one go what all its chats took; so when the later one is settled the earlier one is, too."""
    uplift.restart_chat(UPLIFT_WORKERS="1")
    put(uplift, scope="user", tokens_per_minute=1000)
    much = [{"role": "user", "content": "word " * 40000}] * 8
    refused = uplift.post("/v1/chat/completions", {"model": "sim-1", "messages": much}, user=FAY)
    tap.equal((refused.status, refused.error().get("code")), (400, "context_length_exceeded"), "too much for the model")
    row = uplift.row(chat(uplift, GUS).headers["X-Feedback-Id"])
    used = row["prompt_tokens"] + row["completion_tokens"]
    tap.ok(wait_for(lambda: abs(1000 - left(uplift, GUS) - used) < 1, 10), "what was answered is settled")
    refused = chat(uplift, FAY)
    tap.equal((refused.status, refused.error().get("type")), (429, "tokens"), "what was refused is not given back")


def tokens_of_addresses(uplift):
    uplift.restart_chat(UPLIFT_WORKERS="1")  # no earlier chat is still to be settled
    put(uplift, scope="address", tokens_per_minute=50000)
    row = uplift.row(chat(uplift, HAL).headers["X-Feedback-Id"])
    used = row["prompt_tokens"] + row["completion_tokens"]
    tap.ok(wait_for(lambda: abs(50000 - left(uplift, "127.0.0.1", "address") - used) < 1, 10), "an address's tokens are settled, too",
           (left(uplift, "127.0.0.1", "address"), used))


def many(uplift):
    """However many come at once over both workers, no more than the limit go through."""
    put(uplift, scope="user", requests_per_minute=20)
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        began = time.monotonic()
        statuses = list(pool.map(lambda _: chat(uplift, CAT).status, range(60)))
        took = time.monotonic() - began
    passed = statuses.count(200)
    tap.ok(20 <= passed <= 20 + took / 3 + 1, "of 60 at once as many go through as the bucket holds", passed)
    tap.equal(passed + statuses.count(429), 60, "the others are told")


def tokens(uplift):
    put(uplift, scope="user", tokens_per_minute=100000)
    before = chat(uplift, DAN)
    row = uplift.row(before.headers["X-Feedback-Id"])
    used = row["prompt_tokens"] + row["completion_tokens"]

    charged = 100000 - int(before.headers["x-ratelimit-remaining-tokens"])
    tap.ok(charged > 0, "tokens are charged as they are estimated", charged)
    # The bucket is not filled between two chats, only by one.
    tap.ok(wait_for(lambda: abs(100000 - left(uplift, DAN) - used) < 1, 10), "and settled to what was used", (left(uplift, DAN), used))
    put(uplift, scope="user", tokens_per_minute=10)
    tap.equal(chat(uplift, DAN).status, 200, "one chat may take more than there is")
    refused = chat(uplift, DAN)
    tap.equal((refused.status, refused.error()["type"]), (429, "tokens"), "the next one waits")


def every_bucket(uplift):
    """Tokens are settled in each bucket, whichever of them a client is told of."""
    made = uplift.admin("POST", "/admin/api-keys", {"name": "limited", "scopes": ["chat"], "user_id": HAL}).json()
    put(uplift, scope="user", tokens_per_minute=100000)
    put(uplift, scope="api_key", requests_per_minute=5)
    answer = uplift.post("/v1/chat", {"message": "Hi."}, user=None, token=made["key"])
    tap.equal((answer.status, answer.headers["x-ratelimit-limit-requests"], answer.headers["x-ratelimit-limit-tokens"]), (200, "5", None),
              "a client is told of its API key's requests")
    row = uplift.row(answer.headers["X-Feedback-Id"])
    used = row["prompt_tokens"] + row["completion_tokens"]
    tap.ok(wait_for(lambda: abs(100000 - left(uplift, HAL) - used) < 1, 10), "and its user's tokens are settled to what was used",
           (left(uplift, HAL), used))
    uplift.admin("DELETE", "/admin/rate-limits?scope=api_key")


def addresses(uplift):
    uplift.admin("DELETE", "/admin/rate-limits?scope=user")
    put(uplift, scope="address", requests_per_minute=2)
    tap.equal([chat(uplift, user).status for user in (ANN, BOB, CAT)], [200, 200, 429], "an address is limited, whoever asks")
    tap.equal(uplift.admin("DELETE", "/admin/rate-limits?scope=address").status, 200, "DELETE takes a limit away")
    tap.equal(chat(uplift, CAT).status, 200, "and then it is none")
    tap.equal(uplift.admin("GET", "/admin/rate-limits").json()["data"], [], "GET lists them")
    tap.equal(uplift.request("PUT", "/admin/rate-limits", {"scope": "user"}).status, 403, "users may not")


def thumb(uplift, answer, user=EVE, by_rest=False):
    path = "/rest/v1/coach_response_feedback?id=eq." + answer if by_rest else "/v1/feedback/" + answer
    return uplift.request("PATCH", path, {"helpful": True}, user=user)


def feedback(uplift):
    """Feedback has a limit of its own, for both of its routes together, over both workers."""
    answer = chat(uplift, EVE).json()["feedbackId"]
    put(uplift, scope="user", feedback_per_minute=4)
    taken = [thumb(uplift, answer, by_rest=by_rest).status for by_rest in (False, True, False, True)]
    tap.equal(taken, [200, 204, 200, 204], "up to its limit feedback is taken")
    refused = thumb(uplift, answer)
    tap.equal((refused.status, refused.error()["code"], refused.error()["type"], refused.error()["param"]),
              (429, "rate_limit_exceeded", "requests", None), "beyond it it is refused")
    tap.contains(refused.error()["message"], "4 feedback calls a minute for this user", "with the limit")
    tap.ok(1 <= int(refused.headers["Retry-After"]) <= 15 and 0 < int(refused.headers["retry-after-ms"]) <= 15000,
           "and for how long", dict(refused.headers))
    rest = thumb(uplift, answer, by_rest=True)
    tap.equal((rest.status, sorted(rest.json()), rest.json()["code"], bool(rest.headers["Retry-After"])),
              (429, ["code", "details", "hint", "message"], "PT429", True), "by PostgREST's route in its shape")
    tap.equal(uplift.get("/v1/feedback/" + answer, user=EVE).status, 200, "reading it is not limited")
    tap.equal(chat(uplift, EVE).status, 200, "nor are chats")
    other = chat(uplift, DAN).json()["feedbackId"]
    tap.equal(thumb(uplift, other, DAN).status, 200, "nor is another user")
    counted = uplift.value("select count(*) from uplift.feedback_events where answer_id = %s", answer)
    tap.equal(counted, 1, "what is refused is not in the history")
    listed = uplift.admin("GET", "/admin/rate-limits").json()["data"]
    tap.equal([(row["scope"], row["feedback_per_minute"]) for row in listed], [("user", 4)], "GET lists it")


def feedback_in_vain(uplift):
    """So is feedback that comes to nothing, by both routes."""
    answer = chat(uplift, EVE).json()["feedbackId"]
    rest = "/rest/v1/coach_response_feedback?"
    one = {"Accept": "application/vnd.pgrst.object+json", "Prefer": "return=representation"}
    ways = {404: ("/v1/feedback/" + NOBODYS, {"helpful": True}, {}), 406: (rest + "id=eq." + NOBODYS, {"helpful": True}, one),
            400: (rest + "id=eq." + answer, {"rating": 9}, {}), 403: (rest + "id=eq." + answer, {"user_id": ANN}, {})}
    for status, (path, body, headers) in ways.items():
        put(uplift, scope="user", feedback_per_minute=3)
        got = [uplift.request("PATCH", path, body, user=EVE, headers=headers).status for _ in range(4)]
        tap.equal(got, [status] * 3 + [429], "feedback that ends in %d is a call of it" % status)
    put(uplift, scope="user", feedback_per_minute=3)
    got = [uplift.request("PATCH", path, body, user=EVE, headers=headers).json() for path, body, headers in ways.values()][:3]
    tap.equal([(got[0]["error"]["code"], got[0]["error"]["type"])] + [(g["code"], bool(g["message"])) for g in got[1:]],
              [("answer_not_found", "not_found_error"), ("PGRST116", True), ("23514", True)], "and is told as ever")


def away(uplift):
    put(uplift, scope="user", requests_per_minute=4, feedback_per_minute=3)
    answer = uplift.value("select id::text from coach_response_feedback where user_id = %s limit 1", ANN)
    uplift.synced()
    with uplift.database_away():
        tap.ok(uplift.ready("degraded"), "Postgres is away")
        statuses = [chat(uplift, BOB).status for _ in range(12)]
        # Two workers with a bucket of four each.
        tap.ok(4 <= statuses.count(200) <= 9, "each worker holds the limit by itself", statuses)
        refused = next(a for a in (chat(uplift, BOB) for _ in range(20)) if a.status == 429)
        tap.equal((refused.error()["code"], refused.headers["x-ratelimit-limit-requests"]), ("rate_limit_exceeded", "4"),
                  "and tells the same")
        thumbs = [thumb(uplift, answer, ANN) for _ in range(12)]
        taken = [t.status for t in thumbs].count(202)
        tap.ok(3 <= taken <= 7, "and that of feedback", [t.status for t in thumbs])
        refused = thumbs[-1]
        tap.equal((refused.status, refused.error().get("code"), bool(refused.headers["Retry-After"])),
                  (429, "rate_limit_exceeded", True), "so that no user fills the disk")
    tap.ok(uplift.ready("ready"), "Postgres is back")


with Uplift(batch=True, expected="Postgres|database") as uplift:
    requests(uplift)
    in_vain(uplift)
    many(uplift)
    tokens(uplift)
    every_bucket(uplift)
    addresses(uplift)
    feedback(uplift)
    feedback_in_vain(uplift)
    away(uplift)
    tokens_in_vain(uplift)
    tokens_of_addresses(uplift)
tap.done()
