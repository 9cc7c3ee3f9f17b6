"""What tells that no byte of a DuckDB file was written: its stat, once the file system's clock has moved past it."""

from __future__ import annotations

import os
import threading
from datetime import timedelta
from pathlib import Path

from prefect_sluice.runtime import process

_TICK = timedelta(milliseconds=20)
"""File systems stamp with the kernel's coarse clock (1 to 10 ms): a write in the tick of the last one leaves the same time."""
_COARSE = timedelta(seconds=2)
"""The same where times have whole seconds."""
_HANDLES = Path("/proc/self/fd"), Path("/dev/fd")
"""Where Linux and macOS list the handles of a process."""
_SECOND = 1_000_000_000


def stamp(path: Path) -> str:
    """Return what is the same only while nobody has written to the file; "" when that cannot be told.

    It cannot be told beside a journal, which holds rows that the file does not show, nor of a file that was written just now:
    the next write could get the same time. Who binds to a stamp what is read takes that of an Opening.
    The file itself is not opened: closing it would take DuckDB's lock away, which belongs to the process, not to the handle.
    """
    try:
        if any(_has_journal(name) for name in {path, path.resolve()}):
            return ""
        state = path.stat()
    except OSError:
        return ""
    # The time of the last change of the inode nobody can set back, as a copying tool does with the other.
    if any(_age(at) <= _granularity(at) for at in (state.st_mtime_ns, state.st_ctime_ns)):
        return ""
    return f"{state.st_dev}:{state.st_ino}:{state.st_size}:{state.st_mtime_ns}:{state.st_ctime_ns}"


def _has_journal(path: Path) -> bool:
    """Say whether there is a journal of any kind beside this name of the file: that by which it was opened."""
    return any(entry.name.startswith(f"{path.name}.wal") for entry in path.parent.iterdir())


class Opening:
    """A look at a file before it is opened, so that it can be told afterwards what was opened.

    An open file keeps those out who write to it, but not who puts another one in its place: a stamp that is taken while it is
    open may be the other one's. Nor does DuckDB open a file anew which this process has open under that name: it goes on with
    the one that it has.
    """

    def __init__(self, path: Path) -> None:
        """Look at the file at `path`."""
        self._path = path
        self._stamp = stamp(path)
        self._handles = _handles(path) if self._stamp else 0

    def stamp(self) -> str:
        """Return the stamp of the file that was opened since, and is open; "" when that cannot be told."""
        if not self._stamp or _handles(self._path) <= self._handles:
            return ""
        return self._stamp if stamp(self._path) == self._stamp else ""


def _handles(path: Path) -> int:
    """Return how many handles of this process lead to the file; 0 where the system does not say."""
    listed = next((place for place in _HANDLES if place.is_dir()), None)
    try:
        file = path.stat()
        return sum(_leads_to(int(entry.name), file) for entry in listed.iterdir()) if listed else 0
    except OSError:  # it is gone
        return 0


def _leads_to(handle: int, file: os.stat_result) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), file)
    except OSError:  # closed by now: that of this very list, or another thread's
        return False


def settle(path: Path) -> None:
    """Wait until a stamp of a file that was written just now tells it from every later write: 20 ms, or not at all.

    Where times have whole seconds it would be too long to keep readers out.
    """
    state = path.stat()
    written = max(state.st_mtime_ns, state.st_ctime_ns)
    rest = _granularity(written) - _age(written)
    if timedelta(0) <= rest <= _TICK:
        threading.Event().wait(rest.total_seconds() + 0.001)


def _age(written: int) -> timedelta:
    return timedelta(microseconds=(process.now().timestamp() * _SECOND - written) / 1000)


def _granularity(written: int) -> timedelta:
    return _TICK if written % _SECOND else _COARSE
