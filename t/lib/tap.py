"""Test Anything Protocol for tests in Python: ok, equal, contains, like, and done at the end.

A test that dies before done() has no plan, so the harness fails it. run() keeps one part that dies from taking the
others, and what is known of them, along.
"""

import re
import sys
import traceback

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
    print("ok %d - %s # SKIP %s" % (_count, name, reason), flush=True)


def done():
    print("1..%d" % _count, flush=True)
    sys.exit(1 if _failed else 0)
