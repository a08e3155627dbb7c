#!/usr/bin/python3
"""The programs over tables that a deployment had, of other types than uplift's: answers are recorded, rated, listed,
counted, learnt from and exported as on tables of its own."""

import hashlib
import os
import sys
import uuid

import psycopg2

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from harness import Uplift, install, shared_cluster  # noqa: E402
from installing import TYPES, connect, deployment  # noqa: E402
from process import wait_for  # noqa: E402
from tap import contains, done, equal, ok  # noqa: E402

# One whose examples are for validation, of which an export may have few.
USER = next(user for user in ("00000000-0000-4000-8000-%012d" % n for n in range(1000))
            if int(hashlib.md5(user.encode()).hexdigest()[:8], 16) % 100 in range(80, 90))


def database(cluster, kind, fresh):
    """A new database with the tables of a deployment, over which uplift was installed."""
    name = "t" + uuid.uuid4().hex[:12]
    connection = connect(cluster, fresh)
    tables = deployment(connection, kind) + ";\nalter table coach_response_feedback add column user_comment text"
    connection.close()
    install(cluster, name, sql=tables)
    cluster.psql(name, sql="delete from uplift.rate_limits; insert into uplift.model_rules (scope, allow) values ('user', '{*}')")
    return name


def chat(up, **body):
    answer = up.post("/v1/chat", body, user=USER)
    return answer.status, answer.headers["X-Feedback-Id"], answer.headers["X-Conversation-Id"]


def recorded(up, kind):
    equal(up.request("PUT", "/v1/preferences", {"training_consent": True, "severity": 3.5}, user=USER).status, 200, kind + ": preferences are kept")
    equal(up.admin("PUT", "/admin/prices", {"model": "sim-1", "input_per_million": 2, "output_per_million": 8}).status, 200,
          kind + ": a price is set")
    status, first, talk = chat(up, message="How do I cook soup?")
    answers = [(status, first), chat(up, regenerate_of=first)[:2], chat(up, message="And then?", conversation_id=talk)[:2]]
    for model, wanted in (("sim-1", 200), ("sim-fault-status-400", 400)):
        answer = up.post("/v1/chat/completions", {"model": model, "messages": [{"role": "user", "content": "What is stock?"}]}, user=USER)
        answers.append((answer.status if wanted == 200 else 200, answer.headers["X-Feedback-Id"]))
        ok(answer.status >= wanted, kind + ": completions answer", answer.text)
    equal([status for status, _ in answers], [200] * 5, kind + ": chats are answered")
    row = up.row(first)
    equal((row and row["user_message"], float(row["severity"]), row["outcome"]), ("How do I cook soup?", 3.5, "complete"), kind + ": and recorded")
    equal(round(float(row["cost_usd"]), 8), round((row["prompt_tokens"] * 2 + row["completion_tokens"] * 8) / 1e6, 8),
          kind + ": with what they cost")
    ok(all(up.row(feedback_id) for _, feedback_id in answers), kind + ": all of them")
    equal(up.value("select count(*) from uplift.rejected_answers"), 0, kind + ": none is refused")
    return first, talk


def rated(up, kind, first, talk):
    said = up.post("/v1/feedback/" + first, {"helpful": True, "rating": 5, "feedback_text": "Good"}, user=USER).json()
    equal((said["helpful"], said["rating"], said["feedback_text"], said["pending"]), (True, 5, "Good", False), kind + ": feedback is taken")
    equal(up.get("/v1/feedback/" + first, user=USER).json()["rating"], 5, kind + ": and told")
    path = "/rest/v1/coach_response_feedback?id=eq." + first
    changed = up.request("PATCH", path, {"rating": 4}, headers={"Prefer": "return=representation"}, user=USER)
    equal((changed.status, changed.json()[0]["rating"]), (200, 4), kind + ": through /rest/v1, too")
    up.sql("update coach_response_feedback set rating = 5 where id = %s", first, user=USER)
    equal(up.row(first)["rating"], 5, kind + ": and by a user's own update")
    messages = up.get("/v1/conversations/" + talk, user=USER).json()["messages"]
    ok("And then?" in [m["content"] for m in messages], kind + ": the conversation is listed", messages)


