#!/usr/bin/python3
"""Times feedback becoming training examples: ./dev bench --only learning, or this file by itself.

Makes --rows answers with feedback (a million) in a Postgres of its own: conversations of one to a dozen turns, answers of
two sentences to a page, every twentieth with an address or a number to redact, every tenth nearly the same as another,
some given anew, half the users with a name in their profile. Then generates all examples, those of 1,000 new rows,
and those of 1,000 thumbs turned over, which change and take back examples all over the table.
"""

import argparse
import concurrent.futures
import json
import os
import random
import sys
import threading
import time
import uuid

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, TOP + "/t/lib")

import psycopg2  # noqa: E402
from cluster import Cluster  # noqa: E402

SYSTEM = ("You are %s, a coach. " + "You speak in short, punchy lines with rhythm, love an exclamation mark but never use two in a row, and "
          "put one word in capitals when it deserves the volume. You celebrate small wins as if a crowd had heard them. You are impatient "
          "with long theory and allergic to someday: you always want the next beat, something to do before the day is over. " * 3
          + "\\nKNOWN USER CONTEXT (Remember These):\\n- [goal] The user wants to %s\\n- [preference] %s")
PRIVATE = ["write to %s.%d@example.com", "call me at +1 (555) 234-%04d", "my number is 030 123 %04d",
           "see https://example.com/reset?user=7&token=abcdef%d"]
COLUMNS = ("id, user_id, coach_id, severity, mode, user_message, ai_response, system_prompt, conversation_id, helpful, rating, "
           "created_at, model_used, outcome, protocol, regenerate_of, feedback_given_at")
CHUNK = 5000


class Texts:
    """Sentences of words that are as unevenly common as words are."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        letters = "etaoinshrdlucmfwypvbgk"
        words = ["".join(self.random.choices(letters, range(len(letters), 0, -1), k=2 + n % 8)) for n in range(20000)]
        weights = [1 / (n + 3) for n in range(len(words))]
        drawn = self.random.choices(words, weights, k=600000)
        self.sentences, at = [], 0
        while at < len(drawn) - 20:
            n = self.random.randrange(5, 18)
            self.sentences.append(" ".join(drawn[at:at + n]).capitalize() + self.random.choice(".....!?"))
            at += n

    def say(self, least, most):
        return " ".join(self.random.choices(self.sentences, k=self.random.randrange(least, most + 1)))


def answer_rows(texts, rows, users):
    """Lines for COPY, conversation by conversation."""
    draw = texts.random
    stock = [(texts.say(1, 2), texts.say(3, 12)) for _ in range(2000)]
    made = 0
    while made < rows:
        user = draw.randrange(users)
        user_id = uuid.UUID(int=user + 1)
        conversation = uuid.UUID(int=draw.getrandbits(128), version=4)
        prompt = SYSTEM % ("Decibel", texts.say(1, 1), texts.say(1, 1))
        previous = None
        for turn in range(min(draw.choice([1, 1, 1, 2, 2, 3, 4, 5, 8, 12]), rows - made)):
            question, answer = texts.say(1, 3), texts.say(2, 16)
            kind = draw.random()
            if kind < 0.05:
                question += " " + PRIVATE[made % 4].replace("%s", "ann") % (made % 10000)
            elif kind < 0.15:
                question, answer = draw.choice(stock)
                answer = answer.replace(" ", "  ", 1) if kind < 0.10 else answer + " " + str(made % 100) + " steps."
            elif kind < 0.25:
                answer += "\\n1. 3 x 12 squats\\n2. 10,000 steps\\n3. in bed by 22:30 from 2026-01-%02d" % (1 + made % 28)
            helpful, rating = draw.choice([("t", "\\N")] * 10 + [("t", "5"), ("\\N", "4"), ("\\N", "5"), ("\\N", "3"), ("f", "\\N"),
                                                                ("f", "\\N"), ("f", "1"), ("\\N", "2")])
            answer_id = str(uuid.UUID(int=(1767225600000 + made << 80) | 7 << 76 | 2 << 62 | draw.getrandbits(62)))
            given_anew = previous if previous and kind > 0.95 else "\\N"
            yield "\t".join((answer_id, str(user_id), "coach_decibel_avatar", "3.0", "default", question, answer, prompt,
                             str(conversation), helpful, rating, time.strftime("%Y-%m-%d %H:%M:%S+00", time.gmtime(1767225600 + made)),
                             "gpt-4.1-mini", "complete", "chat", given_anew, "2026-06-01 00:00:00+00")) + "\n"
            previous = answer_id
            made += 1


class Lines:
    """A file for COPY out of lines as they are made."""

    def __init__(self, lines):
        self.lines = lines

    def read(self, size):
        block, n = [], 0
        for line in self.lines:
            block.append(line)
            n += len(line)
            if n >= size:
                break
        return "".join(block)


def load(connection, rows, seed):
    users = max(rows // 25, 20)
    cursor = connection.cursor()
    cursor.execute("insert into auth.users (id) select lpad(to_hex(n), 32, '0')::uuid from generate_series(1, %s) n on conflict do nothing",
                   (users,))
    cursor.execute("insert into public.user_traits (user_id, trait_key, trait_value) select lpad(to_hex(n), 32, '0')::uuid, 'preferred_name', "
                   "initcap(translate(left(md5((n %% 3000)::text), 7), '0123456789', 'aeioulnrst')) from generate_series(1, %s, 2) n", (users,))
    cursor.execute("truncate uplift.training_queue")  # of the names
    cursor.copy_expert("copy public.coach_response_feedback (%s) from stdin" % COLUMNS, Lines(answer_rows(Texts(seed), rows, users)))
    cursor.execute("insert into uplift.conversations (id, user_id) select distinct on (conversation_id) conversation_id, user_id "
                   "from public.coach_response_feedback on conflict do nothing")
    connection.commit()


def peak_kb(pid):
    with open("/proc/%d/status" % pid) as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM:"))


def shared_kb(pid):
    """What of it is Postgres's shared memory, which all backends have together."""
    with open("/proc/%d/status" % pid) as file:
        return next(int(line.split()[1]) for line in file if line.startswith("RssShmem:"))


