#!/usr/bin/python3
"""Embeddings of more numbers than pgvector's index of type vector takes, with a pgvector that has halfvec: made by the job,
found by chats, by an index; also those that were made before pgvector was updated."""

import os
import re
import sys

import psycopg2

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from build import TOP  # noqa: E402
from harness import Uplift  # noqa: E402
from pgvector import PgvectorCluster  # noqa: E402
from playing import Playing, body  # noqa: E402
from process import wait_for  # noqa: E402
from tap import done, equal, ok, run  # noqa: E402

COACH = "coach_maple_avatar"
USER = "00000000-0000-4000-8000-000000000071"
SOURCES = {
    "Running": "Running three times a week is enough.",
    "Slumber": "Slumber comes sooner in a cool and dark room.",
    "Taxes": "Taxes are due in April.",
}
# Which of the numbers are not 0.
AXES = {"running": {0: 1, 3000: 0.1}, "jogging": {0: 1, 3000: 0.1}, "slumber": {1: 1}, "taxes": {3071: 1}}


def titles(message):
    answer = up.post("/v1/chat", {"message": message, "coach_id": COACH}, user=USER)
    equal(answer.status, 200, "a chat about %s" % message)
    return re.findall(r"^\[\d\] ([^(]+) \(Test\): ", up.row(answer.json()["feedbackId"])["personal_prompt"] or "", re.M)


def embed(embedded):
    job = up.job("embed-knowledge")
    equal((job["status"], job["error"], (job["result"] or {}).get("embedded"), (job["result"] or {}).get("dimensions")),
          ("succeeded", None, embedded, 3072), "knowledge is embedded")
    up.synced()


def index():
    """The index of the set there is; None without one."""
    return up.value("select pg_get_indexdef(to_regclass('uplift.knowledge_embeddings_' || max(id))) from uplift.embedding_sets")


def set_again(**settings):
    up.stop_batch()
    up.restart_chat(**settings)
    up.start_batch()


def answering(scale):
    """A provider's embeddings, of any length: the angle is what counts."""
    def play(request):
        data = []
        for i, text in enumerate(request["input"]):
            axes = next((a for word, a in AXES.items() if word in text.lower()), {2: 1})
            data.append({"index": i, "embedding": [axes.get(n, 0) * scale for n in range(3072)]})
        return body({"data": data})
    return play


def found():
    set_again(UPLIFT_EMBEDDINGS_URL=up.sim_url, UPLIFT_EMBEDDINGS_DIMENSIONS="3072")
    embed(3)
    equal(up.value("select index_type from uplift.embedding_sets"), "halfvec", "a set of 3,072 numbers is indexed as halfvec")
    ok(re.search(r"USING hnsw .*halfvec\(3072\).*halfvec_cosine_ops", index()), "with an index of its own", index())
    equal(titles("jogging"), ["Running"], "a chat finds what has none of its words")
    equal(titles("insomnia"), ["Slumber"], "and other things for other questions")
    equal(titles("zeppelins"), [], "and nothing that is far")


def by_the_index():
    up.sql("select pg_stat_reset()")
    set_id = up.value("select max(id) from uplift.embedding_sets")
    with psycopg2.connect(up.conninfo()) as connection, connection.cursor() as cursor:
        cursor.execute("set enable_seqscan = off")  # as all that fcgi-chat calls
        cursor.execute("set enable_sort = off")  # of three rows any plan will do
        cursor.execute("select count(*) from uplift.near_texts(jsonb_build_object('set', %s,"
                       " 'vector', (select min(embedding::text) from uplift.knowledge_embeddings)), 2)", (set_id,))
        equal(cursor.fetchone()[0], 2, "the nearest are found")
    connection.close()
    scans = wait_for(lambda: up.value("select idx_scan from pg_stat_user_indexes where indexrelname = 'knowledge_embeddings_%s'", set_id))
    equal(scans, 1, "by the index")


def any_length():
    """A halfvec ends at 65504 and begins at 6e-8; embeddings may be longer or shorter."""
    for name, scale in (("long", 1e6), ("short", 1e-9)):
        provider.plays(answering(scale))
        set_again(UPLIFT_EMBEDDINGS_URL=provider.url, UPLIFT_EMBEDDINGS_MODEL=name)
        embed(3)
        equal(titles("jogging"), ["Running"], name + " embeddings are kept and found")


def updated():
    """The set was made with a pgvector that had no index for it."""
    provider.plays(answering(1e6))
    set_again(UPLIFT_EMBEDDINGS_MODEL="before")
    embed(3)
    up.sql("update uplift.embedding_sets set index_type = null")
    before = up.value("select id from uplift.embedding_sets")
    up.sql("do $$ begin execute 'drop index uplift.knowledge_embeddings_' || (select max(id) from uplift.embedding_sets); end $$")
    up.sql("update uplift.knowledge_embeddings set embedding = embedding * array_fill(1e6::real, array[3072])::vector")
    equal(titles("jogging"), ["Running"], "without an index all are compared")
    embed(0)
    ok(index() and "halfvec" in index(), "with a newer pgvector the job makes the index", index())
    equal(up.sql("select s.id > %s as is_new, count(*) from uplift.embedding_sets s join uplift.knowledge_embeddings e on e.set_id = s.id group by s.id", before),
          [{"is_new": True, "count": 3}], "in a set of its own, which takes the other's place")
    equal(up.value("select count(*) from uplift.knowledge_embeddings"), 3, "of which nothing is left")
    equal(titles("jogging"), ["Running"], "by which they are found")


def installed_again():
    first = up.cluster.dump(up.database, "-s")
    done = up.cluster.psql(up.database, file=TOP + "/sql/install.sql")
    equal((done.returncode, done.stderr), (0, ""), "installs again")
    ok(first == up.cluster.dump(up.database, "-s"), "and changes nothing")


cluster = PgvectorCluster(has_halfvec=True)
cluster.start()
with Playing() as provider, Uplift(cluster=cluster, batch=True, search=True, UPLIFT_EMBEDDINGS_MODEL="sim-embedding-1",
                                   UPLIFT_EMBEDDINGS_TIMEOUT_MS="30s") as up:
    up.sql("delete from public.ai_knowledge_sources")
    for title, content in SOURCES.items():
        up.sql("insert into public.ai_knowledge_sources (source_name, title, content) values ('Test', %s, %s)", title, content)
    ok(wait_for(lambda: "search" not in up.get("/readyz").json() and titles("taxes") == ["Taxes"], 60), "the copies are there")
    run(found, by_the_index, any_length, updated, installed_again)
done()
