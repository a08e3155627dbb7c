"""Processes of a test, none of which need be there any more."""

import contextlib
import os
import signal
import socket
import time


def wait_for(check, seconds=20):
    """What check returns once that is true; its last answer when time is up."""
    end = time.monotonic() + seconds
    while True:
        answer = check()
        if answer or time.monotonic() > end:
            return answer
        time.sleep(0.02)


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
