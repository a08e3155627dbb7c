#!/usr/bin/python3
"""A provider over TLS: HTTP/2, connections shared, and its certificate checked."""

import os
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import tap
from harness import Uplift, free_ports, wait_for

PORT = free_ports(1)[0]


def with_tls(text):
    """The simulated provider listens with TLS, too, and logs what is spoken with it."""
    certificate = text[text.index("        ssl_certificate "):text.index("        ssl_protocols ")]
    before, provider = text.split("    # The simulated provider.")
    provider = provider.replace("        access_log off;\n", """        listen 127.0.0.1:%d ssl http2 backlog=4096;
%s        access_log log/provider.log provider;
""" % (PORT, certificate), 1)
    format = "    log_format provider '$connection $server_protocol $status';\n"
    return before + format + "    # The simulated provider." + provider


def log(uplift):
    with open(uplift.dir + "/log/provider.log") as file:
        return [line.split() for line in file]


def ask(uplift, stream):
    return uplift.post("/v1/chat", {"message": "Say something.", "stream": stream})


def at_once(uplift, count):
    """Streams side by side; how many were whole."""
    whole = []

    def one():
        if ask(uplift, True).text.rstrip().split("\n\n")[-1].startswith('data: {"done":true'):
            whole.append(True)

    threads = [threading.Thread(target=one) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(whole)


URL = "https://localhost:%d/v1" % PORT
with Uplift(nginx=with_tls, UPLIFT_UPSTREAM_URL=URL, UPLIFT_MODEL="sim-pace-5", UPLIFT_WORKERS="1",
            expected="certificate") as uplift:
    answer = ask(uplift, False)
    tap.equal((answer.status, answer.error().get("code")), (502, "provider_unreachable"),
              "a certificate of an unknown authority is refused")
    tap.equal(uplift.row(answer.headers["X-Feedback-Id"])["outcome"], "failed", "and the failure is recorded")

    uplift.restart_chat(UPLIFT_CA_BUNDLE=uplift.ca)
    tap.equal(ask(uplift, False).status, 200, "with UPLIFT_CA_BUNDLE it is trusted")
    tap.equal(at_once(uplift, 20), 20, "streams side by side are whole")
    wait_for(lambda: len(log(uplift)) >= 21)
    spoken = log(uplift)
    tap.equal({line[1] for line in spoken}, {"HTTP/2.0"}, "HTTP/2 is spoken")
    tap.ok(len({line[0] for line in spoken}) < 5, "and connections are shared", repr(spoken))

    uplift.restart_chat(UPLIFT_UPSTREAM_URL=URL.replace("localhost", "127.0.0.2"))
    answer = ask(uplift, False)
    tap.equal((answer.status, answer.error().get("code")), (502, "provider_unreachable"),
              "a certificate of another host is refused")
tap.done()
