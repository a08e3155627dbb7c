#!/usr/bin/python3
"""Signing in at a Supabase project on the page in a real Chromium. Its auth server cannot be had here: t/lib/gotrue.py stands in for
it, and Supabase's own client tries that first, so that the page is held against what that client takes for the real one."""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "../lib"), os.path.join(HERE, "../clients")]

import node
import sdk
import tap
from gotrue import APIKEY, GoTrue
from harness import SECRET, Uplift

node.install(HERE)

with GoTrue(SECRET) as gotrue:
    user = gotrue.add("ada@example.com", "correct horse")
    with Uplift(UPLIFT_JWT_ISSUER=gotrue.issuer, UPLIFT_ANON_KEY=APIKEY,
                page_config=gotrue.page_config(providers=["github"])) as uplift:
        gotrue.pages = [uplift.url + "/"]
        told = {"PAGE_URL": uplift.url + "/", "GOTRUE_URL": gotrue.url, "GOTRUE_APIKEY": APIKEY}
        sdk.run("../browser/auth_js.mjs", told)
        facts = sdk.run("../browser/supabase.mjs", {**told, "PAGE_URL": uplift.url})
        row = uplift.row(facts.get("answer")) or {}
        tap.equal([str(row.get("user_id")), row.get("outcome")], [user.id, "complete"], "database: whose the answer is")
tap.done()
