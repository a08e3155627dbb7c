#!/usr/bin/python3
"""The job embed-knowledge, with a real pgvector: what it keeps, when it is stopped, what servers answer instead, and an
installation that gets pgvector later."""

import json
import os
import sys

import psycopg2

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from build import TOP  # noqa: E402
from harness import Uplift  # noqa: E402
from pgvector import PgvectorCluster  # noqa: E402
from playing import Gate, Playing, body  # noqa: E402
from process import wait_for  # noqa: E402
from tap import contains, done, equal, ok  # noqa: E402

JOB = "embed-knowledge"


def fill(up, count):
    up.sql("delete from public.ai_knowledge_sources")
    up.sql("insert into public.ai_knowledge_sources (source_name, title, content)"
           " select 'Test', 'Title ' || i, 'Text number ' || i || ' is about something.' from generate_series(1, %s) i", count)


def sets(up):
    """Model, dimensions and number of embeddings of each set."""
    return [(r["model"], r["dimensions"], r["count"]) for r in up.sql(
        "select s.model, s.dimensions, (select count(*) from uplift.knowledge_embeddings e where e.set_id = s.id) from uplift.embedding_sets s order by s.id")]


def result(job, *names):
    return (job["status"], *((job["result"] or {}).get(name) for name in names))


def vectors(request, dimensions=3, **more):
    """An answer as OpenAI's, in another order than the texts'."""
    data = [{"object": "embedding", "index": i, "embedding": [1 + len(text), i] + [0.5] * (dimensions - 2)} for i, text in enumerate(request["input"])]
    return {"object": "list", "data": list(reversed(data)), "model": request["model"], "usage": {"prompt_tokens": 7, "total_tokens": 7}, **more}


def answering(dimensions=3):
    return lambda request: body(vectors(request, dimensions))


def by_the_simulator(up):
    fill(up, 150)
    job = up.job(JOB)
    equal(result(job, "embedded", "failed", "removed", "requests", "model", "dimensions"), ("succeeded", 150, 0, 0, 3, "sim-embedding-1", 1536),
          "all pieces are embedded, 64 with each request")
    ok(job["result"]["tokens"] > 0, "and the tokens counted")
    equal(sets(up), [("sim-embedding-1", 1536, 150)], "they are kept as one set")
    equal(up.value("select indexdef ~ 'USING hnsw .*vector\\(1536\\).* WHERE \\(set_id = ' from pg_indexes where indexname = 'knowledge_embeddings_'"
                   " || (select max(id) from uplift.embedding_sets)"), True, "with an index of its own")
    again = up.job(JOB)
    equal(result(again, "embedded", "requests"), ("succeeded", 0, 0), "again it asks for nothing")
    up.sql("update public.ai_knowledge_sources set is_active = false where title = 'Title 1'")
    up.sql("delete from public.ai_knowledge_sources where title = 'Title 2'")
    up.sql("update public.ai_knowledge_sources set content = 'Something else.' where title = 'Title 3'")
    equal(sets(up), [("sim-embedding-1", 1536, 148)], "embeddings go with their texts")
    job = up.job(JOB)
    equal(result(job, "embedded", "removed"), ("succeeded", 1, 1), "what is new is embedded, and what is withdrawn forgotten")
    up.start_batch_again(UPLIFT_EMBEDDINGS_DIMENSIONS="256")
    equal(result(up.job(JOB), "embedded", "removed", "dimensions"), ("succeeded", 148, 148, 256), "of fewer numbers all are made anew")
    equal(sets(up), [("sim-embedding-1", 256, 148)], "and the others go")
    equal(up.value("select count(*) from pg_indexes where indexname like 'knowledge\\_embeddings\\__%' and indexdef like '%hnsw%'"), 1, "with their index")


