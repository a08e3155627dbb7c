#!/usr/bin/python3
"""What an answer cites, on the chat page in a real Chromium: numbers in the text, and the list of sources below it."""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "../lib"), os.path.join(HERE, "../clients")]

import node
import sdk
import tap
from harness import Uplift
from knowledge import offer
from scripted import Scripted

node.install(HERE)
SOMEBODY = "00000000-0000-4000-8000-0000000000a1"

with Scripted() as provider, Uplift(simulator=None, search=True, UPLIFT_UPSTREAM_URL=provider.url) as uplift:
    offer(uplift,
          {"title": "How to sleep well", "text": "Sleep at regular times.", "url": "https://sleep.example.org/guide?a=1"},
          {"title": "<img src=x onerror=alert(1)><b>FAQ</b>", "text": "Ask.", "url": "javascript:alert(2)"},
          {"title": "A title that goes on and on: " + "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft" * 2, "text": "Walk.",
           "url": "https://a-rather-long-name-of-a-host-that-is-not-to-widen-the-page.example.org/" + "walks" * 30},
          {"title": "Never cited", "text": "Nothing.", "url": "https://never.example.org/"})
    provider.says = ("Go to bed at the same time [1], also on weekends [1, 2]. Then walk a little [3].\n\n- Keep the phone away [2]\n- `list[1]` stays\n\n"
                     "```python\nprint(hours[1])\n```\n\nNot everything [9] is a source.")
    sdk.run("../browser/citations.mjs", {"PAGE_URL": uplift.url, "PAGE_ANON_KEY": uplift.anon_key, "PAGE_TOKEN": uplift.token(SOMEBODY),
                                         "SHOTS": os.environ.get("SHOTS", "")})
tap.done()
