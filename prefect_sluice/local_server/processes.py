"""Processes of ours: who they are beyond their number, and how one is ended with all that it started."""

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

from prefect_sluice.state.lease import process_stat, runs_here

_STEP = 0.05

MARK = "SLUICE_UP"
"""The environment variable that all processes of one child bear: it, and what it started, in whatever session."""


@dataclass(frozen=True, slots=True)
class KnownProcess:
    """A process of ours: its number, when it began in clock ticks since boot ("": unknown), and the mark that it and all that
    it started bear. A worker puts each flow run into a session of its own, so that no session or group holds them all."""

    pid: int
    start: str
    mark: str


def known(pid: int, mark: str) -> KnownProcess:
    """Return a running process with what tells it from a later one of the same number."""
    stat = process_stat(pid)
    return KnownProcess(pid, stat[1] if stat else "", mark)


def members(one: KnownProcess) -> tuple[int, ...]:
    """Return the processes that run of what one is, itself and what it started. Empty when none is left."""
    if not Path("/proc/self/environ").exists():
        return (one.pid,) if runs_here(one.pid) else ()
    wanted = f"{MARK}={one.mark}".encode()
    bearing = tuple(pid for pid in _all() if wanted in _environ(pid) and _runs(pid))
    # Itself by its start: between fork and exec it does not bear the mark yet.
    stat = process_stat(one.pid)
    itself = stat is not None and stat[1] == one.start and stat[0] not in "ZX"
    return (one.pid, *(pid for pid in bearing if pid != one.pid)) if itself else bearing


def end(one: KnownProcess, *, patience: timedelta) -> bool:
    """End a process and what it started: asked first, killed after `patience`. Returns whether anything had to be killed.

    It is asked itself, and what it started only once it is gone: a worker sees to its runs. Safe to repeat.
    """
    until = time.monotonic() + patience.total_seconds()
    asked: set[int] = set()
    while there := members(one):
        if time.monotonic() >= until:
            kill(one)
            return True
        for pid in there[:1] if there[0] == one.pid else there:
            if pid not in asked:
                asked.add(pid)
                _send(pid, signal.SIGTERM)
        threading.Event().wait(_STEP)
    return False


def kill(one: KnownProcess) -> None:
    """Kill a process and what it started. Safe to repeat."""
    while there := members(one):
        for pid in there:
            _send(pid, signal.SIGKILL)
        threading.Event().wait(_STEP)


def _send(pid: int, what: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.kill(pid, what)


def _all() -> Iterator[int]:
    yield from (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal())


def _environ(pid: int) -> tuple[bytes, ...]:
    """Return the environment of a process of ours; nothing for other people's."""
    try:
        return tuple(Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"))
    except OSError:
        return ()


def _runs(pid: int) -> bool:
    stat = process_stat(pid)
    return stat is not None and stat[0] not in "ZX"
