"""Node, of whichever version is installed."""

import subprocess


def strict_modules():
    """Options with which a newer Node tells modules from scripts as 18 does: by file name and package.json alone, and
    not by a look at the text."""
    option = "--experimental-detect-module"
    known = subprocess.run(["node", "-p", "process.allowedNodeEnvironmentFlags.has('%s')" % option], stdout=subprocess.PIPE, text=True)
    return ["--no-" + option.removeprefix("--")] if known.stdout.strip() == "true" else []
