#!/usr/bin/python3
"""A trainer that is a program on this host: what it says, how it fails, lies, dies, is ended, and is found again."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from harness import Uplift, wait_for  # noqa: E402
from tap import contains, done, equal, ok  # noqa: E402
from trainer import ask, dataset, ended  # noqa: E402

PROGRAM = """#!/bin/sh
# $1 is the request; what it does is in the file beside this program.
. "$(dirname "$0")/behaviour"
"""
GOOD = """echo '{"message": "began"}'
echo 'not JSON at all'
head -c 200000 /dev/zero | tr '\\0' x; echo
for step in 1 2 3 4; do echo "{\\"step\\": $step, \\"total_steps\\": 4, \\"train_loss\\": 0.$((9 - step))}"; sleep 0.05; done
grep -c . "$(sed -n 's/.*"training_file":[^"]*"\\([^"]*\\)".*/\\1/p' "$1")" >&2
echo '{"model": "local-1", "trained_tokens": 777}'
"""
ODD = r"""echo '{"step": 1.5, "train_loss": 1}'
echo '{"step": 1e300, "total_steps": 1e-300, "trained_tokens": 1e300, "train_loss": 1e300}'
echo '{"step": -1, "total_steps": 0, "message": null, "model": 7}'
echo '{"message": "\u0000"}'
echo '[]'; echo 'null'; printf '\377\376\n'
for i in 1 2 3 4 5 6 7 8 9 10; do printf 'ääääääääääääääääääääääääääääää'; done; echo
echo '{"model": "odd-1"}'
echo '{"model": "'$(head -c 300 /dev/zero | tr '\0' m)'"}'
"""


def command(up):
    directory = up.dir + "/batch/program"
    os.makedirs(directory)
    path = directory + "/train"
    with open(path, "w") as file:
        file.write(PROGRAM)
    os.chmod(path, 0o755)
    os.chmod(directory, 0o777)  # the program runs as another user
    data, unpaired = dataset(up, "Command"), dataset(up, "Command unpaired", "unpaired")
    up.stop_batch()
    up.start_batch(UPLIFT_TRAINER="command", UPLIFT_TRAINER_COMMAND=path)

    def behave(text):
        with open(directory + "/behaviour", "w") as file:
            file.write(text)

    def run(text, dataset_id=data):
        behave(text)
        return ended(up, ask(up, dataset_id=dataset_id, base_model="llama", force=True).json())

    job = run(GOOD)
    equal((job["status"], job["model_id"], job["trained_tokens"]), ("succeeded", "local-1", 777), "a program trains a model")
    equal([p["training_loss"] for p in job["loss_curve"]], [0.8, 0.7, 0.6, 0.5], "and tells its loss curve")
    events = up.admin("GET", job["status_url"] + "/events").json()["data"]
    ok("not JSON at all" in [e["message"] for e in events], "other lines are messages")
    job = run(GOOD, unpaired)
    equal((job["status"], job["method"]), ("succeeded", "kto"), "it may do KTO")
    for text, code, words in (("exit 0", "no_model", "names no model"), ("echo oops >&2; exit 3", "trainer_failed", "ends with an error"),
                              ("kill -9 $$", "trainer_failed", "is killed"),
                              ("echo '{\"model\": \"\"}'", "no_model", "lies"), ("printf '{\"model\": \"x\"'", "no_model", "breaks off")):
        job = run(text)
        equal((job["status"], job["error"]["code"]), ("failed", code), "a program that " + words)
    contains(run("echo out of memory >&2; exit 1")["error"]["message"], "out of memory", "the end of its log is told")
    job = run(ODD)
    equal((job["status"], job["model_id"], job["trained_tokens"], job["progress_percentage"]), ("succeeded", "odd-1", None, 100),
          "a program that tells of steps, tokens and models that cannot be")
    said = [e["message"] for e in up.admin("GET", job["status_url"] + "/events").json()["data"]]
    ok("ä" * 200 in said, "a long line is cut between letters")
    equal(run("truncate -s 300M log; sleep 1000")["error"]["code"], "too_much_output", "a program that floods the disk is ended")
    behave("trap '' TERM; echo $$ >running; while :; do sleep 0.2; done")
    job = ask(up, dataset_id=data, base_model="llama", force=True).json()
    file = "%s/batch/%s/running" % (up.dir, job["id"])
    ok(wait_for(lambda: os.path.exists(file) and open(file).read().strip(), 20), "a program that never ends, and will not be told")
    up.admin("POST", job["status_url"] + "/cancel")
    equal(ended(up, job)["status"], "cancelled", "is cancelled")
    pid = open(file).read().strip()
    ok(wait_for(lambda: not os.path.exists("/proc/" + pid) or open("/proc/%s/stat" % pid).read().split(")")[1].split()[0] == "Z", 10),
       "and all it started")
    behave("for i in 1 2 3 4 5 6 7 8 9 10; do echo \"{\\\"step\\\": $i}\"; sleep 0.2; done; echo once >>\"$(dirname \"$0\")/times\"; echo '{\"model\": \"m\"}'")
    job = ask(up, dataset_id=data, base_model="llama", force=True).json()
    ok(wait_for(lambda: up.admin("GET", job["status_url"]).json().get("loss_curve"), 20), "a program that goes on")
    up.kill_batch()
    up.start_batch()
    job = ended(up, job)
    equal((job["status"], len(job["loss_curve"])), ("succeeded", 10), "while its runner is killed, is found again")
    equal(open(directory + "/times").read(), "once\n", "and was started once")
    os.unlink(up.settings["UPLIFT_TRAINER_COMMAND"])
    job = ended(up, ask(up, dataset_id=data, base_model="llama", force=True).json())
    equal(job["error"]["code"], "trainer_not_found", "a program that is there no more")


with Uplift(batch=True) as up:
    command(up)
done()
