"""Test Anything Protocol for tests in Python: ok, equal, contains, like, and done at the end.

A test that dies before done() has no plan, so the harness fails it.
"""

import re
import sys

_count = 0
_failed = 0


def ok(passed, name, detail=None):
    global _count, _failed
    _count += 1
    print("%sok %d - %s" % ("" if passed else "not ", _count, name.replace("#", "")), flush=True)
    if not passed:
        _failed += 1
        for line in str(detail if detail is not None else "").splitlines()[:60]:
            print("#   " + line, flush=True)
    return bool(passed)


def equal(got, wanted, name):
    return ok(got == wanted, name, "got:    %r\nwanted: %r" % (got, wanted))


def contains(text, part, name):
    return ok(part in text, name, "looked for: %s\nin: %s" % (part, text))


def note(text):
    for line in str(text).splitlines():
        print("# " + line, flush=True)


def like(text, pattern, name):
    return ok(re.search(pattern, str(text)), name, "looked for: %s\nin: %s" % (pattern, text))


def failures():
    """How many checks have failed until now."""
    return _failed


def done():
    print("1..%d" % _count, flush=True)
    sys.exit(1 if _failed else 0)
