#!/usr/bin/python3
"""Knowledge that is found by what it means besides by its words: with a real pgvector, and an embeddings server that is
there, slow, broken or gone. Chats are answered whatever it does."""

import json
import os
import re
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from harness import Uplift  # noqa: E402
from pgvector import PgvectorCluster  # noqa: E402
from playing import HOLD, RESET, Gate, Playing, body  # noqa: E402
from process import wait_for  # noqa: E402
from tap import done, equal, ok, run  # noqa: E402

COACH, OTHER = "coach_maple_avatar", "coach_decibel_avatar"
USER, BEGINNER = ("00000000-0000-4000-8000-0000000000%02d" % n for n in (71, 72))
# Sources by title: content, and for whom.
SOURCES = {
    "Running": ("Running three times a week is enough.", None, None),
    "Slumber": ("Slumber comes sooner in a cool and dark room.", None, None),
    "Sprints": ("Sprinting belongs at the end of a warm-up.", [OTHER], None),
    "First steps": ("Running and walking in turns suits the first weeks.", None, "beginners"),
    "Taxes": ("Taxes are due in April.", None, None),
}
VECTORS = {"running": [1, 0.1, 0], "slumber": [0, 1, 0.1], "sprint": [0.9, 0, 0.1], "taxes": [0.1, 0, 1]}


def say(message, coach=COACH, user=USER):
    answer = up.post("/v1/chat", {"message": message, "coach_id": coach}, user=user)
    if answer.status != 200:
        raise AssertionError("%d %s" % (answer.status, answer.text))
    return up.row(answer.json()["feedbackId"])


def offered(row):
    """The titles of what an answer's prompt had, in their order."""
    return re.findall(r"^\[\d\] ([^(]+) \(Test\): ", row["personal_prompt"] or "", re.M)


def titles(message, **who):
    return offered(say(message, **who))


def counts():
    """What became of questions, by result."""
    found = re.findall(r'^uplift_embeddings_total\{result="(\w+)"\} (\d+)$', up.get("/metrics").text, re.M)
    return {name: int(n) for name, n in found}


def more(before):
    return {name: n - before[name] for name, n in counts().items() if n > before[name]}


def embed(vectors=None):
    """The job is done, and all workers know of it."""
    job = up.job("embed-knowledge")
    equal((job["status"], job["error"]), ("succeeded", None), "knowledge is embedded")
    up.synced()


def answering(request):
    """The provider's embeddings: as of the first known word in each text, or in between all."""
    data = []
    for i, text in enumerate(request["input"]):
        known = [v for word, v in VECTORS.items() if word in text.lower()]
        data.append({"index": i, "embedding": known[0] if known else [0.5, 0.5, 0.5]})
    return body({"data": data, "usage": {"total_tokens": 1}})


def lexical():
    """Without a server for embeddings."""
    before = counts()
    equal(titles("running"), ["Running"], "words find what has them")
    equal(titles("jogging"), [], "and nothing else")
    equal(more(before), {}, "no embedding is wanted")


def found():
    up.restart_chat(UPLIFT_EMBEDDINGS_URL=up.sim_url)
    up.stop_batch()
    up.start_batch()
    equal(titles("jogging"), [], "before the job has run there is nothing to compare with")
    equal(sum(counts().values()), 0, "and no embedding is asked for")
    embed()
    before = counts()
    row = say("jogging")
    equal(offered(row), ["Running"], "an embedding finds what has none of the words")
    equal(row["source_ids"], "{%s}" % up.value("select id from public.ai_knowledge_sources where title = 'Running'"), "and the row says so")
    equal(titles("insomnia"), ["Slumber"], "and other things for other questions")
    equal(titles("zeppelins"), [], "and nothing that is far")
    equal(more(before), {"ok": 3}, "each question was embedded")
    equal(set(titles("jogging or taxes")), {"Running", "Taxes"}, "what words find is there besides")
    before = counts()
    for _ in range(6):
        equal(titles("jogging"), ["Running"], "the same question again")
    ok(more(before).get("known", 0) >= 5 and sum(more(before).values()) == 6, "is asked for once by each of the two workers", more(before))
    answer = up.post("/v1/chat/completions", {"model": "sim-1", "metadata": {"coach_id": COACH}, "messages": [{"role": "user", "content": "jogging"}]}, user=USER)
    equal((answer.status, offered(up.row(answer.headers["X-Feedback-Id"]))), (200, ["Running"]), "OpenAI's route with a coach finds it, too")
    before = counts()
    answer = up.post("/v1/chat/completions", {"model": "sim-1", "messages": [{"role": "user", "content": "jogging"}]}, user=USER)
    equal((answer.status, more(before)), (200, {}), "without a coach nothing is asked")


