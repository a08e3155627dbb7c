#!/usr/bin/python3
"""One question on the chat page in a real Chromium: that all of it is in place. page.py looks at the rest."""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "../lib"), os.path.join(HERE, "../clients")]

import node
import sdk
import tap
from harness import Uplift

node.install(HERE)
with Uplift() as uplift:
    sdk.run("../browser/start.mjs", {"PAGE_URL": uplift.url, "PAGE_ANON_KEY": uplift.anon_key, "PAGE_TOKEN": uplift.token()})
tap.done()
