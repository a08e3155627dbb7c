#!/usr/bin/python3
"""What coaches remember, on the chat page in a real Chromium: seen, added, forgotten, and turned off."""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "../lib"), os.path.join(HERE, "../clients")]

import node
import sdk
import tap
from harness import Uplift

node.install(HERE)
SOMEBODY = "00000000-0000-4000-8000-0000000000a1"  # of whom nothing is known

with Uplift() as uplift:
    sdk.run("../browser/memories.mjs", {"PAGE_URL": uplift.url, "PAGE_ANON_KEY": uplift.anon_key, "PAGE_TOKEN": uplift.token(SOMEBODY)})
tap.done()
