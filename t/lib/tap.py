"""Test Anything Protocol for tests in Python: ok, equal, contains, like, and done at the end.

A test that dies before done() has no plan, so the harness fails it. run() keeps one part that dies from taking the
others, and what is known of them, along.
"""

import re
import sys
import threading
import traceback

_count = 0
_failed = 0


_lock = threading.Lock()


def _say(lines):
    """Each line in one piece, whatever other threads say."""
    with _lock:
        sys.__stdout__.write("".join(line + "\n" for line in lines))
        sys.__stdout__.flush()


class Comments:
    """What any thread writes to stderr, as TAP comments of whole lines: prove reads both streams as one, and half a
    line of a traceback before an "ok" would hide that check."""

    encoding = "utf-8"

    def __init__(self):
        self._local = threading.local()

    def write(self, text):
        *lines, self._local.begun = (getattr(self._local, "begun", "") + text).split("\n")
        if lines:
            _say("# " + line for line in lines)
        return len(text)

    def flush(self):
        pass

    def isatty(self):
        return False

    def fileno(self):
        return sys.__stderr__.fileno()


sys.stderr = Comments()


def ok(passed, name, detail=None):
    global _count, _failed
    _count += 1
    lines = ["%sok %d - %s" % ("" if passed else "not ", _count, name.replace("#", ""))]
    if not passed:
        _failed += 1
        lines += ["#   " + line for line in str(detail if detail is not None else "").splitlines()[:60]]
    _say(lines)
    return bool(passed)


def equal(got, wanted, name):
    return ok(got == wanted, name, "got:    %r\nwanted: %r" % (got, wanted))


def contains(text, part, name):
    return ok(part in text, name, "looked for: %s\nin: %s" % (part, text))


def note(text):
    _say("# " + line for line in str(text).splitlines())


def like(text, pattern, name):
    return ok(re.search(pattern, str(text)), name, "looked for: %s\nin: %s" % (pattern, text))


def failures():
    """How many checks have failed until now."""
    return _failed


def run(*parts):
    """Calls each of them. One that raises is a check that failed, with its trace."""
    for part in parts:
        try:
            part()
        except (Exception, SystemExit):  # SystemExit: how the harness gives up
            ok(False, "%s goes through to its end" % part.__name__, traceback.format_exc())


def skip(name, reason):
    global _count
    _count += 1
    _say(["ok %d - %s # SKIP %s" % (_count, name, reason)])


def done():
    _say(["1..%d" % _count])
    sys.exit(1 if _failed else 0)
