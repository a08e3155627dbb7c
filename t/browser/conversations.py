#!/usr/bin/python3
"""Conversations on the chat page in a real Chromium: messages edited, versions paged through, answers gone on with, thoughts
folded away, code coloured (versions.mjs); found, renamed, shared, by keyboard, kept as an app (finding.mjs)."""

import os
import sys
from concurrent.futures import ThreadPoolExecutor

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "../lib"), os.path.join(HERE, "../clients")]

import node
import sdk
import tap
from harness import Uplift
from scripted import Scripted

node.install(HERE)
USERS = ["00000000-0000-4000-8000-0000000000c%d" % n for n in range(2)]
CODE = "Look:\n\n```python\ndef greet(name):\n    return \"<b>hi</b> \" + name  # 1 < 2 && 3\n```\n\nand `inline`."


def asked(body):
    return body["messages"][-1]["content"]


def says(body):
    text = asked(body)
    return CODE if "code" in text else "half, and the second one." if "cut off" in text else "The first half" if "long" in text else "You asked: " + text


with Scripted() as provider, Uplift(simulator=None, UPLIFT_UPSTREAM_URL=provider.url) as uplift:
    provider.says = says
    provider.finish_reason = lambda body: "length" if "long" in asked(body) else "stop"
    provider.thinks = [{"reasoning_content": "She wants "}, {"reasoning_content": "**an answer**. <script>hit=1</script>"}]
    with ThreadPoolExecutor() as pool:
        for _ in pool.map(lambda script, user: sdk.run("../browser/" + script, {
                "PAGE_URL": uplift.url, "PAGE_ANON_KEY": uplift.anon_key, "PAGE_TOKEN": uplift.token(user), "SHOTS": os.environ.get("SHOTS", "")}),
                ["versions.mjs", "finding.mjs"], USERS):
            pass
    found = uplift.sql("select user_message, regenerate_of is not null as is_version, outcome from public.coach_response_feedback "
                       "where user_id = %s and user_message like '%%[desktop]%%' order by created_at", USERS[0])
    tap.equal([(row["user_message"], row["is_version"]) for row in found],
              [("First [desktop]", False), ("Second [desktop]", False), ("Third [desktop]", False), ("Second, edited [desktop]", True),
               ("Fourth [desktop]", False)], "database: an edit is a version, and what is written below the past goes on with the latest")
tap.done()
