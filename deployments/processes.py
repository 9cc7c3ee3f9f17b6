"""Processes of ours: who they are beyond their number, and how a whole session of them is ended."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

_STEP = 0.05


@dataclass(frozen=True, slots=True)
class Known:
    """A process that leads a session of its own: its number, and when it began in clock ticks since boot ("": unknown)."""

    pid: int
    start: str = ""


def known(pid: int) -> Known:
    """Return a running process with what tells it from a later one of the same number."""
    stat = _stat(pid)
    return Known(pid, stat[1] if stat else "")


def members(leader: Known) -> tuple[int, ...]:
    """Return the processes of a leader's session that run: itself, and what it started. Empty when none is left.

    A leader may be gone and its session still there; its number is given to nobody else until then.
    """
    stat = _stat(leader.pid)
    if stat is not None and leader.start not in {"", stat[1]}:
        return ()
    if not Path("/proc/self").exists():
        return (leader.pid,) if _exists(leader.pid) else ()
    return tuple(
        pid for pid in _all() if (found := _stat(pid)) and found[2] == leader.pid and found[0] not in "ZX"
    )


def end(leader: Known, *, patience: timedelta) -> bool:
    """End a session: asked first, killed after `patience`. Returns whether it had to be killed. Safe to repeat."""
    if _exists(leader.pid) and members(leader):
        _send(leader.pid, signal.SIGTERM)
    if gone(leader, patience=patience):
        return False
    kill(leader)
    return True


def gone(leader: Known, *, patience: timedelta) -> bool:
    """Wait until nothing of a session is left; say whether that is so."""
    until = time.monotonic() + patience.total_seconds()
    while members(leader):
        if time.monotonic() >= until:
            return False
        threading.Event().wait(_STEP)
    return True


def kill(leader: Known) -> None:
    """Kill what is left of a session. Safe to repeat."""
    for pid in members(leader):
        _send(pid, signal.SIGKILL)


def _send(pid: int, what: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.kill(pid, what)


def _all() -> Iterator[int]:
    yield from (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal())


def _stat(pid: int) -> tuple[str, str, int] | None:
    """Return the state letter, the start time and the session of a process; None where /proc does not say."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    rest = text.rpartition(")")[2].split()  # the command's name, in brackets, may hold anything
    return rest[0], rest[19], int(rest[3])


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
