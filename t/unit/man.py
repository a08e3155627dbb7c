#!/usr/bin/python3
"""The man page says of each name of the configuration what --help says, and names no other."""

import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import build  # noqa: E402
from process import sanitizers  # noqa: E402
from tap import contains, done, equal, ok  # noqa: E402


def plain(text):
    """The text of a piece of a man page, without its marks."""
    text = re.sub(r"\\f[A-Z]", "", text.replace("\\-", "-").replace("\\(aq", "'"))
    text = re.sub(r"^\.(BR|IR|B|I|RB|BI|IB) ", "", text, flags=re.M)
    return " ".join(text.replace(" .\n", ".\n").split())


environment = {"PATH": os.environ["PATH"], **sanitizers()}
program = build.program("fcgi-chat")
text = subprocess.run([program, "--help"], env=environment, check=True, stdout=subprocess.PIPE,
                      universal_newlines=True).stdout
helped = {}
for name, default, secret, meaning in re.findall(
        r"^  ([A-Z][A-Z_]+)(?:=(\S*))?( \(secret\))?\n((?:        .*\n)+)", text, re.M):
    helped[name] = (default, bool(secret), " ".join(meaning.split()))

with open(build.TOP + "/src/chat/uplift.conf.5") as file:
    page = file.read()
section = page[page.index(".SH OPTIONS"):page.index(".SH EXAMPLE")]
paged = dict(re.findall(r"^\.TP\n\.B (\S+)\n((?:(?!\.TP\n).*\n)+)", section, re.M))

ok(len(helped) > 30, "--help lists the configuration")
equal(sorted(paged), sorted(helped), "the man page has the names that --help has")
equal(list(paged), list(helped), "in the same order")
for name, (default, secret, meaning) in helped.items():
    entry = plain(paged.get(name, ""))
    contains(entry, meaning, "%s: the man page has its meaning" % name)
    found = re.search(r"Default: (\S+)\.$", entry)
    equal(found.group(1) if found else "", default, "%s: the same default" % name)
    equal("Secret." in entry, secret, "%s: secret or not" % name)

# Each program's own page: its options and, of fcgi-batch, its commands.
for name, path in (("fcgi-chat", "/src/chat/fcgi-chat.8"), ("fcgi-batch", "/src/batch/fcgi-batch.8")):
    text = subprocess.run([build.program(name), "--help"], env=environment, check=True, stdout=subprocess.PIPE,
                          universal_newlines=True).stdout
    with open(build.TOP + path) as file:
        page = file.read().replace("\\-", "-")
    options = set(re.findall(r"(?<![\w-])--[a-z]+", text))
    paged = set(re.findall(r"(?<![\w-])--[a-z]+", page)) - {"--argument"}
    equal(sorted(paged), sorted(options), "%s(8) has the options that --help has" % name)
    commands = re.findall(r"^  ([a-z]+)\b", text[text.find("Commands:"):text.find("Signals:")], re.M) if "Commands:" in text else []
    for command in commands:
        ok(re.search(r"^\.(BI|B) %s\b" % command, page, re.M), "%s(8) has the command %s" % (name, command))
done()