def wide(up):
    """More numbers than an index of this pgvector takes: all are compared."""
    fill(up, 3)
    up.start_batch_again(UPLIFT_EMBEDDINGS_DIMENSIONS="3072")
    equal(result(up.job(JOB), "embedded", "dimensions"), ("succeeded", 3, 3072), "embeddings of many numbers are kept")
    equal(up.value("select count(*) from pg_indexes where indexdef like '%hnsw%'"), 0, "without an index")
    near = up.sql("select t.title, n.similarity from uplift.embedding_sets s, uplift.knowledge_embeddings e,"
                  " uplift.near_texts(jsonb_build_object('set', s.id, 'vector', e.embedding::text), 2) n join uplift.search_texts t on t.id = n.text_id"
                  " where e.text_id = (select min(x.id) from uplift.search_texts x where x.title = 'Title 2')")
    equal([(n["title"], round(n["similarity"], 3)) for n in near][:1], [("Title 2", 1)], "and found")
    equal(len(near), 2, "as many as asked for")
    up.start_batch_again(UPLIFT_EMBEDDINGS_DIMENSIONS=None)


def many(up):
    """The index is what is searched, where there are many."""
    up.sql("insert into uplift.search_texts (shelf, ref, body) select 'knowledge', gen_random_uuid(), 'Text ' || i from generate_series(1, 3000) i")
    up.sql("select uplift.embedding_set('many', 8)")
    up.sql("insert into uplift.knowledge_embeddings (set_id, text_id, embedding) select s.id, t.id, array[1, t.id % 7, t.id % 11, t.id % 13, 1, 1, 1, 1]::real[]::vector"
           " from uplift.embedding_sets s, uplift.search_texts t where s.model = 'many'")
    up.sql("analyze uplift.knowledge_embeddings")
    set_id = up.value("select id from uplift.embedding_sets where model = 'many'")
    up.sql("select pg_stat_reset()")
    with psycopg2.connect(up.conninfo()) as connection, connection.cursor() as cursor:
        cursor.execute("set enable_seqscan = off")  # as all that fcgi-chat calls
        cursor.execute("select count(*) from uplift.near_texts(jsonb_build_object('set', %s, 'vector', '[1,2,3,4,1,1,1,1]'), 40)", (set_id,))
        equal(cursor.fetchone()[0], 40, "the nearest of many are found")
    connection.close()
    scans = wait_for(lambda: up.value("select idx_scan from pg_stat_user_indexes where indexrelname = 'knowledge_embeddings_%s'", set_id))
    equal(scans, 1, "by the set's own index")
    up.sql("delete from uplift.search_texts where title is null")
    up.sql("delete from uplift.embedding_sets where model = 'many'")
    up.sql("drop index uplift.knowledge_embeddings_%s", set_id)


def not_configured(up):
    up.start_batch_again(UPLIFT_EMBEDDINGS_URL=None)
    equal(result(up.job(JOB), "not_asked"), ("succeeded", "UPLIFT_EMBEDDINGS_URL is not set"), "without a server there is nothing to do")