def commented(up, kind):
    """A comment by the name that the deployment has for it, on a row that is free and on one that somebody holds."""
    answer = up.value("select id::text from coach_response_feedback where user_message = 'And then?'")
    path = "/rest/v1/coach_response_feedback?select=id,feedback_text,user_comment&id=eq."

    def comment(on, **changes):
        got = up.request("PATCH", path + on, changes, headers={"Prefer": "return=representation"}, user=USER)
        return got.status, [(row["feedback_text"], row["user_comment"]) for row in got.json()] if got.status == 200 else got.text
    equal(comment(answer, user_comment="Fine"), (200, [("Fine",) * 2]), kind + ": user_comment is feedback_text")
    holder = psycopg2.connect(up.conninfo())
    with holder, holder.cursor() as cursor:
        cursor.execute("select from public.coach_response_feedback where id = %s for update", (answer,))
        equal(comment(answer, user_comment="Better"), (200, [("Better",) * 2]), kind + ": also while Postgres has no time for it")
        equal(comment(answer, user_comment="Nothing", feedback_text="Best"), (200, [("Best",) * 2]), kind + ": and of both names ours counts")
        equal(comment(answer, user_comment=5)[0], 400, kind + ": a number is no comment")
    holder.close()
    ok(wait_for(lambda: up.row(answer)["user_comment"] == "Best", 20), kind + ": it is there as soon as Postgres has", up.row(answer))
    equal(up.value("select array_agg(changes ->> 'feedback_text' order by given_at) from uplift.feedback_events where answer_id = %s", answer),
          ["Fine", "Better", "Best"], kind + ": in its history, too")
    contains(up.get("/metrics", user=None).text, 'uplift_feedback_total{kind="comment"} 4\n', kind + ": and counted")


def learnt(up, kind, first):
    job = up.job("generate-training-data")
    equal(job["status"], "succeeded", kind + ": training data is made")
    example = up.sql("select dataset_id::text, quality_score::float, conversation_turns from ai_training_examples where source_id = %s limit 1", first)
    equal([(e["quality_score"], e["conversation_turns"]) for e in example], [(10, 1)], kind + ": of what was liked")
    dataset = up.value("select id::text from ai_training_datasets where dataset_name = 'User Feedback - Unpaired'")
    export = up.admin("GET", "/admin/datasets/%s/export?format=trl-kto&split=validation" % dataset)
    ok(export.status == 200 and "How do I cook soup?" in export.text, kind + ": and exported", export.text)
    listed = up.admin("GET", "/admin/datasets/%s/examples" % dataset).json()["data"]
    equal(len(listed), up.value("select total_examples from ai_training_datasets where id = %s", dataset), kind + ": examples are counted")


def counted(up, kind):
    for job in ("roll-up-usage", "trim-cache", "trim-errors", "refresh-model-metrics", "score-answers", "measure-predictions"):
        ended = up.job(job)
        equal(ended["status"], "succeeded", "%s: %s" % (kind, job))
    total = up.admin("GET", "/admin/stats").json()["total"]
    equal((total["requests"], total["failed"], total["thumbs_up"], total["average_rating"]), (5, 1, 1, 5), kind + ": answers are counted")
    ok(total["response_ms"]["p50"] is not None, kind + ": and timed", total)
    equal(up.admin("GET", "/admin/errors").status, 200, kind + ": failures are listed")
    costs = up.admin("GET", "/admin/costs").json()
    equal(round(costs["total"]["cost_usd"], 8), float(round(up.value("select sum(cost_usd) from coach_response_feedback"), 8)), kind + ": costs add up")


def main():
    cluster = shared_cluster()
    fresh = "t" + uuid.uuid4().hex[:12]
    install(cluster, fresh)
    for kind in TYPES:
        name = database(cluster, kind, fresh)
        with Uplift(cluster=cluster, database=name, batch=True, UPLIFT_CACHE="on") as up:
            first, talk = recorded(up, kind)
            rated(up, kind, first, talk)
            commented(up, kind)
            learnt(up, kind, first)
            counted(up, kind)
        cluster.psql("template1", sql='drop database "%s" with (force)' % name)
    cluster.psql("template1", sql='drop database "%s" with (force)' % fresh)
    done()


main()
