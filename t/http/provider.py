#!/usr/bin/python3
"""The simulated provider: voices, severity, memory, faults, paces, bad input, many streams."""

import asyncio
import http.client
import json
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import tap
from provider import Simulator

PROMPT = """You are %s, a personal coach in a chat. Stay in character throughout.

# Persona
%s

# Tone: severity %.1f of 6.0, as named
Tone words.%s

# About the user
<user_facts>
- goal_primary: run 10 km without stopping
- preferred_name: Sam
</user_facts>

# Memories
KNOWN USER CONTEXT (Remember These):
<user_memories>
- [struggle] Skips training when work runs late.
- [preference] Hates coriander.
</user_memories>
"""

COACHES = {
    "Decibel": "A former roadie. Life is a concert, loud and punchy, and the crowd waits.",
    "Maple": "A retired orchard keeper, patient and calm, who speaks slowly of trees.",
    "Ledger": "An accountant of habits, dry and precise, who decides on the figures.",
}


def request(port, method, path, body=None, headers=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    data = json.dumps(body) if isinstance(body, (dict, list)) else body
    connection.request(method, path, data, {"Content-Type": "application/json", **(headers or {})})
    response = connection.getresponse()
    text = response.read()
    connection.close()
    return response, text


def user(text):
    return {"role": "user", "content": text}


class Asker:
    def __init__(self, port):
        self.port = port

    def post(self, body, headers=None):
        return request(self.port, "POST", "/v1/chat/completions", body, headers)

    def ask(self, messages, coach="Decibel", severity=3.0, mode="", **extra):
        prompt = PROMPT % (coach, COACHES[coach], severity, mode)
        body = {"model": "gpt-4.1-mini", "messages": [{"role": "system", "content": prompt}] + messages, **extra}
        response, text = self.post(body)
        assert response.status == 200, text
        return json.loads(text)["choices"][0]["message"]["content"]


def voices(asker):
    message = [user("I keep skipping my evening run because work is so stressful.")]
    said = {(c, s): asker.ask(message, c, s) for c in COACHES for s in (1, 2, 3, 4, 5, 6)}
    tap.equal(len(set(said.values())), 18, "each coach says something else in each severity band")
    tap.ok(all("Sam" in text for text in said.values()), "all use the name they were told")
    tap.ok(all("skipping my evening run" in text for text in said.values()), "all heard the message")
    gentle = " ".join(said[c, 1] for c in COACHES)
    tap.ok("If you like" in gentle and " must " not in gentle and " should " not in gentle,
           "the gentlest demands nothing", gentle)
    tap.ok(all("One order" in said[c, 6] for c in COACHES), "the harshest gives an order")
    tap.equal(asker.ask(message), said["Decibel", 3], "the same request gets the same answer")
    tap.ok(all("imulated" in text for text in said.values()), "all answers say that they are simulated")
    tap.ok(asker.ask(message, mode="\n\n# Mode: roast\nBurn.") != said["Decibel", 3], "roast mode is another answer")
    marks = ("If you like", "Maybe try this", " So:\n", "**What:**", "Your challenge", "One order")
    cuts = (1.0, 1.5, 1.6, 2.5, 2.6, 3.5, 3.6, 4.5, 4.6, 5.5, 5.6, 6.0)
    bands = [[mark in asker.ask(message, severity=s) for mark in marks].index(True) for s in cuts]
    tap.equal(bands, [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5], "the bands are cut at 1.6, 2.6, 3.6, 4.6 and 5.6")


def memory(asker):
    tap.contains(asker.ask([user("Work runs late today, should I train?")]), "Skips training when work runs late",
                 "a memory that fits is spoken of")
    known = asker.ask([user("What do you know about me?")])
    tap.ok("run 10 km" in known and "coriander" in known and "Skips training" in known, "all that is known can be asked for")
    later = asker.ask([user("My knee hurts when I run downhill."), {"role": "assistant", "content": "Slow down."},
                       user("And what about running on Sunday?")])
    tap.contains(later, "My knee hurts when I run downhill", "an earlier message is referred to")
    for text in ("I want to kill myself", "lately i just want to die"):
        kind = asker.ask([user(text)], severity=6.0, mode="\n\n# Mode: roast\nBurn.")
        tap.ok("988" in kind and "One order" not in kind, "in danger, tone and mode are dropped")


def faults(asker):
    def fault(name, **extra):
        return asker.post({"model": "sim-fault-" + name, "messages": [user("hello, how are you today?")], **extra})

    for status in (400, 401, 403, 404, 409, 429, 500, 502, 503, 529):
        response, text = fault("status-%d;retry-after=2" % status)
        error = json.loads(text)["error"]
        tap.ok(response.status == status and response.getheader("Retry-After") == "2" and
               set(error) == {"message", "type", "param", "code"}, "status-%d" % status, text)
    response, _ = fault("status-503;retry-after=0.25")
    tap.equal(response.getheader("Retry-After-Ms"), "250", "a part of a second is told in milliseconds")
    response, _ = fault("status-429")
    tap.equal(response.getheader("Retry-After"), None, "without retry-after there is no header")
    response, text = asker.post({"model": "sim-1", "messages": [user("hi")]}, {"X-Sim-Fault": "status-418"})
    tap.equal(response.status, 418, "a header asks for a fault, too")
    tap.equal(fault("nonsense")[0].status, 400, "an unknown fault is a 400")
    tap.contains(fault("no-done;pace=0", stream=True)[1][-400:], b'"finish_reason":"stop"', "no-done says stop")
    tap.ok(b"[DONE]" not in fault("no-done;pace=0", stream=True)[1], "but not [DONE]")
    text = fault("malformed-chunk;after=3;pace=0", stream=True)[1]
    bad = [e for e in text.split(b"\n\n") if e.startswith(b"data: {") and not e.endswith(b"}")]
    tap.ok(len(bad) == 1 and text.endswith(b"data: [DONE]\n\n"), "malformed-chunk has one bad chunk in a whole stream")
    text = fault("content-filter;after=3;pace=0", stream=True)[1]
    tap.contains(text, b'"finish_reason":"content_filter"', "content-filter ends with its reason")
    text = fault("end;after=3;pace=0", stream=True)[1]
    tap.ok(b"finish_reason\":\"" not in text and text.count(b"data: ") == 4, "end just ends")
    for name, stream in (("cut;after=3;pace=0", True), ("cut;after=3", False), ("reset", True), ("reset", False)):
        try:
            response, text = fault(name, stream=stream)
            tap.ok(False, "%s breaks the connection" % name, text)
        except (http.client.HTTPException, ConnectionError) as error:
            tap.ok(True, "%s breaks the connection (%s)" % (name, type(error).__name__))
    began = time.monotonic()
    fault("slow-first-token;ms=300;pace=0", stream=True)
    tap.ok(time.monotonic() - began > 0.29, "slow-first-token waits")
    key = {"X-Sim-Flap-Key": "flap-%d" % os.getpid()}
    seen = [asker.post({"model": "sim-fault-flap;times=3", "messages": [user("hi")]}, key)[0].status for _ in range(5)]
    tap.equal(seen, [503, 503, 503, 200, 200], "flap fails, then works")
    text = fault("long;bytes=300000;pace=0", stream=True)[1]
    said = sum(len(json.loads(line[6:])["choices"][0]["delta"].get("content") or "")
               for line in text.split(b"\n") if line.startswith(b"data: {"))
    tap.equal(said, 300000, "long is as long as asked for")


async def open_stream(port, model):
    body = json.dumps({"model": model, "stream": True, "messages": [user("I am tired and sleep badly.")]}).encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"POST /v1/chat/completions HTTP/1.0\r\nContent-Type: application/json\r\n"
                 b"Content-Length: %d\r\n\r\n" % len(body) + body)
    return reader, writer


