#!/usr/bin/python3
"""fcgi-batch run eval-retrieval --memory: how well earlier conversations are found, on a set in LoCoMo's layout."""

import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

from harness import Uplift  # noqa: E402
from tap import contains, done, equal, ok, run  # noqa: E402

TALK = {
    "speaker_a": "Ann", "speaker_b": "Bob",
    "session_1_date_time": "1:56 pm on 8 May, 2023",
    "session_1": [{"speaker": "Ann", "dia_id": "D1:1", "text": "I bought a red bicycle."}, {"speaker": "Bob", "dia_id": "D1:2", "text": "How much was it?"},
                  {"speaker": "Ann", "dia_id": "D1:3", "text": "Two hundred, from my neighbour."}],
    "session_2_date_time": "9:00 am on 1 June, 2023",
    "session_2": [{"speaker": "Bob", "dia_id": "D2:1", "text": "My lentil soup was a success."}, {"speaker": "Ann", "dia_id": "D2:2", "text": "\U0001f389"}],
    "session_10": [{"speaker": "Ann", "dia_id": "D10:%d" % n, "text": "We talked about the weather again, day %d." % n} for n in range(1, 40)],
}
QUESTIONS = [{"question": "What colour is the bicycle?", "evidence": ["D1:1"], "category": 1},
             {"question": "What did the bicycle cost?", "evidence": ["D1:1; D1:3"], "category": 1},
             {"question": "Who made lentil soup in June?", "evidence": ["D2:1"], "category": 2},
             {"question": "Where is the violin?", "evidence": ["D1:2"], "category": 3},
             {"question": "Of what nobody spoke?", "evidence": ["D7:7"], "category": 3},
             {"question": "Without evidence?", "evidence": [], "category": 3}]


def ask(value, name="talk.json"):
    path = uplift.dir + "/" + name
    with open(path, "w") as file:
        file.write(value if isinstance(value, str) else json.dumps(value))
    os.chmod(path, 0o644)
    return uplift.batch_run("run", "eval-retrieval", "--memory", path)


def counts():
    return uplift.sql("select (select count(*) from uplift.passages) as passages, (select count(*) from uplift.passage_words) as words,"
                      " (select count(*) from public.coach_response_feedback) as answers, (select count(*) from auth.users) as users")


def figures():
    before = counts()
    result = ask([{"conversation": TALK, "qa": QUESTIONS}, {"conversation": TALK, "qa": QUESTIONS[:1]}])
    equal((result.returncode, result.stderr), (0, "1 samples\n2 samples\n"), "it runs")
    found = json.loads(result.stdout)
    equal((found["samples"], found["turns"], found["questions"]), (2, 88, 5), "the samples, turns and questions with evidence")
    equal((found["by_category"]["1"]["questions"], found["by_category"]["1"]["recall@5"]), (3, 1), "evidence is found, also what came after it")
    equal(found["by_category"]["2"]["recall@10"], 1, "and by its date")
    equal((found["by_category"]["3"]["recall@5"], found["by_category"]["3"]["recall@10"]), (0, 0), "what has no word of it is not")
    equal((found["recall@5"], found["recall@10"]), (0.8, 0.8), "in all")
    equal(counts(), before, "nothing of it is kept")
    equal(json.loads(ask({"conversation": TALK, "qa": QUESTIONS[:1]}).stdout)["recall@5"], 1, "one sample by itself")


def wrong():
    for value, words in (("", "JSON"), ("{", "JSON"), ("[1]", "a sample is"), ([{"conversation": [], "qa": []}], "a sample is"),
                         ([{"conversation": {}}], "a sample is")):
        result = ask(value)
        equal((result.returncode, result.stdout), (1, ""), "wrong: %.40s" % json.dumps(value))
        ok(words in result.stderr or "fcgi-batch: " in result.stderr, "wrong: it says why", result.stderr)
    for session in ([1, "x", None, {}], [{"dia_id": "D1:1", "text": None}], [[]], "x"):
        equal(ask([{"conversation": {"session_1": session, "session_1_date_time": "never"}, "qa": [{"question": 1, "evidence": [1]}, 7]}]).returncode, 0,
              "odd: %s" % json.dumps(session))
    result = uplift.batch_run("run", "eval-retrieval", "--memory", uplift.dir + "/none.json")
    equal(result.returncode, 1, "no file")
    contains(result.stderr, "No such file", "no file: it says so")
    equal(uplift.batch_run("run", "eval-retrieval", "--memory").returncode, 2, "a file is needed")


with Uplift(batch=True) as uplift:
    run(figures, wrong)
done()
