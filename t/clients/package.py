#!/usr/bin/python3
"""uplift.js in programs of Node, as its users get it: installed from the page's directory, or copied."""

import json
import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import tap
from build import TOP
from node import strict_modules

PROGRAM = """import { Uplift, UpliftError } from "%s";
const uplift = new Uplift({ baseUrl: "http://127.0.0.1:1", token: "t" });
const error = await uplift.coaches().catch((error) => error);
console.log(error instanceof UpliftError, error.status);
"""


def use(directory, module, name):
    """Runs a program in the directory that imports uplift.js by that name."""
    with open(directory + "/program.mjs", "w") as file:
        file.write(PROGRAM % module)
    done = subprocess.run(["node", *strict_modules(), "program.mjs"], cwd=directory, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    tap.equal(done.stdout, "true 0\n", name)


def main():
    page = TOP + "/nginx/html"
    with tempfile.TemporaryDirectory() as directory:
        with open(directory + "/package.json", "w") as file:
            json.dump({"name": "program", "private": True}, file)  # of CommonJS, as npm init makes it
        done = subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--offline", page], cwd=directory, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True)
        tap.equal(done.returncode, 0, "npm installs the page's directory") or tap.note(done.stdout)
        use(directory, "uplift-client", "a program imports it by its name")
        shutil.copy(page + "/lib/uplift.js", directory + "/uplift.mjs")
        use(directory, "./uplift.mjs", "or a copy of the file, as uplift.mjs")
        os.makedirs(directory + "/page/lib")
        for name in ("lib/uplift.js", "package.json"):
            shutil.copy(page + "/" + name, directory + "/page/" + name)
        use(directory, "./page/lib/uplift.js", "or the file in its directory")
    tap.done()


main()
