#!/usr/bin/python3
"""The page's words: the same in each language, none left in the code; and German in a real Chromium."""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "../lib"), os.path.join(HERE, "../clients")]

import node
import sdk
import tap
from build import TOP
from harness import Uplift

node.install(HERE)
sdk.run("../browser/words.mjs", {"PAGE_DIR": TOP + "/nginx/html"})
SOMEBODY = "00000000-0000-4000-8000-0000000000a3"

with Uplift() as uplift:
    uplift.post("/v1/memories", {"text": "I train on Tuesdays"}, user=SOMEBODY)
    sdk.run("../browser/language.mjs", {"PAGE_URL": uplift.url, "PAGE_ANON_KEY": uplift.anon_key, "PAGE_TOKEN": uplift.token(SOMEBODY),
                                        "SHOTS": os.environ.get("SHOTS", "")})
tap.done()
