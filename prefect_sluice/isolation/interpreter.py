"""What a Python program reads to run at all: the system's files, the interpreter, its packages."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

_SYSTEM = (
    *("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/opt", "/nix/store", "/etc"),
    *("/proc", "/sys", "/dev", "/System", "/Library"),
)
DEVICES = tuple(map(Path, ("/dev/null", "/dev/zero", "/dev/full", "/dev/tty", "/dev/shm")))  # covered
"""What every program may write to."""


def readable(more: Iterable[str] = ()) -> tuple[Path, ...]:
    """Return the folders, packages that are installed from elsewhere and `more` among them; none that holds a home folder."""
    interpreter = (sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix, *sys.path, *more)
    found = (Path(text).resolve() for text in (*_SYSTEM, *interpreter) if text)
    return tuple(dict.fromkeys(path for path in found if path.exists() and not _holds_much(path)))


def _holds_much(path: Path) -> bool:
    """Say whether a folder is the top, or the home folder or above it: who puts that on the path did not mean all of it."""
    return Path.home().is_relative_to(path)
