"""Processes of ours: their identity, since numbers are used again, and how one is ended with all that it started."""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

import psutil

from prefect_sluice.runtime.running import start_of

_STEP = 0.05

MARK = "SLUICE_UP"
"""The environment variable that all processes of one child bear: it, and what it started, in whatever session."""


@dataclass(frozen=True, slots=True)
class KnownProcess:
    """A process of ours: its number, when it began (`start_of`; "": unknown), and the mark that it and all that it started bear.
    A worker puts each flow run into a session of its own, so that no session or group holds them all."""

    pid: int
    start: str
    mark: str


def identify_process(pid: int, mark: str) -> KnownProcess:
    """Return a running process with what tells it from a later one of the same number."""
    return KnownProcess(pid, start_of(pid) or "", mark)


def members(one: KnownProcess) -> tuple[int, ...]:
    """Return the processes that still run: this one and those that it started. Empty when none is left."""
    bearing = tuple(process.pid for process in psutil.process_iter() if _bears(process, one.mark))
    # Itself by its start: between fork and exec it does not bear the mark yet.
    # Where no start is known, the number may be another's by now: then only the mark counts.
    itself = bool(one.start) and start_of(one.pid) == one.start
    return (one.pid, *(pid for pid in bearing if pid != one.pid)) if itself else bearing


def end(one: KnownProcess, *, patience: timedelta) -> bool:
    """End a process and what it started: asked first, killed after `patience`. Returns whether anything had to be killed.

    It is asked itself, and what it started only once it is gone: a worker sees to its runs. Safe to repeat.
    """
    until = time.monotonic() + patience.total_seconds()
    signalled: set[int] = set()
    while there := members(one):
        if time.monotonic() >= until:
            kill(one)
            return True
        for pid in there[:1] if there[0] == one.pid else there:
            if pid not in signalled:
                signalled.add(pid)
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


def _bears(process: psutil.Process, mark: str) -> bool:
    """Say whether a process runs that bears the mark; what other people's bear is not for us to see."""
    try:
        return process.environ().get(MARK) == mark
    except (psutil.Error, OSError):  # it is gone, a zombie, or not ours
        return False
