#!/usr/bin/python3
"""The API references have the routes and the error codes that the sources have, and no others."""

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
        for name in sorted(glob.glob(TOP + "/" + pattern, recursive=True)):
            with open(name) as file:
                text += file.read()
    return text


def headings(reference):
    """(method, path) of "### GET, PATCH /one, POST /other"; methods go with the paths after them."""
    found = set()
    for line in re.findall(r"^### (.*)", reference, re.M) + re.findall(r"^\| `(GET /\w+)`", reference, re.M):
        methods, after_path = set(), False
        for piece in re.split(r",? ", line):
            if piece.startswith("/"):
                found.update((method, piece) for method in methods)
                after_path = True
            elif piece != "or":
                if after_path:
                    methods, after_path = set(), False
                methods.add(piece)
    return found


def table(path):
    return set(re.findall(r'^    \{\{"([A-Z]+)", "([^"]+)"\}', read(path), re.M))


chat, batch = read("src/chat/API.md"), read("src/batch/API.md")
refused = {("POST", "/rest/v1/coach_response_feedback"), ("DELETE", "/rest/v1/coach_response_feedback")}
equal(sorted((method, path.replace("{name}", "{id}")) for method, path in headings(chat)),
      sorted((method, path.replace("{+name}", "{id}")) for method, path in table("src/chat/routes/routes.c") - refused),
      "the routes are those of src/chat/routes/routes.c")
equal(sorted(headings(batch)), sorted(table("src/batch/routes.c")), "and of src/batch/routes.c")

documented = set(re.findall(r"`([a-z_]+)`", " ".join(re.findall(r"^\| [\d, ]+ \| (.*?) \|", chat + batch, re.M))))
sources = read("src/chat/**/*.c", "src/common/*.c", "src/batch/*.c")
used = set()
for argument in re.findall(r"api_error\([^,;]*,[^,;]*,([^,;]*),", sources):
    used |= set(re.findall(r'"([a-z_]+)"', argument))
used |= set(re.findall(r'\brefuse\([^;"]*"([a-z_]+)"', read("src/chat/**/*.c", "src/common/*.c")))
used |= set(re.findall(r'^    \{"[0-9A-Z]*", \d+, "([a-z_]+)"', sources, re.M))
used |= set("invalid_" + key for key in re.findall(r'read_(?:text|uuid)\(object, "([a-z_]+)"', sources))
used |= set("invalid_" + key for key in re.findall(r'read_number\(query, "([a-z_]+)"', sources))
functions = read("sql/functions/**/*.sql")
used |= set(re.findall(r"uplift\.fail\(\d+, '([a-z_]+[a-z])'", functions))
used |= set(re.findall(r"uplift\.refusal\(\d+, '([a-z_]+[a-z])'", functions))
used |= set(re.findall(r"case when p_split is null then '([a-z_]+)' else '([a-z_]+)' end", functions)[0])
used |= set(re.findall(r'"code":"([a-z_]+)"', read("nginx/errors-server.conf")))
# How the preferences, which are many, are written: `invalid_<name>`.
used -= {"invalid_timezone", "invalid_protocol"}
used -= {"erased", "invalid_section"}  # between fcgi-chat and Postgres only
used -= {"invalid_lane"}  # between fcgi-batch and Postgres only
used -= {"does_not_run", "no_price", "over_money"}  # of autopilot's own steps, whose reasons are in its decisions
ok(len(used) > 90, "the sources have error codes")
# Of arguments with a type; those that are their own explanation go by `invalid_<name>` alone.
typed = {"invalid_" + name for name in re.findall(r"uplift\.[a-z]+_argument\(\w+, '([a-z_]+)'", functions)}
typed |= {"invalid_" + name for name in re.findall(r"'memory\.([a-z_]+)', 'whole'", functions)}
equal(sorted(documented - used - typed), [], "no documented code is unknown to the sources")
equal(sorted(used - documented), [], "no code of the sources is undocumented")

# What a fine-tuning job may fail with.
told = set(re.findall(r"`([a-z_]+)`", " ".join(re.findall(r"^\| (`.*?) \|", read("src/batch/TRAINING.md").split("## What may come of it")[1], re.M))))
problems = set(re.findall(r'trainer_problem\([^;"]*?(?:true|false),\s*"([a-z_]+)"', sources))
problems |= set(re.findall(r'^    \{"([a-z_]+)", 0, true,', sources, re.M)) | set(re.findall(r'sizeof p->code, "([a-z_]+)"', sources))
problems |= set(re.findall(r'code != NULL \? code : "(training_failed)"', sources))
problems |= set(re.findall(r"'code', '([a-z_]+)'", read("sql/functions/jobs/jobs.sql")))  # of the batch job, which ends it
problems -= {"stopped"}  # of a run that is given back or cancelled: nobody gets to read it
ok(len(problems) > 15, "trainers have problems")
equal(sorted(told - problems - {"http_"}), [], "no documented problem is unknown to the sources")
equal(sorted(problems - told), [], "no problem of the sources is undocumented")
done()