def stopped(up, provider):
    """What is there stays when the job is cancelled, or its runner dies, and is not asked for again."""
    fill(up, 200)
    up.start_batch_again(UPLIFT_EMBEDDINGS_URL=provider.url, UPLIFT_EMBEDDINGS_MODEL="played", UPLIFT_EMBEDDINGS_DIMENSIONS=None)
    gate = Gate()
    provider.plays(answering(), lambda request: [gate, body(vectors(request))])
    job_id = up.admin("POST", "/admin/jobs/" + JOB, {}).json()["job_id"]
    ok(wait_for(lambda: len(provider.seen) == 2), "the second request waits")
    up.admin("POST", "/admin/jobs/%s/cancel" % job_id)
    equal(up.await_job(job_id)["status"], "cancelled", "it can be cancelled within a request")
    equal(sets(up)[-1], ("played", 3, 64), "what was kept stays")
    seen = [provider.seen[0]["input"]]
    gate.open()

    gate = Gate()
    provider.plays(answering(), lambda request: [gate, body(vectors(request))])
    job_id = up.admin("POST", "/admin/jobs/" + JOB, {}).json()["job_id"]
    ok(wait_for(lambda: len(provider.seen) == 2), "another job is at its second request")
    seen.append(provider.seen[0]["input"])
    progress = up.admin("GET", "/admin/jobs/" + job_id).json()
    up.kill_batch()
    provider.plays(answering())
    gate.open()
    up.start_batch()
    job = up.await_job(job_id)
    equal(result(job, "embedded", "requests"), ("succeeded", 136, 3), "goes on where it was when its runner has died")
    ok(progress["total"] in (0, 136), "of 136 pieces", progress)
    seen += [request["input"] for request in provider.seen]
    texts = [text for request in seen for text in request]
    equal((len(texts), len(set(texts))), (200, 200), "and no piece was paid for twice")
    equal({len(text.splitlines()) for text in texts}, {2}, "each is sent with its title")
    equal(sets(up), [("played", 3, 200)], "the set is whole, and the one of the other model gone")
    equal(provider.seen[-1].get("dimensions"), None, "no number of numbers is asked for")
    ok(any(line == "Authorization: Bearer sk-of-embeddings" for line in provider.headers), "the key goes along")
    first = up.value("select t.body || e.embedding::text from uplift.knowledge_embeddings e join uplift.search_texts t on t.id = e.text_id order by t.id limit 1")
    equal(first, "Text number 1 is about something.[%d,0,0.5]" % (1 + len("Title 1\nText number 1 is about something.")), "vectors belong to their texts, in whichever order they come")


def another_model_meanwhile(up, provider):
    """The runner ends within a job, and comes back with another model: the job makes all of that one."""
    gate = Gate()
    up.start_batch_again(UPLIFT_EMBEDDINGS_MODEL="second")
    provider.plays(answering(), lambda request: [gate, body(vectors(request))])
    job_id = up.admin("POST", "/admin/jobs/" + JOB, {}).json()["job_id"]
    ok(wait_for(lambda: len(provider.seen) == 2), "a job is at its second request")
    equal(up.stop_batch(), 0, "when its program ends")
    equal(sets(up), [("played", 3, 200), ("second", 3, 64)], "both sets are there")
    gate.open()
    provider.plays(answering())
    up.start_batch(UPLIFT_EMBEDDINGS_MODEL="played")
    equal(result(up.await_job(job_id), "model"), ("succeeded", "played"), "with the first model again there is nothing to do")
    equal(sets(up), [("played", 3, 200)], "and the half set goes")
    provider.plays(answering(), lambda request: [gate, body(vectors(request))])
    gate = Gate()
    up.sql("update public.ai_knowledge_sources set content = content || ' Anew.'")
    job_id = up.admin("POST", "/admin/jobs/" + JOB, {}).json()["job_id"]
    ok(wait_for(lambda: len(provider.seen) == 2), "another job is at its second request")
    equal(up.stop_batch(), 0, "when its program ends")
    gate.open()
    provider.plays(answering())
    up.start_batch(UPLIFT_EMBEDDINGS_MODEL="third")
    equal(result(up.await_job(job_id), "model"), ("succeeded", "third"), "and goes on with another model")
    equal(sets(up), [("third", 3, 200)], "of which all is made, from the beginning")
    up.start_batch_again(UPLIFT_EMBEDDINGS_MODEL="played")
    up.job(JOB)


