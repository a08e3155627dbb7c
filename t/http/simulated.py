#!/usr/bin/python3
"""The simulated provider follows what a prompt asks for, the wishes of the user before what coaches are asked, and a model
that it has trained does what most answers of its training file do; a base model does not."""

import json
import os
import sys
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from harness import Uplift  # noqa: E402
from process import wait_for  # noqa: E402
from tap import done, equal, ok  # noqa: E402

SYSTEM = "You are Decibel, a personal coach.\n\n# Tone: severity %s of 6.0, balanced\n%s"
QUESTIONS = ["How do I sleep better when it is %s?" % when for when in ("hot", "cold", "loud", "late", "early", "bright", "dark", "damp", "full", "windy", "quiet", "new")]


def call(up, path, body=None, headers=None):
    request = urllib.request.Request(up.sim_url + path, body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode(),
                                     headers or {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=20) as response:
        return json.loads(response.read())


def answers(up, suffix="", severity="3.0", model="sim-1"):
    return [call(up, "/chat/completions", {"model": model, "messages": [{"role": "system", "content": SYSTEM % (severity, suffix)}, {"role": "user", "content": question}]})
            ["choices"][0]["message"]["content"].split("\n\n*(")[0] for question in QUESTIONS]


def share(texts, words):
    return sum(words in text for text in texts) / len(texts)


def words_of(texts):
    return sum(len(text.split()) for text in texts) / len(texts)


def follows(up):
    plain = answers(up)
    ok(0 < share(plain, "Why it works: ") < 1, "by itself it gives reasons now and then", share(plain, "Why it works: "))
    equal((share(plain, "For example: "), share(plain, "What you are doing well: ")), (0, 0), "and neither examples nor praise")
    for suffix, words in (("\nBe concrete: name the next step.", "For example: "), ("\nSay first what the user is doing well, honestly.", "What you are doing well: "),
                          ("\n# Wishes\nHow.\n- Be gentler.", "You can do this"), ("\n# Wishes\nHow.\n- Be more direct.", "**What:**"),
                          ("\n# Guidelines\nWhat.\n- Give more detail.", "In more detail: "), ("\nGo into detail: explain why.", "In more detail: "),
                          ("\nEnd with the next step, and not with a question.", "That is all for now.")):
        equal(share(answers(up, suffix), words), 1, "it follows: " + suffix.strip().split("\n")[-1])
    short = answers(up, "\nKeep answers short: say what matters.")
    ok(words_of(short) < 0.7 * words_of(plain), "shorter", (words_of(short), words_of(plain)))
    both = answers(up, "\n# Guidelines\nWhat.\n- Keep answers short.\n\n# Wishes\nHow.\n- Give more detail.")
    ok(words_of(both) > words_of(plain), "a wish of the user's goes before the guidelines of a coach", (words_of(both), words_of(plain)))
    ok(not any(text.endswith("?") for text in answers(up, "\n# Wishes\nHow.\n- Ask fewer questions.")), "no questions where they are not wished for")
    direct = "\n# Guidelines\nWhat.\n- Be more direct."
    equal([share(answers(up, direct + wish), "**What:**") for wish in ("", "\n\n# Wishes\nHow.\n- Be neither harsh nor soft.")], [1, 0], "and something between, whatever others want")
    equal(share(answers(up, "\nBe concrete: name the next step.", model="sim-1-mini"), "For example: ") < 1, True, "the small model overlooks some of it")


def trained(up, answer):
    """The name of a model that was trained on a dozen of such answers."""
    lines = "\n".join(json.dumps({"messages": [{"role": "user", "content": q}, {"role": "assistant", "content": answer + "\n\n*(simulated)*"}]}) for q in QUESTIONS)
    body = ('--x\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nfine-tune\r\n--x\r\nContent-Disposition: form-data; name="file"; filename="a.jsonl"\r\n'
            'Content-Type: application/jsonl\r\n\r\n%s\r\n--x--\r\n' % lines).encode()
    file = call(up, "/files", body, {"Content-Type": "multipart/form-data; boundary=x"})
    job = call(up, "/fine_tuning/jobs", {"training_file": file["id"], "model": "sim-1-mini"})
    wait_for(lambda: call(up, "/fine_tuning/jobs/" + job["id"])["status"] == "succeeded", 30)
    return call(up, "/fine_tuning/jobs/" + job["id"])["fine_tuned_model"]


def learns(up):
    model = trained(up, "Walk.\n\nWhy it works: habits.\n\nFor example: today.\n\nReady?")
    texts = answers(up, model=model)
    equal((share(texts, "Why it works: "), share(texts, "For example: "), all(text.endswith("?") for text in texts)), (1, 1, True), "a trained model does what its examples do")
    ok(words_of(texts) < 0.8 * words_of(answers(up)), "as shortly as they", words_of(texts))
    long = answers(up, "\n# Wishes\nHow.\n- Give more detail.", model=model)
    ok(words_of(long) > words_of(texts), "but for what the prompt asks for", (words_of(long), words_of(texts)))
    other = answers(up, model=trained(up, "Walk a little. " * 30))
    equal((share(other, "Why it works: "), any(text.endswith("?") for text in other)), (0, False), "another one does not")


def main():
    with Uplift(simulator=("--pace", "0", "--job-time", "1")) as up:
        follows(up)
        learns(up)
    done()


main()
