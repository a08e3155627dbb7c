"""Every fault of a provider, and what a chat does that has another one to go to."""

import tap
from harness import wait_for

LIMITS = {"first_byte_timeout_ms": 500, "first_token_timeout_ms": 800, "idle_timeout_ms": 600}

# What a whole body, not a stream, has none of.
STREAMS_ONLY = ("malformed-chunk", "no-done", "end", "error")
# A body that comes whole may take as long as the answer in all.
PATIENCE = ("silence", "stall", "slow-first-token;ms=4000")

# fault, reason in attempts, calls of the first provider, whether the other is asked, whether some text comes first
FAULTS = [
    ("status-500", "status_500", 2, True, False),
    ("status-503", "status_503", 2, True, False),
    ("status-529", "status_529", 2, True, False),
    ("status-503;retry-after=30", "status_503", 1, True, False),
    ("status-429", "status_429", 1, True, False),
    ("status-429;retry-after=30", "status_429", 1, True, False),
    ("status-429;code=insufficient_quota", "status_429", 1, True, False),
    ("status-401", "status_401", 1, True, False),
    ("status-403", "status_403", 1, True, False),
    ("status-404", "status_404", 1, True, False),
    ("reset", "reset", 2, True, False),
    ("silence", "timeout_first_byte", 1, True, False),
    ("slow-first-token;ms=4000", "timeout_first_token", 1, True, False),
    ("stall", "timeout_idle", 1, True, True),
    ("cut", "cut", 1, True, True),
    ("end", "cut", 1, True, True),
    ("error", "error_event", 1, True, True),
    ("context-length", "status_400", 1, True, False),
    ("status-400", "status_400", 1, False, False),
    ("status-422", "status_422", 1, False, False),
    ("content-filter;status=400", "status_400", 1, False, False),
    ("malformed-chunk", None, 1, False, False),
    ("no-done", None, 1, False, False),
]


def put(uplift, path, body):
    answer = uplift.admin("PUT", path, body)
    if answer.status != 200:
        tap.bail("PUT %s: %s" % (path, answer.text))


def put_providers(uplift, first, second):
    """first and second are base URLs."""
    uplift.give_keys("env:FIRST_API_KEY@" + first, "file:second.key@" + second)
    put(uplift, "/admin/providers/first", {"base_url": first, "api_key": "env:FIRST_API_KEY", **LIMITS})
    put(uplift, "/admin/providers/second", {"base_url": second, "api_key": "file:second.key"})


def put_fault(uplift, name, fault):
    """A model that meets the fault first."""
    put(uplift, "/admin/models", {"name": name, "is_listed": False, "routes": [
        {"provider": "first", "model": "sim-fault-" + fault, "context_tokens": 1000},
        {"provider": "second", "model": "sim-1-mini", "context_tokens": 2000}]})


def await_routing(uplift):
    """Until all workers follow the changes."""
    revision = uplift.value("select revision from uplift.routing_state")
    known = wait_for(lambda: uplift.read_log().count("revision %d\"" % revision) >= len(uplift.workers()), 20)
    tap.ok(known, "all workers follow the changes")
