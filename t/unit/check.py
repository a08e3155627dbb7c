#!/usr/bin/python3
"""--check of both programs: the example configuration passes only when its placeholders are filled in, and what --check
refuses does not start."""

import json
import os
import re
import secrets
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import build  # noqa: E402
from process import sanitizers  # noqa: E402
from tap import contains, done, equal, ok  # noqa: E402

PROGRAMS = ("fcgi-chat", "fcgi-batch")
DIRECTORY = tempfile.TemporaryDirectory()
MINIMAL = {"DATABASE_URL": "host=/nonexistent dbname=x", "UPLIFT_JWT_SECRET": "a secret for tests only, of more than 32 bytes",
           "UPLIFT_SPOOL_DIR": DIRECTORY.name, "UPLIFT_LISTEN": "unix:%s/chat.sock" % DIRECTORY.name,
           "UPLIFT_BATCH_LISTEN": "unix:%s/batch.sock" % DIRECTORY.name}


def write(name, text):
    path = "%s/%s" % (DIRECTORY.name, name)
    with open(path, "w") as file:
        file.write(text)
    return path


def run(program, *arguments, **settings):
    return subprocess.run([build.program(program), *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, universal_newlines=True, timeout=60,
                          env={"PATH": os.environ["PATH"], **sanitizers(), **settings})


def test_example():
    with open(build.TOP + "/nginx/uplift.conf.example") as file:
        example = file.read().replace("/etc/uplift/", DIRECTORY.name + "/")
    # How tokens are checked is for the operator to choose: the example has it commented out.
    example += "UPLIFT_JWT_SECRET_FILE=%s/jwt-secret\n" % DIRECTORY.name
    files = dict(re.findall(r"^(\w+)_FILE=%s/(.*)$" % DIRECTORY.name, example, re.M))
    config = write("example.conf", example)
    ok(len(files) >= 4 and "CHANGE_ME" not in example, "the example has its secrets in files", files)
    for program in PROGRAMS:
        result = run(program, "--config", config, "--check")
        equal((result.returncode, result.stdout), (1, ""), program + ": the example without its files is refused")
        for name, file in files.items():
            contains(result.stderr, "%s_FILE: could not open %s/%s" % (name, DIRECTORY.name, file), "%s: %s is named" % (program, name))
    for file in files.values():
        write(file, "CHANGE_ME\n" if "url" not in file else "postgresql://uplift_app:CHANGE_ME@127.0.0.1/uplift\n")
    for program in PROGRAMS:
        result = run(program, "--config", config, "--check")
        equal((result.returncode, result.stdout), (1, ""), program + ": so it is with placeholders in them")
        for name in files:
            ok(re.search("^%s: .*placeholder" % name, result.stderr, re.M), "%s: %s is named" % (program, name), result.stderr)
        ok("CHANGE_ME" not in result.stderr, program + ": no secret is repeated, not even a made-up one")
        equal(run(program, "--config", config).stderr, result.stderr, program + ": nor does it start")
    for file in files.values():
        write(file, secrets.token_hex(32) if "url" not in file else "postgresql://uplift_app:%s@127.0.0.1/uplift\n" % secrets.token_hex(16))
    for program in PROGRAMS:
        result = run(program, "--config", config, "--check")
        equal((result.returncode, result.stderr), (0, ""), program + ": filled in it is fine")
        contains(result.stdout, "UPLIFT_JWT_SECRET=(set)\n", program + ": and is printed without its secrets")


def test_refused():
    key = write("key", "CHANGE_ME\n")
    provider = {"name": "p", "base_url": "http://127.0.0.1:1/v1"}
    script = write("trainer", "#!/bin/sh\n")
    for programs, name, settings, complaint in [
            (PROGRAMS, "a connection string that is none", {"DATABASE_URL": "postgres://:::"}, "DATABASE_URL: its port must be a number"),
            (PROGRAMS, "a misspelt key in a routing file", {"UPLIFT_ROUTING_FILE": write("slip.json", json.dumps(
                {"providers": [{**provider, "conect_timeout_ms": 100}]}))},
             "UPLIFT_ROUTING: routing: provider p: conect_timeout_ms is no member that is known: did you mean connect_timeout_ms?"),
            (PROGRAMS, "a routing file that is not there", {"UPLIFT_ROUTING_FILE": DIRECTORY.name + "/none.json"},
             "UPLIFT_ROUTING_FILE: could not open"),
            (PROGRAMS, "a secret's file that is not there", {"UPLIFT_ID_KEY_FILE": DIRECTORY.name + "/none"}, "UPLIFT_ID_KEY_FILE: could not open"),
            (PROGRAMS, "a placeholder in a file", {"OPENAI_API_KEY_FILE": key}, "OPENAI_API_KEY: a placeholder"),
            (PROGRAMS, "a bundle of certificates that is none", {"UPLIFT_CA_BUNDLE": key}, "holds no certificate"),
            (PROGRAMS, "a URL that is none", {"UPLIFT_UPSTREAM_URL": "https://api.openai.com:https"}, "its port must be a number"),
            (PROGRAMS, "a value out of its range", {"UPLIFT_WORKERS": "1000"}, "UPLIFT_WORKERS=1000: out of range"),
            (("fcgi-chat",), "a provider's key that is a placeholder", {"UPLIFT_KEY_DIR": DIRECTORY.name, "UPLIFT_ROUTING": json.dumps(
                {"providers": [{**provider, "api_key": "file:key"}]})}, "provider p: its api_key file:key cannot be used"),
            (("fcgi-chat",), "a provider's key that is not there", {"UPLIFT_KEY_DIR": DIRECTORY.name, "UPLIFT_ROUTING": json.dumps(
                {"providers": [{**provider, "api_key": "file:none"}]})}, "provider p: its api_key file:none cannot be used"),
            (("fcgi-batch",), "a trainer that is not there", {"UPLIFT_TRAINER": "command", "UPLIFT_TRAINER_COMMAND": DIRECTORY.name + "/none"},
             "UPLIFT_TRAINER_COMMAND: could not run"),
            (("fcgi-batch",), "a trainer that is no program", {"UPLIFT_TRAINER": "command", "UPLIFT_TRAINER_COMMAND": script},
             "UPLIFT_TRAINER_COMMAND: could not run")]:
        for program in programs:
            result = run(program, "--check", **{**MINIMAL, **settings})
            ok(result.returncode == 1 and complaint in result.stderr and result.stdout == "", "%s: %s is refused" % (program, name), result.stderr)
            result = run(program, **{**MINIMAL, **settings})
            ok(result.returncode == 1 and complaint in result.stderr, "%s: and does not start" % program, result.stderr)


def test_good():
    for program in PROGRAMS:
        result = run(program, "--check", **{**MINIMAL, "UPLIFT_ROUTING": json.dumps({"providers": [
            {"name": "p", "base_url": "http://127.0.0.1:1/v1", "api_key": "env:OF_THE_SERVICE_API_KEY"}]})})
        equal(result.returncode, 0, program + ": a key that only the service has is not missed")


test_example()
test_refused()
test_good()
done()
