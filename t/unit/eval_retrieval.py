#!/usr/bin/python3
"""fcgi-batch run eval-retrieval: its figures on a set of a few lines, worked out by hand; its ranking against BM25 as the
formula has it, on a made-up set; and what it says of files that are no good."""

import collections
import json
import math
import os
import random
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from build import program  # noqa: E402
from playing import Playing, body  # noqa: E402
from tap import contains, done, equal, ok  # noqa: E402

# No configuration: it is not asked for.
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith(("UPLIFT_", "DATABASE_URL"))}


def run(directory, *words, settings=None):
    result = subprocess.run([program("fcgi-batch"), "run", "eval-retrieval", *([directory] if directory else []), *words],
                            capture_output=True, text=True, env={**ENVIRONMENT, **(settings or {})})
    return result, json.loads(result.stdout) if result.returncode == 0 else None


def write_set(directory, texts, queries, grades):
    """texts: {id: (title, text)}, queries: {id: text}, grades: [(query, text, grade)]."""
    os.makedirs(directory + "/qrels", exist_ok=True)
    with open(directory + "/corpus.jsonl", "w") as file:
        for name, (title, text) in texts.items():
            print(json.dumps({"_id": name, "title": title, "text": text, "metadata": {}}), file=file)
    with open(directory + "/queries.jsonl", "w") as file:
        for name, text in queries.items():
            print(json.dumps({"_id": name, "text": text}), file=file)
    with open(directory + "/qrels/test.tsv", "w") as file:
        print("query-id\tcorpus-id\tscore", file=file)
        for line in grades:
            print("%s\t%s\t%d" % line, file=file)


def write(path, text):
    with open(path, "w") as file:
        file.write(text)


def by_hand(directory):
    """Ranks are plain to see: the more of a query's words a text of the same length has, the better."""
    write_set(directory, {"d1": ("", "apple pear plum"), "d2": ("", "apple pear fig"), "d3": ("", "apple kiwi fig"),
                          "d4": ("", "melon lemon lime"), "d5": ("lemon", "grape"), "q3": ("", "melon lemon lime grape")},
              {"q1": "apple pear plum", "q2": "kiwi", "q3": "melon lemon lime grape", "q4": "coconut", "q5": "apple"},
              # q1 ranks d1, d2, d3; q2 ranks d3; q3 ranks d4 and d5, in one order or the other, since the text of its own
              # id does not count; q4 finds nothing; q5 has no relevant text, and so does not count.
              [("q1", "d2", 2), ("q1", "d3", 1), ("q1", "nowhere", 1), ("q2", "d3", 1), ("q3", "d4", 1), ("q3", "d5", 1),
               ("q3", "q3", 0), ("q4", "d1", 1), ("q5", "d1", 0)])
    result, figures = run(directory)
    equal((result.returncode, result.stderr), (0, ""), "a set by hand: it runs, without a word beside the figures")
    q1 = (2 / math.log2(3) + 1 / math.log2(4)) / (2 + 1 / math.log2(3) + 1 / math.log2(4))
    equal(figures["queries"], 4, "a set by hand: a query without a relevant text does not count")
    equal(figures["texts"], 6, "a set by hand: all texts are there")
    equal(figures["unknown_texts"], 1, "a set by hand: a judgement of a text that is not there is counted")
    equal(figures["ndcg_at_10"], round((q1 + 1 + 1 + 0) / 4, 4), "a set by hand: nDCG@10")
    equal(figures["recall_at_10"], round((2 / 3 + 1 + 1 + 0) / 4, 4), "a set by hand: recall@10")
    equal(figures["recall_at_100"], figures["recall_at_10"], "a set by hand: recall@100")
    equal(figures["map"], round(((1 / 2 + 2 / 3) / 3 + 1 + 1 + 0) / 4, 4), "a set by hand: MAP")
    ok(figures["bytes"] > 0 and figures["search_cpu_ms_p99"] >= figures["search_cpu_ms_mean"] > 0, "a set by hand: time and size")


def bm25(texts, query, k1=1.5, b=.75):
    """Texts by score, best first, exactly: tokens by blanks, titles three times."""
    tokens = {name: (title + " ").split() * 3 + text.split() for name, (title, text) in texts.items()}
    mean = sum(map(len, tokens.values())) / len(tokens)
    counts = {name: collections.Counter(words) for name, words in tokens.items()}
    df = collections.Counter(word for words in counts.values() for word in words)
    scores = {}
    for name, words in counts.items():
        score = sum(math.log(1 + (len(tokens) - df[word] + .5) / (df[word] + .5)) * words[word] * (k1 + 1)
                    / (words[word] + k1 * (1 - b + b * len(tokens[name]) / mean)) for word in query.split())
        if score > 0:
            scores[name] = score
    return sorted(scores, key=lambda name: -scores[name])


