"""Processes of a test, none of which need be there any more."""

import contextlib
import os
import resource
import signal
import socket
import sys
import time


def wait_for(check, seconds=20):
    """What check returns once that is true; its last answer when time is up."""
    end = time.monotonic() + seconds
    while True:
        answer = check()
        if answer or time.monotonic() > end:
            return answer
        time.sleep(0.02)


def raise_file_limit():
    """As many open files as the system lets us have; returns how many. Programs we start inherit it."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return sys.maxsize if most == resource.RLIM_INFINITY else most


def sanitizers(*more):
    """What the environment tells the sanitizers, for a program that gets no other part of it; more: for
    AddressSanitizer."""
    told = {name: value for name, value in os.environ.items() if name.endswith("SAN_OPTIONS")}
    if more:
        told["ASAN_OPTIONS"] = ":".join([*filter(None, [told.get("ASAN_OPTIONS")]), *more])
    return told


def accepts(path):
    """Whether somebody listens on a Unix socket. Its file is there earlier."""
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(path)
            return True
        except OSError:
            return False


def parent_of(pid):
    try:
        with open("/proc/%s/stat" % pid, errors="replace") as file:
            return int(file.read().rpartition(")")[2].split()[1])  # a name may hold spaces and brackets
    except (OSError, IndexError):
        return None


def children(pid):
    """The process ids of its children. Not from /proc/PID/task/PID/children, which some kernels lack."""
    return sorted(int(name) for name in os.listdir("/proc") if name.isdigit() and parent_of(name) == pid)


def send(pids, number):
    """Sends all of them a signal."""
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass


@contextlib.contextmanager
def paused(pids):
    """They stand still until the end of the block."""
    send(pids, signal.SIGSTOP)
    try:
        yield
    finally:
        send(pids, signal.SIGCONT)


def wait_until_gone(pids, seconds=10):
    return wait_for(lambda: not any(os.path.exists("/proc/%d" % pid) for pid in pids), seconds)
