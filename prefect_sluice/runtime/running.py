"""Processes of this machine: whether one runs, and when it began, which tells it from a later one of the same number."""

from __future__ import annotations

import os
import sys
from contextlib import suppress


def start_of(pid: int) -> str | None:
    """Return when a process began, in clock ticks since this machine did; "" where nobody says; None: it runs no more.

    A zombie runs no more: it has a number still, and does nothing. Whoever sets the clock changes no answer: elsewhere than
    on Linux, where the start would move with the clock, nobody says.
    """
    import psutil  # most commands look at no process

    try:
        process = psutil.Process(pid)
        if process.status() in {psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD}:
            return None
        if sys.platform != "linux":
            return ""
        booted = psutil.boot_time()
        since = process.create_time() - booted
        if psutil.boot_time() != booted:  # the clock was set in between
            return start_of(pid)
    except psutil.ZombieProcess:
        return None
    except psutil.NoSuchProcess:
        return "" if _has_number(pid) else None
    except (psutil.AccessDenied, RuntimeError, OSError):  # a /proc that says little, as in some containers
        return ""
    return str(round(since * os.sysconf("SC_CLK_TCK")))


def _has_number(pid: int) -> bool:
    """Ask the kernel itself: /proc may hide the processes of others (`hidepid`)."""
    try:
        with suppress(PermissionError):
            os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    return True