def run_lane(conninfo, sql, sums, lock):
    """Chunk after chunk until there is none; the backend's own peak memory in MB."""
    connection = psycopg2.connect(conninfo)
    cursor = connection.cursor()
    while True:
        cursor.execute(sql, (CHUNK,))
        row = cursor.fetchone()
        connection.commit()
        with lock:
            for name, value in zip(sums, row):
                sums[name] += value
        if row[0] == 0:
            break
        if os.environ.get("UPLIFT_BENCH_VERBOSE"):
            print("%.1f %s" % (time.monotonic(), row), file=sys.stderr, flush=True)
    pid = connection.get_backend_pid()
    peak = (peak_kb(pid) - shared_kb(pid)) / 1024
    connection.close()
    return peak


def generate(conninfo):
    """All that is queued, as fcgi-batch does it: two lanes at once, then what was queued meanwhile."""
    sums, began = {"taken": 0, "added": 0, "changed": 0, "withdrawn": 0, "duplicates": 0}, time.monotonic()
    lock = threading.Lock()
    counts = "select taken, added, changed, withdrawn, duplicates from uplift."
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        lanes = [pool.submit(run_lane, conninfo, counts + "generate_training_lane(%%s, %d)" % lane, sums, lock) for lane in (0, 1)]
        peaks = [lane.result() for lane in lanes]
    peaks.append(run_lane(conninfo, counts + "generate_training_examples(%s)", sums, lock))
    return dict(sums, seconds=round(time.monotonic() - began, 2), peak_mb=round(max(peaks), 1))


def measure(rows, seed=1, say=lambda text: None):
    cluster = Cluster(settings={"shared_buffers": "512MB", "max_wal_size": "8GB"}, fsync=True)
    cluster.start()
    try:
        return measured(cluster, rows, seed, say)
    finally:
        cluster.remove()


def measured(cluster, rows, seed, say):
    cluster.createdb("learning")
    result = cluster.psql("learning", file=TOP + "/sql/install.sql")
    if result.returncode != 0:
        raise RuntimeError(result.stderr)
    cluster.psql("learning", sql="update uplift.settings set value = 'true' where key = 'training.consent_default'")
    connection = psycopg2.connect(cluster.conninfo("learning"))
    say("%d answers with feedback" % rows)
    began = time.monotonic()
    load(connection, rows, seed)
    figures = {"rows": rows, "load_seconds": round(time.monotonic() - began, 1)}
    say("examples of them")
    connection.close()
    figures["all"] = generate(cluster.conninfo("learning"))
    connection = psycopg2.connect(cluster.conninfo("learning"))
    cursor = connection.cursor()
    say("and of 1,000 more")
    load(connection, 1000, seed + 1)
    figures["next"] = generate(cluster.conninfo("learning"))
    # Thumbs turned over here and there, which break beginnings, and make pairs.
    cursor.execute("update public.coach_response_feedback a set helpful = not coalesce(a.helpful, false), rating = null from ("
                   "select id from public.coach_response_feedback where md5(id::text) < %s limit 1000) s where a.id = s.id",
                   ("%04x" % min(65535, 65536 * 1100 // rows),))
    connection.commit()
    say("and of 1,000 thumbs turned over")
    figures["turned"] = generate(cluster.conninfo("learning"))
    cursor.execute("select dataset_name, total_examples, average_quality_score::float from public.ai_training_datasets order by 1")
    figures["datasets"] = {name: count for name, count, _ in cursor.fetchall()}
    cursor.execute("select pg_database_size(current_database()) / 1000000")
    figures["database_mb"] = cursor.fetchone()[0]
    connection.close()
    return figures


def goals(f):
    """What was wanted: (text, whether it is so, what was wanted)."""
    return [("%d rows of feedback to examples: %.1f s" % (f["rows"], f["all"]["seconds"]),
             f["all"]["seconds"] < 180 * f["rows"] / 1e6, "under 180 s a million"),
            ("the next run, with 1,000 new ones: %.2f s" % f["next"]["seconds"], f["next"]["seconds"] < 2, "under 2 s")]


def show(figures):
    every = figures["all"]
    print("Feedback to examples: redaction and de-duplication on")
    for words, row in (("rows of feedback", every), ("new ones", figures["next"]), ("turned over", figures["turned"])):
        print("  %-34s %9.2f s  %8.0f rows/s  peak memory of a backend %6.1f MB" % (
            "%d %s" % (row["taken"], words), row["seconds"], row["taken"] / row["seconds"], row["peak_mb"]))
    print("  examples: %s; dropped as duplicates: %d" % (
        ", ".join("%s %d" % (name.replace("User Feedback - ", ""), count) for name, count in figures["datasets"].items()),
        every["duplicates"]))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0], epilog=__doc__.split("\n\n", 1)[1],
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1000000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    figures = measure(args.rows, args.seed, lambda text: print("[%s] %s" % (time.strftime("%H:%M:%S"), text), file=sys.stderr, flush=True))
    if args.json:
        print(json.dumps(figures, indent=1))
    else:
        show(figures)


if __name__ == "__main__":
    main()
