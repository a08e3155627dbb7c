#!/usr/bin/python3
"""Admins set providers by URL, and so have no key sent to a server that its operator did not configure it for, no header
but one for keys, and nothing at all to link-local addresses and those of clouds' metadata. Also where a row came
another way, and where the server redirects."""

import json
import os
import socket
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import tap  # noqa: E402
from harness import SECRET, Uplift, program, wait_for  # noqa: E402
from process import sanitizers  # noqa: E402
from witness import Witness  # noqa: E402

LINK_LOCAL = ["http://169.254.169.254/v1", "http://169.254.170.2/v1", "http://2852039166/v1", "http://0xa9fea9fe/v1", "http://0251.0376.0251.0376/v1",
              "http://169.254.43518/v1", "http://[fd00:ec2::254]/v1", "http://[fe80::1]/v1", "http://[::ffff:169.254.169.254]/v1",
              "http://[::ffff:a9fe:a9fe]/v1", "http://[64:ff9b::a9fe:a9fe]/v1", "http://[2002:a9fe:a9fe::]/v1", "http://100.100.100.200/v1"]


class Redirect:
    """A provider that sends whoever comes elsewhere, and counts them."""

    def __init__(self, to):
        self.to, self.count = to, 0
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.url = "http://127.0.0.1:%d/v1" % self.listening.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                connection, _ = self.listening.accept()
            except OSError:
                return
            with connection:
                connection.recv(65536)
                self.count += 1
                connection.sendall(("HTTP/1.1 307 Temporary Redirect\r\nLocation: %s/chat/completions\r\nContent-Length: 0\r\n"
                                    "Connection: close\r\n\r\n" % self.to).encode())

    def close(self):
        self.listening.shutdown(socket.SHUT_RDWR)
        self.listening.close()


def follow(uplift):
    revision = uplift.value("select revision from uplift.routing_state")
    tap.ok(wait_for(lambda: uplift.read_log().count("revision %d\"" % revision) >= len(uplift.workers()), 20), "the workers follow")


def route(uplift, provider, model="probed"):
    answer = uplift.admin("PUT", "/admin/models", {"name": model, "routes": [{"provider": provider, "model": "sim-1"}]})
    tap.equal(answer.status, 200, "a route to " + provider)
    follow(uplift)


def ask(uplift, model="probed"):
    return uplift.post("/v1/chat/completions", {"model": model, "messages": [{"role": "user", "content": "Hello."}]})


def refused(uplift, body, code, name):
    answer = uplift.admin("PUT", "/admin/providers/probe", body)
    tap.equal((answer.status, answer.error().get("code")), (400, code), "refused: " + name)
    tap.equal(uplift.value("select count(*) from uplift.providers where name = 'probe'"), 0, "and not there")


def by_url(uplift, good, evil):
    """What PUT /admin/providers says."""
    for key in ("env:GOOD_API_KEY", "file:good"):
        refused(uplift, {"base_url": evil.url, "api_key": key}, "key_not_bound", key + " for another server")
        refused(uplift, {"base_url": good.url.replace("http:", "https:"), "api_key": key}, "key_not_bound", key + " by another protocol")
        refused(uplift, {"base_url": good.url.replace("127.0.0.1", "localhost"), "api_key": key}, "key_not_bound", key + " by another name")
    refused(uplift, {"base_url": good.url, "api_key": "env:OPENAI_API_KEY"}, "key_not_bound", "the configured provider's key")
    refused(uplift, {"base_url": good.url, "api_key": "file:trainer"}, "key_not_bound", "a file that nobody listed")
    refused(uplift, {"base_url": good.url, "api_key": "env:UPLIFT_TRAINER_API_KEY"}, "invalid_api_key", "the trainer's key")
    for header in ("Host", "Content-Length", "Transfer-Encoding", "Connection", "Cookie", "X-Forwarded-For", "Proxy-Authorization", "X-Key\u00e4"):
        refused(uplift, {"base_url": good.url, "key_header": header}, "invalid_key_header", "a key in " + header)
    for url in LINK_LOCAL:
        refused(uplift, {"base_url": url}, "invalid_base_url", url)

    for key, header in (("env:GOOD_API_KEY", "X-Api-Key"), ("file:good", "api-key")):
        put = uplift.admin("PUT", "/admin/providers/good", {"base_url": good.url, "api_key": key, "key_header": header})
        tap.equal(put.status, 200, "%s for the server it is configured for" % key)
        answer = uplift.admin("PUT", "/admin/providers/good", {"base_url": evil.url})
        tap.equal((answer.status, answer.error().get("code")), (400, "key_not_bound"), "which cannot be changed beneath it")
        route(uplift, "good")
        tap.equal(ask(uplift).status, 200, "chats are answered")
        tap.equal(good.seen[-1].headers[header], "sk-of-" + ("environment" if key.startswith("env") else "file"), "with the key")
    tap.equal(uplift.admin("PUT", "/admin/providers/good", {"base_url": evil.url, "api_key": None}).status, 200, "without a key it can")


