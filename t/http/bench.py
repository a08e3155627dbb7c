#!/usr/bin/python3
"""./dev bench, as short as it goes: it measures, notices what is missing, and keeps what it has when it is stopped."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, TOP + "/t/lib")

import tap
from build import program


def start(*arguments, top=TOP, **environment):
    return subprocess.Popen([top + "/t/bench/run", "--quick", *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True, env={**os.environ, **environment})


def stopped(directory):
    """Is interrupted in the second part: the first one was printed when it was done, and is kept."""
    out = directory + "/figures.json"
    bench = start("--only", "tokens", "--only", "open", "--out", out)
    seen = ""
    for line in bench.stdout:
        seen += line
        if "streams at once" in line:
            bench.send_signal(signal.SIGINT)
            break
    tap.like(seen, r"(?s)200 streams of 50 tokens a second: CPU.*uplift +nginx.*streams at once", "a table is printed before the next part begins")
    rest = bench.communicate(timeout=120)[0]
    tap.equal(bench.returncode, 130, "an interrupt stops it")
    tap.contains(rest, "the figures are in " + out, "it says where that is which it has")
    tap.ok("Traceback" not in rest, "and nothing else", rest)
    with open(out) as file:
        figures = json.load(file)
    tap.equal([name in figures for name in ("tokens", "open")], [True, False], "the part that was done is kept, the other one not")
    check_tokens(figures, seen + rest)


def check_tokens(figures, said):
    for name, row in figures["tokens"].items():
        tap.ok(row["tokens"] > 1000 and row["failed"] == 0, name + ": tokens came, and nothing failed", repr(row))
    tap.ok(figures["tokens"]["uplift"]["cpu_us_per_token"]["workers"] > 0, "the workers' time is seen")
    tap.ok(figures["rows"]["tokens"] >= 200 and figures["missing_rows"]["tokens"] == 0, "and the rows", repr(figures["rows"]))
    tap.contains(said, "answers told and not stored: 0 of ", "it prints whether answers are missing")


def lacking(directory):
    """Without its load generator and wrk it does not begin. In a tree of its own, where no other build is."""
    shutil.copytree(TOP + "/t", directory + "/t", ignore=shutil.ignore_patterns("node_modules", "__pycache__"))
    for name in ("fcgi-chat", "fcgi-batch"):
        os.symlink(program(name), directory + "/" + name)
    os.mkdir(directory + "/bin")
    for name in ("python3", "npm", "node"):
        os.symlink("/usr/bin/" + name, directory + "/bin/" + name)
    bench = start("--out", directory + "/none.json", top=directory, UPLIFT_BUILD=directory, PATH=directory + "/bin")
    said = bench.communicate(timeout=60)[0]
    tap.equal(bench.returncode, 1, "without what it needs it fails")
    tap.equal(sorted(re.findall(r"^  ([\w/-]+):", said, re.M)), ["chromium", "curl", "t/bench/load", "t/unit/describe", "valgrind", "wrk"], "and names all that is missing")
    tap.ok("a Postgres that syncs" not in said and not os.path.exists(directory + "/none.json"), "before it begins anything", said)


def main():
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        stopped(directory)
        lacking(directory)
    tap.done()


main()
