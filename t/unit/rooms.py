#!/usr/bin/python3
"""The rooms of src/chat: includes lead one way, as README's tour has it."""

import glob
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from build import TOP  # noqa: E402
from tap import done, equal  # noqa: E402

CHAT = TOP + "/src/chat/"


def room_of(path):
    """The room of a file below src/; main.c is above all of them."""
    if path == "chat/main.c":
        return "main.c"
    if path.startswith("chat/"):
        return os.path.dirname(path)[5:] or "chat.h"
    return os.path.dirname(path)


def rooms_of_tour():
    """From top to bottom."""
    with open(TOP + "/README.md") as file:
        table = re.search(r"^\| room of `src/chat/`.*?\n\n", file.read(), re.M | re.S).group(0)
    return [re.match(r"\| `([a-z_.]+)/?`", line).group(1) for line in table.splitlines()[2:] if line]


rooms = rooms_of_tour() + ["common"]
here = {os.path.basename(path.rstrip("/")) for path in glob.glob(CHAT + "*/")}
equal(sorted(here), sorted(set(rooms) - {"main.c", "chat.h", "common"}), "README's tour goes through every room")
upwards = []
for path in sorted(glob.glob(CHAT + "**/*.[ch]", recursive=True) + glob.glob(TOP + "/src/common/*.[ch]")):
    name = os.path.relpath(path, TOP + "/src")
    with open(path) as file:
        for included in re.findall(r'^#include "([^"]+)"', file.read(), re.M):
            full = included if "/" in included else os.path.dirname(name) + "/" + included
            if rooms.index(room_of(full)) < rooms.index(room_of(name)):
                upwards.append("%s includes %s" % (name, full))
equal(upwards, [], "no room includes what is above it")
done()
