#!/usr/bin/python3
"""fcgi-batch run simulate-experiments: what experiments are judged by keeps its promises on made-up users, the same
figures come for the same seed, a promise that is not kept is told, and so are arguments that are no good."""

import json
import math
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from build import program  # noqa: E402
from tap import contains, done, equal, ok  # noqa: E402

# No configuration: it is not asked for.
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith(("UPLIFT_", "DATABASE_URL"))}


def run(*words, first=()):
    return subprocess.run([program("fcgi-batch"), *first, "run", "simulate-experiments", *words], capture_output=True, text=True,
                          env=ENVIRONMENT)


def figures_of(result):
    object = json.loads(result.stdout)
    return object, {row["name"]: row["value"] for row in object["rows"]}


def promises():
    """Worked out here once more, from the figures alone."""
    result = run("--quick", "--json")
    equal(result.returncode, 0, "quick: all goals are met")
    contains(result.stderr, "2000 of 2000", "quick: how far it is goes to stderr")
    object, v = figures_of(result)
    n = object["experiments"]
    error = 3 * math.sqrt(.05 * .95 / n)
    ok(object["goals_met"] and all(row.get("met", True) for row in object["rows"]), "quick: and says so")
    ok(v["aa_always_valid_each_day"] <= .05 + error, "A/A: looked at each day, few false winners by the always-valid test",
       v["aa_always_valid_each_day"])
    ok(v["aa_fixed_at_end"] <= .05 + error, "A/A: nor at the end by the fixed one", v["aa_fixed_at_end"])
    ok(v["aa_fixed_each_day"] > .05 + error, "A/A: many by that, looked at each day", v["aa_fixed_each_day"])
    ok(v["aa_naive_each_day"] > v["aa_naive_at_end"] > .05 + error, "A/A: and more with answers taken as independent",
       (v["aa_naive_each_day"], v["aa_naive_at_end"]))
    ok(v["srm_sequential"] <= .001 + 3 * math.sqrt(.001 * .999 / n) and v["srm_found_at_end"] > .9,
       "sample ratio: few false alarms, and a real one is found", (v["srm_sequential"], v["srm_found_at_end"]))
    for name in ("ab_fixed_at_end", "ab_shares"):
        ok(abs(v[name] - .8) <= max(.03, 3 * math.sqrt(.8 * .2 / n)), "A/B: the power that was promised: " + name, v[name])
    coverage = {name: value for name, value in v.items() if name.startswith("coverage_")}
    ok(len(coverage) == 6 and min(coverage.values()) >= .95 - error, "A/B: intervals have the true difference in them", coverage)
    ok(abs(v["cuped_reported"] - .27) < .02, "CUPED: removes rho² of the variance, of those with a value from before", v["cuped_reported"])
    equal(object["share_users"], 2036, "the calculator's number of users, 12 to 15 %")
    table = run("--quick")
    equal(table.returncode, 0, "quick: as a table")
    shown = [float(share) for share in re.findall(r"▏ +([\d.]+) %", table.stdout)]
    ok(len(shown) == len(v) and all(abs(x - 100 * y) < .0501 for x, y in zip(shown, v.values())), "the table has the same figures")
    ok("✗" not in table.stdout and table.stdout.count("✓") == sum("goal" in row for row in object["rows"]), "the table ticks each goal")


def reproducible():
    words = ("--experiments", "60", "--users", "400", "--days", "5", "--json", "--seed")

    def rows(seed, *more):
        return json.loads(run(*words, seed, *more).stdout)["rows"]
    one = rows("7", "--threads", "1")
    equal(rows("7", "--threads", "3"), one, "the same seed gives the same figures, with any number of threads")
    ok(rows("8") != one, "another seed gives others")


def missed():
    """With a hundred users an arm, of whom few say much, often nothing can be said."""
    words = ("--experiments", "500", "--users", "200", "--days", "14")
    result = run(*words)
    equal(result.returncode, 1, "too few users: a goal is missed")
    line = re.search(r"goal missed: (.*): ([\d.]+) %, 80\.0 ± ", result.stderr)
    ok(line and "power" in line.group(1) and float(line.group(2)) < 75, "too few users: it is named, with its figure", result.stderr)
    equal(result.stdout.count("✗"), result.stderr.count("goal missed"), "too few users: the table shows it")
    result = run(*words, "--json")
    equal(result.returncode, 1, "too few users: so it is with JSON")
    object, _ = figures_of(result)
    equal((object["goals_met"], [row["name"] for row in object["rows"] if row.get("met") is False][0]), (False, "ab_fixed_at_end"),
          "too few users: which says it, too")
    result = run("--users", "100", "--days", "2")
    equal((result.returncode, result.stdout), (1, ""), "no difference that is possible: is refused")
    contains(result.stderr, "give it more --users", "no difference that is possible: with advice")


def arguments():
    for words, part in ((("--experiments", "19"), "--experiments takes a whole number from 20 to 100000, not 19"),
                        (("--experiments", "100001"), "not 100001"), (("--experiments", "1e3"), "not 1e3"), (("--experiments", ""), "whole number"),
                        (("--days", "1"), "from 2 to 365"), (("--users", "-5"), "from 100 to 100000"), (("--seed", "x"), "not x"),
                        (("--seed", "99999999999999999999"), "from 0 to"), (("--threads", "0"), "from 1 to 64"), (("--seed",), "not --seed"),
                        (("200",), "not 200"), (("--quick", "--fast"), "not --fast"), (("--help",), "takes --experiments N, --days N")):
        result = run(*words)
        equal((result.returncode, result.stdout), (2, ""), "arguments %r: are refused as such" % (words,))
        contains(result.stderr, part, "arguments %r: with a word on it" % (words,))


def with_configuration():
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
        file.write("DATABASE_URL=host=/nowhere\nUPLIFT_JWT_SECRET=a secret for tests only, of more than 32 bytes\n")
        file.flush()
        result = run("--experiments", "20", "--users", "400", "--days", "3", "--json", first=("--config", file.name))
    ok(len(figures_of(result)[1]) > 15, "a configuration does no harm, and its database is not asked")


promises()
reproducible()
missed()
arguments()
with_configuration()
done()
