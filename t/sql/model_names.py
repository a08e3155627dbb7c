#!/usr/bin/python3
"""Prices of models count for their snapshots, under the names that providers answer with: in SQL, where answers are
recorded, and in C, where they are counted for metrics, alike."""

import json
import os
import random
import subprocess
import sys

import psycopg2

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, ROOT + "/t/lib")
from build import program  # noqa: E402
from cluster import Cluster  # noqa: E402
from tap import done, equal, note, ok  # noqa: E402

# What an answer says: what has a price. None: nothing that has one is the same.
MODELS = {
    # OpenAI
    "gpt-4.1-mini": "gpt-4.1-mini", "gpt-4.1-mini-2025-04-14": "gpt-4.1-mini", "gpt-4.1-2025-04-14": "gpt-4.1",
    "gpt-4-0613": "gpt-4", "gpt-4-32k-0314": "gpt-4-32k", "gpt-3.5-turbo-0125": "gpt-3.5-turbo", "gpt-3.5-turbo-1106": "gpt-3.5-turbo",
    "gpt-3.5-turbo-16k-0613": "gpt-3.5-turbo-16k", "gpt-4o-2024-08-06": "gpt-4o-2024-08-06", "gpt-4o-2024-11-20": "gpt-4o",
    "gpt-4o-latest": "gpt-4o", "o1-mini-2024-09-12": "o1-mini", "gpt-4o-audio-preview-2024-12-17": "gpt-4o-audio-preview",
    "gpt-4-0125-preview": None, "gpt-4-1106-preview": None, "gpt-4-turbo-2024-04-09": "gpt-4-turbo", "gpt-5": None, "gpt-4.1-nano": None,
    # fine-tuned, by OpenAI, Mistral, and Azure
    "ft:gpt-4o-mini-2024-07-18:org::abc": "ft:gpt-4o-mini", "ft:gpt-4o-mini-2024-07-18:org:suffix:abc:ckpt-step-90": "ft:gpt-4o-mini",
    "ft:gpt-4.1-mini-2025-04-14:org::abc": "gpt-4.1-mini", "ft:gpt-4o-2024-08-06:org::abc": "gpt-4o-2024-08-06",
    "ft:gpt-3.5-turbo-0613:org::abc": "gpt-3.5-turbo", "openai/ft:gpt-4o-mini-2024-07-18:org::abc": "ft:gpt-4o-mini",
    "ft:open-mistral-7b:x:20240531:y": "open-mistral-7b", "gpt-4o-mini-2024-07-18.ft-0123abcd": "gpt-4o-mini", "ft:nobody:org::abc": None,
    # Anthropic: itself, Vertex, Bedrock
    "claude-opus-5-20250930": "claude-opus-5", "claude-opus-5-2025-09-30": "claude-opus-5", "claude-opus-5@20250930": "claude-opus-5",
    "claude-3-5-sonnet-latest": "claude-3-5-sonnet", "claude-3-5-sonnet-20241022": "claude-3-5-sonnet",
    "claude-3-5-sonnet-v2@20241022": "claude-3-5-sonnet", "anthropic.claude-3-5-sonnet-20241022-v2:0": "claude-3-5-sonnet",
    "us.anthropic.claude-3-5-sonnet-20240620-v1:0": "claude-3-5-sonnet", "us-gov.anthropic.claude-3-5-sonnet-20240620-v1:0": "claude-3-5-sonnet",
    "global.anthropic.claude-opus-5-20250930-v1:0": "claude-opus-5", "bedrock/eu.anthropic.claude-opus-5-20250930-v1:0": "claude-opus-5",
    "anthropic.claude-3-5-sonnet-20241022-v2:0:200k": "claude-3-5-sonnet", "claude-opus-5[1m]": None, "claude-opus-5-thinking": None,
    # Google
    "gemini-1.5-pro-002": "gemini-1.5-pro", "gemini-1.5-pro@001": "gemini-1.5-pro", "models/gemini-1.5-pro-latest": "gemini-1.5-pro",
    "publishers/google/models/gemini-1.5-pro": "gemini-1.5-pro", "gemini-2.5-flash-preview-05-20": "gemini-2.5-flash-preview",
    "gemini-2.5-flash-preview-09-2025": "gemini-2.5-flash-preview", "gemini-1.5-pro-preview-0514": None, "gemini-1.5-pro-exp-0827": None,
    # others
    "mistral-large-2411": "mistral-large", "mistral-large-latest": "mistral-large", "mistral-large-2512": "mistral-large",
    "command-r-08-2024": "command-r", "grok-4-0709": "grok-4", "grok-2-1212": "grok-2", "deepseek-r1-0528": "deepseek-r1",
    "amazon.nova-pro-v1:0": "nova-pro", "meta.llama3-70b-instruct-v1:0": "llama3-70b-instruct", "qwen-max-2025-01-25": "qwen-max",
    "doubao-pro-32k-250115": "doubao-pro-32k", "moonshotai/kimi-k2-instruct-0905": "kimi-k2-instruct",
    "accounts/fireworks/models/llama-v3p1-8b-instruct": "llama-v3p1-8b-instruct",
    "accounts/fireworks/models/llama-v3p1-8b-instruct#accounts/me/deployments/d1": "llama-v3p1-8b-instruct",
    "@cf/meta/llama-3.1-8b": "llama-3.1-8b", "llama3.2:latest": "llama3.2", "llama3.2:3b": None, "llama3-70b-8192": None,
    # OpenRouter
    "openai/gpt-4.1-mini": "gpt-4.1-mini", "openrouter/openai/gpt-4.1-mini-2025-04-14": "gpt-4.1-mini", "openai/gpt-4o:nitro": "gpt-4o",
    "openai/gpt-4o-2024-11-20:floor": "gpt-4o", "x-ai/grok-4:exacto": "grok-4", "deepseek/deepseek-r1:free": None,
    "deepseek/deepseek-r1:thinking": None, "openai/gpt-4o-special": "openai/gpt-4o-special",
    # not snapshots
    "mixtral-8x7b-32768": None, "claude-opus": None, "gpt-4o-20241320": None, "gpt-4o-2024-13-01": None, "gpt-4o-1301": None, "-0613": None,
    "2025-04-14": None, "/": None, "ft:": None, "ft::": None, "#": None, "@001": None, ".": None, "openai/": None,
}
PIECES = ["gpt-4o", "claude", "gemini", "llama3.2", "x", "-2024-08-06", "-20241022", "-0613", "-2411", "-250115", "-08-2024", "-preview", "-exp",
          "-05-20", "-001", "@20250930", "@001", "@latest", "-latest", ":latest", ":free", ":nitro", "-v1", "-v2:0", ":0", ":48k", "/", "models/",
          "anthropic.", "us.", "us-gov.", ".ft-0123", "ft:", ":org:", "#d", "-", ".", "1", "-1301", "-20241399"]


