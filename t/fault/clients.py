"""An uplift to be maltreated, and clients that write down what they were told.

    with robust_uplift(cluster) as uplift:
        clients = Clients(uplift, 8)
        ...
        clients.stop()
        clients.compare()
"""

import http.client
import json
import random
import threading
import time
import uuid

from cluster import Cluster
from harness import Uplift
from process import wait_for


def own_cluster(**settings):
    """A Postgres that runs, to be stopped and killed."""
    cluster = Cluster(**settings)
    cluster.start()
    return cluster


def robust_uplift(cluster, **options):
    """An Uplift whose workers may be killed, and that does not wait long for a Postgres that does not answer."""
    return Uplift(cluster, **{
        "expected": "was ended by signal 9", "simulator": ("--pace", "2"), "UPLIFT_DB_TIMEOUT_MS": "1s",
        "UPLIFT_DB_LOCK_TIMEOUT_MS": "300ms", **options})


def connections_waiting(uplift):
    """How many connections there are to the socket's path beyond the one that listens: those that nobody has accepted, and
    those that nginx keeps for a second. So wait for none before you count on one."""
    with open("/proc/net/unix") as file:
        return sum(line.rstrip().endswith(uplift.dir + "/run/chat.sock") for line in file) - 1


class Client(threading.Thread):
    """One user who chats and gives thumbs without a pause, and writes down what was acknowledged."""

    def __init__(self, uplift, number, stopping):
        super().__init__(daemon=True)
        self.uplift, self.stopping = uplift, stopping
        self.user = str(uuid.uuid4())
        self.token = uplift.token(self.user)
        self.random = random.Random(number)
        self.conversation = str(uuid.uuid4())
        self.answers = {}     # id: text of those whose end was seen
        self.cut = set()      # ids of those that began and did not end
        self.thumbs = {}      # id: list of (changes, acknowledged)
        self.degraded = 0     # answers without Postgres
        self.spooled = 0      # thumbs without Postgres
        self.refused = {}     # status: how many
        self.slowest = 0.0

    def request(self, method, path, body):
        return self.uplift.open(method, path, body, token=self.token, timeout=30)

    def chat(self):
        stream = self.random.random() < 0.7
        if self.random.random() < 0.2:
            self.conversation = str(uuid.uuid4())
        connection, response = self.request("POST", "/v1/chat", {
            "message": "What now? " + str(self.random.random()), "stream": stream,
            "conversation_id": self.conversation})
        try:
            if response.status != 200:
                response.read()
                self.refused[response.status] = self.refused.get(response.status, 0) + 1
                time.sleep(0.05)
                return None
            answer = response.getheader("X-Feedback-Id")
            degraded = response.getheader("X-Uplift-Degraded") == "database"
            self.cut.add(answer)
            text = self.read_stream(response) if stream else json.loads(response.read())["message"]
            if text is None:
                return None
            self.cut.discard(answer)
            self.answers[answer] = text
            self.degraded += degraded
            return answer
        finally:
            connection.close()

    @staticmethod
    def read_stream(response):
        """The text of a stream that said it was done, else None."""
        text = ""
        for line in response:
            if not line.startswith(b"data: "):
                continue
            event = json.loads(line[6:])
            if "delta" in event:
                text += event["delta"]
            if event.get("done"):
                return text
            if "error" in event:
                return None
        return None

    def thumb(self, answer):
        changes = {"helpful": self.random.random() < 0.5, "rating": self.random.randint(1, 5)}
        said = self.thumbs.setdefault(answer, [])
        said.append([changes, False])
        connection, response = self.request("PATCH", "/v1/feedback/" + answer, changes)
        response.read()
        connection.close()
        said[-1][1] = response.status in (200, 202)
        self.spooled += response.status == 202
        if response.status not in (200, 202):
            self.refused["thumb %d" % response.status] = self.refused.get("thumb %d" % response.status, 0) + 1

    def run(self):
        while not self.stopping.is_set():
            began = time.monotonic()
            try:
                answer = self.chat()
                if answer and self.random.random() < 0.6:
                    self.thumb(answer)
                if self.answers and self.random.random() < 0.2:  # another word on an older one
                    self.thumb(self.random.choice(list(self.answers)))
            except (OSError, http.client.HTTPException, ValueError):
                self.refused["connection"] = self.refused.get("connection", 0) + 1
                time.sleep(0.05)
            self.slowest = max(self.slowest, time.monotonic() - began)
            time.sleep(0.01)


class Clients:
    def __init__(self, uplift, count):
        self.uplift = uplift
        self.stopping = threading.Event()
        self.all = [Client(uplift, n, self.stopping) for n in range(count)]
        for client in self.all:
            client.start()

    def total(self, what):
        return sum(getattr(c, what) if isinstance(getattr(c, what), int) else len(getattr(c, what)) for c in self.all)

    def refused(self):
        sums = {}
        for client in self.all:
            for status, count in client.refused.items():
                sums[str(status)] = sums.get(str(status), 0) + count
        return sums

    def more(self, count, what="answers", seconds=20):
        """Waits until there are so many more."""
        wanted = self.total(what) + count
        return wait_for(lambda: self.total(what) >= wanted, seconds)

    def stop(self):
        self.stopping.set()
        for client in self.all:
            client.join(40)

    def compare(self):
        """What the table says otherwise than the clients were told."""
        rows = [tuple(row.values()) for row in self.uplift.sql(
            "select id::text, user_id::text, ai_response, outcome, helpful, rating from public.coach_response_feedback")]
        rejected = self.uplift.value("select count(*) from uplift.rejected_answers")
        not_applied = self.uplift.value("select count(*) from uplift.feedback_said where waiting is not null")
        table = {row[0]: row for row in rows}
        complaints = []
        if len(table) != len(rows):
            complaints.append("%d answers are there twice" % (len(rows) - len(table)))
        if rejected:
            complaints.append("%d answers were rejected" % rejected)
        # A thumb is for an answer whose end was seen, so there is a row for each.
        if not_applied:
            complaints.append("%d thumbs still wait" % not_applied)
        for client in self.all:
            for answer, text in client.answers.items():
                row = table.get(answer)
                if row is None:
                    complaints.append("%s is missing" % answer)
                elif row[1] != client.user or row[2] != text or row[3] != "complete":
                    complaints.append("%s is not what was said: %r instead of %r" % (answer, row, text))
            for answer, said in client.thumbs.items():
                row = table.get(answer)
                # The last acknowledged word counts, unless a later one was not acknowledged and yet heard.
                last = max((i for i, (_, heard) in enumerate(said) if heard), default=-1)
                allowed = [(c["helpful"], c["rating"]) for c, _ in said[max(last, 0):]]
                if last < 0:
                    allowed.append((None, None))
                if row is None or row[4:] not in allowed:
                    complaints.append("thumb on %s: %r, not one of %r" % (answer, row and row[4:], allowed))
        return complaints
