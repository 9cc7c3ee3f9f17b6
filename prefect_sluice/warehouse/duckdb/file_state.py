"""What tells that no byte of a DuckDB file was written: its stat, once the file system's clock has moved past it."""

from __future__ import annotations

import threading
from datetime import timedelta
from pathlib import Path

from prefect_sluice.runtime import process

_TICK = timedelta(milliseconds=20)
"""File systems stamp with the kernel's coarse clock (1 to 10 ms): a write in the tick of the last one leaves the same time."""
_COARSE = timedelta(seconds=2)
"""The same where times have whole seconds."""
_SECOND = 1_000_000_000


def stamp(path: Path) -> str:
    """Return what is the same only while nobody has written to the file; "" when that cannot be told.

    Holds for as long as the caller has the file open and so keeps writers out. It cannot be told beside a journal, which holds
    rows that the file does not show, nor of a file that was written just now: the next write could get the same time.
    The file itself is not opened: closing it would take DuckDB's lock away, which belongs to the process, not to the handle.
    """
    try:
        if any(item.name.startswith(f"{path.name}.wal") for item in path.parent.iterdir()):
            return ""
        found = path.stat()
    except OSError:
        return ""
    if _age(found.st_mtime_ns) <= _granularity(found.st_mtime_ns):
        return ""
    # The time of the last change of the inode nobody can set back, as a copying tool does with the other.
    return f"{found.st_dev}:{found.st_ino}:{found.st_size}:{found.st_mtime_ns}:{found.st_ctime_ns}"


def settle(path: Path) -> None:
    """Wait until a stamp of a file that was written just now tells it from every later write: 20 ms, or not at all.

    Where times have whole seconds it would be too long to keep readers out.
    """
    written = path.stat().st_mtime_ns
    rest = _granularity(written) - _age(written)
    if timedelta(0) <= rest <= _TICK:
        threading.Event().wait(rest.total_seconds() + 0.001)


def _age(written: int) -> timedelta:
    return timedelta(microseconds=(process.now().timestamp() * _SECOND - written) / 1000)


def _granularity(written: int) -> timedelta:
    return _TICK if written % _SECOND else _COARSE