def checked():
    """What is near is offered only to those that it is for, and only while it is in effect."""
    equal(set(titles("jogging", coach=OTHER)), {"Running", "Sprints"}, "another coach is offered what is for it alone")
    equal(set(titles("jogging", user=BEGINNER)), {"Running", "First steps"}, "an audience what is for it")
    up.sql("update public.ai_knowledge_sources set is_active = false where title = 'Running'")
    equal(titles("jogging"), [], "what is withdrawn is gone at once")
    up.sql("update public.ai_knowledge_sources set is_active = true where title = 'Running'")
    equal(titles("jogging"), ["Running"], "and back at once")
    up.sql("update public.ai_knowledge_sources set deprecated_by = (select id from public.ai_knowledge_sources where title = 'Taxes') where title = 'Running'")
    equal(titles("jogging"), [], "what has a successor is gone")
    up.sql("update public.ai_knowledge_sources set deprecated_by = null where title = 'Running'")
    equal(titles("jogging"), [], "in new pieces it is found by words")
    embed()
    equal(titles("jogging"), ["Running"], "and once they are embedded by what it means")
    up.sql("update uplift.settings set value = '0.999' where key = 'knowledge.min_similarity'")
    equal(titles("jogging"), [], "how near it must be is a setting")
    equal(titles("running"), ["Running"], "of embeddings alone")
    up.sql("update uplift.settings set value = '0.3' where key = 'knowledge.min_similarity'")
    up.sql("update uplift.settings set value = '0' where key = 'knowledge.max_tokens'")
    equal(titles("jogging"), [], "and without room there is nothing")
    up.sql("update uplift.settings set value = '800' where key = 'knowledge.max_tokens'")


def fused():
    """By their places in both lists: what both have goes first."""
    ids = {r["title"]: r["id"] for r in up.sql("select s.title, t.id from uplift.search_texts t join public.ai_knowledge_sources s on s.id = t.ref where t.is_active")}
    words = {"ids": [ids["Taxes"], ids["Running"], ids["Slumber"]], "scores": [9, 8, 1]}
    asked = {"set": up.value("select id from uplift.embedding_sets"),
             "vector": up.value("select e.embedding::text from uplift.knowledge_embeddings e where e.text_id = %s", ids["Running"])}

    def fuse(floor, **changed):
        row, = up.sql("select n.* from uplift.with_near_hits(%s, %s, %s, 0.3, %s, %s::real[]) n", json.dumps({**asked, **changed}), COACH, floor, words["ids"], words["scores"])
        return list(zip(row["ids"], row["scores"]))
    hits = fuse(2)
    equal([hits[0][0], hits[1][0]], [ids["Running"], ids["Taxes"]], "first in one list and second in the other is better than first in one")
    ok(abs(hits[0][1] - (1 / 62 + 1 / 61)) < 1e-6 and abs(hits[1][1] - 1 / 61) < 1e-6, "by the sum of 1 / (60 + place)", hits)
    ok(ids["Slumber"] not in dict(hits), "words have to reach their floor")
    ok(ids["Slumber"] in dict(fuse(0)), "which is theirs")
    ok(ids["Sprints"] not in dict(hits), "another coach's takes no place")
    for wrong in ("[1,2]", "[]", "x", "", None):
        equal([text_id for text_id, _ in fuse(2, vector=wrong)], [ids["Taxes"], ids["Running"]], "words alone with the vector %s" % wrong)
    equal([text_id for text_id, _ in fuse(2, set=999)], [ids["Taxes"], ids["Running"]], "and of a set that is gone")


