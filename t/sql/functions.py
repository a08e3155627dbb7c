#!/usr/bin/python3
"""The pgTAP tests of sql/functions: each file of t/sql/functions against one installed database.

They are run as a superuser, in transactions that are rolled back; schema and demo data are loaded
by an owner who is not. One file by hand: psql -X -f t/sql/functions/chat.sql <database>
"""

import glob
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, ROOT + "/t/lib")
from cluster import Cluster  # noqa: E402
from tap import done, equal, ok  # noqa: E402

LINE = re.compile(r"(not )?ok \d+(?: - (.*))?$")


def replay(name, text):
    """Counts a file's own results among ours, each with what pgTAP says about its failure."""
    lines = text.splitlines()
    planned = [int(line[3:]) for line in lines if re.match(r"1\.\.\d+$", line)]
    ran = 0
    for at, line in enumerate(lines):
        match = LINE.match(line)
        if match:
            ran += 1
            why = []
            for comment in lines[at + 1:]:
                if not comment.startswith("#"):
                    break
                why.append(comment[1:])
            ok(not match.group(1), "%s: %s" % (name, match.group(2)), "\n".join(why))
    equal([ran], planned, name + ": all that was planned was run")


cluster = Cluster()
cluster.start()
result = cluster.psql("template1", sql="create role uplift_owner login createrole")
cluster.createdb("functions", owner="uplift_owner")
result = cluster.psql("functions", sql="create extension pgtap")
ok(result.returncode == 0, "pgTAP is there", result.stderr)
for script in ("install.sql", "demo.sql", "demo.sql"):
    result = cluster.psql("functions", file=ROOT + "/sql/" + script, user="uplift_owner")
    equal((result.returncode, result.stdout, result.stderr), (0, "", ""), script + " is loaded without a word")

for path in sorted(glob.glob(ROOT + "/t/sql/functions/*.sql")):
    name = os.path.basename(path)
    result = cluster.psql("functions", file=path)
    replay(name, result.stdout)
    equal((result.returncode, result.stderr), (0, ""), name + ": ran to its end")
cluster.stop()
done()
