#!/usr/bin/python3
"""README's two commands, in README's order, on a bare Debian 12: as root, or as a user with sudo.

    t/bare/commands.py root|sudo

What Debian has is what is tested: its own Node, no systemd, no terminal.
"""

import os
import re
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import tap  # noqa: E402
from bare import Bare  # noqa: E402


def told(done, name):
    """Whether a command went well; what it printed is shown when not."""
    return tap.ok(done.status == 0, name, "\n".join(done.text.splitlines()[-60:]))


def other_port():
    """The containers share this machine's network, where somebody may have uplift's usual ports."""
    with socket.socket() as first, socket.socket() as second:
        try:
            first.bind(("127.0.0.1", 8443))
            second.bind(("127.0.0.1", 8444))
            return ""
        except OSError:
            tap.note("8443 or 8444 is taken on this machine: another port will do, and is kept")
            return " --port auto"


def go(machine, user, home):
    checkout = home + "/uplift"
    machine.copy_checkout(checkout)
    machine.run("chown -R %s %s" % (user, home))
    up = machine.run("./dev up" + other_port(), user=user, cwd=checkout)
    told(up, "./dev up")
    # The servers it started ended with the container: so does what a container is.
    check = machine.run("./dev check --quick", user=user, cwd=checkout)
    told(check, "./dev check --quick, after it")
    tap.like(check.text, r"(?m)^\d+ passed, 0 failed$", "with no check failed or skipped")
    done = machine.run("""./dev up
line=$(./dev up 2>/dev/null)
echo "$line"
bash -c "$line"
./dev token >/dev/null
./dev loop --users 30
./dev down
./dev experiment --users 60
./dev down""", user=user, cwd=checkout)
    told(done, "up again, the curl line that it prints, the loop, down, an experiment by itself, down")
    tap.like(done.text, r'"done":true', "the answer comes to its end")
    tap.like(done.text, r"gentler \(2\.2\) +\d+ +0\.\d", "what came of the experiment")
    tap.equal(re.findall(r".*(?:No such|not found|mistake).*", up.text + done.text), [], "without a complaint of the shell")
    done = machine.run("./dev down; node --version", user=user, cwd=checkout)
    tap.like(done.text, r"v18\.", "Debian's own Node ran the tests")


def main():
    as_root = sys.argv[1:] != ["sudo"]
    with Bare("root" if as_root else "sudo") as machine:
        if as_root:
            go(machine, "root", "/root")
        else:
            told(machine.run("""apt-get -q update && apt-get -q install -y --no-install-recommends sudo
useradd --create-home --shell /bin/bash newcomer
echo 'newcomer ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/newcomer"""), "a user with sudo")
            go(machine, "newcomer", "/home/newcomer")
    tap.done()


main()
