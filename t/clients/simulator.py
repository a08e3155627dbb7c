#!/usr/bin/python3
"""The SDKs against the simulated provider alone: what it must get right before uplift can."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import sdk
import tap
from provider import Simulator

with Simulator("--pace", "0", "--job-time", "1") as provider:
    environment = {"CLIENT_BASE_URL": provider.url, "CLIENT_TARGET": "simulator"}
    for script in ("openai.mjs", "vercel.mjs"):
        sdk.run(script, environment)
    sdk.check_decoding(provider.url, "sk-simulated", {})
tap.equal(provider.statuses, [0, 0], "simulator and nginx end well when told to")
tap.equal(provider.output, "", "and said nothing on the way")
tap.done()
