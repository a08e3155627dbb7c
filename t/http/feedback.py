#!/usr/bin/python3
"""Feedback: by our route, by PostgREST's, in SQL; at once, mid-stream, taken back; and on nobody else's answers."""

import json
import os
import sys

import psycopg2

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

from harness import Uplift, wait_for
from scripted import Scripted
from tap import done, equal, like, ok

ANN = "00000000-0000-7000-8000-0000000000a1"
BOB = "00000000-0000-7000-8000-0000000000b2"
NOBODYS = "01890000-0000-7000-8000-000000000000"
NOTHING = {"helpful": None, "rating": None, "feedback_text": None}


def chat(uplift, user=ANN, **more):
    """The id of a new answer."""
    return uplift.post("/v1/chat", {"message": "hello", **more}, user=user).json()["feedbackId"]


def give(uplift, answer, changes, method="POST", user=ANN, **options):
    return uplift.request(method, "/v1/feedback/" + answer, changes, user=user, **options)


def read(uplift, answer, user=ANN):
    return uplift.get("/v1/feedback/" + answer, user=user)


def said(body):
    return {name: body[name] for name in NOTHING}


def events(uplift, answer):
    """What was said of an answer, in order."""
    return [row["changes"] for row in uplift.sql(
        "select changes from uplift.feedback_events where answer_id = %s order by id", answer)]


def changes(uplift):
    answer = chat(uplift)
    got = read(uplift, answer)
    equal((got.status, got.json()), (200, {"id": answer, **NOTHING, "feedback_given_at": None, "pending": False}),
          "nothing was said yet")

    first = give(uplift, answer, {"helpful": True})
    equal((first.status, said(first.json())), (200, {**NOTHING, "helpful": True}), "a thumb, the instant the answer ended")
    like(first.json()["feedback_given_at"], r"^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d[.\d]*\+00:00$", "dated as JSON dates are")
    equal(first.json()["pending"], False, "and in the row")
    second = give(uplift, answer, {"rating": 4, "feedback_text": "fine \U0001f44d"}, "PATCH")
    equal(said(second.json()), {"helpful": True, "rating": 4, "feedback_text": "fine \U0001f44d"},
          "PATCH adds what it names, and leaves the rest")
    equal(said(give(uplift, answer, {"rating": 5}).json()), {"helpful": True, "rating": 5, "feedback_text": "fine \U0001f44d"},
          "and so does POST")

    before = read(uplift, answer).json(), events(uplift, answer)
    for _ in range(3):
        again = give(uplift, answer, {"rating": 5, "helpful": True})
        equal((again.status, again.json()), (200, before[0]), "the same again answers the same")
    equal(events(uplift, answer), before[1], "and is no new word in the history")
    equal(said(give(uplift, answer, {"rating": 3.0}).json())["rating"], 3, "3.0 is 3 stars")

    taken = give(uplift, answer, {"helpful": None, "rating": None, "feedback_text": None})
    equal(said(taken.json()), NOTHING, "null takes back")
    ok(taken.json()["feedback_given_at"] >= first.json()["feedback_given_at"], "which is dated, too")
    give(uplift, answer, {"helpful": False})
    equal(events(uplift, answer), [{"helpful": True}, {"rating": 4, "feedback_text": "fine \U0001f44d"}, {"rating": 5},
                                   {"rating": 3}, NOTHING, {"helpful": False}],
          "the last word counts, and every word is kept")
    row = uplift.row(answer)
    equal(said(row), {**NOTHING, "helpful": False}, "the row is what was answered")
    equal(said(read(uplift, answer).json()), said(row), "and what GET says")


def bad_words(uplift):
    answer = chat(uplift)
    for body, code, param in (
            ({}, "nothing_to_change", None), ({"helpful": "yes"}, "invalid_helpful", "helpful"),
            ({"helpful": 1}, "invalid_helpful", "helpful"), ({"rating": 0}, "invalid_rating", "rating"),
            ({"rating": 6}, "invalid_rating", "rating"), ({"rating": 4.5}, "invalid_rating", "rating"),
            ({"rating": "5"}, "invalid_rating", "rating"), ({"rating": True}, "invalid_rating", "rating"),
            ({"feedback_text": 7}, "invalid_feedback_text", "feedback_text"),
            ({"feedback_text": "a" * 10001}, "invalid_feedback_text", "feedback_text"),
            ({"helpful": True, "user_id": BOB}, "unknown_parameter", "user_id"),
            ([True], "invalid_json", None), ("helpful", "invalid_json", None)):
        got = give(uplift, answer, body)
        equal((got.status, got.error().get("code"), got.error().get("param")), (400, code, param),
              "refused: %.40s" % json.dumps(body))
    equal(give(uplift, answer, {"feedback_text": "a" * 10000}).status, 200, "10,000 characters are taken")
    got = give(uplift, "not-an-id", {"helpful": True})
    equal((got.status, got.error().get("code")), (400, "invalid_id"), "an id that is none")
    equal(len(events(uplift, answer)), 1, "what was refused is not in the history")


