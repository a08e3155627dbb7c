#!/usr/bin/python3
"""Names of models in /metrics: only those that are configured, whatever clients make up, and never half a character."""

import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

from harness import Uplift
from process import wait_for
from scripted import Scripted
from tap import done, equal, ok

LONG = ["x" * n + "é" * 100 for n in range(2)]  # beyond what is kept of a name, cut at either byte of a character
ROUTED = "of\\routes\"é"
DEPLOYED = "tuned-1"
INVENTED = (["x" * n + "é" * ((256 - n) // 2) for n in range(4)] + ["x" * n + "\U0001f3b8" * ((256 - n) // 4) for n in range(4)]
            + ['a"b\\c', "a\nb", "{", "é" * 64, "*"] + ["made-up-%d" % n for n in range(80)])
CALLS = re.compile(r'^uplift_provider_calls_total\{provider="((?:[^"\\]|\\.)*)",model="((?:[^"\\]|\\.)*)",end="ok"\} (\d+)$', re.M)


def ask(model, **more):
    answer = uplift.post("/v1/chat/completions", {"model": model, "messages": [{"role": "user", "content": "hi"}], **more})
    return answer.status


def scrape():
    """{model: calls}; the text must be UTF-8 from end to end."""
    body = uplift.get("/metrics", user=None).body
    try:
        text = body.decode()
    except UnicodeDecodeError as wrong:
        ok(False, "/metrics is UTF-8", wrong)
        text = body.decode(errors="replace")
    return {model.replace('\\"', '"').replace("\\\\", "\\"): int(count) for _, model, count in CALLS.findall(text)}


with Scripted() as provider, Uplift(simulator=None, batch=True, UPLIFT_WORKERS="1", UPLIFT_UPSTREAM_URL=provider.url,
                                    UPLIFT_MODEL="main", UPLIFT_MODELS=",".join(["other-1", *LONG])) as uplift:
    equal(uplift.admin("PUT", "/admin/models", {"name": ROUTED, "routes": [{"provider": "default"}]}).status, 200, "a model is given routes")
    version = uplift.value("insert into public.ai_model_versions (model_name, version, model_id) values ('tuned', '1', %s) returning id", DEPLOYED)
    answer = uplift.admin("POST", "/admin/model-versions/%s/deploy" % version, {"environment": "production", "coach_id": "coach_maple_avatar"})
    equal(answer.status, 200, "another is deployed")
    ok(uplift.post("/v1/chat", {"message": "hi"}).status == 200, "the configured model answers")
    ok(wait_for(lambda: {ROUTED, DEPLOYED} <= {m["id"] for m in uplift.get("/v1/models").json()["data"]}), "which the worker hears of")
    equal({ask(model) for model in INVENTED}, {200}, "a provider may know any model")
    for model in ("main", "other-1", ROUTED, DEPLOYED, *LONG):
        equal(ask(model), 200, "so it does those that are configured")
    told = scrape()
    equal(told.pop("other", None), len(INVENTED), "names that clients made up are one")
    wanted = {"main": 2, "other-1": 1, DEPLOYED: 1, **{name[:n + (127 - n) // 2]: 1 for n, name in enumerate(LONG)}}
    equal({name: count for name, count in told.items() if name != ROUTED}, wanted, "those that are configured are told apart")
    ok(told.get(ROUTED) == 1, "also one with routes", told)
done()