async def silent(port):
    for model in ("sim-fault-silence", "sim-fault-stall;after=2;pace=0"):
        reader, writer = await open_stream(port, model)
        text = b""
        try:
            while True:
                more = await asyncio.wait_for(reader.read(65536), 0.4)
                if not more:
                    break
                text += more
        except asyncio.TimeoutError:
            tap.ok(text.count(b"data: ") == (3 if "stall" in model else 0), model + " goes silent", text)
            more = None
        if more is not None:
            tap.ok(False, model + " goes silent", "it ended: %r" % text)
        writer.close()


async def paced(port):
    reader, writer = await open_stream(port, "sim-pace-10")
    times = []
    while await reader.readuntil(b"\n\n"):
        times.append(time.monotonic())
        if len(times) == 22:
            break
    tap.ok(0.19 <= times[21] - times[1] < 2, "a pace of 10 ms lets 20 tokens take 200 ms", times[21] - times[1])
    writer.close()


async def many(port, count):
    async def one():
        reader, writer = await open_stream(port, "sim-pace-20")
        text = await reader.read(-1)
        writer.close()
        return text.endswith(b"data: [DONE]\n\n")

    whole = await asyncio.gather(*[one() for _ in range(count)])
    tap.ok(all(whole), "%d streams at once all come to their end" % count, whole.count(False))