def bad_answers(up, provider):
    def last(script, *more, seconds=60):
        provider.plays(script, *more)
        job = up.job(JOB, seconds=seconds)
        return job["status"], (job["error"] or {}).get("code"), (job["error"] or {}).get("message", "")

    up.sql("insert into public.ai_knowledge_sources (source_name, title, content) values ('Test', 'New', 'New text.')")
    status, code, message = last(answering(4))
    equal((status, code), ("failed", "wrong_dimensions"), "vectors of another length than those there are fail the job")
    contains(message, "UPLIFT_EMBEDDINGS_DIMENSIONS=4", "which says what helps")
    up.start_batch_again(UPLIFT_EMBEDDINGS_DIMENSIONS="3")
    status, code, message = last(answering(2))
    equal((status, code), ("failed", "wrong_dimensions"), "as do those of another length than asked for")
    equal(provider.seen[0]["dimensions"], 3, "which was sent")
    status, code, message = last(body({"error": {"message": "wrong key sk-of-embeddings", "code": "invalid_api_key"}}, status="401 Unauthorized"))
    equal((status, code, message), ("failed", "embeddings_refused", "the embeddings server answered 401"), "a 401 fails it, and does not show the key")
    status, code, message = last(body({"error": {"message": "pay first", "code": "insufficient_quota"}}, status="429 Too Many Requests"))
    equal((status, code), ("failed", "embeddings_refused"), "and so does an account without credit")
    contains(message, "pay first", "in the server's words")
    status, code, message = last(body({"error": {"message": "no such model"}}, status="400 Bad Request"))
    equal((status, code, message), ("failed", "embeddings_refused", "the embeddings server answered 400: no such model"), "a server that refuses whatever is asked fails it")
    equal(up.value("select count(*) from uplift.embedding_refusals"), 0, "which is no piece's fault")
    up.sql("insert into public.ai_knowledge_sources (source_name, title, content) select 'Test', 'N', 'Newer text ' || i from generate_series(1, 9) i")
    status, code, message = last(body({"error": {"message": "no such model"}}, status="400 Bad Request"))
    equal((status, code, message), ("failed", "embeddings_refused", "the embeddings server answered 400: no such model"), "of many pieces, too")

    def refusing_one(request):
        refuse = any(text.endswith("text 5") for text in request["input"])
        return body({"error": {"message": "too long"}}, status="400 Bad Request") if refuse else body(vectors(request))
    provider.plays(refusing_one)
    job = up.job(JOB)
    equal(result(job, "embedded", "failed", "refused"), ("succeeded", 9, 1, 1), "of pieces together the one that is refused is found, and the others are embedded")
    history = up.admin("GET", "/admin/jobs/" + job["job_id"]).json()["history"]
    ok(any("left out: the embeddings server answered 400: too long" in (h["message"] or "") for h in history), "its history names it", history)

    def failing_at_one(request):
        fails = any(text.endswith("text 5") for text in request["input"])
        return body(b"NaN", status="500 Internal Server Error") if fails else body(vectors(request))
    provider.plays(failing_at_one)
    equal(result(up.job(JOB, {"retry_refused": True}), "embedded", "failed"), ("succeeded", 0, 1), "so is one at which the server fails, as long as it embeds others")
    provider.plays(answering())
    equal(result(up.job(JOB, {"retry_refused": True}), "embedded", "failed", "refused", "refusals"), ("succeeded", 1, 0, 0, []), "another run may try that one again")
    for script, name in (
            (body({"error": {"message": "slow down"}}, status="429 Too Many Requests", headers="Retry-After: 1\r\n"), "a 429"),
            (body(b"oops", status="500 Internal Server Error"), "a 500"),
            (body(b"{\"data\":[{\"embedding\":[1,"), "broken JSON"),
            (lambda request: body(vectors({**request, "input": []})), "too few vectors")):
        up.sql("update public.ai_knowledge_sources set content = content || '.' where content like 'Newer text 7%'")
        equal(last(script, answering())[:2], ("succeeded", None), name + " is asked again")
        equal([r["input"] for r in provider.seen[-1:]], [up.value("select array_agg(concat_ws(e'\n', t.title, t.body)) from uplift.search_texts t where t.body like 'Newer text 7%'")],
              "and then answered")
    up.sql("update public.ai_knowledge_sources set content = content || '.' where content like 'Newer text 7%'")
    provider.plays(body({"error": {"message": "much later"}}, status="429 Too Many Requests", headers="Retry-After: 900\r\n"))
    job_id = up.admin("POST", "/admin/jobs/" + JOB, {}).json()["job_id"]
    waits = wait_for(lambda: up.value("select error ->> 'message' from uplift.batch_jobs where id = %s and status = 'queued'", job_id))
    equal(waits, "the embeddings server answered 429: much later", "who wants it much later is asked in another attempt")
    ok(up.value("select run_after > now() + interval '800 seconds' from uplift.batch_jobs where id = %s", job_id), "as late as that")
    up.admin("POST", "/admin/jobs/%s/cancel" % job_id)
    provider.plays(answering())
    equal(up.job(JOB)["status"], "succeeded", "and it ends well")