def sql(text, *values):
    with connection.cursor() as cursor:
        cursor.execute(text, values or None)
        return cursor.fetchall() if cursor.description else []


def in_c(models):
    """What the workers make of them."""
    out = subprocess.run([program("t/unit/model_names")], input="\n".join(models) + "\n", stdout=subprocess.PIPE, check=True,
                         universal_newlines=True).stdout
    return [[name for name in line.split("\t") if name] for line in out.splitlines()]


def in_sql(models):
    return [row[0] for row in sql("select uplift.model_names(m) from unnest(%s) with ordinality as u(m, n) order by n", list(models))]


cluster = Cluster()
cluster.start()
cluster.createdb("names")
for script in ("install.sql", "demo.sql"):
    result = cluster.psql("names", file=ROOT + "/sql/" + script)
    equal((result.returncode, result.stderr), (0, ""), script + " is loaded")
connection = psycopg2.connect(cluster.conninfo("names"))
connection.autocommit = True
sql("delete from uplift.model_prices")
priced = sorted({base for base in MODELS.values() if base})
for number, base in enumerate(priced):
    sql("insert into uplift.model_prices (model, input_per_million, output_per_million) values (%s, %s, 0)", base, number + 1)

for model, base in MODELS.items():
    equal(sql("select (uplift.price_of(%s, 'p', now())).model", model), [(base,)], "%s: %s" % (model, base or "no price"))
answers = [{"id": "10000000-0000-4000-8000-%012d" % n, "user_id": "00000000-0000-4000-8000-00000000000a", "user_message": "q",
            "ai_response": "a", "model_used": model, "provider": "p", "prompt_tokens": 1000000, "completion_tokens": 0}
           for n, model in enumerate(MODELS)]
sql("select count(*) from uplift_chat.record_answers(%s::json)", json.dumps(answers))
got = dict(sql("select model_used, cost_usd::int from public.coach_response_feedback"))
equal(got, {model: priced.index(base) + 1 if base else None for model, base in MODELS.items()}, "answers cost as much")

dice = random.Random(7)
many = list(MODELS) + ["".join(dice.choice(PIECES) for _ in range(dice.randint(1, 7))) for _ in range(20000)]
pairs = list(zip(many, in_c(many), in_sql(many)))
wrong = ["%s: %s, and in SQL %s" % (m, c, s) for m, c, s in pairs if set(c) != set(s)]
ok(len(pairs) == len(many) and not wrong, "workers find the same names as Postgres, of %d" % len(many), "\n".join(wrong[:20]))


def rank(name):
    return not name.startswith("ft:"), -len(name)


wrong = [names for _, c, s in pairs for names in (c, s) if [rank(n) for n in names] != sorted(rank(n) for n in names)]
ok(not wrong, "and put the best first", wrong[:5])
note("%d names of a model at the most" % max(len(c) for _, c, _ in pairs))
done()
