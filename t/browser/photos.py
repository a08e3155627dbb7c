#!/usr/bin/python3
"""Photos of meals on the chat page in a real Chromium: taken, looked at, corrected, shown to the coach, deleted."""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "../lib"), os.path.join(HERE, "../clients")]

import node
import pictures
import sdk
import tap
from harness import Uplift

node.install(HERE)
SOMEBODY = "00000000-0000-4000-8000-0000000000b7"

with Uplift() as uplift:
    files = {}
    dinner = (pictures.SALMON, pictures.SALMON, pictures.BROCCOLI)
    for name, colours, size in (("MEAL", dinner, 120), ("SAME", dinner, 240), ("OTHER", (pictures.EGGS, pictures.SALAD), 120), ("EMPTY", (), 120)):
        files["PAGE_" + name] = "%s/%s.png" % (uplift.dir, name.lower())
        with open(files["PAGE_" + name], "wb") as file:
            file.write(pictures.meal(*colours, size=size))
    sdk.run("../browser/photos.mjs", {"PAGE_URL": uplift.url, "PAGE_ANON_KEY": uplift.anon_key, "PAGE_TOKEN": uplift.token(SOMEBODY), **files})
    tap.equal(uplift.value("select count(*) from uplift.food_photos where user_id = %s", SOMEBODY), 2, "what was deleted is gone, and the others are there")
    tap.contains(uplift.value("select p.system_prompt from uplift.answer_prompts p join public.coach_response_feedback a on a.id = p.answer_id"
                              " where a.user_message = 'What do you think of this meal?' limit 1"), "<meal>trout 150 g", "the coach was told what is on it")
tap.done()
