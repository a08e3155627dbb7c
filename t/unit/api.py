#!/usr/bin/python3
"""The API reference has the routes and the error codes that the sources have, and no others."""

import glob
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from build import TOP  # noqa: E402
from tap import done, equal, ok  # noqa: E402


def read(*patterns):
    text = ""
    for pattern in patterns:
        for name in sorted(glob.glob(TOP + "/" + pattern)):
            with open(name) as file:
                text += file.read()
    return text


reference = read("src/chat/API.md")
headings = set()
for line in re.findall(r"^### (.*)", reference, re.M) + re.findall(r"^\| `(GET /\w+)`", reference, re.M):
    methods = set()
    for piece in re.split(r",? ", line):
        if piece.startswith("/"):
            path = re.sub(r"\{id\}$", "", piece)
            headings.update((method, path) for method in methods)
        elif piece != "or":
            methods.add(piece)
table = set(re.findall(r'^    \{"([A-Z]+)", "([^"]+)",', read("src/chat/routes.c"), re.M))
refused = {("POST", "/rest/v1/coach_response_feedback"), ("DELETE", "/rest/v1/coach_response_feedback")}
equal(sorted(headings), sorted(table - refused), "the routes are those of routes.c")

documented = set(re.findall(r"`([a-z_]+)`", " ".join(re.findall(r"^\| \d+ \| (.*?) \|", reference, re.M))))
sources = read("src/chat/*.c", "src/common/*.c")
used = set()
for argument in re.findall(r"api_error\([^,;]*,[^,;]*,([^,;]*),", sources):
    used |= set(re.findall(r'"([a-z_]+)"', argument))
used |= set(re.findall(r'\brefuse\([^;"]*"([a-z_]+)"', sources))
used |= set(re.findall(r'^    \{"[0-9A-Z]*", \d+, "([a-z_]+)"', sources, re.M))
used |= set("invalid_" + key for key in re.findall(r'read_(?:text|uuid)\(object, "([a-z_]+)"', sources))
used |= set(re.findall(r"uplift\.fail\(\d+, '([a-z_]+[a-z])'", read("sql/functions/*.sql")))
used |= set(re.findall(r'"code":"([a-z_]+)"', read("nginx/errors-server.conf")))
# How the preferences, which are many, are written: `invalid_<name>`.
used -= {"invalid_timezone", "invalid_protocol"}
ok(len(used) > 50, "the sources have error codes")
equal(sorted(documented - used), [], "no documented code is unknown to the sources")
equal(sorted(used - documented), [], "no code of the sources is undocumented")
done()