def embeddings(port):
    def ask(texts, model="sim-embedding-1", **more):
        return request(port, "POST", "/v1/embeddings", {"model": model, "input": texts, **more})

    def vectors(texts, **more):
        return [item["embedding"] for item in json.loads(ask(texts, **more)[1])["data"]]

    def near(a, b):
        return sum(x * y for x, y in zip(a, b))
    jog, run, bed = vectors(["How do I get better at jogging?", "Running: three times a week is enough.", "Go to bed early."])
    tap.ok(near(jog, run) > 0.3 > near(jog, bed), "words of the same meaning bring texts near each other", [near(jog, run), near(jog, bed)])
    tap.equal(vectors("Go to bed early."), [bed], "one text gives one embedding, the same each time")
    tap.equal({len(v) for v in vectors(["a", "b"], dimensions=8)}, {8}, "of as many numbers as asked for")
    tap.equal({len(v) for v in vectors(["a", "b"], model="sim-fault-short-vectors")}, {1535}, "short-vectors has one less")
    tap.equal(len(vectors(["a", "b"], model="sim-fault-fewer-vectors")), 1, "fewer-vectors has one embedding less")
    response, text = ask(["a"], "sim-fault-malformed-chunk")
    tap.ok(response.status == 200 and text.startswith(b'{"object":"list"') and not text.endswith(b"}"), "malformed-chunk breaks off", text[-20:])
    tap.equal([ask(["flaps"], "sim-fault-flap;times=2")[0].status for _ in range(3)], [503, 503, 200], "flap fails, and then works")
    tap.equal(ask(["a"], "sim-fault-slow-first-token;ms=10")[0].status, 200, "slow-first-token answers in the end")
    tap.equal(ask(["a"], "sim-fault-nothing")[0].status, 400, "an unknown fault is a 400")


def bad_input(port):
    def status(body, path="/v1/chat/completions", method="POST", headers=None):
        response, text = request(port, method, path, body, headers)
        json.loads(text)["error"]["message"]
        return response.status

    cases = {
        "not JSON": b"hello", "an array": b"[]", "nothing": b"", "invalid UTF-8": b'{"model":"\xff"}',
        "duplicate keys": b'{"model":"a","model":"b"}', "no model": {"messages": [user("x")]},
        "no messages": {"model": "sim-1"}, "empty messages": {"model": "sim-1", "messages": []},
        "a strange role": {"model": "sim-1", "messages": [{"role": "king", "content": "x"}]},
        "no content": {"model": "sim-1", "messages": [{"role": "user"}]},
        "content that is a number": {"model": "sim-1", "messages": [{"role": "user", "content": 5}]},
        "n of 0": {"model": "sim-1", "messages": [user("x")], "n": 0},
        "n of 1.5": {"model": "sim-1", "messages": [user("x")], "n": 1.5},
        "temperature of 3": {"model": "sim-1", "messages": [user("x")], "temperature": 3},
        "both limits": {"model": "sim-1", "messages": [user("x")], "max_tokens": 5, "max_completion_tokens": 5},
        "stream as text": {"model": "sim-1", "messages": [user("x")], "stream": "yes"},
        "stream_options alone": {"model": "sim-1", "messages": [user("x")], "stream_options": {}},
        "an unknown response_format": {"model": "sim-1", "messages": [user("x")], "response_format": {"type": "xml"}},
        "tool_choice alone": {"model": "sim-1", "messages": [user("x")], "tool_choice": "required"},
        "too many tokens": {"model": "sim-1", "messages": [user("x" * 520000)]},
    }
    for name, body in cases.items():
        tap.equal(status(body), 400, name + " is a 400")
    tap.equal(status(b"", "/v1/chat/completions", "GET"), 404, "a wrong method is a 404")
    tap.equal(status(b"", "/v1/files/..%2f..%2fetc", "GET"), 404, "a path that climbs is not found")
    tap.equal(status(b"x", "/v1/files"), 400, "a file that is not multipart is a 400")
    tap.equal(status({"model": "e", "input": ""}, "/v1/embeddings"), 400, "an empty input is a 400")
    tap.equal(status({"model": "sim-fault-status-429", "input": "x"}, "/v1/embeddings"), 429, "a fault of embeddings")
    tap.equal(status({"model": "m", "messages": [user("x")]}, headers={"Authorization": "Bearer sim-invalid-key"}), 401,
              "the invalid key is a 401")