def by_hand(uplift, good, evil):
    """Rows that came another way than by URL: the workers look for themselves."""
    for name, url, key, header, why in (
            ("a key for another server", evil.url, "env:GOOD_API_KEY", "Authorization", "UPLIFT_PROVIDER_KEYS"),
            ("a file for another server", evil.url, "file:good", "Authorization", "UPLIFT_PROVIDER_KEYS"),
            ("a header for no key", good.url, "env:GOOD_API_KEY", "Content-Length", "no key goes in the header")):
        uplift.sql("insert into uplift.providers (name, base_url, api_key, key_header) values ('probe', %s, %s, %s)"
                   " on conflict (name) do update set base_url = excluded.base_url, api_key = excluded.api_key, key_header = excluded.key_header",
                   url, key, header)
        evil.seen.clear()
        good.seen.clear()
        route(uplift, "probe")
        answer = ask(uplift)
        tap.equal((answer.status, answer.error().get("code")), (503, "provider_unavailable"), name + ": the provider is not used")
        tap.equal((evil.seen, good.seen), ([], []), "and nothing is sent")
        tap.contains(uplift.read_log(), why, "the log says why")
    refused_by_check = uplift.admin("PUT", "/admin/providers/probe", {"is_enabled": True})
    tap.equal((refused_by_check.status, refused_by_check.error().get("code")), (400, "invalid_key_header"), "by URL it cannot even be enabled")


def redirects(uplift, evil):
    redirect = Redirect(evil.url)
    uplift.give_keys("env:GOOD_API_KEY@" + redirect.url)
    tap.equal(uplift.admin("PUT", "/admin/providers/redirect", {"base_url": redirect.url, "api_key": "env:GOOD_API_KEY"}).status, 200, "a provider that redirects")
    route(uplift, "redirect")
    evil.seen.clear()
    answer = ask(uplift)
    tap.ok(redirect.count > 0 and answer.status >= 500, "is asked, and its answer is none", (redirect.count, answer.status))
    tap.equal(evil.seen, [], "nobody goes where it sends them")
    redirect.close()


def addresses(uplift):
    """A row that leads to a metadata server; refused before a packet is sent."""
    uplift.sql("insert into uplift.providers (name, base_url) values ('metadata', 'http://169.254.169.254/v1')")
    route(uplift, "metadata")
    answer = ask(uplift)
    tap.equal((answer.status, answer.error().get("code")), (502, "provider_unreachable"), "a metadata server is not reached")
    tap.contains(uplift.read_log(), "UPLIFT_ALLOW_ADDRESSES", "and the log says why")
    allowed = uplift.settings["UPLIFT_PROVIDER_KEYS"]
    uplift.restart_chat(UPLIFT_ALLOW_ADDRESSES="169.254.170.0/24")
    uplift.stop_batch()
    uplift.start_batch()
    tap.equal(uplift.admin("PUT", "/admin/providers/near", {"base_url": "http://169.254.170.2/v1"}).status, 200, "the operator can allow one")
    answer = uplift.admin("PUT", "/admin/providers/far", {"base_url": "http://169.254.169.254/v1"})
    tap.equal((answer.status, answer.error().get("code")), (400, "invalid_base_url"), "and no other")
    tap.equal(uplift.settings["UPLIFT_PROVIDER_KEYS"], allowed, "whatever keys there are")