def figures_of(texts, queries, grades):
    sums = collections.Counter()
    for query, text in queries.items():
        relevant = {t: g for q, t, g in grades if q == query and g > 0}
        ranked = bm25(texts, text)[:1000]
        gains = [relevant.get(name, 0) for name in ranked]
        ideal = sorted(relevant.values(), reverse=True)[:10]
        sums["ndcg_at_10"] += sum(g / math.log2(i + 2) for i, g in enumerate(gains[:10])) / sum(
            g / math.log2(i + 2) for i, g in enumerate(ideal))
        sums["recall_at_10"] += len([g for g in gains[:10] if g]) / len(relevant)
        sums["recall_at_100"] += len([g for g in gains[:100] if g]) / len(relevant)
        places = [i + 1 for i, g in enumerate(gains) if g]
        sums["map"] += sum((n + 1) / place for n, place in enumerate(places)) / len(relevant)
    return {name: value / len(queries) for name, value in sums.items()}


def against_the_formula(directory):
    """Words are numbers behind a letter, as unevenly common as words are, so that no stemmer touches them."""
    chance = random.Random(20261129)

    def words(most):
        return ["w%d" % int(3000 * chance.random() ** 3) for _ in range(chance.randint(5, most))]

    texts = {"t%d" % i: (" ".join(words(6)) if i % 3 == 0 else "", " ".join(words(120))) for i in range(1500)}
    queries, grades = {}, []
    for i in range(80):
        title, text = texts["t%d" % chance.randrange(1500)]
        queries["q%d" % i] = " ".join(chance.sample((title + " " + text).split(), 5) + words(8))
        # Relevant is what shares rare words, with some noise.
        grades += [("q%d" % i, "t%d" % t, chance.randint(1, 2)) for t in chance.sample(range(1500), 5)]
        grades += [("q%d" % i, name, 1) for name in bm25(texts, queries["q%d" % i])[:40:4]
                   if ("q%d" % i, name) not in {(q, t) for q, t, _ in grades}]
    write_set(directory, texts, queries, grades)
    result, figures = run(directory, "--language", "vi")
    equal(result.returncode, 0, "against the formula: it runs")
    for name, exact in figures_of(texts, queries, grades).items():
        ok(abs(figures[name] - exact) < .005, "against the formula: %s is that of exact BM25 within .005" % name,
           "%.4f, exact %.4f" % (figures[name], exact))


def with_embeddings(directory):
    """Words and embeddings find different texts, and both together what either does; their ranks are plain to see."""
    vectors = {"Sport\nrun far": [1, 0], "swim": [0.6, 0.8], "jog often": [0.8, -0.6], "tax": [0, -1], "jogging swim": [2, 0]}
    texts = {"run": ("Sport", "run far"), "swim": ("", "swim"), "jog": ("", "jog often"), "tax": ("", "tax"), "blank": ("", " ")}
    queries = {"a": "jogging swim", "b": "tax"}
    write_set(directory, texts, queries, [("a", "run", 1), ("a", "jog", 1), ("b", "tax", 1)])

    def answer(request):
        data = [{"index": i, "embedding": vectors[text]} for i, text in enumerate(request["input"])]
        return body({"data": data[::-1]})
    with Playing() as provider:
        settings = {"UPLIFT_EMBEDDINGS_URL": provider.url, "UPLIFT_EMBEDDINGS_KEY": "sk-of-tests", "DATABASE_URL": "host=/nowhere",
                    "UPLIFT_JWT_SECRET": "a secret for tests only, of more than 32 bytes"}
        provider.plays(answer)
        result, figures = run(directory, "--embeddings", settings=settings)
        equal((result.returncode, result.stderr), (0, ""), "with embeddings: it runs, and asks no database")
        equal([request["input"] for request in provider.seen], [["Sport\nrun far", "swim", "jog often", "tax"], ["jogging swim", "tax"]],
              "with embeddings: texts are sent together, with their titles, and none that is blank")
        equal(figures["dimensions"], 2, "with embeddings: as many numbers as they have")

        def quality(ranks, relevant):
            """nDCG and MAP of a query whose relevant texts are at these ranks."""
            return (sum(1 / math.log2(r + 1) for r in ranks) / sum(1 / math.log2(i + 2) for i in range(relevant)),
                    sum((i + 1) / r for i, r in enumerate(ranks)) / relevant)

        def mean(a, b):
            return [round((x + y) / 2, 4) for x, y in zip(quality(*a), quality(*b))]

        def shown(f):
            return [f["ndcg_at_10"], f["map"]]
        # By words "a" has swim before jog, whose text is longer; by embeddings run, jog, swim, tax.
        equal(shown(figures), mean(([2], 2), ([1], 1)), "with embeddings: words")
        equal(shown(figures["embeddings"]), mean(([1, 2], 2), ([1], 1)), "with embeddings: embeddings, by the cosine")
        equal((figures["recall_at_10"], figures["embeddings"]["recall_at_10"], figures["hybrid"]["recall_at_10"]), (0.75, 1, 1), "with embeddings: recall")
        # swim 1/61 + 1/63, jog 1/62 + 1/62, run 1/61: swim is a hair before jog.
        equal(shown(figures["hybrid"]), mean(([2, 3], 2), ([1], 1)), "with embeddings: both, by their places")

        provider.plays(body({"error": {"message": "wrong key sk-of-tests"}}, status="401 Unauthorized"))
        result, _ = run(directory, "--embeddings", settings=settings)
        equal((result.returncode, result.stdout), (1, ""), "with embeddings: a server that refuses ends it")
        contains(result.stderr, "corpus.jsonl: the embeddings server answered 401", "with embeddings: which it says")
        ok("sk-of-tests" not in result.stderr, "with embeddings: without the key")
    settings.pop("UPLIFT_EMBEDDINGS_URL")
    result, _ = run(directory, "--embeddings", settings=settings)
    equal(result.returncode, 2, "with embeddings: without a server it is refused")
    contains(result.stderr, "UPLIFT_EMBEDDINGS_URL", "with embeddings: and says what is missing")