def upload(port, name, content, purpose="fine-tune"):
    body = ("--limit\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\n%s\r\n"
            "--limit\r\nContent-Disposition: form-data; name=\"file\"; filename=\"%s\"\r\n"
            "Content-Type: application/octet-stream\r\n\r\n" % (purpose, name)).encode()
    return request(port, "POST", "/v1/files", body + content + b"\r\n--limit--\r\n",
                   {"Content-Type": "multipart/form-data; boundary=limit"})


def restarts(provider):
    port = provider.port
    line = json.dumps({"messages": [user("x"), {"role": "assistant", "content": "y"}]}).encode() + b"\n"
    content = b"\r\n--limit is not a boundary here\r\n"
    response, text = upload(port, "../../any.bin", content, "user_data")
    other = json.loads(text)
    tap.equal(other["filename"], "any.bin", "a file name is only a name")
    tap.equal(request(port, "GET", "/v1/files/%s/content" % other["id"])[1], content, "binary content comes back as it was")
    tap.equal(upload(port, "train.txt", line)[0].status, 400, "training data must be named .jsonl")
    tap.equal(upload(port, "train.jsonl", b"")[0].status, 400, "an empty file is a 400")
    tap.equal(upload(port, "train.jsonl", line, "fun")[0].status, 400, "an unknown purpose is a 400")
    file = json.loads(upload(port, "train.jsonl", line * 20)[1])

    def create(**extra):
        return request(port, "POST", "/v1/fine_tuning/jobs", {"model": "sim-1", "training_file": file["id"], **extra})

    for name, extra in {"a bad suffix": {"suffix": "x" * 65}, "a seed below 0": {"seed": -1},
                        "51 epochs": {"hyperparameters": {"n_epochs": 51}},
                        "a beta of 3": {"method": {"type": "dpo", "dpo": {"hyperparameters": {"beta": 3}}}},
                        "metadata of 17": {"metadata": {str(i): "x" for i in range(17)}},
                        "an embedding model": {"model": "text-embedding-3-small"},
                        "a file of another purpose": {"training_file": other["id"]},
                        "no such file": {"validation_file": "file-none"}}.items():
        tap.equal(create(**extra)[0].status, 400, "a job with %s is a 400" % name)
    job = json.loads(create(metadata={"run": "7"})[1])
    path = "/v1/fine_tuning/jobs/" + job["id"]
    provider.restart(9)
    seen = json.loads(request(port, "GET", path)[1])
    tap.equal([seen["id"], seen["metadata"]], [job["id"], {"run": "7"}], "a job outlives a killed simulator")
    tap.equal(json.loads(request(port, "POST", path + "/cancel")[1])["status"], "cancelled", "and can be cancelled")
    tap.equal(request(port, "POST", path + "/cancel")[0].status, 400, "once")
    provider.restart()
    seen = json.loads(request(port, "GET", path)[1])
    tap.equal([seen["status"], seen["fine_tuned_model"]], ["cancelled", None], "which lasts, too")
    events = json.loads(request(port, "GET", path + "/events")[1])["data"]
    tap.contains(events[0]["message"], "cancelled", "and is an event")
    tap.equal(request(port, "GET", "/v1/files/%s/content" % file["id"])[1], line * 20, "files are still there")


with Simulator("--pace", "5", "--threads", "2", "--job-time", "60") as provider:
    asker = Asker(provider.port)
    response, page = request(provider.port, "GET", "/")
    tap.ok(response.status == 200 and b"simulated" in page, "the page says what this is")
    tap.equal(response.getheader("X-Simulated"), "1", "and so does a header")
    response, text = asker.post({"model": "gpt-4.1-mini", "messages": [user("hi")]})
    tap.equal(json.loads(text)["model"], "sim-1", "no other model's name is taken for its own")
    voices(asker)
    memory(asker)
    faults(asker)
    embeddings(provider.port)
    asyncio.run(silent(provider.port))
    asyncio.run(paced(provider.port))
    asyncio.run(many(provider.port, 500))
    bad_input(provider.port)
    restarts(provider)
tap.equal(provider.statuses, [0, 0], "simulator and nginx end well when told to")
tap.equal(provider.output, "", "and said nothing on the way")

with Simulator("--require-key") as provider:
    tap.equal(request(provider.port, "GET", "/v1/models")[0].status, 401, "--require-key refuses those without")
    response, _ = request(provider.port, "GET", "/v1/models", headers={"Authorization": "Bearer any"})
    tap.equal(response.status, 200, "and takes any key")
tap.done()
