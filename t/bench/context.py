"""What it costs that the coach knows things: chats with everything on, and with nothing of it, at saturation in one run; what
preparing a chat takes with it; and whether that stays the same when there are many users.

Everything is: users with 40 traits, 200 memories and 1,000 turns in 100 earlier conversations each, 50 of them, so that what they
say meanwhile adds little; --rows pieces of knowledge of 1,000 sources; a fifth as many liked answers as examples. Nothing is a user of whom nothing is known, who has turned
memory off, on a server that searches nothing. Messages are questions of 6 to 14 words of the texts.
"""

import json
import statistics
import subprocess
import threading
import time

import psycopg2
import psycopg2.extras

import retrieval
from build import program
from cluster import Cluster
from harness import Uplift, free_ports, wait_for
from parts import TICKS, Provider, Target, family, cpu_seconds, plain_front

WANTED_SHARE, WANTED_CPU_MS, WANTED_P99_MS, WANTED_GROWTH = 0.40, 0.45, 5, 1.5
KNOWN = ["00000000-0000-4000-8000-000000000%03d" % n for n in range(50)]
UNKNOWN = "00000000-0000-4000-8000-0000000000bb"
COACH = "coach_decibel_avatar"
SOURCES = 1000
FILL_USERS = """
set session_replication_role = replica;
insert into auth.users (id) select md5('user ' || n)::uuid from generate_series(%(first)s, %(last)s) n;
insert into public.user_coach_preferences (user_id) select md5('user ' || n)::uuid from generate_series(%(first)s, %(last)s) n;
insert into public.user_traits (user_id, trait_key, trait_value)
    select md5('user ' || n)::uuid, 'diet_type', 'vegan' from generate_series(%(first)s, %(last)s) n;
insert into public.ai_episodic_memory (id, user_id, memory_type, memory_text, source, importance_score, last_said_at)
    select md5('memory ' || n)::uuid, md5('user ' || n)::uuid, 'goal', 'I want to run', 'rules', 8, now() from generate_series(%(first)s, %(last)s) n;
insert into uplift.memory_words (key, memory_id, w)
    select uplift.word_key(md5('user ' || n)::uuid, w), md5('memory ' || n)::uuid, 1 from generate_series(%(first)s, %(last)s) n,
    unnest('{run,marathon,want}'::text[]) w;
insert into public.ai_context_cache (user_id, context_type, context_data, expires_at)
    select u, 'chat_context', uplift.user_context(u), now() + interval '1 day'
    from (select md5('user ' || n)::uuid as u from generate_series(%(first)s, %(last)s) n) x;
"""


