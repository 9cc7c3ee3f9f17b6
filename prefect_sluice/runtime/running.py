"""Processes of this machine: whether one runs, and what tells it from a later one of the same number."""

from __future__ import annotations

import os


def start_of(pid: int) -> str | None:
    """Return when a process began, in clock ticks since this machine did; "" where nobody says; None: it runs no more.

    A zombie runs no more: it has a number still, and does nothing. Whoever sets the clock changes no answer.
    """
    import psutil  # most commands look at no process

    try:
        process = psutil.Process(pid)
        if process.status() in {psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD}:
            return None
        booted = psutil.boot_time()
        since = process.create_time() - booted
        if psutil.boot_time() != booted:  # the clock was set in between
            return start_of(pid)
    except psutil.NoSuchProcess:
        return None
    except psutil.AccessDenied:
        return ""
    return str(round(since * os.sysconf("SC_CLK_TCK")))