def refused(up, provider):
    """A piece that the server does not take is left alone for longer and longer, until it or the model is another."""
    def refusing(request):
        if any("Never" in text for text in request["input"]):
            return body({"error": {"message": "bad words in 17 of 21"}}, status="422 Unprocessable Entity")
        return body(vectors(request))

    def asked(job):
        return result(job, "embedded", "failed", "refused")

    def due():
        """Lets the time of all refusals come, and returns in how many hours it would have been."""
        hours = up.value("select array_agg(round(extract(epoch from retry_at - refused_at) / 3600)::int order by text_id) from uplift.embedding_refusals")
        up.sql("update uplift.embedding_refusals set retry_at = now()")
        return hours
    fill(up, 3)
    up.sql("insert into public.ai_knowledge_sources (source_name, title, content) values ('Test', 'Bad', 'Never say this.')")
    bad = up.value("select id::text from public.ai_knowledge_sources where title = 'Bad'")
    provider.plays(refusing)
    job = up.job(JOB)
    equal(asked(job), ("succeeded", 3, 1, 1), "one of four pieces is refused")
    why, = job["result"]["refusals"]
    equal((why["reason"], why["pieces"], why["source_ids"]), ("the embeddings server answered 422: bad words in 17 of 21", 1, [bad]), "the job says why, and of which source it is")
    ok(why["next_try_at"], "and when it is tried again")
    provider.plays(refusing)
    equal((asked(up.job(JOB)), len(provider.seen)), (("succeeded", 0, 0, 1), 0), "the next run does not ask, and still tells of it")
    equal(up.sql("select model, dimensions, refusals from uplift.embedding_refusals"), [{"model": "played", "dimensions": 3, "refusals": 1}], "it is noted by model")
    equal(due(), [1], "it waits for an hour")
    for hours in (2, 4):
        equal(asked(up.job(JOB)), ("succeeded", 0, 1, 1), "then it is tried, and refused")
        equal(due(), [hours], "and waits for %d hours" % hours)
    up.sql("update uplift.embedding_refusals set refusals = 100")
    up.job(JOB)
    equal(due(), [720], "never for more than 30 days")
    up.job(JOB)
    up.start_batch_again(UPLIFT_EMBEDDINGS_MODEL="another")
    equal(asked(up.job(JOB)), ("succeeded", 3, 1, 1), "another model is asked at once")
    equal(due(), [1], "and counts anew")
    up.job(JOB)
    up.sql("update public.ai_knowledge_sources set title = 'Still bad' where title = 'Bad'")
    equal(asked(up.job(JOB)), ("succeeded", 0, 1, 1), "as is another text")
    equal(due(), [1], "which counts anew as well")
    up.job(JOB)
    up.sql("update public.ai_knowledge_sources set content = 'Say this.' where title = 'Still bad'")
    equal((asked(up.job(JOB)), due()), (("succeeded", 1, 0, 0), None), "when it is mended, nothing is left of it")
    up.sql("update public.ai_knowledge_sources set content = 'Never ' || content where title like 'Title%'")
    job = up.job(JOB)
    equal(asked(job), ("succeeded", 0, 3, 3), "all pieces that are new may be refused")
    equal([r["pieces"] for r in job["result"]["refusals"]], [3], "as long as the server takes something else")
    provider.plays(answering())
    equal(asked(up.job(JOB)), ("succeeded", 0, 0, 3), "they wait")
    equal(asked(up.job(JOB, {"retry_refused": True})), ("succeeded", 3, 0, 0), "unless an admin wants them tried at once")
    equal(up.value("select count(*) from uplift.embedding_refusals"), 0, "and nothing is left of that")