def fill_known(up, user, questions):
    """All that there is of a user: through the functions that write it."""
    up.sql("insert into auth.users (id) values (%s) on conflict do nothing", user)
    up.sql("insert into public.user_traits (user_id, trait_key, trait_value) select %s, 'trait_' || n, 'value number ' || n from generate_series(1, 40) n",
           user)
    up.sql("insert into public.ai_episodic_memory (user_id, memory_type, memory_text, source, importance_score, last_said_at)"
           " select %s, 'goal', left(t, 300), 'rules', 5 + n %% 5, now() from unnest(%s::text[]) with ordinality as x(t, n)", user, questions[:200])
    for start in range(0, 1000, 50):
        answers = [{"id": "%08d-%s" % (start + n, user[9:]), "user_id": user, "coach_id": COACH, "protocol": "chat",
                    "conversation_id": "1%07d-%s" % ((start + n) // 10, user[9:]), "user_message": questions[(start + n) % len(questions)],
                    "ai_response": questions[(start + n + 7) % len(questions)] * 2, "created_at": "2026-01-%02dT00:00:%02dZ" % (1 + start // 50, n)}
                   for n in range(50)]
        up.sql("select uplift_chat.record_answers(%s::json)", json.dumps(answers))
        up.sql("select uplift_chat.index_answers(%s::uuid[])", [a["id"] for a in answers])
    up.sql("select uplift.refresh_context(%s)", user)


def fill_texts(up, rows):
    """Knowledge and examples; returns questions on them."""
    questions = retrieval.fill(up, rows)
    up.sql("update uplift.search_texts set ref = md5('source ' || id %% %s)::uuid where shelf = 'knowledge'", SOURCES)
    up.sql("set session_replication_role = replica; insert into public.ai_knowledge_sources (id, source_name, title, content, reliability_score)"
           " select md5('source ' || n)::uuid, 'Source ' || n, 'Title ' || n, 'x', 8 from generate_series(0, %s) n", SOURCES - 1)
    up.sql("insert into uplift.search_texts (shelf, ref, language, title, body) select 'examples', md5('answer ' || id)::uuid, 'en', left(body, 100), body"
           " from uplift.search_texts where shelf = 'knowledge' order by id limit %s", rows // 5)
    up.sql("insert into uplift.few_shot_examples (text_id, answer_id, user_id, coach_id, gist, likeness)"
           " select id, ref, %s, %s, 'this, that', ref from uplift.search_texts where shelf = 'examples'", UNKNOWN, COACH)
    up.sql("update uplift.settings set value = '0' where key = 'context.withheld_share'")
    up.sql("delete from uplift.rate_limits")
    return questions


def in_copies(up):
    text = up.get("/metrics", user=None).text
    return sum(int(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith("uplift_search_texts{"))


class Side:
    """A server of uplift on a port without TLS, asked by some users in turn."""

    def __init__(self, cluster, provider, users, search):
        self.port = free_ports(1)[0]
        self.up = Uplift(cluster=cluster, simulator=None, nginx=plain_front(self.port), search=search, UPLIFT_MODEL="bench",
                         UPLIFT_UPSTREAM_URL=provider.base("whole"), UPLIFT_MAX_CHATS="8192", UPLIFT_LOG_LEVEL="info" if search else "warn",
                         UPLIFT_WORKERS="0", expected=".").__enter__()
        self.target = Target("uplift", lambda kind: "http://127.0.0.1:%d/v1/chat" % self.port, {"message": ""},
                             {"Authorization": "Bearer " + self.up.token(users[0])}, '"done":true')
        self.target.people = ["Bearer " + self.up.token(user) for user in users]
        self.runs = []

    def saturate(self, cluster, seconds):
        pids = {"nginx": family(self.up.nginx.pid), "workers": family(self.up.chat.pid), "Postgres": family(cluster.pid())}
        before = {name: cpu_seconds(p) for name, p in pids.items()}
        found = self.target.saturate(seconds)
        if found["failed"]:
            raise SystemExit("bench: %d of %d requests failed" % (found["failed"], found["done"]))
        found["cpu"] = {name: (cpu_seconds(p) - before[name]) * 1e6 / found["done"] for name, p in pids.items()}
        self.runs.append(found)

    def figures(self):
        return {"per_second": statistics.median(r["per_second"] for r in self.runs),
                "cpu_us": {name: statistics.median(r["cpu"][name] for r in self.runs) for name in self.runs[0]["cpu"]}}


def described(up, questions):
    """What a worker would send of them."""
    lines = "".join(json.dumps(question) + "\n" for question in questions)
    out = subprocess.run([program("t/unit/describe"), up.settings["UPLIFT_SEARCH_DIR"]], input=lines, capture_output=True, text=True, check=True)
    return out.stdout.splitlines()


def prepare(cursor, users, mores):
    """As workers call it: by a statement that is prepared once a connection (open_app)."""
    group = len(users)
    cursor.execute("execute prepare_chats (%s::uuid[], %s, %s, %s, %s::jsonb[])", (users, ["chat"] * group, [None] * group, [4000] * group, mores))


def open_app(up):
    connection = psycopg2.connect(up.conninfo("uplift_app"))
    connection.autocommit = True
    connection.cursor().execute(
        "prepare prepare_chats (uuid[], text[], text[], int[], jsonb[]) as select count(personal_prompt) from uplift_chat.prepare_chats($1, $2, $3,"
        " $3::numeric[], $3, $3::uuid[], $3::uuid[], array_fill(''::text, array[cardinality($1)]), $4, $5)")
    return connection


def time_prepare(up, mores, users):
    """One chat at a time, by two clients: CPU of the backends in ms, and the 99th percentile of what a client waited."""
    waited, spent = [], []

    def client(part):
        connection = open_app(up)
        with connection.cursor() as cursor:
            for user, more in part[:50]:
                prepare(cursor, [user], [more])
            began = ticks_of(connection.info.backend_pid)
            for user, more in part:
                at = time.monotonic()
                prepare(cursor, [user], [more])
                waited.append(time.monotonic() - at)
            spent.append((ticks_of(connection.info.backend_pid) - began) / TICKS)
        connection.close()
    asked = [(users[n % len(users)], more) for n, more in enumerate(mores)]
    clients = [threading.Thread(target=client, args=(asked[n::2],)) for n in range(2)]
    for thread in clients:
        thread.start()
    for thread in clients:
        thread.join()
    return {"cpu_ms": sum(spent) * 1000 / len(waited), "p99_ms": sorted(waited)[len(waited) * 99 // 100] * 1000}


def ticks_of(pid):
    with open("/proc/%d/stat" % pid) as file:
        return sum(int(word) for word in file.read().rpartition(")")[2].split()[11:13])


def time_users(up, mores, count):
    """Microseconds of Postgres for a chat, of random ones of so many users, in groups of 16."""
    connection = open_app(up)
    chance = retrieval.random.Random(count)
    with connection.cursor() as cursor, psycopg2.connect(up.conninfo()) as owner, owner.cursor() as look:
        look.execute("select array_agg(md5('user ' || n)::uuid::text) from unnest(%s::int[]) n", ([chance.randint(1, count) for _ in range(16 * 400)],))
        users = look.fetchone()[0]
        for at in range(0, 16 * 400, 16):
            if at == 16 * 100:
                began = ticks_of(connection.info.backend_pid)
            prepare(cursor, users[at:at + 16], [mores[(at + n) % len(mores)] for n in range(16)])
        spent = (ticks_of(connection.info.backend_pid) - began) / TICKS
    connection.close()
    owner.close()
    return spent * 1e6 / (16 * 300)


def vacuum(up):
    connection = psycopg2.connect(up.conninfo())
    connection.autocommit = True
    connection.cursor().execute("vacuum analyze")
    connection.close()


def measure(rows, say=lambda text: None):
    """The figures, by name. A tenth of the rows is --quick: it has fewer rounds, and fewer users."""
    quick = rows < 100000
    known = KNOWN[:10] if quick else KNOWN
    figures = {"rows": rows}
    cluster = Cluster(fsync=True, settings={"max_connections": "200", "shared_buffers": "512MB", "max_wal_size": "4GB"})
    cluster.start()
    sides = []
    try:
        with Provider() as provider:
            off, on = Side(cluster, provider, [UNKNOWN], False), Side(cluster, provider, known, True)
            sides += [off, on]
            say("making %d pieces of knowledge, and examples" % rows)
            questions = fill_texts(on.up, rows)
            say("making what is known of %d users" % len(known))
            for n, user in enumerate(known):
                fill_known(on.up, user, questions[n:])
            if not wait_for(lambda: in_copies(on.up) >= rows + rows // 5, 600):
                raise SystemExit("bench: the copies have %d texts" % in_copies(on.up))
            on.target.messages = off.target.messages = questions[:500]
            # Else its own chats would soon be what is known.
            off.up.sql("insert into auth.users (id) values (%s) on conflict do nothing", UNKNOWN)
            off.up.sql("insert into public.user_coach_preferences (user_id, memory_enabled) values (%s, false)", UNKNOWN)
            vacuum(on.up)
            for number in range(2 if quick else 5):
                for name, side in (("nothing", off), ("everything", on)):
                    say("%s known, round %d" % (name, number + 1))
                    side.saturate(cluster, 2 if quick else 5)
            figures.update(off=off.figures(), on=on.figures(), share=statistics.median(
                b["per_second"] / a["per_second"] for a, b in zip(off.runs, on.runs)))
            say("preparing by itself")
            mores = described(on.up, questions[:1000])
            vacuum(on.up)  # as autovacuum does a minute later
            figures["prepare"] = time_prepare(on.up, mores, known)
            figures["users"] = {}
            last = 0
            for count in (1000, 20000 if quick else 1000000):
                say("making %d users" % count)
                for first in range(last + 1, count + 1, 100000):
                    on.up.sql(FILL_USERS % {"first": first, "last": min(first + 99999, count)})
                last = count
                vacuum(on.up)
                figures["users"][str(count)] = statistics.median(time_users(on.up, mores, count) for _ in range(3))
    finally:
        for side in sides:
            side.up.stop()
            side.up.remove()
        cluster.remove()
    return figures


def growth(f):
    first, last = list(f["users"].values())
    return last / first


def goals(f):
    """What was wanted: (text, whether it is so, what was wanted)."""
    yield ("throughput with everything known, of that with nothing: %.0f %%" % (100 * f["share"]), f["share"] >= WANTED_SHARE,
           "at least %.0f %%" % (100 * WANTED_SHARE))
    yield ("preparing a chat with everything: %.2f ms of CPU" % f["prepare"]["cpu_ms"], f["prepare"]["cpu_ms"] <= WANTED_CPU_MS,
           "at most %.2f ms" % WANTED_CPU_MS)
    yield "and the 99th percentile, of two clients: %.2f ms" % f["prepare"]["p99_ms"], f["prepare"]["p99_ms"] < WANTED_P99_MS, "under %d ms" % WANTED_P99_MS
    yield ("preparing with %s users, of that with %s: %.2f times" % (*reversed(list(f["users"])), growth(f)), growth(f) <= WANTED_GROWTH,
           "at most %.1f times" % WANTED_GROWTH)


def show(f):
    print("what the coach knows, %(rows)d pieces of knowledge" % f)
    for name, side in (("nothing known", f["off"]), ("everything known", f["on"])):
        print("  %-18s %7.0f answers/s; CPU a chat in us: %s" % (name, side["per_second"], ", ".join(
            "%s %.0f" % item for item in side["cpu_us"].items())))
    print("  preparing, a chat  %7.2f ms of Postgres, p99 %.2f ms of two clients" % (f["prepare"]["cpu_ms"], f["prepare"]["p99_ms"]))
    for count, us in f["users"].items():
        print("  of %7s users   %7.0f us of Postgres for a chat, in groups of 16" % (count, us))
