#!/usr/bin/python3
"""Runs pool_calls with a Postgres; its output is the test's."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import build  # noqa: E402
from cluster import run_program  # noqa: E402

sys.exit(run_program(build.program("t/unit/pool_calls")))
