#!/usr/bin/python3
"""uplift.js and markdown.js without a browser, by node:test."""

import os
import sys

os.chdir(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, "../lib")
from node import strict_modules  # noqa: E402

os.execvp("node", ["node", *strict_modules(), "--test-reporter=tap", "modules.mjs"])
