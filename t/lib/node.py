"""Node, of whichever version is installed."""

import fcntl
import os
import subprocess


def install(directory):
    """Installs what the directory's package-lock.json names, where that was not done before. Raises SystemExit, with what
    npm said, when it cannot."""
    stamp, wanted = directory + "/node_modules/.package-lock.json", directory + "/package-lock.json"
    with open(wanted) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # tests that run at once share it
        if os.path.exists(stamp) and os.path.getmtime(stamp) >= os.path.getmtime(wanted):
            return
        done = subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=directory,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        raise SystemExit("npm ci failed in %s:\n%s" % (directory, done.stdout))


def strict_modules():
    """Options with which a newer Node tells modules from scripts as 18 does: by file name and package.json alone, and
    not by a look at the text."""
    option = "--experimental-detect-module"
    known = subprocess.run(["node", "-p", "process.allowedNodeEnvironmentFlags.has('%s')" % option], stdout=subprocess.PIPE, text=True)
    return ["--no-" + option.removeprefix("--")] if known.stdout.strip() == "true" else []
