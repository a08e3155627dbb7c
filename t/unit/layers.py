#!/usr/bin/python3
"""The directories of src/chat are layers: each includes only what is below it in README's tour."""

import glob
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from build import TOP  # noqa: E402
from tap import done, equal  # noqa: E402

CHAT = TOP + "/src/chat/"


def layer_of(path):
    """The layer of a file below src/; main.c is above all of them."""
    if path == "chat/main.c":
        return "main.c"
    if path.startswith("chat/"):
        return os.path.dirname(path)[5:] or "chat.h"
    return os.path.dirname(path)


def layers_of_tour():
    """From top to bottom."""
    with open(TOP + "/README.md") as file:
        table = re.search(r"^\| directory of `src/chat/`.*?\n\n", file.read(), re.M | re.S).group(0)
    return [re.match(r"\| `([a-z_.]+)/?`", line).group(1) for line in table.splitlines()[2:] if line]


layers = layers_of_tour() + ["search", "common"]
here = {os.path.basename(path.rstrip("/")) for path in glob.glob(CHAT + "*/")}
equal(sorted(here), sorted(set(layers) - {"main.c", "chat.h", "search", "common"}), "README's tour goes through every directory")
upwards = []
for path in sorted(glob.glob(CHAT + "**/*.[ch]", recursive=True) + glob.glob(TOP + "/src/common/*.[ch]") + glob.glob(TOP + "/src/search/*.[ch]")):
    name = os.path.relpath(path, TOP + "/src")
    with open(path) as file:
        for included in re.findall(r'^#include "([^"]+)"', file.read(), re.M):
            full = included if "/" in included else os.path.dirname(name) + "/" + included
            if layers.index(layer_of(full)) < layers.index(layer_of(name)):
                upwards.append("%s includes %s" % (name, full))
equal(upwards, [], "no layer includes what is above it")
done()
