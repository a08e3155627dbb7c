#!/usr/bin/python3
"""uplift.js and markdown.js without a browser, by node:test."""

import os

os.chdir(os.path.dirname(os.path.abspath(__file__)))
os.execvp("node", ["node", "--test-reporter=tap", "modules.mjs"])
