#!/usr/bin/python3
"""Signing in at a real OpenID Connect provider, oidc-provider, on the pages in a real Chromium; whose the answers then are, and who
is an admin."""

import base64
import json
import os
import re
import subprocess
import sys
import uuid

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "../lib"), os.path.join(HERE, "../clients")]

import node
import sdk
import tap
from harness import Uplift

node.install(HERE)


class Provider:
    """provider.mjs, while it is needed. url: its issuer."""

    def __enter__(self):
        self.log = open(os.devnull, "w")
        self.process = subprocess.Popen(["node", "provider.mjs"], cwd=HERE, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=self.log, text=True)
        for line in self.process.stdout:
            found = re.match(r"# provider (\S+)", line)
            if found:
                self.url = found.group(1)
                return self
        raise SystemExit("Bail out! the provider did not start")

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        self.process.stdout.close()
        self.log.close()

    def user(self, name):
        """Who somebody is for uplift."""
        return str(uuid.uuid5(uuid.uuid5(uuid.NAMESPACE_URL, self.url), name))


def tell(provider, act, value):
    subprocess.run(["curl", "-fsS", "-d", json.dumps({"act": act, "value": value}), provider.url + "/test"], check=True,
                   stdout=subprocess.DEVNULL)


def with_secret(text):
    """nginx with the client's secret for the token endpoint, as README.md has it."""
    basic = base64.b64encode(b"uplift-api:kept%20by%20nginx").decode()
    return text.replace("location = /config.json {", """location = /sign-in/token {
            limit_except POST { deny all; }
            proxy_set_header Authorization "Basic %s";
            proxy_pass %s/token;
        }
        location = /config.json {""" % (basic, provider.url), 1)


with Provider() as provider, Uplift(
        batch=True, nginx=with_secret, UPLIFT_MODEL="sim-pace-30", UPLIFT_JWT_SECRET=None, UPLIFT_JWKS_URL=provider.url + "/jwks", UPLIFT_JWT_ISSUER=provider.url,
        UPLIFT_JWT_AUDIENCE="uplift-api", UPLIFT_JWT_SUB="any", UPLIFT_JWT_ROLE_CLAIM="realm_access.roles", UPLIFT_JWT_ADMIN_ROLES="coach-lead",
        page_config={"sign_in": {"issuer": provider.url, "client_id": "uplift", "name": "Test ID", "scope": "openid offline_access chat",
                                 "resource": "https://uplift.test/uplift-api", "parameters": {"prompt": "consent"}}}) as uplift:
    tell(provider, "homes", [uplift.url + "/", uplift.url + "/admin/"])
    policy = uplift.get("/", user=None).headers["Content-Security-Policy"]
    tap.ok("connect-src 'self' %s;" % provider.url in policy, "the page may call the provider, and nobody else", policy)
    facts = sdk.run("../browser/sign_in.mjs", {"PAGE_URL": uplift.url, "PAGE_PROVIDER": provider.url})
    for name, user in (("answer", "ada"), ("interrupted", "dora"), ("ended", "dora")):
        row = uplift.row(facts.get(name)) or {}
        tap.equal([str(row.get("user_id")), row.get("outcome")], [provider.user(user), "complete"], "database: whose the %s is, and that it is whole" % name)
    tap.equal(uplift.value("select count(*) from public.coach_response_feedback where regenerate_of is not null"), 0,
              "database: no answer was asked for twice")
    tap.equal(uplift.get("/admin/jobs", token=facts.get("admin")).status, 200, "whose claim says so may see the jobs")
    tap.equal(uplift.get("/admin/jobs", token=facts.get("member")).status, 403, "and nobody else")
tap.done()
