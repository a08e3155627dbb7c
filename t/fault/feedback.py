#!/usr/bin/python3
"""Feedback while Postgres freezes again and again: what was acknowledged last stands, on answers that are there, that
still stream, and that wait in the spool, by our route and by PostgREST's. A call that was given up goes on as soon as
Postgres does, and must not count as if it had been said then.

Each word is written down with when it was sent and acknowledged. What stands in the end must have been said by a word
after which no other was sent and acknowledged.
"""

import http.client
import os
import random
import sys
import threading
import time
import uuid

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[1:1] = [TOP + "/t/lib"]
from clients import own_cluster, robust_uplift  # noqa: E402
from process import wait_for  # noqa: E402
from tap import done, equal, note, ok, run  # noqa: E402

SEED = int(os.environ.get("SEED", "0")) or random.SystemRandom().randrange(1, 1 << 31)
USERS, WRITERS = 3, 2  # and so many writers for each user
FREEZES = 12
REST = "/rest/v1/coach_response_feedback?id=eq."
VALUES = {"helpful": [True, False, None], "rating": [1, 2, 3, 4, 5, None], "feedback_text": ["good", "bad", "so so", None]}


class Word:
    def __init__(self, changes):
        self.changes, self.sent, self.ended, self.status = changes, time.monotonic(), None, None

    def acknowledged(self):
        return self.status in (200, 202, 204)


class User:
    """Answers of one user, and the words on each."""

    def __init__(self, uplift):
        self.uplift = uplift
        self.token = uplift.token(str(uuid.uuid4()))
        self.words = {}  # by answer
        self.streams = []

    def chat(self, model):
        """Begins an answer; a stream is read to its end by a thread of its own."""
        connection, response = self.uplift.open("POST", "/v1/chat/completions", {
            "model": model, "stream": True, "messages": [{"role": "user", "content": "What now?"}]}, token=self.token)
        if response.status != 200:
            response.read()
            return None
        answer = response.getheader("X-Feedback-Id")
        self.words.setdefault(answer, [])

        def read():
            try:
                response.read()
            except (OSError, http.client.HTTPException):
                pass
            connection.close()
        self.streams.append(threading.Thread(target=read, daemon=True))
        self.streams[-1].start()
        return answer

    def say(self, answer, changes, by_rest):
        word = Word(changes)
        self.words[answer].append(word)
        try:
            reply = self.uplift.request("PATCH", REST + answer if by_rest else "/v1/feedback/" + answer, changes,
                                        token=self.token, timeout=20)
            word.status = reply.status
        except (OSError, http.client.HTTPException):
            word.status = 0
        word.ended = time.monotonic()
        return word

    def complaints(self):
        found = []
        for answer, words in self.words.items():
            row = self.uplift.row(answer, 1)
            if row is None:
                found.append("%s has no row" % answer)
                continue
            for field in VALUES:
                said = [w for w in words if field in w.changes]
                heard = [w for w in said if w.acknowledged()]
                last = [w.changes[field] for w in said if not any(v.sent > w.ended for v in heard)]
                if not heard:
                    last.append(None)
                if row[field] not in last:
                    found.append("%s: %s is %r, not one of %r, after %s" % (answer, field, row[field], last, [
                        (w.changes[field], w.status, round(w.sent, 3), round(w.ended, 3)) for w in said]))
        return found


class Writer(threading.Thread):
    """Says one thing after the other of a user's latest answers, unless it is to hold its tongue."""

    def __init__(self, user, seed, may_speak, stopping):
        super().__init__(daemon=True)
        self.user, self.dice = user, random.Random(seed)
        self.may_speak, self.stopping = may_speak, stopping
        self.is_speaking = False
        self.start()

    def run(self):
        while not self.stopping.is_set():
            self.is_speaking = True
            if self.may_speak.is_set():
                self.speak()
            self.is_speaking = False
            self.may_speak.wait(1)

    def speak(self):
        if self.dice.random() < 0.03:
            self.user.chat("sim-pace-10")
        answer = self.dice.choice(list(self.user.words)[-5:])
        fields = self.dice.sample(sorted(VALUES), self.dice.choice([1, 1, 2, 3]))
        self.user.say(answer, {field: self.dice.choice(VALUES[field]) for field in fields}, self.dice.random() < 0.5)


