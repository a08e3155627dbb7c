#!/usr/bin/python3
"""Every fault of a provider as the users of an SDK and of curl see it, with another provider to go to."""

import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import sdk
import tap
from failing import FAULTS, PATIENCE, STREAMS_ONLY, await_routing, put_fault, put_providers
from harness import Uplift

USER = "00000000-0000-7000-8000-0000000000a1"


def name_of(tool, fault, stream):
    """A model for each, because one that was busy is left alone for a while."""
    return "%s-%s-%s" % (tool, fault, "streamed" if stream else "whole")


def asked():
    """(fault, stream, how it ends, whether the other provider is the one who answers)"""
    for fault, reason, _, goes_on, has_begun in FAULTS:
        for stream in (True, False):
            if stream or fault not in STREAMS_ONLY + PATIENCE:
                end = "cut" if goes_on and has_begun and stream else "answer" if goes_on or reason is None else "refused"
                yield fault, stream, end, goes_on


def curl(uplift, token, fault, stream, end):
    """What a shell sees: curl's status, the HTTP status, the last line."""
    name = name_of("curl", fault, stream)
    done = subprocess.run(
        ["curl", "-sS", "-N", "--cacert", uplift.ca, "-w", "\n%{http_code}", "-H", "Authorization: Bearer " + token,
         "-H", "Content-Type: application/json", uplift.url + "/v1/chat/completions",
         "-d", json.dumps({"model": name, "stream": stream, "messages": [{"role": "user", "content": "Say something."}]})],
        capture_output=True, text=True, timeout=60)
    lines = [line for line in done.stdout.splitlines() if line]
    tap.equal((done.returncode, done.stderr), (0, ""), name + ": the transfer is whole")
    if end == "refused":
        tap.ok(400 <= int(lines[-1]) < 500 and json.loads("".join(lines[:-1]))["error"]["message"], name + ": refused, with a reason")
    elif end == "cut":
        tap.ok(json.loads(lines[-2].removeprefix("data: "))["error"]["message"], name + ": the stream ends with an error")
        tap.ok(len(lines) > 3, name + ": after some text")
    elif stream:
        tap.equal(lines[-2:], ["data: [DONE]", "200"], name + ": the stream is whole")
    else:
        tap.equal((lines[-1], json.loads("".join(lines[:-1]))["choices"][0]["finish_reason"]), ("200", "stop"), name + ": an answer")


def main():
    with Uplift(batch=True, environment={"FIRST_API_KEY": "sk-first"}, expected="provider|cannot be read") as uplift:
        keys_dir = uplift.dir + "/keys"
        os.mkdir(keys_dir)
        with open(keys_dir + "/second.key", "w") as file:
            file.write("sk-second\n")
        uplift.stop_chat()
        uplift.start_chat(UPLIFT_KEY_DIR=keys_dir, UPLIFT_TOTAL_TIMEOUT_MS="20s")
        simulator = "http://127.0.0.1:%d/v1" % uplift.sim_port
        put_providers(uplift, simulator, simulator)
        for number, (fault, stream, _, _) in enumerate(asked()):
            for tool in ("sdk", "curl"):
                put_fault(uplift, name_of(tool, fault, stream), "%s;way=%s%d" % (fault, tool, number))
        await_routing(uplift)
        token = uplift.token(USER)
        for fault, stream, end, _ in asked():
            curl(uplift, token, fault, stream, end)
        sdk.run("faults.mjs", {
            "CLIENT_BASE_URL": uplift.url + "/v1", "CLIENT_API_KEY": token, "CLIENT_TARGET": "uplift", "NODE_EXTRA_CA_CERTS": uplift.ca,
            "CLIENT_FAULTS": json.dumps([{"model": name_of("sdk", fault, stream), "stream": stream, "end": end,
                                          "by": "sim-1-mini" if goes_on else None} for fault, stream, end, goes_on in asked()])})


main()
tap.done()