def bad_files(directory):
    def refused(what, *parts, words=()):
        result, _ = run(directory, *words)
        equal((result.returncode, result.stdout), (1, ""), what + ": is refused, without figures")
        for part in parts:
            contains(result.stderr, part, what + ": says " + part)

    refused("no directory", "could not open " + directory + "/corpus.jsonl: No such file or directory")
    good = ({"a": ("", "tea")}, {"q": "tea"}, [("q", "a", 1)])
    write_set(directory, *good)
    equal(run(directory)[0].returncode, 0, "a good set is taken")
    for file, text, parts in (
            ("corpus.jsonl", "", ["corpus.jsonl: is empty"]),
            ("corpus.jsonl", '{"_id": "a", "text": "x"}\n\n{"_id": 1, "text": "x"}\n', ["corpus.jsonl, line 3: has no _id"]),
            ("corpus.jsonl", '{"_id": "a"}\n', ["line 1: has no _id, or no text"]),
            ("corpus.jsonl", '{"_id": "a", "text": "x"\n', ["corpus.jsonl, line 1: "]),
            ("corpus.jsonl", '{"_id": "a", "text": "x"}\n' * 2, ["_id a is there twice"]),
            ("queries.jsonl", "[]\n", ["queries.jsonl, line 1: "]),
            ("queries.jsonl", "\0\n", ["queries.jsonl, line 1: "]),
            ("qrels/test.tsv", "q\n", ["test.tsv, line 1: is not query, text and grade with tabs"]),
            ("qrels/test.tsv", "q\ta\tx\nq\ta\ty\n", ["test.tsv, line 2: the grade y is not a whole number"]),
            ("qrels/test.tsv", "other\ta\t1\n", ["line 1: there is no query other"]),
            ("qrels/test.tsv", "q\ta\t0\n", ["no query has a relevant text"]),
            ("qrels/test.tsv", "", ["no query has a relevant text"])):
        write_set(directory, *good)
        write(directory + "/" + file, text)
        refused("%s with %r" % (file, text[:40]), *parts)
    write_set(directory, *good)
    write(directory + "/qrels/test.tsv", "q\ta\t1\r\n\r\n")
    equal(run(directory)[1]["ndcg_at_10"], 1, "neither a line of headings nor a Unix line end is needed")
    os.rename(directory + "/qrels/test.tsv", directory + "/qrels/train.tsv")
    refused("no qrels", "could not open")
    for words, part in (((), "takes a directory"), (("--language",), "not --language"), (("x", "--language", "english"), "two letters"),
                        (("x", "y"), "not y")):
        result, _ = run(None, *words)
        equal(result.returncode, 2, "arguments %r: are refused as such" % (words,))
        contains(result.stderr, part, "arguments %r: with a word on it" % (words,))


with tempfile.TemporaryDirectory() as scratch:
    by_hand(scratch + "/hand")
    against_the_formula(scratch + "/formula")
    with_embeddings(scratch + "/embeddings")
    bad_files(scratch + "/bad")
done()