def all_there(uplift):
    """Nothing waits in the spool, and no call that was given up still runs."""
    return not uplift.spool_files() and uplift.value(
        "select count(*) from pg_stat_activity where usename = 'uplift_app' and state <> 'idle'"
        " and application_name <> 'uplift sync'") == 0


def one_after_the_other(uplift):
    """The plain case, by each route: up, then down, while Postgres stands still."""
    user = User(uplift)
    answers = {by_rest: user.chat("sim-1") for by_rest in (False, True)}
    for thread in user.streams:
        thread.join(20)
    for by_rest, answer in answers.items():
        equal(user.say(answer, {"rating": 3}, by_rest).acknowledged(), True, "there are connections to Postgres, rest %s" % by_rest)
    with cluster.frozen():
        for by_rest, answer in answers.items():
            words = [user.say(answer, {"helpful": up}, by_rest) for up in (True, False)]
            equal([w.acknowledged() for w in words], [True, True], "a thumb up, then down, is taken, rest %s" % by_rest)
    ok(uplift.ready("ready") and wait_for(lambda: all_there(uplift), 60), "Postgres goes on, and gets all of it")
    for by_rest, answer in answers.items():
        equal(uplift.row(answer)["helpful"], False, "the last word stands, rest %s" % by_rest)
        equal(uplift.value("select count(*) from uplift.feedback_events where answer_id = %s", answer), 3,
              "and each is in the history once")


def again_and_again(uplift):
    dice = random.Random(SEED)
    stopping, may_speak = threading.Event(), threading.Event()
    may_speak.set()
    users = [User(uplift) for _ in range(USERS)]
    for user in users:
        for _ in range(3):
            user.chat("sim-1")
    writers = [Writer(user, dice.random(), may_speak, stopping) for user in users for _ in range(WRITERS)]

    def words(status=None):
        return sum(w.status == status if status else w.acknowledged() for u in users for said in list(u.words.values()) for w in said)
    for number in range(1, FREEZES + 1):
        wanted = words() + 20
        ok(wait_for(lambda: words() >= wanted, 30), "freeze %d: feedback is taken" % number)
        wanted = words() + dice.choice([0, 1, 5, 40])
        with cluster.frozen():
            wait_for(lambda: words() >= wanted, 30)
            # What was said while it stood still is the last, and only then what was given up goes on.
            may_speak.clear()
            ok(wait_for(lambda: not any(w.is_speaking for w in writers), 30), "freeze %d: and while it lasts" % number)
        ok(uplift.ready("ready") and wait_for(lambda: all_there(uplift), 60), "freeze %d: all of it gets there" % number)
        for thread in [s for u in users for s in u.streams]:
            thread.join(40)
        complaints = [c for u in users for c in u.complaints()]
        ok(not complaints, "freeze %d: what was acknowledged last stands" % number, "seed %d\n%s" % (SEED, "\n".join(complaints)))
        may_speak.set()
    stopping.set()
    for thread in writers:
        thread.join(40)
    note("%d words acknowledged, %d of them without Postgres; %d answers" % (words(), words(202), sum(len(u.words) for u in users)))
    ok(words(202) > 0, "some were taken without Postgres")
    ok(wait_for(lambda: all_there(uplift), 60), "in the end all is there", uplift.spool_files())
    equal(uplift.value("select count(*) from uplift.feedback_said where waiting is not null"), 0, "nothing is left waiting")
    equal(uplift.value("select count(*) - count(distinct event_id) from uplift.feedback_events"), 0, "no word is there twice")
    equal(uplift.spool_files(".corrupt"), [], "and none was set aside")


note("SEED=%d" % SEED)
cluster = own_cluster()
with robust_uplift(cluster, simulator=("--pace", "0"), UPLIFT_DB_TIMEOUT_MS="400ms", UPLIFT_DB_LOCK_TIMEOUT_MS="200ms") as uplift:
    run(lambda: one_after_the_other(uplift), lambda: again_and_again(uplift))
done()
