"""Landlock: a thread gives up rights to files, to the network and to signals, for itself and all that it starts.

After the kernel's documentation (userspace-api/landlock) and linux/landlock.h.
"""

from __future__ import annotations

import ctypes
import os
import stat
import struct
from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from pathlib import Path

from prefect_sluice.isolation import kernel

_CREATE, _ADD_RULE, _RESTRICT = 444, 445, 446
_ASK_VERSION, _PATH_BENEATH = 1, 1

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_FOLDER = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_FIRST = (1 << 13) - 1
"""All rights to files of the first ABI."""
_MOVE, _TRUNCATE, _DEVICE = 1 << 13, 1 << 14, 1 << 15
_READ = _EXECUTE | _READ_FILE | _READ_FOLDER
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _DEVICE
"""The rights that a rule about a file, and not about a folder, may name."""
_TCP = 0b11
"""Bind and connect."""
_ABSTRACT_SOCKETS, _SIGNALS = 0b01, 0b10
TRUNCATION_ABI = 3
"""The ABI from which on a file outside can neither be written nor emptied (Linux 6.2)."""
TCP_ABI = 4
"""From which on TCP can be given up (Linux 6.7)."""
SCOPE_ABI = 6
"""From which on processes outside cannot be signalled, nor reached by abstract sockets (Linux 6.12)."""


@cache
def abi() -> int:
    """Return the number of the kernel's Landlock, 0 where there is none (it is old, or Landlock is switched off)."""
    if not kernel.is_linux():
        return 0
    try:
        return kernel.system_call(
            _CREATE, "landlock", None, ctypes.c_size_t(0), ctypes.c_uint32(_ASK_VERSION)
        )
    except OSError:
        return 0


def restrict(read: Iterable[Path], write: Iterable[Path], *, network: bool) -> None:
    """Give up all rights to files but to read what is below `read` and to read and write what is below `write`; TCP too
    unless `network`. What is not there is left out. For this thread and its children, for good. Raises OSError."""
    rights = _handled()
    ruleset = _ruleset(rights, 0 if network else _TCP, _ABSTRACT_SOCKETS | _SIGNALS)
    try:
        for path in read:
            _allow(ruleset, path, _READ & rights)
        for path in write:
            _allow(ruleset, path, rights)
        _restrict_self(ruleset)
    finally:
        os.close(ruleset)


def scope_signals() -> bool:
    """Give up the right to signal what this process did not start, and say whether that is so. Then a signal to all (-1) is one
    to all that it started, and to nothing else. For good."""
    if abi() < SCOPE_ABI:
        return False
    ruleset = _ruleset(0, 0, _SIGNALS)
    try:
        _restrict_self(ruleset)
    finally:
        os.close(ruleset)
    return True


def _restrict_self(ruleset: int) -> None:
    kernel.prctl(kernel.NO_NEW_PRIVILEGES, 1)
    kernel.system_call(_RESTRICT, "landlock_restrict_self", ctypes.c_int(ruleset), ctypes.c_uint32(0))


def _handled() -> int:
    version = abi()
    newer = [(2, _MOVE), (TRUNCATION_ABI, _TRUNCATE), (5, _DEVICE)]
    return _FIRST | sum(right for since, right in newer if version >= since)


def _ruleset(rights: int, network: int, scopes: int) -> int:
    version = abi()
    attributes = struct.pack("=QQQ", rights, network, scopes)
    size = 24 if version >= SCOPE_ABI else 16 if version >= TCP_ABI else 8
    return kernel.system_call(
        _CREATE,
        "landlock_create_ruleset",
        ctypes.c_char_p(attributes),
        ctypes.c_size_t(size),
        ctypes.c_uint32(0),
    )


def _allow(ruleset: int, path: Path, rights: int) -> None:
    with suppress(FileNotFoundError, NotADirectoryError):
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            is_folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
            rule = struct.pack("=Qi", rights if is_folder else rights & _OF_FILES, descriptor)
            kernel.system_call(
                _ADD_RULE,
                f"landlock_add_rule {path}",
                ctypes.c_int(ruleset),
                ctypes.c_int(_PATH_BENEATH),
                ctypes.c_char_p(rule),
                ctypes.c_uint32(0),
            )
        finally:
            os.close(descriptor)