def at_the_start(uplift):
    """What the configuration itself may say."""
    for name, setting, good in (
            ("UPLIFT_PROVIDER_KEYS", "env:A_API_KEY@https://a.example, file:b@http://127.0.0.1:8000", True),
            ("UPLIFT_PROVIDER_KEYS", "env:UPLIFT_TRAINER_API_KEY@https://a.example", False),
            ("UPLIFT_PROVIDER_KEYS", "env:UPLIFT_JWT_SECRET@https://a.example", False),
            ("UPLIFT_PROVIDER_KEYS", "env:DATABASE_URL@https://a.example", False),
            ("UPLIFT_PROVIDER_KEYS", "env:A_API_KEY", False), ("UPLIFT_PROVIDER_KEYS", "sk-123@https://a.example", False),
            ("UPLIFT_PROVIDER_KEYS", "env:A_API_KEY@a.example", False), ("UPLIFT_PROVIDER_KEYS", "env:A_API_KEY@https://a.example/v1", False),
            ("UPLIFT_PROVIDER_KEYS", "env:A_API_KEY@https://u@a.example", False), ("UPLIFT_PROVIDER_KEYS", "file:../a@https://a.example", False),
            ("UPLIFT_ALLOW_ADDRESSES", "169.254.1.1, fe80::/64", True), ("UPLIFT_ALLOW_ADDRESSES", "169.254.1.1/33", False),
            ("UPLIFT_ALLOW_ADDRESSES", "metadata.example", False), ("UPLIFT_ALLOW_ADDRESSES", "fe80::/", False),
            ("UPLIFT_TRAINER_KEY_HEADER", "api-key", True), ("UPLIFT_TRAINER_KEY_HEADER", "Host", False),
            ("UPLIFT_ROUTING", json.dumps({"providers": [{"name": "p", "base_url": "http://127.0.0.1:1/v1", "api_key": "env:UPLIFT_JWT_SECRET"}]}), False)):
        result = subprocess.run([program("fcgi-chat"), "--check"], capture_output=True, text=True, env={
            "DATABASE_URL": "dbname=x", "UPLIFT_JWT_SECRET": SECRET, name: setting, **sanitizers()})
        tap.equal((result.returncode, name in result.stderr), (0, False) if good else (1, True), "%s=%s is %s" % (name, setting, "taken" if good else "refused"))


def main():
    environment = {"GOOD_API_KEY": "sk-of-environment", "OPENAI_API_KEY": "sk-of-operator", "UPLIFT_TRAINER_API_KEY": "sk-of-trainers"}
    with Uplift(batch=True, environment=environment, expected="provider|routing", OPENAI_API_KEY=None, UPLIFT_TRAINER_API_KEY=None) as uplift:
        keys = uplift.dir + "/keys"
        os.mkdir(keys)
        for name in ("good", "trainer"):
            with open(keys + "/" + name, "w") as file:
                file.write("sk-of-file\n")
        uplift.configure(UPLIFT_KEY_DIR=keys)
        with Witness(uplift.sim_port) as good, Witness(uplift.sim_port) as evil:
            uplift.give_keys("env:GOOD_API_KEY@" + good.url, "file:good@" + good.url)
            by_url(uplift, good, evil)
            by_hand(uplift, good, evil)
            redirects(uplift, evil)
            seen = "".join(str(seen.headers) for seen in evil.seen)
            tap.ok("sk-" not in seen, "the other server never saw a key")
        addresses(uplift)
        at_the_start(uplift)


main()
tap.done()
