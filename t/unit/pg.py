#!/usr/bin/python3
"""Starts a Postgres for pg_calls and runs it; its output is the test's."""

import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import build  # noqa: E402
from cluster import Cluster  # noqa: E402

program = build.program("t/unit/pg_calls")
cluster = Cluster()
cluster.start()
cluster.createdb("calls")
# As the server's own user, for the tests freeze server processes.
command = cluster._as_user(["env", "PG_CONNINFO=" + cluster.conninfo("calls"), program])
sys.exit(subprocess.run(command, cwd="/").returncode)
