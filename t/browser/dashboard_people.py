#!/usr/bin/python3
"""People, coaches, privacy and settings on the dashboard in a real Chromium."""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "../lib"), os.path.join(HERE, "../clients")]

import node
import sdk
import tap
from harness import Uplift

node.install(HERE)
ANN = "00000000-0000-4000-8000-0000000000a3"
BOB = "00000000-0000-4000-8000-0000000000a4"

with Uplift(batch=True) as uplift:
    said = uplift.post("/v1/chat", {"message": "How do I sleep, violet otter?"}, user=ANN).json()["feedbackId"]
    uplift.post("/v1/chat", {"message": "And I?"}, user=BOB)
    uplift.post("/v1/feedback/" + said, {"helpful": False, "rating": 2, "feedback_text": "too long"}, user=ANN)
    uplift.request("PUT", "/v1/preferences", {"training_consent": True}, user=ANN)
    uplift.sql("update auth.users set email = 'ann@example.com', raw_user_meta_data = '{\"full_name\": \"Ann Archer\"}' where id = %s", ANN)
    sdk.run("../browser/dashboard_people.mjs", {"PAGE_URL": uplift.url, "PAGE_ANON_KEY": uplift.anon_key, "PAGE_TOKEN": uplift.token(ANN),
                                                "PAGE_ADMIN": uplift.admin_token(), "PAGE_ANN": ANN})
    tap.equal(uplift.value("select count(*) from public.coach_response_feedback where user_id = %s", ANN), 0, "nothing of who was erased is in the database any more")
    tap.equal(uplift.value("select value from uplift.settings where key = 'retention.answers_days'"), 400, "what was set holds")
tap.done()