def troubles():
    """A server that does not do what it should: words alone, soon, and not for long."""
    up.stop_batch()
    provider.plays(answering)
    # One worker, so that its memory of failures is that of all chats.
    up.restart_chat(UPLIFT_EMBEDDINGS_URL=provider.url, UPLIFT_EMBEDDINGS_MODEL="played", UPLIFT_WORKERS="1", UPLIFT_EMBEDDINGS_TIMEOUT_MS="30s")
    up.start_batch()
    embed()
    equal(titles("jogging in the park and sprint"), ["Running"], "a played server serves as well")
    for name, script in (("broken JSON", body(b'{"data":[{"embedding":[1,')), ("a 500", body(b"no", status="500 Internal Server Error")),
                         ("a 429", body({"error": {"message": "slow down"}}, status="429 Too Many Requests", headers="Retry-After: 1\r\n")),
                         ("a 401", body({"error": {"message": "sk-of-embeddings"}}, status="401 Unauthorized")),
                         ("a connection that breaks", [RESET]), ("nothing at all", [b""]),
                         ("another length", body({"data": [{"embedding": [1, 0]}]})), ("no vector", body({"data": []})), ("zeros", body({"data": [{"embedding": [0, 0, 0]}]})),
                         ("an answer without end", body(b'{"data":[' + b" " * 600000 + b"]}"))):
        before = counts()
        provider.plays(script)
        equal(titles("taxes and " + name), ["Taxes"], name + ": the chat has what words find")
        equal(more(before), {"failed": 1}, name + ": and it is counted")
        provider.plays(answering)
        equal(set(titles("sprint after " + name)), {"Running"}, name + ": the next finds both")
    ok("its knowledge is found by words alone: no embedding" in up.read_log(), "it is logged with the request")


def late():
    """The server is slower than a chat waits: what it says in the end is for who asks again."""
    gate = Gate()
    provider.plays(lambda request: [gate, answering(request)])
    up.restart_chat(UPLIFT_EMBEDDINGS_TIMEOUT_MS="50ms")
    before = counts()
    equal(titles("slumber without sprint"), ["Slumber"], "a chat does not wait for longer than it may")
    equal(more(before), {"late": 1}, "which is counted")
    gate.open()
    provider.plays([HOLD])

    def is_known():
        return titles("slumber without sprint") and more(before).get("known", 0) > 0
    ok(wait_for(is_known), "a late embedding is known to who asks the same later")


def left_alone():
    """A server that is gone: after a few chats nobody waits for it, and it is tried again by itself."""
    up.restart_chat(UPLIFT_EMBEDDINGS_TIMEOUT_MS="30s")
    provider.plays([RESET])
    before = counts()
    for i in range(8):
        equal(titles("taxes %d" % i), ["Taxes"], "chat %d of eight is answered by words" % (i + 1))
    seen = more(before)
    # On a slow machine the while is over before all eight were answered.
    ok(seen["failed"] in (3, 4) and seen["resting"] == 8 - seen["failed"], "three have asked in vain, and the others have not asked", seen)
    equal(len(provider.seen), seen["failed"], "nor has the server seen them")
    ok("the embeddings server is left alone for 2000 ms" in up.read_log(), "which is logged")
    provider.plays(body(b"", status="503 Service Unavailable"))
    ok(wait_for(lambda: titles("taxes again") and len(provider.seen) == 1), "after a while one question tries it")
    ok("left alone for 4000 ms" in up.read_log(), "in vain: the while doubles")
    provider.plays(answering)
    ok(wait_for(lambda: "Running" in titles("sprint %s" % time.monotonic())), "when it is back, it is asked again")
    ok("the embeddings server answers again" in up.read_log(), "which is logged")
    before = counts()
    provider.plays(body({"error": {"message": "not this"}}, status="400 Bad Request"))
    for i in range(5):
        titles("taxes and bad words %d" % i)
    equal(more(before), {"failed": 5}, "questions that are refused keep nobody else's from being asked")


class Asking(threading.Thread):
    """A chat that waits; offered is what it had in the end."""

    def __init__(self, message):
        super().__init__(daemon=True)
        self.message, self.offered = message, None
        self.start()

    def run(self):
        answer = up.post("/v1/chat", {"message": self.message, "coach_id": COACH}, user=USER)
        self.offered = offered(up.row(answer.json()["feedbackId"])) if answer.status == 200 else answer.status


