#!/usr/bin/python3
"""./dev bench, as short as it goes: it measures, and notices what is missing."""

import json
import os
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, TOP + "/t/lib")

import tap

with tempfile.TemporaryDirectory() as directory:
    out = directory + "/figures.json"
    done = subprocess.run([TOP + "/t/bench/run", "--quick", "--only", "tokens", "--out", out], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=300)
    tap.equal(done.returncode, 0, "it runs to its end")
    tap.contains(done.stdout, "answers told and not stored: 0 of ", "it prints whether answers are missing")
    with open(out) as file:
        figures = json.load(file)
for name, row in figures["tokens"].items():
    tap.ok(row["tokens"] > 1000 and row["failed"] == 0, name + ": tokens came, and nothing failed", repr(row))
tap.ok(figures["tokens"]["uplift"]["cpu_us_per_token"]["workers"] > 0, "the workers' time is seen")
tap.ok(figures["rows"]["tokens"] >= 200 and figures["missing_rows"]["tokens"] == 0, "and the rows", repr(figures["rows"]))
tap.done()
