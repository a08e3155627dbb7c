#!/usr/bin/python3
"""uplift.js, markdown.js and what signs people in without a browser, by node:test."""

import os
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE) + "/lib")
from build import copy_page  # noqa: E402
from node import strict_modules  # noqa: E402

directory = tempfile.mkdtemp(prefix="uplift-page.", dir="/tmp")
try:
    copy_page(directory + "/html")
    status = subprocess.run(["node", *strict_modules(), "--test-reporter=tap", "modules.mjs"], cwd=HERE,
                            env={**os.environ, "PAGE_DIR": directory + "/html"}).returncode
finally:
    shutil.rmtree(directory)
sys.exit(status)
