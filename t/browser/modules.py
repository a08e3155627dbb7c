#!/usr/bin/python3
"""uplift.js and markdown.js without a browser, by node:test."""

import os
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE) + "/lib")
from build import copy_page  # noqa: E402

directory = tempfile.mkdtemp(prefix="uplift-page.", dir="/tmp")
try:
    copy_page(directory + "/html")
    with open(directory + "/html/package.json", "w") as file:
        file.write('{"type": "module"}')
    status = subprocess.run(["node", "--test-reporter=tap", "modules.mjs"], cwd=HERE,
                            env={**os.environ, "PAGE_DIR": directory + "/html"}).returncode
finally:
    shutil.rmtree(directory)
sys.exit(status)
