#!/usr/bin/python3
"""The real SDKs, unchanged, against uplift over HTTPS."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import sdk
import tap
from harness import Uplift
from knowledge import offer

USER = "00000000-0000-7000-8000-0000000000a1"
OTHER = "00000000-0000-7000-8000-0000000000a2"

with Uplift(search=True) as uplift:
    # What a coach says cites it.
    offer(uplift, {"title": "Sleep", "text": "People who sleep at regular times fall asleep faster.", "url": "https://example.org/sleep"})
    token = uplift.token(USER)
    environment = {
        "CLIENT_BASE_URL": uplift.url + "/v1",
        "CLIENT_API_KEY": token,
        "CLIENT_OTHER_KEY": uplift.token(OTHER),
        "CLIENT_TARGET": "uplift",
        "CLIENT_SUPABASE_URL": uplift.url,
        "CLIENT_ANON_KEY": uplift.anon_key,
        "NODE_EXTRA_CA_CERTS": uplift.ca,
    }
    for script in ("openai.mjs", "vercel.mjs", "supabase.mjs"):
        sdk.run(script, environment)
    sdk.check_decoding(uplift.url + "/v1", token, {}, uplift.ca)
    sdk.check_decoding(uplift.url + "/v1", token, {"coach_id": "coach_maple_avatar"}, uplift.ca)
tap.done()