def strangers(uplift):
    answer = chat(uplift)
    give(uplift, answer, {"helpful": True})
    for method, body in (("POST", {"helpful": False}), ("PATCH", {"rating": 1}), ("GET", None)):
        answers = [give(uplift, id, body, method, BOB) for id in (answer, NOBODYS)]
        equal([a.status for a in answers], [404, 404], "%s: another's answer and nobody's are a 404" % method)
        equal(answers[0].body, answers[1].body, "%s: the same, to the byte" % method)
        names = [sorted(name.lower() for name in a.headers) for a in answers]
        equal(names[0], names[1], "%s: with the same headers" % method)
    equal(answers[0].error()["code"], "answer_not_found", "which says no more than that")
    equal(give(uplift, NOBODYS, {"helpful": True}).body, give(uplift, answer, {"helpful": True}, user=BOB).body,
          "nor does it depend on who asks")
    equal(said(uplift.row(answer)), {**NOTHING, "helpful": True}, "another's answer is as it was")
    equal(uplift.value("select count(*) from uplift.feedback_events where user_id = %s", BOB), 0, "and nothing is kept of it")
    for options, name in (({"user": None}, "without a token"), ({"token": uplift.anon_key}, "with the public key alone")):
        got = give(uplift, answer, {"helpful": False}, **options)
        equal(got.status, 401, name + " there is no feedback")
        equal(got.headers["WWW-Authenticate"], "Bearer", name + ": it says how to sign in")


def streaming(uplift, provider):
    """A thumb while the answer streams, for each way an answer can end."""
    provider.hold()
    stream = uplift.stream("/v1/chat", {"message": "hello"}, user=ANN)
    ok(stream.read_until("delta"), "an answer streams")
    answer = stream.feedback_id()
    equal(uplift.sql("select id from public.coach_response_feedback where id = %s", answer), [], "its row is still to come")
    equal(read(uplift, answer).json(), {"id": answer, **NOTHING, "feedback_given_at": None, "pending": True},
          "GET knows that there will be one")
    got = give(uplift, answer, {"helpful": False, "rating": 2})
    equal((got.status, said(got.json()), got.json()["pending"]), (200, {"helpful": False, "rating": 2, "feedback_text": None}, True),
          "feedback is taken, and waits")
    give(uplift, answer, {"rating": 5})
    give(uplift, answer, {"helpful": True})
    give(uplift, answer, {"rating": None})
    equal(said(read(uplift, answer).json()), {**NOTHING, "helpful": True}, "its last word counts, there too")
    theirs = give(uplift, answer, {"helpful": False}, user=BOB)
    equal((theirs.status, theirs.body), (404, give(uplift, NOBODYS, {"helpful": False}, user=BOB).body),
          "another user gets the 404 of nobody's answer")
    rest = uplift.request("PATCH", "/rest/v1/coach_response_feedback?id=eq." + answer, {"feedback_text": "by rest"}, user=ANN)
    equal(rest.status, 204, "PostgREST's way waits as well")
    provider.go()
    equal(list(stream)[-1].get("done"), True, "the answer ends")
    equal(said(uplift.row(answer)), {"helpful": True, "rating": None, "feedback_text": "by rest"}, "and the words are in its row")
    equal(read(uplift, answer).json()["pending"], False, "none of them waits any more")
    equal(events(uplift, answer), [{"helpful": False, "rating": 2}, {"rating": 5}, {"helpful": True}, {"rating": None},
                                   {"feedback_text": "by rest"}], "all of them are kept, in order")

    provider.hold()
    stream = uplift.stream("/v1/chat/completions", {"model": "scripted", "messages": [{"role": "user", "content": "hello"}]},
                           user=ANN)
    ok(stream.read_until("content"), "an answer in OpenAI's shape streams")
    answer = stream.feedback_id()
    equal(give(uplift, answer, {"helpful": False}).json()["pending"], True, "a thumb waits for it")
    stream.close()
    row = wait_for(lambda: uplift.row(answer, 10))
    equal((row["outcome"], row["helpful"]), ("cancelled", False), "its reader goes away: the row of what was said has the thumb")
    provider.go()
    equal(said(give(uplift, answer, {"helpful": True}).json())["helpful"], True, "and can be given another")


