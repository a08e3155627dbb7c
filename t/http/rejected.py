#!/usr/bin/python3
"""While Postgres refuses what is to be recorded, /readyz is degraded and /metrics counts, until the cause is mended and
the answers are recorded."""

import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from harness import Uplift, wait_for  # noqa: E402
from tap import done, equal, ok  # noqa: E402


def metric(up, name):
    found = re.search(r"^%s (\d+)$" % re.escape(name), up.get("/metrics", user=None).text, re.M)
    return found and int(found.group(1))


def chat(up, message):
    answer = up.post("/v1/chat", {"message": message})
    return answer.status, answer.headers["X-Feedback-Id"]


def main():
    with Uplift(expected="was refused and goes to uplift.rejected_answers") as up:
        equal(metric(up, "uplift_rejected_answers_total"), 0, "at first nothing is rejected")
        equal(chat(up, "Hello")[0], 200, "a chat is answered")
        equal(up.status(), "ready", "and all is well")

        up.sql("alter table coach_response_feedback add constraint polite check (user_message !~ 'soup') not valid")
        chats = [chat(up, "How do I cook soup?") for _ in range(3)] + [chat(up, "Hello again")]
        equal([status for status, _ in chats], [200] * 4, "what cannot be recorded is answered all the same")
        ready = up.get("/readyz", user=None)
        state = ready.json()
        equal((ready.status, state["status"], state["reason"], state["rejected_answers"]), (200, "degraded", "rejected_answers", 3),
              "/readyz is degraded, and says why")
        ok("open_chats" in state and "spool_bytes" in state, "with what it says else", state)
        equal(metric(up, "uplift_rejected_answers_total"), 3, "/metrics counts them, over all workers")
        ok(wait_for(lambda: metric(up, 'uplift_queue_depth{queue="rejected_answers"}') == 3, 30), "and how many wait to be recorded")
        equal(up.value("select count(*) from uplift.rejected_answers where reason ~ 'polite'"), 3, "they are kept, with the reason")
        ok(up.row(chats[3][1]), "what is fine is recorded")

        equal(up.value("select count(*) from uplift.replay_rejected_answers() where replayed"), 0, "while the cause is there, they stay")
        equal(up.status(), "degraded", "and so does the state")
        up.sql("alter table coach_response_feedback drop constraint polite")
        equal(up.value("select count(*) from uplift.replay_rejected_answers() where replayed"), 3, "then they are recorded")
        equal(up.status(), "ready", "/readyz is ready again")
        ok(all(up.row(feedback_id) for _, feedback_id in chats), "and no answer is missing")
        equal(metric(up, "uplift_rejected_answers_total"), 3, "the counter goes on")

        up.sql("insert into uplift.rejected_answers (answer, reason, rejected_at) values ('{}', 'long ago', now() - interval '6 minutes')")
        equal(up.status(), "ready", "what was rejected a while ago does not degrade it for ever")
    done()


main()
