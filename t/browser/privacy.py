#!/usr/bin/python3
"""All that is kept of a person, on the chat page in a real Chromium: downloaded, and erased."""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "../lib"), os.path.join(HERE, "../clients")]

import node
import sdk
import tap
from harness import Uplift

node.install(HERE)
SOMEBODY = "00000000-0000-4000-8000-0000000000a2"  # of whom nothing is known

with Uplift() as uplift:
    sdk.run("../browser/privacy.mjs", {"PAGE_URL": uplift.url, "PAGE_ANON_KEY": uplift.anon_key, "PAGE_TOKEN": uplift.token(SOMEBODY)})
    tap.equal(uplift.value("select count(*) from public.coach_response_feedback where user_id = %s", SOMEBODY), 0, "nothing is in the database any more")
tap.done()
