"""System calls that Python has no function for, by ctypes. Linux on x86-64 and arm64, whose numbers are the same here."""

from __future__ import annotations

import ctypes
import os
import sys
from functools import cache
from typing import Any

NO_NEW_PRIVILEGES, SECURE_BITS, CHILD_SUBREAPER, PARENT_DEATH_SIGNAL = 38, 28, 36, 1
"""Numbers of prctl (linux/prctl.h)."""


@cache
def libc() -> Any:
    """Return the C library, whose functions say by `errno` what went wrong."""
    library: Any = ctypes.CDLL(None, use_errno=True)
    library.syscall.restype = ctypes.c_long
    return library


def is_linux() -> bool:
    """Say whether this kernel is one that the other functions here are for."""
    return sys.platform == "linux"


def checked(answer: int, what: str) -> int:
    """Return what a call answered. Raises OSError where it failed."""
    if answer < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return answer


def system_call(number: int, what: str, *arguments: Any) -> int:
    """Make a system call. Raises OSError."""
    return checked(libc().syscall(ctypes.c_long(number), *arguments), what)


def prctl(option: int, *arguments: int) -> int:
    """Set something of this process. Raises OSError."""
    given = [ctypes.c_ulong(value) for value in (*arguments, 0, 0, 0, 0)[:4]]
    return checked(libc().prctl(ctypes.c_int(option), *given), f"prctl {option}")
