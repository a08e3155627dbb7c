#!/usr/bin/python3
"""What a provider says of tokens is believed as far as it can be: whatever it says, the answer is given, and has its row."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

from harness import Uplift
from scripted import Scripted
from tap import done, equal, ok

ANN = "00000000-0000-7000-8000-0000000000a1"
HUGE = 100000000  # more cannot be


def counts(prompt, completion, cached=0):
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": 0, "prompt_tokens_details": {"cached_tokens": cached}}


def ask(uplift, stream):
    return uplift.post("/v1/chat", {"message": "How many?", "stream": stream}, user=ANN)


with Scripted() as provider, Uplift(simulator=None, batch=True, UPLIFT_UPSTREAM_URL=provider.url, UPLIFT_MODEL="m") as uplift:
    uplift.admin("PUT", "/admin/prices", {"model": "m", "input_per_million": 1000000, "output_per_million": 1000000})
    for stream in (False, True):
        how = "in a stream" if stream else "in one piece"
        for usage, tokens, name in (
                (counts(HUGE, 2), (HUGE, 2, 0, False), "as many tokens as can be"),
                (counts(3000000000, 2), None, "three billion tokens"), (counts(2, 9007199254740991), None, "more than a float counts"),
                (counts(2, 10 ** 30), None, "more than an integer counts"), (counts(-5, 3), None, "less than nothing"),
                (counts("7", 3), None, "a text"), (counts(None, None), None, "nothing"), (None, None, "no usage"),
                (counts(7, 3, 9), (7, 3, 7, False), "more cached than sent"), (counts(7, 3, 10 ** 12), (7, 3, 0, False), "more cached than can be"), (counts(7, 3, -1), (7, 3, 0, False), "less than none cached")):
            provider.usage = usage
            answer = ask(uplift, stream)
            equal(answer.status, 200, "%s, %s: answered" % (how, name))
            row = uplift.row(answer.headers["X-Feedback-Id"])
            equal((row["outcome"], row["ai_response"]), ("complete", "Well said."), "%s, %s: with its row" % (how, name))
            got = (row["prompt_tokens"], row["completion_tokens"], row["cached_tokens"], row["usage_estimated"])
            if tokens:
                equal(got, tokens, "%s, %s: counted" % (how, name))
            else:
                ok(0 < got[0] < HUGE and 0 < got[1] < 100 and got[2:] == (0, True), "%s, %s: estimated instead" % (how, name), got)
            equal(row["cost_usd"], row["prompt_tokens"] + row["completion_tokens"], "%s, %s: and what it costs" % (how, name))
    equal(uplift.value("select count(*) from uplift.rejected_answers"), 0, "none was rejected")
    costs = uplift.admin("GET", "/admin/costs").json()["total"]
    equal(costs["cost_usd"], float(uplift.value("select sum(cost_usd) from coach_response_feedback")), "costs of any size add up")
    equal(uplift.job("roll-up-usage")["status"], "succeeded", "by the hour, too")
    ok("uplift_cost_usd_total{" in uplift.get("/metrics", user=None).text, "and in the metrics")
done()
