#!/usr/bin/python3
"""Numbers of a completions request that no double holds: they go to the provider, and into the record, digit by digit."""

import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

from harness import Uplift
from scripted import Scripted
from tap import contains, done, equal, ok

SEED = 9223372036854775807
UINT256 = 2 ** 256 - 1
TOOL = '{"type":"function","function":{"name":"pay","parameters":{"type":"object","properties":{"wei":' \
       '{"type":"integer","minimum":-1.50E+3,"multipleOf":0.10,"maximum":%d}}}}}' % UINT256


def ask(uplift, more="", seed=SEED, **options):
    text = '{"model": "scripted-1", "seed": %s, "messages": [{"role": "user", "content": "hello"}], "tools": [%s]%s}' % (
        seed, TOOL, more)
    return uplift.post("/v1/chat/completions", text.encode(), **options)


def as_they_came(uplift, provider):
    for name, more in (("plain", ""), ("a stream", ', "stream": true'), ("with a coach", ', "coach_id": "coach_maple_avatar"'),
                       ("with metadata", ', "metadata": {"severity": "3", "kept": 12345678901234567890}')):
        answer = ask(uplift, more)
        equal(answer.status, 200, name + ": answered")
        contains(provider.texts[-1], '"seed":%d' % SEED, name + ": the seed is the seed")
        contains(provider.texts[-1], TOOL, name + ": the schema is as it was written")
    contains(provider.texts[-1], '"kept":12345678901234567890', "so is what else is in metadata")
    equal(json.loads(provider.texts[-1])["metadata"], {"kept": 12345678901234567890}, "without what is ours")
    row = uplift.row(answer.json()["feedback_id"])
    kept = uplift.value("select request_messages::text from public.coach_response_feedback where id = %s", row["id"])
    contains(kept, '"maximum": %d' % UINT256, "the record has all digits")


def escaped_names(uplift, provider):
    """However a client spells the names of members, they mean the same."""
    text = (r'{"mod\u0065l":"scripted-1","m\u0065ssages":[{"r\u006fle":"us\u0065r","cont\u0065nt":"h\u0069"}],'
            r'"coach\u005fid":"coach_maple_avatar","\u0073tream":false}')
    answer = uplift.post("/v1/chat/completions", text.encode())
    equal(answer.status, 200, "names with escapes are read")
    got = provider.last()
    equal([m["role"] for m in got["messages"]], ["system", "user"], "the coach's prompt goes first")
    ok("coach_id" not in got and got["model"] == "scripted-1", "ours goes no further", got)
    equal(uplift.row(answer.json()["feedback_id"])["user_message"], "hi", "and the words are found")


def apart_in_the_cache(uplift, _):
    """Seeds that are the same as doubles are not the same."""
    cache = ', "cache": {"mode": "on"}'
    told = []
    for seed in ("9007199254740993", "9007199254740992", "9007199254740993", "7", "7.0"):
        answer = ask(uplift, cache, seed)
        uplift.row(answer.json()["feedback_id"])
        told.append(answer.headers["X-Uplift-Cache"])
    equal(told, ["miss", "miss", "hit", "miss", "hit"], "another long seed is another question, another spelling is not")


def refused(uplift, provider):
    count = len(provider.requests)
    for seed in ("1e999", "-1e999", "1e-999", "1" * 351, "01", "1.", "+1"):
        answer = ask(uplift, "", seed)
        equal((answer.status, answer.error().get("code"), answer.error().get("param")), (400, "invalid_json", "seed"),
              "refused: %.20s" % seed)
    answer = ask(uplift, ', "severity": 10000000000000000000000000000000000000000000000000000000000000000000')
    equal((answer.status, answer.error().get("param")), (400, "severity"), "a huge number where one is read is out of range")
    answer = uplift.post("/v1/chat", b'{"message": "hi", "severity": 9007199254740993}')
    equal((answer.status, answer.error().get("code")), (400, "invalid_json"), "on /v1/chat nothing is passed on, and they are refused")
    equal(len(provider.requests), count, "and the provider is not asked")


with Scripted() as provider, Uplift(simulator=None, UPLIFT_UPSTREAM_URL=provider.url) as uplift:
    for part in (as_they_came, escaped_names, apart_in_the_cache, refused):
        part(uplift, provider)
done()