def failures(uplift):
    cut = uplift.post("/v1/chat/completions", {"model": "sim-fault-cut;after=3;pace=0", "stream": True,
                                               "messages": [{"role": "user", "content": "hello"}]}, user=ANN)
    answer = cut.headers["X-Feedback-Id"]
    equal(uplift.row(answer)["outcome"], "partial", "an answer that was cut")
    equal(said(give(uplift, answer, {"helpful": False, "feedback_text": "stopped half-way"}).json()),
          {"helpful": False, "rating": None, "feedback_text": "stopped half-way"}, "can be rated")
    failed = uplift.post("/v1/chat/completions", {"model": "sim-fault-status-400", "messages": [{"role": "user", "content": "hello"}]},
                         user=ANN)
    answer = failed.headers["X-Feedback-Id"]
    equal((failed.status, uplift.row(answer)["outcome"]), (400, "failed"), "an answer that failed")
    equal(give(uplift, answer, {"helpful": False}).status, 200, "can be rated as well")


def by_route(uplift, answer, change):
    return give(uplift, answer, change).status == 200


def by_rest(uplift, answer, change):
    return uplift.request("PATCH", "/rest/v1/coach_response_feedback?id=eq." + answer, change, user=ANN).status == 204


def by_sql(uplift, answer, change):
    columns = sorted(change)
    rows = uplift.sql("update public.coach_response_feedback set %s where id = %%s returning id"
                      % ", ".join(c + " = %s" for c in columns), *[change[c] for c in columns], answer, user=ANN)
    return len(rows) == 1


def three_ways(uplift):
    """The same words, each way, leave the same rows."""
    words = [{"helpful": True}, {"helpful": True}, {"rating": 4, "feedback_text": "good"}, {"helpful": None},
             {"helpful": False, "rating": 4}, {"feedback_text": None, "rating": 1}, {"feedback_text": ""}]
    left = {}
    for way in (by_route, by_rest, by_sql):
        answer = chat(uplift)
        dated = []
        for change in words:
            ok(way(uplift, answer, change), "%s takes %s" % (way.__name__, json.dumps(change)))
            dated.append(uplift.row(answer)["feedback_given_at"])
        kept = uplift.sql("select changes, user_id, given_at from uplift.feedback_events where answer_id = %s order by id",
                          answer)
        ok(dated == sorted(dated) and dated[0] == dated[1], way.__name__ + ": each new word is dated, the same again is not")
        equal(dated[-1], kept[-1]["given_at"], way.__name__ + ": with its date in the history")
        left[way.__name__] = (said(uplift.row(answer)), [(k["changes"], k["user_id"]) for k in kept],
                              [dated[i] > dated[i - 1] for i in range(1, len(dated))])
    equal(left["by_rest"], left["by_route"], "PostgREST's way leaves what our route leaves")
    equal(left["by_sql"], left["by_route"], "and so does SQL")
    equal(left["by_route"][0], {"helpful": False, "rating": 1, "feedback_text": ""}, "which is the last word of each")
    equal(len(left["by_route"][1]), len(words) - 1, "and one event for each that was new")


def locked(uplift):
    """While somebody holds the answer's row, feedback is taken all the same, and counts in the order it was accepted."""
    answer = chat(uplift)
    connection = psycopg2.connect(uplift.conninfo())
    with connection, connection.cursor() as cursor:
        cursor.execute("select from public.coach_response_feedback where id = %s for update", (answer,))
        taken = [give(uplift, answer, {"helpful": True}).status,
                 uplift.request("PATCH", "/rest/v1/coach_response_feedback?id=eq." + answer, {"rating": 4}, user=ANN).status,
                 give(uplift, answer, {"helpful": False}).status]
        equal(taken, [202, 204, 202], "feedback on a row that somebody holds is taken")
    connection.close()
    ok(wait_for(lambda: said(uplift.row(answer)) == {"helpful": False, "rating": 4, "feedback_text": None}, 20),
       "and is there when it is let go", said(uplift.row(answer)))


with Uplift() as uplift:
    changes(uplift)
    bad_words(uplift)
    strangers(uplift)
    failures(uplift)
    three_ways(uplift)
    locked(uplift)
with Scripted() as provider, Uplift(simulator=None, UPLIFT_UPSTREAM_URL=provider.url) as uplift:
    provider.says = "One two three."
    streaming(uplift, provider)
done()