def pgvector_later(up):
    """uplift is installed where there is no pgvector, which comes afterwards."""
    up.cluster.createdb("later", owner="uplift_owner")
    up.cluster.psql("later", sql="drop extension vector")

    def install():
        done = up.cluster.psql("later", file=TOP + "/sql/install.sql", user="uplift_owner")
        equal((done.returncode, done.stderr), (0, ""), "installs")

    def ask(text):
        return up.cluster.psql("later", sql=text).stdout.strip()
    up.cluster.psql("template1", sql="alter role uplift_owner createrole")
    install()
    equal(ask("select to_regclass('uplift.knowledge_embeddings') is null"), "t", "without pgvector there is no table of its type")
    equal(json.loads(ask("select uplift_batch.start_embedding('m', null, false)")), {"pgvector": False}, "the job is told so")
    equal(ask("select uplift_chat.worker_sync('{\"embeddings\":{\"model\":\"m\"}}') -> 'embeddings'"), "null", "as are workers")
    equal(ask("select count(*) from uplift.near_texts('{\"set\":1,\"vector\":\"[1]\"}', 10)"), "0", "and nothing is found")
    up.cluster.psql("later", sql="create schema extensions; grant usage on schema extensions to public; create extension vector schema extensions")
    install()
    first = up.cluster.dump("later", "-s")
    install()
    ok(first == up.cluster.dump("later", "-s"), "with it the table is made, and a second run changes nothing")
    equal(ask("insert into public.ai_knowledge_sources (source_name, content) values ('T', 'Text.');"
              "select uplift_batch.keep_embeddings('m', 2, jsonb_build_array(jsonb_build_array((select max(id) from uplift.search_texts), '[1,0]')))"),
          '{"set": 1, "kept": 1}', "and used, in whichever schema pgvector is")
    equal(ask("select round(similarity::numeric, 3) from uplift.near_texts('{\"set\":1,\"vector\":\"[1,1]\"}', 10)"), "0.707", "found by the angle")
    equal(ask("select relrowsecurity from pg_class where oid = 'uplift.knowledge_embeddings'::regclass"), "t", "row level security is on")
    equal(ask("select count(*) from unnest('{anon,authenticated,uplift_app,uplift_batch,uplift_search}'::text[]) r"
              " where has_table_privilege(r, 'uplift.knowledge_embeddings', 'select,insert,update,delete')"), "0", "and nobody reads it but the functions")
    ask("drop extension vector cascade")
    equal(json.loads(ask("select uplift_batch.start_embedding('m', null, false)")), {"pgvector": False}, "when pgvector is dropped, all goes on without it")
    install()
    ask("create extension vector")
    install()
    equal(json.loads(ask("select uplift_batch.start_embedding('m', null, false)"))["missing"], 1, "and when it is back, all is to be embedded again")


class Embedding(Uplift):
    def start_batch_again(self, **settings):
        self.stop_batch()
        self.start_batch(**settings)


cluster = PgvectorCluster()
cluster.start()
with Playing() as provider, Embedding(cluster=cluster, batch=True, UPLIFT_EMBEDDINGS_MODEL="sim-embedding-1",
                                      UPLIFT_EMBEDDINGS_KEY="sk-of-embeddings") as up:
    up.start_batch_again(UPLIFT_EMBEDDINGS_URL=up.sim_url)
    by_the_simulator(up)
    wide(up)
    many(up)
    not_configured(up)
    stopped(up, provider)
    another_model_meanwhile(up, provider)
    bad_answers(up, provider)
    refused(up, provider)
    pgvector_later(up)
    ok("sk-of-embeddings" not in up.read_log("batch") + up.read_log("chat"), "no log has the key")
done()