def together():
    """No more chats wait than half of the threads; and the same question is asked once."""
    gate = Gate()
    up.restart_chat(UPLIFT_EMBEDDINGS_TIMEOUT_MS="30s", UPLIFT_INTAKE_THREADS="4")
    provider.plays(lambda request: [gate, answering(request)])
    before = counts()
    waiting = [Asking("sprint now"), Asking("slumber now")]
    ok(wait_for(lambda: len(provider.seen) == 2), "two questions are on their way")
    equal(titles("taxes soon"), ["Taxes"], "a third chat does not wait with them")
    equal(more(before), {"busy": 1}, "which is counted")
    gate.open()
    for asking in waiting:
        asking.join()
    equal([asking.offered for asking in waiting], [["Running"], ["Slumber"]], "each gets what it waited for")
    gate = Gate()
    provider.plays(lambda request: [gate, answering(request)])
    waiting = [Asking("sprint again"), Asking("sprint again")]
    ok(wait_for(lambda: len(provider.seen) == 1), "a question of two chats is on its way")
    gate.open()
    for asking in waiting:
        asking.join()
    equal([asking.offered for asking in waiting], [["Running"], ["Running"]], "both get what the one answer brought")
    equal(len(provider.seen), 1, "which was asked for once")


def refused():
    """Whoever is known to be over a limit, or whose budget is used up, costs no embedding."""
    # One worker: it is each that remembers.
    provider.plays(answering)
    up.sql("insert into uplift.rate_limits (scope, key, requests_per_minute, burst) values ('user', %s, 1, 1)", BEGINNER)

    def ask(message, user=BEGINNER):
        return up.post("/v1/chat", {"message": message, "coach_id": COACH}, user=user).status
    up.synced()
    equal([ask("slumber one"), ask("slumber two")], [200, 429], "a user with one chat a minute has had it")
    seen, before = len(provider.seen), counts()
    equal([ask("slumber three"), ask("slumber four")], [429, 429], "and is refused from then on")
    equal((len(provider.seen), more(before)), (seen, {}), "without an embedding")
    equal(titles("sprint a lot"), ["Running"], "others go on")
    up.sql("delete from uplift.rate_limits")
    up.admin("PUT", "/admin/prices", {"model": "sim-1", "input_per_million": 1, "output_per_million": 1})
    budget = up.admin("POST", "/admin/budgets", {"scope": "user", "key": USER, "period": "day", "limit_usd": 0.000001}).json()
    ok(wait_for(lambda: ask("taxes", USER) == 429, 30), "a budget is used up")
    up.synced()
    seen, before = len(provider.seen), counts()
    equal(ask("slumber five", USER), 429, "its user is refused")
    equal((len(provider.seen), more(before)), (seen, {}), "without an embedding as well")
    equal(up.admin("DELETE", "/admin/budgets/" + budget["id"]).status, 200, "without that budget")
    up.synced()
    equal(titles("sprint again and again"), ["Running"], "it is as before")


def ends():
    """A worker that ends does not wait for a server that holds a question."""
    up.restart_chat(UPLIFT_EMBEDDINGS_TIMEOUT_MS="60s", UPLIFT_DRAIN_MS="1s")
    provider.plays([HOLD])
    asking = Asking("taxes at the end")
    ok(wait_for(lambda: len(provider.seen) == 1), "a question is held")
    equal(up.stop_chat(seconds=30), 0, "the worker ends all the same")
    asking.join()
    up.start_chat()


def without_pgvector():
    up.sql("drop extension vector cascade")
    provider.plays(answering)
    up.synced()
    before = counts()
    equal(titles("running"), ["Running"], "without pgvector words go on")
    equal(titles("sprint"), [], "alone")
    equal((more(before), provider.seen), ({}, []), "and no embedding is asked for")


cluster = PgvectorCluster()
cluster.start()
with Playing() as provider, Uplift(cluster=cluster, batch=True, search=True, UPLIFT_EMBEDDINGS_MODEL="sim-embedding-1", UPLIFT_EMBEDDINGS_KEY="sk-of-embeddings",
                                   UPLIFT_EMBEDDINGS_TIMEOUT_MS="30s") as up:
    up.sql("delete from public.ai_knowledge_sources")
    for title, (content, coaches, audience) in SOURCES.items():
        up.sql("insert into public.ai_knowledge_sources (source_name, title, content, coach_ids, target_audience) values ('Test', %s, %s, %s, %s)", title, content, coaches, audience)
    up.post("/v1/chat", {"message": "hello"}, user=BEGINNER)
    up.sql("insert into public.user_traits (user_id, trait_key, trait_value) values (%s, 'audience', 'beginners')", BEGINNER)
    ok(wait_for(lambda: "search" not in up.get("/readyz").json() and titles("taxes") == ["Taxes"], 60), "the copies are there")
    run(lexical, found, checked, fused, troubles, late, left_alone, together, refused, ends, without_pgvector)
    ok("sk-of-embeddings" not in up.read_log("chat") + up.read_log("batch"), "no log has the key")
done()
